//! Whether the file is whole: what SQLite checks, and what holds between our own tables.

mod kept;

use crate::backup::open_plain;
use crate::error::StoreError;
use crate::schema;
use crate::store::Store;
use crate::{blobs, spans};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::path::Path;

/// More is not listed.
const MOST: usize = 50;

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Traces.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
    /// Bodies in packs.
    pub bodies: u64,
    /// What is wrong, the first of it.
    pub problems: Vec<String>,
}

impl Checked {
    fn wrong(&mut self, what: String) {
        if self.problems.len() < MOST {
            self.problems.push(what);
        }
    }
}

impl Store {
    /// What a table or an index takes, in bytes, the largest first. Reads every page.
    pub fn tables(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let conn = open_plain(&self.folder().join("hanok.db"))?;
        let mut statement = conn
            .prepare("SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE ORDER BY pgsize DESC, name")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Checks the file of a data folder, beside a server that writes it or not. Reads all of it: some seconds for each
/// gigabyte. Blocks.
pub fn check(folder: &Path) -> Result<Checked, StoreError> {
    let path = folder.join("hanok.db");
    drop(schema::open_reader(&path)?);
    check_file(&path)
}

/// The same of any file, of this version or an older one. Of an older one only SQLite's own checks are made.
pub(crate) fn check_file(path: &Path) -> Result<Checked, StoreError> {
    let conn = open_plain(path)?;
    let version = schema::check_identity(path, &conn)?;
    if version == 0 {
        return Err(StoreError::Foreign { path: path.to_owned(), what: "an empty database" });
    }
    // One state of the file, however long it takes.
    let tx = conn.unchecked_transaction()?;
    let mut checked = Checked::default();
    let mut statement = tx.prepare("PRAGMA integrity_check(10)")?;
    let said = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    said.into_iter().filter(|said| said != "ok").for_each(|said| checked.wrong(said));
    let mut statement = tx.prepare("SELECT \"table\", count(*) FROM pragma_foreign_key_check GROUP BY 1")?;
    let broken = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (table, count) in broken.collect::<Result<Vec<(String, i64)>, _>>()? {
        checked.wrong(format!("{count} rows of `{table}` refer to rows that are not there"));
    }
    // A file that is damaged as such says nothing of what holds in it.
    if !checked.problems.is_empty() || version < schema::known_version() {
        return Ok(checked);
    }
    let bodies = packs(&tx, &mut checked)?;
    traces(&tx, &bodies, &mut checked)?;
    sums(&tx, &mut checked)?;
    ledger(&tx, &mut checked)?;
    kept::check(&tx, &mut checked)?;
    Ok(checked)
}

/// The bodies that are there: for each pack its first number, and which of its bodies are not emptied.
type Bodies = Vec<(i64, Vec<bool>)>;

fn packs(conn: &Connection, checked: &mut Checked) -> Result<Bodies, StoreError> {
    let mut found = Vec::new();
    let mut statement =
        conn.prepare("SELECT first, hashes, lengths, size, body FROM packs ORDER BY first")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (first, hashes): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let (lengths, size, body): (Vec<u8>, Option<usize>, Vec<u8>) =
            (row.get(2)?, row.get(3)?, row.get(4)?);
        let there: Vec<bool> = hashes.chunks(16).map(|hash| hash.iter().any(|byte| *byte != 0)).collect();
        match blobs::verify(&hashes, &lengths, size, body) {
            Ok(count) => checked.bodies += count,
            Err(what) => checked.wrong(format!("bodies from {first} on: {what}")),
        }
        found.push((first, there));
    }
    Ok(found)
}

fn is_there(bodies: &Bodies, id: i64) -> bool {
    let at = bodies.partition_point(|(first, _)| *first <= id);
    let Some((first, there)) = at.checked_sub(1).and_then(|at| bodies.get(at)) else { return false };
    usize::try_from(id - first).ok().and_then(|at| there.get(at)).is_some_and(|there| *there)
}

/// What the spans of a trace add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    spans: i64,
    input: i64,
    output: i64,
    cost: i64,
}

fn traces(conn: &Connection, bodies: &Bodies, checked: &mut Checked) -> Result<(), StoreError> {
    let mut sums = HashMap::<i64, Sum>::new();
    let count = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok()).unwrap_or(0);
    let mut packs = conn.prepare("SELECT first FROM span_packs ORDER BY first")?;
    let firsts = packs.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    for first in firsts {
        let Some(traces) = spans::read_pack(conn, first)? else {
            checked.wrong(format!("the spans packed from trace {first} on cannot be read"));
            continue;
        };
        for (seq, spans) in traces {
            let sum = sums.entry(seq).or_default();
            for span in spans {
                sum.spans += 1;
                if span.counted {
                    sum.input += count(span.usage.input);
                    sum.output += count(span.usage.output);
                    sum.cost += span.cost.map_or(0, |cost| cost.0);
                }
                for (_, id) in span.bodies.iter().filter(|(_, id)| !is_there(bodies, *id)) {
                    checked.wrong(format!("trace {seq} refers to body {id}, which is not there"));
                }
            }
        }
    }
    let mut rows = conn.prepare(
        "SELECT id >> 20, counted, coalesce(input_tokens, 0), coalesce(output_tokens, 0), coalesce(cost_nano, 0),
            bodies FROM spans ORDER BY id",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let sum = sums.entry(seq).or_default();
        sum.spans += 1;
        if row.get(1)? {
            sum.input += row.get::<_, i64>(2)?;
            sum.output += row.get::<_, i64>(3)?;
            sum.cost += row.get::<_, i64>(4)?;
        }
        let references = row.get_ref(5)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
        match blobs::unpack(references.unwrap_or_default()) {
            Some(references) => {
                for (_, id) in references.into_iter().filter(|(_, id)| !is_there(bodies, *id)) {
                    checked.wrong(format!("trace {seq} refers to body {id}, which is not there"));
                }
            }
            None => checked.wrong(format!("a span of trace {seq} has references that cannot be read")),
        }
    }
    let mut rows = conn.prepare(
        "SELECT seq, span_count, coalesce(input_tokens, 0), coalesce(output_tokens, 0), coalesce(cost_nano, 0)
         FROM traces ORDER BY seq",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let said = Sum { spans: row.get(1)?, input: row.get(2)?, output: row.get(3)?, cost: row.get(4)? };
        let sum = sums.remove(&seq).unwrap_or_default();
        checked.traces += 1;
        checked.spans += u64::try_from(sum.spans).unwrap_or(0);
        if sum != said {
            checked.wrong(format!("trace {seq} says {said:?}, and its spans are {sum:?}"));
        }
    }
    for seq in sums.keys().take(MOST) {
        checked.wrong(format!("there are spans of trace {seq}, which is not there"));
    }
    Ok(())
}

fn sums(conn: &Connection, checked: &mut Checked) -> Result<(), StoreError> {
    let one = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let counted = one("SELECT coalesce(sum(traces), 0) FROM minutes")?;
    let gone = one("SELECT traces FROM forgotten")?;
    let there = i64::try_from(checked.traces).unwrap_or(i64::MAX);
    if counted - gone != there {
        checked.wrong(format!(
            "{counted} traces were counted by the minute, {gone} are gone, and {there} are there"
        ));
    }
    let lost = one("SELECT (SELECT count(*) FROM traces WHERE session IS NOT NULL AND session NOT IN (SELECT id FROM sessions))
            + (SELECT count(*) FROM traces WHERE user IS NOT NULL AND user NOT IN (SELECT id FROM users))
            + (SELECT count(*) FROM tags WHERE seq NOT IN (SELECT seq FROM traces))")?;
    if lost > 0 {
        checked.wrong(format!("{lost} sessions, users or tags do not fit the traces"));
    }
    Ok(())
}

/// No call through the gateway cost more than its key was charged; and the marks of each account are in order.
fn ledger(conn: &Connection, checked: &mut Checked) -> Result<(), StoreError> {
    let mut statement = conn.prepare(
        "SELECT account, period, drawn, spent, written_off FROM ledger
         WHERE spent < 0 OR written_off < 0 OR drawn < 0",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (account, period) in rows.collect::<Result<Vec<(String, String)>, _>>()? {
        checked.wrong(format!("the account {account} of {period} has a mark below zero"));
    }
    // Spans of other programs (which have a source) are charged to nobody.
    let mut statement = conn.prepare(
        "SELECT key.text, sum(t.cost_nano) FROM traces AS t JOIN names AS key ON key.id = t.key_id
            JOIN names AS operation ON operation.id = t.operation
         WHERE t.source IS NULL AND operation.text = 'gateway' AND t.cost_nano IS NOT NULL GROUP BY 1",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (key, cost) in rows.collect::<Result<Vec<(String, i64)>, _>>()? {
        let charged: Option<i64> = conn
            .query_row(
                "SELECT sum(spent + written_off) FROM ledger WHERE account = ?1 AND length(period) = 7",
                params![format!("key:{key}")],
                |row| row.get(0),
            )
            .optional()?
            .flatten();
        if charged.unwrap_or(0) < cost {
            let charged = charged.unwrap_or(0);
            checked.wrong(format!(
                "the traces of key {key} cost {cost} nano-dollars, and {charged} were charged"
            ));
        }
    }
    Ok(())
}
