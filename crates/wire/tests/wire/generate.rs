//! Chats of every shape, in the order in which the dialect has their parts.

use hanok_base::chat::Quote;
use hanok_base::{
    ChatRequest, ChatResponse, Choice, Citation, Dialect, FinishReason, Media, MediaSource, Message, Object,
    OutputFormat, Part, Reasoning, ReasoningOptions, Role, Sampling, Signature, ToolCall, ToolChoice,
    ToolResult, ToolSpec, Usage,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

pub(crate) fn text() -> impl Strategy<Value = String> {
    "[ -~é한😀\n\"\\\\\u{7f}\u{2028}]{1,12}"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_]{1,8}"
}

pub(crate) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        text().prop_map(Value::from),
        Just(Value::from("")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Unknown members; none of them null, since null says nothing.
fn extra(names: &'static str) -> impl Strategy<Value = Object> {
    option::of(json().prop_filter("null", |value| !value.is_null()))
        .prop_map(move |value| value.map(|value| (names.to_owned(), value)).into_iter().collect())
}

/// A signature of this dialect, or, where `foreign`, possibly of another one.
fn signature(foreign: bool) -> impl Strategy<Value = Option<Signature>> {
    let of = move |(of, value)| Signature { of: if foreign { of } else { Dialect::OpenAiChat }, value };
    option::of((select(Dialect::ALL.as_slice()), "[A-Za-z0-9+/]{4,8}=").prop_map(of))
}

/// Thoughts as one message has them: one that nobody signed, or several of which the last is signed.
fn thoughts(foreign: bool) -> impl Strategy<Value = Vec<Part>> {
    let signed = vec((text(), 0..3_u8, signature(foreign)), 0..4).prop_map(|mut thoughts| {
        while thoughts.last().is_some_and(|(.., signature)| signature.is_none()) {
            thoughts.pop();
        }
        (0_usize..)
            .zip(thoughts)
            .map(|(index, (text, kind, signature))| thought(index, text, kind, signature))
            .collect()
    });
    let alone = text().prop_map(|text| vec![Part::Reasoning(Reasoning { text, ..Reasoning::default() })]);
    prop_oneof![signed, alone]
}

/// A thought. This dialect's signatures are details without their text.
fn thought(index: usize, text: String, kind: u8, signature: Option<Signature>) -> Part {
    let own = signature.as_ref().is_some_and(|signature| signature.of == Dialect::OpenAiChat);
    let redacted = kind == 2 && signature.is_some();
    let signature = signature.map(|Signature { of, value }| {
        let detail = match kind {
            0 => json!({ "format": "x", "index": index, "signature": value, "type": "reasoning.text" }),
            1 => json!({ "id": value, "index": index, "type": "reasoning.summary" }),
            _ => json!({ "data": value, "index": index, "type": "reasoning.encrypted" }),
        };
        Signature { of, value: if own { detail.to_string() } else { value } }
    });
    let text = if redacted { String::new() } else { text };
    Part::Reasoning(Reasoning { text, signature, redacted, extra: Object::new() })
}

fn call() -> impl Strategy<Value = ToolCall> {
    (name(), text(), signature(false), extra("cache_control")).prop_map(
        |(name, arguments, signature, extra)| ToolCall {
            signature,
            id: String::new(),
            name,
            arguments,
            extra,
        },
    )
}

fn calls() -> impl Strategy<Value = Vec<Part>> {
    vec(call(), 0..4).prop_map(|calls| {
        let with_id = |(i, call)| Part::ToolCall(ToolCall { id: format!("call_{i}"), ..call });
        calls.into_iter().enumerate().map(with_id).collect()
    })
}

fn citation() -> impl Strategy<Value = Part> {
    let pages = option::of((1..90_u32, 0..9_u32).prop_map(|(first, more)| (first, first + more)));
    let quote = (text(), 0..900_usize, 0..900_usize, text(), pages)
        .prop_map(|(source, start, end, text, pages)| Quote { source, start, end, text, pages });
    (0..90_usize, 0..90_usize, text(), text(), option::of(quote), extra("content")).prop_map(
        |(start_index, end_index, url, title, quote, extra)| {
            Part::Citation(Citation { start_index, end_index, url, title, quote, extra })
        },
    )
}

fn annotation() -> impl Strategy<Value = Part> {
    let opaque = name().prop_map(|id| Part::Opaque {
        dialect: Dialect::OpenAiChat,
        value: json!({ "type": "file_citation", "file_citation": { "file_id": id } }),
    });
    prop_oneof![3 => citation(), 1 => opaque]
}

/// What the model says, in order: reasoning, text, refusal, calls, images.
fn said(foreign: bool) -> impl Strategy<Value = Vec<Part>> {
    let said = (option::of(text()), option::of(text()));
    (thoughts(foreign), said, calls(), vec(image(), 0..2)).prop_map(
        |(mut parts, (text, refusal), calls, images)| {
            parts.extend([text.map(Part::Text), refusal.map(Part::Refusal)].into_iter().flatten());
            parts.extend(calls);
            parts.extend(images.into_iter().map(Part::Media));
            parts
        },
    )
}

fn finish() -> impl Strategy<Value = FinishReason> {
    prop_oneof![
        Just(FinishReason::Stop),
        text().prop_map(FinishReason::StopText),
        Just(FinishReason::Length),
        Just(FinishReason::ToolCalls),
        Just(FinishReason::ContentFilter),
        Just(FinishReason::Other("eos".to_owned())),
    ]
}

fn usage() -> impl Strategy<Value = Usage> {
    let count = || 0..1_000_000_u64;
    let some = || option::of(count());
    let kinds = (some(), some(), some(), some());
    let known = (count(), count(), some(), some(), some(), kinds).prop_map(
        |(input, output, cached_input, cache_write, reasoning, kinds)| Usage {
            input: Some(input),
            output: Some(output),
            cached_input,
            cache_write,
            cache_write_long: None,
            input_audio: kinds.0,
            input_image: kinds.1,
            output_audio: kinds.2,
            output_image: kinds.3,
            reasoning,
        },
    );
    prop_oneof![3 => known, 1 => Just(Usage::default())]
}

pub(crate) fn response() -> impl Strategy<Value = ChatResponse> {
    let choice = (said(true), vec(annotation(), 0..3), finish(), extra("logprobs"));
    let choices = vec(choice, 1..4).prop_map(|choices| {
        let whole = |(i, (mut parts, annotations, finish, extra)): (u32, (Vec<Part>, Vec<Part>, _, _))| {
            parts.extend(annotations);
            let message = Message { role: Role::Assistant, parts, extra: Object::new() };
            Choice { index: i, message, finish, extra }
        };
        (0..).zip(choices).map(whole).collect()
    });
    (text(), text(), 0..2_000_000_000_i64, choices, usage(), extra("system_fingerprint")).prop_map(
        |(id, model, created, choices, usage, extra)| ChatResponse {
            id: id.into(),
            model: model.into(),
            created,
            choices,
            usage,
            dialect: Some(Dialect::OpenAiChat),
            extra,
        },
    )
}

fn image() -> impl Strategy<Value = Media> {
    let mime = option::of(prop_oneof![Just("image/png"), Just("image/jpeg")]);
    (mime, base64(), extra("detail")).prop_map(|(mime, data, extra)| match mime {
        Some(mime) => medium(Some(mime), None, MediaSource::Base64(data), extra),
        None => medium(None, None, MediaSource::Url(format!("https://a.example/{data}")), extra),
    })
}

fn base64() -> impl Strategy<Value = String> {
    "[A-Za-z0-9+/]{4,8}"
}

fn medium(mime: Option<&str>, filename: Option<String>, source: MediaSource, extra: Object) -> Media {
    Media { mime: mime.map(str::to_owned), filename, source, extra }
}

fn media() -> impl Strategy<Value = Part> {
    let audio =
        base64().prop_map(|data| medium(Some("audio/wav"), None, MediaSource::Base64(data), Object::new()));
    let mime =
        || prop_oneof![Just("application/pdf"), Just("text/plain"), Just("image/png"), Just("audio/mp3")];
    let named = (mime(), text(), base64()).prop_map(|(mime, name, data)| {
        medium(Some(mime), Some(name), MediaSource::Base64(data), Object::new())
    });
    let stored = (option::of(text()), name(), extra("kind"))
        .prop_map(|(name, id, extra)| medium(None, name, MediaSource::FileId(id), extra));
    let bare = base64().prop_map(|data| medium(None, None, MediaSource::Base64(data), Object::new()));
    prop_oneof![2 => image(), 1 => audio, 1 => named, 1 => stored, 1 => bare].prop_map(Part::Media)
}

fn content() -> impl Strategy<Value = Vec<Part>> {
    let opaque = name().prop_map(|id| Part::Opaque {
        dialect: Dialect::OpenAiChat,
        value: json!({ "type": "later", "later": { "id": id } }),
    });
    let part = prop_oneof![text().prop_map(Part::Text), media(), opaque];
    vec((part, any::<bool>()), 0..4).prop_map(|parts| {
        let with_break = |(part, cached): (Part, bool)| {
            // A part that we do not know keeps what is said of it.
            let cached = cached && !matches!(part, Part::Opaque { .. });
            let cached = cached.then(|| Part::CacheBreak(json!({ "type": "ephemeral" })));
            [Some(part), cached].into_iter().flatten()
        };
        parts.into_iter().flat_map(with_break).collect()
    })
}

fn message() -> impl Strategy<Value = Message> {
    let asked = (prop_oneof![Just(Role::System), Just(Role::Developer), Just(Role::User)], content());
    let said = said(false).prop_map(|parts| (Role::Assistant, parts));
    let result = (name(), vec(text().prop_map(Part::Text), 0..3)).prop_map(|(call_id, parts)| {
        (Role::Tool, vec![Part::ToolResult(ToolResult { call_id, parts, is_error: false })])
    });
    (prop_oneof![asked, said, result], extra("name")).prop_map(|((role, parts), extra)| Message {
        role,
        parts,
        extra,
    })
}

fn tool() -> impl Strategy<Value = ToolSpec> {
    let schema = option::of(json().prop_filter("null", |value| !value.is_null()));
    (name(), option::of(text()), schema, option::of(any::<bool>()), extra("cache_control")).prop_map(
        |(name, description, parameters, strict, extra)| ToolSpec {
            name,
            description,
            parameters,
            strict,
            extra,
        },
    )
}

fn output() -> impl Strategy<Value = OutputFormat> {
    let schema =
        (name(), option::of(any::<bool>()), extra("description")).prop_map(|(name, strict, extra)| {
            OutputFormat::JsonSchema { name, schema: Some(json!({ "type": "object" })), strict, extra }
        });
    prop_oneof![
        Just(OutputFormat::Unset),
        Just(OutputFormat::Text),
        Just(OutputFormat::Json),
        Just(OutputFormat::Opaque(json!({ "type": "grammar", "value": "x" }))),
        schema,
    ]
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let number = || option::of(0.0..2.0_f64);
    let numbers = (number(), number(), number(), number());
    let counts = (
        option::of(any::<u64>()),
        option::of(any::<u64>()),
        option::of(any::<i64>()),
        option::of(any::<u32>()),
    );
    (numbers, counts, vec(text(), 0..3)).prop_map(|(numbers, (max_tokens, top_k, seed, n), stop)| Sampling {
        temperature: numbers.0,
        top_p: numbers.1,
        top_k,
        frequency_penalty: numbers.2,
        presence_penalty: numbers.3,
        max_tokens,
        stop,
        seed,
        n,
    })
}

pub(crate) fn request() -> impl Strategy<Value = ChatRequest> {
    let choice = prop_oneof![
        Just(ToolChoice::Unset),
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        name().prop_map(ToolChoice::Tool),
        Just(ToolChoice::Opaque(json!({ "type": "allowed_tools", "allowed_tools": {} }))),
    ];
    let some = || option::of(text());
    let told = (option::of(any::<bool>()), some(), some(), some());
    let asked = (choice, output(), sampling(), told);
    (text(), vec(message(), 1..5), vec(tool(), 0..3), asked, extra("metadata")).prop_map(
        |(model, messages, tools, (tool_choice, output, sampling, told), extra)| ChatRequest {
            tools,
            tool_choice,
            parallel_tool_calls: told.0,
            output,
            sampling,
            reasoning: ReasoningOptions { effort: told.1, ..ReasoningOptions::default() },
            user: told.2,
            cache_key: told.3,
            dialect: Some(Dialect::OpenAiChat),
            extra,
            ..ChatRequest::new(model.into(), messages)
        },
    )
}
