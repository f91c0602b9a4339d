//! A mutation fuzzer for every decoder of `hanok-wire`, on the stable toolchain and without sanitizers: the
//! shapes of outcomes stand in for coverage. `cargo xtask fuzz` builds it and starts it.
//!
//! Deliberately not here: what is right of a dialect; that is for the tests of `wire`. Here are only laws that
//! hold for any bytes.
//!
//! Reading order: [`decoders`] (what is run, and the laws), [`case`] (one input), [`mutate`], [`features`],
//! [`corpus`], [`minimise`], [`worker`] (one decoder's process).

#![allow(clippy::print_stdout, reason = "a command-line tool; its output is its product")]

mod case;
mod corpus;
mod decoders;
mod features;
mod minimise;
mod mutate;
mod worker;

use anyhow::{Result, bail};
use clap::{Args, Parser};
use decoders::Decoder;
use features::Features;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Runs every decoder on mutated bytes: the fixtures of all dialects and the kept corpus, put wrong
#[derive(Debug, Parser)]
#[command(name = "cargo xtask fuzz")]
struct Cli {
    /// Seconds for each decoder
    #[arg(long, value_name = "N", default_value_t = 120)]
    seconds: u64,
    /// Only decoders whose name holds this; may stand several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Begin with this seed instead of the time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Decoders at one time [default: the machine's processors]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Print the names of the decoders
    #[arg(long)]
    list: bool,
    /// Run these files instead, and say what comes of them
    #[arg(long, value_name = "FILE", num_args = 1..)]
    replay: Vec<PathBuf>,
    #[command(flatten)]
    worker: WorkerArgs,
}

/// How a process of one decoder is started.
#[derive(Debug, Args)]
struct WorkerArgs {
    #[arg(long, hide = true)]
    slot: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fuzz: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<bool> {
    let wanted = |name: &str| cli.only.is_empty() || cli.only.iter().any(|part| name.contains(part.as_str()));
    let chosen: Vec<Decoder> = Decoder::all().into_iter().filter(|decoder| wanted(&decoder.name())).collect();
    if chosen.is_empty() {
        bail!("no decoder has such a name; see --list");
    }
    let seed = cli.seed.unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos().into()
    });
    if cli.list {
        for decoder in &chosen {
            println!("{}", decoder.name());
        }
        return Ok(true);
    }
    if !cli.replay.is_empty() {
        return replay(&chosen, &cli.replay);
    }
    if let Some(slot) = &cli.worker.slot {
        let exact = chosen.iter().find(|decoder| cli.only.contains(&decoder.name()));
        let Some(decoder) = exact else { bail!("a worker has one decoder") };
        return one(*decoder, Duration::from_secs(cli.seconds), seed, slot);
    }
    supervise(cli, &chosen, seed)
}

/// Says what comes of each file in each decoder.
fn replay(chosen: &[Decoder], files: &[PathBuf]) -> Result<bool> {
    case::catch_panics();
    let mut features = Features::default();
    let mut good = true;
    for file in files {
        let bytes = fs::read(file)?;
        for decoder in chosen {
            let outcome = case::run(*decoder, &bytes, &mut features);
            let said = outcome.as_ref().map_or_else(String::as_str, |()| "ok");
            println!("{} {}: {said}", file.display(), decoder.name());
            good &= outcome.is_ok();
        }
    }
    Ok(good)
}

fn one(decoder: Decoder, time: Duration, seed: u64, slot: &Path) -> Result<bool> {
    let done = worker::fuzz(decoder, time, seed, slot)?;
    let (seconds, name) = (time.as_secs().max(1), decoder.name());
    println!(
        "{name:<28} {:>9} cases, {:>6}/s, {:>5} features, {} kept, {} failures",
        done.cases,
        done.cases / seconds,
        done.features,
        done.written,
        done.failures
    );
    Ok(done.failures == 0)
}

/// Starts a process for each decoder, some at a time, and gathers what they say.
fn supervise(cli: &Cli, chosen: &[Decoder], seed: u64) -> Result<bool> {
    let jobs = cli.jobs.map_or_else(|| std::thread::available_parallelism().map(usize::from), Ok)?;
    println!("{} decoders, {} s each, {jobs} at a time, seed {seed}", chosen.len(), cli.seconds);
    let next = AtomicUsize::new(0);
    let bad = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(decoder) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let good = process(*decoder, cli.seconds, seed).unwrap_or_else(|error| {
                        println!("FAILED {}: {error:#}", decoder.name());
                        false
                    });
                    if !good && let Ok(mut bad) = bad.lock() {
                        bad.push(decoder.name());
                    }
                    // Shown as it comes, also through a pipe.
                    let _ = std::io::stdout().flush();
                }
            });
        }
    });
    let bad = bad.into_inner().unwrap_or_default();
    match bad.as_slice() {
        [] => println!("clean: {} decoders", chosen.len()),
        bad => println!("FAILED: {}", bad.join(", ")),
    }
    Ok(bad.is_empty())
}

fn process(decoder: Decoder, seconds: u64, seed: u64) -> Result<bool> {
    let slot = std::env::temp_dir().join(format!("wire-fuzz-{}-{}", std::process::id(), decoder.name()));
    let name = decoder.name();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--only", &name, "--seconds", &seconds.to_string(), "--seed", &seed.to_string()]);
    let Output { status, stdout, stderr } = command.arg("--slot").arg(&slot).stdin(Stdio::null()).output()?;
    print!("{}", String::from_utf8_lossy(&stdout));
    let ended = status.code().is_some();
    if ended {
        print!("{}", String::from_utf8_lossy(&stderr));
    } else {
        let input = worker::last_input(&slot)?;
        let said = String::from_utf8_lossy(&stderr);
        let said = said.lines().find(|line| !line.is_empty()).unwrap_or("nothing was said");
        // In processes of their own, since each try may end one.
        let least = minimise::minimise(&input, 400, |less| dies(decoder, less, &slot));
        let path = corpus::write_failure(decoder, &least)?;
        println!("FAILED {name}: the process ended with {status}: {said}\n  {}", path.display());
        println!("  {}", least.escape_ascii());
    }
    fs::remove_file(&slot)?;
    Ok(status.success())
}

/// Whether a process that runs this input dies.
fn dies(decoder: Decoder, input: &[u8], slot: &Path) -> bool {
    let file = slot.with_extension("try");
    let died = || -> Result<bool> {
        fs::write(&file, input)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--only", &decoder.name(), "--replay"]).arg(&file);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        fs::remove_file(&file)?;
        Ok(status.code().is_none())
    };
    died().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fixtures and all that fuzzing ever found, in every decoder.
    #[test]
    fn the_corpus_is_clean() {
        let fixtures = corpus::fixtures().unwrap();
        assert!(fixtures.len() > 50, "{} fixtures", fixtures.len());
        let mut features = Features::default();
        for decoder in Decoder::all() {
            for input in fixtures.iter().chain(&corpus::kept(decoder).unwrap()) {
                if let Err(failure) = case::run(decoder, input, &mut features) {
                    panic!("{}: {failure}\n{}", decoder.name(), input.escape_ascii());
                }
            }
        }
    }
}
