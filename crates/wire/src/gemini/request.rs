//! Requests: what clients send, what upstreams want.

use super::parts::{self, Read, Said};
use super::{calls, contents, forms, schema, thinking, tools};
use crate::codec::Encoded;
use crate::error::WireError;
use crate::take;
use hanok_base::{
    ChatRequest, Degradation, Dialect, Message, Object, OutputFormat, Part, Reasoning, ReasoningOptions,
    Role, Sampling, Signature, ToolChoice, ToolResult,
};
use serde_json::{Value, json};

/// The name that a schema gets which other dialects want named.
const SCHEMA_NAME: &str = "response";

pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, WireError> {
    let mut extra = take::request(body)?;
    forms::camel(&mut extra);
    // Requests to count tokens may hold the request in question.
    if let Some(inner) = forms::map(&mut extra, "generateContentRequest")? {
        extra = inner;
    }
    let model = take::string(&mut extra, "model")?.unwrap_or_default();
    if extra.get("contents").is_none_or(Value::is_null) {
        return Err(WireError::member("contents", "is required: an array of contents"));
    }
    let mut turns: Vec<Turn> = Vec::new();
    let mut asked = calls::Asked::default();
    if let Some(mut content) = forms::map(&mut extra, "systemInstruction")? {
        let told = |error| take::under("systemInstruction", error);
        let mut turn = Turn::of(&mut content, Some(Role::System)).map_err(told)?;
        turn.read(&mut content, 0, &mut asked).map_err(told)?;
        turns.push(turn);
    }
    for (i, value) in forms::list(&mut extra, "contents")?.into_iter().enumerate() {
        let place = format!("contents[{i}]");
        let told = |error| take::under(&place, error);
        let mut content = take::item(value, &place)?;
        forms::camel(&mut content);
        let turn = Turn::of(&mut content, None).map_err(told)?;
        // An answer that was streamed may come back as a content for each chunk.
        let goes_on = turn.role == Role::Assistant
            && turns.last().is_some_and(|last| last.role == Role::Assistant && last.extra == turn.extra);
        if !goes_on {
            turns.push(turn);
        }
        if let Some(turn) = turns.last_mut() {
            turn.read(&mut content, i, &mut asked).map_err(told)?;
        }
    }
    let messages: Vec<Message> = turns.into_iter().map(Turn::message).collect();
    if !messages.iter().any(|message| message.role != Role::System) {
        return Err(WireError::member("contents", "must hold at least one content"));
    }
    let mut specs = tools::decode(forms::list(&mut extra, "tools")?)?;
    let mut config = forms::map(&mut extra, "toolConfig")?;
    let tool_choice = match &mut config {
        Some(config) => tools::decode_choice(config, &mut specs)?,
        None => ToolChoice::Unset,
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

/// A message while its contents are read.
struct Turn {
    role: Role,
    parts: Vec<Part>,
    /// Unknown members of parts that have no place for them, an object for each part on the wire, so that they
    /// find back.
    unknown: Vec<Object>,
    /// Unknown members of the content.
    extra: Object,
}

impl Turn {
    /// A content without its parts; the system's where a role is given.
    fn of(object: &mut Object, role: Option<Role>) -> Result<Self, WireError> {
        let name = object.get("role").and_then(Value::as_str).unwrap_or_default();
        let role = match (role, name) {
            (Some(role), _) => role,
            (None, "user" | "function" | "") => Role::User,
            (None, "model") => Role::Assistant,
            (None, other) => {
                return Err(WireError::member("role", format!("must be user or model, not {other:?}")));
            }
        };
        let mut extra: Object =
            object.iter().filter(|(name, _)| *name != "parts").map(|(k, v)| (k.clone(), v.clone())).collect();
        if role != Role::System {
            extra.shift_remove("role");
        }
        Ok(Self { role, parts: Vec::new(), unknown: Vec::new(), extra })
    }

    /// Reads the parts of a content, the `at`th.
    fn read(&mut self, object: &mut Object, at: usize, asked: &mut calls::Asked) -> Result<(), WireError> {
        let mut nth = 0;
        for (i, value) in forms::list(object, "parts")?.into_iter().enumerate() {
            let place = format!("parts[{i}]");
            let item = take::item(value, &place)?;
            let mut rest = Object::new();
            match parts::read(item).map_err(|error| take::under(&place, error))? {
                // The end of a stream, in a history that keeps each chunk.
                Read::Text(Said { text, thought: false, signature: None, .. }) if text.is_empty() => continue,
                Read::Text(mut text) => {
                    rest = std::mem::take(&mut text.rest);
                    self.text(text);
                }
                Read::Call(mut call) => {
                    call.id = asked.call(Some(std::mem::take(&mut call.id)), at, nth, &call.name);
                    nth += 1;
                    self.parts.push(Part::ToolCall(call));
                }
                Read::Answer(answer) => {
                    let told = answer.id.filter(|id| !id.is_empty());
                    let call_id = asked.answer(told.as_deref(), &answer.name);
                    rest = answer.rest;
                    // What the call does not tell of its answer.
                    let mut more = Object::new();
                    if let Some(told) = told.filter(|told| *told != call_id) {
                        more.insert("id".into(), told.into());
                    }
                    if asked.name(&call_id).is_some_and(|name| name != answer.name) {
                        more.insert("name".into(), answer.name.into());
                    }
                    if !more.is_empty() {
                        forms::fill(
                            &mut rest,
                            &Object::from_iter([("functionResponse".to_owned(), more.into())]),
                        );
                    }
                    let result = ToolResult { call_id, parts: answer.parts, is_error: answer.is_error };
                    self.parts.push(Part::ToolResult(result));
                }
                Read::Part(part) => self.parts.push(part),
            }
            self.unknown.push(rest);
        }
        Ok(())
    }

    /// A signature on a text that is no thought is a part behind it.
    fn text(&mut self, text: Said) {
        let Said { text, thought, signature, hidden, .. } = text;
        let mark = |name: &str, value: Value| Object::from_iter([(name.to_owned(), value)]);
        let extra = match (thought, text.is_empty(), &signature) {
            (true, true, Some(signature)) if !hidden => {
                if signature.of != Dialect::Gemini && self.seal(signature) {
                    return;
                }
                mark("thought", true.into())
            }
            (true, ..) => Object::new(),
            // In a part of its own, so that it is not given back on the text before it.
            (false, true, _) => mark("text", "".into()),
            (false, false, _) => {
                self.parts.push(Part::Text(text));
                if signature.is_some() {
                    self.parts.push(Part::Reasoning(Reasoning { signature, ..Reasoning::default() }));
                }
                return;
            }
        };
        self.parts.push(Part::Reasoning(Reasoning { text, signature, redacted: hidden, extra }));
    }

    /// Gives a foreign signature to the thought that was streamed before it, in pieces, of which a history may
    /// have kept each: its provider wants it as one. `false` where there is none.
    fn seal(&mut self, signature: &Signature) -> bool {
        let is_piece = |part: &Part| matches!(part, Part::Reasoning(thought) if thought.signature.is_none());
        let pieces = self.parts.iter().rev().take_while(|part| is_piece(part)).count();
        let from = self.parts.len() - pieces;
        let mut text = String::new();
        for part in self.parts.drain(from..) {
            if let Part::Reasoning(thought) = part {
                text.push_str(&thought.text);
            }
        }
        if pieces == 0 {
            return false;
        }
        // The caller notes this part's.
        self.unknown.truncate(self.unknown.len().saturating_sub(pieces));
        let signature = Some(signature.clone());
        self.parts.push(Part::Reasoning(Reasoning { text, signature, ..Reasoning::default() }));
        true
    }

    fn message(mut self) -> Message {
        if self.unknown.iter().any(|rest| !rest.is_empty()) {
            self.extra.insert("parts".into(), self.unknown.into_iter().map(Value::Object).collect());
        }
        let answers =
            !self.parts.is_empty() && self.parts.iter().all(|part| matches!(part, Part::ToolResult(_)));
        let role = if answers { Role::Tool } else { self.role };
        Message { role, parts: self.parts, extra: self.extra }
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
            let as_json = schema.as_ref().map(schema::to_json_schema);
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
    contents::encode(request, own, &mut object, &mut lost);
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
    let silent = !own && object.get("contents").and_then(Value::as_array).is_some_and(Vec::is_empty);
    let refused = silent.then(|| Degradation {
        param: "messages".to_owned(),
        message: "no turn says anything, and gemini wants one that does".to_owned(),
    });
    Encoded { refused, ..Encoded::new(&object.into(), lost) }
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
