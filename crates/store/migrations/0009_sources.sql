-- How a collection's texts are cut and the like: a JSON object whose members are named where they are read.
ALTER TABLE collections ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

-- What is known of a document beside its text. `layout` is how the text is laid out, `format` what the original
-- was, `origin` where it comes from: `file`, `git`, `url`. `metadata` is a JSON object, `readers` a JSON array of
-- those who may find it (empty: everybody), `notes` one of what its parser had to say. `pages` holds the byte at
-- which each page begins in the text, as 32-bit little-endian numbers; empty where the original has no pages.
-- `validator` is what an HTTP server said that its answer can be known by. `cut_by` and `described_by` are hashes
-- of the settings by which the text was cut and the document described: where they differ, that is done again.
ALTER TABLE sources ADD COLUMN layout       TEXT    NOT NULL DEFAULT '';
ALTER TABLE sources ADD COLUMN format       TEXT    NOT NULL DEFAULT '';
ALTER TABLE sources ADD COLUMN origin       TEXT    NOT NULL DEFAULT 'file';
ALTER TABLE sources ADD COLUMN trust        TEXT    NOT NULL DEFAULT 'untrusted';
ALTER TABLE sources ADD COLUMN readers      TEXT    NOT NULL DEFAULT '[]';
ALTER TABLE sources ADD COLUMN metadata     TEXT    NOT NULL DEFAULT '{}';
ALTER TABLE sources ADD COLUMN notes        TEXT    NOT NULL DEFAULT '[]';
ALTER TABLE sources ADD COLUMN pages        BLOB    NOT NULL DEFAULT x'';
ALTER TABLE sources ADD COLUMN validator    TEXT;
ALTER TABLE sources ADD COLUMN cut_by       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN described_by INTEGER NOT NULL DEFAULT 0;

-- The larger span of the same text that may be shown in a chunk's place.
ALTER TABLE chunks ADD COLUMN parent_start INTEGER;
ALTER TABLE chunks ADD COLUMN parent_end   INTEGER;

-- By which limits the file was not taken: under others it is looked at again.
ALTER TABLE skipped_files ADD COLUMN judged_by INTEGER NOT NULL DEFAULT 0;
