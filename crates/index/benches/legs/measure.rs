//! Times and memory of this process.

use std::time::{Duration, Instant};

/// Wall and processor time since it was made.
pub(crate) struct Watch(Instant, f64);

impl Watch {
    pub(crate) fn start() -> Self {
        Self(Instant::now(), processor_seconds())
    }

    pub(crate) fn wall(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    /// Of all threads.
    pub(crate) fn processor(&self) -> f64 {
        processor_seconds() - self.1
    }
}

/// User and system time in seconds, in steps of a hundredth.
fn processor_seconds() -> f64 {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return 0.0 };
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 =
        after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}

/// Of this process in MB: now and at its highest. `Rss` counts mapped files as far as they are in memory.
pub(crate) fn memory() -> (f64, f64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        kilobytes.unwrap_or_default() * 1024.0 / 1e6
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// The value below which `share` of `values` lie, in milliseconds.
pub(crate) fn quantile(values: &mut [Duration], share: f64) -> f64 {
    values.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let at = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    values.get(at).map_or(0.0, |value| value.as_secs_f64() * 1000.0)
}
