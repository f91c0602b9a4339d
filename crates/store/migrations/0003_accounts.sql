-- Virtual keys. The secret itself is nowhere: `hash` is its BLAKE3, `hint` its last characters. `models` is a
-- JSON array of patterns (empty for all), `limits` a JSON object, `budgets` a JSON array of
-- {limit, period, model}.
CREATE TABLE keys (
    id                TEXT    PRIMARY KEY,
    name              TEXT    NOT NULL,
    project           TEXT    NOT NULL,
    hash              BLOB    NOT NULL UNIQUE,
    hint              TEXT    NOT NULL,
    admin             INTEGER NOT NULL,
    models            TEXT    NOT NULL,
    limits            TEXT    NOT NULL,
    budgets           TEXT    NOT NULL,
    max_output_tokens INTEGER,
    created_ns        INTEGER NOT NULL,
    expires_ns        INTEGER,
    revoked_ns        INTEGER,
    last_used_ns      INTEGER
) STRICT;

-- Money by account and period, in nano-dollars. `spent` is the sum of what the spans charged to the account
-- cost. `drawn` is the high-water mark of what may have been spent without a record of it yet: the slab between
-- is open. After an unclean end the slab that was open moves to `written_off`, which counts as spent.
CREATE TABLE ledger (
    account     TEXT    NOT NULL,
    period      TEXT    NOT NULL,
    drawn       INTEGER NOT NULL DEFAULT 0,
    spent       INTEGER NOT NULL DEFAULT 0,
    written_off INTEGER NOT NULL DEFAULT 0,
    calls       INTEGER NOT NULL DEFAULT 0,
    tokens      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, period)
) STRICT, WITHOUT ROWID;

-- What clients may ask back. A response holds its own turn only; the conversation before it is the chain over
-- `previous`, so that n turns cost n. Bodies are zstd, the sizes their lengths in bytes once unpacked. One that
-- has expired or was deleted is hidden, and goes once no other continues it. Never part of spans or of search.
CREATE TABLE responses (
    seq         INTEGER PRIMARY KEY,
    project     TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    key_id      TEXT,
    previous    TEXT,
    model       TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    created_ns  INTEGER NOT NULL,
    expires_ns  INTEGER NOT NULL,
    input_size  INTEGER NOT NULL,
    input       BLOB    NOT NULL,
    object_size INTEGER NOT NULL,
    object      BLOB    NOT NULL,
    UNIQUE (project, id)
) STRICT;

CREATE INDEX responses_by_previous ON responses (project, previous) WHERE previous IS NOT NULL;
CREATE INDEX responses_by_expiry ON responses (expires_ns);

-- Rows of `names`. Sequence numbers are part of every index, so this one is a project's traces in order.
ALTER TABLE traces ADD COLUMN key_id INTEGER;
ALTER TABLE traces ADD COLUMN project INTEGER;
CREATE INDEX traces_by_project ON traces (project) WHERE project IS NOT NULL;

-- Counts of tokens that few calls have: a sequence of (kind byte, LEB128 varint count).
ALTER TABLE spans ADD COLUMN rare_tokens BLOB;
