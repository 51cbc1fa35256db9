-- The keys that log in beside the fleet's own, as JSON, with how far each has got; null where there is none.
ALTER TABLE fleet ADD COLUMN keys TEXT;
