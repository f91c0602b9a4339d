//! What a call costs by each provider's own way of telling usage, to the nano-dollar. The sums are worked out by
//! hand in the comments, in micro-dollars: a price of 2 dollars a million tokens is 2 micro-dollars a token.

#![expect(
    clippy::needless_pass_by_value,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "values are written where they are used"
)]

use crate::block;
use bytes::Bytes;
use hanok_base::{CallContext, Caller, Dialect, Exchange, Operation, Recorder as _, ResponseBytes};
use hanok_store::{Options, Store};
use hanok_trace::{Price, Prices, ServiceTier, TraceStore};
use serde_json::{Value, json};
use std::sync::Arc;

/// Input 2, read from the cache 0.5, written to it 2.5 or for an hour 4, audio 40 in and 80 out, images 10 in and
/// 30 out; output 8, reasoning 6.
fn price() -> Price {
    Price::per_million(2.0, 8.0)
        .cached(0.5)
        .cache_write(2.5)
        .cache_write_long(4.0)
        .audio(40.0, 80.0)
        .image(10.0, 30.0)
}

fn chat(usage: Value, more: Value) -> Value {
    let mut answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]});
    answer["usage"] = usage;
    answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    answer
}

fn responses(usage: Value) -> Value {
    json!({"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed", "usage": usage,
        "output": [{"type": "message", "id": "i", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "x", "annotations": []}]}]})
}

fn messages(usage: Value) -> Value {
    json!({"id": "a", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "x"}], "usage": usage})
}

fn gemini(usage: Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "x"}]}, "finishReason": "STOP"}],
        "usageMetadata": usage, "modelVersion": "m", "responseId": "g"})
}

fn ollama(prompt: u64, answer: u64) -> Value {
    json!({"model": "m", "created_at": "2026-11-20T00:00:00Z", "message": {"role": "assistant", "content": "x"},
        "done": true, "done_reason": "stop", "prompt_eval_count": prompt, "eval_count": answer})
}

fn request(dialect: Dialect) -> Value {
    match dialect {
        Dialect::OpenAiResponses => json!({"model": "m", "input": "x"}),
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]}),
        Dialect::AnthropicMessages => {
            json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]})
        }
        _ => json!({"model": "m", "messages": [{"role": "user", "content": "x"}]}),
    }
}

/// What a call with this answer costs, in nano-dollars, as its recorded span says.
async fn cost(price: Price, dialect: Dialect, answer: &Value) -> Option<i64> {
    let folder = tempfile::tempdir().unwrap();
    let prices = Prices::builtin().with_override("p/*", price);
    let traces = TraceStore::new(Store::open(folder.path(), Options::default()).unwrap(), Arc::new(prices));
    let cx = CallContext::new(traces.admit().await.unwrap(), Arc::new(Caller::default()));
    let id = cx.trace_id();
    let mut span = cx.span(Operation::Chat, "chat m");
    span.set("gen_ai.provider.name", "p");
    span.set("gen_ai.request.model", "m");
    span.exchange(Exchange {
        dialect,
        request: Bytes::from(request(dialect).to_string()),
        response: ResponseBytes::Whole(Bytes::from(answer.to_string())),
    });
    span.finish();
    drop(cx);
    traces.store().flush().await.unwrap();
    let trace = traces.get(id).await.unwrap().unwrap();
    assert!(!trace.spans[0].attributes.contains_key("hanok.exchange.unreadable"), "{answer}");
    trace.summary.cost.map(|cost| cost.0)
}

#[test]
fn every_shape_of_usage_has_its_exact_cost() {
    use Dialect as D;
    let cases: Vec<(&str, D, Value, f64)> = vec![
        // 600 fresh (2) + 400 cached (0.5) + 300 out, of which 100 reasoning (8).
        (
            "openai: cached and reasoning",
            D::OpenAiChat,
            chat(
                json!({"prompt_tokens": 1000, "completion_tokens": 300, "total_tokens": 1300,
                    "prompt_tokens_details": {"cached_tokens": 400},
                    "completion_tokens_details": {"reasoning_tokens": 100}}),
                json!({}),
            ),
            600.0 * 2.0 + 400.0 * 0.5 + 300.0 * 8.0,
        ),
        // 900 text (2) + 100 audio (40); 450 text (8) + 50 audio (80).
        (
            "openai: audio",
            D::OpenAiChat,
            chat(
                json!({"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500,
                    "prompt_tokens_details": {"audio_tokens": 100},
                    "completion_tokens_details": {"audio_tokens": 50}}),
                json!({}),
            ),
            900.0 * 2.0 + 100.0 * 40.0 + 450.0 * 8.0 + 50.0 * 80.0,
        ),
        (
            "deepseek: hits beside the details",
            D::OpenAiChat,
            chat(
                json!({"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010,
                    "prompt_cache_hit_tokens": 900, "prompt_cache_miss_tokens": 100}),
                json!({}),
            ),
            100.0 * 2.0 + 900.0 * 0.5 + 10.0 * 8.0,
        ),
        (
            "moonshot: cached without details",
            D::OpenAiChat,
            chat(json!({"prompt_tokens": 100, "completion_tokens": 10, "cached_tokens": 40}), json!({})),
            60.0 * 2.0 + 40.0 * 0.5 + 10.0 * 8.0,
        ),
        // Reasoning is told beside the answer: the total says so.
        (
            "xai: reasoning outside of the completion",
            D::OpenAiChat,
            chat(
                json!({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 310,
                    "completion_tokens_details": {"reasoning_tokens": 200}}),
                json!({}),
            ),
            100.0 * 2.0 + 210.0 * 8.0,
        ),
        // A price of the configuration has no rebate for it: 100 (2) + 10 (8).
        (
            "openai: flex",
            D::OpenAiChat,
            chat(json!({"prompt_tokens": 100, "completion_tokens": 10}), json!({"service_tier": "flex"})),
            280.0,
        ),
        (
            "openai: priority",
            D::OpenAiChat,
            chat(json!({"prompt_tokens": 100, "completion_tokens": 10}), json!({"service_tier": "priority"})),
            280.0 * 2.0,
        ),
        (
            "responses: cached and reasoning",
            D::OpenAiResponses,
            responses(json!({"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 250},
                "output_tokens": 40, "output_tokens_details": {"reasoning_tokens": 30}, "total_tokens": 1040})),
            750.0 * 2.0 + 250.0 * 0.5 + 40.0 * 8.0,
        ),
        // The input excludes the cache: 100 fresh (2), 900 read (0.5), 300 written (2.5), 200 for an hour (4).
        (
            "anthropic: cache beside the input",
            D::AnthropicMessages,
            messages(
                json!({"input_tokens": 100, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 500,
                "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200},
                "output_tokens": 50}),
            ),
            100.0 * 2.0 + 900.0 * 0.5 + 300.0 * 2.5 + 200.0 * 4.0 + 50.0 * 8.0,
        ),
        // Thoughts are told beside the candidates.
        (
            "gemini: thoughts, cache, audio and images",
            D::Gemini,
            gemini(
                json!({"promptTokenCount": 1000, "cachedContentTokenCount": 200, "candidatesTokenCount": 100,
                "thoughtsTokenCount": 300, "totalTokenCount": 1400,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 700},
                    {"modality": "AUDIO", "tokenCount": 50}, {"modality": "IMAGE", "tokenCount": 250}],
                "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 90},
                    {"modality": "IMAGE", "tokenCount": 10}]}),
            ),
            500.0 * 2.0 + 200.0 * 0.5 + 50.0 * 40.0 + 250.0 * 10.0 + 390.0 * 8.0 + 10.0 * 30.0,
        ),
        ("ollama", D::Ollama, ollama(100, 10), 280.0),
    ];
    block(async {
        for (name, dialect, answer, micro) in cases {
            let price = price();
            #[expect(clippy::cast_possible_truncation, reason = "whole nano-dollars")]
            let nano = (micro * 1e3).round() as i64;
            assert_eq!(cost(price, dialect, &answer).await, Some(nano), "{name}");
        }
    });
}

#[test]
fn batches_and_long_prompts() {
    block(async {
        let answer =
            |tokens: u64| chat(json!({"prompt_tokens": tokens, "completion_tokens": 1000}), json!({}));
        let batch = price().tier(ServiceTier::Batch);
        // A price of our own has no rebate that nobody named.
        assert_eq!(cost(batch, Dialect::OpenAiChat, &answer(1000)).await, Some(10_000_000));
        // Above 200,000 the whole call is dearer: 4 and 12.
        let long = price().above(200_000, 4.0, 12.0);
        assert_eq!(cost(long, Dialect::OpenAiChat, &answer(200_000)).await, Some(408_000_000));
        let dear = price().above(200_000, 4.0, 12.0);
        assert_eq!(cost(dear, Dialect::OpenAiChat, &answer(200_001)).await, Some(812_004_000));
    });
}
