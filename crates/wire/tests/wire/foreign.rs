//! Requests of other dialects over openai-chat, and what of them it cannot say.

use crate::{OPENAI, wire};
use hanok_base::{
    ChatRequest, Dialect, Media, MediaSource, Message, Object, OutputFormat, Part, Reasoning,
    ReasoningOptions, Role, Signature, ToolCall, ToolChoice, ToolResult, ToolSpec,
};
use hanok_wire::RequestOptions;
use serde_json::{Value, json};

/// A message of another dialect, and what becomes of it.
fn check_message(role: Role, parts: Vec<Part>, expect: &Value, lost: &[&str]) {
    check_message_with(RequestOptions::default(), role, parts, expect, lost);
}

fn check_message_with(options: RequestOptions, role: Role, parts: Vec<Part>, expect: &Value, lost: &[&str]) {
    let message = Message { role, parts, extra: Object::from_iter([("id".to_owned(), "i".into())]) };
    let mut request = ChatRequest::new("m".into(), vec![message]);
    request.dialect = Some(Dialect::AnthropicMessages);
    let encoded = wire(OPENAI).encode_request(&request, options);
    assert_eq!(serde_json::from_slice::<Value>(&encoded.body).unwrap()["messages"], *expect);
    let said: Vec<String> = encoded.lost.iter().map(ToString::to_string).collect();
    assert_eq!(said, lost, "{expect}");
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn media(mime: Option<&str>, filename: Option<&str>, source: MediaSource) -> Part {
    let [mime, filename] = [mime, filename].map(|text| text.map(str::to_owned));
    Part::Media(Media { mime, filename, source, extra: Object::from_iter([("x".to_owned(), 1.into())]) })
}

fn png() -> Part {
    media(Some("image/png"), Some("cat"), MediaSource::Base64("AA==".into()))
}

fn png_written() -> Value {
    json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } })
}

/// Other dialects answer several tools in one message, with a text beside; this one cannot.
#[test]
fn tool_results() {
    let check = |parts: Vec<Part>, expect: Value| {
        let request =
            ChatRequest::new("m".into(), vec![Message { role: Role::User, parts, extra: Object::new() }]);
        let bytes = wire(OPENAI).encode_request(&request, RequestOptions::default()).body;
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap()["messages"], expect);
    };
    let result = |id: &str, parts: Vec<Part>| {
        Part::ToolResult(ToolResult { call_id: id.to_owned(), parts, is_error: false })
    };
    check(
        vec![result("a", vec![text("1")]), result("b", vec![text("2"), text("3")]), text("and?")],
        json!([
            { "role": "tool", "tool_call_id": "a", "content": "1" },
            { "role": "tool", "tool_call_id": "b",
              "content": [{ "type": "text", "text": "2" }, { "type": "text", "text": "3" }] },
            { "role": "user", "content": "and?" },
        ]),
    );
    check(vec![result("a", Vec::new())], json!([{ "role": "tool", "tool_call_id": "a", "content": "" }]));
    check(Vec::new(), json!([{ "role": "user", "content": "" }]));
}

/// What another dialect's request says, and what of it cannot be said.
#[test]
fn foreign_requests() {
    let check = |change: &dyn Fn(&mut ChatRequest), expect: Value, lost: &[&str]| {
        let mut request = ChatRequest::new("m".into(), vec![Message::text(Role::User, "Hi")]);
        request.dialect = Some(Dialect::AnthropicMessages);
        change(&mut request);
        let encoded = wire(OPENAI).encode_request(&request, RequestOptions::default());
        let mut body: Value = serde_json::from_slice(&encoded.body).unwrap();
        let same = json!([{ "role": "user", "content": "Hi" }]);
        let body = body.as_object_mut().unwrap();
        body.shift_remove("model");
        if body["messages"] == same {
            body.shift_remove("messages");
        }
        assert_eq!(Value::Object(body.clone()), expect);
        let said: Vec<String> = encoded.lost.iter().map(ToString::to_string).collect();
        assert_eq!(said, lost, "{expect}");
    };
    let none: &[&str] = &[];
    check(&|_| {}, json!({}), none);
    check(
        &|request| {
            request.sampling.top_k = Some(5);
            request.extra.insert("container".into(), "c".into());
            request.extra.insert("stream_options".into(), json!({}));
            request.extra.insert("store".into(), true.into());
            request.extra.insert("background".into(), false.into());
            request.extra.insert("truncation".into(), "disabled".into());
            request.user = Some("u".into());
            request.cache_key = Some("k".into());
        },
        json!({ "user": "u" }),
        &[
            "container: left out: openai-chat has no such member",
            "top_k: left out: openai-chat has no such member",
        ],
    );
    let thinking = |enabled, budget_tokens, effort: Option<&str>| {
        let effort = effort.map(str::to_owned);
        move |request: &mut ChatRequest| {
            request.reasoning =
                ReasoningOptions { enabled, budget_tokens, effort: effort.clone(), summary: None };
        }
    };
    check(&thinking(Some(true), Some(4_000), None), json!({ "reasoning_effort": "medium" }), none);
    check(&thinking(Some(true), Some(4_000), Some("high")), json!({ "reasoning_effort": "high" }), none);
    check(&thinking(Some(true), None, None), json!({ "reasoning_effort": "medium" }), none);
    let off = "reasoning: left out: openai-chat cannot turn thinking off for every model";
    check(&thinking(Some(false), None, None), json!({}), &[off]);
    check(&thinking(None, Some(0), None), json!({}), &[off]);
    check(&thinking(None, None, Some("none")), json!({ "reasoning_effort": "none" }), none);
    check(
        &|request| {
            let tool = |name: &str, kind: &str| ToolSpec {
                name: name.to_owned(),
                description: None,
                parameters: None,
                strict: None,
                extra: Object::from_iter([("type".to_owned(), kind.into())]),
            };
            request.tools = vec![tool("", "web_search_20250305"), tool("look", "custom")];
            request.tool_choice = ToolChoice::Opaque(json!({ "type": "odd" }));
            request.parallel_tool_calls = Some(false);
            request.output = OutputFormat::Opaque(json!({ "type": "odd" }));
        },
        json!({
            "parallel_tool_calls": false,
            "tools": [{ "type": "function", "function": { "name": "look" } }],
        }),
        &[
            "tools[0]: left out: openai-chat has no tools of type web_search_20250305",
            "tool_choice: left out: openai-chat has no such choice",
            "response_format: left out: openai-chat has no such format",
        ],
    );
    check(
        &|request| {
            request.output = OutputFormat::JsonSchema {
                name: String::new(),
                schema: Some(json!({})),
                strict: None,
                extra: Object::from_iter([
                    ("description".to_owned(), "D".into()),
                    ("x".to_owned(), 1.into()),
                ]),
            };
        },
        json!({ "response_format": {
            "type": "json_schema", "json_schema": { "name": "response", "schema": {}, "description": "D" },
        } }),
        none,
    );
}

/// The parts of another dialect's messages.
#[test]
fn foreign_parts() {
    let none: &[&str] = &[];
    let signed = |of: Dialect, value: &str| {
        let signature = Some(Signature { of, value: value.to_owned() });
        Part::Reasoning(Reasoning { text: "Hm".into(), signature, ..Reasoning::default() })
    };

    check_message(
        Role::User,
        vec![text("a"), Part::CacheBreak(json!({ "type": "ephemeral" }))],
        &json!([{ "role": "user", "content": "a" }]),
        none,
    );
    check_message(
        Role::User,
        vec![
            png(),
            media(Some("application/pdf"), None, MediaSource::Base64("AA==".into())),
            media(Some("application/pdf"), Some("a.pdf"), MediaSource::Url("https://a.example/a".into())),
            media(None, None, MediaSource::Url("https://a.example/b".into())),
            media(Some("audio/mpeg"), None, MediaSource::Base64("AA==".into())),
            media(None, None, MediaSource::FileId("f".into())),
        ],
        &json!([{ "role": "user", "content": [
            png_written(),
            { "type": "file", "file": { "file_data": "data:application/pdf;base64,AA==", "filename": "file" } },
            { "type": "file", "file": { "file_data": "https://a.example/a", "filename": "a.pdf" } },
            { "type": "image_url", "image_url": { "url": "https://a.example/b" } },
            { "type": "input_audio", "input_audio": { "data": "AA==", "format": "mp3" } },
            { "type": "file", "file": { "file_id": "f" } },
        ] }]),
        none,
    );
    check_message(
        Role::Assistant,
        vec![
            signed(Dialect::AnthropicMessages, "a"),
            text("b"),
            png(),
            Part::Opaque { dialect: Dialect::AnthropicMessages, value: json!({ "type": "odd" }) },
        ],
        &json!([{ "role": "assistant", "content": "b" }]),
        &[
            "messages[0].content[0]: left out: the thoughts are signed for another provider",
            "messages[0].content[2]: left out: openai-chat has no media in what the model said",
            "messages[0].content[3]: left out: only anthropic-messages has such a part",
        ],
    );
    check_message(
        Role::Assistant,
        vec![signed(OPENAI, r#"{"type":"reasoning.text","signature":"s","index":0}"#), text("b")],
        &json!([{ "role": "assistant", "content": "b", "reasoning_details": [
            { "type": "reasoning.text", "text": "Hm", "signature": "s", "index": 0 },
        ] }]),
        none,
    );
    for unsigned in
        [signed(OPENAI, ""), Part::Reasoning(Reasoning { text: "Hm".into(), ..Reasoning::default() })]
    {
        let said = vec![unsigned.clone(), text("b")];
        for member in ["reasoning_content", "reasoning"] {
            let options = RequestOptions { thoughts: Some(member), ..RequestOptions::default() };
            let expect = json!([{ "role": "assistant", "content": "b", member: "Hm" }]);
            check_message_with(options, Role::Assistant, said.clone(), &expect, none);
        }
        let left_out = "messages[0].content[0]: left out: this provider takes no thoughts back";
        check_message(Role::Assistant, said, &json!([{ "role": "assistant", "content": "b" }]), &[left_out]);
        check_message(Role::Assistant, vec![unsigned], &json!([]), &[left_out]);
    }
}

/// A chat in which nobody says anything is not sent to who would only refuse it.
#[test]
fn blank_chats() {
    let check = |of: Dialect, to: Dialect, said: &[(Role, &str)], refused: bool| {
        let messages = said.iter().map(|(role, text)| Message::text(*role, *text)).collect();
        let request = ChatRequest { dialect: Some(of), ..ChatRequest::new("m".into(), messages) };
        let why = wire(to).encode_request(&request, RequestOptions::default()).refused;
        assert_eq!(why.is_some(), refused, "{of:?} to {to:?}: {said:?}: {why:?}");
        assert!(why.is_none_or(|why| why.to_string().starts_with("messages: no turn says anything")));
    };
    let blank = [(Role::User, ""), (Role::Assistant, " \n"), (Role::User, "\t")];
    check(OPENAI, Dialect::AnthropicMessages, &blank, true);
    check(Dialect::Gemini, Dialect::AnthropicMessages, &blank, true);
    check(OPENAI, Dialect::AnthropicMessages, &[], true);
    check(OPENAI, Dialect::AnthropicMessages, &[(Role::System, "Be brief."), (Role::User, "")], false);
    check(OPENAI, Dialect::AnthropicMessages, &[(Role::User, ""), (Role::User, "hi")], false);
    // Whoever speaks the dialect itself is refused by its own upstream.
    check(Dialect::AnthropicMessages, Dialect::AnthropicMessages, &blank, false);
    check(OPENAI, Dialect::Gemini, &[], true);
    check(Dialect::AnthropicMessages, OPENAI, &blank, false);
}

/// Calls and their answers.
#[test]
fn foreign_calls() {
    let none: &[&str] = &[];
    let call = |of: Dialect| {
        let signature = Some(Signature { of, value: "s".into() });
        Part::ToolCall(ToolCall { id: "i".into(), name: "n".into(), signature, ..ToolCall::default() })
    };
    let bare = json!({ "id": "i", "type": "function", "function": { "name": "n", "arguments": "" } });
    let mut own = bare.clone();
    own["extra_content"] = json!({ "google": { "thought_signature": "s" } });
    check_message(
        Role::Assistant,
        vec![call(OPENAI), call(Dialect::Gemini)],
        &json!([{ "role": "assistant", "content": null, "tool_calls": [own, bare] }]),
        none,
    );
    let result = |id: &str, parts: Vec<Part>, is_error: bool| {
        Part::ToolResult(ToolResult { call_id: id.to_owned(), parts, is_error })
    };
    check_message(
        Role::Tool,
        vec![result("a", vec![text("1")], false), png()],
        &json!([
            { "role": "tool", "tool_call_id": "a", "content": "1" },
            { "role": "user", "content": [png_written()] },
        ]),
        none,
    );
    check_message(
        Role::User,
        vec![result("a", vec![png()], false), result("b", vec![text("1"), png()], true), text("and?")],
        &json!([
            { "role": "tool", "tool_call_id": "a", "content": "(in the message behind)" },
            { "role": "tool", "tool_call_id": "b", "content": "1" },
            { "role": "user", "content": [
                { "type": "text", "text": "Returned by the tool call a:" }, png_written(),
                { "type": "text", "text": "Returned by the tool call b:" }, png_written(),
            ] },
            { "role": "user", "content": "and?" },
        ]),
        &[
            "messages[0].content[0]: the media are moved to a user's message behind: tools answer with text in openai-chat",
            "messages[0].content[1]: the mark as an error is left out: openai-chat has none",
            "messages[0].content[1]: the media are moved to a user's message behind: tools answer with text in openai-chat",
        ],
    );
}
