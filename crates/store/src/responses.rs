//! Responses that clients may ask back, and the conversations they make.
//!
//! They are the client's, not records of ours: apart from spans, with their own lifetime, never searched, and
//! seen by their project only. Each holds its own turn; a conversation is the chain over `previous`, so that n
//! turns cost n. What expired or was deleted is hidden at once; its turn stays readable to those that continue
//! it, and goes with the last of them.

use crate::packing;
use crate::{Store, StoreError};
use hanok_base::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use std::time::Duration;

/// How long a response is kept where nobody says otherwise.
pub const LIFETIME: Duration = Duration::from_hours(30 * 24);
/// Rows that one write of a purge deletes at most: well under a millisecond's work each.
const PURGE_STEP: usize = 128;
const LEVEL: i32 = 1;

/// A response to be kept.
#[derive(Clone, Debug)]
pub struct NewResponse {
    /// Its id, unique in its project.
    pub id: String,
    /// Whose it is; only this project sees it.
    pub project: String,
    /// The key it was made with.
    pub key_id: Option<String>,
    /// The response it continues.
    pub previous: Option<String>,
    /// The model, as the client asked for it.
    pub model: String,
    /// `completed`, `incomplete`, `failed`, `cancelled` or what else its dialect says.
    pub status: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it goes.
    pub expires: Timestamp,
    /// The items this turn added before the model answered: a JSON array.
    pub input: Vec<u8>,
    /// The response as the client got it, its output included: a JSON object.
    pub object: Vec<u8>,
}

/// A response, as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResponse {
    /// Its id.
    pub id: String,
    /// The key it was made with.
    pub key_id: Option<String>,
    /// The response it continues.
    pub previous: Option<String>,
    /// The model, as the client asked for it.
    pub model: String,
    /// How it ended.
    pub status: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it goes.
    pub expires: Timestamp,
    /// The response as the client got it: a JSON object.
    pub object: Vec<u8>,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The response's id.
    pub id: String,
    /// What it added before the model answered: a JSON array of items.
    pub input: Vec<u8>,
    /// The response, whose output follows the input: a JSON object.
    pub object: Vec<u8>,
}

impl Store {
    /// The responses in this store.
    pub fn responses(&self) -> Responses<'_> {
        Responses { store: self }
    }
}

/// The responses in a store.
#[derive(Clone, Copy)]
pub struct Responses<'a> {
    store: &'a Store,
}

impl Responses<'_> {
    /// Keeps a response, in place of one of the same id and project. Returns once it is committed, and so can be
    /// asked for.
    pub async fn put(self, response: NewResponse) -> Result<(), StoreError> {
        let input = Packed::new(&response.input)?;
        let object = Packed::new(&response.object)?;
        self.store
            .write(move |tx| {
                tx.prepare_cached(
                    "INSERT INTO responses (project, id, key_id, previous, model, status, created_ns, expires_ns,
                        input_size, input, object_size, object)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                     ON CONFLICT (project, id) DO UPDATE SET
                        key_id = excluded.key_id, previous = excluded.previous, model = excluded.model,
                        status = excluded.status, created_ns = excluded.created_ns,
                        expires_ns = excluded.expires_ns, input_size = excluded.input_size,
                        input = excluded.input, object_size = excluded.object_size, object = excluded.object",
                )?
                .execute(params![
                    response.project,
                    response.id,
                    response.key_id,
                    response.previous,
                    response.model,
                    response.status,
                    response.created.0,
                    response.expires.0,
                    input.size,
                    input.body,
                    object.size,
                    object.body,
                ])?;
                Ok(())
            })
            .await
    }

    /// A response of the project; `None` when there is none, or it expired.
    pub async fn get(self, project: &str, id: &str) -> Result<Option<StoredResponse>, StoreError> {
        let (project, id, now) = (project.to_owned(), id.to_owned(), Timestamp::now());
        self.store
            .read(move |conn| {
                let found = conn
                    .prepare_cached(
                        "SELECT id, key_id, previous, model, status, created_ns, expires_ns, object_size, object
                         FROM responses WHERE project = ?1 AND id = ?2 AND expires_ns > ?3",
                    )?
                    .query_row(params![project, id, now.0], |row| Ok((stored(row)?, packed(row, 7)?)))
                    .optional()?;
                let Some((response, object)) = found else { return Ok(None) };
                Ok(Some(StoredResponse { object: object.unpack(&id)?, ..response }))
            })
            .await
    }

    /// What a response's turn added before the model answered: a JSON array of items.
    pub async fn input_items(self, project: &str, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let (project, id, now) = (project.to_owned(), id.to_owned(), Timestamp::now());
        self.store
            .read(move |conn| {
                let found = conn
                    .prepare_cached(
                        "SELECT input_size, input FROM responses
                         WHERE project = ?1 AND id = ?2 AND expires_ns > ?3",
                    )?
                    .query_row(params![project, id, now.0], |row| packed(row, 0))
                    .optional()?;
                found.map(|input| input.unpack(&id)).transpose()
            })
            .await
    }

    /// The conversation up to a response, oldest turn first; `None` when there is no such response, when it
    /// expired, or when a turn before it is gone, so that it cannot be continued.
    pub async fn chain(self, project: &str, id: &str) -> Result<Option<Vec<Turn>>, StoreError> {
        let (project, id, now) = (project.to_owned(), id.to_owned(), Timestamp::now());
        self.store
            .read(move |conn| {
                let mut one = conn.prepare_cached(
                    "SELECT previous, expires_ns, input_size, input, object_size, object, seq
                     FROM responses WHERE project = ?1 AND id = ?2",
                )?;
                let mut turns: Vec<Turn> = Vec::new();
                let mut seqs = std::collections::HashSet::new();
                let mut next = Some(id);
                while let Some(id) = next {
                    let found = one
                        .query_row(params![project, id], |row| {
                            let seq: i64 = row.get(6)?;
                            let expires: i64 = row.get(1)?;
                            Ok((row.get(0)?, expires, packed(row, 2)?, packed(row, 4)?, seq))
                        })
                        .optional()?;
                    let Some((previous, expires, input, object, seq)) = found else { return Ok(None) };
                    let head = turns.is_empty();
                    // A response that was put again might continue one that continues it.
                    if head && expires <= now.0 || !seqs.insert(seq) {
                        return Ok(None);
                    }
                    turns.push(Turn { input: input.unpack(&id)?, object: object.unpack(&id)?, id });
                    next = previous;
                }
                turns.reverse();
                Ok(Some(turns))
            })
            .await
    }

    /// Deletes a response; `false` when there is none. It is gone for everybody at once, and from the file once
    /// no other response continues it.
    pub async fn delete(self, project: &str, id: &str) -> Result<bool, StoreError> {
        let (project, id, now) = (project.to_owned(), id.to_owned(), Timestamp::now());
        self.store
            .write(move |tx| {
                let seq: Option<i64> = tx
                    .prepare_cached(
                        "UPDATE responses SET expires_ns = 0
                         WHERE project = ?1 AND id = ?2 AND expires_ns > ?3 RETURNING seq",
                    )?
                    .query_row(params![project, id, now.0], |row| row.get(0))
                    .optional()?;
                if let Some(seq) = seq {
                    delete_up(tx, seq, now, PURGE_STEP)?;
                }
                Ok(seq.is_some())
            })
            .await
    }

    /// How many responses that are not expired came by these keys.
    pub async fn of_keys(self, keys: &[String]) -> Result<u64, StoreError> {
        let (keys, now) = (keys.to_vec(), Timestamp::now());
        self.store
            .read(move |conn| {
                let mut one = conn
                    .prepare_cached("SELECT count(*) FROM responses WHERE key_id = ?1 AND expires_ns > ?2")?;
                let counts =
                    keys.iter().map(|key| one.query_row(params![key, now.0], |row| row.get::<_, u64>(0)));
                Ok(counts.sum::<Result<_, _>>()?)
            })
            .await
    }

    /// Deletes all that came by these keys; how many. They are gone for everybody at once, and from the file with
    /// those that continue them.
    pub async fn forget_keys(self, keys: &[String]) -> Result<u64, StoreError> {
        if keys.is_empty() {
            return Ok(0);
        }
        let (keys, now) = (keys.to_vec(), Timestamp::now());
        let gone = self
            .store
            .write_synced(move |tx| {
                let mut one = tx.prepare_cached(
                    "UPDATE responses SET expires_ns = 0 WHERE key_id = ?1 AND expires_ns > ?2",
                )?;
                let mut gone = 0;
                for key in &keys {
                    gone += one.execute(params![key, now.0])? as u64;
                }
                Ok(gone)
            })
            .await?;
        self.purge(now).await?;
        Ok(gone)
    }

    /// Deletes what expired before `now` and nobody continues, in small writes between which others get their
    /// turn; how many went.
    pub async fn purge(self, now: Timestamp) -> Result<usize, StoreError> {
        let mut gone = 0;
        loop {
            // Found by a reader, so that those that must stay are not looked at again and again by the writer.
            let ends = self
                .store
                .read(move |conn| {
                    let mut statement = conn.prepare_cached(
                        "SELECT seq FROM responses AS r WHERE expires_ns <= ?1 AND NOT EXISTS
                            (SELECT 1 FROM responses AS c WHERE c.project = r.project AND c.previous = r.id)
                         LIMIT ?2",
                    )?;
                    let limit = i64::try_from(PURGE_STEP).unwrap_or(i64::MAX);
                    let rows = statement.query_map([now.0, limit], |row| row.get(0))?;
                    Ok(rows.collect::<Result<Vec<i64>, _>>()?)
                })
                .await?;
            if ends.is_empty() {
                return Ok(gone);
            }
            let deleted = self
                .store
                .write(move |tx| {
                    let mut left = PURGE_STEP;
                    for seq in &ends {
                        left -= delete_up(tx, *seq, now, left)?;
                    }
                    Ok(PURGE_STEP - left)
                })
                .await?;
            if deleted == 0 {
                return Ok(gone);
            }
            gone += deleted;
        }
    }
}

/// Deletes a response that expired and that nobody continues, then the one it continued, and so on, at most so
/// many; how many went.
fn delete_up(tx: &Transaction<'_>, seq: i64, now: Timestamp, most: usize) -> Result<usize, StoreError> {
    let mut delete = tx.prepare_cached(
        "DELETE FROM responses AS r WHERE seq = ?1 AND expires_ns <= ?2 AND NOT EXISTS
            (SELECT 1 FROM responses AS c WHERE c.project = r.project AND c.previous = r.id)
         RETURNING project, previous",
    )?;
    let mut find = tx.prepare_cached("SELECT seq FROM responses WHERE project = ?1 AND id = ?2")?;
    let mut next = Some(seq);
    let mut gone = 0;
    while let Some(seq) = next.filter(|_| gone < most) {
        let deleted: Option<(String, Option<String>)> =
            delete.query_row(params![seq, now.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((project, previous)) = deleted else { break };
        gone += 1;
        next = match previous {
            Some(previous) => find.query_row(params![project, previous], |row| row.get(0)).optional()?,
            None => None,
        };
    }
    Ok(gone)
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredResponse> {
    Ok(StoredResponse {
        id: row.get(0)?,
        key_id: row.get(1)?,
        previous: row.get(2)?,
        model: row.get(3)?,
        status: row.get(4)?,
        created: Timestamp(row.get(5)?),
        expires: Timestamp(row.get(6)?),
        object: Vec::new(),
    })
}

/// A body as it is stored.
struct Packed {
    size: usize,
    body: Vec<u8>,
}

impl Packed {
    fn new(body: &[u8]) -> Result<Self, StoreError> {
        let packed = packing::pack(body, LEVEL)
            .map_err(|error| StoreError::Damaged(format!("a response cannot be packed: {error}")))?;
        Ok(Self { size: body.len(), body: packed })
    }

    fn unpack(&self, id: &str) -> Result<Vec<u8>, StoreError> {
        packing::unpack(&self.body, self.size)
            .map_err(|_| StoreError::Damaged(format!("response {id} cannot be unpacked")))
    }
}

fn packed(row: &Row<'_>, at: usize) -> rusqlite::Result<Packed> {
    Ok(Packed { size: row.get(at)?, body: row.get(at + 1)? })
}
