//! How much to think and how to sample, as each generation of models takes it.
//!
//! For requests of other dialects only: who speaks this dialect knows what its model takes. Sources:
//! platform.claude.com/docs, "Extended thinking", "Adaptive thinking", "Effort" and "Migration guide".

use super::outgoing::Lost;
use crate::effort;
use hanok_base::{ChatRequest, Object, Part, Role, ToolChoice};
use serde_json::{Value, json};

/// What is written for a request that sets no limit; upstreams want one.
pub(super) const DEFAULT_MAX_TOKENS: u64 = 4_096;

/// Least budget that upstreams take.
const LEAST_BUDGET: u64 = 1_024;

/// The generation of a model of the dialect's maker; `None` for another vendor's, which follow the first form of
/// the dialect. A name without a number is newer than all that have one.
pub(super) fn generation(model: &str) -> Option<(u32, u32)> {
    let (_, name) = model.rsplit_once("claude")?;
    let words = name.split(['-', '.', '@', ':', '/', '_', '[']);
    let mut numbers = words.filter(|word| word.len() <= 2).filter_map(|word| word.parse::<u32>().ok());
    Some(numbers.next().map_or((u32::MAX, 0), |major| (major, numbers.next().unwrap_or(0))))
}

/// Writes thinking, sampling and the limit of a request of another dialect.
pub(super) fn encode(request: &ChatRequest, object: &mut Object, lost: &mut Lost) {
    let generation = generation(request.model.as_str());
    let least = |major, minor| generation.is_some_and(|generation| generation >= (major, minor));
    let thinks = thinking(request, generation, object, lost);
    let sampling = &request.sampling;
    let beside = "left out: anthropic-messages does not take it beside thinking";
    let gone = "left out: this model of anthropic-messages does not take it";

    let mut temperature = sampling.temperature;
    if let Some(asked) = temperature.filter(|asked| *asked > 1.0) {
        lost.note("temperature", format!("{asked} was made 1: anthropic-messages goes no higher"));
        temperature = Some(1.0);
    }
    // The default, which upstreams take whatever stands beside it.
    let changes = temperature.is_some_and(|temperature| (temperature - 1.0).abs() > f64::EPSILON);
    if changes && (thinks || least(4, 7)) {
        lost.note("temperature", if thinks { beside } else { gone });
        temperature = None;
    }
    let mut top_p = sampling.top_p.filter(|top_p| *top_p < 1.0);
    let reason = if least(4, 7) {
        Some(gone)
    } else if thinks && top_p.is_some_and(|top_p| top_p < 0.95) {
        Some(beside)
    } else if temperature.is_some() && least(4, 1) {
        Some("left out: this model of anthropic-messages takes it or `temperature`, not both")
    } else {
        None
    };
    if let (Some(reason), true) = (reason, top_p.is_some()) {
        lost.note("top_p", reason);
        top_p = None;
    }
    let mut top_k = sampling.top_k;
    if top_k.is_some() && (thinks || least(4, 7)) {
        lost.note("top_k", if thinks { beside } else { gone });
        top_k = None;
    }
    let numbers = [
        ("temperature", temperature.map(Value::from)),
        ("top_p", top_p.map(Value::from)),
        ("top_k", top_k.map(Value::from)),
    ];
    object.extend(numbers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
}

/// Writes `thinking`, the effort and `max_tokens`; whether the model is to think.
fn thinking(
    request: &ChatRequest,
    generation: Option<(u32, u32)>,
    object: &mut Object,
    lost: &mut Lost,
) -> bool {
    let wanted = &request.reasoning;
    let limit = request.sampling.max_tokens;
    object.insert("max_tokens".into(), limit.unwrap_or(DEFAULT_MAX_TOKENS).into());
    let effort = wanted.effort.as_deref();
    if wanted.enabled == Some(false) || effort == Some("none") || wanted.budget_tokens == Some(0) {
        object.insert("thinking".into(), json!({ "type": "disabled" }));
        return false;
    }
    if wanted.enabled.is_none() && effort.is_none() && wanted.budget_tokens.is_none() {
        return false;
    }
    if !request.tools.is_empty() && matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Tool(_))
    {
        lost.note("reasoning", "left out: anthropic-messages does not think where a tool is forced");
        return false;
    }
    let known = effort.and_then(|name| known_effort(name, generation));
    if let (Some(name), None) = (effort, known) {
        lost.note("reasoning.effort", format!("left out: anthropic-messages knows no effort {name:?}"));
    }
    if effort == Some("xhigh") && known == Some("high") && generation.is_some() {
        lost.note("reasoning.effort", "xhigh became high: this model of anthropic-messages has no more");
    }
    // From 4.6 on models settle their own budget by the effort; from 4.7 on they take no other.
    let adaptive =
        generation.is_some_and(|of| of >= (4, 7) || of >= (4, 6) && wanted.budget_tokens.is_none());
    if adaptive {
        let told = wanted.budget_tokens.map(|budget| {
            let effort = effort::effort(budget);
            lost.note(
                "reasoning.budget_tokens",
                format!("became the effort {effort}: this model of anthropic-messages takes no budget"),
            );
            effort
        });
        object.insert("thinking".into(), json!({ "type": "adaptive", "display": display(request) }));
        if let Some(effort) = known.or(told) {
            object.insert("output_config".into(), json!({ "effort": effort }));
        }
        return true;
    }
    if unthought_call(request) {
        let why =
            "left out: the call before has no thoughts of anthropic-messages, which it wants beside thinking";
        lost.note("reasoning", why);
        return false;
    }
    let asked = wanted.budget_tokens.or_else(|| effort.and_then(effort::budget));
    let mut budget = asked.or_else(|| effort::budget("medium")).unwrap_or(LEAST_BUDGET);
    if budget < LEAST_BUDGET {
        lost.note("reasoning.budget_tokens", format!("{budget} was made {LEAST_BUDGET}, the least there is"));
        budget = LEAST_BUDGET;
    }
    // The limit counts thoughts, too, and must leave room behind them.
    match limit {
        None => {
            object.insert("max_tokens".into(), budget.saturating_add(DEFAULT_MAX_TOKENS).into());
        }
        Some(limit) if limit <= LEAST_BUDGET => {
            lost.note("reasoning", format!("left out: max_tokens {limit} leaves no room for thinking"));
            return false;
        }
        Some(limit) if limit <= budget => {
            budget = (limit / 2).max(LEAST_BUDGET);
            // What an effort stands for is ours to choose.
            if wanted.budget_tokens.is_some() {
                let what = format!("made {budget}: max_tokens {limit} must leave room behind it");
                lost.note("reasoning.budget_tokens", what);
            }
        }
        Some(_) => {}
    }
    object.insert("thinking".into(), json!({ "type": "enabled", "budget_tokens": budget }));
    true
}

/// How thoughts are shown. Newer models hide them unless asked.
fn display(request: &ChatRequest) -> &str {
    match request.reasoning.summary.as_deref() {
        Some("omitted") => "omitted",
        _ => "summarized",
    }
}

/// The dialect's name of an effort.
fn known_effort(name: &str, generation: Option<(u32, u32)>) -> Option<&'static str> {
    Some(match name {
        "minimal" | "low" => "low",
        "medium" => "medium",
        "xhigh" if generation >= Some((4, 7)) => "xhigh",
        "high" | "xhigh" => "high",
        "max" => "max",
        _ => return None,
    })
}

/// Whether the turn that goes on began with a call that no thought of this dialect stands before. With a budget,
/// upstreams refuse to go on thinking then.
fn unthought_call(request: &ChatRequest) -> bool {
    let turn = request.messages.iter().rposition(|message| {
        let said = |part: &Part| !matches!(part, Part::ToolResult(_) | Part::CacheBreak(_));
        message.role == Role::User && message.parts.iter().any(said)
    });
    let turn = request.messages.iter().skip(turn.map_or(0, |at| at + 1));
    let mut last = turn.filter(|message| message.role == Role::Assistant);
    last.next_back().is_some_and(|message| {
        let calls = message.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        let thought = message.parts.first().is_some_and(|part| match part {
            Part::Reasoning(reasoning) => {
                reasoning.signature.as_ref().is_some_and(|signature| signature.of == super::OWN)
            }
            _ => false,
        });
        calls && !thought
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations() {
        let check =
            |model: &str, expect: Option<(u32, u32)>| assert_eq!(generation(model), expect, "{model}");
        check("claude-opus-4-20250514", Some((4, 0)));
        check("claude-sonnet-4-5-20250929", Some((4, 5)));
        check("claude-3-7-sonnet-20250219", Some((3, 7)));
        check("anthropic.claude-haiku-4-5-20251001-v1:0", Some((4, 5)));
        check("anthropic/claude-4.7-opus", Some((4, 7)));
        check("claude-sonnet-5", Some((5, 0)));
        check("claude-newest", Some((u32::MAX, 0)));
        check("kimi-k2", None);
    }
}
