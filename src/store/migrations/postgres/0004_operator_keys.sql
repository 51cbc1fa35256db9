-- The same as in SQLite at this version; see there what it is for.
ALTER TABLE fleet ADD COLUMN keys TEXT;
