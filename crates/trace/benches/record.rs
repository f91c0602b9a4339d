//! What recording a call costs: two spans (gateway, chat), a system prompt that repeats, a prompt and an
//! answer that do not, charged to three accounts.
//!
//! `cargo bench -p hanok-trace --bench record [-- KIND] [CALLS [CALLS_PER_SECOND [BYTES]]]`: KIND is `whole` (an
//! answer in one piece), `stream` (in 50 chunks) or `conversation` (20 turns, each call with all turns before
//! it); 0 a second is as fast as it goes; BYTES is the length of each text, 500 where not said. Prints CPU time
//! of the whole process per call (making the calls and handing them over included, and shown apart) and bytes
//! on disk.
#![expect(clippy::print_stdout, reason = "a bench reports on stdout")]

use bytes::Bytes;
use hanok_base::{
    CallContext, Caller, Charge, Dialect, Exchange, Operation, Recorder, ResponseBytes, Settlement, Spent,
};
use hanok_store::{Options, Store};
use hanok_trace::{Prices, TraceStore};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The binary's allocator: calls are made on one thread and taken apart on another, which costs more with others.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    let numbers: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let is = |kind: &str| std::env::args().any(|argument| argument == kind);
    let plan = Plan {
        kind: match () {
            () if is("stream") => Kind::Stream,
            () if is("conversation") => Kind::Conversation,
            () => Kind::Whole,
        },
        calls: numbers.first().copied().unwrap_or(100_000),
        rate: numbers.get(1).copied().filter(|rate| *rate > 0),
        bytes: numbers.get(2).map_or(500, |bytes| usize::try_from(*bytes).unwrap_or(500)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(run(&plan))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Stream,
    Conversation,
}

struct Plan {
    kind: Kind,
    calls: u32,
    rate: Option<u32>,
    bytes: usize,
}

const CHUNKS: usize = 50;
const TURNS: u32 = 20;

async fn run(plan: &Plan) -> Result<(), AnyError> {
    let Plan { kind, calls, rate, bytes } = *plan;
    let folder = tempfile::tempdir()?;
    let bare = resident();
    let store = Store::open(folder.path(), Options::default())?;
    let idle = resident();
    let traces = TraceStore::new(store.clone(), Arc::new(Prices::builtin()));
    let mut words = Words(7);
    let system = format!(r#"{{"role":"system","content":"{}"}}"#, words.text(500));
    let caller = Arc::new(Caller {
        key_name: Some("laptop".into()),
        key_id: Some("key_1".into()),
        project: "shop".into(),
        base_url: "".into(),
        payloads: None,
    });
    let charges: Arc<[Charge]> = ["key:key_1", "project:shop", "model:gpt-5-mini"]
        .into_iter()
        .map(|account| Charge { account: account.into(), period: "2026-11".into() })
        .collect();
    let (began, before, mut plain) = (Instant::now(), cpu(), 0);
    let mut unique = 0;
    let mut messages = system.clone();
    for number in 0..calls {
        if kind != Kind::Conversation || number.is_multiple_of(TURNS) {
            messages.clone_from(&system);
        }
        let (prompt, answer) = (words.text(bytes), words.text(bytes));
        unique += prompt.len() + answer.len();
        write!(messages, r#",{{"role":"user","content":"{prompt}"}}"#)?;
        let response = if kind == Kind::Stream { stream(number, &answer) } else { whole(number, &answer) };
        let cx = CallContext::new(traces.admit().await?, Arc::clone(&caller));
        cx.settle_with(Box::new(Bill(Arc::clone(&charges))));
        record(&cx, &messages, response);
        drop(cx);
        write!(messages, r#",{{"role":"assistant","content":"{answer}"}}"#)?;
        if let Some(rate) = rate
            && number % 10 == 9
        {
            let due = Duration::from_secs_f64(f64::from(number + 1) / f64::from(rate));
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        }
        if number + 1 == calls {
            plain = own_cpu();
        }
    }
    store.flush().await?;
    let (wall, spent) = (began.elapsed(), cpu() - before);
    let counts = store.traces().counts().await?;
    let resident = resident();
    store.close();
    let per_call = |nanos: u64| micros(nanos) / f64::from(calls);
    println!("calls                      {calls}");
    println!(
        "wall                       {:.2} s, {:.0} calls/s",
        wall.as_secs_f64(),
        f64::from(calls) / wall.as_secs_f64()
    );
    println!("CPU per call, whole        {:.1} µs", per_call(spent));
    println!(
        "  of it the caller's side  {:.1} µs (makes the texts, too)",
        per_call(plain.saturating_sub(before))
    );
    println!("  of it the writer's side  {:.1} µs", per_call(spent - plain.saturating_sub(before)));
    println!("file                       {} bytes, {} spans", counts.file_bytes, counts.spans);
    println!("  per call                 {:.0} bytes", ratio(counts.file_bytes, u64::from(calls)));
    println!(
        "  unique text per call     {:.0} bytes before compression",
        ratio(u64::try_from(unique)?, u64::from(calls))
    );
    let packed = packed_text(folder.path());
    println!(
        "  beyond packed text       {:.0} bytes per call",
        ratio(counts.file_bytes - packed, u64::from(calls))
    );
    let megabytes = |bytes: u64| micros(bytes) / 1e3;
    println!(
        "resident                   {:.1} MB without the store, {:.1} MB with it, {:.1} MB after the calls",
        megabytes(bare),
        megabytes(idle),
        megabytes(resident)
    );
    Ok(())
}

struct Bill(Arc<[Charge]>);

impl Settlement for Bill {
    fn charges(&self) -> &[Charge] {
        &self.0
    }
    fn settle(self: Box<Self>, _: Spent, _: &[Charge]) {}
}

/// One call as the gateway and a provider record it.
fn record(cx: &CallContext, messages: &str, response: ResponseBytes) {
    let streamed = matches!(response, ResponseBytes::Streamed(_));
    let mut root = cx.span(Operation::Gateway, "chat openai/gpt-5-mini");
    root.set("hanok.dialect", "openai-chat");
    root.set("hanok.key", "laptop");
    root.set("gen_ai.request.model", "openai/gpt-5-mini");
    root.set("hanok.stream", streamed);
    let mut chat = root.context().span(Operation::Chat, "chat gpt-5-mini");
    chat.set("gen_ai.provider.name", "openai");
    chat.set("gen_ai.request.model", "gpt-5-mini");
    chat.set("server.address", "api.openai.com");
    chat.set("server.port", 443);
    chat.set("hanok.stream", streamed);
    chat.set("http.response.status_code", 200);
    if streamed {
        chat.set("hanok.time_to_first_token_ms", 0.25);
        root.set("hanok.time_to_first_token_ms", 0.5);
    }
    let request =
        format!(r#"{{"model":"gpt-5-mini","temperature":0.2,"messages":[{messages}],"stream":{streamed}}}"#);
    chat.exchange(Exchange { dialect: Dialect::OpenAiChat, request: Bytes::from(request), response });
    chat.finish();
    root.set("gen_ai.provider.name", "openai");
    root.finish();
}

fn whole(number: u32, answer: &str) -> ResponseBytes {
    ResponseBytes::Whole(Bytes::from(format!(
        r#"{{"id":"chatcmpl-{number:029}","object":"chat.completion","created":1763634427,"model":"gpt-5-mini-2025-08-07","choices":[{{"index":0,"message":{{"role":"assistant","content":"{answer}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":212,"completion_tokens":103,"total_tokens":315,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_44709d6fcb"}}"#
    )))
}

/// An answer as it is streamed, a piece for each chunk, which share the memory they were read into.
fn stream(number: u32, answer: &str) -> ResponseBytes {
    let mut body = String::with_capacity(16 << 10);
    let mut ends = Vec::with_capacity(CHUNKS + 4);
    let mut chunk = |choices: &str, usage: &str| {
        body.push_str("data: ");
        let json = format!(
            r#"{{"id":"chatcmpl-{number:029}","object":"chat.completion.chunk","created":1763634427,"model":"gpt-5-mini-2025-08-07","service_tier":"default","system_fingerprint":"fp_44709d6fcb","choices":[{choices}],"usage":{usage}}}"#
        );
        body.push_str(&json);
        body.push_str("\n\n");
        ends.push(body.len());
    };
    let choice = |delta: &str, finish: &str| {
        format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}"#)
    };
    chunk(&choice(r#"{"role":"assistant","content":"","refusal":null}"#, "null"), "null");
    let mut rest = answer;
    for left in (1..=CHUNKS).rev() {
        let (text, more) = rest.split_at(rest.len() / left);
        chunk(&choice(&format!(r#"{{"content":"{text}"}}"#), "null"), "null");
        rest = more;
    }
    chunk(&choice("{}", r#""stop""#), "null");
    chunk("", r#"{"prompt_tokens":212,"completion_tokens":103,"total_tokens":315}"#);
    body.push_str("data: [DONE]\n\n");
    ends.push(body.len());
    let body = Bytes::from(body);
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let pieces = starts.zip(&ends).map(|(start, end)| body.slice(start..*end));
    ResponseBytes::Streamed(pieces.collect())
}

/// Text that packs about as well as prose does.
struct Words(u64);

impl Words {
    fn text(&mut self, bytes: usize) -> String {
        const SYLLABLES: &[&str] = &[
            "re", "fund", "or", "der", "pay", "ment", "ship", "cus", "to", "mer", "the", "of", "and", "in",
            "ter", "est", "con", "tract", "ing", "ed", "un", "able", "day", "week", "return", "policy", "a",
            "is", "not",
        ];
        let mut text = String::with_capacity(bytes + 16);
        while text.len() < bytes {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let at = usize::try_from(self.0 >> 33).unwrap_or(0);
            text.push_str(SYLLABLES.get(at % SYLLABLES.len()).unwrap_or(&""));
            if at.is_multiple_of(3) {
                text.push(' ');
            }
        }
        text
    }
}

/// Nanoseconds of CPU this process has used, by the kernel's own count per thread.
fn cpu() -> u64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return 0;
    };
    tasks.flatten().map(|task| schedstat(&task.path().join("schedstat"))).sum()
}

fn own_cpu() -> u64 {
    schedstat(std::path::Path::new("/proc/thread-self/schedstat"))
}

fn schedstat(path: &std::path::Path) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

/// Bytes of memory that this process holds.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn packed_text(folder: &std::path::Path) -> u64 {
    // Asked of the sqlite3 program when there is one: SQL is the store's.
    let output = std::process::Command::new("sqlite3")
        .arg(folder.join("hanok.db"))
        .arg("SELECT sum(length(body)) FROM packs")
        .output();
    let Ok(output) = output else { return 0 };
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
