//! Prompts: every version that was seen, where labels stand, and how they came there. The files are the user's; what
//! a version is made of is kept whole, so that a label can go back to one whose file is long gone.

use crate::{Store, StoreError};
use hanok_base::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use std::collections::BTreeMap;

/// The label that follows the file.
pub const LATEST: &str = "latest";

/// The hash of a version: BLAKE3 of the text and of the partials it uses, each with its length before it, in hexadecimal.
/// Partials go in by name, so that their order does not count.
pub fn version_hash(source: &str, partials: &BTreeMap<String, String>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    part(source);
    for (name, source) in partials {
        part(name);
        part(source);
    }
    hasher.finalize().to_hex().to_string()
}

/// A version of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptVersion {
    /// The prompt.
    pub name: String,
    /// The hash of what follows, in hexadecimal.
    pub hash: String,
    /// The file's text.
    pub source: String,
    /// The partials it uses: texts by name.
    pub partials: BTreeMap<String, String>,
    /// When it was seen first.
    pub created: Timestamp,
    /// Who wrote it: `file`, or the name of a key or a person.
    pub author: String,
}

/// Where a label stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptLabel {
    /// The prompt.
    pub name: String,
    /// The label.
    pub label: String,
    /// The version's hash.
    pub hash: String,
    /// Since when.
    pub moved: Timestamp,
    /// Who moved it there.
    pub author: String,
}

/// A move of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptMove {
    /// The label.
    pub label: String,
    /// Where it stood; `None` where there was no such label.
    pub before: Option<String>,
    /// Where it stands since; `None` where it was removed.
    pub after: Option<String>,
    /// When.
    pub moved: Timestamp,
    /// Who moved it.
    pub author: String,
}

/// What became of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It stands there now; where it stood before.
    From(Option<String>),
    /// It stood there already.
    Stayed,
    /// There is no such version.
    NoVersion,
    /// There is no such label.
    NoLabel,
}

impl Store {
    /// The prompts in this store.
    pub fn prompts(&self) -> Prompts<'_> {
        Prompts { store: self }
    }
}

/// The prompts in a store.
#[derive(Clone, Copy)]
pub struct Prompts<'a> {
    pub(crate) store: &'a Store,
}

const VERSION: &str = "SELECT name, hash, source, partials, created, author FROM prompt_versions";

impl Prompts<'_> {
    /// Keeps versions that their files have now, and moves `latest` there; on the disk when this returns. Those that
    /// are known stay as they are.
    pub async fn see(&self, versions: Vec<PromptVersion>) -> Result<(), StoreError> {
        self.store.write_synced(move |tx| Ok(versions.iter().try_for_each(|version| see(tx, version))?)).await
    }

    /// The versions of a prompt whose hash begins so, two at most.
    pub async fn find(&self, name: &str, hash: &str) -> Result<Vec<PromptVersion>, StoreError> {
        let (name, hash) = (name.to_owned(), hash.to_owned());
        self.store
            .read(move |conn| {
                let sql = format!("{VERSION} WHERE name = ?1 AND substr(hash, 1, ?3) = ?2 LIMIT 2");
                let mut query = conn.prepare_cached(&sql)?;
                let length = i64::try_from(hash.len()).unwrap_or(i64::MAX);
                Ok(query.query_map(params![name, hash, length], version)?.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// All versions of a prompt, the newest first.
    pub async fn versions(&self, name: &str) -> Result<Vec<PromptVersion>, StoreError> {
        let name = name.to_owned();
        self.store
            .read(move |conn| {
                let mut query =
                    conn.prepare_cached(&format!("{VERSION} WHERE name = ?1 ORDER BY id DESC"))?;
                Ok(query.query_map([name], version)?.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Where all labels stand, by prompt.
    pub async fn labels(&self) -> Result<Vec<PromptLabel>, StoreError> {
        self.store
            .read(|conn| {
                let mut query = conn.prepare_cached(
                    "SELECT l.name, l.label, v.hash, l.moved, l.author
                     FROM prompt_labels AS l JOIN prompt_versions AS v ON v.id = l.version ORDER BY 1, 2",
                )?;
                let label = |row: &Row<'_>| {
                    Ok(PromptLabel {
                        name: row.get(0)?,
                        label: row.get(1)?,
                        hash: row.get(2)?,
                        moved: Timestamp(row.get(3)?),
                        author: row.get(4)?,
                    })
                };
                Ok(query.query_map([], label)?.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Moves a label to the version of this hash (all of it), or removes it; on the disk when this returns.
    pub async fn move_label(
        &self,
        name: &str,
        label: &str,
        to: Option<&str>,
        author: &str,
        now: Timestamp,
    ) -> Result<Moved, StoreError> {
        let (name, label, author) = (name.to_owned(), label.to_owned(), author.to_owned());
        let to = to.map(str::to_owned);
        self.store
            .write_synced(move |tx| {
                let after = match &to {
                    Some(hash) => match id_of(tx, &name, hash)? {
                        Some(id) => Some(id),
                        None => return Ok(Moved::NoVersion),
                    },
                    None => None,
                };
                Ok(move_label(tx, &name, &label, after, &author, now)?)
            })
            .await
    }

    /// The moves of a prompt's labels, the newest first, `limit` at most.
    pub async fn moves(&self, name: &str, limit: usize) -> Result<Vec<PromptMove>, StoreError> {
        let (name, limit) = (name.to_owned(), i64::try_from(limit).unwrap_or(i64::MAX));
        self.store
            .read(move |conn| {
                let mut query = conn.prepare_cached(
                    "SELECT m.label, b.hash, a.hash, m.moved, m.author FROM prompt_moves AS m
                     LEFT JOIN prompt_versions AS b ON b.id = m.before
                     LEFT JOIN prompt_versions AS a ON a.id = m.after
                     WHERE m.name = ?1 ORDER BY m.id DESC LIMIT ?2",
                )?;
                let moved = |row: &Row<'_>| {
                    Ok(PromptMove {
                        label: row.get(0)?,
                        before: row.get(1)?,
                        after: row.get(2)?,
                        moved: Timestamp(row.get(3)?),
                        author: row.get(4)?,
                    })
                };
                Ok(query.query_map(params![name, limit], moved)?.collect::<Result<_, _>>()?)
            })
            .await
    }
}

fn version(row: &Row<'_>) -> rusqlite::Result<PromptVersion> {
    let partials: String = row.get(3)?;
    let partials = serde_json::from_str(&partials).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(PromptVersion {
        name: row.get(0)?,
        hash: row.get(1)?,
        source: row.get(2)?,
        partials,
        created: Timestamp(row.get(4)?),
        author: row.get(5)?,
    })
}

fn id_of(conn: &Connection, name: &str, hash: &str) -> rusqlite::Result<Option<i64>> {
    let mut query = conn.prepare_cached("SELECT id FROM prompt_versions WHERE name = ?1 AND hash = ?2")?;
    query.query_row([name, hash], |row| row.get(0)).optional()
}

fn see(tx: &Transaction<'_>, version: &PromptVersion) -> rusqlite::Result<()> {
    let PromptVersion { name, hash, source, partials, created, author } = version;
    let id = if let Some(id) = id_of(tx, name, hash)? {
        id
    } else {
        let partials = serde_json::to_string(partials)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        tx.prepare_cached(
            "INSERT INTO prompt_versions (name, hash, source, partials, created, author)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![name, hash, source, partials, created.0, author])?;
        tx.last_insert_rowid()
    };
    move_label(tx, name, LATEST, Some(id), author, *created).map(drop)
}

fn move_label(
    tx: &Transaction<'_>,
    name: &str,
    label: &str,
    after: Option<i64>,
    author: &str,
    now: Timestamp,
) -> rusqlite::Result<Moved> {
    let before: Option<(i64, String)> = tx
        .prepare_cached(
            "SELECT v.id, v.hash FROM prompt_labels AS l JOIN prompt_versions AS v ON v.id = l.version
             WHERE l.name = ?1 AND l.label = ?2",
        )?
        .query_row([name, label], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match (&before, after) {
        (None, None) => return Ok(Moved::NoLabel),
        (Some((before, _)), Some(after)) if *before == after => return Ok(Moved::Stayed),
        (_, Some(after)) => {
            tx.prepare_cached(
                "INSERT INTO prompt_labels (name, label, version, moved, author) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (name, label) DO UPDATE
                 SET version = excluded.version, moved = excluded.moved, author = excluded.author",
            )?
            .execute(params![name, label, after, now.0, author])?;
        }
        (Some(_), None) => {
            tx.prepare_cached("DELETE FROM prompt_labels WHERE name = ?1 AND label = ?2")?
                .execute([name, label])?;
        }
    }
    let (from, hash) = before.unzip();
    tx.prepare_cached(
        "INSERT INTO prompt_moves (name, label, before, after, moved, author) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![name, label, from, after, now.0, author])?;
    Ok(Moved::From(hash))
}
