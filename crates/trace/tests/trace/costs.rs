//! What calls cost, who bears it, and who sees it.

use crate::{REQUEST, block, call, house, piece, whole_stream};
use bytes::Bytes;
use hanok_base::{
    CallContext, Caller, Charge, Dialect, Exchange, NanoDollars, Operation, Recorder, ResponseBytes,
    Settlement, Timestamp, TraceId,
};
use hanok_trace::{Price, Prices, TraceStore, parse_filter};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;

/// Who calls, and what they were charged.
struct Payer {
    caller: Arc<Caller>,
    charges: Vec<Charge>,
    settled: Arc<Mutex<Vec<NanoDollars>>>,
}

struct Bill {
    charges: Vec<Charge>,
    settled: Arc<Mutex<Vec<NanoDollars>>>,
}

impl Settlement for Bill {
    fn charges(&self) -> &[Charge] {
        &self.charges
    }
    fn settle(self: Box<Self>, spent: hanok_base::Spent, _: &[Charge]) {
        let cost = spent.cost;
        self.settled.lock().push(cost);
    }
}

impl Payer {
    fn new(project: &str) -> Self {
        let caller = Caller {
            key_name: Some("laptop".into()),
            key_id: Some(format!("key_{project}").into()),
            project: project.into(),
            base_url: "".into(),
            payloads: None,
        };
        let charge = |account: String| Charge { account: account.into(), period: "2026-11".into() };
        let charges = vec![charge(format!("key:key_{project}")), charge(format!("project:{project}"))];
        Self { caller: Arc::new(caller), charges, settled: Arc::default() }
    }

    /// One span of a call upstream, as a provider records it.
    async fn call(
        &self,
        traces: &TraceStore,
        operation: Operation,
        (request, response): (&str, ResponseBytes),
        attributes: &[(&'static str, Value)],
    ) -> TraceId {
        let cx = CallContext::new(traces.admit().await.unwrap(), Arc::clone(&self.caller));
        let bill = Bill { charges: self.charges.clone(), settled: Arc::clone(&self.settled) };
        cx.settle_with(Box::new(bill));
        let mut span = cx.span(operation, "call");
        span.set("gen_ai.provider.name", "mock");
        span.set("gen_ai.request.model", "mock-model");
        let request = Bytes::from(request.to_owned());
        span.exchange(Exchange { dialect: Dialect::OpenAiChat, request, response });
        for (key, value) in attributes {
            if *key == "error.type" {
                span.fail(if *value == "cancelled" { "cancelled" } else { "rate_limited" }, "it failed");
            }
            span.set(*key, value.clone());
        }
        span.succeed();
        cx.trace_id()
    }
}

fn answer(usage: &Value, extra: &Value) -> ResponseBytes {
    let mut answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "mock-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "0123456789ab"}, "finish_reason": "stop"}]});
    let members = answer.as_object_mut().unwrap();
    if !usage.is_null() {
        members.insert("usage".into(), usage.clone());
    }
    members.extend(extra.as_object().unwrap().clone());
    ResponseBytes::Whole(Bytes::from(answer.to_string()))
}

const ASKED: &str = r#"{"model":"mock-model","messages":[{"role":"user","content":"12345678"}]}"#;

#[test]
fn what_a_call_costs_is_charged_and_settled() {
    let folder = tempfile::tempdir().unwrap();
    let traces = house(&folder);
    let payer = Payer::new("shop");
    block(async {
        let told = json!({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120});
        // One dollar a million in, ten out; half of it for flex.
        let whole = (ASKED, answer(&told, &json!({})));
        let first = payer.call(&traces, Operation::Chat, whole.clone(), &[]).await;
        let tiered = (ASKED, answer(&told, &json!({"service_tier": "priority"})));
        let second = payer.call(&traces, Operation::Chat, tiered, &[]).await;
        traces.store().flush().await.unwrap();
        assert_eq!(*payer.settled.lock(), [NanoDollars(300_000), NanoDollars(600_000)]);
        for charge in &payer.charges {
            let balance = traces.store().ledger().balance(charge).await.unwrap();
            assert_eq!((balance.spent, balance.calls, balance.tokens), (NanoDollars(900_000), 2, 240));
        }
        let span = &traces.get(first).await.unwrap().unwrap().spans[0].attributes;
        assert!(!span.contains_key("hanok.usage_estimated"), "told usage is never estimated");
        assert!(!span.contains_key("openai.response.service_tier"));
        let span = &traces.get(second).await.unwrap().unwrap().spans[0].attributes;
        assert_eq!(span["openai.response.service_tier"], "priority");

        // New prices are for what comes; what was recorded keeps its cost.
        traces.set_prices(Arc::new(Prices::builtin().with_override("mock/*", Price::per_million(2.0, 20.0))));
        payer.call(&traces, Operation::Chat, whole, &[]).await;
        traces.store().flush().await.unwrap();
        assert_eq!(payer.settled.lock().last(), Some(&NanoDollars(600_000)));
        assert!(traces.prices().find("mock", Some("x"), None).is_some());
    });
}

#[test]
fn usage_is_estimated_only_where_nobody_told() {
    let folder = tempfile::tempdir().unwrap();
    let traces = house(&folder);
    let payer = Payer::new("shop");
    block(async {
        // The request is 4 and 2 tokens, the answer 3.
        let check =
            async |response: ResponseBytes, error: Option<&str>, expect: Option<(u64, Option<u64>)>| {
                let error: Vec<(&str, Value)> =
                    error.map(|kind| ("error.type", kind.into())).into_iter().collect();
                let id = payer.call(&traces, Operation::Chat, (ASKED, response), &error).await;
                traces.store().flush().await.unwrap();
                let detail = traces.get(id).await.unwrap().unwrap();
                let span = &detail.spans[0].attributes;
                let found = span.get("hanok.usage_estimated").map(|_| {
                    (
                        span["gen_ai.usage.input_tokens"].as_u64().unwrap(),
                        span.get("gen_ai.usage.output_tokens").and_then(Value::as_u64),
                    )
                });
                assert_eq!(found, expect, "{detail:#?}");
                assert_eq!(detail.summary.cost.is_some(), span.contains_key("gen_ai.usage.input_tokens"));
            };
        let half = piece(&json!({"role": "assistant", "content": "0123456789ab"}), None);
        let told = json!({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120});
        check(answer(&told, &json!({})), None, None).await;
        check(ResponseBytes::Streamed(whole_stream()), None, None).await;
        check(answer(&Value::Null, &json!({})), None, Some((6, Some(3)))).await;
        check(ResponseBytes::Streamed(vec![half.clone()]), Some("cancelled"), Some((6, Some(3)))).await;
        check(ResponseBytes::Streamed(vec![half]), Some("rate_limited"), Some((6, Some(3)))).await;
        // Nothing came, but the provider was at work: the prompt counts.
        check(ResponseBytes::None, Some("cancelled"), Some((6, None))).await;
        // Refused: it costs nothing.
        check(ResponseBytes::None, Some("rate_limited"), None).await;
        let refusal = ResponseBytes::Whole(Bytes::from(r#"{"error":{"message":"no"}}"#));
        check(refusal, Some("rate_limited"), None).await;
    });
}

#[test]
fn other_routes_are_no_chats() {
    let folder = tempfile::tempdir().unwrap();
    let traces = house(&folder);
    let prices = Prices::builtin()
        .with_override("mock/*", Price::per_million(1.0, 10.0))
        .with_override("mock/mock-model", Price::per_million(1.0, 10.0).per_call(0.002));
    let payer = Payer::new("shop");
    block(async {
        let get = async |operation: Operation, request: &str, response: &str| {
            let response = ResponseBytes::Whole(Bytes::from(response.to_owned()));
            let id = payer.call(&traces, operation, (request, response), &[]).await;
            traces.store().flush().await.unwrap();
            traces.get(id).await.unwrap().unwrap()
        };
        let counted = get(Operation::Forward, ASKED, r#"{"input_tokens":7}"#).await;
        let span = &counted.spans[0].attributes;
        assert_eq!(span["hanok.request.body"], ASKED);
        assert_eq!(span["hanok.response.body"], r#"{"input_tokens":7}"#);
        assert!(
            !span.contains_key("hanok.exchange.unreadable") && !span.contains_key("gen_ai.input.messages")
        );
        assert_eq!(counted.summary.cost, None);

        let spoken = get(Operation::Forward, "--form\r\n", "ID3 sound").await;
        let span = &spoken.spans[0].attributes;
        assert_eq!(span["hanok.exchange.bytes_not_kept"], 17);
        assert!(!span.contains_key("hanok.request.body"));

        traces.set_prices(Arc::new(prices));
        let ranked = get(Operation::Rerank, r#"{"query":"q","documents":["d"]}"#, r#"{"results":[]}"#).await;
        assert_eq!(ranked.summary.cost, Some(NanoDollars(2_000_000)));
    });
}

#[test]
fn a_project_reads_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let traces = house(&folder);
    block(async {
        let told = json!({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120});
        let mut live = traces.of(Some("lab".into())).live().unwrap();
        let mut ids = Vec::new();
        for project in ["shop", "lab"] {
            let payer = Payer::new(project);
            ids.push(payer.call(&traces, Operation::Chat, (ASKED, answer(&told, &json!({}))), &[]).await);
            traces.store().flush().await.unwrap();
        }
        let arrived = live.next().await.unwrap().unwrap();
        assert_eq!(
            arrived.iter().map(|trace| trace.trace_id.clone()).collect::<Vec<_>>(),
            [ids[1].to_string()]
        );

        let plain = call(&traces, "fast", ResponseBytes::Whole(Bytes::from(REQUEST)), Some("x")).await;
        traces.store().flush().await.unwrap();
        for (project, mine, not_mine) in
            [("shop", ids[0], ids[1]), ("lab", ids[1], ids[0]), ("", plain, ids[0])]
        {
            let own = traces.of(Some(project.into()));
            let page = own.list(&parse_filter("", Timestamp::now()).unwrap(), None, 10).await.unwrap();
            assert_eq!(page.traces.len(), 1);
            assert_eq!(page.traces[0].trace_id, mine.to_string());
            assert_eq!(page.traces[0].project.as_deref().unwrap_or(""), project);
            assert!(own.get(mine).await.unwrap().is_some());
            assert!(own.get(not_mine).await.unwrap().is_none());
            assert!(own.get_light(not_mine).await.unwrap().is_none());
            let pulse = own.pulse(60).await.unwrap();
            assert_eq!(pulse.traces_today, 1);
            assert_eq!(own.counts().await.unwrap().traces, 1);
            let neighbours = own.neighbours(&page.traces[0]).await.unwrap();
            assert_eq!((neighbours.newer, neighbours.older), (None, None));
        }
        let shop = traces.of(Some("shop".into())).pulse(60).await.unwrap();
        assert_eq!((shop.ticks.len(), shop.cost_today.0), (1, 300_000));
        for (filter, count) in [("key:laptop", 2), ("key:key_lab", 1), ("project:s*", 1), ("key:ci", 1)] {
            let filter = parse_filter(filter, Timestamp::now()).unwrap();
            assert_eq!(traces.list(&filter, None, 10).await.unwrap().traces.len(), count, "{filter}");
        }
    });
}
