-- Things that people label. `scale` is JSON, {form, labels}, labels worst first; a level is a place in them. `wanted` is
-- how many people label each item on their own. `project` is empty where there is none.
CREATE TABLE queues (
    id           INTEGER PRIMARY KEY,
    project      TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    instructions TEXT    NOT NULL,
    scale        TEXT    NOT NULL,
    wanted       INTEGER NOT NULL,
    created_ns   INTEGER NOT NULL,
    UNIQUE (project, name)
) STRICT;

-- What is labelled, as it is shown (`content`, a JSON object). `key` tells the items of a queue apart. `trace_id` and
-- `span_id` are where it comes from, and it goes with its trace. `state` is 0 for one that waits for labels, 1 for one
-- on which people differ, 2 for one that is done; `level` is what came out. `reason` says why it is here.
CREATE TABLE annotation_items (
    id         INTEGER PRIMARY KEY,
    queue      INTEGER NOT NULL REFERENCES queues (id) ON DELETE CASCADE,
    key        TEXT    NOT NULL,
    content    TEXT    NOT NULL,
    cluster    TEXT,
    trace_id   BLOB,
    span_id    INTEGER,
    reason     TEXT    NOT NULL,
    urgency    INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    level      INTEGER,
    created_ns INTEGER NOT NULL,
    UNIQUE (queue, key)
) STRICT;
CREATE INDEX annotation_items_by_state ON annotation_items (queue, state, urgency DESC, id);
CREATE INDEX annotation_items_by_trace ON annotation_items (trace_id) WHERE trace_id IS NOT NULL;

-- Who said what. `settles` is 1 for what was decided where others differ.
CREATE TABLE annotation_labels (
    item       INTEGER NOT NULL REFERENCES annotation_items (id) ON DELETE CASCADE,
    who        TEXT    NOT NULL,
    settles    INTEGER NOT NULL,
    level      INTEGER NOT NULL,
    comment    TEXT    NOT NULL,
    created_ns INTEGER NOT NULL,
    PRIMARY KEY (item, settles, who)
) STRICT, WITHOUT ROWID;

-- What a judge said of an item. `identity` is that of the judge as it was; `verdict` is JSON, `level` NULL where it gave
-- none.
CREATE TABLE judge_opinions (
    item       INTEGER NOT NULL REFERENCES annotation_items (id) ON DELETE CASCADE,
    identity   TEXT    NOT NULL,
    verdict    TEXT    NOT NULL,
    level      INTEGER,
    reasoning  TEXT    NOT NULL,
    created_ns INTEGER NOT NULL,
    PRIMARY KEY (item, identity)
) STRICT, WITHOUT ROWID;

-- What was found out about judges. `spec` is the judge's table, `report` all figures, both JSON.
CREATE TABLE judge_checks (
    seq        INTEGER PRIMARY KEY,
    project    TEXT    NOT NULL,
    judge      TEXT    NOT NULL,
    identity   TEXT    NOT NULL,
    queue      TEXT    NOT NULL,
    spec       TEXT    NOT NULL,
    report     TEXT    NOT NULL,
    created_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX judge_checks_by_judge ON judge_checks (project, judge, seq);

-- What scoring by rule did on a day (UTC): traces that it looked at and chose, what came of them, and what was spent, in
-- nano-dollars. `sum` and `squares` are those of the scores as numbers, from which mean and deviation follow.
CREATE TABLE scoring_days (
    project  TEXT    NOT NULL,
    rule     TEXT    NOT NULL,
    day      TEXT    NOT NULL,
    seen     INTEGER NOT NULL DEFAULT 0,
    chosen   INTEGER NOT NULL DEFAULT 0,
    scored   INTEGER NOT NULL DEFAULT 0,
    unscored INTEGER NOT NULL DEFAULT 0,
    over     INTEGER NOT NULL DEFAULT 0,
    queued   INTEGER NOT NULL DEFAULT 0,
    sum      REAL    NOT NULL DEFAULT 0,
    squares  REAL    NOT NULL DEFAULT 0,
    cost     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (project, rule, day)
) STRICT, WITHOUT ROWID;
