//! The program's memory while something goes on, looked at ten times a second.

use anyhow::{Context, Result};
use serde::Serialize;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(100);

/// Resident memory at its most, in MB (10^6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Memory {
    /// What `ps` and the like show.
    pub(crate) resident: f64,
    /// Of that, what only this process has and the kernel cannot take back: its heap and stacks.
    pub(crate) own: f64,
    /// Of that, pages of files: the program itself, and the indexes that it maps.
    pub(crate) files: f64,
}

impl Memory {
    pub(crate) fn most(self, other: Self) -> Self {
        if other.resident > self.resident { other } else { self }
    }

    fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let megabytes = |name: &str| -> Option<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
            Some(kilobytes * 1024.0 / 1e6)
        };
        Some(Self {
            resident: megabytes("VmRSS:")?,
            own: megabytes("RssAnon:")?,
            files: megabytes("RssFile:")?,
        })
    }
}

/// Looks on until it is asked what it saw.
pub(crate) struct Watch {
    enough: Arc<AtomicBool>,
    thread: JoinHandle<Memory>,
}

impl Watch {
    pub(crate) fn over(pid: u32) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&enough);
        let thread = std::thread::spawn(move || {
            let mut most = Memory::default();
            while !told.load(Ordering::Relaxed) {
                most = most.most(Memory::of(pid).unwrap_or_default());
                std::thread::sleep(EVERY);
            }
            most
        });
        Self { enough, thread }
    }

    pub(crate) fn most(self) -> Result<Memory> {
        self.enough.store(true, Ordering::Relaxed);
        self.thread.join().ok().context("the watch over memory panicked")
    }
}
