-- Sets of rows to try things on. A row is kept once, whichever versions have it: `hash` is that of its JSON, `cluster`
-- what it belongs to where rows are not independent.
CREATE TABLE datasets (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    created_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE dataset_rows (
    id      INTEGER PRIMARY KEY,
    hash    BLOB    NOT NULL UNIQUE,
    cluster TEXT,
    body    TEXT    NOT NULL
) STRICT;

-- `hash` is that of the rows' hashes in their order; `source` says in JSON what the version was made of.
CREATE TABLE dataset_versions (
    id         INTEGER PRIMARY KEY,
    dataset_id INTEGER NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
    hash       BLOB    NOT NULL,
    rows       INTEGER NOT NULL,
    created_ns INTEGER NOT NULL,
    source     TEXT    NOT NULL,
    UNIQUE (dataset_id, hash)
) STRICT;

CREATE TABLE dataset_members (
    version_id INTEGER NOT NULL REFERENCES dataset_versions (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    row_id     INTEGER NOT NULL REFERENCES dataset_rows (id),
    PRIMARY KEY (version_id, position)
) STRICT, WITHOUT ROWID;

-- A run of a task over a version of a dataset. `state` is `running`, `stopped` or `done`; `spec` is everything that
-- was asked for, `spec_hash` tells runs of one wish; `report` is what came out, in JSON.
CREATE TABLE experiments (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL,
    file        TEXT    NOT NULL,
    spec        TEXT    NOT NULL,
    spec_hash   BLOB    NOT NULL,
    task        TEXT    NOT NULL,
    version_id  INTEGER NOT NULL,
    dataset     TEXT    NOT NULL,
    rows        INTEGER NOT NULL,
    repeats     INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    created_ns  INTEGER NOT NULL,
    finished_ns INTEGER,
    done        INTEGER NOT NULL DEFAULT 0,
    failed      INTEGER NOT NULL DEFAULT 0,
    cost        INTEGER NOT NULL DEFAULT 0,
    report      TEXT
) STRICT;

CREATE INDEX experiments_by_name ON experiments (name, id);

-- What a task made of an input, once for all experiments: `key` is the hash of the task, the input and the repeat.
CREATE TABLE eval_answers (
    id         INTEGER PRIMARY KEY,
    key        BLOB    NOT NULL UNIQUE,
    output     TEXT    NOT NULL,
    cost       INTEGER,
    latency_ns INTEGER NOT NULL,
    trace_id   BLOB,
    created_ns INTEGER NOT NULL
) STRICT;

-- What a scorer that costs money said of an answer, by the hash of the scorer, the row and the answer.
CREATE TABLE eval_scores (
    key       BLOB    NOT NULL PRIMARY KEY,
    answer_id INTEGER NOT NULL REFERENCES eval_answers (id) ON DELETE CASCADE,
    scores    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX eval_scores_by_answer ON eval_scores (answer_id);

-- One row for each row of the dataset and repeat. `cost` and `scoring_cost` are what this experiment paid, 0 where
-- the answer was known; `scores` is a JSON object by name.
CREATE TABLE eval_results (
    experiment_id INTEGER NOT NULL REFERENCES experiments (id) ON DELETE CASCADE,
    row_id        INTEGER NOT NULL REFERENCES dataset_rows (id),
    repeat        INTEGER NOT NULL,
    answer_id     INTEGER,
    error         TEXT,
    cached        INTEGER NOT NULL,
    cost          INTEGER NOT NULL,
    scoring_cost  INTEGER NOT NULL,
    scoring_trace BLOB,
    scores        TEXT    NOT NULL,
    PRIMARY KEY (experiment_id, row_id, repeat)
) STRICT, WITHOUT ROWID;

CREATE INDEX eval_results_by_answer ON eval_results (answer_id) WHERE answer_id IS NOT NULL;
