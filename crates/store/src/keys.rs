//! Virtual keys: who may call, for which project, for how much.
//!
//! What a limit or a budget means is decided by who reads it; here they are rows. A secret is shown once and
//! never stored: calls are matched by its hash.

use crate::{Store, StoreError};
use hanok_base::{NanoDollars, Payloads, Timestamp};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Uses of a key are written at most this often.
pub(crate) const TOUCH_EVERY: std::time::Duration = std::time::Duration::from_secs(10);
/// Characters of a secret that are kept, so that people can tell their keys apart.
const HINT: usize = 4;
/// 160 random bits.
const SECRET_BYTES: usize = 20;
const ID_BYTES: usize = 10;

/// A key's secret, as a client sends it. Never printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one: `hk-` and 32 random characters (160 bits from the system's generator).
    pub fn random() -> Result<Self, StoreError> {
        Ok(Self(format!("hk-{}", random_text::<SECRET_BYTES>()?)))
    }

    /// As a client sent it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// To show it, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its BLAKE3 hash. The secret has 160 random bits, so that no slower hash is needed.
    pub fn hash(&self) -> [u8; 32] {
        hash_secret(&self.0)
    }

    fn hint(&self) -> String {
        let skip = self.0.chars().count().saturating_sub(HINT);
        self.0.chars().skip(skip).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The hash that a key is found by.
pub fn hash_secret(secret: &str) -> [u8; 32] {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

/// What a key is made with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewKey {
    /// For people; need not be unique.
    pub name: String,
    /// The project its calls belong to.
    pub project: String,
    /// Whether it may see every project and manage keys.
    pub admin: bool,
    /// The models it may call, `*` stands for any text; empty for all.
    pub models: Vec<String>,
    /// How much of what at a time.
    pub limits: Limits,
    /// How much money.
    pub budgets: Vec<Budget>,
    /// Most tokens an answer may have.
    pub max_output_tokens: Option<u64>,
    /// Whether what is said in its calls is kept; `None` leaves that to the project.
    pub payloads: Option<Payloads>,
    /// When it stops being good.
    pub expires: Option<Timestamp>,
}

/// A virtual key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `key_` and 16 random characters.
    pub id: Arc<str>,
    /// For people.
    pub name: Arc<str>,
    /// The project its calls belong to.
    pub project: Arc<str>,
    /// BLAKE3 of the secret.
    pub hash: [u8; 32],
    /// The secret's last characters.
    pub hint: String,
    /// Whether it may see every project and manage keys.
    pub admin: bool,
    /// The models it may call; empty for all.
    pub models: Vec<String>,
    /// How much of what at a time.
    pub limits: Limits,
    /// How much money.
    pub budgets: Vec<Budget>,
    /// Most tokens an answer may have.
    pub max_output_tokens: Option<u64>,
    /// Whether what is said in its calls is kept; `None` leaves that to the project.
    pub payloads: Option<Payloads>,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops being good.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// When a call came with it last, some seconds behind.
    pub last_used: Option<Timestamp>,
}

impl Key {
    /// Whether it is good at this moment.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}

/// How much of what at a time; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Requests in any minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Tokens in any minute, input and output together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Requests at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u64>,
}

/// How much money may be spent in each period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// In nano-dollars.
    pub limit: NanoDollars,
    /// Over what time.
    pub period: BudgetPeriod,
    /// The models it is for, `*` stands for any text; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The time a budget is for, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetPeriod {
    /// A calendar day.
    Day,
    /// A calendar month.
    Month,
    /// For ever.
    Total,
}

impl BudgetPeriod {
    /// The period a moment is in, as [`hanok_base::Charge`] names it: `2026-11-20`, `2026-11` or `total`.
    pub fn of(self, at: Timestamp) -> Arc<str> {
        let date = at.rfc3339();
        match self {
            Self::Day => date.get(..10).unwrap_or_default().into(),
            Self::Month => date.get(..7).unwrap_or_default().into(),
            Self::Total => "total".into(),
        }
    }
}

impl Store {
    /// The keys in this store.
    pub fn keys(&self) -> Keys<'_> {
        Keys { store: self }
    }
}

/// The keys in a store.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    store: &'a Store,
}

const KEY: &str = "SELECT id, name, project, hash, hint, admin, models, limits, budgets, max_output_tokens,
    created_ns, expires_ns, revoked_ns, last_used_ns, payloads FROM keys";

impl Keys<'_> {
    /// Makes a key with this secret. Fails as damaged when the secret is another key's.
    pub async fn create(self, new: NewKey, secret: &Secret) -> Result<Key, StoreError> {
        let key = Key {
            id: format!("key_{}", random_text::<ID_BYTES>()?).into(),
            name: new.name.into(),
            project: new.project.into(),
            hash: secret.hash(),
            hint: secret.hint(),
            admin: new.admin,
            models: new.models,
            limits: new.limits,
            budgets: new.budgets,
            max_output_tokens: new.max_output_tokens,
            payloads: new.payloads,
            created: Timestamp::now(),
            expires: new.expires,
            revoked: None,
            last_used: None,
        };
        let (models, limits, budgets) = (json(&key.models)?, json(&key.limits)?, json(&key.budgets)?);
        let row = key.clone();
        self.store
            .write_synced(move |tx| {
                tx.execute(
                    "INSERT INTO keys (id, name, project, hash, hint, admin, models, limits, budgets,
                        max_output_tokens, created_ns, expires_ns, payloads)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                    params![
                        &*row.id,
                        &*row.name,
                        &*row.project,
                        row.hash,
                        row.hint,
                        row.admin,
                        models,
                        limits,
                        budgets,
                        row.max_output_tokens,
                        row.created.0,
                        row.expires.map(|expires| expires.0),
                        row.payloads.map(Payloads::as_str),
                    ],
                )?;
                Ok(())
            })
            .await?;
        self.store.keys_did_change();
        Ok(key)
    }

    /// All keys, revoked and expired ones too, newest first.
    pub async fn list(self) -> Result<Vec<Key>, StoreError> {
        let mut keys = self
            .store
            .read(|conn| {
                let mut statement = conn.prepare_cached(&format!("{KEY} ORDER BY created_ns DESC, id"))?;
                let rows = statement.query_map([], row)?;
                Ok(rows.collect::<Result<Vec<_>, _>>()?)
            })
            .await?;
        self.store.with_touches(|touches| {
            for key in &mut keys {
                key.last_used = key.last_used.max(touches.get(&key.id));
            }
        });
        Ok(keys)
    }

    /// The key whose secret has this hash, good or not.
    pub async fn by_hash(self, hash: [u8; 32]) -> Result<Option<Key>, StoreError> {
        self.store
            .read(move |conn| {
                let sql = format!("{KEY} WHERE hash = ?1");
                Ok(conn.prepare_cached(&sql)?.query_row([hash], row).optional()?)
            })
            .await
    }

    /// The key of this id, good or not.
    pub async fn get(self, id: &str) -> Result<Option<Key>, StoreError> {
        let id = id.to_owned();
        self.store
            .read(move |conn| {
                let sql = format!("{KEY} WHERE id = ?1");
                Ok(conn.prepare_cached(&sql)?.query_row([id], row).optional()?)
            })
            .await
    }

    /// Revokes a key, for ever and at once; `false` when there is no such key. One that is revoked stays so.
    pub async fn revoke(self, id: &str) -> Result<bool, StoreError> {
        let (id, now) = (id.to_owned(), Timestamp::now());
        let found = self
            .store
            .write_synced(move |tx| {
                let changed = tx.execute(
                    "UPDATE keys SET revoked_ns = coalesce(revoked_ns, ?2) WHERE id = ?1",
                    params![id, now.0],
                )?;
                Ok(changed > 0)
            })
            .await?;
        if found {
            self.store.keys_did_change();
        }
        Ok(found)
    }

    /// Notes a use. Costs no write: it is committed with what is recorded anyway, every ten seconds at most.
    pub fn touch(self, id: &Arc<str>, at: Timestamp) {
        self.store.with_touches(|touches| touches.note(id, at));
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<Key> {
    let text = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
    let time = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(Timestamp));
    Ok(Key {
        id: text(0)?.into(),
        name: text(1)?.into(),
        project: text(2)?.into(),
        hash: row.get(3)?,
        hint: row.get(4)?,
        admin: row.get(5)?,
        models: parsed(text(6)?, 6)?,
        limits: parsed(text(7)?, 7)?,
        budgets: parsed(text(8)?, 8)?,
        max_output_tokens: row.get(9)?,
        created: Timestamp(row.get(10)?),
        expires: time(11)?,
        revoked: time(12)?,
        last_used: time(13)?,
        payloads: row.get_ref(14)?.as_str_or_null()?.and_then(Payloads::parse),
    })
}

fn parsed<'a, T: Deserialize<'a>>(text: &'a str, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
    })
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Sql(rusqlite::Error::ToSqlConversionFailure(error.into())))
}

/// Random bytes as base32 (RFC 4648's alphabet, in lower case): eight characters for five bytes.
fn random_text<const BYTES: usize>() -> Result<String, StoreError> {
    const ALPHABET: [char; 32] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't',
        'u', 'v', 'w', 'x', 'y', 'z', '2', '3', '4', '5', '6', '7',
    ];
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::NoRandomness(error.to_string()))?;
    let mut text = String::with_capacity(BYTES * 8 / 5);
    for five in bytes.chunks_exact(5) {
        let word = five.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        for shift in (0..8).rev() {
            let digit = usize::try_from(word >> (shift * 5) & 31).unwrap_or(0);
            text.extend(ALPHABET.get(digit));
        }
    }
    Ok(text)
}

/// Uses that are not written yet.
#[derive(Default)]
pub(crate) struct Touches(HashMap<Arc<str>, Timestamp, foldhash::fast::RandomState>);

impl Touches {
    fn note(&mut self, id: &Arc<str>, at: Timestamp) {
        match self.0.get_mut(id) {
            Some(known) => *known = at.max(*known),
            None => {
                self.0.insert(Arc::clone(id), at);
            }
        }
    }

    fn get(&self, id: &str) -> Option<Timestamp> {
        self.0.get(id).copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over what is not known better.
    pub(crate) fn merge(&mut self, older: Self) {
        for (id, at) in older.0 {
            self.note(&id, at);
        }
    }

    pub(crate) fn write(&self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut update = tx.prepare_cached(
            "UPDATE keys SET last_used_ns = ?2 WHERE id = ?1 AND coalesce(last_used_ns, 0) < ?2",
        )?;
        for (id, at) in &self.0 {
            update.execute(params![&**id, at.0])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_random_and_never_printed() {
        let (one, two) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.reveal().len(), 3 + 32);
        assert!(one.reveal().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        assert!(!format!("{one:?}").contains(one.reveal()));
        assert_eq!(one.hint(), one.reveal()[31..]);
        assert_eq!(one.hash(), hash_secret(one.reveal()));
    }

    #[test]
    fn periods() {
        let at = Timestamp::parse_rfc3339("2026-11-20T23:59:59+00:00").unwrap();
        for (period, expect) in [
            (BudgetPeriod::Day, "2026-11-20"),
            (BudgetPeriod::Month, "2026-11"),
            (BudgetPeriod::Total, "total"),
        ] {
            assert_eq!(&*period.of(at), expect);
        }
    }

    #[test]
    fn settings_read_back_and_old_rows_stay_readable() {
        let budget = Budget { limit: NanoDollars(5), period: BudgetPeriod::Day, model: None };
        assert_eq!(serde_json::to_string(&budget).unwrap(), r#"{"limit":5,"period":"day"}"#);
        assert_eq!(serde_json::from_str::<Limits>("{}").unwrap(), Limits::default());
    }
}
