//! Requests: what clients send, what upstreams want.

use super::parts::{self, Read, Said};
use super::{calls, forms, thinking, tools};
use crate::codec::Encoded;
use crate::error::WireError;
use crate::take;
use hanok_base::{
    ChatRequest, Degradation, Dialect, Message, Object, OutputFormat, Part, ReasoningOptions, Role, Sampling,
    ToolResult,
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What Google documents to send in place of the signature of a call that another model made.
const UNSIGNED: &str = "skip_thought_signature_validator";
/// The name that a schema gets which other dialects want named.
const SCHEMA_NAME: &str = "response";

pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, WireError> {
    let mut extra = take::object(body)?;
    forms::camel(&mut extra);
    // Requests to count tokens may hold the request in question.
    if let Some(inner) = forms::map(&mut extra, "generateContentRequest")? {
        extra = inner;
    }
    let model = take::string(&mut extra, "model")?.unwrap_or_default();
    if extra.get("contents").is_none_or(Value::is_null) {
        return Err(WireError::member("contents", "is required: an array of contents"));
    }
    let mut messages = Vec::new();
    let mut asked = calls::Asked::default();
    if let Some(content) = forms::map(&mut extra, "systemInstruction")? {
        let read = content_of(content, Some(Role::System), 0, &mut asked);
        messages.push(read.map_err(|error| take::under("systemInstruction", error))?);
    }
    for (i, value) in forms::list(&mut extra, "contents")?.into_iter().enumerate() {
        let place = format!("contents[{i}]");
        let object = take::item(value, &place)?;
        let read = content_of(object, None, i, &mut asked);
        messages.push(read.map_err(|error| take::under(&place, error))?);
    }
    if !messages.iter().any(|message| message.role != Role::System) {
        return Err(WireError::member("contents", "must hold at least one content"));
    }
    let mut specs = tools::decode(forms::list(&mut extra, "tools")?)?;
    let mut config = forms::map(&mut extra, "toolConfig")?;
    let tool_choice = match &mut config {
        Some(config) => tools::decode_choice(config, &mut specs)?,
        None => hanok_base::ToolChoice::Unset,
    };
    forms::put_back(&mut extra, "toolConfig", config);
    let mut generation = forms::map(&mut extra, "generationConfig")?.unwrap_or_default();
    let told = |error| take::under("generationConfig", error);
    let sampling = sampling(&mut generation).map_err(told)?;
    let output = output_format(&mut generation).map_err(told)?;
    let reasoning = match forms::map(&mut generation, "thinkingConfig").map_err(told)? {
        Some(mut config) => {
            let options = thinking::decode(&mut config).map_err(told)?;
            forms::put_back(&mut generation, "thinkingConfig", Some(config));
            options
        }
        None => ReasoningOptions::default(),
    };
    forms::put_back(&mut extra, "generationConfig", Some(generation));
    let model = model.strip_prefix("models/").unwrap_or(&model);
    Ok(ChatRequest {
        tools: specs,
        tool_choice,
        output,
        sampling,
        reasoning,
        dialect: Some(Dialect::Gemini),
        extra,
        ..ChatRequest::new(model.into(), messages)
    })
}

/// A content as a message; the system's where a role is given. Unknown members of parts that have no place for
/// them are left in `parts`, an object for each part, so that they find back.
fn content_of(
    mut object: Object,
    role: Option<Role>,
    at: usize,
    asked: &mut calls::Asked,
) -> Result<Message, WireError> {
    forms::camel(&mut object);
    let name = object.get("role").and_then(Value::as_str).unwrap_or_default();
    let role = match (role, name) {
        (Some(role), _) => role,
        (None, "user" | "function" | "") => Role::User,
        (None, "model") => Role::Assistant,
        (None, other) => {
            return Err(WireError::member("role", format!("must be user or model, not {other:?}")));
        }
    };
    if role != Role::System {
        object.shift_remove("role");
    }
    let mut unknown = Vec::new();
    let mut read = Vec::new();
    let mut nth = 0;
    for (i, value) in forms::list(&mut object, "parts")?.into_iter().enumerate() {
        let place = format!("parts[{i}]");
        let item = take::item(value, &place)?;
        let mut rest = Object::new();
        match parts::read(item).map_err(|error| take::under(&place, error))? {
            Read::Text(mut text) => {
                rest = std::mem::take(&mut text.rest);
                text_parts(text, &mut read);
            }
            Read::Call(mut call) => {
                call.id = asked.call(Some(std::mem::take(&mut call.id)), at, nth, &call.name);
                nth += 1;
                read.push(Part::ToolCall(call));
            }
            Read::Answer(answer) => {
                let told = answer.id.filter(|id| !id.is_empty());
                let call_id = asked.answer(told.as_deref(), &answer.name);
                rest = answer.rest;
                if let Some(told) = told.filter(|told| *told != call_id) {
                    let id = Object::from_iter([("id".to_owned(), Value::from(told))]);
                    forms::fill(&mut rest, &Object::from_iter([("functionResponse".to_owned(), id.into())]));
                }
                let result = ToolResult { call_id, parts: answer.parts, is_error: answer.is_error };
                read.push(Part::ToolResult(result));
            }
            Read::Part(part) => read.push(part),
        }
        unknown.push(rest);
    }
    if unknown.iter().any(|rest| !rest.is_empty()) {
        object.insert("parts".into(), unknown.into_iter().map(Value::Object).collect());
    }
    let answers = !read.is_empty() && read.iter().all(|part| matches!(part, Part::ToolResult(_)));
    Ok(Message { role: if answers { Role::Tool } else { role }, parts: read, extra: object })
}

/// A text of a request as parts. A signature on a text that is no thought is a part behind it.
fn text_parts(text: Said, read: &mut Vec<Part>) {
    let Said { text, thought, signature, hidden, .. } = text;
    let reasoning = |text, extra| {
        Part::Reasoning(hanok_base::Reasoning { text, signature: signature.clone(), redacted: hidden, extra })
    };
    let mark = |name: &str, value: Value| Object::from_iter([(name.to_owned(), value)]);
    match (thought, text.is_empty(), signature.is_some()) {
        (true, true, true) if !hidden => read.push(reasoning(text, mark("thought", true.into()))),
        (true, ..) => read.push(reasoning(text, Object::new())),
        // In a part of its own, so that it is not given back on the text before it.
        (false, true, true) => read.push(reasoning(text, mark("text", "".into()))),
        (false, _, false) => read.push(Part::Text(text)),
        (false, false, true) => {
            read.push(Part::Text(text));
            read.push(reasoning(String::new(), Object::new()));
        }
    }
}

fn sampling(config: &mut Object) -> Result<Sampling, WireError> {
    let stop = take::array(config, "stopSequences")?;
    let stop: Option<Vec<String>> = stop.iter().map(|text| text.as_str().map(str::to_owned)).collect();
    let n = forms::count(config, "candidateCount")?
        .map(|n| u32::try_from(n).map_err(|_| WireError::member("candidateCount", "is too large")))
        .transpose()?;
    Ok(Sampling {
        temperature: take::number(config, "temperature")?,
        top_p: take::number(config, "topP")?,
        top_k: forms::count(config, "topK")?,
        frequency_penalty: take::number(config, "frequencyPenalty")?,
        presence_penalty: take::number(config, "presencePenalty")?,
        max_tokens: forms::count(config, "maxOutputTokens")?,
        stop: stop.ok_or_else(|| WireError::member("stopSequences", "must be an array of strings"))?,
        seed: take::integer(config, "seed")?,
        n,
    })
}

fn output_format(config: &mut Object) -> Result<OutputFormat, WireError> {
    let mime = take::string(config, "responseMimeType")?;
    let schema = take::some(config, "responseSchema");
    let json_schema = take::some(config, "responseJsonSchema");
    Ok(match (mime.as_deref(), schema, json_schema) {
        (None, None, None) => OutputFormat::Unset,
        (Some("text/plain"), None, None) => OutputFormat::Text,
        (Some("application/json"), None, None) => OutputFormat::Json,
        (None | Some("application/json"), schema, json_schema) => {
            let mut extra = Object::new();
            let as_json = schema.as_ref().map(super::schema::to_json_schema);
            if let Some(schema) = schema {
                extra.insert("responseSchema".into(), schema);
            }
            let name = SCHEMA_NAME.to_owned();
            OutputFormat::JsonSchema { name, schema: json_schema.or(as_json), strict: None, extra }
        }
        (Some(mime), schema, json_schema) => {
            let mut whole = Object::from_iter([("responseMimeType".to_owned(), Value::from(mime))]);
            whole.extend(schema.map(|schema| ("responseSchema".to_owned(), schema)));
            whole.extend(json_schema.map(|schema| ("responseJsonSchema".to_owned(), schema)));
            OutputFormat::Opaque(whole.into())
        }
    })
}

pub(super) fn encode(request: &ChatRequest) -> Encoded {
    let own = request.dialect == Some(Dialect::Gemini);
    let mut lost = Vec::new();
    let mut object = Object::new();
    contents(request, own, &mut object, &mut lost);
    let declared = tools::encode(&request.tools, own, &mut lost);
    if !declared.is_empty() {
        object.insert("tools".into(), declared.into());
    }
    if let Some(calling) = tools::encode_choice(&request.tool_choice, &request.tools, &mut lost) {
        object.insert("toolConfig".into(), json!({ "functionCallingConfig": calling }));
    }
    let mut generation = encode_sampling(&request.sampling);
    encode_output(&request.output, own, &mut generation, &mut lost);
    let thinking = if own {
        thinking::encode_own(&request.reasoning)
    } else {
        let shows = request.dialect != Some(Dialect::OpenAiResponses);
        thinking::encode(&request.reasoning, request.model.as_str(), shows, &mut lost)
    };
    forms::put_back(&mut generation, "thinkingConfig", Some(thinking));
    forms::put_back(&mut object, "generationConfig", Some(generation));
    if request.parallel_tool_calls == Some(false) {
        let message = "left out: gemini may call several tools at once".to_owned();
        lost.push(Degradation { param: "parallel_tool_calls".to_owned(), message });
    }
    if own {
        forms::fill(&mut object, &request.extra);
    } else {
        // How the answer travels is for the URL to say.
        let asks = |(name, value): &(&String, &Value)| *name != "stream_options" && !value.is_null();
        lost.extend(request.extra.iter().filter(asks).map(|(name, _)| Degradation {
            param: name.clone(),
            message: "left out: gemini has no such member".to_owned(),
        }));
    }
    Encoded { body: Value::Object(object).to_string().into_bytes(), lost }
}

fn encode_sampling(sampling: &Sampling) -> Object {
    let stop = (!sampling.stop.is_empty()).then(|| Value::from(sampling.stop.clone()));
    let members = [
        ("temperature", sampling.temperature.map(Value::from)),
        ("topP", sampling.top_p.map(Value::from)),
        ("topK", sampling.top_k.map(Value::from)),
        ("candidateCount", sampling.n.map(Value::from)),
        ("maxOutputTokens", sampling.max_tokens.map(Value::from)),
        ("stopSequences", stop),
        ("presencePenalty", sampling.presence_penalty.map(Value::from)),
        ("frequencyPenalty", sampling.frequency_penalty.map(Value::from)),
        ("seed", sampling.seed.map(Value::from)),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn encode_output(output: &OutputFormat, own: bool, config: &mut Object, lost: &mut Vec<Degradation>) {
    let mime = match output {
        OutputFormat::Unset => return,
        OutputFormat::Text => "text/plain",
        OutputFormat::Json => "application/json",
        OutputFormat::JsonSchema { schema, extra, .. } => {
            if own && extra.contains_key("responseSchema") {
                forms::fill(config, extra);
            } else if let Some(schema) = schema {
                let mut schema = schema.clone();
                // The model reads it where it stands in the schema, too.
                if let (Some(object), Some(said)) = (schema.as_object_mut(), extra.get("description")) {
                    object.entry("description").or_insert_with(|| said.clone());
                }
                config.insert("responseJsonSchema".into(), schema);
            }
            "application/json"
        }
        OutputFormat::Opaque(Value::Object(members)) if own => {
            forms::fill(config, members);
            return;
        }
        OutputFormat::Opaque(_) => {
            let message = "left out: gemini has no such format".to_owned();
            lost.push(Degradation { param: "response_format".to_owned(), message });
            return;
        }
    };
    config.insert("responseMimeType".into(), mime.into());
}

/// Writes `systemInstruction` and `contents`.
fn contents(request: &ChatRequest, own: bool, object: &mut Object, lost: &mut Vec<Degradation>) {
    let mut writer = Writer {
        own,
        names: calls::names(request),
        marks_unsigned: !own && thinking::is_leveled(request.model.as_str()),
        lost,
    };
    let mut system: Option<Object> = None;
    let mut contents: Vec<Object> = Vec::new();
    // Whether the last content holds nothing but answers of tools.
    let mut answers = false;
    for (i, message) in request.messages.iter().enumerate() {
        let parts = writer.parts(i, message);
        if parts.is_empty() && !own {
            continue;
        }
        if matches!(message.role, Role::System | Role::Developer) {
            if !contents.is_empty() {
                writer.note(
                    format!("messages[{i}]"),
                    "moved into systemInstruction: gemini knows no later one",
                );
            }
            let content = system.get_or_insert_with(Object::new);
            append(content, parts);
            writer.unknown(message, content);
            continue;
        }
        let is_answers = message.parts.iter().all(|part| matches!(part, Part::ToolResult(_)));
        match contents.last_mut() {
            // The dialect wants the answers to calls that were made together in one content.
            Some(last) if answers && is_answers && !own => append(last, parts),
            _ => {
                let role = if message.role == Role::Assistant { "model" } else { "user" };
                let mut content = Object::from_iter([("role".to_owned(), Value::from(role))]);
                append(&mut content, parts);
                writer.unknown(message, &mut content);
                contents.push(content);
            }
        }
        answers = is_answers;
    }
    if contents.is_empty()
        && let Some(mut content) = system.take()
    {
        writer.note("messages".to_owned(), "sent as the user's: gemini wants something to answer to");
        content.insert("role".into(), "user".into());
        contents.push(content);
    }
    if let Some(system) = system {
        object.insert("systemInstruction".into(), system.into());
    }
    object.insert("contents".into(), contents.into_iter().map(Value::Object).collect());
}

fn append(content: &mut Object, parts: Vec<Value>) {
    match content.get_mut("parts") {
        Some(Value::Array(there)) => there.extend(parts),
        _ => drop(content.insert("parts".into(), parts.into())),
    }
}

struct Writer<'a> {
    own: bool,
    /// Which function each call is of.
    names: HashMap<&'a str, &'a str>,
    /// Whether the model refuses calls without a signature.
    marks_unsigned: bool,
    lost: &'a mut Vec<Degradation>,
}

impl Writer<'_> {
    fn note(&mut self, param: String, message: &str) {
        self.lost.push(Degradation { param, message: message.to_owned() });
    }

    /// Writes a message's unknown members.
    fn unknown(&self, message: &Message, content: &mut Object) {
        if !self.own {
            return;
        }
        let rest = message.extra.get("parts").and_then(Value::as_array);
        if let (Some(rest), Some(Value::Array(parts))) = (rest, content.get_mut("parts")) {
            for (part, rest) in parts.iter_mut().zip(rest) {
                if let (Some(part), Some(rest)) = (part.as_object_mut(), rest.as_object()) {
                    forms::fill(part, rest);
                }
            }
        }
        forms::fill(content, &message.extra);
    }

    fn parts(&mut self, i: usize, message: &Message) -> Vec<Value> {
        let mut out: Vec<Value> = Vec::new();
        let mut called = false;
        for (j, part) in message.parts.iter().enumerate() {
            let place = || format!("messages[{i}].content[{j}]");
            match part {
                Part::Text(text) if text.is_empty() && !self.own => {}
                Part::Text(text) | Part::Refusal(text) => out.push(parts::encode_text(text, false, None)),
                Part::Reasoning(reasoning) => self.reasoning(reasoning, &mut out),
                Part::ToolCall(call) => {
                    if parts::arguments(&call.arguments).is_err() {
                        self.note(place(), "arguments that are no JSON object became a text in one");
                    }
                    let own = call.signature.as_ref().filter(|signature| signature.of == Dialect::Gemini);
                    let unsigned = (self.marks_unsigned && !called).then_some(UNSIGNED);
                    let signature = own.map(|signature| signature.value.as_str()).or(unsigned);
                    called = true;
                    out.push(parts::encode_call(call, id(&call.id), signature, self.own));
                }
                Part::ToolResult(result) => {
                    let value = self.result(i, j, result);
                    out.push(value);
                }
                Part::Media(media) => match parts::encode_media(media, self.own) {
                    Some(value) => out.push(value),
                    None => self.note(place(), "left out: a file of another provider"),
                },
                Part::Opaque { dialect: Dialect::Gemini, value } => out.push(value.clone()),
                Part::Opaque { .. } => self.note(place(), "left out: gemini has no such part"),
                // What the client was told about the answer, and a hint for caches.
                Part::Citation(_) | Part::CacheBreak(_) => {}
            }
        }
        out
    }

    /// Thoughts go back to where they came from; another model's are of no use.
    fn reasoning(&self, reasoning: &hanok_base::Reasoning, out: &mut Vec<Value>) {
        let own = reasoning.signature.as_ref().filter(|signature| signature.of == Dialect::Gemini);
        let signature = own.map(|signature| signature.value.as_str());
        if signature.is_none() && !self.own {
            return;
        }
        let marked = |name: &str| reasoning.extra.contains_key(name);
        if !reasoning.text.is_empty() || signature.is_none() || marked("thought") {
            out.push(parts::encode_text(&reasoning.text, true, signature));
            return;
        }
        // The signature of the text before it, or of nothing that is shown.
        let text = out.last_mut().and_then(Value::as_object_mut).filter(|part| {
            part.contains_key("text")
                && !part.contains_key("thought")
                && !part.contains_key("thoughtSignature")
        });
        match (text, signature) {
            (Some(text), Some(signature)) if !marked("text") => {
                text.insert("thoughtSignature".into(), signature.into());
            }
            _ => out.push(parts::encode_text("", false, signature)),
        }
    }

    fn result(&mut self, i: usize, j: usize, result: &ToolResult) -> Value {
        let mut function = Object::new();
        if let Some(id) = id(&result.call_id).filter(|id| self.names.contains_key(id)) {
            function.insert("id".into(), id.into());
        }
        let name = self.names.get(result.call_id.as_str()).copied().unwrap_or(&result.call_id);
        function.insert("name".into(), name.into());
        let mut texts: Option<String> = None;
        let mut others = Vec::new();
        for part in &result.parts {
            match part {
                Part::Text(text) => texts.get_or_insert_default().push_str(text),
                Part::Media(media) => match parts::encode_media(media, self.own) {
                    Some(value) => others.push(value),
                    None => self
                        .note(format!("messages[{i}].content[{j}]"), "left out: a file of another provider"),
                },
                Part::Opaque { dialect: Dialect::Gemini, value } => others.push(value.clone()),
                Part::CacheBreak(_) => {}
                _ => self
                    .note(format!("messages[{i}].content[{j}]"), "a part of the tool's answer was left out"),
            }
        }
        if texts.is_some() || !self.own {
            let response = parts::response_of(&texts.unwrap_or_default(), result.is_error);
            function.insert("response".into(), response);
        }
        if !others.is_empty() {
            function.insert("parts".into(), others.into());
        }
        json!({ "functionResponse": function })
    }
}

/// A call's id, where a provider or a client gave it.
fn id(id: &str) -> Option<&str> {
    Some(id).filter(|id| !id.is_empty() && !calls::is_made(id))
}
