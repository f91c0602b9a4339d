-- Facts: what each counted call was, in columns, for sums and percentiles over any of them. New ones come as rows
-- of `fact_tails`, those of one commit together (form: `facts.rs`); once there are enough they become a segment.
CREATE TABLE fact_tails (
    id    INTEGER PRIMARY KEY,
    facts INTEGER NOT NULL,
    body  BLOB    NOT NULL
) STRICT;

-- A segment's facts, with the bounds of what it holds, so that most are skipped unread.
CREATE TABLE fact_segments (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    facts     INTEGER NOT NULL,
    first_ms  INTEGER NOT NULL,
    last_ms   INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL
) STRICT;

-- `id` is the segment's, shifted left by 5 bits, plus the column's number (form: `fact_columns.rs`).
CREATE TABLE fact_columns (
    id   INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

-- The traces recorded before there were facts: those from `next` to `last` have none yet. One row, or none.
CREATE TABLE fact_fill (
    next INTEGER NOT NULL,
    last INTEGER NOT NULL
) STRICT;

INSERT INTO fact_fill (next, last) SELECT min(seq), max(seq) FROM traces HAVING count(*) > 0;

-- Traces that were removed and may have facts still, which count no longer. A trace goes from here once it has none.
CREATE TABLE fact_gone (
    seq INTEGER PRIMARY KEY
) STRICT;

-- The trace that brought each body of a pack: its `seq` as the zigzag distance from that of the body before, LEB128.
-- NULL in packs of an earlier version.
ALTER TABLE packs ADD COLUMN seqs BLOB;

-- For the full-text index beside this file. `epoch` is random, so that an index of another file is not taken for this
-- one's. Messages of the traces up to `before` have no trace in `packs.seqs`. One row.
CREATE TABLE text_epoch (
    epoch  INTEGER NOT NULL,
    before INTEGER NOT NULL
) STRICT;

INSERT INTO text_epoch (epoch, before) SELECT random(), coalesce(max(seq), 0) FROM traces;

-- Traces that were deleted, until the full-text index knows.
CREATE TABLE text_gone (
    seq INTEGER PRIMARY KEY
) STRICT;
