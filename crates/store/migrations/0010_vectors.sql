-- Models that made vectors, by the name that tells whose vectors can be compared.
CREATE TABLE embedders (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Vectors of texts, whoever holds the text: `hash` is that of the text embedded, `body` its numbers as signed bytes,
-- each to be multiplied by `scale`.
CREATE TABLE vectors (
    id          INTEGER PRIMARY KEY,
    embedder_id INTEGER NOT NULL REFERENCES embedders (id) ON DELETE CASCADE,
    hash        BLOB    NOT NULL,
    scale       REAL    NOT NULL,
    body        BLOB    NOT NULL,
    UNIQUE (embedder_id, hash)
) STRICT;

-- Which vectors a chunk has. A vector without a chunk is nobody's and goes.
CREATE TABLE chunk_vectors (
    chunk_id  INTEGER NOT NULL REFERENCES chunks (id) ON DELETE CASCADE,
    vector_id INTEGER NOT NULL REFERENCES vectors (id) ON DELETE CASCADE,
    PRIMARY KEY (chunk_id, vector_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX chunk_vectors_by_vector ON chunk_vectors (vector_id);

-- What was measured of an embedder on a collection's own texts, as JSON.
CREATE TABLE embedder_trials (
    collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    embedder_id   INTEGER NOT NULL REFERENCES embedders (id) ON DELETE CASCADE,
    result        TEXT    NOT NULL,
    PRIMARY KEY (collection_id, embedder_id)
) STRICT, WITHOUT ROWID;
