//! Requests: what clients send, what upstreams want.

use super::losses::losses;
use super::messages::encode_messages;
use super::parts::message_parts;
use crate::codec::{Encoded, RequestOptions};
use crate::error::WireError;
use crate::{effort, take};
use hanok_base::{
    ChatRequest, Dialect, Message, Object, OutputFormat, Part, ReasoningOptions, Role, Sampling, ToolChoice,
    ToolResult, ToolSpec,
};
use serde_json::{Value, json};

pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, WireError> {
    let mut extra = take::request(body)?;
    let model =
        take::string(&mut extra, "model")?.ok_or_else(|| WireError::member("model", "is required"))?;
    if !extra.contains_key("messages") {
        return Err(WireError::member("messages", "is required: an array of messages"));
    }
    let mut messages = Vec::new();
    for (i, value) in take::array(&mut extra, "messages")?.into_iter().enumerate() {
        let place = format!("messages[{i}]");
        let object = take::item(value, &place)?;
        messages.push(message(object).map_err(|error| take::under(&place, error))?);
    }
    if messages.is_empty() {
        return Err(WireError::member("messages", "must hold at least one message"));
    }
    let mut tools = Vec::new();
    for (i, value) in take::array(&mut extra, "tools")?.into_iter().enumerate() {
        let place = format!("tools[{i}]");
        let object = take::item(value, &place)?;
        tools.push(tool(object).map_err(|error| take::under(&place, error))?);
    }
    let tool_choice = take::some(&mut extra, "tool_choice").map_or(ToolChoice::Unset, tool_choice);
    let output = take::some(&mut extra, "response_format").map_or(OutputFormat::Unset, output_format);
    let sampling = sampling(&mut extra)?;
    let parallel_tool_calls = take::boolean(&mut extra, "parallel_tool_calls")?;
    let reasoning = reasoning_options(&mut extra)?;
    let user = take::string(&mut extra, "user")?;
    let cache_key = take::string(&mut extra, "prompt_cache_key")?;
    extra.shift_remove("stream");
    Ok(ChatRequest {
        tools,
        tool_choice,
        parallel_tool_calls,
        output,
        sampling,
        reasoning,
        user,
        cache_key,
        dialect: Some(Dialect::OpenAiChat),
        extra,
        ..ChatRequest::new(model.into(), messages)
    })
}

fn sampling(extra: &mut Object) -> Result<Sampling, WireError> {
    let newer = take::count(extra, "max_completion_tokens")?;
    let older = take::count(extra, "max_tokens")?;
    let stop = match take::some(extra, "stop") {
        None => Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            items.into_iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        }
        Some(_) => {
            return Err(WireError::member("stop", "must be a string or an array of strings"));
        }
    };
    let n = take::count(extra, "n")?
        .map(|n| u32::try_from(n).map_err(|_| WireError::member("n", "is too large")))
        .transpose()?;
    Ok(Sampling {
        temperature: take::number(extra, "temperature")?,
        top_p: take::number(extra, "top_p")?,
        top_k: whole(extra, "top_k"),
        frequency_penalty: take::number(extra, "frequency_penalty")?,
        presence_penalty: take::number(extra, "presence_penalty")?,
        max_tokens: newer.or(older),
        stop,
        seed: take::integer(extra, "seed")?,
        n,
    })
}

/// A count that OpenAI does not document. Some vendors take -1 for none: that is theirs to read.
fn whole(extra: &mut Object, name: &str) -> Option<u64> {
    let count = extra.get(name)?.as_u64()?;
    extra.shift_remove(name);
    Some(count)
}

/// `reasoning_effort`, and OpenRouter's `reasoning`, which is left there so that it keeps its form.
fn reasoning_options(extra: &mut Object) -> Result<ReasoningOptions, WireError> {
    let asked = extra.get("reasoning").and_then(Value::as_object);
    let get = |name: &str| asked.and_then(|asked| asked.get(name));
    let budget_tokens = get("max_tokens").and_then(Value::as_u64);
    let enabled = get("enabled").and_then(Value::as_bool);
    let summary = get("summary").and_then(Value::as_str).map(str::to_owned);
    let effort = match get("effort").and_then(Value::as_str).map(str::to_owned) {
        Some(effort) => Some(effort),
        None => take::string(extra, "reasoning_effort")?,
    };
    Ok(ReasoningOptions { enabled, effort, budget_tokens, summary })
}

fn role(name: &str) -> Option<Role> {
    Some(match name {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        // `function` is the older name of a tool's answer.
        "tool" | "function" => Role::Tool,
        _ => return None,
    })
}

pub(super) fn message(mut object: Object) -> Result<Message, WireError> {
    let name = take::string(&mut object, "role")?.ok_or_else(|| WireError::member("role", "is required"))?;
    let role = role(&name).ok_or_else(|| {
        let message = format!("must be system, developer, user, assistant or tool, not {name:?}");
        WireError::member("role", message)
    })?;
    let call_id = take::string(&mut object, "tool_call_id")?;
    let parts = message_parts(&mut object)?;
    let parts = match (role, call_id) {
        (Role::Tool, Some(call_id)) => {
            vec![Part::ToolResult(ToolResult { call_id, parts, is_error: false })]
        }
        (_, Some(call_id)) => {
            object.insert("tool_call_id".into(), call_id.into());
            parts
        }
        (_, None) => parts,
    };
    Ok(Message { role, parts, extra: object })
}

pub(super) fn tool(mut object: Object) -> Result<ToolSpec, WireError> {
    if object.get("type").and_then(Value::as_str) != Some("function") {
        return Ok(ToolSpec {
            name: String::new(),
            description: None,
            parameters: None,
            strict: None,
            extra: object,
        });
    }
    let mut function = take::map(&mut object, "function")?
        .ok_or_else(|| WireError::member("function", "is required for a tool of type function"))?;
    let name = take::string(&mut function, "name")?
        .filter(|name| !name.is_empty())
        .ok_or_else(|| WireError::member("function.name", "is required"))?;
    let description = take::string(&mut function, "description")?;
    let strict = take::boolean(&mut function, "strict")?;
    let parameters = take::some(&mut function, "parameters");
    object.shift_remove("type");
    if !function.is_empty() {
        object.insert("function".into(), function.into());
    }
    Ok(ToolSpec { name, description, parameters, strict, extra: object })
}

fn tool_choice(value: Value) -> ToolChoice {
    match value.as_str() {
        Some("auto") => return ToolChoice::Auto,
        Some("none") => return ToolChoice::None,
        Some("required") => return ToolChoice::Required,
        _ => {}
    }
    match value.pointer("/function/name").and_then(Value::as_str) {
        Some(name) if value.get("type").and_then(Value::as_str) == Some("function") => {
            ToolChoice::Tool(name.to_owned())
        }
        _ => ToolChoice::Opaque(value),
    }
}

fn output_format(value: Value) -> OutputFormat {
    let kind = value.get("type").and_then(Value::as_str);
    match (kind, value.get("json_schema")) {
        (Some("text"), _) => OutputFormat::Text,
        (Some("json_object"), _) => OutputFormat::Json,
        (Some("json_schema"), Some(Value::Object(schema))) => {
            let mut extra = schema.clone();
            let name = extra.shift_remove("name").and_then(|name| name.as_str().map(str::to_owned));
            let schema = take::some(&mut extra, "schema");
            let strict = take::some(&mut extra, "strict").and_then(|strict| strict.as_bool());
            match name {
                Some(name) => OutputFormat::JsonSchema { name, schema, strict, extra },
                None => OutputFormat::Opaque(value),
            }
        }
        _ => OutputFormat::Opaque(value),
    }
}

/// Whether a request came in this dialect, so that its unknown members are under our names.
pub(super) fn is_own(request: &ChatRequest) -> bool {
    request.dialect == Some(Dialect::OpenAiChat)
}

pub(super) fn encode(request: &ChatRequest, options: RequestOptions) -> Encoded {
    let own = is_own(request);
    let mut object = Object::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            object.insert(name.to_owned(), value);
        }
    };
    set("model", Some(request.model.as_str().into()));
    set("messages", Some(encode_messages(&request.messages, own, options.thoughts).into()));
    let tools: Vec<Value> = request.tools.iter().filter_map(|tool| encode_tool(tool, own)).collect();
    set(
        "parallel_tool_calls",
        request.parallel_tool_calls.filter(|_| own || !tools.is_empty()).map(Value::from),
    );
    set("tool_choice", encode_tool_choice(&request.tool_choice, own).filter(|_| own || !tools.is_empty()));
    set("tools", (!tools.is_empty()).then(|| tools.into()));
    set("response_format", encode_output(&request.output, own));
    let sampling = &request.sampling;
    set("temperature", sampling.temperature.map(Value::from));
    set("top_p", sampling.top_p.map(Value::from));
    set("top_k", sampling.top_k.filter(|_| own).map(Value::from));
    set("frequency_penalty", sampling.frequency_penalty.map(Value::from));
    set("presence_penalty", sampling.presence_penalty.map(Value::from));
    let limit = if options.max_completion_tokens { "max_completion_tokens" } else { "max_tokens" };
    set(limit, sampling.max_tokens.map(Value::from));
    set("stop", (!sampling.stop.is_empty()).then(|| sampling.stop.clone().into()));
    set("seed", sampling.seed.map(Value::from));
    set("n", sampling.n.map(Value::from));
    set("user", request.user.as_deref().map(Value::from));
    // A hint, which some servers refuse; only a client of this dialect knows that its upstream takes it.
    set("prompt_cache_key", request.cache_key.as_deref().filter(|_| own).map(Value::from));
    for (name, value) in request.extra.iter().filter(|_| own) {
        if name != "stream_options" || options.stream {
            set(name, Some(value.clone()));
        }
    }
    encode_reasoning(&request.reasoning, &mut object);
    if options.stream {
        object.insert("stream".into(), true.into());
        if options.ask_usage {
            let asked = object.entry("stream_options").or_insert_with(|| json!({}));
            if !asked.is_object() {
                *asked = json!({});
            }
            if let Some(asked) = asked.as_object_mut() {
                asked.insert("include_usage".into(), true.into());
            }
        }
    }
    Encoded::new(&object.into(), losses(request, options))
}

/// The effort as documented, and where the client asked in OpenRouter's form, in that one.
fn encode_reasoning(asked: &ReasoningOptions, object: &mut Object) {
    let mut effort = asked.effort.as_deref();
    match object.get_mut("reasoning").and_then(Value::as_object_mut) {
        Some(form) => {
            let mut set = |name: &str, value: Option<Value>| {
                if let Some(value) = value {
                    form.insert(name.to_owned(), value);
                }
            };
            set("max_tokens", asked.budget_tokens.map(Value::from));
            set("enabled", asked.enabled.map(Value::from));
            if form.contains_key("effort")
                && let Some(effort) = effort.take()
            {
                form.insert("effort".to_owned(), effort.into());
            }
        }
        None => effort = effort.or_else(|| said_as(asked)),
    }
    if let Some(effort) = effort {
        object.insert("reasoning_effort".to_owned(), effort.into());
    }
}

/// The effort that says the same as a budget or a wish to think; `None` where nothing says it.
pub(super) fn said_as(asked: &ReasoningOptions) -> Option<&'static str> {
    match (asked.enabled, asked.budget_tokens) {
        // Most models of this dialect refuse an effort of `none`.
        (Some(false), _) | (_, Some(0)) | (None, None) => None,
        (_, Some(budget)) => Some(effort::effort(budget)),
        (Some(true), None) => Some("medium"),
    }
}

fn encode_tool(tool: &ToolSpec, own: bool) -> Option<Value> {
    if tool.name.is_empty() {
        return own.then(|| Value::Object(tool.extra.clone()));
    }
    let mut function = Object::new();
    function.insert("name".into(), tool.name.as_str().into());
    if let Some(description) = &tool.description {
        function.insert("description".into(), description.as_str().into());
    }
    if let Some(parameters) = &tool.parameters {
        function.insert("parameters".into(), parameters.clone());
    }
    if let Some(strict) = tool.strict {
        function.insert("strict".into(), strict.into());
    }
    let mut object = Object::from_iter([("type".to_owned(), Value::from("function"))]);
    for (name, value) in tool.extra.iter().filter(|_| own) {
        match (name.as_str(), value) {
            ("function", Value::Object(more)) => function.extend(more.clone()),
            _ => drop(object.insert(name.clone(), value.clone())),
        }
    }
    object.insert("function".into(), function.into());
    Some(Value::Object(object))
}

fn encode_tool_choice(choice: &ToolChoice, own: bool) -> Option<Value> {
    Some(match choice {
        ToolChoice::Unset => return None,
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Tool(name) => json!({ "type": "function", "function": { "name": name } }),
        ToolChoice::Opaque(value) => return own.then(|| value.clone()),
    })
}

fn encode_output(output: &OutputFormat, own: bool) -> Option<Value> {
    Some(match output {
        OutputFormat::Unset => return None,
        OutputFormat::Text => json!({ "type": "text" }),
        OutputFormat::Json => json!({ "type": "json_object" }),
        OutputFormat::JsonSchema { name, schema, strict, extra } => {
            // Other dialects have formats without a name.
            let name = if name.is_empty() && !own { "response" } else { name };
            let mut object = Object::from_iter([("name".to_owned(), Value::from(name))]);
            if let Some(schema) = schema {
                object.insert("schema".into(), schema.clone());
            }
            if let Some(strict) = strict {
                object.insert("strict".into(), (*strict).into());
            }
            let told = extra.iter().filter(|(name, _)| own || *name == "description");
            object.extend(told.map(|(name, value)| (name.clone(), value.clone())));
            json!({ "type": "json_schema", "json_schema": object })
        }
        OutputFormat::Opaque(value) => return own.then(|| value.clone()),
    })
}
