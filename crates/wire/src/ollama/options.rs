//! What `/api/chat` and `/api/generate` have in common beside the prompt: sampling, format, thinking.

use super::is_own;
use super::parts::LEFT_OUT;
use crate::error::WireError;
use crate::{effort, take};
use hanok_base::{
    ChatRequest, Degradation, Object, OutputFormat, ReasoningOptions, Sampling, ToolChoice, ToolSpec,
};
use serde_json::{Value, json};

/// Takes the options that have a place of their own; the others stay in `options`.
pub(super) fn sampling(extra: &mut Object) -> Result<Sampling, WireError> {
    let Some(mut options) = take::map(extra, "options")? else {
        return Ok(Sampling::default());
    };
    let sampling = known(&mut options).map_err(|error| take::under("options", error))?;
    options.retain(|_, value| !value.is_null());
    if !options.is_empty() {
        extra.insert("options".into(), options.into());
    }
    Ok(sampling)
}

fn known(options: &mut Object) -> Result<Sampling, WireError> {
    let stop = match take::some(options, "stop") {
        None => Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            items.into_iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        }
        Some(_) => return Err(WireError::member("stop", "must be an array of strings")),
    };
    Ok(Sampling {
        temperature: take::number(options, "temperature")?,
        top_p: take::number(options, "top_p")?,
        top_k: positive(options, "top_k")?,
        frequency_penalty: take::number(options, "frequency_penalty")?,
        presence_penalty: take::number(options, "presence_penalty")?,
        max_tokens: positive(options, "num_predict")?,
        stop,
        seed: whole(options, "seed")?,
        n: None,
    })
}

/// An integer, also where it is written with a fraction of zero.
fn whole(options: &mut Object, name: &str) -> Result<Option<i64>, WireError> {
    if let Some(number) = options.get(name).and_then(Value::as_f64)
        && number.fract() == 0.0
        && number.abs() < 9e15
    {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number far below 2^63")]
        options.insert(name.to_owned(), (number as i64).into());
    }
    take::integer(options, name)
}

/// A count above zero. Zero and less have meanings of their own (no limit, the whole context) that no other
/// dialect has: they stay where they are.
fn positive(options: &mut Object, name: &str) -> Result<Option<u64>, WireError> {
    let Some(number) = whole(options, name)? else { return Ok(None) };
    match u64::try_from(number) {
        Ok(count) if count > 0 => Ok(Some(count)),
        _ => {
            options.insert(name.to_owned(), number.into());
            Ok(None)
        }
    }
}

/// The options of a request.
pub(super) fn encode_sampling(request: &ChatRequest, lost: &mut Vec<Degradation>) -> Option<Value> {
    let sampling = &request.sampling;
    let mut options = Object::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            options.insert(name.to_owned(), value);
        }
    };
    set("temperature", sampling.temperature.map(Value::from));
    set("top_p", sampling.top_p.map(Value::from));
    set("top_k", sampling.top_k.map(Value::from));
    set("frequency_penalty", sampling.frequency_penalty.map(Value::from));
    set("presence_penalty", sampling.presence_penalty.map(Value::from));
    set("num_predict", sampling.max_tokens.map(Value::from));
    set("stop", (!sampling.stop.is_empty()).then(|| sampling.stop.clone().into()));
    set("seed", sampling.seed.map(Value::from));
    if sampling.n.is_some_and(|n| n > 1) {
        lose(lost, "n", "one answer only: ollama has no such member");
    }
    if let (true, Some(Value::Object(more))) = (is_own(request.dialect), request.extra.get("options")) {
        options.extend(more.clone());
    }
    (!options.is_empty()).then(|| options.into())
}

/// `""`, `"json"` or a JSON schema.
pub(super) fn output(extra: &mut Object) -> OutputFormat {
    match take::some(extra, "format") {
        None => OutputFormat::Unset,
        Some(Value::String(text)) if text.is_empty() => OutputFormat::Unset,
        Some(Value::String(text)) if text == "json" => OutputFormat::Json,
        Some(Value::Object(schema)) => OutputFormat::JsonSchema {
            name: schema_name(&schema),
            schema: Some(schema.into()),
            strict: None,
            extra: Object::new(),
        },
        Some(other) => OutputFormat::Opaque(other),
    }
}

/// A name for a schema, which has none here: its title where that may be a name elsewhere.
fn schema_name(schema: &Object) -> String {
    let title = schema.get("title").and_then(Value::as_str).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=64).contains(&title.len()) && title.bytes().all(plain) {
        title.to_owned()
    } else {
        "response".to_owned()
    }
}

pub(super) fn encode_output(request: &ChatRequest, lost: &mut Vec<Degradation>) -> Option<Value> {
    match &request.output {
        OutputFormat::Unset | OutputFormat::Text => None,
        OutputFormat::Json | OutputFormat::JsonSchema { schema: None, .. } => Some("json".into()),
        // The name is for people; every schema is enforced, so that strictness says nothing.
        OutputFormat::JsonSchema { schema: Some(schema), .. } => Some(schema.clone()),
        OutputFormat::Opaque(value) if is_own(request.dialect) => Some(value.clone()),
        OutputFormat::Opaque(_) => {
            lose(lost, "response_format", "left out: ollama has JSON and JSON schemas only");
            None
        }
    }
}

/// `think`: whether, or how much.
pub(super) fn reasoning(extra: &mut Object) -> Result<ReasoningOptions, WireError> {
    let (enabled, effort) = match take::some(extra, "think") {
        None => (None, None),
        Some(Value::Bool(think)) => (Some(think), None),
        Some(Value::String(effort)) => (Some(true), Some(effort)),
        Some(_) => {
            let message = "must be true, false, \"low\", \"medium\", \"high\" or \"max\"";
            return Err(WireError::member("think", message));
        }
    };
    Ok(ReasoningOptions { enabled, effort, ..ReasoningOptions::default() })
}

pub(super) fn encode_reasoning(options: &ReasoningOptions) -> Option<Value> {
    if options.enabled == Some(false) {
        return Some(false.into());
    }
    let effort = options.effort.as_deref().or_else(|| options.budget_tokens.map(effort::effort));
    match effort {
        None => options.enabled.map(Value::from),
        Some("none") => Some(false.into()),
        Some("minimal") => Some("low".into()),
        Some("xhigh") => Some("max".into()),
        Some(effort) => Some(effort.into()),
    }
}

/// A tool, in the shape that OpenAI's chat has it, too.
pub(super) fn tool(mut object: Object) -> Result<ToolSpec, WireError> {
    // Some clients leave the type out, as there is but one.
    let Some(mut function) = take::map(&mut object, "function")? else {
        let (name, description, parameters, strict) = (String::new(), None, None, None);
        return Ok(ToolSpec { name, description, parameters, strict, extra: object });
    };
    let name = take::string(&mut function, "name")?
        .filter(|name| !name.is_empty())
        .ok_or_else(|| WireError::member("function.name", "is required"))?;
    let description = take::string(&mut function, "description")?;
    let parameters = take::some(&mut function, "parameters");
    if object.get("type").and_then(Value::as_str) == Some("function") {
        object.shift_remove("type");
    }
    if !function.is_empty() {
        object.insert("function".into(), function.into());
    }
    Ok(ToolSpec { name, description, parameters, strict: None, extra: object })
}

/// The tools of a request. A choice that the dialect cannot say is named; that of no tool is said by giving
/// none.
pub(super) fn encode_tools(request: &ChatRequest, lost: &mut Vec<Degradation>) -> Option<Value> {
    match &request.tool_choice {
        ToolChoice::None => return None,
        ToolChoice::Unset | ToolChoice::Auto => {}
        ToolChoice::Required | ToolChoice::Tool(_) | ToolChoice::Opaque(_) => {
            lose(lost, "tool_choice", "left to the model: ollama cannot force a call");
        }
    }
    if request.parallel_tool_calls == Some(false) {
        lose(lost, "parallel_tool_calls", "left to the model: ollama has no such member");
    }
    if request.tools.iter().any(|tool| tool.strict == Some(true)) {
        lose(lost, "tools.strict", "left to the model: ollama does not enforce a tool's schema");
    }
    let own = is_own(request.dialect);
    let mut tools = Vec::with_capacity(request.tools.len());
    for (i, tool) in request.tools.iter().enumerate() {
        if tool.name.is_empty() && !own {
            lose(lost, &format!("tools[{i}]"), "left out: ollama has tools of type function only");
        } else {
            tools.push(encode_tool(tool, own));
        }
    }
    (!tools.is_empty()).then(|| tools.into())
}

fn encode_tool(tool: &ToolSpec, own: bool) -> Value {
    if tool.name.is_empty() {
        return tool.extra.clone().into();
    }
    let mut function = Object::from_iter([("name".to_owned(), tool.name.as_str().into())]);
    if let Some(description) = &tool.description {
        function.insert("description".into(), description.as_str().into());
    }
    // Servers read the schema's members without looking whether there is one.
    let schema =
        tool.parameters.clone().or_else(|| (!own).then(|| json!({ "type": "object", "properties": {} })));
    if let Some(schema) = schema {
        function.insert("parameters".into(), schema);
    }
    let mut object = Object::from_iter([("type".to_owned(), Value::from("function"))]);
    if own {
        for (name, value) in &tool.extra {
            match (name.as_str(), value) {
                ("function", Value::Object(more)) => function.extend(more.clone()),
                _ => drop(object.insert(name.clone(), value.clone())),
            }
        }
    }
    object.insert("function".into(), function.into());
    object.into()
}

/// Members of the request that nothing else stands for: written where they are of this dialect, `except` those
/// that this route does not have, and named where they are not.
pub(super) fn encode_extra(
    request: &ChatRequest,
    except: &[&str],
    object: &mut Object,
    lost: &mut Vec<Degradation>,
) {
    let own = is_own(request.dialect);
    for (name, value) in &request.extra {
        if !own || except.contains(&name.as_str()) {
            // How usage is told in a stream, which it always is.
            if name != "stream_options" {
                lose(lost, name, LEFT_OUT);
            }
        } else if name != "options" {
            object.insert(name.clone(), value.clone());
        }
    }
    if request.user.is_some() {
        lose(lost, "user", LEFT_OUT);
    }
}

pub(super) fn lose(lost: &mut Vec<Degradation>, param: &str, message: &str) {
    lost.push(Degradation { param: param.to_owned(), message: message.to_owned() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_much_to_think() {
        let check =
            |enabled: Option<bool>, effort: Option<&str>, budget_tokens: Option<u64>, expect: Value| {
                let effort = effort.map(str::to_owned);
                let options = ReasoningOptions { enabled, effort, budget_tokens, summary: None };
                assert_eq!(encode_reasoning(&options).unwrap_or_default(), expect, "{options:?}");
            };
        check(None, None, None, Value::Null);
        check(Some(true), None, None, true.into());
        check(Some(false), Some("high"), None, false.into());
        check(None, Some("minimal"), None, "low".into());
        check(None, Some("medium"), Some(1), "medium".into());
        check(None, Some("none"), None, false.into());
        check(Some(true), None, Some(8_192), "medium".into());
        check(None, None, Some(0), false.into());
    }

    #[test]
    fn limits_that_are_none() {
        let check = |given: Value, limit: Option<u64>, kept: Value| {
            let mut extra = Object::from_iter([("options".to_owned(), json!({ "num_predict": given }))]);
            assert_eq!(sampling(&mut extra).unwrap().max_tokens, limit);
            assert_eq!(extra.get("options").cloned().unwrap_or_default(), kept);
        };
        check(7.into(), Some(7), Value::Null);
        check(7.0.into(), Some(7), Value::Null);
        check((-1).into(), None, json!({ "num_predict": -1 }));
        check(0.into(), None, json!({ "num_predict": 0 }));
        check(Value::Null, None, Value::Null);
        let mut extra = Object::from_iter([("options".to_owned(), json!({ "top_k": "many" }))]);
        let error = sampling(&mut extra).unwrap_err();
        assert_eq!(error.to_string(), "`options.top_k`: must be an integer, not a string");
    }
}
