//! What applies to all calls: prices, budgets, and the ledger they are kept in.

use crate::accounts::Callers;
use crate::budget::{Ledger, NoVault};
use crate::key::Budget;
use crate::tariff::{Tariff, Unpriced};
use hanok_base::Timestamp;
use std::sync::Arc;

/// Prices, budgets of projects, and the ledger.
pub struct Policy {
    /// What calls cost.
    pub tariff: Arc<dyn Tariff>,
    /// Money of a project, by its name, or of all calls together (an empty name).
    pub budgets: Vec<(String, Budget)>,
    /// Where money is reserved and settled. The same over changes of the configuration.
    pub ledger: Arc<Ledger>,
    /// Most tokens of an answer where neither client, key nor model says any; only for calls under a budget.
    pub max_output_tokens: u64,
    /// The time; a clock of the caller's for tests.
    pub clock: fn() -> Timestamp,
    /// Which accounts bear whose calls, as far as it was asked before.
    pub callers: Callers,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            tariff: Arc::new(Unpriced),
            budgets: Vec::new(),
            ledger: Ledger::new(Arc::new(NoVault)),
            max_output_tokens: 4_096,
            clock: Timestamp::now,
            callers: Callers::default(),
        }
    }
}
