//! Requests: what clients send, what upstreams want.

use super::take;
use crate::codec::RequestOptions;
use crate::error::WireError;
use hanok_base::{
    ChatRequest, Media, MediaSource, Message, Object, OutputFormat, Part, Reasoning, Role, Sampling,
    ToolCall, ToolChoice, ToolResult, ToolSpec,
};
use serde_json::{Value, json};

pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, WireError> {
    let mut extra = take::object(body)?;
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
    extra.shift_remove("stream");
    Ok(ChatRequest {
        model: model.into(),
        messages,
        tools,
        tool_choice,
        output,
        sampling,
        extra,
    })
}

fn sampling(extra: &mut Object) -> Result<Sampling, WireError> {
    let newer = take::count(extra, "max_completion_tokens")?;
    let older = take::count(extra, "max_tokens")?;
    let stop = match take::some(extra, "stop") {
        None => Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => items
            .into_iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        Some(_) => {
            return Err(WireError::member(
                "stop",
                "must be a string or an array of strings",
            ));
        }
    };
    let n = take::count(extra, "n")?
        .map(|n| u32::try_from(n).map_err(|_| WireError::member("n", "is too large")))
        .transpose()?;
    Ok(Sampling {
        temperature: take::number(extra, "temperature")?,
        top_p: take::number(extra, "top_p")?,
        max_tokens: newer.or(older),
        stop,
        seed: take::integer(extra, "seed")?,
        n,
    })
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

fn message(mut object: Object) -> Result<Message, WireError> {
    let name = take::string(&mut object, "role")?.ok_or_else(|| WireError::member("role", "is required"))?;
    let role = role(&name).ok_or_else(|| {
        let message = format!("must be system, developer, user, assistant or tool, not {name:?}");
        WireError::member("role", message)
    })?;
    let call_id = take::string(&mut object, "tool_call_id")?;
    let parts = message_parts(&mut object)?;
    let parts = match (role, call_id) {
        (Role::Tool, Some(call_id)) => {
            vec![Part::ToolResult(ToolResult {
                call_id,
                parts,
                is_error: false,
            })]
        }
        (_, Some(call_id)) => {
            object.insert("tool_call_id".into(), call_id.into());
            parts
        }
        (_, None) => parts,
    };
    Ok(Message {
        role,
        parts,
        extra: object,
    })
}

/// What is said of a content that is neither text nor parts.
pub(super) const CONTENT: &str = "must be a string or an array of parts";

/// The parts of a message of either direction, in the order: reasoning, content, refusal, tool calls. Unknown
/// members of content parts are left in `content`, an object for each part, so that they find back.
pub(super) fn message_parts(object: &mut Object) -> Result<Vec<Part>, WireError> {
    let mut parts = Vec::new();
    if let Some(text) = reasoning_of(
        string_of(object, "reasoning_content"),
        string_of(object, "reasoning"),
    ) {
        parts.push(Part::Reasoning(Reasoning {
            text,
            signature: None,
        }));
    }
    match take::some(object, "content") {
        None => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) => parts.push(Part::Text(text)),
        Some(Value::Array(items)) => {
            let mut unknown = Vec::new();
            for (i, value) in items.into_iter().enumerate() {
                let place = format!("content[{i}]");
                let item = take::item(value, &place)?;
                let (part, rest) = content_part(item).map_err(|error| take::under(&place, error))?;
                if is_content(&part) {
                    unknown.push(Value::Object(rest));
                }
                parts.push(part);
            }
            if unknown
                .iter()
                .any(|rest| rest.as_object().is_some_and(|rest| !rest.is_empty()))
            {
                object.insert("content".into(), unknown.into());
            }
        }
        Some(_) => return Err(WireError::member("content", CONTENT)),
    }
    if let Some(text) = take::string(object, "refusal")?.filter(|text| !text.is_empty()) {
        parts.push(Part::Refusal(text));
    }
    for (i, value) in take::array(object, "tool_calls")?.into_iter().enumerate() {
        let place = format!("tool_calls[{i}]");
        let call = take::item(value, &place)?;
        parts.push(Part::ToolCall(
            tool_call(call).map_err(|error| take::under(&place, error))?,
        ));
    }
    Ok(parts)
}

/// Whether a part stands in a message's `content`, rather than in a member of its own.
fn is_content(part: &Part) -> bool {
    matches!(
        part,
        Part::Text(_) | Part::Media(_) | Part::Opaque { .. } | Part::ToolResult(_)
    )
}

fn string_of(object: &mut Object, name: &str) -> Option<Value> {
    if object.get(name).is_some_and(Value::is_string) {
        object.shift_remove(name)
    } else {
        None
    }
}

/// The text of reasoning, of the two members in which vendors tell it. Some tell it in both.
fn reasoning_of(content: Option<Value>, plain: Option<Value>) -> Option<String> {
    [content, plain]
        .into_iter()
        .flatten()
        .find_map(|value| match value {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => None,
        })
}

/// A part of a content, and its unknown members.
pub(super) fn content_part(mut object: Object) -> Result<(Part, Object), WireError> {
    let kind = object
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let missing = |name: &str| WireError::member(name, "is required");
    let part = match kind.as_str() {
        "text" => Part::Text(take::string(&mut object, "text")?.ok_or_else(|| missing("text"))?),
        "refusal" => Part::Refusal(take::string(&mut object, "refusal")?.ok_or_else(|| missing("refusal"))?),
        "thinking" => {
            let text = take::some(&mut object, "thinking")
                .map(|thinking| thought(&thinking))
                .unwrap_or_default();
            Part::Reasoning(Reasoning {
                text,
                signature: None,
            })
        }
        "image_url" => image(&mut object)?,
        "input_audio" => {
            let mut audio = take::map(&mut object, "input_audio")?.ok_or_else(|| missing("input_audio"))?;
            let data = take::string(&mut audio, "data")?.ok_or_else(|| missing("input_audio.data"))?;
            let format = take::string(&mut audio, "format")?;
            let mime = format.map(|format| format!("audio/{format}"));
            Part::Media(Media {
                mime,
                source: MediaSource::Base64(data),
                extra: audio,
            })
        }
        _ => {
            let value = Value::Object(object);
            return Ok((
                Part::Opaque {
                    provider: "openai".into(),
                    value,
                },
                Object::new(),
            ));
        }
    };
    object.shift_remove("type");
    Ok((part, object))
}

/// The text of a `thinking` part: a text, or an array of text parts.
fn thought(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part.get("text").and_then(Value::as_str))
            .collect(),
        _ => String::new(),
    }
}

fn image(object: &mut Object) -> Result<Part, WireError> {
    let mut image = match take::some(object, "image_url") {
        // Some clients send the URL alone.
        Some(Value::String(url)) => Object::from_iter([("url".to_owned(), Value::String(url))]),
        Some(Value::Object(image)) => image,
        _ => return Err(WireError::member("image_url", "must be an object with a url")),
    };
    let url =
        take::string(&mut image, "url")?.ok_or_else(|| WireError::member("image_url.url", "is required"))?;
    let inline = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    let (mime, source) = match inline {
        Some((mime, data)) => (Some(mime.to_owned()), MediaSource::Base64(data.to_owned())),
        None => (None, MediaSource::Url(url)),
    };
    Ok(Part::Media(Media {
        mime,
        source,
        extra: image,
    }))
}

pub(super) fn tool_call(mut object: Object) -> Result<ToolCall, WireError> {
    let id = take::string(&mut object, "id")?.unwrap_or_default();
    let mut function = take::map(&mut object, "function")?.unwrap_or_default();
    let name = take::string(&mut function, "name")?.unwrap_or_default();
    let arguments = match take::some(&mut function, "arguments") {
        None => String::new(),
        Some(Value::String(text)) => text,
        // Some local servers send the object itself.
        Some(other) => other.to_string(),
    };
    if object.get("type").and_then(Value::as_str) == Some("function") {
        object.shift_remove("type");
    }
    // The position among the calls says the same.
    object.shift_remove("index");
    if !function.is_empty() {
        object.insert("function".into(), function.into());
    }
    Ok(ToolCall {
        id,
        name,
        arguments,
        extra: object,
    })
}

fn tool(mut object: Object) -> Result<ToolSpec, WireError> {
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
    Ok(ToolSpec {
        name,
        description,
        parameters,
        strict,
        extra: object,
    })
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
            let name = extra
                .shift_remove("name")
                .and_then(|name| name.as_str().map(str::to_owned));
            let schema = take::some(&mut extra, "schema");
            let strict = take::some(&mut extra, "strict").and_then(|strict| strict.as_bool());
            match name {
                Some(name) => OutputFormat::JsonSchema {
                    name,
                    schema,
                    strict,
                    extra,
                },
                None => OutputFormat::Opaque(value),
            }
        }
        _ => OutputFormat::Opaque(value),
    }
}

pub(super) fn encode(request: &ChatRequest, options: RequestOptions) -> Vec<u8> {
    let mut object = Object::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            object.insert(name.to_owned(), value);
        }
    };
    set("model", Some(request.model.as_str().into()));
    let mut messages = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        encode_message(message, &mut messages);
    }
    set("messages", Some(messages.into()));
    if !request.tools.is_empty() {
        set(
            "tools",
            Some(request.tools.iter().map(encode_tool).collect::<Vec<_>>().into()),
        );
    }
    set("tool_choice", encode_tool_choice(&request.tool_choice));
    set("response_format", encode_output(&request.output));
    let sampling = &request.sampling;
    set("temperature", sampling.temperature.map(Value::from));
    set("top_p", sampling.top_p.map(Value::from));
    let limit = if options.max_completion_tokens {
        "max_completion_tokens"
    } else {
        "max_tokens"
    };
    set(limit, sampling.max_tokens.map(Value::from));
    set(
        "stop",
        (!sampling.stop.is_empty()).then(|| sampling.stop.clone().into()),
    );
    set("seed", sampling.seed.map(Value::from));
    set("n", sampling.n.map(Value::from));
    for (name, value) in &request.extra {
        if name != "stream_options" || options.stream {
            set(name, Some(value.clone()));
        }
    }
    if options.stream {
        object.insert("stream".into(), true.into());
        if options.ask_usage {
            let asked = object.entry("stream_options").or_insert_with(|| json!({}));
            if let Some(asked) = asked.as_object_mut() {
                asked.insert("include_usage".into(), true.into());
            }
        }
    }
    Value::Object(object).to_string().into_bytes()
}

/// Writes a message. The dialect wants each tool's answer in a message of its own.
fn encode_message(message: &Message, out: &mut Vec<Value>) {
    let unknown = message
        .extra
        .get("content")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut extra = Some(message.extra.iter().filter(|(name, _)| *name != "content"));
    let mut write = |role: Role, call_id: Option<&str>, parts: &mut dyn Iterator<Item = &Part>| {
        let mut object = Object::new();
        object.insert("role".into(), role.as_str().into());
        if let Some(call_id) = call_id {
            object.insert("tool_call_id".into(), call_id.into());
        }
        encode_parts(parts, Content::Parts(unknown), &mut object);
        object.extend(
            extra
                .take()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        out.push(Value::Object(object));
    };
    let is_result = |part: &&Part| matches!(part, Part::ToolResult(_));
    if message.parts.is_empty() || !message.parts.iter().all(|part| is_result(&part)) {
        write(
            message.role,
            None,
            &mut message.parts.iter().filter(|part| !is_result(part)),
        );
    }
    for part in &message.parts {
        if let Part::ToolResult(result) = part {
            write(Role::Tool, Some(&result.call_id), &mut result.parts.iter());
        }
    }
}

/// How a message's content is written.
pub(super) enum Content<'a> {
    /// As a text where it is one, else as parts; each with these unknown members, by position.
    Parts(&'a [Value]),
    /// As one text, as clients expect an answer; parts that are no text are for the caller to write.
    Text,
}

/// Writes parts as the members of a message.
pub(super) fn encode_parts<'a>(
    parts: impl IntoIterator<Item = &'a Part>,
    form: Content<'_>,
    object: &mut Object,
) {
    let mut content: Vec<Value> = Vec::new();
    let mut texts: Vec<&str> = Vec::new();
    let mut calls = Vec::new();
    let mut reasoning = String::new();
    let mut refusal = None;
    for part in parts {
        match part {
            Part::Text(text) => {
                texts.push(text);
                if matches!(form, Content::Parts(_)) {
                    content.push(json!({ "type": "text", "text": text }));
                }
            }
            Part::Media(media) => content.push(encode_media(media)),
            Part::Opaque { value, .. } => {
                if matches!(form, Content::Parts(_)) {
                    content.push(value.clone());
                }
            }
            Part::Reasoning(part) => reasoning.push_str(&part.text),
            Part::Refusal(text) => refusal = Some(text.as_str()),
            Part::ToolCall(call) => calls.push(encode_tool_call(call)),
            // Each in a message of its own, or, of an answer, what it never holds.
            Part::ToolResult(_) | Part::Citation(_) => {}
        }
    }
    let content = match (form, texts.as_slice(), content.len()) {
        (_, [], 0) if !calls.is_empty() || refusal.is_some() => Value::Null,
        (Content::Text, texts, 0) => texts.concat().into(),
        (Content::Text, texts, _) => {
            let text = json!({ "type": "text", "text": texts.concat() });
            (!texts.is_empty())
                .then_some(text)
                .into_iter()
                .chain(content)
                .collect()
        }
        (Content::Parts([]), [text], 1) => (*text).into(),
        (Content::Parts(_), [], 0) => "".into(),
        (Content::Parts(unknown), ..) => {
            for (part, unknown) in content.iter_mut().zip(unknown) {
                if let (Some(part), Some(unknown)) = (part.as_object_mut(), unknown.as_object()) {
                    part.extend(unknown.clone());
                }
            }
            content.into()
        }
    };
    object.insert("content".into(), content);
    if !reasoning.is_empty() {
        object.insert("reasoning_content".into(), reasoning.into());
    }
    if let Some(refusal) = refusal {
        object.insert("refusal".into(), refusal.into());
    }
    if !calls.is_empty() {
        object.insert("tool_calls".into(), calls.into());
    }
}

fn encode_media(media: &Media) -> Value {
    let mime = media.mime.as_deref();
    if let (Some(format), MediaSource::Base64(data)) =
        (mime.and_then(|mime| mime.strip_prefix("audio/")), &media.source)
    {
        let mut audio = media.extra.clone();
        audio.insert("data".into(), data.as_str().into());
        audio.insert("format".into(), format.into());
        return json!({ "type": "input_audio", "input_audio": audio });
    }
    let url = match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64(data) => format!(
            "data:{};base64,{data}",
            mime.unwrap_or("application/octet-stream")
        ),
        MediaSource::FileId(id) => return json!({ "type": "file", "file": { "file_id": id } }),
    };
    let mut image = media.extra.clone();
    image.insert("url".into(), url.into());
    json!({ "type": "image_url", "image_url": image })
}

pub(super) fn encode_tool_call(call: &ToolCall) -> Value {
    let mut object = Object::new();
    object.insert("id".into(), call.id.as_str().into());
    object.insert("type".into(), "function".into());
    let mut function = Object::new();
    function.insert("name".into(), call.name.as_str().into());
    function.insert("arguments".into(), call.arguments.as_str().into());
    for (name, value) in &call.extra {
        match (name.as_str(), value) {
            ("function", Value::Object(more)) => function.extend(more.clone()),
            _ => drop(object.insert(name.clone(), value.clone())),
        }
    }
    // A call of a type we do not know is whole in its unknown members.
    let unknown = call.name.is_empty() && call.arguments.is_empty() && call.extra.contains_key("type");
    if !unknown {
        object.insert("function".into(), function.into());
    }
    Value::Object(object)
}

fn encode_tool(tool: &ToolSpec) -> Value {
    if tool.name.is_empty() {
        return Value::Object(tool.extra.clone());
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
    for (name, value) in &tool.extra {
        match (name.as_str(), value) {
            ("function", Value::Object(more)) => function.extend(more.clone()),
            _ => drop(object.insert(name.clone(), value.clone())),
        }
    }
    object.insert("function".into(), function.into());
    Value::Object(object)
}

fn encode_tool_choice(choice: &ToolChoice) -> Option<Value> {
    Some(match choice {
        ToolChoice::Unset => return None,
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Tool(name) => json!({ "type": "function", "function": { "name": name } }),
        ToolChoice::Opaque(value) => value.clone(),
    })
}

fn encode_output(output: &OutputFormat) -> Option<Value> {
    Some(match output {
        OutputFormat::Unset => return None,
        OutputFormat::Text => json!({ "type": "text" }),
        OutputFormat::Json => json!({ "type": "json_object" }),
        OutputFormat::JsonSchema {
            name,
            schema,
            strict,
            extra,
        } => {
            let mut object = Object::from_iter([("name".to_owned(), Value::from(name.as_str()))]);
            if let Some(schema) = schema {
                object.insert("schema".into(), schema.clone());
            }
            if let Some(strict) = strict {
                object.insert("strict".into(), (*strict).into());
            }
            object.extend(extra.clone());
            json!({ "type": "json_schema", "json_schema": object })
        }
        OutputFormat::Opaque(value) => value.clone(),
    })
}
