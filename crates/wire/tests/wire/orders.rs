//! Answers whose parts grow in any order that the events allow, over every dialect: nothing gets lost, and nothing
//! is put where it does not belong.

use crate::clients::keeps_ids;
use crate::matrix::DIALECTS;
use crate::streams::{collect, cut, decode, encode, guard};
use crate::wire;
use hanok_base::{
    ChatResponse, Delta, Dialect, FinishReason, Object, Part, Reasoning, Signature, StreamEvent, ToolCall,
    Usage,
};
use hanok_wire::GuardOptions;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// A part and the pieces it grows by.
#[derive(Clone, Debug)]
struct Grown {
    empty: Part,
    pieces: Vec<Delta>,
}

fn text() -> impl Strategy<Value = Grown> {
    vec("[a-z 한😀\"\\\\\n]{1,6}", 1..4).prop_map(|pieces| Grown {
        empty: Part::Text(String::new()),
        pieces: pieces.into_iter().map(Delta::Text).collect(),
    })
}

fn thought() -> impl Strategy<Value = Grown> {
    (vec("[a-z 한\n]{1,6}", 0..4), option::of("[A-Za-z0-9]{4,8}")).prop_map(|(pieces, signature)| {
        let mut pieces: Vec<Delta> = pieces.into_iter().map(Delta::Reasoning).collect();
        let of = Dialect::AnthropicMessages;
        pieces.extend(signature.map(|value| Delta::Signature(Signature { of, value })));
        Grown { empty: Part::Reasoning(Reasoning::default()), pieces }
    })
}

fn call() -> impl Strategy<Value = Grown> {
    let value = "[a-z 한\"\\\\\n]{0,9}";
    ("[a-z_]{1,8}", value, vec(any::<Index>(), 0..3)).prop_map(|(name, value, cuts)| {
        let arguments = json!({ "a": value, "b": [1, null] }).to_string();
        let characters: Vec<char> = arguments.chars().collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(characters.len())).collect();
        cuts.extend([0, characters.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| characters[pair[0]..pair[1]].iter().collect::<String>());
        Grown {
            empty: Part::ToolCall(ToolCall { name, ..ToolCall::default() }),
            pieces: pieces.filter(|piece| !piece.is_empty()).map(Delta::Arguments).collect(),
        }
    })
}

/// The events of one answer: parts begin in their order, and grow and end in any. Of texts, and of thoughts, only
/// one is open at a time.
fn events(parts: Vec<Grown>, order: &[Index]) -> Vec<StreamEvent> {
    let mut out = vec![StreamEvent::Start {
        id: "a1".into(),
        model: "m".into(),
        created: 7,
        dialect: Some(Dialect::AnthropicMessages),
        extra: Object::new(),
    }];
    let calls = parts.iter().any(|part| matches!(part.empty, Part::ToolCall(_)));
    let mut coming = parts.into_iter().enumerate().peekable();
    let mut open: Vec<(usize, bool, std::vec::IntoIter<Delta>)> = Vec::new();
    let mut order = order.iter().cycle();
    while coming.peek().is_some() || !open.is_empty() {
        let may_begin = coming.peek().is_some_and(|(_, next)| {
            matches!(next.empty, Part::ToolCall(_)) || open.iter().all(|(_, is_call, _)| *is_call)
        });
        let at = order.next().unwrap().index(open.len() + usize::from(may_begin));
        if at == open.len() {
            let (part, Grown { mut empty, pieces }) = coming.next().unwrap();
            if let Part::ToolCall(call) = &mut empty {
                call.id = format!("call_{part}");
            }
            open.push((part, matches!(empty, Part::ToolCall(_)), pieces.into_iter()));
            out.push(StreamEvent::PartStart { choice: 0, part, value: empty });
        } else {
            let (part, _, pieces) = &mut open[at];
            let part = *part;
            if let Some(delta) = pieces.next() {
                out.push(StreamEvent::PartDelta { choice: 0, part, delta });
            } else {
                open.remove(at);
                out.push(StreamEvent::PartEnd { choice: 0, part });
            }
        }
    }
    let reason = if calls { FinishReason::ToolCalls } else { FinishReason::Stop };
    out.push(StreamEvent::Finish { choice: 0, reason });
    let usage = Usage { input: Some(9), output: Some(5), ..Usage::default() };
    out.push(StreamEvent::Usage(usage));
    out
}

/// What an answer says: its text, its thoughts, its calls by id, and why it ended.
fn said(answer: &ChatResponse, ids: bool) -> (String, String, Vec<(String, String, Value)>, String) {
    let (mut text, mut thoughts, mut calls) = (String::new(), String::new(), Vec::new());
    for part in &answer.choices[0].message.parts {
        match part {
            Part::Text(more) => text.push_str(more),
            Part::Reasoning(thought) => thoughts.push_str(&thought.text),
            Part::ToolCall(call) => {
                let arguments = serde_json::from_str(&call.arguments).unwrap();
                calls.push((if ids { call.id.clone() } else { String::new() }, call.name.clone(), arguments));
            }
            _ => {}
        }
    }
    // Where calls are told whole, they come in the order of their ends.
    calls.sort_by_key(|call| format!("{call:?}"));
    (text, thoughts, calls, answer.choices[0].finish.as_str().to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_that_grow_in_any_order(
        parts in vec(prop_oneof![2 => text(), 1 => thought(), 3 => call()], 1..6),
        order in vec(any::<Index>(), 1..40),
        cuts in vec(any::<usize>(), 0..4),
    ) {
        let events = events(parts, &order);
        let answer = collect(events.clone()).unwrap();
        for dialect in DIALECTS {
            let dialect = *dialect;
            let bytes = encode(dialect, &events);
            let shown = String::from_utf8_lossy(&bytes);
            let name = dialect.as_str();
            let decoded = decode(dialect, cut(&bytes, &cuts));
            prop_assert_eq!(&decoded.end, &Ok(()), "{}: {}", name, shown);
            let again = collect(decoded.events).unwrap();
            let ids = keeps_ids(dialect);
            prop_assert_eq!(said(&again, ids), said(&answer, ids), "{}: {}", name, shown);
            let whole = wire(dialect).decode_response(&wire(dialect).encode_response(&answer, b"")).unwrap();
            prop_assert_eq!(said(&whole, ids), said(&answer, ids), "{}, whole", name);
            let guarded = guard(dialect, GuardOptions::default(), [bytes.as_slice()]);
            prop_assert_eq!(guarded.fault, None, "{}: {}", name, shown);
        }
    }
}
