//! Money: reserved before a call leaves, settled when its record is committed.
//!
//! Spending is counted in memory, under what was drawn from the store before: a slab of money that is durably
//! marked as possibly spent. So no call waits for the disk but the one that needs the next slab, and after a
//! crash what was drawn and not recorded counts as spent until somebody reconciles it.
//!
//! Invariant: for each account, spent + written off + reserved <= drawn <= limit, where it has a limit.

use crate::accounts::Accounts;
use crate::limit::Meter;
use hanok_base::{BoxError, BoxFuture, Charge, ErrorKind, NanoDollars, Problem, Settlement, Spent};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Where drawn money is durably marked: the binary ties this to the store.
pub trait Vault: Send + Sync {
    /// What is known of an account's period; zeros where nothing is.
    fn balance<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<Balance, BoxError>>;
    /// Marks that up to `drawn` may have been spent; committed when this returns.
    fn draw<'a>(&'a self, charge: &'a Charge, drawn: NanoDollars) -> BoxFuture<'a, Result<(), BoxError>>;
}

/// An account's period as the store has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// The sum of the recorded costs.
    pub spent: NanoDollars,
    /// Drawn before a crash and never recorded; counts as spent.
    pub written_off: NanoDollars,
    /// Up to here money is drawn.
    pub drawn: NanoDollars,
}

/// A limit on an account's period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The account and its period.
    pub charge: Charge,
    /// Most money.
    pub limit: NanoDollars,
    /// Whose budget it is, for people: ``key `alice` ``.
    pub whose: String,
}

/// How an account stands, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Spent, what was written off included.
    pub spent: NanoDollars,
    /// Reserved by calls under way.
    pub reserved: NanoDollars,
}

/// The accounts that have limits, in memory.
pub struct Ledger {
    accounts: Mutex<HashMap<Charge, Account>>,
    vault: Arc<dyn Vault>,
    /// One draws at a time; who waits finds the money drawn.
    drawing: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Default)]
struct Account {
    /// Written-off money included.
    spent: i64,
    reserved: i64,
    drawn: i64,
}

/// A slab is this share of the limit, unless one call needs more.
const SLABS: i64 = 64;

enum Try {
    Reserved,
    Load(Charge),
    Draw(Charge, NanoDollars),
}

impl Ledger {
    /// A ledger that draws from `vault`.
    pub fn new(vault: Arc<dyn Vault>) -> Arc<Self> {
        Arc::new(Self { accounts: Mutex::default(), vault, drawing: tokio::sync::Mutex::default() })
    }

    /// Reserves `amount` on every account with a limit, or says which budget is spent.
    pub async fn reserve(
        self: &Arc<Self>,
        accounts: Arc<Accounts>,
        amount: NanoDollars,
    ) -> Result<Reservation, Problem> {
        loop {
            match self.try_reserve(&accounts.bounds, amount)? {
                Try::Reserved => {
                    let ledger = self.clone();
                    return Ok(Reservation { ledger, accounts, amount, settled: false, meter: None });
                }
                Try::Load(charge) => {
                    let balance = self.vault.balance(&charge).await.map_err(|error| unavailable(&*error))?;
                    let account = Account {
                        spent: balance.spent.0.saturating_add(balance.written_off.0),
                        reserved: 0,
                        drawn: balance.drawn.0,
                    };
                    // Another call may have loaded it meanwhile, and reserved on it.
                    self.accounts.lock().entry(charge).or_insert(account);
                }
                Try::Draw(charge, up_to) => {
                    let _one = self.drawing.lock().await;
                    let drawn = self.accounts.lock().get(&charge).map_or(0, |account| account.drawn);
                    if drawn < up_to.0 {
                        self.vault.draw(&charge, up_to).await.map_err(|error| unavailable(&*error))?;
                        if let Some(account) = self.accounts.lock().get_mut(&charge) {
                            account.drawn = account.drawn.max(up_to.0);
                        }
                    }
                }
            }
        }
    }

    fn try_reserve(&self, bounds: &[Bound], amount: NanoDollars) -> Result<Try, Problem> {
        let mut accounts = self.accounts.lock();
        for Bound { charge, limit, whose } in bounds {
            let Some(account) = accounts.get(charge) else {
                return Ok(Try::Load(charge.clone()));
            };
            let need = account.spent.saturating_add(account.reserved).saturating_add(amount.0);
            if need > limit.0 {
                return Err(spent_up(account, charge, *limit, whose, amount));
            }
            if need > account.drawn {
                let slab = need.saturating_add(limit.0 / SLABS).min(limit.0);
                return Ok(Try::Draw(charge.clone(), NanoDollars(slab)));
            }
        }
        for bound in bounds {
            if let Some(account) = accounts.get_mut(&bound.charge) {
                account.reserved = account.reserved.saturating_add(amount.0);
            }
        }
        Ok(Try::Reserved)
    }

    fn release(&self, charge: &Charge, amount: NanoDollars, spent: i64) {
        if let Some(account) = self.accounts.lock().get_mut(charge) {
            account.reserved -= amount.0;
            account.spent = account.spent.saturating_add(spent);
        }
    }

    /// How an account stands, where it was used since the start.
    pub fn standing(&self, charge: &Charge) -> Option<Standing> {
        self.accounts.lock().get(charge).map(|account| Standing {
            spent: NanoDollars(account.spent),
            reserved: NanoDollars(account.reserved),
        })
    }

    /// Forgets what is remembered of accounts on which nothing is reserved, so that they are read anew: for
    /// when somebody reconciled them.
    pub fn reload(&self) {
        self.accounts.lock().retain(|_, account| account.reserved != 0);
    }
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error, "the ledger cannot be read or written");
    Problem {
        retry_after: Some(2),
        ..Problem::new(
            ErrorKind::Unavailable,
            "store_unavailable",
            "the budget cannot be checked: the store does not answer",
        )
    }
}

fn spent_up(
    account: &Account,
    charge: &Charge,
    limit: NanoDollars,
    whose: &str,
    amount: NanoDollars,
) -> Problem {
    let left = NanoDollars((limit.0 - account.spent - account.reserved).max(0));
    let message = format!(
        "the budget of {whose} for {} is {limit}: {} is spent and {} reserved by calls under way, and this call may cost \
         up to {amount}, more than the {left} left",
        charge.period,
        NanoDollars(account.spent),
        NanoDollars(account.reserved),
    );
    let problem = Problem::new(ErrorKind::BudgetSpent, "budget_spent", message)
        .hint("ask for a smaller max_tokens, wait for the next period, or have the budget raised");
    // What calls under way give back may be enough for this one.
    let soon = account.reserved > 0 && account.spent.saturating_add(amount.0) <= limit.0;
    Problem { retry_after: soon.then_some(1), ..problem }
}

/// Money that is set aside for a call, and where its cost will go.
pub struct Reservation {
    ledger: Arc<Ledger>,
    accounts: Arc<Accounts>,
    amount: NanoDollars,
    settled: bool,
    /// Whose tokens are counted, and how many the call was thought to use.
    meter: Option<(Arc<Meter>, u64)>,
}

impl Reservation {
    /// Corrects this meter by the tokens that were used.
    #[must_use]
    pub fn metered(mut self, meter: Arc<Meter>, thought: u64) -> Self {
        self.meter = Some((meter, thought));
        self
    }

    fn release(&mut self, spent: i64, charged: &[Charge]) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        for Bound { charge, .. } in &self.accounts.bounds {
            let spent = if charged.contains(charge) { 0 } else { spent };
            self.ledger.release(charge, self.amount, spent);
        }
    }
}

impl Settlement for Reservation {
    fn charges(&self) -> &[Charge] {
        &self.accounts.charges
    }

    fn settle(mut self: Box<Self>, spent: Spent, charged: &[Charge]) {
        self.release(spent.cost.0, charged);
        if let (Some((meter, thought)), true) = (self.meter.take(), charged.is_empty()) {
            meter.correct(thought, spent.tokens);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release(0, &[]);
    }
}

/// A vault that forgets: for commands without a store, and tests.
pub struct NoVault;

impl Vault for NoVault {
    fn balance<'a>(&'a self, _: &'a Charge) -> BoxFuture<'a, Result<Balance, BoxError>> {
        Box::pin(async { Ok(Balance::default()) })
    }
    fn draw<'a>(&'a self, _: &'a Charge, _: NanoDollars) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async { Ok(()) })
    }
}
