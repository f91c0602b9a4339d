//! A hard budget over everything that a run pays for.
//!
//! Whoever makes a call of a model sets aside before it leaves the most that it can cost (the purse is the [`Allowance`] of
//! the run's calls), so that what is spent never passes the budget where prices are known. What is set aside is given back
//! against what was paid when a step of a try ends: when its answer is on record, and when its scores are.
//!
//! Of work whose cost nobody can say before (endpoints and commands that tell it afterwards, models of a running server),
//! what was seen is the guide: a try begins only where, were it and all that are under way as dear as the dearest so far,
//! all of it stayed within. Nothing is known of the first one, so it goes alone; while few are known, few go at once. There
//! the budget can be passed by as much as the tries under way are dearer than any before.

use hanok_base::{Allowance, BoxFuture, ErrorKind, NanoDollars, Problem};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The code of a call that is refused since the budget has no room for it.
pub(crate) const REFUSED: &str = "eval_budget";

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
    /// Set aside for calls that are under way.
    set_aside: i64,
    /// Tries that count for what is learned by looking.
    under_way: i64,
    dearest: i64,
    known: i64,
    /// Tries that may set money aside.
    open: i64,
    /// Of these, those that wait for others to give some back.
    waiting: i64,
    is_unpriced: bool,
    /// The most that the call could have cost which was refused.
    refused: Option<i64>,
}

/// Whether another try may begin.
pub enum Room {
    /// It may; the hold is settled when it ends.
    Here(Arc<Hold>),
    /// Not before another one ended.
    Wait,
    /// It could pass the budget, or nobody could tell.
    Full,
}

/// A try that may cost something. Dropping it unsettled gives its room back.
pub struct Hold {
    purse: Purse,
    /// Whether it is one of those that are learned from.
    counts: bool,
    own: Mutex<Own>,
}

#[derive(Default)]
struct Own {
    set_aside: i64,
    paid: i64,
    is_settled: bool,
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

    /// Whether a call was refused since it could have passed the limit.
    pub fn is_refused(&self) -> bool {
        self.refused().is_some()
    }

    /// The most that the call could have cost which was refused, where one was.
    pub fn refused(&self) -> Option<NanoDollars> {
        self.inner.state.lock().refused.map(NanoDollars)
    }

    /// Makes room for a try.
    pub fn room(&self) -> Room {
        let mut state = self.inner.state.lock();
        if state.is_unpriced || state.refused.is_some() {
            return Room::Full;
        }
        if let Some(limit) = self.inner.limit {
            let most_at_once = state.known.saturating_mul(2).max(1);
            if state.under_way >= most_at_once {
                return Room::Wait;
            }
            let held = state.under_way.saturating_mul(state.dearest).max(state.set_aside);
            let next = state.spent.saturating_add(held).saturating_add(state.dearest);
            if next > limit || state.spent >= limit {
                return if state.under_way > 0 { Room::Wait } else { Room::Full };
            }
        }
        state.under_way += 1;
        state.open += 1;
        drop(state);
        Room::Here(self.hold(true))
    }

    /// A try whose answer is known: only its scores may cost something.
    pub fn known(&self) -> Arc<Hold> {
        self.inner.state.lock().open += 1;
        self.hold(false)
    }

    fn hold(&self, counts: bool) -> Arc<Hold> {
        Arc::new(Hold { purse: self.clone(), counts, own: Mutex::default() })
    }

    /// Ends when something is settled after this was called.
    pub fn changed(&self) -> Notified<'_> {
        self.inner.changed.notified()
    }
}

impl Hold {
    /// This much of the try was paid for: what was set aside for it is given back.
    pub fn pay(&self, cost: NanoDollars) {
        let mut own = self.own.lock();
        let mut state = self.purse.inner.state.lock();
        own.paid = own.paid.saturating_add(cost.0);
        state.spent = state.spent.saturating_add(cost.0);
        state.set_aside -= std::mem::take(&mut own.set_aside);
        drop(state);
        self.purse.inner.changed.notify_waiters();
    }

    /// The try ended: what it paid for is what such a one costs.
    pub fn settle(&self) {
        self.release(true);
    }

    /// The call has no price: under a limit nothing more may begin.
    pub fn unpriced(&self) {
        if self.purse.inner.limit.is_some() {
            self.purse.inner.state.lock().is_unpriced = true;
        }
    }

    fn release(&self, is_known: bool) {
        let mut own = self.own.lock();
        if std::mem::replace(&mut own.is_settled, true) {
            return;
        }
        let mut state = self.purse.inner.state.lock();
        state.set_aside -= std::mem::take(&mut own.set_aside);
        state.open -= 1;
        if self.counts {
            state.under_way -= 1;
            if is_known {
                state.dearest = state.dearest.max(own.paid);
                state.known += 1;
            }
        }
        drop(state);
        self.purse.inner.changed.notify_waiters();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release(false);
    }
}

impl Allowance for Hold {
    fn set_aside(&self, most: NanoDollars) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async move {
            let Some(limit) = self.purse.inner.limit else { return Ok(()) };
            loop {
                let changed = self.purse.changed();
                tokio::pin!(changed);
                // Registered before the look, so that nothing that is given back falls between the two.
                changed.as_mut().enable();
                let waiting = {
                    let mut own = self.own.lock();
                    let mut state = self.purse.inner.state.lock();
                    let wanted = state.spent.saturating_add(state.set_aside).saturating_add(most.0);
                    if wanted <= limit {
                        state.set_aside = state.set_aside.saturating_add(most.0);
                        own.set_aside = own.set_aside.saturating_add(most.0);
                        return Ok(());
                    }
                    // Where all wait for each other, this one gives up.
                    if state.refused.is_some() || state.waiting + 1 >= state.open {
                        state.refused.get_or_insert(most.0);
                        drop(state);
                        self.purse.inner.changed.notify_waiters();
                        return Err(refusal(most));
                    }
                    state.waiting += 1;
                    Waiting(&self.purse)
                };
                changed.await;
                drop(waiting);
            }
        })
    }
}

fn refusal(most: NanoDollars) -> Problem {
    let message =
        format!("this call may cost ${:.6}, and the budget of the eval has less left", most.dollars());
    Problem::new(ErrorKind::BudgetSpent, REFUSED, message)
}

/// A try that waits for others, also when it is given up.
struct Waiting<'a>(&'a Purse);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.inner.state.lock().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn here(purse: &Purse) -> Arc<Hold> {
        match purse.room() {
            Room::Here(hold) => hold,
            Room::Wait => panic!("wait"),
            Room::Full => panic!("full"),
        }
    }

    fn paid(hold: &Hold, cost: i64) {
        hold.pay(NanoDollars(cost));
        hold.settle();
    }

    #[test]
    fn what_was_seen_is_the_guide_where_nobody_can_say() {
        let purse = Purse::new(Some(NanoDollars(100)), NanoDollars(0));
        let first = here(&purse);
        assert!(matches!(purse.room(), Room::Wait), "nothing is known of the first call");
        paid(&first, 30);
        let (second, third) = (here(&purse), here(&purse));
        assert!(matches!(purse.room(), Room::Wait), "a fourth would make 120");
        paid(&second, 20);
        drop(third);
        assert_eq!(purse.spent(), NanoDollars(50));
        paid(&here(&purse), 30);
        assert!(matches!(purse.room(), Room::Full), "another 30 would make 110");
    }

    #[test]
    fn what_is_set_aside_never_passes_the_limit() {
        let purse = Purse::new(Some(NanoDollars(100)), NanoDollars(10));
        let (one, two) = (purse.known(), purse.known());
        let aside = |hold: &Arc<Hold>, most| {
            let hold = Arc::clone(hold);
            Box::pin(async move { hold.set_aside(NanoDollars(most)).await.is_ok() })
        };
        assert_eq!(aside(&one, 60).now_or_never(), Some(true));
        let mut waits = aside(&two, 40);
        assert_eq!((&mut waits).now_or_never(), None, "60 of 90 are set aside, and may be given back");
        // All others wait: nobody would give anything back.
        assert_eq!(aside(&one, 40).now_or_never(), Some(false));
        assert!(purse.is_refused() && matches!(purse.room(), Room::Full));
        assert_eq!(waits.now_or_never(), Some(false), "the run is over");
        one.pay(NanoDollars(20));
        assert_eq!(purse.spent(), NanoDollars(30));
        one.settle();
        drop((one, two));
        let state = purse.inner.state.lock();
        assert_eq!((state.set_aside, state.open, state.waiting), (0, 0, 0));
    }

    #[test]
    fn what_is_given_back_lets_others_go_on() {
        let purse = Purse::new(Some(NanoDollars(100)), NanoDollars(0));
        let (one, two) = (purse.known(), purse.known());
        assert!(one.set_aside(NanoDollars(90)).now_or_never().unwrap().is_ok());
        let mut waits = two.set_aside(NanoDollars(30));
        assert!((&mut waits).now_or_never().is_none());
        one.pay(NanoDollars(5));
        assert!(waits.now_or_never().unwrap().is_ok());
        assert_eq!(purse.spent(), NanoDollars(5));
    }

    #[test]
    fn without_a_limit_there_is_room() {
        let purse = Purse::new(None, NanoDollars(5));
        let holds: Vec<Arc<Hold>> = (0..100).map(|_| here(&purse)).collect();
        for hold in holds {
            assert!(hold.set_aside(NanoDollars(i64::MAX)).now_or_never().unwrap().is_ok());
            paid(&hold, 1);
        }
        assert_eq!(purse.spent(), NanoDollars(105));
    }
}
