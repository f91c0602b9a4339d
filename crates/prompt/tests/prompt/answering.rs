//! How answers are read: whole and streamed alike, however the stream is cut.

use hanok_base::stream::Collector;
use hanok_base::{
    ChatRequest, ChatResponse, Choice, Delta, FinishReason, Message, Object, Part, Role, StreamEvent,
    ToolCall, Usage,
};
use hanok_prompt::{Partials, Prompt, Reading};
use std::sync::Arc;

fn reading(front: &str) -> Arc<Reading> {
    Prompt::parse("case", &format!("---\n{front}\n---\nx"), &Partials::new()).unwrap().reading().unwrap()
}

fn response(parts: Vec<Part>) -> ChatResponse {
    let message = Message { role: Role::Assistant, parts, extra: Object::new() };
    ChatResponse {
        id: "r".into(),
        model: "m".into(),
        created: 0,
        choices: vec![Choice { index: 0, message, finish: FinishReason::Stop, extra: Object::new() }],
        usage: Usage::default(),
        dialect: None,
        extra: Object::new(),
    }
}

/// The same answer as a stream whose texts come in pieces of so many characters.
fn streamed(reading: &Reading, parts: &[Part], size: usize) -> Vec<Part> {
    let mut events = vec![StreamEvent::Start {
        id: "r".into(),
        model: "m".into(),
        created: 0,
        dialect: None,
        extra: Object::new(),
    }];
    for (part, value) in parts.iter().enumerate() {
        if let Part::Text(text) = value {
            events.push(StreamEvent::PartStart { choice: 0, part, value: Part::Text(String::new()) });
            let chars: Vec<char> = text.chars().collect();
            for piece in chars.chunks(size) {
                let delta = Delta::Text(piece.iter().collect());
                events.push(StreamEvent::PartDelta { choice: 0, part, delta });
            }
        } else {
            events.push(StreamEvent::PartStart { choice: 0, part, value: value.clone() });
        }
        events.push(StreamEvent::PartEnd { choice: 0, part });
    }
    events.push(StreamEvent::Finish { choice: 0, reason: FinishReason::Stop });
    let (mut splitter, mut collector, mut out) = (reading.splitter(), Collector::default(), Vec::new());
    for event in events {
        splitter.feed(event, &mut out);
    }
    for event in out {
        collector.push(event);
    }
    collector.into_response().unwrap().choices.remove(0).message.parts
}

fn told(parts: &[Part]) -> Vec<String> {
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => format!("says {text}"),
            Part::Reasoning(reasoning) => format!("thinks {}", reasoning.text),
            Part::ToolCall(call) => format!("calls {}", call.name),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn thoughts_and_answer_are_kept_apart() {
    let text = |text: &str| Part::Text(text.to_owned());
    let check = |front: &str, parts: &[Part], expect: &[&str]| {
        let reading = reading(front);
        let mut whole = response(parts.to_vec());
        reading.read(&mut whole);
        assert_eq!(told(&whole.choices[0].message.parts), expect, "{front} {parts:?}");
        for size in [1, 2, 3, 7, 100] {
            assert_eq!(told(&streamed(&reading, parts, size)), expect, "{front} {parts:?} by {size}");
        }
    };
    let think = "hanok.reasoning: true";
    check(
        think,
        &[text("<thinking>two < three</thinking>\n\n42 is it")],
        &["thinks two < three", "says 42 is it"],
    );
    check(think, &[text("\n <thinking>a</thinking>")], &["thinks a"]);
    check(think, &[text("no thoughts <thinking>")], &["says no thoughts <thinking>"]);
    check(think, &[text("<thinking>cut o")], &["thinks cut o"]);
    check(think, &[text("<think")], &["says <think"]);
    check(think, &[text("<thinking>드디어</thinking>답")], &["thinks 드디어", "says 답"]);
    check(think, &[text("")], &[]);
    let call = Part::ToolCall(ToolCall { id: "1".into(), name: "clock".into(), ..ToolCall::default() });
    check(think, &[text("<thinking>a</thinking>b"), call.clone()], &["thinks a", "says b", "calls clock"]);
    // What was begun for the model belongs to its answer, whether it says it again or not.
    check("hanok.prefill: '{\"a\":'", &[text(" 1}")], &["says {\"a\": 1}"]);
    check("hanok.prefill: '{\"a\":'", &[text("{\"a\": 1}")], &["says {\"a\": 1}"]);
    check("hanok.prefill: '{\"a\":'", &[text("{\"b\": 1}")], &["says {\"a\":{\"b\": 1}"]);
    check(
        "hanok.prefill: <thinking>\nhanok.reasoning: true",
        &[text("so</thinking>yes")],
        &["thinks so", "says yes"],
    );
}

#[test]
fn answers_are_checked_mended_and_asked_for_again() {
    let schema = "output:\n  schema: {n: integer}";
    let check = |front: &str, answer: &str, expect: Result<&str, &str>| {
        let reading = reading(front);
        let mut response = response(vec![Part::Text(answer.to_owned())]);
        reading.read(&mut response);
        match (reading.check(&mut response), expect) {
            (Ok(()), Ok(expect)) => assert_eq!(response.choices[0].message.plain_text(), expect),
            (Err(misfit), Err(expect)) => assert!(misfit.message.contains(expect), "{}", misfit.message),
            (checked, expect) => panic!("{answer}: {checked:?}, not {expect:?}"),
        }
    };
    check(schema, "{\"n\": 1}", Ok("{\"n\": 1}"));
    check(schema, "Sure!\n```json\n{\"n\": 1,}\n```", Ok("{\"n\": 1}"));
    check(schema, "{\"n\": \"one\"}", Err("/n: "));
    check(schema, "I cannot", Err("no JSON"));
    check(&format!("{schema}\nhanok.output: {{repair: false}}"), "so: {\"n\": 1}", Err("no JSON"));
    check(&format!("{schema}\nhanok.reasoning: true"), "<thinking>{}</thinking>{\"n\": 2}", Ok("{\"n\": 2}"));

    let reading = reading(&format!("{schema}\nhanok.prefill: '{{'\nhanok.output: {{retries: 3}}"));
    assert!(reading.needs_whole() && reading.retries() == 3);
    let mut bad = response(vec![Part::Text("\"n\": \"one\"}".to_owned())]);
    reading.read(&mut bad);
    let misfit = reading.check(&mut bad).unwrap_err();
    assert!(misfit.again);
    let mut request = ChatRequest::new(
        "m".into(),
        vec![Message::text(Role::User, "Count."), Message::text(Role::Assistant, "{")],
    );
    reading.ask_again(&mut request, &misfit);
    let roles: Vec<&str> = request.messages.iter().map(|message| message.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"], "the beginning stays the last word");
    assert_eq!(request.messages[1].plain_text(), "{\"n\": \"one\"}");
    assert!(request.messages[2].plain_text().contains("/n: "));

    // A request that says itself what the answer must be is not held to the prompt's schema.
    let free = reading.unchecked();
    assert!(!free.needs_whole() && free.check(&mut response(vec![Part::Text("no".into())])).is_ok());

    // What was cut off would be cut off again; a refusal or a call of a tool is no misfit.
    let mut cut = response(vec![Part::Text("{\"n\":".to_owned())]);
    cut.choices[0].finish = FinishReason::Length;
    let misfit = reading.check(&mut cut).unwrap_err();
    assert!(!misfit.again && misfit.message.contains("cut off"));
    for part in [Part::Refusal("no".into()), Part::ToolCall(ToolCall::default())] {
        assert_eq!(reading.check(&mut response(vec![part])), Ok(()));
    }
}

#[test]
fn a_plain_prompts_answers_are_taken_as_they_come() {
    let prompt = Prompt::parse("case", "Hello", &Partials::new()).unwrap();
    assert!(prompt.reading().is_none());
    let free = "---\noutput:\n  schema: {n: integer}\nhanok.output: {validate: false}\n---\nx";
    assert!(Prompt::parse("case", free, &Partials::new()).unwrap().reading().is_none());
}
