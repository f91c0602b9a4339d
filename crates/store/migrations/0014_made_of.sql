-- Traces that hold what another one said: a judge was asked about it, or an eval tried a row made of it. They go with it.
-- `gone` is 1 once the origin was removed, until the other one is, too.
CREATE TABLE made_of (
    origin BLOB    NOT NULL,
    trace  BLOB    NOT NULL,
    gone   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (origin, trace)
) STRICT, WITHOUT ROWID;
CREATE INDEX made_of_by_trace ON made_of (trace);
CREATE INDEX made_of_gone ON made_of (trace) WHERE gone = 1;

-- The trace a row was made of: the first half of its `origin`. A row whose trace is removed is in no version any more, and
-- `lost` counts in each how many went. It stays without its text (`removed` is 1, `hash` is random) where results need it.
ALTER TABLE dataset_rows ADD COLUMN trace_id BLOB;
UPDATE dataset_rows SET trace_id = unhex(substr(json_extract(body, '$.origin'), 1, 32));
ALTER TABLE dataset_rows ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dataset_versions ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
CREATE INDEX dataset_rows_by_trace ON dataset_rows (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX dataset_members_by_row ON dataset_members (row_id);

-- An answer whose text was removed keeps its cost and its time; its key is random.
ALTER TABLE eval_answers ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX eval_answers_by_trace ON eval_answers (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX eval_results_by_row ON eval_results (row_id);
CREATE INDEX eval_results_by_scoring ON eval_results (scoring_trace) WHERE scoring_trace IS NOT NULL;

-- What scoring by rule did, apart for each judge that a rule had on a day: `identity` is empty where it is no judge's.
CREATE TABLE scoring_days_by_judge (
    project  TEXT    NOT NULL,
    rule     TEXT    NOT NULL,
    day      TEXT    NOT NULL,
    identity TEXT    NOT NULL,
    seen     INTEGER NOT NULL DEFAULT 0,
    chosen   INTEGER NOT NULL DEFAULT 0,
    scored   INTEGER NOT NULL DEFAULT 0,
    unscored INTEGER NOT NULL DEFAULT 0,
    over     INTEGER NOT NULL DEFAULT 0,
    queued   INTEGER NOT NULL DEFAULT 0,
    sum      REAL    NOT NULL DEFAULT 0,
    squares  REAL    NOT NULL DEFAULT 0,
    cost     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (project, rule, day, identity)
) STRICT, WITHOUT ROWID;
INSERT INTO scoring_days_by_judge
    SELECT project, rule, day, '', seen, chosen, scored, unscored, over, queued, sum, squares, cost FROM scoring_days;
DROP TABLE scoring_days;
ALTER TABLE scoring_days_by_judge RENAME TO scoring_days;
