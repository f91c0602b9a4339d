//! What sums over calls cost: `cargo bench -p hanok-store --bench stats [-- CALLS [ROUNDS]]` stores so many calls
//! (1,000,000), each a trace of one span, and asks each question so often (20). Prints the time to store them, and of
//! each question the CPU time and the 50th and 95th percentile of the time it took.
#![expect(clippy::print_stdout, reason = "a bench reports on stdout")]

use hanok_base::{NanoDollars, SpanId, SpanStatus, Timestamp, TraceId, Usage};
use hanok_store::Dimension::{Error, Key, Model, Project, Prompt, Provider, Session, Status, Tag, User};
use hanok_store::{Dimension, Options, Rank, SpanRow, StatsQuery, Store, Summary, TraceBatch, TraceQuery};
use std::borrow::Cow;
use std::time::{Duration, Instant};

type AnyError = Box<dyn std::error::Error>;

const DAY: i64 = 86_400_000_000_000;
const BASE: i64 = 1_762_000_000_000_000_000;

fn main() -> Result<(), AnyError> {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let calls = numbers.first().copied().unwrap_or(1_000_000);
    let rounds = numbers.get(1).copied().unwrap_or(20);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(run(calls, rounds))
}

async fn run(calls: u64, rounds: u64) -> Result<(), AnyError> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path(), Options::default())?;
    let began = Instant::now();
    let mut dice = Dice(7);
    for first in (0..calls).step_by(100) {
        let batches: Vec<TraceBatch> =
            (first..(first + 100).min(calls)).map(|number| call(number, calls, &mut dice)).collect();
        store.admit().await?.submit(Box::new(move || batches), 50_000, None);
        if first % 2_000 == 0 {
            store.flush().await?;
        }
    }
    store.flush().await?;
    let per_call = cpu().as_secs_f64() * 1e6 / f64::from(u32::try_from(calls)?);
    println!(
        "{calls} calls stored in {:.1} s, {per_call:.2} µs of CPU a call",
        began.elapsed().as_secs_f64()
    );
    let since =
        |days: i64| TraceQuery { since: Some(Timestamp(BASE + (30 - days) * DAY)), ..TraceQuery::default() };
    let ask = |group_by: &[Dimension]| StatsQuery {
        group_by: group_by.to_vec(),
        limit: 20,
        buckets: 30,
        ..StatsQuery::default()
    };
    let questions: Vec<(&str, StatsQuery)> = vec![
        ("everything, over time", ask(&[])),
        ("by model", ask(&[Model])),
        ("by provider and status", ask(&[Provider, Status])),
        ("by key", ask(&[Key])),
        ("by user, ranked by cost", StatsQuery { rank: Rank::Cost, ..ask(&[User]) }),
        ("by session, ranked by tokens", StatsQuery { rank: Rank::Tokens, ..ask(&[Session]) }),
        ("by prompt and model", ask(&[Prompt, Model])),
        ("by tag", ask(&[Tag])),
        ("by project and user", ask(&[Project, User])),
        (
            "by error, failed ones",
            StatsQuery {
                filter: TraceQuery { failed: Some(true), ..TraceQuery::default() },
                ..ask(&[Error])
            },
        ),
        ("by model, last 7 days", StatsQuery { filter: since(7), ..ask(&[Model]) }),
        (
            "by user, one model",
            StatsQuery {
                filter: TraceQuery { models: vec!["model-3*".into()], ..TraceQuery::default() },
                ..ask(&[User])
            },
        ),
    ];
    for (name, query) in questions {
        let mut times = Vec::new();
        let before = cpu();
        for _ in 0..rounds {
            let began = Instant::now();
            let found = store.traces().stats(query.clone()).await?;
            times.push(began.elapsed());
            assert!(found.total.sums.calls > 0, "{name}");
        }
        times.sort();
        let at = |share: usize| times.get(times.len() * share / 100).or(times.last()).copied();
        let ms = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64() * 1e3;
        let used = ms(Some(cpu().saturating_sub(before))) / f64::from(u32::try_from(rounds)?);
        println!("{name:<30} CPU {used:>7.1} ms  p50 {:>7.1} ms  p95 {:>7.1} ms", ms(at(50)), ms(at(95)));
    }
    println!("resident {:.1} MB", resident());
    store.close();
    Ok(())
}

fn call(number: u64, calls: u64, dice: &mut Dice) -> TraceBatch {
    let at = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let start = Timestamp(BASE + at(number) * (30 * DAY / at(calls)) + at(dice.roll(1_000_000_000)));
    let model = dice.skewed(12);
    let failed = dice.roll(40) == 0;
    let (input, output) = (dice.roll(6_000), dice.roll(900));
    let span = SpanRow {
        span_id: SpanId::from_bytes((number + 1).to_be_bytes()),
        parent_id: None,
        name: "chat".into(),
        operation: Cow::Borrowed("chat"),
        start,
        duration_ns: at((1 + dice.roll(3_000)) * (1 + dice.roll(3_000)) * 1_000),
        status: if failed { SpanStatus::Error("overloaded".into()) } else { SpanStatus::Ok },
        counted: true,
        model: Some(format!("model-{model}")),
        provider: Some(format!("provider-{}", model % 4)),
        usage: Usage {
            input: Some(input),
            output: Some(output),
            cached_input: (dice.roll(2) == 0).then_some(input / 2),
            reasoning: (dice.roll(3) == 0).then_some(output / 3),
            ..Usage::default()
        },
        cost: (model != 11).then(|| NanoDollars(at(input * 250 + output * 2_000))),
        ttft_ns: (dice.roll(2) == 0).then(|| at(dice.roll(2_000_000) * 1_000)),
        attributes: Vec::new(),
        bodies: Vec::new(),
    };
    let summary = Summary {
        rooted: true,
        name: "chat".into(),
        operation: Cow::Borrowed("chat"),
        status: span.status.clone(),
        model: span.model.clone(),
        provider: span.provider.clone(),
        key_name: Some(format!("key-{}", dice.skewed(40))),
        key_id: None,
        project: Some(format!("project-{}", dice.skewed(5))),
        session: Some(format!("session-{}", number / 10)),
        user: Some(format!("user-{}", dice.skewed(20_000))),
        tags: (0..dice.roll(3)).map(|_| format!("tag-{}", dice.skewed(30))).collect(),
        prompt: (dice.roll(2) == 0).then(|| format!("prompt-{}@3", dice.skewed(20))),
        source: None,
        made_of: Vec::new(),
        ttft_ns: span.ttft_ns,
        input_preview: None,
        output_preview: None,
    };
    TraceBatch {
        kept: true,
        trace_id: TraceId::from_bytes((u128::from(number) + 1).to_be_bytes()),
        summary,
        spans: vec![span],
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % sides
    }

    /// Low numbers more often.
    fn skewed(&mut self, sides: u64) -> u64 {
        self.roll(sides).min(self.roll(sides))
    }
}

/// CPU that this process has used, by the kernel's own count per thread.
fn cpu() -> Duration {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Duration::ZERO };
    let nanos = tasks.flatten().filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// Megabytes of memory that this process holds.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u32>().ok()).unwrap_or(0);
    f64::from(pages) * 4096.0 / 1e6
}
