//! The last minute, in memory: what the strip along the bottom of every page shows.

use hanok_base::{NanoDollars, Span, SpanStatus, Timestamp};
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How far back it goes.
const WINDOW: Duration = Duration::from_mins(1);
/// More ticks than a screen has pixels are of no use.
const TICKS: usize = 4096;

/// One span that ended lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tick {
    /// When it ended.
    pub at: Timestamp,
    /// What it did.
    pub operation: &'static str,
    /// Whether it failed.
    pub error: bool,
}

/// The last minute and today.
#[derive(Clone, Debug, Default)]
pub struct PulseView {
    /// The newest spans of the time asked for, oldest first, 4096 at most.
    pub ticks: Vec<Tick>,
    /// Spans per second over the time asked for.
    pub spans_per_second: f64,
    /// What was spent since midnight UTC, as far as it is priced.
    pub cost_today: NanoDollars,
    /// Traces begun since midnight UTC.
    pub traces_today: u64,
    /// Of these, those that failed.
    pub errors_today: u64,
}

#[derive(Default)]
pub(crate) struct Pulse {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// With the project each belongs to.
    ticks: VecDeque<(Arc<str>, Tick)>,
    /// Seconds since the epoch, and spans that ended in each.
    seconds: VecDeque<(i64, u32)>,
}

impl Pulse {
    pub(crate) fn beat<'a>(&self, spans: impl Iterator<Item = &'a Span>, project: &Arc<str>) {
        let mut state = self.state.lock();
        let mut count = 0_u32;
        for span in spans {
            count = count.saturating_add(1);
            let at = span.start.after(span.duration);
            if state.ticks.len() >= TICKS {
                state.ticks.pop_front();
            }
            let error = matches!(span.status, SpanStatus::Error(_));
            let tick = Tick { at, operation: span.operation.as_str(), error };
            state.ticks.push_back((Arc::clone(project), tick));
        }
        let now = Timestamp::now().seconds();
        match state.seconds.back_mut() {
            Some((second, sum)) if *second == now => *sum = sum.saturating_add(count),
            _ => state.seconds.push_back((now, count)),
        }
        while state.seconds.len() > usize::try_from(WINDOW.as_secs()).unwrap_or(60) {
            state.seconds.pop_front();
        }
    }

    /// The ticks of the last `seconds`, and spans per second over them; of one project, these are counted by
    /// its ticks.
    pub(crate) fn last(&self, seconds: u64, project: Option<&str>) -> (Vec<Tick>, f64) {
        let window = Duration::from_secs(seconds.max(1)).min(WINDOW);
        let since = Timestamp::now().before(window);
        let state = self.state.lock();
        let wanted = state
            .ticks
            .iter()
            .filter(|(whose, tick)| tick.at >= since && project.is_none_or(|project| project == &**whose));
        let mut ticks: Vec<Tick> = wanted.map(|(_, tick)| *tick).collect();
        let spans = match project {
            Some(_) => u32::try_from(ticks.len()).unwrap_or(u32::MAX),
            None => state
                .seconds
                .iter()
                .filter(|(second, _)| *second > since.seconds())
                .fold(0, |sum: u32, (_, count)| sum.saturating_add(*count)),
        };
        drop(state);
        ticks.sort_by_key(|tick| tick.at);
        (ticks, f64::from(spans) / window.as_secs_f64())
    }
}
