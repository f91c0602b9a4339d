//! What is measured, in which order: every cell for every target, round by round, so that what else the
//! machine does falls on all of them alike.

use crate::load::{Kind, Load, Numbers, Seen, Until, block_on};
use crate::proc;
use crate::target::{self, Setup, Target, What};
use anyhow::{Context, Result, ensure};
use clap::Args;
use hanok_stats::percentile;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The binary to measure
    #[arg(long, value_name = "FILE")]
    pub(crate) hanok: PathBuf,
    /// Seconds of each cell
    #[arg(long, value_name = "N", default_value_t = 4.0)]
    pub(crate) secs: f64,
    /// How often each cell is measured; the best counts
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Numbers of connections
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [1, 16, 64])]
    pub(crate) connections: Vec<usize>,
    /// Requests behind which memory is looked at again [default: 100000, with --long 1000000]
    #[arg(long, value_name = "N")]
    pub(crate) requests: Option<u64>,
    /// Streams among which stalls are looked for [default: 10000, with --long 100000]
    #[arg(long, value_name = "N")]
    pub(crate) streams: Option<u64>,
    /// Ten times the requests and the streams
    #[arg(long)]
    pub(crate) long: bool,
    /// Milliseconds between the chunks of paced streams
    #[arg(long, value_name = "MS", default_value_t = 5)]
    pub(crate) chunk_delay_ms: u64,
    /// Go before other programs of a shared machine: niceness, below 0 as root only
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) nice: Option<i8>,
    /// Write all figures as one JSON document
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl Options {
    pub(crate) fn requests(&self) -> u64 {
        self.requests.unwrap_or(if self.long { 1_000_000 } else { 100_000 })
    }

    pub(crate) fn streams(&self) -> u64 {
        self.streams.unwrap_or(if self.long { 100_000 } else { 10_000 })
    }

    /// Connections at which what is not about concurrency is measured.
    pub(crate) fn usual(&self) -> usize {
        let most = self.connections.iter().copied().filter(|count| *count <= 16).max();
        most.or_else(|| self.connections.iter().copied().min()).unwrap_or(1)
    }

    fn cells(&self) -> Vec<(Kind, usize)> {
        let json = self.connections.iter().map(|count| (Kind::Json, *count));
        let stream = self.connections.iter().filter(|count| **count <= self.usual());
        let stream = stream.map(|count| (Kind::Stream, *count));
        json.chain(stream).chain([(Kind::Paced(self.chunk_delay_ms), self.usual())]).collect()
    }
}

/// Times in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Spread {
    fn of(times: &[f64]) -> Option<Self> {
        let at = |p| percentile(times, p);
        Some(Self { p50: at(50.0)?, p99: at(99.0)?, max: at(100.0)? })
    }
}

/// One cell of one round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) target: &'static str,
    /// `json`, `stream`, `paced`.
    pub(crate) kind: &'static str,
    pub(crate) connections: usize,
    pub(crate) round: usize,
    pub(crate) requests: u64,
    pub(crate) per_second: f64,
    /// Processor time of the target's processes per request, in microseconds.
    pub(crate) cpu: Option<f64>,
    /// Resident memory behind the load, connections still open, in bytes.
    pub(crate) resident: Option<u64>,
    /// Until the last byte.
    pub(crate) whole: Option<Spread>,
    /// Until the first byte of the body; streams only.
    pub(crate) first: Option<Spread>,
    /// From a chunk's writing to its arrival; paced streams only.
    pub(crate) late: Option<Spread>,
    /// Between arrivals; paced streams only.
    pub(crate) gap: Option<Spread>,
    /// The longest wait for a piece, in microseconds.
    pub(crate) longest: f64,
    /// Waits of 40 ms or more; not counted for paced streams.
    pub(crate) stalls: u64,
}

/// What is measured once for each target.
#[derive(Debug, Serialize)]
pub(crate) struct Once {
    pub(crate) target: &'static str,
    /// Whether a key with a budget stood in the calls.
    pub(crate) key: bool,
    /// From start to first answer, in seconds.
    pub(crate) start: Option<f64>,
    /// Resident memory a second behind the first answer, in bytes.
    pub(crate) idle: Option<u64>,
    /// What memory grew by over the many requests at the end, in bytes.
    pub(crate) growth: Option<i64>,
    /// Streams one after another, on one connection.
    pub(crate) streams: Option<Figure>,
}

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) processors: usize,
    /// Runnable tasks over the minute before.
    pub(crate) load_before: Option<f64>,
    pub(crate) secs: f64,
    pub(crate) rounds: usize,
    pub(crate) chunk_delay_ms: u64,
    /// Requests of the look at memory.
    pub(crate) requests: u64,
    /// Streams of the look for stalls.
    pub(crate) streams: u64,
    /// Where most things are measured.
    pub(crate) usual_connections: usize,
    pub(crate) once: Vec<Once>,
    pub(crate) figures: Vec<Figure>,
}

/// Measures all of it.
pub(crate) fn run(options: &Options) -> Result<Results> {
    ensure!(options.rounds > 0 && options.secs > 0.0, "--rounds and --secs begin at something");
    ensure!(options.connections.iter().all(|count| *count > 0), "--connections begin at 1");
    let load_before = proc::machine_load();
    if let Some(nice) = options.nice {
        proc::be_nice(nice)?;
    }
    let folder = tempfile::Builder::new().prefix("gateway-bench").tempdir()?;
    let (_mock, mock) = target::mock().context("starting the mock")?;
    let setup = Setup { mock, folder: folder.path().into(), starts: 5, chunk_delay: options.chunk_delay_ms };
    let mut targets = Vec::new();
    for what in programs(options) {
        say(&format!("starting {}", what.name()));
        targets.push(Target::start(what, &setup)?);
    }
    std::thread::sleep(Duration::from_secs(1));
    let mut once = targets.iter().map(first_look).collect::<Result<Vec<_>>>()?;
    let bench = Bench { mock, numbers: Numbers::default() };
    let figures = block_on(async {
        let mut figures = Vec::new();
        for round in 0..options.rounds {
            for (kind, connections) in options.cells() {
                say(&format!(
                    "round {} of {}: {kind:?}, {connections} connections",
                    round + 1,
                    options.rounds
                ));
                let until = Until::Time(Duration::from_secs_f64(options.secs));
                let order = targets.iter().cycle().skip(round % targets.len()).take(targets.len());
                for target in order {
                    figures.push(bench.cell(target, kind, connections, round, until).await?);
                }
            }
        }
        for (target, once) in targets.iter().zip(&mut once) {
            bench.last_look(target, once, options).await?;
        }
        anyhow::Ok(figures)
    })?;
    Ok(Results {
        processors: std::thread::available_parallelism()?.get(),
        load_before,
        secs: options.secs,
        rounds: options.rounds,
        chunk_delay_ms: options.chunk_delay_ms,
        requests: options.requests(),
        streams: options.streams(),
        usual_connections: options.usual(),
        once,
        figures,
    })
}

fn programs(options: &Options) -> Vec<What> {
    let mut programs = vec![What::Direct, What::Floor];
    let mut probe = Command::new("haproxy");
    match probe.arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => programs.push(What::Haproxy),
        _ => say("haproxy is not installed: its column is left out"),
    }
    let program = options.hanok.clone();
    programs.push(What::Hanok { program: program.clone(), full: true });
    programs.push(What::Hanok { program, full: false });
    programs
}

fn first_look(target: &Target) -> Result<Once> {
    Ok(Once {
        target: target.what.name(),
        key: target.has_key,
        start: target.start.map(|time| time.as_secs_f64()),
        idle: target.pid().map(proc::resident).transpose()?,
        growth: None,
        streams: None,
    })
}

struct Bench {
    mock: SocketAddr,
    numbers: Numbers,
}

impl Bench {
    async fn cell(
        &self,
        target: &Target,
        kind: Kind,
        connections: usize,
        round: usize,
        until: Until,
    ) -> Result<Figure> {
        let name = target.what.name();
        let measure = async {
            let (asked, given) = (target::count(self.mock)?, self.numbers.given());
            let mut load = Load::open(&target.door, connections).await?;
            load.put(kind, Until::Time(Duration::from_millis(300)), &self.numbers).await?;
            let before = settled(target).await?;
            let seen = load.put(kind, until, &self.numbers).await?;
            let after = settled(target).await?;
            let resident = target.pid().map(proc::resident).transpose()?;
            let (asked, given) = (target::count(self.mock)? - asked, self.numbers.given() - given);
            ensure!(asked == given, "{given} requests were sent, and {asked} reached the mock");
            let used = before.zip(after).map(|(before, after)| after.saturating_sub(before));
            anyhow::Ok(figure(name, kind, connections, round, &seen, used, resident))
        };
        measure.await.with_context(|| format!("{name}, {kind:?}, {connections} connections"))
    }

    /// Memory over many requests, and stalls among many streams.
    async fn last_look(&self, target: &Target, once: &mut Once, options: &Options) -> Result<()> {
        let hanok = matches!(target.what, What::Hanok { full: true, .. });
        if !hanok && target.what != What::Floor {
            return Ok(());
        }
        let name = target.what.name();
        say(&format!("{name}: {} streams one after another", options.streams()));
        let until = Until::Requests(options.streams());
        once.streams = Some(self.cell(target, Kind::Stream, 1, 0, until).await?);
        if let (true, Some(pid)) = (hanok, target.pid()) {
            say(&format!("{name}: memory over {} requests", options.requests()));
            let rest = || tokio::time::sleep(Duration::from_secs(2));
            rest().await;
            let before = i64::try_from(proc::resident(pid)?)?;
            self.cell(target, Kind::Json, options.usual(), 0, Until::Requests(options.requests())).await?;
            rest().await;
            once.growth = Some(i64::try_from(proc::resident(pid)?)? - before);
        }
        Ok(())
    }
}

/// Processor time once nothing is done any more: what is written behind an answer belongs to it.
async fn settled(target: &Target) -> Result<Option<Duration>> {
    let Some(pid) = target.pid() else { return Ok(None) };
    let begun = Instant::now();
    let mut last = proc::cpu(pid)?;
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = proc::cpu(pid)?;
        if now == last || begun.elapsed() > Duration::from_secs(3) {
            return Ok(Some(now));
        }
        last = now;
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^52")]
fn figure(
    target: &'static str,
    kind: Kind,
    connections: usize,
    round: usize,
    seen: &Seen,
    used: Option<Duration>,
    resident: Option<u64>,
) -> Figure {
    let requests = seen.requests as f64;
    Figure {
        target,
        kind: match kind {
            Kind::Json => "json",
            Kind::Stream => "stream",
            Kind::Paced(_) => "paced",
        },
        connections,
        round,
        requests: seen.requests,
        per_second: requests / seen.seconds,
        cpu: used.map(|used| used.as_secs_f64() * 1e6 / requests),
        resident,
        whole: Spread::of(&seen.whole),
        first: Spread::of(&seen.first),
        late: Spread::of(&seen.late),
        gap: Spread::of(&seen.gaps),
        longest: seen.longest,
        stalls: seen.stalls,
    }
}

fn say(line: &str) {
    eprintln!("{line}");
}
