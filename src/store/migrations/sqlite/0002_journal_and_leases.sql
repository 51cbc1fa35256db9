-- The public half of the fleet's SSH key, once it is known; where the state was moved to; and what finds damage that SQLite
-- does not see: `hash` is of a row's other columns, `seal` of the fleet all instances' hashes combined by exclusive or.
ALTER TABLE fleet ADD COLUMN public_key TEXT;
ALTER TABLE fleet ADD COLUMN moved_to TEXT;
ALTER TABLE fleet ADD COLUMN hash INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fleet ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE instance ADD COLUMN hash INTEGER NOT NULL DEFAULT 0;
ALTER TABLE creation ADD COLUMN hash INTEGER NOT NULL DEFAULT 0;
CREATE INDEX creation_by_instance ON creation (instance);
-- all sessions' hashes combined
ALTER TABLE writer ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;

-- One command that changes something: who ran it, where. `machine` (a boot of a computer), `pid` and `started` tell
-- whether it still runs.
CREATE TABLE session (
    id      TEXT NOT NULL PRIMARY KEY,
    who     TEXT NOT NULL,
    host    TEXT NOT NULL,
    machine TEXT NOT NULL,
    pid     INTEGER NOT NULL,
    started INTEGER NOT NULL,
    command TEXT NOT NULL,
    version TEXT NOT NULL,
    begun   TEXT NOT NULL,
    hash    INTEGER NOT NULL
) STRICT;

-- Who may work on an instance, or on what the fleet has in common. `fence` counts the holders; `expires` is in
-- milliseconds of the database's clock. `history` and `host_keys` are the hashes of the subject's rows of intent and
-- creation, combined, so that none can be missed.
CREATE TABLE lease (
    subject TEXT NOT NULL PRIMARY KEY,
    fence   INTEGER NOT NULL,
    holder  TEXT REFERENCES session (id),
    since   TEXT,
    expires INTEGER NOT NULL,
    history INTEGER NOT NULL DEFAULT 0,
    host_keys INTEGER NOT NULL DEFAULT 0
) STRICT;

ALTER TABLE intent RENAME TO intent_before;
DROP INDEX intent_by_subject;
CREATE TABLE intent (
    seq      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    session  TEXT REFERENCES session (id),
    subject  TEXT NOT NULL,
    step     TEXT NOT NULL,
    begun    TEXT NOT NULL,
    ended    TEXT,
    outcome  TEXT,
    hash     INTEGER NOT NULL
) STRICT;
CREATE INDEX intent_by_subject ON intent (subject, seq);
INSERT INTO intent (seq, id, subject, step, begun, ended, outcome, hash)
    SELECT id, 'first-' || id, subject, step, begun, ended, outcome, 0 FROM intent_before;
DROP TABLE intent_before;
