//! What is measured, in which order.

use crate::backlog::{Backlog, Large, backlog, large_trace};
use crate::client::Client;
use crate::corpus::{Call, Script, Texts};
use crate::house::House;
use crate::memory::{Memory, Watch};
use crate::otlp::{SPANS, request, trace_id};
use crate::proc;
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::Args;
use hanok_stats::percentile;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// Calls of one request: what exporters send at once is 512 spans.
pub(crate) const BATCH: usize = 256;
/// Requests that are made, then sent, so that making them is not measured.
const BLOCK: usize = 40;
/// Senders.
const CONNECTIONS: usize = 4;
/// Calls that are looked for while others are sent.
const MARKERS: u64 = 40;

/// What stands behind the `?` of an address.
type Parameters = &'static [(&'static str, &'static str)];

/// The questions, as people write them: a name, and the path that asks it.
const QUESTIONS: [(&str, &str, Parameters); 12] = [
    ("newest failures", "/api/traces", &[("filter", "status:error")]),
    ("a model's dear calls", "/api/traces", &[("filter", "model:gpt-5* cost>0.002")]),
    ("a user's last 7 days", "/api/traces", &[("filter", "user:user-77 since:7d")]),
    ("a tag at a provider", "/api/traces", &[("filter", "tag:tag-3 provider:anthropic")]),
    ("slow and not failed", "/api/traces", &[("filter", "duration>3s status:ok since:14d")]),
    ("a common word", "/api/traces", &[("filter", "cells")]),
    ("rare words together", "/api/traces", &[("filter", "boundary layer heat transfer")]),
    ("a Korean word of a model", "/api/traces", &[("filter", "금융 provider:openai")]),
    ("models over time", "/api/stats", &[("by", "model"), ("buckets", "60")]),
    ("dearest users", "/api/stats", &[("by", "user"), ("rank", "cost")]),
    ("models by end, one provider", "/api/stats", &[("by", "model,status"), ("filter", "provider:openai")]),
    ("tags of long answers", "/api/stats", &[("by", "tag"), ("filter", "output>200"), ("buckets", "30")]),
];

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The binary to measure
    #[arg(long, value_name = "FILE")]
    pub(crate) hanok: PathBuf,
    /// Folder of the collections that the texts are taken from
    #[arg(long, value_name = "DIR", default_value = "../shared/data/retrieval")]
    pub(crate) texts: PathBuf,
    /// Spans at which everything is measured, ascending
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    pub(crate) spans: Vec<u64>,
    /// A tenth of the corpus, 10,000 spans at most and few rounds: to see that all of it works
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only the corpus and its place on the disk
    #[arg(long)]
    pub(crate) disk_only: bool,
    /// Leave the corpus in this new folder, to be looked into
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// How often each question is asked
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) rounds: usize,
    /// Go before other programs of a shared machine: niceness, below 0 as root only
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) nice: Option<i8>,
    /// Write how figures grow with the number of spans as a chart, SVG
    #[arg(long, value_name = "FILE")]
    pub(crate) chart: Option<PathBuf>,
    /// Write all figures as one JSON document
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// All figures.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) machine_load: Option<f64>,
    pub(crate) quick: bool,
    pub(crate) disk: Disk,
    pub(crate) sizes: Vec<AtSize>,
    /// At the largest size.
    pub(crate) backlog: Option<Backlog>,
    pub(crate) large: Option<Large>,
}

/// The corpus on the disk, everything counted.
#[derive(Debug, Serialize)]
pub(crate) struct Disk {
    pub(crate) spans: u64,
    pub(crate) bytes: u64,
    /// Of these, the full-text index.
    pub(crate) index_bytes: u64,
    /// Unique messages.
    pub(crate) text_bytes: u64,
    /// The same in one stream of zstd, level 3.
    pub(crate) packed_text_bytes: u64,
    /// Bytes a span beyond that.
    pub(crate) beyond: f64,
}

/// What is seen with so many spans stored.
#[derive(Debug, Serialize)]
pub(crate) struct AtSize {
    pub(crate) spans: u64,
    pub(crate) request_bytes_per_span: f64,
    pub(crate) spans_per_second: f64,
    pub(crate) cpu_us_per_span: f64,
    /// While spans were taken in and indexed.
    pub(crate) memory: Memory,
    /// From the answer to a request until a filter finds its spans, others being sent; p99.
    pub(crate) visible_ms_p99: f64,
    /// From the last answer until every message is in the full-text index.
    pub(crate) indexed_s: f64,
    pub(crate) disk_bytes_per_span: f64,
    pub(crate) questions: Vec<Question>,
    pub(crate) idle_percent: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Question {
    pub(crate) name: &'static str,
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
}

pub(crate) fn run(options: &Options) -> Result<Results> {
    if let Some(nice) = options.nice {
        proc::be_nice(nice)?;
    }
    let texts = Texts::read(&options.texts)?;
    let machine_load = proc::machine_load();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let disk = disk(options, &texts).await?;
        let mut results = Results {
            machine_load,
            quick: options.quick,
            disk,
            sizes: Vec::new(),
            backlog: None,
            large: None,
        };
        if !options.disk_only {
            growth(options, &texts, &mut results).await?;
        }
        Ok(results)
    })
}

/// Where the corpus goes.
enum Folder {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    fn new(keep: Option<&Path>) -> Result<Self> {
        let Some(folder) = keep else { return Ok(Self::Temporary(tempfile::tempdir()?)) };
        ensure!(!folder.exists(), "{} is there already", folder.display());
        std::fs::create_dir_all(folder)?;
        Ok(Self::Kept(folder.canonicalize()?))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(folder) => folder,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

async fn disk(options: &Options, texts: &Texts) -> Result<Disk> {
    let share = if options.quick { 10 } else { 1 };
    let (conversations, singles) = (1_000 / share, 20_000 / share);
    let folder = Folder::new(options.keep.as_deref())?;
    let house = House::start(&options.hanok, folder.path())?;
    let mut client = Client::connect(house.address).await?;
    let mut script = Script::new(texts, conversations * 10 + singles, now_ns());
    let (mut unique, mut text, mut calls) = (HashSet::new(), Vec::new(), 0);
    let mut batch = Vec::new();
    for number in 0..conversations + singles {
        if number < conversations {
            batch.append(&mut script.conversation());
        } else {
            batch.push(script.single());
        }
        if batch.len() >= BATCH || number + 1 == conversations + singles {
            for (_, said) in batch.iter().flat_map(|call| &call.messages) {
                if unique.insert(said.clone()) {
                    text.extend_from_slice(said.as_bytes());
                }
            }
            client.send(&Bytes::from(request(&batch))).await?;
            calls += batch.len() as u64;
            batch.clear();
        }
    }
    house.indexed(&mut client).await?;
    drop(client);
    let (bytes, index_bytes) = house.stop()?;
    let packed = zstd::bulk::compress(&text, 3)?.len() as u64;
    let spans = calls * SPANS;
    Ok(Disk {
        spans,
        bytes,
        index_bytes,
        text_bytes: text.len() as u64,
        packed_text_bytes: packed,
        beyond: (float(bytes) - float(packed)) / float(spans),
    })
}

async fn growth(options: &Options, texts: &Texts, results: &mut Results) -> Result<()> {
    let mut sizes = options.spans.clone();
    sizes.sort_unstable();
    if options.quick {
        sizes = vec![sizes.first().copied().unwrap_or(10_000).min(10_000)];
    }
    let most = sizes.last().copied().context("no sizes")?;
    let folder = tempfile::tempdir()?;
    let house = House::start(&options.hanok, folder.path())?;
    let mut script = Script::new(texts, most / SPANS + MARKERS, now_ns());
    let rounds = if options.quick { 5 } else { options.rounds };
    let mut stored = 0;
    for spans in sizes {
        let watch = Watch::over(house.pid());
        let sent = fill(&house, &mut script, stored, spans).await?;
        stored = spans;
        let mut client = Client::connect(house.address).await?;
        let indexed = house.indexed(&mut client).await?;
        let memory = watch.most()?;
        let disk = house.bytes()?;
        let questions = questions(&mut client, rounds).await?;
        // What is left to do in quiet is done first.
        tokio::time::sleep(Duration::from_secs(8)).await;
        let (quiet, before) =
            (Duration::from_secs(if options.quick { 5 } else { 30 }), proc::cpu(house.pid())?);
        tokio::time::sleep(quiet).await;
        let idle = proc::cpu(house.pid())?.saturating_sub(before).as_secs_f64() / quiet.as_secs_f64();
        results.sizes.push(AtSize {
            spans,
            request_bytes_per_span: float(sent.bytes) / float(sent.spans),
            spans_per_second: float(sent.spans) / sent.wall.as_secs_f64(),
            cpu_us_per_span: sent.cpu.as_secs_f64() * 1e6 / float(sent.spans),
            memory,
            visible_ms_p99: percentiles(&sent.visible_ms, [99.0])[0],
            indexed_s: indexed.as_secs_f64(),
            disk_bytes_per_span: float(disk) / float(spans),
            questions,
            idle_percent: idle * 100.0,
        });
    }
    results.backlog = Some(backlog(&house, &mut script).await?);
    results.large = Some(large_trace(&house, &mut script, rounds).await?);
    house.stop()?;
    Ok(())
}

#[derive(Default)]
struct Sent {
    spans: u64,
    bytes: u64,
    wall: Duration,
    cpu: Duration,
    visible_ms: Vec<f64>,
}

/// Sends single calls until so many spans are stored.
async fn fill(house: &House, script: &mut Script<'_>, stored: u64, spans: u64) -> Result<Sent> {
    let mut sent = Sent::default();
    let mut left = spans.saturating_sub(stored) / SPANS;
    while left > 0 {
        let mut block = Vec::new();
        while left > 0 && block.len() < BLOCK {
            let count = left.min(BATCH as u64);
            let calls: Vec<Call> = (0..count).map(|_| script.single()).collect();
            block.push(Bytes::from(request(&calls)));
            left -= count;
            sent.spans += count * SPANS;
        }
        sent.bytes += block.iter().map(|request| request.len() as u64).sum::<u64>();
        let marked = (left == 0).then(|| (0..MARKERS).map(|_| script.single()).collect::<Vec<_>>());
        let (began, cpu) = (Instant::now(), proc::cpu(house.pid())?);
        let sending = send_all(house.address, block);
        if let Some(calls) = marked {
            let (done, visible) = tokio::join!(timed(sending), markers(house.address, &calls));
            sent.wall += done?;
            sent.visible_ms = visible?;
        } else {
            sending.await?;
            sent.wall += began.elapsed();
        }
        sent.cpu += proc::cpu(house.pid())?.saturating_sub(cpu);
    }
    Ok(sent)
}

async fn timed(work: impl Future<Output = Result<()>>) -> Result<Duration> {
    let began = Instant::now();
    work.await?;
    Ok(began.elapsed())
}

pub(crate) async fn send_all(address: SocketAddr, block: Vec<Bytes>) -> Result<()> {
    let mut senders = tokio::task::JoinSet::new();
    for first in 0..CONNECTIONS {
        let requests: Vec<Bytes> = block.iter().skip(first).step_by(CONNECTIONS).cloned().collect();
        senders.spawn(async move {
            let mut client = Client::connect(address).await?;
            for request in &requests {
                client.send(request).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = senders.join_next().await {
        done??;
    }
    Ok(())
}

/// Sends calls one by one and looks for each by a filter; milliseconds from the answer until it is found.
async fn markers(address: SocketAddr, calls: &[Call]) -> Result<Vec<f64>> {
    let mut client = Client::connect(address).await?;
    let mut found = Vec::new();
    for call in calls {
        client.send(&Bytes::from(request(std::slice::from_ref(call)))).await?;
        found.push(visible_after(&mut client, call).await?);
    }
    Ok(found)
}

/// Looks for a call by a filter until it is found; milliseconds that took.
pub(crate) async fn visible_after(client: &mut Client, call: &Call) -> Result<f64> {
    let began = Instant::now();
    let path = path("/api/traces", &[("filter", &format!("id:{}", trace_id(call.number))), ("limit", "1")]);
    loop {
        let page: Value = serde_json::from_slice(&client.get(&path).await?.body)?;
        if page.pointer("/traces/0").is_some() {
            return Ok(began.elapsed().as_secs_f64() * 1e3);
        }
        ensure!(began.elapsed() < Duration::from_mins(1), "{path} finds nothing for a minute");
    }
}

async fn questions(client: &mut Client, rounds: usize) -> Result<Vec<Question>> {
    let newest: Value = serde_json::from_slice(&client.get("/api/traces?limit=1").await?.body)?;
    let newest = newest.pointer("/traces/0/trace_id").and_then(Value::as_str).context("no trace")?;
    let mut asked: Vec<(&'static str, String)> =
        QUESTIONS.iter().map(|(name, at, parameters)| (*name, path(at, parameters))).collect();
    asked.push(("page of traces", "/traces".to_owned()));
    asked.push(("page of a trace", format!("/traces/{newest}")));
    let mut questions = Vec::new();
    for (name, path) in asked {
        let mut times = Vec::new();
        for _ in 0..rounds {
            times.push(client.get(&path).await?.took.as_secs_f64() * 1e3);
        }
        let [p50_ms, p95_ms] = percentiles(&times, [50.0, 95.0]);
        questions.push(Question { name, p50_ms, p95_ms });
    }
    Ok(questions)
}

/// 0 of nothing.
pub(crate) fn percentiles<const N: usize>(times: &[f64], shares: [f64; N]) -> [f64; N] {
    shares.map(|share| percentile(times, share).unwrap_or(0.0))
}

fn path(at: &str, parameters: &[(&str, &str)]) -> String {
    let encoded: Vec<String> = parameters
        .iter()
        .map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    format!("{at}?{}", encoded.join("&"))
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}
