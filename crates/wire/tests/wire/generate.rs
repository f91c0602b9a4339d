//! Chats of every shape, in the order in which the dialect has their parts.

use hanok_base::chat::Quote;
use hanok_base::{
    ChatRequest, ChatResponse, Choice, Citation, Dialect, FinishReason, Media, MediaSource, Message, Object,
    OutputFormat, Part, Reasoning, Role, Sampling, ToolCall, ToolChoice, ToolResult, ToolSpec, Usage,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
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

fn call() -> impl Strategy<Value = ToolCall> {
    (name(), text(), extra("cache_control")).prop_map(|(name, arguments, extra)| ToolCall {
        signature: None,
        id: String::new(),
        name,
        arguments,
        extra,
    })
}

fn calls() -> impl Strategy<Value = Vec<Part>> {
    vec(call(), 0..4).prop_map(|calls| {
        let with_id =
            |(i, call)| Part::ToolCall(ToolCall { signature: None, id: format!("call_{i}"), ..call });
        calls.into_iter().enumerate().map(with_id).collect()
    })
}

fn citation() -> impl Strategy<Value = Part> {
    let quote = (text(), 0..900_usize, 0..900_usize, text()).prop_map(|(source, start, end, text)| Quote {
        source,
        start,
        end,
        text,
    });
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

/// What the model says, in order: reasoning, text, refusal, calls.
fn said() -> impl Strategy<Value = Vec<Part>> {
    (option::of(text()), option::of(text()), option::of(text()), calls()).prop_map(
        |(thought, text, refusal, calls)| {
            let thought = thought.map(|text| Part::Reasoning(Reasoning { text, ..Reasoning::default() }));
            let mut parts: Vec<Part> =
                [thought, text.map(Part::Text), refusal.map(Part::Refusal)].into_iter().flatten().collect();
            parts.extend(calls);
            parts
        },
    )
}

fn finish() -> impl Strategy<Value = FinishReason> {
    prop_oneof![
        Just(FinishReason::Stop),
        Just(FinishReason::Length),
        Just(FinishReason::ToolCalls),
        Just(FinishReason::ContentFilter),
        Just(FinishReason::Other("eos".to_owned())),
    ]
}

fn usage() -> impl Strategy<Value = Usage> {
    let count = || 0..1_000_000_u64;
    let known = (count(), count(), option::of(count()), option::of(count()), option::of(count())).prop_map(
        |(input, output, cached_input, cache_write, reasoning)| Usage {
            input: Some(input),
            output: Some(output),
            cached_input,
            cache_write,
            reasoning,
            ..Usage::default()
        },
    );
    prop_oneof![3 => known, 1 => Just(Usage::default())]
}

pub(crate) fn response() -> impl Strategy<Value = ChatResponse> {
    let choice = (said(), vec(annotation(), 0..3), finish(), extra("logprobs"));
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

fn media() -> impl Strategy<Value = Part> {
    let image = (
        option::of(prop_oneof![Just("image/png"), Just("image/jpeg")]),
        "[A-Za-z0-9+/]{4,8}",
        extra("detail"),
    )
        .prop_map(|(mime, data, extra)| match mime {
            Some(mime) => Media {
                mime: Some(mime.to_owned()),
                filename: None,
                source: MediaSource::Base64(data),
                extra,
            },
            None => Media {
                mime: None,
                filename: None,
                source: MediaSource::Url(format!("https://a.example/{data}")),
                extra,
            },
        });
    let audio = "[A-Za-z0-9+/]{4,8}".prop_map(|data| Media {
        mime: Some("audio/wav".to_owned()),
        filename: None,
        source: MediaSource::Base64(data),
        extra: Object::new(),
    });
    prop_oneof![image, audio].prop_map(Part::Media)
}

fn content() -> impl Strategy<Value = Vec<Part>> {
    let opaque = name().prop_map(|id| Part::Opaque {
        dialect: Dialect::OpenAiChat,
        value: json!({ "type": "file", "file": { "file_id": id } }),
    });
    vec(prop_oneof![text().prop_map(Part::Text), media(), opaque], 0..4)
}

fn message() -> impl Strategy<Value = Message> {
    let asked = (prop_oneof![Just(Role::System), Just(Role::Developer), Just(Role::User)], content());
    let said = said().prop_map(|parts| (Role::Assistant, parts));
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
    let stop = vec(text(), 0..3);
    (number(), number(), option::of(any::<u64>()), stop, option::of(any::<i64>()), option::of(any::<u32>()))
        .prop_map(|(temperature, top_p, max_tokens, stop, seed, n)| Sampling {
            temperature,
            top_p,
            max_tokens,
            stop,
            seed,
            n,
            ..Sampling::default()
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
    (text(), vec(message(), 1..5), vec(tool(), 0..3), choice, output(), sampling(), extra("metadata"))
        .prop_map(|(model, messages, tools, tool_choice, output, sampling, extra)| ChatRequest {
            tools,
            tool_choice,
            output,
            sampling,
            dialect: Some(Dialect::OpenAiChat),
            extra,
            ..ChatRequest::new(model.into(), messages)
        })
}
