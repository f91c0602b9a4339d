-- How far traces were ever numbered, and how much of what `minutes` counts is gone: one row.
CREATE TABLE forgotten (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    last_seq INTEGER NOT NULL,
    traces   INTEGER NOT NULL,
    spans    INTEGER NOT NULL
) STRICT;
INSERT INTO forgotten (id, last_seq, traces, spans) VALUES (1, 0, 0, 0);

-- Bodies that a removed trace referred to, until it is known that no other trace does.
CREATE TABLE loose_bodies (
    body INTEGER PRIMARY KEY
) STRICT;

-- Who removed what. `criterion` tells what was meant, a person only by hash. `ended_ns` is NULL where it was begun
-- and did not come to its end.
CREATE TABLE audit (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ns     INTEGER NOT NULL,
    who       TEXT    NOT NULL,
    what      TEXT    NOT NULL,
    criterion TEXT    NOT NULL,
    traces    INTEGER NOT NULL DEFAULT 0,
    spans     INTEGER NOT NULL DEFAULT 0,
    responses INTEGER NOT NULL DEFAULT 0,
    ended_ns  INTEGER
) STRICT;

-- `on`, `off` or `errors`: whether what was said in its calls is kept; NULL leaves that to the project.
ALTER TABLE keys ADD COLUMN payloads TEXT;
