-- What is changed in the fleet, wave by wave. `head` is everything but the hosts. `hosts` is all hashes of its hosts'
-- rows combined, and is in its own hash.
CREATE TABLE rollout (
    seq   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id    TEXT NOT NULL UNIQUE,
    head  TEXT NOT NULL CHECK (json_valid(head)),
    hosts INTEGER NOT NULL,
    hash  INTEGER NOT NULL
) STRICT;

-- A host in a rollout, in the order of `place`: one row each, so that a step of one host writes no other.
CREATE TABLE rollout_host (
    rollout TEXT NOT NULL REFERENCES rollout (id),
    place   INTEGER NOT NULL,
    host    TEXT NOT NULL CHECK (json_valid(host)),
    hash    INTEGER NOT NULL,
    PRIMARY KEY (rollout, place)
) STRICT;

-- What somebody asks of a rollout that another process drives.
CREATE TABLE rollout_request (
    rollout TEXT NOT NULL PRIMARY KEY REFERENCES rollout (id),
    request TEXT NOT NULL,
    asked   TEXT NOT NULL,
    hash    INTEGER NOT NULL
) STRICT;

-- Beside `history`: the hashes of all rollouts, combined.
ALTER TABLE lease ADD COLUMN rollouts INTEGER NOT NULL DEFAULT 0;
