//! Calls recorded as the gateway records them, and read back as the API gives them out.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod costs;
mod otlp;
mod pieces;
mod usage_shapes;
mod words;

use bytes::Bytes;
use hanok_base::{
    CallContext, Caller, Dialect, Exchange, Operation, Recorder, ResponseBytes, SpanId, Timestamp, TraceId,
};
use hanok_store::{Options, Store};
use hanok_trace::{Price, Prices, TraceDetail, TraceError, TraceStore, parse_filter};
use serde_json::{Value, json};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn house(folder: &tempfile::TempDir) -> TraceStore {
    let prices = Prices::builtin().with_override("mock/*", Price::per_million(1.0, 10.0).cached(0.1));
    TraceStore::new(Store::open(folder.path(), Options::default()).unwrap(), Arc::new(prices))
}

const REQUEST: &str = r#"{"model":"mock-model","temperature":0.5,"stop":["END"],
    "messages":[
        {"role":"system","content":"Be brief."},
        {"role":"user","content":"환불은 어떻게 하나요?"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"lookup","arguments":"{\"order\":7}"}}]},
        {"role":"tool","tool_call_id":"c1","content":"delivered"}],
    "tools":[{"type":"function","function":{"name":"lookup","parameters":{"type":"object"}}}]}"#;

fn piece(delta: &Value, finish: Option<&str>) -> Bytes {
    let chunk = json!({"id": "chatcmpl-9", "object": "chat.completion.chunk", "created": 1, "model": "mock-1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    Bytes::from(format!("data: {chunk}\n\n"))
}

fn whole_stream() -> Vec<Bytes> {
    let usage = json!({"id": "chatcmpl-9", "object": "chat.completion.chunk", "created": 1, "model": "mock-1",
        "choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 60}, "completion_tokens_details": {"reasoning_tokens": 5}}});
    vec![
        piece(&json!({"role": "assistant", "content": "7일 "}), None),
        piece(&json!({"content": "안에."}), None),
        piece(&json!({}), Some("stop")),
        Bytes::from(format!("data: {usage}\n\ndata: [DONE]\n\n")),
    ]
}

/// One call, recorded the way the gateway and a provider do it.
async fn call(traces: &TraceStore, model: &str, answer: ResponseBytes, error: Option<&str>) -> TraceId {
    let place = traces.admit().await.unwrap();
    let cx = CallContext::new(place, Arc::new(Caller::default()));
    let mut root = cx.span(Operation::Gateway, format!("chat {model}"));
    root.set("gen_ai.request.model", model);
    root.set("hanok.key", "ci");
    let mut chat = root.context().span(Operation::Chat, "chat mock-model");
    chat.set("gen_ai.provider.name", "mock");
    chat.set("gen_ai.request.model", "mock-model");
    chat.set("hanok.time_to_first_token_ms", 12.5);
    chat.exchange(Exchange { dialect: Dialect::OpenAiChat, request: Bytes::from(REQUEST), response: answer });
    if let Some(error) = error {
        chat.fail("truncated", error);
        root.fail("truncated", error);
    }
    // An error that was set stays.
    chat.finish();
    root.finish();
    cx.trace_id()
}

async fn get(traces: &TraceStore, id: TraceId) -> TraceDetail {
    traces.get(id).await.unwrap().expect("recorded")
}

#[test]
fn a_call_comes_back_as_the_api_promises() {
    let folder = tempfile::tempdir().unwrap();
    let traces = house(&folder);
    block(async {
        let id = call(&traces, "fast", ResponseBytes::Streamed(whole_stream()), None).await;
        traces.store().flush().await.unwrap();

        let page = traces.list(&parse_filter("", Timestamp::now()).unwrap(), None, 10).await.unwrap();
        let mut listed = serde_json::to_value(&page).unwrap();
        let row = &mut listed["traces"][0];
        assert!(Timestamp::parse_rfc3339(row["started_at"].take().as_str().unwrap()).is_some());
        assert!(row["duration_ms"].take().is_number());
        // 40 fresh at 1 dollar per million, 60 cached at 0.1, 20 out at 10.
        let expect = json!({"traces": [{"trace_id": id.to_string(), "name": "chat fast", "started_at": null,
            "duration_ms": null, "status": "ok", "model": "fast", "provider": "mock", "input_tokens": 100,
            "output_tokens": 20, "cost_usd": 0.000_246, "error": null, "cached_tokens": 60, "reasoning_tokens": 5}],
            "next": null});
        assert_eq!(listed, expect);
        let summary = &page.traces[0];
        assert_eq!(summary.input.as_deref(), Some("환불은 어떻게 하나요?"));
        assert_eq!(summary.output.as_deref(), Some("7일 안에."));
        assert_eq!((summary.key.as_deref(), summary.operation.as_str()), (Some("ci"), "gateway"));
        assert!(summary.time_to_first_token_ms.unwrap() >= 12.5);

        let trace = get(&traces, id).await;
        assert_eq!(trace.spans.len(), 2);
        assert_eq!(trace.spans[1].parent_id.as_ref(), Some(&trace.spans[0].span_id));
        let keys: Vec<String> =
            serde_json::to_value(&trace).unwrap().as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["trace_id", "spans", "summary"]);
        let expect = json!({
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "mock",
            "gen_ai.request.model": "mock-model",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 60,
            "gen_ai.usage.reasoning.output_tokens": 5,
            "hanok.cost_usd": 0.000_246,
            "hanok.time_to_first_token_ms": 12.5,
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.stop_sequences": ["END"],
            "gen_ai.response.id": "chatcmpl-9",
            "gen_ai.response.model": "mock-1",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.input.messages": [
                {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
                {"role": "user", "parts": [{"type": "text", "content": "환불은 어떻게 하나요?"}]},
                {"role": "assistant", "parts":
                    [{"type": "tool_call", "id": "c1", "name": "lookup", "arguments": {"order": 7}}]},
                {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "delivered"}]},
            ],
            "gen_ai.tool.definitions": [{"type": "function", "name": "lookup", "parameters": {"type": "object"}}],
            "gen_ai.output.messages": [
                {"role": "assistant", "parts": [{"type": "text", "content": "7일 안에."}], "finish_reason": "stop"},
            ],
        });
        assert_eq!(Value::Object(trace.spans[1].attributes.clone()), expect);

        let light = traces.get_light(id).await.unwrap().unwrap();
        assert!(
            !light.spans[1].attributes.contains_key("gen_ai.input.messages") && light.spans[1].has_bodies
        );
        let span_id: SpanId = trace.spans[1].span_id.parse().unwrap();
        let span = traces.span(id, span_id).await.unwrap().unwrap();
        assert_eq!(span.attributes, trace.spans[1].attributes);
        assert!(traces.get(TraceId::random()).await.unwrap().is_none());
    });
}

#[test]
fn failures_keep_what_came() {
    let folder = tempfile::tempdir().unwrap();
    let traces = house(&folder);
    block(async {
        let cut = vec![piece(&json!({"role": "assistant", "content": "half"}), None)];
        let cut = call(&traces, "fast", ResponseBytes::Streamed(cut), Some("the stream was cut")).await;
        let odd =
            call(&traces, "fast", ResponseBytes::Whole(Bytes::from("<html>")), Some("bad answer")).await;
        traces.store().flush().await.unwrap();
        let trace = get(&traces, cut).await;
        assert_eq!(trace.summary.error.as_deref(), Some("the stream was cut"));
        let span = &trace.spans[1].attributes;
        assert_eq!(span["hanok.usage_estimated"], true);
        // "half" is one token at ten dollars a million, the request 55 at one.
        assert_eq!((trace.summary.cost_usd, trace.summary.input_tokens), (Some(0.000_065), Some(55)));
        assert_eq!(span["gen_ai.output.messages"][0]["parts"][0]["content"], "half");
        assert_eq!(span["gen_ai.response.finish_reasons"], json!(["truncated"]));
        assert_eq!(span["error.type"], "truncated");
        let trace = get(&traces, odd).await;
        assert_eq!(trace.spans[1].attributes["hanok.response.body"], "<html>");

        let filter = parse_filter("status:error \"bad answer\" provider:mock", Timestamp::now()).unwrap();
        let page = traces.list(&filter, None, 10).await.unwrap();
        assert_eq!(page.traces.iter().map(|trace| &trace.trace_id).collect::<Vec<_>>(), [&odd.to_string()]);
        let bad = traces.list(&filter, Some("x"), 10).await;
        assert!(matches!(bad, Err(TraceError::BadCursor(_))));
    });
}

#[test]
fn arrivals_and_the_pulse() {
    let folder = tempfile::tempdir().unwrap();
    let traces = house(&folder);
    block(async {
        let mut live = traces.live().expect("open for writing");
        let id = call(&traces, "fast", ResponseBytes::Streamed(whole_stream()), None).await;
        let arrived =
            tokio::time::timeout(Duration::from_secs(5), live.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(arrived.iter().map(|trace| &trace.trace_id).collect::<Vec<_>>(), [&id.to_string()]);
        let pulse = traces.pulse(60).await.unwrap();
        assert_eq!(pulse.ticks.iter().map(|tick| tick.operation).collect::<Vec<_>>().len(), 2);
        assert_eq!((pulse.traces_today, pulse.errors_today, pulse.cost_today.0), (1, 0, 246_000));
        assert!(pulse.spans_per_second > 0.0);
        let trace = traces.get_light(id).await.unwrap().unwrap();
        let neighbours = traces.neighbours(&trace.summary).await.unwrap();
        assert_eq!((neighbours.newer, neighbours.older), (None, None));
        traces.store().close();
        assert!(live.next().await.unwrap().is_none(), "the arrivals end with the store");
    });
}
