//! What removing traces costs those who write meanwhile: the writer's lag with and without it, and the time for
//! each trace.
//!
//! `cargo bench -p hanok-store --bench retain [-- TRACES [PER_SECOND]]`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reports on stdout, and ends where it fails"
)]

use hanok_base::{NanoDollars, SpanId, SpanStatus, Timestamp, TraceId, Usage};
use hanok_store::{Aged, Options, Slot, SpanRow, Store, Summary, TraceBatch};
use std::borrow::Cow;
use std::time::{Duration, Instant};

const SECONDS: u64 = 6;

fn trace(number: u64) -> TraceBatch {
    let body = |at: u64| {
        let words = (0..90_u64).map(|word| ((number * 31 + at) * 7_919 + word * word * 13) % 5_000);
        words.flat_map(|word| format!("word{word} ").into_bytes()).collect::<Vec<u8>>()
    };
    let span = |id: u8, parent: Option<u8>, bodies| SpanRow {
        span_id: SpanId::from_bytes([id; 8]),
        parent_id: parent.map(|id| SpanId::from_bytes([id; 8])),
        name: "chat gpt-5-mini".into(),
        operation: Cow::Borrowed("chat"),
        start: Timestamp::now(),
        duration_ns: 1_000_000,
        status: SpanStatus::Ok,
        counted: parent.is_some(),
        model: Some("gpt-5-mini".into()),
        provider: Some("openai".into()),
        usage: Usage { input: Some(100), output: Some(20), ..Usage::default() },
        cost: Some(NanoDollars(1_000)),
        ttft_ns: None,
        attributes: vec![("gen_ai.response.id".into(), format!("chatcmpl-{number}").into())],
        bodies,
    };
    let system = b"{\"role\":\"system\",\"parts\":[]}".to_vec();
    let bodies = vec![(Slot::Input, system), (Slot::Input, body(1)), (Slot::Output, body(2))];
    TraceBatch {
        trace_id: TraceId::timely(),
        summary: Summary {
            rooted: true,
            name: "chat".into(),
            operation: Cow::Borrowed("gateway"),
            status: SpanStatus::Ok,
            model: None,
            provider: None,
            key_name: None,
            key_id: None,
            project: None,
            session: None,
            user: Some(format!("user {}", number % 100)),
            tags: Vec::new(),
            prompt: None,
            source: None,
            made_of: Vec::new(),
            ttft_ns: None,
            input_preview: Some("what was asked".into()),
            output_preview: Some("what was answered".into()),
        },
        spans: vec![span(1, None, Vec::new()), span(2, Some(1), bodies)],
        kept: true,
    }
}

/// Writes at this rate and gives the lags that were seen, in order.
async fn write(store: &Store, per_second: u64, from: u64) -> Vec<Duration> {
    let mut lags = Vec::new();
    let began = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let mut sent = 0;
    while began.elapsed() < Duration::from_secs(SECONDS) {
        tick.tick().await;
        let due = u64::try_from(began.elapsed().as_millis()).unwrap() * per_second / 1000;
        while sent < due {
            let number = from + sent;
            store.admit().await.unwrap().submit(Box::new(move || vec![trace(number)]), 2_000, None);
            sent += 1;
        }
        lags.push(store.health().lag);
    }
    lags.sort_unstable();
    lags
}

fn tell(what: &str, lags: &[Duration]) {
    let at = |share: usize| lags.get(lags.len() * share / 100).copied().unwrap_or_default();
    println!(
        "{what:<22} lag p50 {:>9.1?}  p99 {:>9.1?}  most {:>9.1?}",
        at(50),
        at(99),
        lags.last().copied().unwrap_or_default()
    );
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let (traces, per_second) = (numbers.next().unwrap_or(50_000), numbers.next().unwrap_or(500));
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        for number in 0..traces {
            store.admit().await.unwrap().submit(Box::new(move || vec![trace(number)]), 2_000, None);
            if number % 500 == 0 {
                store.flush().await.unwrap();
            }
        }
        store.flush().await.unwrap();
        let cutoff = Timestamp::now();
        println!("{traces} traces, {:?}", store.size().await.unwrap());
        tell("alone", &write(&store, per_second, traces).await);
        let (lags, (gone, took)) = tokio::join!(write(&store, per_second, 2 * traces), async {
            let began = Instant::now();
            let gone = store.removals().expire(&Aged::All, cutoff).await.unwrap();
            (gone, began.elapsed())
        });
        tell("while traces go", &lags);
        println!("{} traces went in {took:.1?}", gone.traces);
        let (lags, (gone, took)) = tokio::join!(write(&store, per_second, 3 * traces), async {
            let began = Instant::now();
            let gone = store.removals().sweep_loose().await.unwrap();
            (gone, began.elapsed())
        });
        tell("while bodies go", &lags);
        println!("{gone} bodies went in {took:.1?}; {:?}", store.size().await.unwrap());
    });
}
