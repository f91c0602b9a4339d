-- Spans of small traces, which nearly all are: those of many traces together, as one row each costs several times
-- as much. `first` is `seq` of the first trace; traces stand in the order of `seq`. `size` is the length of `body`
-- in bytes once unpacked when it is zstd, and NULL when it is as it came; its form is that of `spans.rs`. Spans
-- that came later, or in large traces, are rows of `spans`, and behind these in their trace.
CREATE TABLE span_packs (
    first INTEGER PRIMARY KEY,
    size  INTEGER,
    body  BLOB NOT NULL
) STRICT;
