//! Writes made-up records into a data folder, to look at: traces of many spans, wide and deep, and a month of
//! conversations. `cargo run -p hanok-store --example sample_records -- FOLDER/.hanok [SPANS [CONVERSATIONS]]`, then
//! `hanok up` in FOLDER.

use hanok_base::{NanoDollars, SpanId, SpanStatus, Timestamp, TraceId, Usage};
use hanok_store::{Options, Slot, SpanRow, Store, Summary, TraceBatch};
use std::borrow::Cow;
use std::error::Error;
use std::path::Path;

/// A shape: its name, and the parent of the nth span.
type Shape = (&'static str, fn(u64) -> Option<u64>);

const SHAPES: [Shape; 3] = [
    ("agent run", |n| n.checked_sub(1).map(|before| before / 12)),
    ("deep run", |n| n.checked_sub(1)),
    ("wide run", |n| (n > 0).then_some(0)),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: sample_records FOLDER/.hanok [SPANS [CONVERSATIONS]]")?;
    let spans: u64 = arguments.next().map_or(Ok(20_000), |text| text.parse())?;
    let conversations: u64 = arguments.next().map_or(Ok(200), |text| text.parse())?;
    std::fs::create_dir_all(&folder)?;
    let store = Store::open(Path::new(&folder), Options::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        for n in (0..conversations).rev() {
            let batches: Vec<TraceBatch> = (0..=n % 4).map(|turn| turn_of(n, turn)).collect();
            store.admit().await?.submit(Box::new(move || batches), 1_000, None);
        }
        for (number, shape) in (1_u128..).zip(SHAPES) {
            let batch = batch(number, shape, spans);
            store.admit().await?.submit(Box::new(move || vec![batch]), 1_000, None);
        }
        store.flush().await?;
        Ok::<(), Box<dyn Error>>(())
    })
}

fn batch(number: u128, (name, parent): Shape, spans: u64) -> TraceBatch {
    let now = Timestamp::now().0 - 120_000_000_000;
    let id = |n: u64| SpanId::from_bytes((n + 1).to_be_bytes());
    let kind = |n: u64| match n % 12 {
        0 => "invoke_agent",
        1 | 5 | 9 => "chat",
        3 => "retrieval",
        _ => "execute_tool",
    };
    let step = 60_000_000_000_i64 / i64::try_from(spans).unwrap_or(1).max(1);
    let rows = (0..spans).map(|n| {
        let operation = kind(n);
        let after = i64::try_from(n).unwrap_or(0) * step;
        let input =
            format!(r#"{{"role":"user","parts":[{{"type":"text","content":"step {n}: what is next?"}}]}}"#);
        SpanRow {
            span_id: id(n),
            parent_id: parent(n).map(id),
            name: format!("{operation} step-{}", n % 97),
            operation: Cow::Borrowed(operation),
            start: Timestamp(now + after),
            duration_ns: if n == 0 { 60_000_000_000 } else { step * i64::try_from(1 + n % 40).unwrap_or(1) },
            status: if n % 997 == 5 { SpanStatus::Error("429 rate limited".into()) } else { SpanStatus::Ok },
            counted: operation == "chat",
            model: (operation == "chat").then(|| "gpt-5-mini".to_owned()),
            provider: (operation == "chat").then(|| "openai".to_owned()),
            usage: Usage { input: Some(400 + n % 50), output: Some(20), ..Usage::default() },
            cost: (operation == "chat").then_some(NanoDollars(140_000)),
            ttft_ns: (operation == "chat").then_some(step / 2),
            attributes: vec![
                ("gen_ai.agent.name".into(), "triage".into()),
                ("step".into(), n.into()),
                ("gen_ai.request.temperature".into(), serde_json::json!(0.2)),
            ],
            bodies: if operation == "chat" { vec![(Slot::Input, input.into_bytes())] } else { Vec::new() },
        }
    });
    TraceBatch {
        kept: true,
        trace_id: TraceId::from_bytes((number << 64 | 0xa1).to_be_bytes()),
        summary: Summary {
            rooted: true,
            name: name.to_owned(),
            operation: Cow::Borrowed("invoke_agent"),
            status: SpanStatus::Ok,
            model: Some("gpt-5-mini".into()),
            provider: Some("openai".into()),
            key_name: None,
            key_id: None,
            project: None,
            made_of: Vec::new(),
            ttft_ns: None,
            input_preview: Some("An agent that took many steps".into()),
            output_preview: None,
            session: None,
            user: None,
            tags: Vec::new(),
            prompt: None,
            source: Some("triage-agent".into()),
        },
        spans: rows.collect(),
    }
}

const MODELS: [(&str, &str, i64); 4] = [
    ("claude-haiku-4-5", "anthropic", 2_400_000),
    ("gpt-5-mini", "openai", 900_000),
    ("gemini-2.5-flash", "google", 400_000),
    ("claude-sonnet-4-5", "anthropic", 9_000_000),
];

/// One of a few, round and round.
fn pick<T: Copy + Default>(of: &[T], n: u64) -> T {
    let at = usize::try_from(n).unwrap_or(0).checked_rem(of.len()).unwrap_or(0);
    of.get(at).copied().unwrap_or_default()
}

/// One turn of the nth conversation, `n` quarters of an hour or so ago.
fn turn_of(n: u64, turn: u64) -> TraceBatch {
    let (model, provider, cost) = pick(&MODELS, n * 7 / 3 % 5);
    let ago = i64::try_from(n * n % 2_900 * 893 + n * 60).unwrap_or(0) * 1_000_000_000;
    let start = Timestamp(
        Timestamp::now().0 - ago - 300_000_000_000 + i64::try_from(turn).unwrap_or(0) * 61_000_000_000,
    );
    let failed = n % 23 == 7 && turn == 0;
    let status = || if failed { SpanStatus::Error("429 rate limited".into()) } else { SpanStatus::Ok };
    let said = |role: &str, text: &str| {
        format!(r#"{{"role":"{role}","parts":[{{"type":"text","content":"{text}"}}]}}"#).into_bytes()
    };
    let questions = [
        "Order 48-2210 arrived damaged. Can we still refund it?",
        "선물 받은 사람이 자기 카드로 환불받을 수 있나요?",
        "What do I need from the customer?",
        "Thanks, write it to them.",
    ];
    let question = pick(&questions, turn);
    let answer = "**Yes.** An item that arrived damaged can be refunded up to 90 days after delivery.";
    let mut bodies: Vec<(Slot, Vec<u8>)> =
        vec![(Slot::Input, said("system", "Answer only from the numbered passages."))];
    for before in 0..turn {
        bodies.push((Slot::Input, said("user", pick(&questions, before))));
        bodies.push((Slot::Input, said("assistant", answer)));
    }
    bodies.push((Slot::Input, said("user", question)));
    if !failed {
        let answered = format!(
            r#"{{"role":"assistant","parts":[{{"type":"text","content":"{answer}"}}],"finish_reason":"stop"}}"#
        );
        bodies.push((Slot::Output, answered.into_bytes()));
    }
    let id = |k: u64| SpanId::from_bytes((0x5eed_0000_0000 + (n * 8 + turn) * 4 + k).to_be_bytes());
    let took = 900_000_000 + i64::try_from(n * 37 % 2_400).unwrap_or(0) * 1_000_000;
    let usage = Usage {
        input: Some(2_100 + n % 700),
        output: Some(160 + n % 90),
        cached_input: Some(n % 3 * 600),
        reasoning: Some(n % 4 * 20),
        ..Usage::default()
    };
    let span = |k: u64, name: String, operation: &'static str| SpanRow {
        span_id: id(k),
        parent_id: (k > 0).then(|| id(0)),
        name,
        operation: Cow::Borrowed(operation),
        start,
        duration_ns: took,
        status: status(),
        counted: false,
        model: None,
        provider: None,
        usage: Usage::default(),
        cost: None,
        ttft_ns: None,
        attributes: if failed { vec![("error.type".into(), "rate_limited".into())] } else { Vec::new() },
        bodies: Vec::new(),
    };
    let call = SpanRow {
        counted: true,
        model: Some(model.into()),
        provider: Some(provider.into()),
        usage: if failed { Usage::default() } else { usage },
        cost: (!failed).then_some(NanoDollars(cost + i64::try_from(n % 97).unwrap_or(0) * 10_000)),
        ttft_ns: (!failed).then_some(took / 4),
        bodies,
        ..span(1, format!("chat {model}"), "chat")
    };
    TraceBatch {
        kept: true,
        trace_id: TraceId::from_bytes((0xc0_u128 << 100 | u128::from(n * 8 + turn + 1)).to_be_bytes()),
        summary: Summary {
            rooted: true,
            name: "chat support".into(),
            operation: Cow::Borrowed("gateway"),
            status: status(),
            model: Some(model.into()),
            provider: Some(provider.into()),
            key_name: Some(pick(&["ci", "web", "desk"], n).into()),
            key_id: None,
            project: None,
            made_of: Vec::new(),
            ttft_ns: (!failed).then_some(took / 4),
            input_preview: Some(question.into()),
            output_preview: (!failed).then(|| answer.to_owned()),
            session: Some(format!("ticket-{}", 7_000 + n)),
            user: Some(pick(&["alice", "bob", "민지"], n).into()),
            tags: vec!["refund".into()],
            prompt: Some(format!("refund-answer@{}", 12 + n % 2)),
            source: None,
        },
        spans: vec![span(0, "chat support".into(), "gateway"), call],
    }
}
