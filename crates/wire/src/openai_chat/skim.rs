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
    messages: Vec<Obj<Turn<'a>>>,
    tools: Option<&'a RawValue>,
    user: Option<Text<'a>>,
    metadata: Option<&'a RawValue>,
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
            "user" => self.user = map.next_value()?,
            "metadata" => self.metadata = map.next_value()?,
            "reasoning_effort" | "prompt_cache_key" => {
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
    let body = text(body).ok()?;
    let found = read_into(Request::default(), body).ok()?;
    if found.messages.is_empty() {
        return None;
    }
    let messages: Option<Vec<_>> = found.messages.into_iter().map(|Obj(turn)| plain(turn)).collect();
    let messages = match messages {
        Some(messages) => messages,
        // Read once more where there is more to a message than that.
        None => read_into(Turns::default(), body).ok()?.0.into_iter().map(|json| turn(json.get())).collect(),
    };
    let sampling = Sampling { max_tokens: found.newer_limit.or(found.older_limit), ..found.sampling };
    Some(SkimmedRequest {
        model: found.model?.0,
        sampling,
        messages,
        tools: found.tools.map(RawValue::get),
        user: found.user.map(|Text(user)| user),
        metadata: found.metadata.map(RawValue::get),
    })
}

/// A request's messages, as they are.
#[derive(Default)]
struct Turns<'a>(Vec<&'a RawValue>);

impl<'de> Members<'de> for Turns<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "messages" => self.0 = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

fn turn(json: &str) -> SkimmedMessage<'_> {
    let turn = read_into(Turn::default(), json).ok();
    turn.and_then(plain).unwrap_or(SkimmedMessage::Other(json))
}

/// A message as one text, where it is no more than that.
fn plain(turn: Turn<'_>) -> Option<SkimmedMessage<'_>> {
    let role = match &*turn.role?.0 {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => return None,
    };
    let content = turn.content?.get();
    if turn.more || !said(content) {
        return None;
    }
    Some(SkimmedMessage::Text { role, text: plainly(content)? })
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
    over: bool,
    id: String,
    model: String,
    tier: Option<String>,
    usage: Usage,
    /// What was said, as JSON without its quotes.
    text: String,
    finish: Option<FinishReason>,
}

pub(super) fn stream(pieces: &[Bytes]) -> Option<SkimmedAnswer<'static>> {
    if pieces.iter().map(Bytes::len).sum::<usize>() > EVENT_LIMIT {
        return None;
    }
    let mut stream = Streamed::default();
    if pieces.iter().all(|piece| piece.ends_with(b"\n\n")) {
        // As upstreams nearly always send them: no event is cut.
        for (at, piece) in pieces.iter().enumerate() {
            stream.events(piece, at == 0)?;
        }
    } else {
        stream.events(&pieces.concat(), true)?;
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
    /// Takes whole events; `first` where they begin the stream.
    fn events(&mut self, bytes: &[u8], first: bool) -> Option<()> {
        for event in sse::events(bytes, first) {
            let data = event.data.trim_ascii();
            if self.over {
                return Some(());
            }
            if event.name == b"error" {
                return None;
            }
            if data == b"[DONE]" {
                self.over = true;
            } else if !data.is_empty() {
                self.take(data)?;
            }
        }
        Some(())
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai_chat::{OpenAiChat, decoder};
    use crate::{Codec, StreamDecoder};
    use hanok_base::stream::Collector;
    use hanok_base::{ChatResponse, Part};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// The text of a message that a skimmed one stands for.
    fn parts(text: Option<&str>) -> Vec<Part> {
        text.map(|json| Part::Text(serde_json::from_str(json).unwrap())).into_iter().collect()
    }

    #[track_caller]
    fn is_canonical(json: &str) {
        let text: String = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&text).unwrap(), json);
    }

    /// How many of a request's messages are plain texts; `None` where it is not skimmed. All of it says what it
    /// says when it is decoded.
    #[track_caller]
    fn plain_turns(body: &str) -> Option<usize> {
        let skimmed = request(body.as_bytes())?;
        let decoded = OpenAiChat.decode_request(body.as_bytes()).unwrap();
        assert_eq!(skimmed.model, decoded.model.as_str());
        assert_eq!(Sampling { top_k: None, ..decoded.sampling }, skimmed.sampling);
        assert_eq!(skimmed.messages.len(), decoded.messages.len());
        let mut plain = 0;
        for (skimmed, decoded) in skimmed.messages.iter().zip(&decoded.messages) {
            match skimmed {
                SkimmedMessage::Text { role, text } => {
                    is_canonical(text);
                    let found = Message { role: *role, parts: parts(Some(text)), extra: Object::new() };
                    assert_eq!(&found, decoded);
                    plain += 1;
                }
                SkimmedMessage::Other(json) => assert_eq!(&decode_message(json).unwrap(), decoded),
            }
        }
        let tools = skimmed.tools.map(|json| decode_tools(json).unwrap()).unwrap_or_default();
        assert_eq!(tools, decoded.tools);
        Some(plain)
    }

    #[test]
    fn requests() {
        let check = |body: &str, expect: Option<usize>| assert_eq!(plain_turns(body), expect, "{body}");
        let turns = |turns: &str| format!(r#"{{"model":"m","messages":[{turns}]}}"#);
        let hi = r#"{"role":"user","content":"hi"}"#;
        check(&turns(hi), Some(1));
        check(&turns(&format!("{hi},{hi}")), Some(2));
        for content in [r#""a\n\"b\"\\""#, r#""\u00e9\/\u000a""#, r#""\ud83d\ude00""#, "\"환불\""] {
            check(&turns(&format!(r#"{{"content":{content},"role":"system"}}"#)), Some(1));
        }
        for other in [
            r#"{"role":"user","content":""}"#,
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
            r#"{"role":"tool","tool_call_id":"c","content":"7"}"#,
            r#"{"role":"user","content":[{"type":"text","text":"hi"}]}"#,
            r#"{"role":"user","content":"hi","name":"a"}"#,
            r#"{"role":"function","content":"hi"}"#,
            r#"{"role":"assistant"}"#,
        ] {
            check(&turns(&format!("{hi},{other}")), Some(1));
        }
        let with = |members: &str| format!(r#"{{"model":"m","messages":[{hi}],{members}}}"#);
        check(
            &with(r#""temperature":1,"top_p":0.5,"seed":-1,"n":2,"stop":["a","b"],"stream":true"#),
            Some(1),
        );
        check(&with(r#""max_tokens":5,"max_completion_tokens":7,"stop":"a""#), Some(1));
        check(&with(r#""max_tokens":null,"temperature":null,"stop":null,"n":null,"tools":null"#), Some(1));
        check(&with(r#""top_k":4,"metadata":{"a":[1]},"user":"u","parallel_tool_calls":false"#), Some(1));
        check(&with(r#""tools":[{"type":"function","function":{"name":"f"}},{"type":"custom"}]"#), Some(1));
        check(&with(r#""model":"n""#), Some(1));
        // These are for the decoder to refuse.
        for odd in [
            r#""temperature":"hot""#,
            r#""n":-1"#,
            r#""n":4294967296"#,
            r#""stop":[1]"#,
            r#""max_tokens":1.5"#,
            r#""user":7"#,
            r#""reasoning_effort":1"#,
            r#""parallel_tool_calls":1"#,
            r#""messages":null"#,
            r#""messages":[]"#,
            r#""messages":["hi"]"#,
            r#""model":null"#,
        ] {
            check(&with(odd), None);
        }
        for broken in ["", "{", "[]", "null", r#"{"messages":[{"role":"user","content":"hi"}]}"#] {
            check(broken, None);
        }
        assert!(decode_tools("{}").is_err() && decode_tools("[1]").is_err());
        // Half of a surrogate pair is no text.
        let half = turns(r#"{"role":"user","content":"\ud83d"}"#);
        let skimmed = request(half.as_bytes()).unwrap();
        assert!(matches!(&*skimmed.messages, [SkimmedMessage::Other(json)] if decode_message(json).is_err()));
    }

    #[track_caller]
    fn says(skimmed: &SkimmedAnswer<'_>, decoded: &ChatResponse) {
        assert_eq!(skimmed.id, decoded.id.as_str());
        assert_eq!(skimmed.model, decoded.model.as_str());
        assert_eq!(skimmed.tier.as_deref(), decoded.extra.get("service_tier").and_then(Value::as_str));
        assert_eq!(skimmed.usage, decoded.usage);
        skimmed.text.as_deref().into_iter().for_each(is_canonical);
        let [choice] = decoded.choices.as_slice() else { panic!("one choice") };
        assert_eq!(parts(skimmed.text.as_deref()), choice.message.parts);
        assert_eq!(choice.message.extra, Object::new());
        assert_eq!(skimmed.finish.as_str(), choice.finish.as_str());
    }

    #[test]
    fn whole_answers() {
        let check = |choices: &str, rest: &str, skims: bool| {
            let body = format!(r#"{{"id":"c","model":"m","choices":[{choices}]{rest}}}"#);
            let skimmed = answer(body.as_bytes());
            assert_eq!(skimmed.is_some(), skims, "{body}");
            if let Some(skimmed) = skimmed {
                says(&skimmed, &OpenAiChat.decode_response(body.as_bytes()).unwrap());
            }
        };
        let said = |message: &str| format!(r#"{{"index":0,"message":{{{message}}},"finish_reason":"stop"}}"#);
        let hi = said(r#""role":"assistant","content":"hi""#);
        check(&hi, "", true);
        check(&hi, r#","usage":{"prompt_tokens":1,"completion_tokens":2},"service_tier":"flex""#, true);
        check(&hi, r#","usage":null,"service_tier":null,"error":null,"created":1,"extra":{}"#, true);
        check(&hi, r#","service_tier":7,"usage":[]"#, true);
        let nothing =
            r#""refusal":null,"annotations":[],"tool_calls":[],"reasoning_content":"","audio":null"#;
        check(&said(&format!(r#""content":"a\u00e9\n",{nothing}"#)), "", true);
        check(&said(r#""content":null"#), "", true);
        check(&said(r#""content":"""#), "", true);
        for reason in [r#""length""#, r#""function_call""#, r#""eos""#, r#""""#, "null"] {
            check(&format!(r#"{{"message":{{"content":"hi"}},"finish_reason":{reason}}}"#), "", true);
        }
        let stop =
            r#"{"message":{"content":"hi"},"finish_reason":"stop","stop_reason":"END","logprobs":{"a":1}}"#;
        check(stop, "", true);
        for more in [
            r#""refusal":"no""#,
            r#""reasoning_content":"well""#,
            r#""tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]"#,
            r#""annotations":[{}]"#,
            r#""audio":{"id":"a"}"#,
        ] {
            check(&said(&format!(r#""content":"hi",{more}"#)), "", false);
        }
        check(&said(r#""content":[{"type":"text","text":"hi"}]"#), "", false);
        check(&said(r#""content":"\ud83d""#), "", false);
        check(&format!("{hi},{hi}"), "", false);
        check("", "", false);
        check(r#"{"index":0}"#, "", false);
        check(&hi, r#","error":{"message":"no"}"#, false);
        check(&hi, r#","id":7"#, false);
    }

    fn decoded(stream: &[u8]) -> Option<ChatResponse> {
        let mut decoder = decoder::Decoder::default();
        let mut events = Vec::new();
        let fed = decoder.feed(stream, &mut events);
        let mut collector = Collector::default();
        for event in events {
            collector.push(event);
        }
        fed.ok().and_then(|()| collector.into_response())
    }

    /// Whether a stream is skimmed; then it says what it says when it is decoded, however it is cut.
    #[track_caller]
    fn skims(stream: &str) -> bool {
        let whole = Bytes::from(stream.to_owned());
        let Some(skimmed) = super::stream(std::slice::from_ref(&whole)) else { return false };
        says(&skimmed, &decoded(stream.as_bytes()).unwrap());
        let cut: Vec<Bytes> = whole.chunks(7).map(Bytes::copy_from_slice).collect();
        let uncut: Vec<Bytes> =
            stream.split_inclusive("\n\n").map(|event| Bytes::from(event.to_owned())).collect();
        for pieces in [cut, uncut] {
            assert_eq!(super::stream(&pieces).unwrap().text, skimmed.text);
        }
        true
    }

    #[test]
    fn streams() {
        let event = |data: &str| format!("data: {data}\n\n");
        let chunk = |delta: &str, finish: &str| {
            event(&format!(
                r#"{{"id":"c","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
            ))
        };
        let said = |text: &str| chunk(&format!(r#"{{"content":{text}}}"#), "null");
        let (role, end) = (chunk(r#"{"role":"assistant","content":""}"#, "null"), chunk("{}", r#""stop""#));
        let check = |events: &[&str], expect: bool| assert_eq!(skims(&events.concat()), expect, "{events:?}");
        let (a, b, escaped) = (said(r#""a""#), said(r#""b""#), said(r#""\n\u00e9\"""#));
        let done = event("[DONE]");
        check(&[&role, &a, &b, &escaped, &a, &end, &done], true);
        check(&[&a, &b, &end], true);
        check(&[&role, &end, &done], true);
        check(&[&role, &a, &chunk(r#"{"content":"b"}"#, r#""length""#), &done, "data: {oops\n\n"], true);
        check(&[": hi\n\n", "event: message\n", &a, "data:\n\n", &end], true);
        let usage = event(r#"{"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#);
        check(&[&role, &a, &end, &usage, &done], true);
        // What some send before the answer.
        let early = event(
            r#"{"id":"","model":"","choices":[],"usage":{"prompt_tokens":9},"service_tier":"flex","prompt_filter_results":[]}"#,
        );
        check(&[&early, &a, &end, &done], true);
        let groq = event(r#"{"id":"c","choices":[],"x_groq":{"usage":{"prompt_tokens":3}}}"#);
        check(&[&role, &a, &groq, &end], true);
        let logged = r#"{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[]},"finish_reason":null}]}"#;
        check(&[&event(logged), &event(logged), &end], true);

        check(&[&role, &a], false);
        check(&[&role, &a, &done], false);
        check(&[&done], false);
        check(&[], false);
        check(&[&role, &a, &end, &b], false);
        check(&[&role, &a, &end, "event: error\ndata: {}\n\n"], false);
        check(&[&role, &event(r#"{"error":{"message":"no"}}"#), &end], false);
        check(&[&role, "data: {oops\n\n", &end], false);
        check(&[&role, &said(r#""\ud83d""#), &said(r#""\ude00""#), &end], false);
        for other in [
            r#"{"reasoning_content":"well"}"#,
            r#"{"refusal":"no"}"#,
            r#"{"content":[{"type":"text","text":"a"}]}"#,
            r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}"#,
        ] {
            check(&[&role, &a, &chunk(other, "null"), &end], false);
        }
        let second = event(r#"{"choices":[{"index":1,"delta":{"content":"a"},"finish_reason":"stop"}]}"#);
        check(&[&a, &end, &second], false);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn texts_of_any_kind(texts in proptest::collection::vec(any::<String>(), 1..8), ascii in any::<bool>()) {
            let quoted = |text: &str| {
                let json = Value::from(text).to_string();
                if !ascii {
                    return json;
                }
                // As servers write that send ASCII only.
                let mut units = [0; 2];
                json.chars().fold(String::new(), |mut out, char| {
                    if char.is_ascii() {
                        out.push(char);
                    } else {
                        out.extend(char.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
                    }
                    out
                })
            };
            let turns: Vec<String> =
                texts.iter().map(|text| format!(r#"{{"role":"user","content":{}}}"#, quoted(text))).collect();
            let said = texts.iter().filter(|text| !text.is_empty()).count();
            let body = format!(r#"{{"model":"m","messages":[{}]}}"#, turns.join(","));
            prop_assert_eq!(plain_turns(&body), Some(said));
            let chunk = json!({"choices": [{"index": 0, "delta": {"content": "@"}}]}).to_string();
            let chunks: Vec<String> =
                texts.iter().map(|text| format!("data: {}\n\n", chunk.replace("\"@\"", &quoted(text)))).collect();
            let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
            let stream = format!("{}data: {end}\n\n", chunks.concat());
            prop_assert!(skims(&stream));
        }
    }
}
