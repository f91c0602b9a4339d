//! Requests: what clients send, what upstreams want.

use super::items::{self, Reader, To};
use super::{content, tools};
use crate::codec::{Encoded, RequestOptions};
use crate::effort;
use crate::error::WireError;
use crate::take;
use hanok_base::{
    ChatRequest, Degradation, Dialect, Message, Object, Part, ReasoningOptions, Role, Sampling, ToolResult,
};
use serde_json::{Value, json};

const OWN: Dialect = Dialect::OpenAiResponses;

pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, WireError> {
    let mut extra = take::request(body)?;
    let model =
        take::string(&mut extra, "model")?.ok_or_else(|| WireError::member("model", "is required"))?;
    let mut messages = Vec::new();
    match take::some(&mut extra, "instructions") {
        None => {}
        Some(Value::String(text)) => messages.push(Message::text(Role::System, text)),
        Some(_) => return Err(WireError::member("instructions", "must be a string")),
    }
    let instructions = messages.len();
    match take::some(&mut extra, "input") {
        None => {}
        Some(Value::String(text)) => messages.push(Message::text(Role::User, text)),
        Some(Value::Array(items)) => input(items, &mut messages)?,
        Some(_) => return Err(WireError::member("input", "must be a string or an array of items")),
    }
    // A prompt kept at the provider, or the conversation before, may be all there is.
    if messages.len() == instructions && !leans_elsewhere(&extra) {
        return Err(WireError::member("input", "is required: a string or an array of items"));
    }
    let tools = tools::decode(take::array(&mut extra, "tools")?)?;
    let tool_choice = tools::decode_choice(take::some(&mut extra, "tool_choice"));
    let output = tools::decode_text(&mut extra)?;
    let reasoning = reasoning(&mut extra)?;
    let sampling = Sampling {
        temperature: take::number(&mut extra, "temperature")?,
        top_p: take::number(&mut extra, "top_p")?,
        max_tokens: take::count(&mut extra, "max_output_tokens")?,
        ..Sampling::default()
    };
    let parallel_tool_calls = take::boolean(&mut extra, "parallel_tool_calls")?;
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
        dialect: Some(OWN),
        extra,
        ..ChatRequest::new(model.into(), messages)
    })
}

/// Whether members of a request say that its input is kept at the provider.
fn leans_elsewhere(extra: &Object) -> bool {
    let names = ["prompt", "previous_response_id", "conversation"];
    names.iter().any(|name| extra.get(*name).is_some_and(|at| !at.is_null()))
}

fn reasoning(extra: &mut Object) -> Result<ReasoningOptions, WireError> {
    let Some(mut object) = take::map(extra, "reasoning")? else {
        return Ok(ReasoningOptions::default());
    };
    let under = |error| take::under("reasoning", error);
    let options = ReasoningOptions {
        effort: take::string(&mut object, "effort").map_err(under)?,
        summary: take::string(&mut object, "summary").map_err(under)?,
        ..ReasoningOptions::default()
    };
    object.retain(|_, value| !value.is_null());
    if !object.is_empty() {
        extra.insert("reasoning".into(), object.into());
    }
    Ok(options)
}

/// The items of a conversation as messages: all that the model said between two others' items is one message.
fn input(items: Vec<Value>, messages: &mut Vec<Message>) -> Result<(), WireError> {
    let mut turn: Option<Reader> = None;
    for (i, value) in items.into_iter().enumerate() {
        let place = format!("input[{i}]");
        let mut object = take::item(value, &place)?;
        if object.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("input_")) {
            // A part of the user's that stands by itself.
            let content = Value::from(vec![Value::Object(object)]);
            object = Object::from_iter([("role".into(), "user".into()), ("content".into(), content)]);
        }
        if is_the_models(&object) {
            let reader = turn.get_or_insert_with(Reader::of_request);
            reader.item(object).map_err(|error| take::under(&place, error))?;
        } else {
            messages.extend(turn.take().map(said));
            messages.push(message(object).map_err(|error| take::under(&place, error))?);
        }
    }
    messages.extend(turn.take().map(said));
    Ok(())
}

fn said(reader: Reader) -> Message {
    let (parts, extra) = reader.finish();
    Message { role: Role::Assistant, parts, extra }
}

/// Whether an item is of the model's turn: its messages, thoughts and calls, and what we do not know but for
/// the outputs of tools.
fn is_the_models(object: &Object) -> bool {
    match object.get("type").and_then(Value::as_str) {
        None | Some("message") => object.get("role").is_some_and(|role| role == "assistant"),
        Some(other) => !other.ends_with("_output"),
    }
}

fn message(mut object: Object) -> Result<Message, WireError> {
    match object.get("type").and_then(Value::as_str) {
        None | Some("message") => {}
        Some("function_call_output") => return output(object),
        Some(_) => {
            let parts = vec![Part::Opaque { dialect: OWN, value: object.into() }];
            return Ok(Message { role: Role::Tool, parts, extra: Object::new() });
        }
    }
    object.shift_remove("type");
    let name = take::string(&mut object, "role")?.ok_or_else(|| WireError::member("role", "is required"))?;
    let role = match name.as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        _ => {
            let message = format!("must be user, assistant, system or developer, not {name:?}");
            return Err(WireError::member("role", message));
        }
    };
    let (parts, unknown) = content::decode(take::some(&mut object, "content"), "content")?;
    object.retain(|_, value| !value.is_null());
    if !unknown.is_empty() {
        object.insert("content".into(), unknown.into());
    }
    Ok(Message { role, parts, extra: object })
}

fn output(mut object: Object) -> Result<Message, WireError> {
    object.shift_remove("type");
    let call_id =
        take::string(&mut object, "call_id")?.ok_or_else(|| WireError::member("call_id", "is required"))?;
    let (parts, unknown) = content::decode(take::some(&mut object, "output"), "output")?;
    object.retain(|_, value| !value.is_null());
    if !unknown.is_empty() {
        object.insert("content".into(), unknown.into());
    }
    let result = Part::ToolResult(ToolResult { call_id, parts, is_error: false });
    Ok(Message { role: Role::Tool, parts: vec![result], extra: object })
}

/// What a request of another dialect says that this one cannot.
#[derive(Default)]
pub(super) struct Lost(Vec<Degradation>);

impl Lost {
    pub(super) fn left_out(&mut self, param: impl Into<String>, why: &str) {
        self.0.push(Degradation { param: param.into(), message: format!("left out: {why}") });
    }
}

pub(super) const NO_MEMBER: &str = "openai-responses has no such member";

pub(super) fn encode(request: &ChatRequest, options: RequestOptions) -> Encoded {
    let own = request.dialect == Some(OWN);
    let mut lost = Lost::default();
    let mut object = Object::new();
    object.insert("model".into(), request.model.as_str().into());
    let mut messages = request.messages.as_slice();
    let mut first = 0;
    // A request wants an input: where there is nothing else, the instructions are it.
    let alone = messages.len() == 1 && !(own && leans_elsewhere(&request.extra));
    if let [Message { role: Role::System, parts, extra }, rest @ ..] = messages
        && let ([Part::Text(text)], true, false) = (parts.as_slice(), extra.is_empty() || !own, alone)
    {
        object.insert("instructions".into(), text.as_str().into());
        (messages, first) = (rest, 1);
    }
    let mut items = Vec::with_capacity(messages.len());
    for (i, message) in messages.iter().enumerate() {
        encode_message(message, own, &format!("messages[{}]", first + i), &mut items, &mut lost);
    }
    // A request that leans on what is kept elsewhere may have none.
    if !items.is_empty() || !own {
        object.insert("input".into(), items.into());
    }
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            object.insert(name.to_owned(), value);
        }
    };
    set("tools", tools::encode(&request.tools, own, &mut lost));
    set("tool_choice", tools::encode_choice(&request.tool_choice, own, &mut lost));
    set("parallel_tool_calls", request.parallel_tool_calls.map(Value::from));
    set("text", text(request, own, &mut lost));
    set("reasoning", encode_reasoning(request, own));
    let sampling = &request.sampling;
    set("temperature", sampling.temperature.map(Value::from));
    set("top_p", sampling.top_p.map(Value::from));
    set("max_output_tokens", sampling.max_tokens.map(Value::from));
    set("user", request.user.as_deref().map(Value::from));
    set("prompt_cache_key", request.cache_key.as_deref().map(Value::from));
    sampling_lost(sampling, &mut lost);
    for (name, value) in &request.extra {
        match name.as_str() {
            // Written with what they belong to.
            "text" | "reasoning" if own => {}
            "stream_options" if !own || !options.stream => {}
            _ if own || same_in_chat(request, name) => set(name, Some(value.clone())),
            "verbosity" if request.dialect == Some(Dialect::OpenAiChat) => {}
            _ => lost.left_out(name, NO_MEMBER),
        }
    }
    if !own {
        // Nobody asked that the provider keep it. What it thought comes back, so that it can be given again.
        set("store", Some(false.into()));
        if thinks(&request.reasoning) {
            set("include", Some(json!([super::state::ENCRYPTED])));
        }
    }
    if options.stream {
        set("stream", Some(true.into()));
    }
    Encoded::new(&object.into(), lost.0)
}

/// Members of the chat dialect that this one has under the same name and meaning.
fn same_in_chat(request: &ChatRequest, name: &str) -> bool {
    request.dialect == Some(Dialect::OpenAiChat)
        && matches!(name, "metadata" | "service_tier" | "safety_identifier" | "prompt_cache_retention")
}

fn thinks(options: &ReasoningOptions) -> bool {
    options.enabled != Some(false)
        && options.effort.as_deref() != Some("none")
        && *options != ReasoningOptions::default()
}

fn sampling_lost(sampling: &Sampling, lost: &mut Lost) {
    let said = [
        ("top_k", sampling.top_k.is_some()),
        ("frequency_penalty", sampling.frequency_penalty.is_some()),
        ("presence_penalty", sampling.presence_penalty.is_some()),
        ("stop", !sampling.stop.is_empty()),
        ("seed", sampling.seed.is_some()),
        ("n", sampling.n.is_some_and(|n| n != 1)),
    ];
    for (name, _) in said.iter().filter(|(_, said)| *said) {
        lost.left_out(*name, NO_MEMBER);
    }
}

fn text(request: &ChatRequest, own: bool, lost: &mut Lost) -> Option<Value> {
    let mut object = Object::new();
    if let Some(format) = tools::encode_format(&request.output, own, lost) {
        object.insert("format".into(), format);
    }
    if let (true, Some(Value::Object(more))) = (own, request.extra.get("text")) {
        object.extend(more.clone());
    }
    if let (Some(Dialect::OpenAiChat), Some(verbosity)) = (request.dialect, request.extra.get("verbosity")) {
        object.insert("verbosity".into(), verbosity.clone());
    }
    (!object.is_empty()).then(|| object.into())
}

fn encode_reasoning(request: &ChatRequest, own: bool) -> Option<Value> {
    let options = &request.reasoning;
    let mut object = Object::new();
    let effort = match (options.enabled, options.effort.as_deref(), options.budget_tokens) {
        (Some(false), ..) => Some("none"),
        (_, Some(effort), _) => Some(effort),
        // The wish to think alone is what other dialects have no effort for.
        (Some(true), None, None) if !own => Some("medium"),
        (_, None, budget) => budget.map(effort::effort),
    };
    if let Some(effort) = effort {
        object.insert("effort".into(), effort.into());
    }
    if let Some(summary) = &options.summary {
        object.insert("summary".into(), summary.as_str().into());
    }
    if let (true, Some(Value::Object(more))) = (own, request.extra.get("reasoning")) {
        object.extend(more.clone());
    }
    (!object.is_empty()).then(|| object.into())
}

fn encode_message(message: &Message, own: bool, place: &str, out: &mut Vec<Value>, lost: &mut Lost) {
    if message.role == Role::Assistant {
        let written = items::write(&message.parts, &message.extra, own, To::Upstream);
        for i in written.left_out {
            lost.left_out(format!("{place}.content[{i}]"), "openai-responses has no such part in an answer");
        }
        // A turn in which nothing was said is a turn all the same; without it there may be no input at all.
        if message.parts.is_empty() && written.items.is_empty() {
            out.push(json!({ "type": "message", "role": "assistant", "content": "" }));
        }
        out.extend(written.items);
        return;
    }
    let unknown = message.extra.get("content").filter(|_| own).and_then(Value::as_array);
    let unknown = unknown.map_or(&[][..], Vec::as_slice);
    let mut extra = message.extra.clone();
    extra.shift_remove("content");
    if !own {
        for (name, _) in extra.iter().filter(|(name, _)| *name != "cache_control") {
            lost.left_out(format!("{place}.{name}"), NO_MEMBER);
        }
        extra.clear();
    }
    let mut content = Vec::new();
    let mut rest = Some(extra);
    for (i, part) in message.parts.iter().enumerate() {
        match part {
            Part::ToolResult(result) => {
                if result.is_error {
                    lost.left_out(
                        format!("{place}.content[{i}].is_error"),
                        "openai-responses tells a failure by the output's text only",
                    );
                }
                out.push(encode_output(
                    result,
                    own,
                    unknown,
                    rest.take(),
                    &format!("{place}.content[{i}]"),
                    lost,
                ));
            }
            // An item of its own: the output of a tool that we do not know.
            Part::Opaque { dialect: OWN, value } if message.role == Role::Tool => out.push(value.clone()),
            Part::CacheBreak(_) => {}
            _ => match content::encode(part, own) {
                Some(part) => content.push(part),
                None => lost.left_out(format!("{place}.content[{i}]"), "openai-responses has no such part"),
            },
        }
    }
    let none = message.parts.is_empty() && message.role != Role::Tool;
    if content.is_empty() && !none {
        return;
    }
    let role = if message.role == Role::Tool { Role::User } else { message.role };
    let mut object = Object::from_iter([("type".to_owned(), Value::from("message"))]);
    object.insert("role".into(), role.as_str().into());
    object.insert("content".into(), if none { "".into() } else { with_unknown(content, unknown) });
    object.extend(rest.take().unwrap_or_default());
    out.push(object.into());
}

/// The parts with their unknown members, by position.
fn with_unknown(mut content: Vec<Value>, unknown: &[Value]) -> Value {
    for (part, unknown) in content.iter_mut().zip(unknown) {
        if let (Some(part), Some(unknown)) = (part.as_object_mut(), unknown.as_object()) {
            part.extend(unknown.clone());
        }
    }
    content.into()
}

fn encode_output(
    result: &ToolResult,
    own: bool,
    unknown: &[Value],
    rest: Option<Object>,
    place: &str,
    lost: &mut Lost,
) -> Value {
    let output = match result.parts.as_slice() {
        [] => "".into(),
        [Part::Text(text)] if unknown.is_empty() => text.as_str().into(),
        parts => {
            let mut content = Vec::with_capacity(parts.len());
            for (i, part) in parts.iter().enumerate() {
                match content::encode(part, own) {
                    Some(part) => content.push(part),
                    None if matches!(part, Part::CacheBreak(_)) => {}
                    None => lost.left_out(format!("{place}[{i}]"), "openai-responses has no such part"),
                }
            }
            with_unknown(content, unknown)
        }
    };
    let mut object = Object::from_iter([("type".to_owned(), Value::from("function_call_output"))]);
    object.insert("call_id".into(), result.call_id.as_str().into());
    object.insert("output".into(), output);
    object.extend(rest.unwrap_or_default());
    object.into()
}
