//! The bytes of a call, decoded: messages, usage, and what the answer says of itself.

use crate::attribute as name;
use crate::forms::Forms;
use crate::preview::{line, preview};
use crate::{estimate, labels, message};
use hanok_base::stream::Collector;
use hanok_base::{
    Attributes, ChatRequest, ChatResponse, Dialect, EmbedRequest, Exchange, FinishReason, NanoDollars,
    Operation, ResponseBytes, Role, Route, Sampling, Usage,
};
use hanok_store::Slot;
use hanok_wire::codec;
use hanok_wire::codec::{SkimmedAnswer, SkimmedMessage};
use serde_json::Value;
use std::borrow::Cow;

/// What an exchange holds.
#[derive(Default)]
pub(crate) struct Decoded {
    /// The model asked for.
    pub(crate) model: Option<String>,
    /// The model that answered.
    pub(crate) response_model: Option<String>,
    /// The service tier that answered, where it is not the standard one.
    pub(crate) tier: Option<String>,
    /// Tokens, as the provider told.
    pub(crate) usage: Usage,
    /// What it cost, as somebody else reckoned; counts where we have no price.
    pub(crate) told_cost: Option<NanoDollars>,
    /// How much there was, for an estimate.
    pub(crate) seen: Seen,
    /// The rest that has a name.
    pub(crate) attributes: Attributes,
    /// Messages, or raw bytes where they could not be read.
    pub(crate) bodies: Vec<(Slot, Vec<u8>)>,
    /// The beginning of the last thing the user said.
    pub(crate) input_preview: Option<String>,
    /// The beginning of the answer.
    pub(crate) output_preview: Option<String>,
}

/// What can be said of a call's tokens without a count.
#[derive(Default)]
pub(crate) struct Seen {
    /// What was asked, where it may have to be estimated.
    pub(crate) request: Option<Asked>,
    /// About how many tokens came, where the provider told no number, or not the last one.
    pub(crate) output: u64,
    /// Some of an answer came.
    pub(crate) answered: bool,
    /// The answer came to its end.
    pub(crate) complete: bool,
}

/// A request that was read.
pub(crate) enum Asked {
    Chat(Box<ChatRequest>),
    Embed(EmbedRequest),
}

impl Asked {
    /// About how many tokens it has.
    pub(crate) fn tokens(&self) -> u64 {
        match self {
            Self::Chat(request) => estimate::request(request),
            Self::Embed(request) => estimate::embed(request),
        }
    }
}

/// Larger bodies of routes that nobody translates are not kept: they are files, not words.
const MOST_RAW: usize = 256 << 10;

/// Reads an exchange. What cannot be read is kept as it came.
pub(crate) fn decode(operation: Operation, exchange: &Exchange, forms: &Forms) -> Decoded {
    match operation {
        Operation::Embeddings => embeddings(exchange),
        // Other bodies than a chat's.
        Operation::Forward | Operation::Rerank => raw(exchange),
        _ => chat(exchange, forms),
    }
}

/// The texts are kept; the vectors are not: they are many times larger, and can be computed again.
fn embeddings(exchange: &Exchange) -> Decoded {
    let mut decoded = Decoded::default();
    let wire = codec(exchange.dialect);
    if let ResponseBytes::Whole(body) = &exchange.response {
        decoded.seen.answered = !body.is_empty();
        decoded.seen.complete = decoded.seen.answered;
        decoded.usage = hanok_wire::embeddings::embeddings_usage(body);
        if decoded.usage.is_empty()
            && let Ok(response) = wire.decode_embed_response(body)
        {
            decoded.usage = response.usage;
        }
    }
    if decoded.usage.input.is_none() {
        let request = [Route::Embeddings, Route::BatchEmbeddings]
            .into_iter()
            .find_map(|route| wire.decode_embed_request(route, &exchange.request).ok());
        decoded.seen.request = request.map(Asked::Embed);
    }
    keep(&mut decoded.bodies, Slot::RawRequest, exchange.request.to_vec());
    decoded
}

/// Kept where it is text of some size that a person may want to read.
fn raw(exchange: &Exchange) -> Decoded {
    let mut decoded = Decoded::default();
    let json = |body: &[u8]| {
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        body.len() <= MOST_RAW && matches!(first, Some(b'{' | b'[')) && std::str::from_utf8(body).is_ok()
    };
    let mut left_out = 0;
    let mut take = |slot: Slot, body: &[u8], decoded: &mut Decoded| {
        if json(body) {
            keep(&mut decoded.bodies, slot, body.to_vec());
        } else {
            left_out += body.len();
        }
    };
    take(Slot::RawRequest, &exchange.request, &mut decoded);
    match &exchange.response {
        ResponseBytes::None => {}
        ResponseBytes::Whole(body) => {
            take(Slot::RawResponse, body, &mut decoded);
            decoded.seen.complete = true;
        }
        ResponseBytes::Streamed(pieces) => {
            for piece in pieces {
                take(Slot::RawResponse, piece, &mut decoded);
            }
        }
    }
    if left_out > 0 {
        decoded.attributes.push((Cow::Borrowed(name::BYTES_NOT_KEPT), left_out.into()));
    }
    decoded
}

/// Skimmed where that can be done, which nearly always costs a fraction; else decoded.
fn chat(exchange: &Exchange, forms: &Forms) -> Decoded {
    let Exchange { dialect, request, response } = exchange;
    let mut decoded = Decoded::default();
    let wire = codec(*dialect);
    let asked = match skim_request(&mut decoded, *dialect, request, forms) {
        Some(()) => None,
        None => decode_request(&mut decoded, *dialect, request),
    };
    let answer = match response {
        ResponseBytes::None => None,
        ResponseBytes::Whole(body) => wire.skim_response(body),
        ResponseBytes::Streamed(pieces) => wire.skim_stream(pieces),
    };
    if answer.and_then(|answer| take_skimmed(&mut decoded, answer)).is_none() {
        decode_response(&mut decoded, *dialect, response);
    }
    if decoded.usage.input.is_none() {
        let asked = asked.or_else(|| wire.decode_request(request).ok());
        decoded.seen.request = asked.map(|request| Asked::Chat(Box::new(request)));
    }
    decoded
}

fn decode_request(decoded: &mut Decoded, dialect: Dialect, body: &[u8]) -> Option<ChatRequest> {
    match codec(dialect).decode_request(body) {
        Ok(request) => {
            take_request(decoded, &request);
            let labels = ["metadata", "labels"].into_iter().find_map(|name| request.extra.get(name));
            labels::take(&mut decoded.attributes, dialect, request.user.as_deref(), labels);
            Some(request)
        }
        Err(error) => {
            unreadable(decoded, Slot::RawRequest, body.to_vec(), &error.to_string());
            None
        }
    }
}

fn decode_response(decoded: &mut Decoded, dialect: Dialect, response: &ResponseBytes) {
    let wire = codec(dialect);
    match response {
        ResponseBytes::None => {}
        ResponseBytes::Whole(body) => match wire.decode_response(body) {
            Ok(response) => {
                decoded.seen.complete = true;
                take_response(decoded, response);
            }
            Err(error) => unreadable(decoded, Slot::RawResponse, body.to_vec(), &error.to_string()),
        },
        ResponseBytes::Streamed(pieces) => {
            let mut events_of = wire.stream_decoder();
            let mut collector = Collector::default();
            let mut events = Vec::new();
            let mut fault = None;
            for piece in pieces {
                let fed = events_of.feed(piece, &mut events);
                events.drain(..).for_each(|event| collector.push(event));
                if let Err(error) = fed {
                    fault = Some(error.to_string());
                    break;
                }
            }
            decoded.seen.complete = collector.is_complete();
            let cut = FinishReason::Other("truncated".to_owned());
            let partial = collector.into_partial(&cut);
            let nothing = partial.is_none();
            if let Some(response) = partial {
                take_response(decoded, response);
            }
            // A stream that merely stops early has said all it has to say in its events.
            if let Some(fault) = fault.or_else(|| nothing.then(|| "the stream holds no answer".to_owned())) {
                unreadable(decoded, Slot::RawResponse, pieces.concat(), &fault);
            }
        }
    }
}

/// Takes a request without decoding it; nothing is taken where that cannot be done.
fn skim_request(decoded: &mut Decoded, dialect: Dialect, body: &[u8], forms: &Forms) -> Option<()> {
    let request = codec(dialect).skim_request(body)?;
    let mut bodies = Vec::with_capacity(request.messages.len() + 2);
    let mut asked = None;
    let mut others = Vec::new();
    for (at, message) in request.messages.iter().enumerate() {
        let (role, stored) = match message {
            SkimmedMessage::Text { role, text } => (Some(*role), message::text(*role, Some(text), None)),
            SkimmedMessage::Other(json) => {
                let form = forms.message(dialect, json)?;
                others.push((at, form.preview));
                (form.role, form.stored.into_vec())
            }
        };
        if role == Some(Role::User) {
            asked = Some(at);
        }
        bodies.push((Slot::Input, stored));
    }
    if let Some(tools) = request.tools {
        let form = forms.tools(dialect, tools)?;
        keep(&mut bodies, Slot::Tools, form.stored.into_vec());
    }
    let asked = asked.unwrap_or(request.messages.len().saturating_sub(1));
    decoded.input_preview = match request.messages.get(asked)? {
        SkimmedMessage::Text { text, .. } => line(&unquoted(text)?),
        SkimmedMessage::Other(json) => match others.into_iter().find(|(at, _)| *at == asked) {
            Some((_, Some(said))) => Some(said),
            // Nobody's words, or those of somebody else than a user.
            _ => preview(&codec(dialect).decode_message(json).ok()?.parts),
        },
    };
    decoded.model = Some(request.model.into_owned());
    take_sampling(decoded, &request.sampling);
    let metadata = request.metadata.and_then(|json| serde_json::from_str(json).ok());
    labels::take(&mut decoded.attributes, dialect, request.user.as_deref(), metadata.as_ref());
    decoded.bodies = bodies;
    Some(())
}

fn take_request(decoded: &mut Decoded, request: &ChatRequest) {
    let ChatRequest { model, messages, tools, sampling, .. } = request;
    decoded.model = Some(model.as_str().to_owned());
    take_sampling(decoded, sampling);
    decoded.bodies.reserve(messages.len() + 2);
    for message in messages {
        decoded.bodies.push((Slot::Input, message::input(message)));
    }
    if !tools.is_empty() {
        decoded.bodies.push((Slot::Tools, message::tools(tools)));
    }
    let asked = messages.iter().rev().find(|message| message.role == Role::User).or(messages.last());
    decoded.input_preview = asked.and_then(|message| preview(&message.parts));
}

fn take_sampling(decoded: &mut Decoded, sampling: &Sampling) {
    let mut set = |key: &'static str, value: Option<Value>| {
        if let Some(value) = value {
            decoded.attributes.push((Cow::Borrowed(key), value));
        }
    };
    set(name::TEMPERATURE, sampling.temperature.map(Value::from));
    set(name::TOP_P, sampling.top_p.map(Value::from));
    set(name::MAX_TOKENS, sampling.max_tokens.map(Value::from));
    set(name::SEED, sampling.seed.map(Value::from));
    set(name::STOP, (!sampling.stop.is_empty()).then(|| Value::from(sampling.stop.as_slice())));
    set(name::CHOICES, sampling.n.filter(|n| *n != 1).map(Value::from));
}

/// Takes an answer that came to its end; nothing is taken where its text turns out to be none.
fn take_skimmed(decoded: &mut Decoded, answer: SkimmedAnswer<'_>) -> Option<()> {
    let SkimmedAnswer { id, model, tier, usage, text, finish } = answer;
    let said = match &text {
        Some(json) => Some(unquoted(json)?),
        None => None,
    };
    decoded.seen.answered = true;
    decoded.seen.complete = true;
    decoded.usage = usage;
    if usage.output.is_none() {
        decoded.seen.output = said.as_deref().map_or(0, estimate::text);
    }
    decoded.output_preview = said.as_deref().and_then(line);
    take_head(decoded, &id, model.into_owned(), tier.as_deref());
    let reasons = Value::Array(vec![finish.as_str().into()]);
    decoded.attributes.push((Cow::Borrowed(name::FINISH_REASONS), reasons));
    decoded.bodies.push((Slot::Output, message::text(Role::Assistant, text.as_deref(), Some(&finish))));
    Some(())
}

fn take_response(decoded: &mut Decoded, response: ChatResponse) {
    let ChatResponse { id, model, choices, usage, extra, .. } = response;
    decoded.usage = usage;
    decoded.seen.answered = true;
    if usage.output.is_none() || !decoded.seen.complete {
        decoded.seen.output = choices.iter().map(|choice| estimate::parts(&choice.message.parts)).sum();
    }
    let tier = extra.get("service_tier").and_then(Value::as_str);
    take_head(decoded, id.as_str(), model.as_str().to_owned(), tier);
    let reasons = choices.iter().map(|choice| choice.finish.as_str()).collect();
    decoded.attributes.push((Cow::Borrowed(name::FINISH_REASONS), reasons));
    for choice in &choices {
        decoded.bodies.push((Slot::Output, message::output(&choice.message, &choice.finish)));
    }
    decoded.output_preview = choices.first().and_then(|choice| preview(&choice.message.parts));
}

/// What an answer says of itself.
fn take_head(decoded: &mut Decoded, id: &str, model: String, tier: Option<&str>) {
    let tier = tier.filter(|tier| !matches!(*tier, "default" | "standard" | "auto"));
    decoded.tier = tier.map(ToOwned::to_owned);
    decoded.attributes.reserve(3);
    decoded.attributes.push((Cow::Borrowed(name::RESPONSE_ID), id.into()));
    decoded.attributes.push((Cow::Borrowed(name::RESPONSE_MODEL), model.as_str().into()));
    decoded.response_model = Some(model);
}

/// The text of a JSON string; `None` where it is none.
fn unquoted(json: &str) -> Option<Cow<'_, str>> {
    if json.contains('\\') {
        return serde_json::from_str(json).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(json.strip_prefix('"')?.strip_suffix('"')?))
}

fn unreadable(decoded: &mut Decoded, slot: Slot, body: Vec<u8>, why: &str) {
    let side = if slot == Slot::RawRequest { "request" } else { "response" };
    decoded.attributes.push((Cow::Borrowed(name::UNREADABLE), format!("{side}: {why}").into()));
    keep(&mut decoded.bodies, slot, body);
}

fn keep(bodies: &mut Vec<(Slot, Vec<u8>)>, slot: Slot, body: Vec<u8>) {
    if !body.is_empty() {
        bodies.push((slot, body));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn exchange(request: &str, response: ResponseBytes) -> Exchange {
        Exchange { dialect: Dialect::OpenAiChat, request: Bytes::from(request.to_owned()), response }
    }

    fn read(exchange: &Exchange) -> Decoded {
        decode(Operation::Chat, exchange, &Forms::default())
    }

    const REQUEST: &str = r#"{"model":"gpt-5-mini","temperature":0.5,"messages":[
        {"role":"system","content":"be brief"},{"role":"user","content":"two\n  words"}]}"#;

    #[test]
    fn a_whole_answer() {
        let answer = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-5-mini-2025-08-07",
            "choices":[{"index":0,"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
        let decoded = read(&exchange(REQUEST, ResponseBytes::Whole(Bytes::from(answer))));
        assert_eq!(decoded.usage.input, Some(9));
        assert_eq!(decoded.input_preview.as_deref(), Some("two words"));
        assert_eq!(decoded.output_preview.as_deref(), Some("yes"));
        let slots: Vec<Slot> = decoded.bodies.iter().map(|(slot, _)| *slot).collect();
        assert_eq!(slots, [Slot::Input, Slot::Input, Slot::Output]);
    }

    /// The same without skimming.
    fn read_slowly(exchange: &Exchange) -> Decoded {
        let mut decoded = Decoded::default();
        let asked = decode_request(&mut decoded, exchange.dialect, &exchange.request);
        decode_response(&mut decoded, exchange.dialect, &exchange.response);
        decoded.seen.request = asked.map(|request| Asked::Chat(Box::new(request)));
        decoded
    }

    #[test]
    fn skimmed_or_decoded_it_is_the_same() {
        let requests = [
            REQUEST,
            r#"{"model":"m","messages":[{"role":"system","content":"a \"b\"\n\u00e9"}],"stop":"x","n":3,"seed":7}"#,
            r#"{"model":"m","max_tokens":5,"top_p":0.1,"messages":[
                {"role":"user","content":[{"type":"text","text":"look\nhere"}]},
                {"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\": 1}"}}]},
                {"role":"tool","tool_call_id":"c","content":"7"}],
                "tools":[{"type":"function","function":{"name":"f","parameters":{}}}]}"#,
            r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f"}}]}]}"#,
            r#"{"model":"m","messages":[{"role":"judge","content":"hi"}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":"\ud83d"}]}"#,
        ];
        let whole = |message: &str, rest: &str| {
            ResponseBytes::Whole(Bytes::from(format!(
                r#"{{"id":"c","model":"m-1","choices":[{{"message":{message},"finish_reason":"length"}}]{rest}}}"#
            )))
        };
        let chunk = |delta: &str, finish: &str| {
            Bytes::from(format!(
                "data: {{\"id\":\"c\",\"choices\":[{{\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
            ))
        };
        let (said, end) = (chunk(r#"{"content":"환불 \n"}"#, "null"), chunk("{}", "\"stop\""));
        let usage = r#","usage":{"prompt_tokens":3,"completion_tokens":4},"service_tier":"flex""#;
        let responses = [
            ResponseBytes::None,
            whole(r#"{"content":"four words of text","refusal":null}"#, usage),
            whole(r#"{"content":"four words of text"}"#, r#","service_tier":"default""#),
            whole(r#"{"content":null}"#, ""),
            whole(r#"{"content":null,"tool_calls":[{"id":"c","function":{"name":"f"}}]}"#, usage),
            ResponseBytes::Whole(Bytes::from("<html>")),
            ResponseBytes::Streamed(vec![said.clone(), said.clone(), said.clone(), end.clone()]),
            ResponseBytes::Streamed(vec![said.clone(), said.clone()]),
            ResponseBytes::Streamed(vec![Bytes::from("data: [DONE]\n\n")]),
        ];
        let forms = Forms::default();
        for (request, response) in requests.iter().flat_map(|one| responses.iter().map(move |two| (one, two)))
        {
            let exchange = exchange(request, response.clone());
            let slow = read_slowly(&exchange);
            // Once anew, and once as it is remembered.
            for _ in 0..2 {
                let quick = decode(Operation::Chat, &exchange, &forms);
                let of = format!("{exchange:?}");
                assert_eq!(quick.bodies, slow.bodies, "{of}");
                assert_eq!(quick.attributes, slow.attributes, "{of}");
                assert_eq!(
                    (&quick.model, &quick.response_model),
                    (&slow.model, &slow.response_model),
                    "{of}"
                );
                assert_eq!((&quick.tier, quick.usage), (&slow.tier, slow.usage), "{of}");
                assert_eq!(quick.input_preview, slow.input_preview, "{of}");
                assert_eq!(quick.output_preview, slow.output_preview, "{of}");
                assert_eq!(quick.seen.output, slow.seen.output, "{of}");
                assert_eq!(quick.seen.answered, slow.seen.answered, "{of}");
                assert_eq!(quick.seen.complete, slow.seen.complete, "{of}");
                if quick.usage.input.is_none() {
                    let tokens = |decoded: &Decoded| decoded.seen.request.as_ref().map(Asked::tokens);
                    assert_eq!(tokens(&quick), tokens(&slow), "{of}");
                }
            }
        }
    }

    #[test]
    fn a_cut_stream_keeps_what_came() {
        let piece = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"half"},"finish_reason":null}]}"#;
        let pieces = vec![Bytes::from(piece), Bytes::from("\n\n")];
        let decoded = read(&exchange(REQUEST, ResponseBytes::Streamed(pieces)));
        assert_eq!(decoded.output_preview.as_deref(), Some("half"));
        let reasons = decoded.attributes.iter().find(|(key, _)| key == name::FINISH_REASONS).unwrap();
        assert_eq!(reasons.1, serde_json::json!(["truncated"]));
    }

    #[test]
    fn what_cannot_be_read_is_kept() {
        let decoded = read(&exchange("{oops", ResponseBytes::Whole(Bytes::from("<html>"))));
        assert_eq!(
            decoded.bodies,
            [(Slot::RawRequest, b"{oops".to_vec()), (Slot::RawResponse, b"<html>".to_vec())]
        );
    }
}
