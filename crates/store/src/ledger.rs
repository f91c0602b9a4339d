//! Money by account and period: what was drawn, what was spent, what was written off.
//!
//! Law: for every account and period `spent` is the sum of what the spans charged to it cost. It grows in the
//! transaction that commits the spans, and nowhere else. A budget is drawn in slabs, durably, before it is spent
//! from memory; what was drawn and not recorded when a process ended without closing its slabs is written off,
//! and counts as spent until it is reconciled.

use crate::{Store, StoreError};
use hanok_base::{Charge, NanoDollars};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::collections::HashMap;

/// An account in one of its periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The account and the period.
    pub charge: Charge,
    /// High-water mark of what may have been spent.
    pub drawn: NanoDollars,
    /// What the recorded spans cost.
    pub spent: NanoDollars,
    /// What was drawn, never recorded, and counts as spent until it is reconciled.
    pub written_off: NanoDollars,
    /// Calls that were recorded.
    pub calls: u64,
    /// Their tokens, input and output together.
    pub tokens: u64,
}

impl Balance {
    /// An account nothing was charged to.
    pub fn new(charge: Charge) -> Self {
        let zero = NanoDollars::default();
        Self { charge, drawn: zero, spent: zero, written_off: zero, calls: 0, tokens: 0 }
    }

    /// What counts against a budget.
    pub fn used(&self) -> NanoDollars {
        NanoDollars(self.spent.0.saturating_add(self.written_off.0))
    }
}

impl Store {
    /// The accounts in this store.
    pub fn ledger(&self) -> Ledger<'_> {
        Ledger { store: self }
    }
}

/// The accounts in a store.
#[derive(Clone, Copy)]
pub struct Ledger<'a> {
    store: &'a Store,
}

const BALANCE: &str = "SELECT account, period, drawn, spent, written_off, calls, tokens FROM ledger";

impl Ledger<'_> {
    /// Raises what is drawn of each account to this much, where it is less; all or none. Once this returns the
    /// new marks survive a power cut, and may be spent from.
    pub async fn draw(self, marks: Vec<(Charge, NanoDollars)>) -> Result<(), StoreError> {
        self.store
            .write_synced(move |tx| {
                let mut raise = tx.prepare_cached(
                    "INSERT INTO ledger (account, period, drawn) VALUES (?1, ?2, ?3)
                     ON CONFLICT (account, period) DO UPDATE SET drawn = max(drawn, excluded.drawn)",
                )?;
                for (charge, mark) in &marks {
                    raise.execute(params![&*charge.account, &*charge.period, mark.0])?;
                }
                Ok(())
            })
            .await
    }

    /// Every account in every period, by account.
    pub async fn balances(self) -> Result<Vec<Balance>, StoreError> {
        self.store
            .read(|conn| {
                let mut statement =
                    conn.prepare_cached(&format!("{BALANCE} ORDER BY account, period DESC"))?;
                let rows = statement.query_map([], balance)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// One account in one period; all zero when nothing was charged to it.
    pub async fn balance(self, charge: &Charge) -> Result<Balance, StoreError> {
        let charge = charge.clone();
        self.store
            .read(move |conn| {
                let sql = format!("{BALANCE} WHERE account = ?1 AND period = ?2");
                let found = conn
                    .prepare_cached(&sql)?
                    .query_row([&*charge.account, &*charge.period], balance)
                    .optional()?;
                Ok(found.unwrap_or_else(|| Balance::new(charge)))
            })
            .await
    }

    /// Gives back what was drawn and not spent: for a clean end, when every call is recorded and nobody draws
    /// any more. Waits for what was handed over before.
    pub async fn close_slabs(self) -> Result<(), StoreError> {
        self.store
            .write_synced(|tx| {
                tx.execute(
                    "UPDATE ledger SET drawn = spent + written_off WHERE drawn <> spent + written_off",
                    [],
                )?;
                Ok(())
            })
            .await
    }

    /// Decides that what was written off was not spent: gives it back, and says how much it was. A slab that is
    /// open meanwhile stays drawn.
    pub async fn reconcile(self, charge: &Charge) -> Result<NanoDollars, StoreError> {
        let charge = charge.clone();
        self.store
            .write_synced(move |tx| {
                let key = [&*charge.account, &*charge.period];
                let back: Option<i64> = tx
                    .prepare_cached("SELECT written_off FROM ledger WHERE account = ?1 AND period = ?2")?
                    .query_row(key, |row| row.get(0))
                    .optional()?;
                tx.prepare_cached(
                    "UPDATE ledger SET drawn = max(spent, drawn - written_off), written_off = 0
                     WHERE account = ?1 AND period = ?2",
                )?
                .execute(key)?;
                Ok(NanoDollars(back.unwrap_or(0)))
            })
            .await
    }
}

fn balance(row: &Row<'_>) -> rusqlite::Result<Balance> {
    let text = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
    Ok(Balance {
        charge: Charge { account: text(0)?.into(), period: text(1)?.into() },
        drawn: NanoDollars(row.get(2)?),
        spent: NanoDollars(row.get(3)?),
        written_off: NanoDollars(row.get(4)?),
        calls: row.get(5)?,
        tokens: row.get(6)?,
    })
}

/// When the file is opened for writing: the slabs of a process that did not close them are written off.
pub(crate) fn write_off_open_slabs(conn: &Connection) -> rusqlite::Result<()> {
    let open =
        conn.execute("UPDATE ledger SET written_off = drawn - spent WHERE drawn > spent + written_off", [])?;
    if open > 0 {
        tracing::warn!(
            accounts = open,
            "the last end was not clean: drawn budget without a record counts as spent until it is reconciled"
        );
    }
    Ok(())
}

/// What traces add to accounts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Due {
    pub(crate) spent: i64,
    pub(crate) written_off: i64,
    pub(crate) calls: i64,
    pub(crate) tokens: i64,
}

/// The writer's side: what the traces of a group add, summed up so that an account costs one row a commit.
#[derive(Default)]
pub(crate) struct Dues(HashMap<Charge, Due, foldhash::fast::RandomState>);

impl Dues {
    pub(crate) fn add(&mut self, charges: &[Charge], due: Due) {
        for charge in charges {
            // Not by `entry`: nearly always the account is there already, and needs no clone of its name.
            let sum = match self.0.get_mut(charge) {
                Some(sum) => sum,
                None => self.0.entry(charge.clone()).or_default(),
            };
            sum.spent = sum.spent.saturating_add(due.spent);
            sum.written_off = sum.written_off.saturating_add(due.written_off);
            sum.calls = sum.calls.saturating_add(due.calls);
            sum.tokens = sum.tokens.saturating_add(due.tokens);
        }
    }

    /// At the end of a transaction, before its commit.
    pub(crate) fn finish(&mut self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut upsert = tx.prepare_cached(
            "INSERT INTO ledger (account, period, spent, written_off, calls, tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (account, period) DO UPDATE SET
                spent = spent + excluded.spent,
                written_off = written_off + excluded.written_off,
                calls = calls + excluded.calls,
                tokens = tokens + excluded.tokens",
        )?;
        for (charge, due) in self.0.drain() {
            upsert.execute(params![
                &*charge.account,
                &*charge.period,
                due.spent,
                due.written_off,
                due.calls,
                due.tokens
            ])?;
        }
        Ok(())
    }

    /// After the transaction was taken back.
    pub(crate) fn rolled_back(&mut self) {
        self.0.clear();
    }
}
