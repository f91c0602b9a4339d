//! What a process and its children have used, as the kernel counts it (Linux).

use anyhow::{Context, Result, ensure};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The kernel's unit of `utime` and `stime`: a hundredth of a second on every architecture it is built for.
const TICK: Duration = Duration::from_millis(10);

/// User and system time so far.
pub(crate) fn cpu(root: u32) -> Result<Duration> {
    let mut ticks = 0;
    for pid in tree(root)? {
        if let Some(stat) = Stat::of(pid) {
            ticks += stat.ticks;
        }
    }
    Ok(TICK * u32::try_from(ticks).context("more processor time than a bench can take")?)
}

/// Resident memory now, in bytes.
pub(crate) fn resident(root: u32) -> Result<u64> {
    let mut bytes = 0;
    for pid in tree(root)? {
        // A kernel may lack the rollup; `status` says the same, a little late.
        let kilobytes = field(&format!("/proc/{pid}/smaps_rollup"), "Rss:")
            .or_else(|| field(&format!("/proc/{pid}/status"), "VmRSS:"));
        bytes += kilobytes.unwrap_or_default() * 1024;
    }
    Ok(bytes)
}

/// How many runnable tasks the machine had over the last minute.
pub(crate) fn machine_load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// Gives this process, and with it all that it starts from now on, another niceness.
pub(crate) fn be_nice(nice: i8) -> Result<()> {
    // Where the kernel groups tasks by session, only the group's own niceness counts between sessions.
    let group = "/proc/self/autogroup";
    if fs::exists(group)? {
        fs::write(group, nice.to_string()).with_context(|| format!("writing {nice} to {group}"))?;
    }
    let pid = std::process::id().to_string();
    let done =
        Command::new("renice").args(["-n", &nice.to_string(), "-p", &pid]).stdout(Stdio::null()).status()?;
    ensure!(done.success(), "`renice -n {nice} -p {pid}` failed");
    Ok(())
}

struct Stat {
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::read(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// proc(5): the name may hold anything, so fields are counted from behind it.
    fn read(line: &str) -> Option<Self> {
        let mut fields = line.get(line.rfind(')')? + 2..)?.split(' ');
        let parent = fields.nth(1)?.parse().ok()?;
        let user: u64 = fields.nth(9)?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some(Self { parent, ticks: user + system })
    }
}

/// A process and all below it.
fn tree(root: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").context("reading /proc; this bench runs on Linux")? {
        if let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok())
            && let Some(stat) = Stat::of(pid)
        {
            parents.push((pid, stat.parent));
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    Ok(found)
}

fn field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read() {
        let line = "42 (a (b) c) S 7 42 42 0 -1 4194304 10 0 0 0 130 25 0 0 20 0 4 0 100 9000 300";
        let stat = Stat::read(line).unwrap();
        assert_eq!((stat.parent, stat.ticks), (7, 155));
        assert!(Stat::read("42 (x)").is_none());
        assert!(resident(std::process::id()).unwrap() > 100_000);
        assert!(tree(std::process::id()).unwrap().contains(&std::process::id()));
        let before = cpu(std::process::id()).unwrap();
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(200) {
            std::hint::black_box(begun);
        }
        assert!(cpu(std::process::id()).unwrap() > before);
    }
}
