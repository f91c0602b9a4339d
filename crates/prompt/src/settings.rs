//! A prompt's `config`, by the names that dotprompt's users and the dialects give its members.

use hanok_base::{ChatRequest, Dialect, Object};
use serde_json::Value;

/// Puts settings into a request where it says nothing itself. What has no name here goes along under its own, for a
/// target that knows it.
pub(crate) fn fill(config: &Object, request: &mut ChatRequest) {
    for (name, value) in config.iter().filter(|(_, value)| !value.is_null()) {
        set(name, value, request);
    }
}

/// The first setting whose value is not of its type.
pub(crate) fn misfit(config: &Object) -> Option<&str> {
    let mut nobodys = ChatRequest::new("".into(), Vec::new());
    let mut told = config.iter().filter(|(_, value)| !value.is_null());
    told.find(|(name, value)| !set(name, value, &mut nobodys)).map(|(name, _)| name.as_str())
}

fn set(name: &str, value: &Value, request: &mut ChatRequest) -> bool {
    let sampling = &mut request.sampling;
    match name {
        "temperature" => keep(&mut sampling.temperature, value.as_f64()),
        "topP" | "top_p" => keep(&mut sampling.top_p, value.as_f64()),
        "topK" | "top_k" => keep(&mut sampling.top_k, value.as_u64()),
        "frequencyPenalty" | "frequency_penalty" => keep(&mut sampling.frequency_penalty, value.as_f64()),
        "presencePenalty" | "presence_penalty" => keep(&mut sampling.presence_penalty, value.as_f64()),
        "maxOutputTokens" | "max_output_tokens" | "maxTokens" | "max_tokens" | "max_completion_tokens" => {
            keep(&mut sampling.max_tokens, value.as_u64())
        }
        "seed" => keep(&mut sampling.seed, value.as_i64()),
        "n" | "candidateCount" => keep(&mut sampling.n, value.as_u64().and_then(|n| u32::try_from(n).ok())),
        "stopSequences" | "stop_sequences" | "stop" => {
            let texts = match value {
                Value::String(text) => Some(vec![text.clone()]),
                Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
                _ => None,
            };
            let good = texts.is_some();
            if let (Some(texts), true) = (texts, sampling.stop.is_empty()) {
                sampling.stop = texts;
            }
            good
        }
        "reasoningEffort" | "reasoning_effort" => {
            keep(&mut request.reasoning.effort, value.as_str().map(str::to_owned))
        }
        "thinkingBudget" | "thinking_budget" => keep(&mut request.reasoning.budget_tokens, value.as_u64()),
        "parallelToolCalls" | "parallel_tool_calls" => {
            keep(&mut request.parallel_tool_calls, value.as_bool())
        }
        _ => {
            request.dialect.get_or_insert(Dialect::OpenAiChat);
            request.extra.entry(name).or_insert_with(|| value.clone());
            true
        }
    }
}

/// Sets what is not set; whether the value is of its type.
fn keep<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    let good = value.is_some();
    if slot.is_none() {
        *slot = value;
    }
    good
}
