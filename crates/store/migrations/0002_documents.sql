-- Sets of documents that are searched together. `generation` counts the changes to its documents; `epoch` is
-- random, so that a search index cannot mistake another file's collection of the same name for its own.
CREATE TABLE collections (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE,
    epoch      INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Documents. The id is derived from collection and path. `generation` is that of the last change of content.
CREATE TABLE sources (
    id            INTEGER PRIMARY KEY,
    collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    path          TEXT    NOT NULL,
    title         TEXT    NOT NULL,
    hash          BLOB    NOT NULL,
    size          INTEGER NOT NULL,
    modified_ns   INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    indexed_at_ns INTEGER NOT NULL,
    UNIQUE (collection_id, path)
) STRICT;

CREATE INDEX sources_by_generation ON sources (collection_id, generation);

-- The extracted text, zstd, apart from `sources` so that lists do not read it. `size` is its length in bytes.
CREATE TABLE source_texts (
    source_id INTEGER PRIMARY KEY REFERENCES sources (id) ON DELETE CASCADE,
    size      INTEGER NOT NULL,
    body      BLOB    NOT NULL
) STRICT;

-- What is indexed: bytes `start_byte` to `end_byte` of the extracted text. Ids are never used again, so that
-- a stale entry of a search index names no row rather than a wrong one.
CREATE TABLE chunks (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    source_id  INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    ordinal    INTEGER NOT NULL,
    heading    TEXT    NOT NULL,
    start_byte INTEGER NOT NULL,
    end_byte   INTEGER NOT NULL,
    UNIQUE (source_id, ordinal)
) STRICT;

-- Documents that went, until every search index knows.
CREATE TABLE source_tombstones (
    collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    source_id     INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    PRIMARY KEY (collection_id, source_id)
) STRICT, WITHOUT ROWID;

-- Files that were looked at and not taken, so that they are not read again while they stay the same.
CREATE TABLE skipped_files (
    collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    path          TEXT    NOT NULL,
    size          INTEGER NOT NULL,
    modified_ns   INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    PRIMARY KEY (collection_id, path)
) STRICT, WITHOUT ROWID;
