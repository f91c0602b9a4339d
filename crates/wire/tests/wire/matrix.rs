//! Every client's dialect over every provider's: what a client asks reaches the provider, what the provider answers
//! reaches the client, whole and streamed, and what the client sends back on the next turn is what the provider
//! gave it. `matrix/<case>/<dialect>.*` hold the same chat as each dialect's vendor writes it.

use crate::clients::{keeps_ids, keeps_signatures, next_turn};
use crate::fixtures::streamed_as;
use crate::streams::{collect, decode, guard};
use crate::wire;
use hanok_base::{
    ChatRequest, ChatResponse, Dialect, FinishReason, Message, OutputFormat, Part, Problem,
    ProviderErrorKind, Role, Signature, StreamEvent, ToolCall, ToolChoice, Usage,
};
use hanok_wire::{Encoded, GuardOptions, RequestOptions, StreamOptions, WireError};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// The dialects that are written, a line each.
#[rustfmt::skip]
pub(crate) const DIALECTS: &[Dialect] = &[
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::Ollama,
];

const CASES: [&str; 7] = ["text", "tools", "parallel", "image", "thinking", "structured", "refusal"];

/// What the tools answer, one after the other.
const RESULTS: [&str; 2] = ["12 degrees", "15 degrees"];

fn read(case: &str, dialect: Dialect, what: &str) -> Vec<u8> {
    let file = format!("tests/wire/matrix/{case}/{}.{what}", dialect.as_str());
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", bytes.escape_ascii()))
}

fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    DIALECTS.iter().flat_map(|client| DIALECTS.iter().map(|provider| (*client, *provider)))
}

/// Checks every cell, and says of all that fail.
fn every_cell(check: impl Fn(&Cell)) {
    let mut failed = Vec::new();
    for case in CASES {
        for (client, provider) in pairs() {
            let cell = Cell::new(case, client, provider);
            if catch_unwind(AssertUnwindSafe(|| check(&cell))).is_err() {
                failed.push(cell.place());
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// A client's chat over a provider.
struct Cell {
    case: &'static str,
    client: Dialect,
    provider: Dialect,
    request: Vec<u8>,
    /// The provider's answer, decoded.
    answer: ChatResponse,
    /// The same, streamed.
    events: Vec<StreamEvent>,
}

impl Cell {
    fn new(case: &'static str, client: Dialect, provider: Dialect) -> Self {
        let answer = wire(provider).decode_response(&read(case, provider, "answer.json")).unwrap();
        let stream = read(case, provider, &format!("answer.{}", streamed_as(provider)));
        let decoded = decode(provider, [stream.as_slice()]);
        assert_eq!(decoded.end, Ok(()), "{case}: {} streams", provider.as_str());
        let request = read(case, client, "request.json");
        Self { case, client, provider, request, answer, events: decoded.events }
    }

    fn place(&self) -> String {
        format!("{}: {} over {}", self.case, self.client.as_str(), self.provider.as_str())
    }

    /// The request as the provider gets it.
    fn asked(&self, request: &[u8]) -> Encoded {
        let decoded = wire(self.client).decode_request(request).unwrap_or_else(|error| {
            panic!("{}: {error}: {}", self.place(), request.escape_ascii());
        });
        // A vendor that takes thoughts back.
        let options = RequestOptions { thoughts: Some("reasoning_content"), ..RequestOptions::default() };
        wire(self.provider).encode_request(&decoded, options)
    }

    /// The answer as the client gets it.
    fn answered(&self, answer: &ChatResponse) -> Vec<u8> {
        wire(self.client).encode_response(answer, &self.request)
    }

    /// The stream as the client gets it.
    fn streamed(&self) -> Vec<u8> {
        let options = StreamOptions {
            include_usage: true,
            request: self.request.clone().into(),
            ..StreamOptions::default()
        };
        let mut encoder = wire(self.client).stream_encoder(options);
        let mut out = Vec::new();
        for event in &self.events {
            encoder.encode(event, &mut out);
        }
        encoder.finish(&mut out);
        out
    }
}

/// What a request asks for, in no dialect's words.
fn asks(request: &ChatRequest) -> Map<String, Value> {
    let mut out = Map::new();
    let said = |role: fn(Role) -> bool| -> Vec<Value> {
        let of = request.messages.iter().filter(|message| role(message.role));
        of.flat_map(|message| &message.parts).filter_map(said_part).collect()
    };
    out.insert("system".into(), said(|role| matches!(role, Role::System | Role::Developer)).into());
    out.insert("messages".into(), said(|role| !matches!(role, Role::System | Role::Developer)).into());
    let tools = request.tools.iter().map(|tool| json!([tool.name, tool.description, tool.parameters]));
    out.insert("tools".into(), tools.collect());
    let choice = match &request.tool_choice {
        ToolChoice::Unset | ToolChoice::Auto => Value::Null,
        other => format!("{other:?}").into(),
    };
    out.insert("tool_choice".into(), choice);
    if let OutputFormat::JsonSchema { schema, .. } = &request.output {
        let mut schema = schema.clone().unwrap_or_default();
        // What some vendors must be told and others take for granted.
        schema.as_object_mut().and_then(|schema| schema.shift_remove("additionalProperties"));
        out.insert("output".into(), schema);
    }
    out.insert("temperature".into(), json!(request.sampling.temperature));
    out.insert("max_tokens".into(), json!(request.sampling.max_tokens));
    out.insert("stop".into(), json!(request.sampling.stop));
    let reasoning = &request.reasoning;
    let thinks = reasoning.enabled.unwrap_or(reasoning.effort.is_some() || reasoning.budget_tokens.is_some());
    out.insert("reasoning".into(), thinks.into());
    out
}

fn said_part(part: &Part) -> Option<Value> {
    Some(match part {
        Part::Text(text) => json!(text),
        Part::Media(media) => json!([media.mime, format!("{:?}", media.source)]),
        Part::CacheBreak(_) => return None,
        other => json!(format!("{other:?}")),
    })
}

#[test]
fn what_clients_ask_reaches_providers() {
    every_cell(|cell| {
        let mut wanted = asks(&wire(cell.client).decode_request(&cell.request).unwrap());
        let encoded = cell.asked(&cell.request);
        let got = asks(&wire(cell.provider).decode_request(&encoded.body).unwrap());
        if wanted["max_tokens"].is_null() {
            // Some dialects must say one.
            wanted.insert("max_tokens".into(), got["max_tokens"].clone());
        }
        for (name, value) in &wanted {
            let named = encoded.lost.iter().any(|lost| lost.param.contains(name.as_str()));
            let said = got.get(name);
            assert!(named || said == Some(value), "{}: {name} was {value}, is {said:?}", cell.place());
        }
    });
}

/// What an answer says, in no dialect's words.
#[derive(Debug, PartialEq)]
struct Said {
    text: String,
    /// Those that are not hidden.
    thoughts: String,
    /// Id, name and arguments.
    calls: Vec<(String, String, Value)>,
    finish: String,
    usage: Usage,
}

fn says(answer: &ChatResponse, through: Dialect) -> Said {
    let [choice] = answer.choices.as_slice() else { panic!("{} choices", answer.choices.len()) };
    let mut said = Said {
        text: String::new(),
        thoughts: String::new(),
        calls: Vec::new(),
        finish: choice.finish.as_str().to_owned(),
        usage: told(answer.usage, through),
    };
    // Some dialects have a reason for it, some a part, some have neither.
    let can_refuse = !matches!(through, Dialect::Ollama | Dialect::OllamaGenerate);
    for part in &choice.message.parts {
        match part {
            Part::Text(text) => said.text.push_str(text),
            Part::Refusal(text) => {
                said.text.push_str(text);
                if can_refuse {
                    FinishReason::ContentFilter.as_str().clone_into(&mut said.finish);
                }
            }
            Part::Reasoning(thought) => said.thoughts.push_str(&thought.text),
            Part::ToolCall(call) => {
                let id = if keeps_ids(through) { call.id.clone() } else { String::new() };
                said.calls.push((id, call.name.clone(), arguments(call)));
            }
            _ => {}
        }
    }
    said
}

fn arguments(call: &ToolCall) -> Value {
    serde_json::from_str(&call.arguments).unwrap_or_else(|error| panic!("{error}: {:?}", call.arguments))
}

/// What of usage a client of this dialect is told; a count that is not told is none.
fn told(usage: Usage, dialect: Dialect) -> Usage {
    let (cached, reasoning) = match dialect {
        Dialect::Ollama | Dialect::OllamaGenerate => (None, None),
        Dialect::AnthropicMessages => (usage.cached_input, None),
        _ => (usage.cached_input, usage.reasoning),
    };
    let some = |count: Option<u64>| count.filter(|count| *count > 0);
    Usage {
        input: usage.input,
        output: usage.output,
        cached_input: some(cached),
        reasoning: some(reasoning),
        ..Usage::default()
    }
}

#[test]
fn what_providers_answer_reaches_clients() {
    every_cell(|cell| {
        let (client, place) = (cell.client, cell.place());
        let wanted = says(&cell.answer, client);
        let streamed = collect(cell.events.clone()).unwrap_or_else(|| panic!("{place}: no answer"));
        assert_eq!(says(&streamed, client), wanted, "{place}: the provider's stream is its whole answer");

        let whole = wire(client).decode_response(&cell.answered(&cell.answer)).unwrap();
        assert_eq!(says(&whole, client), wanted, "{place}: whole");

        let bytes = cell.streamed();
        let decoded = decode(client, [bytes.as_slice()]);
        assert_eq!(decoded.end, Ok(()), "{place}: {}", String::from_utf8_lossy(&bytes));
        assert_eq!(says(&collect(decoded.events).unwrap(), client), wanted, "{place}: streamed");
        let guarded = guard(client, GuardOptions::default(), [bytes.as_slice()]);
        let content = !wanted.text.is_empty() || !wanted.calls.is_empty();
        assert_eq!((guarded.fault, guarded.content), (None, content), "{place}: guarded");
        assert_eq!(told(guarded.summary.usage, client), wanted.usage, "{place}: guarded");

        if keeps_ids(client) {
            let mut ids: Vec<&str> = wanted.calls.iter().map(|(id, ..)| id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert!(ids.len() == wanted.calls.len() && !ids.contains(&""), "{place}: {ids:?}");
        }
    });
}

/// What a provider is given of the turns behind the first question: what it said itself, and results.
#[derive(Debug, Default, PartialEq)]
struct Given {
    text: String,
    thoughts: String,
    /// Whether the thought is hidden, and its signature.
    signatures: Vec<(bool, Signature)>,
    /// Id, name, arguments and signature.
    calls: Vec<(String, String, Value, Option<Signature>)>,
    /// The position of the call that is answered, and whether the answer says what it should.
    results: Vec<(Option<usize>, bool)>,
}

fn given(request: &ChatRequest, cell: &Cell) -> Given {
    let signed = keeps_signatures(cell.client);
    let signature = |signature: &Option<Signature>| signature.clone().filter(|_| signed);
    let mut given = Given::default();
    let mut ids = Vec::new();
    let later = |message: &&Message| !matches!(message.role, Role::System | Role::Developer);
    for part in request.messages.iter().filter(later).skip(1).flat_map(|message| &message.parts) {
        match part {
            Part::Text(text) | Part::Refusal(text) => given.text.push_str(text),
            Part::Reasoning(thought) => {
                given.thoughts.push_str(&thought.text);
                let signature = signature(&thought.signature);
                given.signatures.extend(signature.map(|signature| (thought.redacted, signature)));
            }
            Part::ToolCall(call) => {
                ids.push(call.id.clone());
                let id = if keeps_ids(cell.client) { call.id.clone() } else { String::new() };
                given.calls.push((id, call.name.clone(), arguments(call), signature(&call.signature)));
            }
            Part::ToolResult(result) => {
                let at = ids.iter().position(|id| *id == result.call_id);
                let said = format!("{:?}", result.parts);
                let right = RESULTS.get(given.results.len()).is_some_and(|text| said.contains(text));
                given.results.push((at, right));
            }
            _ => {}
        }
    }
    // Other vendors have no use for thoughts that they did not sign.
    if given.signatures.is_empty() && !matches!(cell.provider, Dialect::OpenAiChat | Dialect::Ollama) {
        given.thoughts.clear();
    }
    given
}

/// The next turn, once from the whole answer and once from the streamed one: the provider gets what it would have
/// got from a client of its own dialect.
#[test]
fn providers_get_back_what_they_gave() {
    every_cell(|cell| {
        let Cell { case, client, provider, .. } = *cell;
        let place = cell.place();
        let answer = json_of(&read(case, provider, "answer.json"));
        let own = next_turn(provider, &json_of(&read(case, provider, "request.json")), &answer, &RESULTS);
        let direct = wire(provider).decode_request(own.to_string().as_bytes()).unwrap();
        let wanted = given(&direct, cell);

        let streamed = decode(client, [cell.streamed().as_slice()]).events;
        let streamed = wire(client).encode_response(&collect(streamed).unwrap(), &cell.request);
        for (how, answer) in [("whole", cell.answered(&cell.answer)), ("streamed", streamed)] {
            let next = next_turn(client, &json_of(&cell.request), &json_of(&answer), &RESULTS);
            let encoded = cell.asked(next.to_string().as_bytes());
            let got = wire(provider).decode_request(&encoded.body).unwrap();
            let body = String::from_utf8_lossy(&encoded.body);
            assert_eq!(given(&got, cell), wanted, "{place}, {how}: {next}\n{body}");
        }
    });
}

#[test]
fn errors_reach_clients() {
    for (client, provider) in pairs() {
        let place = format!("{} over {}", client.as_str(), provider.as_str());
        let error = wire(provider).decode_error(429, &read("error", provider, "error.json"), &"p".into());
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ProviderErrorKind::RateLimited, "Slow down."),
            "{place}"
        );
        let problem = Problem::from(&error);
        let bytes = wire(client).encode_error(&problem, Some("req_1"));
        let again = wire(client).decode_error(problem.kind.status(), &bytes, &"q".into());
        assert_eq!((again.kind, again.message.as_str()), (error.kind, "p: Slow down."), "{place}");

        let stream = read("error", provider, &format!("error.{}", streamed_as(provider)));
        let decoded = decode(provider, [stream.as_slice()]);
        let Err(WireError::Upstream(fault)) = decoded.end else { panic!("{place}: {:?}", decoded.end) };
        assert_eq!(
            (fault.kind, fault.message.as_str()),
            (ProviderErrorKind::Overloaded, "Overloaded."),
            "{place}"
        );
        let problem = Problem::from(&fault.into_provider_error(&"p".into()));
        let Err(WireError::Upstream(fault)) = failed(client, &decoded.events, &problem) else {
            panic!("{place}: no error")
        };
        assert_eq!(fault.message, "p: Overloaded.", "{place}");
    }
}

/// A provider's stream that is cut anywhere is never a complete one for the client.
#[test]
fn cuts_reach_clients() {
    for case in CASES {
        for (client, provider) in pairs() {
            let stream = read(case, provider, &format!("answer.{}", streamed_as(provider)));
            for cut in (0..stream.len()).step_by(97) {
                let decoded = decode(provider, [&stream[..cut]]);
                let Err(error) = decoded.end else { continue };
                let problem = Problem::from(&error.into_provider_error(&"p".into()));
                let end = failed(client, &decoded.events, &problem);
                let place = format!("{case}: {} over {}, cut at {cut}", client.as_str(), provider.as_str());
                assert!(matches!(end, Err(WireError::Upstream(_))), "{place}: {end:?}");
            }
        }
    }
}

/// How a client's stream ends that fails behind these events.
fn failed(client: Dialect, events: &[StreamEvent], problem: &Problem) -> Result<(), WireError> {
    let mut encoder = wire(client).stream_encoder(StreamOptions::default());
    let mut out = Vec::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    encoder.error(problem, &mut out);
    let guarded = guard(client, GuardOptions::default(), [out.as_slice()]);
    assert!(guarded.fault.is_some() && !guarded.complete, "{}", String::from_utf8_lossy(&out));
    decode(client, [out.as_slice()]).end
}

/// Every cell as it is, so that a change of what goes over a wire is seen.
#[test]
fn golden() {
    for (client, provider) in pairs() {
        let mut said = String::new();
        for case in CASES {
            let cell = Cell::new(case, client, provider);
            let encoded = cell.asked(&cell.request);
            writeln!(said, "## {case}\n> {}", String::from_utf8_lossy(&encoded.body)).unwrap();
            for lost in &encoded.lost {
                writeln!(said, "! {lost}").unwrap();
            }
            let answer = steady(&cell.answered(&cell.answer));
            writeln!(said, "< {answer}").unwrap();
            let bytes = cell.streamed();
            writeln!(said, "< {}", shape(&String::from_utf8_lossy(&bytes))).unwrap();
            let next =
                next_turn(client, &json_of(&cell.request), &json_of(&cell.answered(&cell.answer)), &RESULTS);
            let encoded = cell.asked(next.to_string().as_bytes());
            writeln!(said, "> {}", String::from_utf8_lossy(&encoded.body)).unwrap();
            for lost in &encoded.lost {
                writeln!(said, "! {lost}").unwrap();
            }
            said.push('\n');
        }
        let error = wire(provider).decode_error(429, &read("error", provider, "error.json"), &"p".into());
        let bytes = wire(client).encode_error(&Problem::from(&error), Some("req_1"));
        writeln!(said, "## error\n< {}", String::from_utf8_lossy(&bytes)).unwrap();
        insta::assert_snapshot!(format!("{}__over__{}", client.as_str(), provider.as_str()), said);
    }
}

/// An answer without what differs from run to run.
fn steady(bytes: &[u8]) -> Value {
    let mut answer = json_of(bytes);
    for name in ["created_at", "completed_at"] {
        if let Some(at) = answer.get_mut(name) {
            *at = "…".into();
        }
    }
    answer
}

/// A stream's events by their kinds, repetitions counted.
fn shape(stream: &str) -> String {
    let kinds = stream.lines().filter_map(|line| {
        let json: Value = serde_json::from_str(line.strip_prefix("data: ").unwrap_or(line)).ok()?;
        let members = |value: Option<&Value>| {
            let members = value.and_then(Value::as_object)?;
            Some(members.keys().map(String::as_str).collect::<Vec<_>>().join("+"))
        };
        let kind = json.get("type").and_then(Value::as_str).map(str::to_owned);
        kind.or_else(|| members(json.pointer("/choices/0/delta")))
            .or_else(|| members(json.pointer("/candidates/0/content/parts/0")))
            .or_else(|| members(json.get("message")))
            .or_else(|| members(Some(&json)))
    });
    let mut runs: Vec<(String, usize)> = Vec::new();
    for kind in kinds {
        match runs.last_mut().filter(|(last, _)| *last == kind) {
            Some((_, count)) => *count += 1,
            None => runs.push((kind, 1)),
        }
    }
    let run = |(kind, count): (String, usize)| if count == 1 { kind } else { format!("{kind}×{count}") };
    runs.into_iter().map(run).collect::<Vec<_>>().join(", ")
}

#[test]
fn finish_reasons() {
    let check = |provider: Dialect, case: &str, expect: &FinishReason| {
        let answer = wire(provider).decode_response(&read(case, provider, "answer.json")).unwrap();
        assert_eq!(answer.choices[0].finish, *expect, "{case} of {}", provider.as_str());
    };
    for provider in DIALECTS {
        check(*provider, "text", &FinishReason::Stop);
        check(*provider, "tools", &FinishReason::ToolCalls);
        check(*provider, "parallel", &FinishReason::ToolCalls);
    }
}
