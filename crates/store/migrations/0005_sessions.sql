-- Conversations, by the name their callers gave them. `project` is a row of `names`, 0 where there is none, so
-- that two projects may use one name. `last_seq` is the newest trace's.
CREATE TABLE sessions (
    id       INTEGER PRIMARY KEY,
    project  INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    last_seq INTEGER NOT NULL,
    UNIQUE (name, project)
) STRICT;
CREATE INDEX sessions_by_last ON sessions (last_seq);

-- The people calls were made for. Apart from `names`, which stay few enough to be searched by pattern.
CREATE TABLE users (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- `session` and `user` are rows of those tables, `prompt` and `source` of `names`; `tags` is a JSON array of texts.
ALTER TABLE traces ADD COLUMN session INTEGER;
ALTER TABLE traces ADD COLUMN user INTEGER;
ALTER TABLE traces ADD COLUMN prompt INTEGER;
ALTER TABLE traces ADD COLUMN source INTEGER;
ALTER TABLE traces ADD COLUMN tags TEXT;
ALTER TABLE traces ADD COLUMN cached_tokens INTEGER;
ALTER TABLE traces ADD COLUMN reasoning_tokens INTEGER;
CREATE INDEX traces_by_session ON traces (session) WHERE session IS NOT NULL;
CREATE INDEX traces_by_user ON traces (user) WHERE user IS NOT NULL;

-- The traces of a tag (a row of `names`) in order.
CREATE TABLE tags (
    tag INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (tag, seq)
) STRICT, WITHOUT ROWID;

-- What people, clients and judges think of a trace, one of its spans, or a session: exactly one of `trace_id` and
-- `session` is set. By their own id, as a trace may come after its scores. `project` and `name` are rows of
-- `names`, `project` 0 where there is none; `id` tells the scores of a project apart. A label has a `label` and no
-- `value`; a yes or no is 1 or 0 with `kind` 1, any other number has `kind` 0, a label 2.
CREATE TABLE scores (
    seq        INTEGER PRIMARY KEY,
    project    INTEGER NOT NULL,
    id         TEXT    NOT NULL,
    trace_id   BLOB,
    span_id    INTEGER,
    session    TEXT,
    name       INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    value      REAL,
    label      TEXT,
    comment    TEXT,
    source     TEXT    NOT NULL,
    author     TEXT,
    created_ns INTEGER NOT NULL,
    UNIQUE (project, id)
) STRICT;
CREATE INDEX scores_by_trace ON scores (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX scores_by_session ON scores (session) WHERE session IS NOT NULL;
CREATE INDEX scores_by_name ON scores (name);

-- Filters that people keep, by project (a row of `names`, 0 where there is none).
CREATE TABLE views (
    id         INTEGER PRIMARY KEY,
    project    INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    filter     TEXT    NOT NULL,
    created_ns INTEGER NOT NULL,
    UNIQUE (project, name)
) STRICT;
