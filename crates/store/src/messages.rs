//! The texts of traces, for a full-text index that follows the store: what came since a mark, each message once, with
//! the trace that brought it.

use crate::error::StoreError;
use crate::fact_columns::unzigzag;
use crate::packing;
use crate::query::{Conditions, TraceQuery};
use crate::store::Store;
use crate::traces::{self, PATIENCE, Scope, TraceRows, Traces};
use crate::varint::pop_varint;
use hanok_base::Timestamp;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Result, Transaction};
use std::time::{Duration, Instant};

/// Traces of one step.
const STEP: i64 = 2_000;
/// Bytes of messages of one step, about.
const STEP_BYTES: usize = 4 << 20;

/// How far a full-text index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextMark {
    /// Whose history it follows.
    pub epoch: i64,
    /// The last trace of which it has the name and the like.
    pub seq: i64,
    /// The last message it has.
    pub body: i64,
}

/// What came since a mark.
#[derive(Clone, Debug, Default)]
pub struct NewTexts {
    /// What the list shows of traces, by their `seq`.
    pub heads: Vec<(i64, String)>,
    /// Messages and other bodies as they are stored, by the `seq` of the trace that brought them.
    pub bodies: Vec<(i64, Vec<u8>)>,
    /// Traces that were deleted.
    pub gone: Vec<i64>,
    /// How far this goes.
    pub mark: TextMark,
    /// The mark was of another file, or of a future that this file lost: this is from the beginning.
    pub afresh: bool,
    /// Whether there is more already.
    pub more: bool,
}

impl Store {
    /// The texts that came since a mark, of traces whose first spans are older than `settled`, so that most of them
    /// are whole.
    pub async fn texts_since(&self, mark: TextMark, settled: Duration) -> Result<NewTexts, StoreError> {
        let before_ms = Timestamp::now().before(settled).0.div_euclid(1_000_000);
        self.read(move |conn| texts_since(conn, mark, before_ms)).await
    }

    /// How many traces came after a mark, and how long ago the first of them.
    pub async fn text_lag(&self, mark: TextMark) -> Result<(u64, Duration), StoreError> {
        self.read(move |conn| {
            let newest = newest(conn)?;
            let from = if mark.epoch == newest.epoch { mark.seq } else { 0 };
            let first: Option<i64> = conn
                .prepare_cached("SELECT arrived_ms FROM traces WHERE seq > ?1 ORDER BY seq LIMIT 1")?
                .query_row([from], |row| row.get(0))
                .optional()?;
            let waited = first.map_or(0, |first| Timestamp::now().0 / 1_000_000 - first);
            let waited = Duration::from_millis(u64::try_from(waited).unwrap_or(0));
            Ok((u64::try_from(newest.seq - from).unwrap_or(0), waited))
        })
        .await
    }

    /// Forgets that these traces were deleted, once the index knows.
    pub async fn forget_gone(&self, gone: Vec<i64>) -> Result<(), StoreError> {
        self.write(move |tx| {
            let mut delete = tx.prepare_cached("DELETE FROM text_gone WHERE seq = ?1")?;
            for seq in &gone {
                delete.execute([seq])?;
            }
            Ok(())
        })
        .await
    }
}

/// The traces of which a full-text index knows that they hold all words of a query.
#[derive(Clone, Debug, Default)]
pub struct FoundTexts {
    /// Their numbers, newest first.
    pub seqs: Vec<i64>,
    /// The index has all traces up to this one; newer ones are looked through.
    pub upto: i64,
    /// Whether there are older ones than the last.
    pub more: bool,
}

impl Traces<'_> {
    /// A page as of [`Traces::list`], where the words of the query are looked for by an index.
    pub async fn list_found(
        &self,
        query: TraceQuery,
        found: FoundTexts,
        before: Option<i64>,
        limit: usize,
    ) -> Result<TraceRows, StoreError> {
        let scope = self.scope();
        self.store().read(move |conn| list_found(conn, &scope, &query, &found, before, limit)).await
    }
}

fn list_found(
    conn: &Connection,
    scope: &Scope,
    query: &TraceQuery,
    found: &FoundTexts,
    before: Option<i64>,
    limit: usize,
) -> Result<TraceRows, StoreError> {
    let fresh = traces::list(conn, scope, query, before, found.upto, limit)?;
    let mut rows = fresh.rows;
    let mut more = (rows.len() >= limit && fresh.next.is_some()) || found.more;
    // A page of fresh ones that ended early goes on where it ended.
    let floor = fresh.next.filter(|_| rows.len() < limit).unwrap_or(i64::MIN);
    let mut values = vec![Sql::Null, traces::integer(limit)];
    let Conditions { sql: filter, .. } =
        Conditions::of(conn, &TraceQuery { words: Vec::new(), ..query.clone() }, &mut values)?;
    let (_, within) = scope.sql(&mut values);
    let rest = format!(
        "WHERE t.seq IN (SELECT value FROM json_each(?1)){within}{filter} ORDER BY t.seq DESC LIMIT ?2"
    );
    let sql = traces::row_sql("traces AS t", &rest);
    let oldest: i64 = conn.query_row("SELECT coalesce(min(seq), 0) FROM traces", [], |row| row.get(0))?;
    let start = found.seqs.partition_point(|seq| before.is_some_and(|before| *seq >= before));
    let wanted = found.seqs.get(start..).unwrap_or_default();
    let wanted = wanted.get(..wanted.partition_point(|seq| *seq >= floor.max(oldest))).unwrap_or_default();
    let began = Instant::now();
    let mut next = (floor > i64::MIN).then_some(floor);
    let (mut step, mut at) = (limit.clamp(64, 1_000), 0);
    while let Some(seqs) = wanted.get(at..wanted.len().min(at + step)).filter(|seqs| !seqs.is_empty()) {
        if let Some(first) = values.first_mut() {
            *first = Sql::Text(serde_json::Value::from(seqs).to_string());
        }
        for row in traces::read_rows(conn, &sql, values.clone())? {
            if !rows.iter().any(|known| known.seq == row.seq) {
                rows.push(row);
            }
        }
        at += seqs.len();
        // The more are passed over, the more are looked at together.
        step = (step * 2).min(10_000);
        let last = seqs.last().copied().unwrap_or(0);
        let full = rows.iter().filter(|row| row.seq >= last).count() >= limit;
        if full {
            break;
        }
        if began.elapsed() >= PATIENCE && at < wanted.len() {
            next = Some(last);
            break;
        }
    }
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.seq));
    if found.more && next.is_none() {
        next = wanted.last().copied();
    }
    if rows.len() >= limit {
        more |= rows.len() > limit || at < wanted.len() || next.is_some();
        rows.truncate(limit);
        next = rows.last().map(|row| row.seq).filter(|_| more);
    }
    Ok(TraceRows { rows, next })
}

/// Tells the full-text index that traces are deleted.
pub(crate) fn forget(tx: &Transaction<'_>, seqs: &[i64]) -> Result<()> {
    let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO text_gone (seq) VALUES (?1)")?;
    for seq in seqs {
        insert.execute([seq])?;
    }
    Ok(())
}

fn newest(conn: &Connection) -> Result<TextMark, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT epoch, coalesce((SELECT max(seq) FROM traces), 0),
                coalesce((SELECT first + length(hashes) / 16 - 1 FROM packs ORDER BY first DESC LIMIT 1), 0)
             FROM text_epoch",
        )?
        .query_row([], |row| Ok(TextMark { epoch: row.get(0)?, seq: row.get(1)?, body: row.get(2)? }))?)
}

fn texts_since(conn: &Connection, mark: TextMark, before_ms: i64) -> Result<NewTexts, StoreError> {
    let newest = newest(conn)?;
    let lost = mark.epoch != newest.epoch || mark.body > newest.body;
    let mut found = NewTexts {
        mark: if lost { TextMark { epoch: newest.epoch, ..TextMark::default() } } else { mark },
        afresh: lost,
        ..NewTexts::default()
    };
    heads(conn, before_ms, &mut found)?;
    bodies(conn, &mut found)?;
    let mut gone = conn.prepare_cached("SELECT seq FROM text_gone LIMIT 10000")?;
    found.gone = gone.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    found.more |= found.mark.body < newest.body;
    Ok(found)
}

/// Name, model, provider, key and error; of traces whose messages have no owner, what was asked and answered.
fn heads(conn: &Connection, before_ms: i64, found: &mut NewTexts) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT t.seq, name.text, model.text, provider.text, key.text, t.error,
            CASE WHEN t.seq <= text_epoch.before THEN t.input_preview END,
            CASE WHEN t.seq <= text_epoch.before THEN t.output_preview END
         FROM text_epoch, traces AS t
         LEFT JOIN names AS name ON name.id = t.name
         LEFT JOIN names AS model ON model.id = t.model
         LEFT JOIN names AS provider ON provider.id = t.provider
         LEFT JOIN names AS key ON key.id = t.key_name
         WHERE t.seq > ?1 AND t.arrived_ms < ?2 ORDER BY t.seq LIMIT ?3",
    )?;
    let mut rows = statement.query([found.mark.seq, before_ms, STEP])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let mut text = String::new();
        for column in 1..8 {
            if let Some(part) = row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)? {
                text.push_str(part);
                text.push('\n');
            }
        }
        found.mark.seq = row.get(0)?;
        found.heads.push((found.mark.seq, text));
        count += 1;
    }
    found.more |= count == STEP;
    Ok(())
}

fn bodies(conn: &Connection, found: &mut NewTexts) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT first, lengths, size, body, seqs, length(hashes) / 16 FROM packs
         WHERE first > ?1 ORDER BY first",
    )?;
    let mut rows = statement.query([found.mark.body])?;
    let mut bytes = 0;
    while bytes < STEP_BYTES {
        let Some(row) = rows.next()? else { break };
        let (first, count): (i64, i64) = (row.get(0)?, row.get(5)?);
        found.mark.body = first + count - 1;
        let seqs: Option<Vec<u8>> = row.get(4)?;
        let (Some(seqs), lengths) = (seqs, row.get::<_, Vec<u8>>(1)?) else { continue };
        let Some(pack) = packing::unpacked(row.get(2)?, row.get(3)?) else {
            // What cannot be read cannot be found; reading its trace says so.
            tracing::warn!(first, "a pack of messages cannot be unpacked");
            continue;
        };
        bytes += pack.len();
        let (mut seqs, mut lengths) = (seqs.iter(), lengths.iter());
        let (mut rest, mut seq) = (pack.as_slice(), 0_i64);
        while let (Some(step), Some(length)) = (pop_varint(&mut seqs), pop_varint(&mut lengths)) {
            seq = seq.wrapping_add(unzigzag(step));
            let Some((body, more)) = usize::try_from(length).ok().and_then(|at| rest.split_at_checked(at))
            else {
                break;
            };
            found.bodies.push((seq, body.to_vec()));
            rest = more;
        }
    }
    Ok(())
}
