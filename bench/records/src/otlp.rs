//! Calls as an exporter sends them: `ExportTraceServiceRequest` in protobuf, written by hand.

use crate::corpus::Call;
use serde_json::json;

/// Spans of each call.
pub(crate) const SPANS: u64 = 2;

/// A request with the spans of these calls.
pub(crate) fn request(calls: &[Call]) -> Vec<u8> {
    exported(calls.iter().flat_map(spans))
}

/// A request with `count` spans of one large trace from the `first` on, which is the root: a tree in which every tenth
/// span has some below it, tool calls mostly, and every hundredth is a chat.
pub(crate) fn large(call: &Call, first: u64, count: u64) -> Vec<u8> {
    exported((first..first + count).map(|number| {
        let id = |number: u64| ((call.number << 20) + number + 1).to_be_bytes();
        let above = if number.is_multiple_of(10) { number / 100 * 10 } else { number / 10 * 10 };
        let parent = (number > 0).then(|| id(above));
        let start = call.start_ns + number * 100_000;
        let name = if number == 0 { "answer".to_owned() } else { format!("step {}", number % 37) };
        let mut span = span(call, id(number), parent, &name, (start, start + 10_000_000_000 / (number + 1)));
        if number > 0 && number.is_multiple_of(100) {
            attribute(&mut span, 9, "gen_ai.operation.name", &text("chat"));
            attribute(&mut span, 9, "gen_ai.provider.name", &text(call.provider));
            attribute(&mut span, 9, "gen_ai.request.model", &text(call.model));
            attribute(&mut span, 9, "gen_ai.usage.input_tokens", &whole(call.input_tokens));
            attribute(&mut span, 9, "gen_ai.usage.output_tokens", &whole(call.output_tokens));
        } else if number > 0 {
            attribute(&mut span, 9, "gen_ai.operation.name", &text("execute_tool"));
            attribute(&mut span, 9, "gen_ai.tool.name", &text("find"));
            attribute(
                &mut span,
                9,
                "gen_ai.tool.call.arguments",
                &text(&json!({ "order": number }).to_string()),
            );
        }
        span
    }))
}

fn exported(spans: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut resource = Vec::new();
    attribute(&mut resource, 1, "service.name", &text("records-bench"));
    let mut scoped = Vec::new();
    let mut scope = Vec::new();
    field(&mut scope, 1, b"records-bench");
    field(&mut scoped, 1, &scope);
    for span in spans {
        field(&mut scoped, 2, &span);
    }
    let mut all = Vec::new();
    field(&mut all, 1, &resource);
    field(&mut all, 2, &scoped);
    let mut request = Vec::with_capacity(all.len() + 8);
    field(&mut request, 1, &all);
    request
}

/// The id of a call's trace, in hex.
pub(crate) fn trace_id(number: u64) -> String {
    format!("{:032x}", u128::from_be_bytes(trace_bytes(number)))
}

fn trace_bytes(number: u64) -> [u8; 16] {
    // Spread, as random ids are.
    let spread = |salt: u64| (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ salt).to_be_bytes();
    let mut id = [0; 16];
    for (place, byte) in id.iter_mut().zip(spread(0).into_iter().chain((number + 1).to_be_bytes())) {
        *place = byte;
    }
    id
}

fn spans(call: &Call) -> [Vec<u8>; 2] {
    let span_id = |number: u64| (call.number * SPANS + number + 1).to_be_bytes();
    let end = call.start_ns + call.duration_ns;
    let mut root = span(call, span_id(0), None, "answer", (call.start_ns, end + 1_000_000));
    attribute(&mut root, 9, "gen_ai.operation.name", &text("invoke_agent"));
    attribute(&mut root, 9, "gen_ai.agent.name", &text("helpdesk"));
    attribute(&mut root, 9, "user.id", &text(&call.user));
    if let Some(session) = &call.session {
        attribute(&mut root, 9, "gen_ai.conversation.id", &text(session));
    }
    if let Some(prompt) = &call.prompt {
        attribute(&mut root, 9, "gen_ai.prompt.name", &text(prompt));
        attribute(&mut root, 9, "hanok.prompt.version", &text("3"));
    }
    if !call.tags.is_empty() {
        let tags: Vec<Vec<u8>> = call.tags.iter().map(|tag| text(tag)).collect();
        attribute(&mut root, 9, "hanok.tags", &array(&tags));
    }
    let name = format!("chat {}", call.model);
    let mut chat = span(call, span_id(1), Some(span_id(0)), &name, (call.start_ns + 500_000, end));
    let message = |(role, said): &(&str, String)| json!({ "role": role, "parts": [{ "type": "text", "content": said }] });
    let (asked, answered) = call.messages.split_at(call.messages.len().saturating_sub(1));
    let asked: Vec<_> = asked.iter().map(message).collect();
    let answered: Vec<_> = answered.iter().map(message).collect();
    for (key, value) in [
        ("gen_ai.operation.name", text("chat")),
        ("gen_ai.provider.name", text(call.provider)),
        ("gen_ai.request.model", text(call.model)),
        ("gen_ai.response.model", text(call.model)),
        ("gen_ai.response.id", text(&format!("chatcmpl-{:029}", call.number))),
        ("gen_ai.request.temperature", double(0.2)),
        ("gen_ai.usage.input_tokens", whole(call.input_tokens)),
        ("gen_ai.usage.output_tokens", whole(call.output_tokens)),
        ("gen_ai.response.finish_reasons", array(&[text("stop")])),
        ("server.address", text("api.example.com")),
        ("gen_ai.input.messages", text(&json!(asked).to_string())),
        ("gen_ai.output.messages", text(&json!(answered).to_string())),
    ] {
        attribute(&mut chat, 9, key, &value);
    }
    if call.error {
        attribute(&mut chat, 9, "error.type", &text("overloaded"));
        for span in [&mut root, &mut chat] {
            let mut status = Vec::new();
            field(&mut status, 2, b"the provider is overloaded");
            number(&mut status, 3, 2);
            field(span, 15, &status);
        }
    }
    [root, chat]
}

fn span(call: &Call, id: [u8; 8], parent: Option<[u8; 8]>, name: &str, (start, end): (u64, u64)) -> Vec<u8> {
    let mut span = Vec::with_capacity(2_000);
    field(&mut span, 1, &trace_bytes(call.number));
    field(&mut span, 2, &id);
    if let Some(parent) = parent {
        field(&mut span, 4, &parent);
    }
    field(&mut span, 5, name.as_bytes());
    number(&mut span, 6, if parent.is_some() { 3 } else { 1 });
    fixed(&mut span, 7, start);
    fixed(&mut span, 8, end);
    span
}

fn attribute(into: &mut Vec<u8>, tag: u64, key: &str, value: &[u8]) {
    let mut pair = Vec::with_capacity(key.len() + value.len() + 8);
    field(&mut pair, 1, key.as_bytes());
    field(&mut pair, 2, value);
    field(into, tag, &pair);
}

fn text(text: &str) -> Vec<u8> {
    let mut value = Vec::with_capacity(text.len() + 4);
    field(&mut value, 1, text.as_bytes());
    value
}

fn whole(number_: u64) -> Vec<u8> {
    let mut value = Vec::new();
    number(&mut value, 3, number_);
    value
}

fn double(number: f64) -> Vec<u8> {
    let mut value = vec![4 << 3 | 1];
    value.extend_from_slice(&number.to_le_bytes());
    value
}

fn array(values: &[Vec<u8>]) -> Vec<u8> {
    let mut inner = Vec::new();
    for value in values {
        field(&mut inner, 1, value);
    }
    let mut value = Vec::new();
    field(&mut value, 5, &inner);
    value
}

fn field(into: &mut Vec<u8>, tag: u64, bytes: &[u8]) {
    varint(into, tag << 3 | 2);
    varint(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

fn number(into: &mut Vec<u8>, tag: u64, number: u64) {
    varint(into, tag << 3);
    varint(into, number);
}

fn fixed(into: &mut Vec<u8>, tag: u64, number: u64) {
    varint(into, tag << 3 | 1);
    into.extend_from_slice(&number.to_le_bytes());
}

fn varint(into: &mut Vec<u8>, mut rest: u64) {
    while rest >= 0x80 {
        let [low, ..] = rest.to_le_bytes();
        into.push(low | 0x80);
        rest >>= 7;
    }
    let [last, ..] = rest.to_le_bytes();
    into.push(last);
}
