//! Requests as upstreams want them.

use super::{OWN, thinking, turns};
use crate::codec::{Encoded, RequestOptions};
use hanok_base::{ChatRequest, Degradation, Object, OutputFormat, ToolChoice, ToolSpec};
use serde_json::{Value, json};

/// What the dialect has no way to say.
#[derive(Debug, Default)]
pub(super) struct Lost(Vec<Degradation>);

impl Lost {
    pub(super) fn note(&mut self, param: impl Into<String>, message: impl Into<String>) {
        self.0.push(Degradation { param: param.into(), message: message.into() });
    }

    /// Notes a member that only another dialect knows.
    pub(super) fn unknown(&mut self, param: &str) {
        self.note(param, "left out: anthropic-messages has no such member");
    }
}

pub(super) fn encode(request: &ChatRequest, options: RequestOptions) -> Encoded {
    let own = request.dialect == Some(OWN);
    let mut lost = Lost::default();
    let mut object = Object::new();
    object.insert("model".into(), request.model.as_str().into());
    if own {
        own_limits(request, &mut object);
    } else {
        thinking::encode(request, &mut object, &mut lost);
        unsaid(request, &mut lost);
    }
    turns::encode(request, &mut object, &mut lost);
    let tools: Vec<Value> =
        request.tools.iter().enumerate().filter_map(|(i, of)| tool(of, i, request, &mut lost)).collect();
    if let Some(choice) = tool_choice(request, own, tools.is_empty(), &mut lost) {
        object.insert("tool_choice".into(), choice);
    }
    if !tools.is_empty() {
        object.insert("tools".into(), tools.into());
    }
    let stop = request.sampling.stop.iter();
    let (stop, blank): (Vec<&str>, Vec<&str>) =
        stop.map(String::as_str).partition(|text| own || !text.trim().is_empty());
    if !blank.is_empty() {
        lost.note("stop", "left out: anthropic-messages takes no blank text to stop at");
    }
    if !stop.is_empty() {
        object.insert("stop_sequences".into(), stop.into());
    }
    if let Some(format) = output(&request.output, own, &mut lost) {
        set_in(&mut object, "output_config", "format", format);
    }
    if let Some(user) = &request.user {
        set_in(&mut object, "metadata", "user_id", user.as_str().into());
    }
    for (name, value) in &request.extra {
        if own {
            match (object.get_mut(name), value) {
                (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
                _ => drop(object.insert(name.clone(), value.clone())),
            }
        } else if name != "stream_options" && !value.is_null() {
            lost.unknown(name);
        }
    }
    if options.stream {
        object.insert("stream".into(), true.into());
    }
    let silent = !own && object.get("messages").and_then(Value::as_array).is_some_and(Vec::is_empty);
    let refused = silent.then(|| Degradation {
        param: "messages".to_owned(),
        message: "no turn says anything, and anthropic-messages wants one that does".to_owned(),
    });
    Encoded { refused, ..Encoded::new(&object.into(), lost.0) }
}

/// Sets a member of an object that is a member itself.
fn set_in(object: &mut Object, outer: &str, name: &str, value: Value) {
    if let Value::Object(inner) = object.entry(outer).or_insert_with(|| json!({})) {
        inner.insert(name.to_owned(), value);
    }
}

/// Limits, sampling and thinking as a client of this dialect said them.
fn own_limits(request: &ChatRequest, object: &mut Object) {
    let (sampling, reasoning) = (&request.sampling, &request.reasoning);
    let room = reasoning.budget_tokens.unwrap_or(0);
    let limit = sampling.max_tokens.unwrap_or_else(|| room.saturating_add(thinking::DEFAULT_MAX_TOKENS));
    object.insert("max_tokens".into(), limit.into());
    let numbers = [
        ("temperature", sampling.temperature.map(Value::from)),
        ("top_p", sampling.top_p.map(Value::from)),
        ("top_k", sampling.top_k.map(Value::from)),
    ];
    object.extend(numbers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    if let Some(enabled) = reasoning.enabled {
        let kind = match (enabled, reasoning.budget_tokens) {
            (false, _) => "disabled",
            (true, None) => "adaptive",
            (true, Some(_)) => "enabled",
        };
        set_in(object, "thinking", "type", kind.into());
        if let Some(budget) = reasoning.budget_tokens {
            set_in(object, "thinking", "budget_tokens", budget.into());
        }
        if let Some(display) = &reasoning.summary {
            set_in(object, "thinking", "display", display.as_str().into());
        }
    }
    if let Some(effort) = &reasoning.effort {
        set_in(object, "output_config", "effort", effort.as_str().into());
    }
}

/// Notes what of another dialect's sampling there is no member for.
fn unsaid(request: &ChatRequest, lost: &mut Lost) {
    let sampling = &request.sampling;
    let penalty = |value: Option<f64>| value.is_some_and(|value| value != 0.0);
    let said = [
        ("frequency_penalty", penalty(sampling.frequency_penalty)),
        ("presence_penalty", penalty(sampling.presence_penalty)),
        ("seed", sampling.seed.is_some()),
        ("n", sampling.n.is_some_and(|n| n > 1)),
    ];
    said.into_iter().filter(|(_, said)| *said).for_each(|(name, _)| lost.unknown(name));
}

fn tool(tool: &ToolSpec, position: usize, request: &ChatRequest, lost: &mut Lost) -> Option<Value> {
    let own = request.dialect == Some(OWN);
    if tool.name.is_empty() {
        if own {
            return Some(tool.extra.clone().into());
        }
        lost.note(format!("tools[{position}]"), "left out: a tool that only its own provider runs");
        return None;
    }
    let mut object = Object::from_iter([("name".to_owned(), Value::from(tool.name.as_str()))]);
    if let Some(description) = &tool.description {
        object.insert("description".into(), description.as_str().into());
    }
    match &tool.parameters {
        Some(schema) if own => drop(object.insert("input_schema".into(), schema.clone())),
        None if own => {}
        schema => {
            let mut schema = schema.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
            schema.entry("type").or_insert_with(|| "object".into());
            object.insert("input_schema".into(), schema.into());
        }
    }
    match tool.strict {
        Some(strict) if own => drop(object.insert("strict".into(), strict.into())),
        Some(true) if thinking::generation(request.model.as_str()) >= Some((4, 5)) => {
            object.insert("strict".into(), true.into());
        }
        Some(true) => {
            let param = format!("tools[{position}].strict");
            lost.note(param, "left out: this model of anthropic-messages cannot be held to a schema");
        }
        _ => {}
    }
    for (name, value) in &tool.extra {
        if own || name == "cache_control" {
            object.insert(name.clone(), value.clone());
        } else if !value.is_null() {
            lost.unknown(&format!("tools[{position}].{name}"));
        }
    }
    Some(object.into())
}

fn tool_choice(request: &ChatRequest, own: bool, toolless: bool, lost: &mut Lost) -> Option<Value> {
    let single = request.parallel_tool_calls.map(|several| !several);
    if toolless && !own {
        if matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Tool(_)) {
            lost.note("tool_choice", "left out: no tool is left to call");
        }
        return None;
    }
    let mut choice = match &request.tool_choice {
        ToolChoice::Unset if single == Some(true) => json!({ "type": "auto" }),
        ToolChoice::Unset => return None,
        ToolChoice::Auto => json!({ "type": "auto" }),
        ToolChoice::Required => json!({ "type": "any" }),
        ToolChoice::None => json!({ "type": "none" }),
        ToolChoice::Tool(name) => json!({ "type": "tool", "name": name }),
        ToolChoice::Opaque(value) if own => return Some(value.clone()),
        ToolChoice::Opaque(_) => {
            lost.note("tool_choice", "left out: anthropic-messages has no such choice");
            return None;
        }
    };
    let tell = single.filter(|single| own || *single && request.tool_choice != ToolChoice::None);
    if let (Some(single), Some(choice)) = (tell, choice.as_object_mut()) {
        choice.insert("disable_parallel_tool_use".into(), single.into());
    }
    Some(choice)
}

fn output(output: &OutputFormat, own: bool, lost: &mut Lost) -> Option<Value> {
    match output {
        OutputFormat::Unset | OutputFormat::Text => None,
        OutputFormat::JsonSchema { schema: Some(schema), extra, .. } => {
            let mut schema = schema.clone();
            let mut format = Object::from_iter([("type".to_owned(), Value::from("json_schema"))]);
            if own {
                format.extend(extra.clone());
            } else {
                close(&mut schema);
            }
            format.insert("schema".into(), schema);
            Some(format.into())
        }
        OutputFormat::Opaque(value) if own => Some(value.clone()),
        OutputFormat::Json | OutputFormat::JsonSchema { .. } => {
            lost.note("response_format", "left out: anthropic-messages wants a schema for JSON");
            None
        }
        OutputFormat::Opaque(_) => {
            lost.note("response_format", "left out: anthropic-messages has no such format");
            None
        }
    }
}

/// Forbids members that an object's schema does not name, where it says nothing of them: upstreams want it said,
/// and what fits the narrower schema fits the one asked for.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("type").and_then(Value::as_str) == Some("object") {
                object.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            // What is no schema is not looked into: it may hold anything.
            let inner = object
                .iter_mut()
                .filter(|(name, _)| !matches!(name.as_str(), "enum" | "const" | "default" | "examples"));
            inner.for_each(|(_, inner)| close(inner));
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
