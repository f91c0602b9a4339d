-- Every version of a prompt that was seen. `hash` is the BLAKE3 hash, in hexadecimal, of its text with that of the
-- partials it uses, which `partials` holds: a JSON object of texts by name. `created` is when it was seen first, and
-- `author` who wrote it: `file`, or the name of a key or a person.
CREATE TABLE prompt_versions (
    id       INTEGER PRIMARY KEY,
    name     TEXT    NOT NULL,
    hash     TEXT    NOT NULL,
    source   TEXT    NOT NULL,
    partials TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    author   TEXT    NOT NULL,
    UNIQUE (name, hash)
) STRICT;

-- Where labels stand now. `latest` follows the file.
CREATE TABLE prompt_labels (
    name    TEXT    NOT NULL,
    label   TEXT    NOT NULL,
    version INTEGER NOT NULL REFERENCES prompt_versions (id),
    moved   INTEGER NOT NULL,
    author  TEXT    NOT NULL,
    PRIMARY KEY (name, label)
) STRICT, WITHOUT ROWID;

-- How they came there: from `before` (null: there was no such label) to `after` (null: it was removed).
CREATE TABLE prompt_moves (
    id     INTEGER PRIMARY KEY,
    name   TEXT    NOT NULL,
    label  TEXT    NOT NULL,
    before INTEGER REFERENCES prompt_versions (id),
    after  INTEGER REFERENCES prompt_versions (id),
    moved  INTEGER NOT NULL,
    author TEXT    NOT NULL
) STRICT;
CREATE INDEX prompt_moves_by_name ON prompt_moves (name, id);
