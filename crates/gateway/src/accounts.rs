//! Which accounts bear a caller's calls, and which of them have a limit: made once for a caller and a day, as
//! every call asks for them.

use crate::budget::Bound;
use crate::key::{Budget, Key, Period, matches};
use hanok_base::{Charge, Timestamp};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

const DAY_NS: i64 = 86_400_000_000_000;
/// Callers that are remembered; beyond, all are made anew.
const MOST: usize = 10_000;

/// The accounts of one caller on one day.
#[derive(Debug, Default)]
pub struct Accounts {
    /// Those with a limit.
    pub(crate) bounds: Vec<Bound>,
    /// All of them, those of `bounds` first and in its order.
    pub(crate) charges: Arc<[Charge]>,
}

impl Accounts {
    fn new(bounds: Vec<Bound>, more: Vec<Charge>) -> Self {
        let mut charges: Vec<Charge> = bounds.iter().map(|bound| bound.charge.clone()).collect();
        for charge in more {
            if !charges.contains(&charge) {
                charges.push(charge);
            }
        }
        Self { bounds, charges: charges.into() }
    }

    /// Those that bear a call of this key and project for this model.
    fn of(key: Option<&Key>, project: &str, budgets: &[(String, Budget)], model: &str, day: &str) -> Self {
        let mut bounds = Vec::new();
        let mut bound = |account: String, whose: String, budget: &Budget| {
            let account = match &budget.model {
                Some(pattern) if !matches(pattern, model) => return,
                Some(pattern) => format!("{account}|model:{pattern}"),
                None => account,
            };
            let charge = Charge { account: account.into(), period: budget.period.of(day).into() };
            bounds.push(Bound { charge, limit: budget.limit, whose });
        };
        if let Some(key) = key {
            for budget in &key.budgets {
                bound(format!("key:{}", key.account()), format!("the key `{}`", key.name), budget);
            }
        }
        for (name, budget) in budgets {
            if name.is_empty() {
                bound("all".to_owned(), "all calls together".to_owned(), budget);
            } else if name == project {
                bound(format!("project:{name}"), format!("the project `{name}`"), budget);
            }
        }
        // What shows what a key and a project used, budget or not.
        let key = key.map(|key| format!("key:{}", key.account()));
        let project = (!project.is_empty()).then(|| format!("project:{project}"));
        let used = key.into_iter().chain(project).flat_map(|account| {
            let account: Arc<str> = account.into();
            [Period::Day, Period::Month]
                .map(|period| Charge { account: account.clone(), period: period.of(day).into() })
        });
        let used = used.collect();
        Self::new(bounds, used)
    }
}

/// The accounts of callers that were seen before.
#[derive(Default)]
pub struct Callers(Mutex<HashMap<Caller, Seen>>);

#[derive(PartialEq, Eq, Hash)]
struct Caller {
    /// Its id, or its name where it has none.
    key: Arc<str>,
    project: Arc<str>,
}

struct Seen {
    /// Days since 1970.
    day: i64,
    /// Those of the key then.
    budgets: Vec<Budget>,
    accounts: Arc<Accounts>,
}

impl Callers {
    /// The accounts that bear a call of this key and project for this model. `budgets` must always be the same.
    pub(crate) fn accounts(
        &self,
        key: Option<&Key>,
        project: &Arc<str>,
        budgets: &[(String, Budget)],
        model: &str,
        now: Timestamp,
    ) -> Arc<Accounts> {
        let own = key.map_or(&[][..], |key| &key.budgets);
        let make = || Arc::new(Accounts::of(key, project, budgets, model, &now.day()));
        if own.iter().chain(budgets.iter().map(|(_, budget)| budget)).any(|budget| budget.model.is_some()) {
            return make();
        }
        let day = now.0.div_euclid(DAY_NS);
        let caller = Caller {
            key: key.map(|key| key.account().clone()).unwrap_or_default(),
            project: project.clone(),
        };
        let mut callers = self.0.lock();
        if let Some(seen) = callers.get(&caller)
            && seen.day == day
            && seen.budgets == own
        {
            return seen.accounts.clone();
        }
        if callers.len() >= MOST {
            callers.clear();
        }
        let accounts = make();
        callers.insert(caller, Seen { day, budgets: own.to_vec(), accounts: accounts.clone() });
        accounts
    }
}
