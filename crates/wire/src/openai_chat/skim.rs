//! What is kept of a call, read off its bytes. Texts stay the JSON they are, as nearly all of them are stored in
//! that form again; whatever is out of the ordinary gives `None`, and is decoded.

use super::chunk::{Chunk, ChunkDelta};
use super::{request, response, usage};
use crate::codec::{SkimmedAnswer, SkimmedMessage, SkimmedRequest};
use crate::error::{WireError, text};
use crate::members::{Members, Obj, Text, read_into, skip};
use crate::sse::{self, EVENT_LIMIT};
use crate::take;
use crate::template::Template;
use bytes::Bytes;
use hanok_base::{FinishReason, Message, Object, Role, Sampling, ToolSpec, Usage};
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What `request::decode` keeps or checks the type of.
#[derive(Default)]
struct Request<'a> {
    model: Option<Text<'a>>,
    messages: Vec<&'a RawValue>,
    tools: Option<&'a RawValue>,
    sampling: Sampling,
    newer_limit: Option<u64>,
    older_limit: Option<u64>,
}

impl<'de> Members<'de> for Request<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let sampling = &mut self.sampling;
        match name {
            "model" => self.model = map.next_value()?,
            "messages" => self.messages = map.next_value()?,
            "tools" => self.tools = map.next_value()?,
            "temperature" => sampling.temperature = map.next_value()?,
            "top_p" => sampling.top_p = map.next_value()?,
            "frequency_penalty" => sampling.frequency_penalty = map.next_value()?,
            "presence_penalty" => sampling.presence_penalty = map.next_value()?,
            "max_completion_tokens" => self.newer_limit = map.next_value()?,
            "max_tokens" => self.older_limit = map.next_value()?,
            "stop" => sampling.stop = map.next_value::<Option<Stop>>()?.map(Vec::from).unwrap_or_default(),
            "seed" => sampling.seed = map.next_value()?,
            "n" => sampling.n = map.next_value()?,
            "parallel_tool_calls" => map.next_value::<Option<bool>>().map(drop)?,
            "reasoning_effort" | "user" | "prompt_cache_key" => {
                map.next_value::<Option<Text<'_>>>().map(drop)?;
            }
            _ => skip(map)?,
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stop {
    One(String),
    Several(Vec<String>),
}

impl From<Stop> for Vec<String> {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::One(text) => vec![text],
            Stop::Several(texts) => texts,
        }
    }
}

/// A message; `more` where it has members beyond these.
#[derive(Default)]
struct Turn<'a> {
    role: Option<Text<'a>>,
    content: Option<&'a RawValue>,
    more: bool,
}

impl<'de> Members<'de> for Turn<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "role" => self.role = map.next_value()?,
            "content" => self.content = map.next_value()?,
            _ => {
                self.more = true;
                skip(map)?;
            }
        }
        Ok(())
    }
}

pub(super) fn request(body: &[u8]) -> Option<SkimmedRequest<'_>> {
    let found = read_into(Request::default(), text(body).ok()?).ok()?;
    if found.messages.is_empty() {
        return None;
    }
    let messages = found.messages.into_iter().map(|json| turn(json.get())).collect();
    let sampling = Sampling { max_tokens: found.newer_limit.or(found.older_limit), ..found.sampling };
    Some(SkimmedRequest { model: found.model?.0, sampling, messages, tools: found.tools.map(RawValue::get) })
}

/// A message as one text, where it is no more than that.
fn turn(json: &str) -> SkimmedMessage<'_> {
    let plain = || {
        let turn = read_into(Turn::default(), json).ok().filter(|turn| !turn.more)?;
        let role = match &*turn.role?.0 {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => return None,
        };
        let content = turn.content?.get();
        if said(content) { Some((role, plainly(content)?)) } else { None }
    };
    plain().map_or(SkimmedMessage::Other(json), |(role, text)| SkimmedMessage::Text { role, text })
}

pub(super) fn decode_message(json: &str) -> Result<Message, WireError> {
    request::message(take::object(json.as_bytes())?)
}

pub(super) fn decode_tools(json: &str) -> Result<Vec<ToolSpec>, WireError> {
    let tools: Vec<Object> = serde_json::from_str(json).map_err(|error| WireError::of_shape(&error, json))?;
    tools.into_iter().map(request::tool).collect()
}

/// Whether JSON is a text that says something.
fn said(json: &str) -> bool {
    json.len() > 2 && json.starts_with('"')
}

/// A JSON string as a serialiser would write it. `None` where it is no text, such as half of a surrogate pair.
fn plainly(json: &str) -> Option<Cow<'_, str>> {
    if escapes_are_short(json) {
        return Some(Cow::Borrowed(json));
    }
    let text: String = serde_json::from_str(json).ok()?;
    serde_json::to_string(&text).ok().map(Cow::Owned)
}

/// Whether every escape of valid JSON is the only one of its character. Longer ones have shorter forms, or stand
/// for characters that need none.
fn escapes_are_short(json: &str) -> bool {
    let mut rest = json.as_bytes();
    while let Some(at) = memchr::memchr(b'\\', rest) {
        match rest.get(at + 1) {
            Some(b'n' | b'"' | b'\\' | b't' | b'r' | b'b' | b'f') => {}
            _ => return false,
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    true
}

/// A whole answer.
#[derive(Default)]
struct Answer<'a> {
    id: Option<Text<'a>>,
    model: Option<Text<'a>>,
    tier: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
    failed: bool,
    choices: Vec<Obj<Choice<'a>>>,
}

impl<'de> Members<'de> for Answer<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.id = map.next_value()?,
            "model" => self.model = map.next_value()?,
            "service_tier" => self.tier = map.next_value()?,
            "usage" => self.usage = map.next_value()?,
            "error" => self.failed = map.next_value::<Option<IgnoredAny>>()?.is_some(),
            "choices" => self.choices = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct Choice<'a> {
    index: Option<u32>,
    finish: Option<Text<'a>>,
    message: Option<Obj<Said<'a>>>,
}

impl<'de> Members<'de> for Choice<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => self.index = map.next_value()?,
            "finish_reason" => self.finish = map.next_value()?,
            "message" => self.message = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// An answer's message; `more` where it says more than its content.
#[derive(Default)]
struct Said<'a> {
    content: Option<&'a RawValue>,
    more: bool,
}

impl<'de> Members<'de> for Said<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "content" => self.content = map.next_value()?,
            "role" => skip(map)?,
            _ => {
                let value: &RawValue = map.next_value()?;
                let nothing = match name {
                    "refusal" | "reasoning_content" | "reasoning" => "\"\"",
                    "tool_calls" | "annotations" | "images" | "reasoning_details" => "[]",
                    _ => "null",
                };
                self.more |= value.get() != "null" && value.get() != nothing;
            }
        }
        Ok(())
    }
}

pub(super) fn answer(body: &[u8]) -> Option<SkimmedAnswer<'_>> {
    let found = read_into(Answer::default(), text(body).ok()?).ok()?;
    let mut choices = found.choices.into_iter();
    let (Some(Obj(choice)), None, false) = (choices.next(), choices.next(), found.failed) else {
        return None;
    };
    let Obj(message) = choice.message.filter(|message| !message.0.more)?;
    let text = match message.content.map(RawValue::get) {
        None | Some("\"\"") => None,
        Some(json) if said(json) => Some(plainly(json)?),
        Some(_) => return None,
    };
    let finish = choice.finish.as_ref().and_then(|Text(reason)| finish_reason(reason));
    Some(SkimmedAnswer {
        id: found.id.map(|Text(id)| id).unwrap_or_default(),
        model: found.model.map(|Text(model)| model).unwrap_or_default(),
        tier: found
            .tier
            .and_then(|tier| serde_json::from_str::<Text<'_>>(tier.get()).ok())
            .map(|tier| tier.0),
        usage: found.usage.map(|usage| usage::read(usage.get())).unwrap_or_default(),
        text,
        finish: finish.unwrap_or(FinishReason::Stop),
    })
}

/// A stop text that servers name beside the reason is not told.
fn finish_reason(name: &str) -> Option<FinishReason> {
    response::finish_reason(name, &mut Object::new())
}

/// A stream, while its chunks are read.
#[derive(Default)]
struct Streamed {
    template: Template,
    started: bool,
    id: String,
    model: String,
    tier: Option<String>,
    usage: Usage,
    /// What was said, as JSON without its quotes.
    text: String,
    finish: Option<FinishReason>,
}

pub(super) fn stream(pieces: &[Bytes]) -> Option<SkimmedAnswer<'static>> {
    let joined = match pieces {
        [only] => Cow::Borrowed(&**only),
        pieces => Cow::Owned(pieces.concat()),
    };
    if joined.len() > EVENT_LIMIT {
        return None;
    }
    let mut stream = Streamed::default();
    for event in sse::events(&joined, true) {
        let data = event.data.trim_ascii();
        if event.name == b"error" {
            return None;
        }
        if data == b"[DONE]" {
            break;
        }
        if !data.is_empty() {
            stream.take(data)?;
        }
    }
    let Streamed { id, model, tier, usage, text, finish, .. } = stream;
    Some(SkimmedAnswer {
        id: id.into(),
        model: model.into(),
        tier: tier.map(Cow::Owned),
        usage,
        text: (!text.is_empty()).then(|| format!("\"{text}\"").into()),
        finish: finish?,
    })
}

impl Streamed {
    fn take(&mut self, data: &[u8]) -> Option<()> {
        if let Some(text) = self.template.string(data) {
            self.text.push_str(text);
            return Some(());
        }
        let data = text(data).ok()?;
        let begun = Chunk { started: self.started, ..Chunk::default() };
        let chunk = read_into(begun, data).ok().filter(|chunk| chunk.error.is_none())?;
        for (name, value) in &chunk.head {
            self.head(name, value)?;
        }
        self.started |= !chunk.choices.is_empty();
        if let Some(told) = chunk.usage.as_ref().or(chunk.usage_beside.as_ref()) {
            self.usage = usage::of(told);
        }
        let mut choices = chunk.choices.into_iter();
        let Some(Obj(choice)) = choices.next() else { return Some(()) };
        if choices.next().is_some() || choice.index.unwrap_or(0) != 0 {
            return None;
        }
        let learnt = choice.delta.only_text();
        let grown = self.delta(&choice.delta)?;
        if let Some(reason) = choice.finish.as_deref().and_then(finish_reason) {
            self.finish.get_or_insert(reason);
            self.template = Template::default();
        } else if let (true, None, Some(text)) = (grown, &chunk.usage, learnt) {
            self.template.learn(data, text);
        }
        Some(())
    }

    /// Members of the chunks up to the one that begins the answer.
    fn head(&mut self, name: &str, value: &RawValue) -> Option<()> {
        let text = || serde_json::from_str::<Option<String>>(value.get());
        match name {
            "id" => self.id = text().ok()?.unwrap_or_default(),
            "model" => self.model = text().ok()?.unwrap_or_default(),
            "service_tier" => self.tier = text().ok().flatten(),
            _ => {}
        }
        Some(())
    }

    /// Takes what a chunk says, where that is some text at most; whether there was any.
    fn delta(&mut self, delta: &ChunkDelta<'_>) -> Option<bool> {
        let other = [delta.reasoning_content, delta.reasoning, delta.refusal].into_iter().flatten();
        let more = delta.details.len() + delta.calls.len() + delta.images.len() + delta.annotations.len();
        if more > 0 || other.into_iter().any(|value| value.get() != "\"\"") {
            return None;
        }
        let Some(json) = delta.content.map(RawValue::get).filter(|json| *json != "\"\"") else {
            return Some(false);
        };
        // What comes behind the end is for the decoder to judge.
        if !said(json) || self.finish.is_some() {
            return None;
        }
        let json = plainly(json)?;
        self.text.push_str(json.get(1..json.len() - 1)?);
        Some(true)
    }
}
