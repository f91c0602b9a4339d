-- How far something that follows the traces has come: the newest `seq` it is done with.
CREATE TABLE cursors (
    name TEXT    PRIMARY KEY,
    seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
