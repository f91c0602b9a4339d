//! Writes traces of many spans into a data folder, wide and deep, to look at:
//! `cargo run -p hanok-store --example large_trace -- FOLDER/.hanok [SPANS]`, then `hanok up` in FOLDER.

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
    let folder = arguments.next().ok_or("usage: large_trace FOLDER/.hanok [SPANS]")?;
    let spans: u64 = arguments.next().map_or(Ok(20_000), |text| text.parse())?;
    std::fs::create_dir_all(&folder)?;
    let store = Store::open(Path::new(&folder), Options::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
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
            ttft_ns: None,
            input_preview: Some("An agent that took many steps".into()),
            output_preview: None,
        },
        spans: rows.collect(),
    }
}
