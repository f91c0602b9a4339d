-- Text that repeats: names of spans, models, providers, keys and attributes.
CREATE TABLE names (
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- Message bodies, packed: body `first`, `first + 1` and so on, one after another. `hashes` holds the first 16
-- bytes of each one's BLAKE3 hash, `lengths` their lengths as LEB128 varints. `size` is the length of `body`
-- in bytes once unpacked when it is zstd, and NULL when it is as it came.
-- Deliberately no index by hash: it would dirty one random page for every new message. The writer keeps the
-- recent hashes in memory and reads them back from here when it starts.
CREATE TABLE packs (
    first   INTEGER PRIMARY KEY,
    hashes  BLOB NOT NULL,
    lengths BLOB NOT NULL,
    size    INTEGER,
    body    BLOB NOT NULL
) STRICT;

-- One row per trace. `seq` is the order of arrival; `arrived_ms` never decreases with it, so that a time can
-- be looked up by bisection. Name, operation, model, provider and key are rows of `names`.
CREATE TABLE traces (
    seq            INTEGER PRIMARY KEY,
    trace_id       BLOB    NOT NULL UNIQUE,
    arrived_ms     INTEGER NOT NULL,
    start_ns       INTEGER NOT NULL,
    duration_ns    INTEGER NOT NULL,
    status         INTEGER NOT NULL,
    span_count     INTEGER NOT NULL,
    name           INTEGER NOT NULL,
    operation      INTEGER NOT NULL,
    model          INTEGER,
    provider       INTEGER,
    key_name       INTEGER,
    input_tokens   INTEGER,
    output_tokens  INTEGER,
    cost_nano      INTEGER,
    ttft_ns        INTEGER,
    error          TEXT,
    input_preview  TEXT,
    output_preview TEXT
) STRICT;

-- `id` is `seq` of the trace, shifted left by 20 bits, plus the span's number in its trace: the spans of a
-- trace are neighbours, and need no index. `counted` marks the spans whose tokens and cost are the trace's.
-- `attributes` is a JSON array of names.id, value, names.id, value and so on. `bodies` is a sequence of
-- (slot byte, LEB128 varint body number).
CREATE TABLE spans (
    id                 INTEGER PRIMARY KEY,
    span_id            INTEGER NOT NULL,
    parent_id          INTEGER,
    name               INTEGER NOT NULL,
    operation          INTEGER NOT NULL,
    start_ns           INTEGER NOT NULL,
    duration_ns        INTEGER NOT NULL,
    status             INTEGER NOT NULL,
    counted            INTEGER NOT NULL,
    model              INTEGER,
    provider           INTEGER,
    input_tokens       INTEGER,
    output_tokens      INTEGER,
    cached_tokens      INTEGER,
    cache_write_tokens INTEGER,
    reasoning_tokens   INTEGER,
    cost_nano          INTEGER,
    ttft_ns            INTEGER,
    error              TEXT,
    attributes         TEXT,
    bodies             BLOB
) STRICT;

-- Sums by the minute in which a trace began, for charts and for today's cost.
CREATE TABLE minutes (
    minute        INTEGER PRIMARY KEY,
    traces        INTEGER NOT NULL,
    errors        INTEGER NOT NULL,
    spans         INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_nano     INTEGER NOT NULL
) STRICT;
