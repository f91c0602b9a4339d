//! Few-shot examples, chain of thought, prefilled answers, structured output, tools and settings: what they ask a model.

use crate::templates::object;
use hanok_base::{ChatRequest, Message, OutputFormat, Sample, ToolSpec};
use hanok_prompt::{Context, Partials, Prompt, Variables};
use serde_json::{Value, json};

fn parse(source: &str) -> Prompt {
    Prompt::parse("case", source, &Partials::new()).unwrap()
}

/// Who says what, as the model is asked.
fn told(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| format!("{}: {}", message.role.as_str(), message.plain_text())).collect()
}

fn sample(text: &str, expected: Value) -> Sample {
    let input = object(json!({ "text": text }));
    Sample { id: text.to_owned(), input, expected: Some(expected), ..Sample::default() }
}

#[test]
fn examples_are_turns_before_the_question() {
    let prompt = parse(
        "---\nhanok.examples: {dataset: tickets, count: 2, near: text}\n---\n\
         {{role \"system\"}}Classify.\n{{role \"user\"}}Ticket: {{text}}",
    );
    let variables = object(json!({"text": "no parcel"}));
    let wish = prompt.wish(&variables, &[]).unwrap();
    assert_eq!((wish.dataset.as_str(), wish.count, wish.near.as_deref()), ("tickets", 2, Some("no parcel")));
    let examples =
        vec![sample("late", "shipping".into()), sample("charged twice", json!({"kind": "billing"}))];
    let context = Context { examples, ..Context::default() };
    let messages = prompt.render(&variables, &context).unwrap().messages;
    assert_eq!(
        told(&messages),
        [
            "system: Classify.\n",
            "user: Ticket: late",
            "assistant: shipping",
            "user: Ticket: charged twice",
            "assistant: {\"kind\":\"billing\"}",
            "user: Ticket: no parcel",
        ]
    );
    // A template may place them itself.
    let prompt = parse(
        "---\nhanok.examples: tickets\n---\n{{#each @examples}}{{text}} is {{output}}. {{/each}}What is {{text}}?",
    );
    let context = Context { examples: vec![sample("late", "shipping".into())], ..Context::default() };
    let messages = prompt.render(&variables, &context).unwrap().messages;
    assert_eq!(told(&messages), ["user: late is shipping. What is no parcel?"]);
    // Where the prompt has no variable of its own, what the user said last is near.
    let prompt =
        parse("---\nhanok.examples: {dataset: tickets, choose: nearest}\n---\n{{role \"system\"}}Classify.");
    let history = [Message::text(hanok_base::Role::User, "where is it")];
    assert_eq!(prompt.wish(&Variables::new(), &history).unwrap().near.as_deref(), Some("where is it"));
}

#[test]
fn thoughts_are_asked_for_before_the_answer() {
    let check = |source: &str, expect: &[&str]| {
        let messages = parse(source).render(&Variables::new(), &Context::default()).unwrap().messages;
        assert_eq!(told(&messages), expect, "{source}");
    };
    let asked = "First think step by step inside <thinking> and </thinking>. Then give the answer alone, after </thinking>.";
    check("---\nhanok.reasoning: true\n---\nWhy?", &[&format!("system: {asked}"), "user: Why?"]);
    check(
        "---\nhanok.reasoning: true\n---\n{{role \"system\"}}Be exact.\n{{role \"user\"}}Why?",
        &[&format!("system: Be exact.\n\n{asked}"), "user: Why?"],
    );
    check(
        "---\nhanok.reasoning: {tag: plan, ask: false}\n---\nThink in <plan>.",
        &["user: Think in <plan>."],
    );
    check("---\nhanok.prefill: \"{\"\n---\nList.", &["user: List.", "assistant: {"]);
    // No model that is held to a schema can think aloud, so that it is told the schema instead.
    let source = "---\nhanok.reasoning: true\noutput:\n  schema: {n: integer}\n---\nCount.";
    let rendered = parse(source).render(&Variables::new(), &Context::default()).unwrap();
    assert_eq!(rendered.output, OutputFormat::Unset);
    assert!(rendered.messages[0].plain_text().contains("\"properties\":{\"n\":{\"type\":\"integer\"}}"));
}

#[test]
fn what_a_request_says_itself_counts_more() {
    let prompt = Prompt::parse(
        "team/greet.formal",
        "---\nmodel: fast\nconfig: {temperature: 0.2, maxOutputTokens: 50, stopSequences: [END], verbosity: low}\n\
         output: {schema: {n: integer}}\ntools: [search]\n\
         toolDefs:\n  - name: clock\n    inputSchema: {zone: string}\n---\nHello",
        &Partials::new(),
    )
    .unwrap();
    let rendered = || prompt.render(&Variables::new(), &Context::default()).unwrap();
    let search = ToolSpec {
        name: "search".into(),
        description: None,
        parameters: None,
        strict: None,
        extra: object(json!({})),
    };
    let mut request = ChatRequest::new("fast".into(), Vec::new());
    let unmet = rendered().fill(&mut request).unwrap_err().to_string();
    assert!(unmet.contains("names the tool `search`"), "{unmet}");
    request.tools.push(search);
    request.sampling.temperature = Some(0.9);
    rendered().fill(&mut request).unwrap();
    assert_eq!(request.sampling.temperature, Some(0.9));
    assert_eq!(request.sampling.max_tokens, Some(50));
    assert_eq!(request.sampling.stop, ["END"]);
    assert_eq!(request.extra.get("verbosity"), Some(&json!("low")));
    let names: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["search", "clock"]);
    let OutputFormat::JsonSchema { name, schema: Some(schema), .. } = &request.output else {
        panic!("{:?}", request.output);
    };
    assert_eq!((name.as_str(), &schema["required"]), ("team_greet_formal", &json!(["n"])));
}

#[test]
fn variables_are_checked_and_read() {
    let prompt = parse(
        "---\ninput:\n  schema:\n    name: string, who is greeted\n    count?: integer\n    tags?(array): string\n  default: {count: 1}\n\
         ---\n{{name}} {{count}}{{#each tags}} {{this}}{{/each}}",
    );
    let check = |given: Value, expect: Result<&str, &str>| {
        let rendered = prompt.render(&object(given.clone()), &Context::default());
        match (rendered, expect) {
            (Ok(rendered), Ok(expect)) => assert_eq!(rendered.messages[0].plain_text(), expect, "{given}"),
            (Err(error), Err(expect)) => assert!(error.to_string().contains(expect), "{given}: {error}"),
            (rendered, expect) => panic!("{given}: {rendered:?}, not {expect:?}"),
        }
    };
    check(json!({"name": "Ann"}), Ok("Ann 1"));
    // Whose call it is stands in the same place, and is no variable unless the schema says so.
    check(json!({"name": "Ann", "session_id": "s-1", "tags": ["x"]}), Ok("Ann 1 x"));
    // What dialects could only send as text.
    check(json!({"name": "7", "count": "3", "tags": "[\"a\", \"b\"]"}), Ok("7 3 a b"));
    check(json!({"count": 2}), Err("needs the variable `name` (who is greeted)"));
    check(json!({"name": "Ann", "count": "many"}), Err("/count: "));
    check(json!({"name": "Ann", "nmae": "x"}), Err("nmae"));
    let listed: Vec<String> = prompt
        .variables()
        .iter()
        .map(|variable| format!("{} {} {}", variable.name, variable.kind, variable.required))
        .collect();
    assert_eq!(listed, ["name string true", "count integer false", "tags array false"]);
    let named: Vec<String> =
        parse("{{#if a}}{{b.c}}{{/if}}{{#each d}}{{e}}{{/each}}{{@x}}{{json f}}{{history}}")
            .variables()
            .into_iter()
            .map(|variable| variable.name)
            .collect();
    assert_eq!(named, ["a", "b", "d", "f"]);
}
