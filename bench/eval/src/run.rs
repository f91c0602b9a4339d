//! A process, and what it took.

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often the memory of the process is looked at; the kernel keeps its peak.
const LOOK: Duration = Duration::from_millis(5);
/// The kernel's unit of processor time.
const TICKS_A_SECOND: f64 = 100.0;

/// What a process took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Took {
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// Seconds of processors, its children's included; known to a hundredth of a second.
    pub(crate) cpu: f64,
    /// The most memory it and its children held, in MB (10^6).
    pub(crate) peak_mb: f64,
}

impl Took {
    /// The mean of several.
    pub(crate) fn mean(all: &[Self]) -> Option<Self> {
        let n = f64::from(u32::try_from(all.len()).ok().filter(|n| *n > 0)?);
        Some(Self {
            wall: all.iter().map(|took| took.wall).sum::<f64>() / n,
            cpu: all.iter().map(|took| took.cpu).sum::<f64>() / n,
            peak_mb: all.iter().map(|took| took.peak_mb).fold(0.0, f64::max),
        })
    }
}

/// Runs a command to its end, which must be a good one; what it says is let go of.
pub(crate) fn timed(command: &mut Command) -> Result<Took> {
    let before = children_ticks()?;
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{command:?}"))?;
    let mut peak_mb = 0.0_f64;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        peak_mb = peak_mb.max(peak(child.id()));
        std::thread::sleep(LOOK);
    };
    let wall = began.elapsed().as_secs_f64();
    ensure!(ended.success(), "{command:?} ended with {ended}");
    Ok(Took { wall, cpu: (children_ticks()? - before) / TICKS_A_SECOND, peak_mb })
}

/// The most that a process and those it started, as far as they still run, have held so far.
fn peak(id: u32) -> f64 {
    let of_children = || -> Option<f64> {
        let threads = std::fs::read_dir(format!("/proc/{id}/task")).ok()?;
        let children = threads.flatten().filter_map(|thread| {
            let listed = std::fs::read_to_string(thread.path().join("children")).ok()?;
            Some(listed.split_whitespace().filter_map(|id| id.parse().ok()).map(peak).sum::<f64>())
        });
        Some(children.sum())
    };
    of_itself(id).unwrap_or_default() + of_children().unwrap_or_default()
}

fn of_itself(id: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0 / 1e6)
}

/// Processor time of the children that ended, in the kernel's ticks.
fn children_ticks() -> Result<f64> {
    let text =
        std::fs::read_to_string("/proc/self/stat").context("/proc/self/stat: this measures on Linux")?;
    // The name in parentheses may hold spaces; behind it, fields 3 and on.
    let (_, rest) = text.rsplit_once(')').context("/proc/self/stat")?;
    let mut fields = rest.split_whitespace().skip(13);
    let mut next = || fields.next().and_then(|field| field.parse::<f64>().ok());
    next().zip(next()).map(|(user, system)| user + system).context("/proc/self/stat")
}
