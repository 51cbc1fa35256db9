-- One row: whose state this is.
CREATE TABLE fleet (
    id      TEXT NOT NULL PRIMARY KEY,
    created TEXT NOT NULL
) STRICT;

-- Which program wrote last, so that an older one can name the one to use.
CREATE TABLE writer (
    one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    version TEXT NOT NULL
) STRICT;

CREATE TABLE instance (
    name    TEXT NOT NULL PRIMARY KEY,
    spec    TEXT NOT NULL CHECK (json_valid(spec)),
    stage   TEXT NOT NULL CHECK (json_valid(stage)),
    created TEXT NOT NULL
) STRICT;

-- The public host key that was injected by each create: known before the request is sent, so that a server whose
-- answer was lost is recognised by its op label and trusted by this key.
CREATE TABLE creation (
    op       TEXT NOT NULL PRIMARY KEY,
    instance TEXT NOT NULL,
    host_key TEXT NOT NULL,
    created  TEXT NOT NULL
) STRICT;

-- What was about to be done, and what came of it. An intent without outcome was interrupted.
CREATE TABLE intent (
    id       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    subject  TEXT NOT NULL,
    step     TEXT NOT NULL,
    begun    TEXT NOT NULL,
    ended    TEXT,
    outcome  TEXT
) STRICT;
CREATE INDEX intent_by_subject ON intent (subject, id);
