//! One decoder, fuzzed for its time, in a process of its own: what cannot be caught (memory beyond the bound,
//! a stack that overflows, a loop without end) ends only this process, and the input is still in the slot.

use crate::case::{self, class};
use crate::corpus;
use crate::decoders::Decoder;
use crate::features::Features;
use crate::minimise::minimise;
use crate::mutate::{LONGEST, Mutator, Words};
use anyhow::{Context, Result};
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A case that takes longer never ends.
const ENDLESS: Duration = Duration::from_secs(30);
/// Inputs to change, at most.
const POOL: usize = 4096;
/// Kinds of failure to make small, at most: more of them are looked for once these are mended.
const FAILURES: usize = 12;
/// What production code runs on: the stack of a runtime's thread.
const STACK: usize = 2 << 20;

/// What a worker did, as it prints it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) cases: u64,
    pub(crate) features: usize,
    pub(crate) written: usize,
    pub(crate) failures: usize,
}

/// Fuzzes `decoder`; each input stands in the file `slot` while it runs.
pub(crate) fn fuzz(decoder: Decoder, time: Duration, seed: u64, slot: &Path) -> Result<Done> {
    case::catch_panics();
    let beat = Arc::new(AtomicU64::new(0));
    watch(Arc::clone(&beat));
    let slot = Slot::create(slot)?;
    let run = move || Worker::new(decoder, slot, beat)?.run(time, seed);
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run)?;
    thread.join().map_err(|_| anyhow::anyhow!("the worker itself panicked"))?
}

/// Ends the process when no case ends.
fn watch(beat: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let now = beat.load(Ordering::Relaxed);
            if now != last {
                (last, since) = (now, Instant::now());
            } else if since.elapsed() > ENDLESS {
                eprintln!("a case did not end within {ENDLESS:?}");
                std::process::abort();
            }
        }
    });
}

/// A file that holds the input that is running: its length, then its bytes.
struct Slot(File);

impl Slot {
    fn create(path: &Path) -> Result<Self> {
        let file = File::options().create(true).truncate(true).write(true).read(true).open(path);
        Ok(Self(file.with_context(|| format!("opening {}", path.display()))?))
    }

    fn put(&self, bytes: &[u8]) -> Result<()> {
        self.0.write_all_at(bytes, 8)?;
        Ok(self.0.write_all_at(&u64::try_from(bytes.len())?.to_le_bytes(), 0)?)
    }
}

/// What ran last in a worker that is no more.
pub(crate) fn last_input(slot: &Path) -> Result<Vec<u8>> {
    let all = std::fs::read(slot)?;
    let (length, bytes) = all.split_first_chunk().context("no input was run")?;
    let length = usize::try_from(u64::from_le_bytes(*length))?;
    Ok(bytes.get(..length).context("the slot is cut")?.to_vec())
}

struct Worker {
    decoder: Decoder,
    slot: Slot,
    beat: Arc<AtomicU64>,
    features: Features,
    seen: HashSet<u32>,
    pool: Vec<Vec<u8>>,
    /// What was found in this run, with its features of then.
    found: Vec<(Vec<u8>, Vec<u32>)>,
    /// Classes of failures.
    failed: HashSet<String>,
    done: Done,
}

impl Worker {
    fn new(decoder: Decoder, slot: Slot, beat: Arc<AtomicU64>) -> Result<Self> {
        let mut worker = Self {
            decoder,
            slot,
            beat,
            features: Features::default(),
            seen: HashSet::new(),
            pool: Vec::new(),
            found: Vec::new(),
            failed: HashSet::new(),
            done: Done::default(),
        };
        for seed in corpus::seeds()? {
            if seed.len() <= LONGEST {
                worker.try_one(seed, false)?;
            }
        }
        Ok(worker)
    }

    fn run(mut self, time: Duration, seed: u64) -> Result<Done> {
        let begun = Instant::now();
        let seeds = corpus::seeds()?;
        let words = Words::of(seeds.iter().map(Vec::as_slice));
        let mut mutator = Mutator { rng: fastrand::Rng::with_seed(seed), words: &words };
        while begun.elapsed() < time {
            for _ in 0..64 {
                // The newest are the most promising.
                let newest = self.pool.len().saturating_sub(64);
                let from = if mutator.rng.bool() { newest } else { 0 };
                let at = mutator.rng.usize(from..self.pool.len().max(from + 1));
                let donors = if mutator.rng.bool() { &self.pool } else { &seeds };
                let input = self.pool.get(at).map(Vec::as_slice).unwrap_or_default();
                let other = mutator.rng.choice(donors).map(Vec::as_slice).unwrap_or_default();
                let made = mutator.mutate(input, other);
                self.try_one(made, true)?;
            }
        }
        self.keep()?;
        self.done.features = self.seen.len();
        Ok(self.done)
    }

    fn try_one(&mut self, input: Vec<u8>, made: bool) -> Result<()> {
        self.slot.put(&input)?;
        self.beat.fetch_add(1, Ordering::Relaxed);
        self.done.cases += 1;
        if let Err(failure) = case::run(self.decoder, &input, &mut self.features) {
            return self.fail(&input, &failure);
        }
        let features = self.features.take();
        let new: Vec<u32> = features.into_iter().filter(|feature| self.seen.insert(*feature)).collect();
        if !new.is_empty() {
            if self.pool.len() < POOL {
                self.pool.push(input.clone());
            }
            if made {
                self.found.push((input, new));
            }
        }
        Ok(())
    }

    fn fail(&mut self, input: &[u8], failure: &str) -> Result<()> {
        let kind = class(failure).to_owned();
        if self.failed.len() >= FAILURES || !self.failed.insert(kind.clone()) {
            return Ok(());
        }
        let mut last = failure.to_owned();
        let least = minimise(input, 4000, |less| {
            self.beat.fetch_add(1, Ordering::Relaxed);
            match self.slot.put(less).map(|()| case::run(self.decoder, less, &mut self.features)) {
                Ok(Err(now)) if class(&now) == kind => {
                    last = now;
                    true
                }
                _ => false,
            }
        });
        let path = corpus::write_failure(self.decoder, &least)?;
        println!("FAILED {}: {last}\n  {}", self.decoder.name(), path.display());
        println!("  {}", least.escape_ascii());
        self.done.failures += 1;
        Ok(())
    }

    /// Keeps what found most, each made as small as it can be.
    fn keep(&mut self) -> Result<()> {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(|(input, new)| (std::cmp::Reverse(new.len()), input.len()));
        found.truncate(64);
        let least: Vec<Vec<u8>> = found
            .iter()
            .map(|(input, new)| {
                minimise(input, 400, |less| {
                    self.beat.fetch_add(1, Ordering::Relaxed);
                    let good = case::run(self.decoder, less, &mut self.features).is_ok();
                    let shown = self.features.take();
                    good && new.iter().all(|feature| shown.binary_search(feature).is_ok())
                })
            })
            .collect();
        self.done.written = corpus::write_kept(self.decoder, &least)?;
        Ok(())
    }
}
