//! A hard budget: a call begins only where, were it and all that are under way as dear as the dearest so far, all of
//! it stayed within.
//!
//! Nothing is known of the first call, so it goes alone; while few are known, few go at once.

use hanok_base::NanoDollars;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// A budget. Cheap to clone.
#[derive(Clone)]
pub struct Purse {
    inner: Arc<Inner>,
}

struct Inner {
    limit: Option<i64>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    spent: i64,
    under_way: i64,
    dearest: i64,
    known: i64,
    is_unpriced: bool,
}

/// Whether another call may begin.
pub enum Room {
    /// It may; the hold is settled when it ends.
    Here(Hold),
    /// Not before another one ended.
    Wait,
    /// It could pass the budget, or nobody could tell.
    Full,
}

/// A call that may cost something. Dropping it unsettled gives its room back.
pub struct Hold {
    purse: Purse,
    is_open: bool,
}

impl Purse {
    /// With this limit, of which `spent` is gone.
    pub fn new(limit: Option<NanoDollars>, spent: NanoDollars) -> Self {
        let state = State { spent: spent.0, ..State::default() };
        let inner =
            Inner { limit: limit.map(|limit| limit.0), state: Mutex::new(state), changed: Notify::new() };
        Self { inner: Arc::new(inner) }
    }

    /// What was spent.
    pub fn spent(&self) -> NanoDollars {
        NanoDollars(self.inner.state.lock().spent)
    }

    /// Whether a call turned out to have no price while there is a limit.
    pub fn is_unpriced(&self) -> bool {
        self.inner.state.lock().is_unpriced
    }

    /// Makes room for a call.
    pub fn room(&self) -> Room {
        let mut state = self.inner.state.lock();
        if state.is_unpriced {
            return Room::Full;
        }
        if let Some(limit) = self.inner.limit {
            let next = state.under_way.saturating_add(1).saturating_mul(state.dearest);
            let most_at_once = state.known.saturating_mul(2).max(1);
            if state.under_way >= most_at_once {
                return Room::Wait;
            }
            if state.spent.saturating_add(next) > limit || state.spent >= limit {
                return if state.under_way > 0 { Room::Wait } else { Room::Full };
            }
        }
        state.under_way += 1;
        drop(state);
        Room::Here(Hold { purse: self.clone(), is_open: true })
    }

    /// Adds what was spent without room having been made: the scoring of a known answer.
    pub fn add(&self, cost: NanoDollars) {
        let mut state = self.inner.state.lock();
        state.spent = state.spent.saturating_add(cost.0);
    }

    /// Ends when something is settled after this was called.
    pub fn changed(&self) -> Notified<'_> {
        self.inner.changed.notified()
    }

    fn release(&self, cost: Option<i64>) {
        let mut state = self.inner.state.lock();
        state.under_way -= 1;
        if let Some(cost) = cost {
            state.spent = state.spent.saturating_add(cost);
            state.dearest = state.dearest.max(cost);
            state.known += 1;
        }
        drop(state);
        self.inner.changed.notify_waiters();
    }
}

impl Hold {
    /// The call ended and cost this much, scoring included.
    pub fn settle(mut self, cost: NanoDollars) {
        self.is_open = false;
        self.purse.release(Some(cost.0));
    }

    /// The call has no price: under a limit nothing more may begin.
    pub fn unpriced(&self) {
        if self.purse.inner.limit.is_some() {
            self.purse.inner.state.lock().is_unpriced = true;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.is_open {
            self.purse.release(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(purse: &Purse) -> Hold {
        match purse.room() {
            Room::Here(hold) => hold,
            Room::Wait => panic!("wait"),
            Room::Full => panic!("full"),
        }
    }

    #[test]
    fn a_budget_is_never_passed_by_calls_no_dearer_than_the_dearest() {
        let purse = Purse::new(Some(NanoDollars(100)), NanoDollars(0));
        let first = here(&purse);
        assert!(matches!(purse.room(), Room::Wait), "nothing is known of the first call");
        first.settle(NanoDollars(30));
        let (second, third) = (here(&purse), here(&purse));
        assert!(matches!(purse.room(), Room::Wait), "a fourth would make 120");
        second.settle(NanoDollars(20));
        drop(third);
        assert_eq!(purse.spent(), NanoDollars(50));
        here(&purse).settle(NanoDollars(30));
        assert!(matches!(purse.room(), Room::Full), "another 30 would make 110");
    }

    #[test]
    fn without_a_limit_there_is_room() {
        let purse = Purse::new(None, NanoDollars(5));
        let holds: Vec<Hold> = (0..100).map(|_| here(&purse)).collect();
        for hold in holds {
            hold.settle(NanoDollars(1));
        }
        assert_eq!(purse.spent(), NanoDollars(105));
    }
}
