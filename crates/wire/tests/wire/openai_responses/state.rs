//! Responses that are kept in a provider's place.

use super::*;
use kept::{Page, Progress, State, StateStream, StoredItems};

fn state(store: bool, previous: Option<&str>, background: bool) -> State {
    State { store, previous_response_id: previous.map(str::to_owned), background, conversation: false }
}

#[test]
fn what_a_request_says_of_state() {
    let check =
        |body: &str, expect: State| assert_eq!(kept::peek_state(body.as_bytes()), Ok(expect), "{body}");
    check(r#"{"model":"m","input":"x"}"#, state(true, None, false));
    check(r#"{"store":false,"previous_response_id":null}"#, state(false, None, false));
    check(
        r#"{"input":[{"store":false}],"previous_response_id":"resp_\u0031","background":true}"#,
        state(true, Some("resp_1"), true),
    );
    check(r#"{"conversation":"conv_1"}"#, State { conversation: true, ..state(true, None, false) });
    assert!(kept::peek_state(br#"{"store":true,"store":false}"#).is_err());
    assert!(kept::peek_state(b"[]").is_err());
}

#[test]
fn a_conversation_goes_on() {
    let before = [json!({ "role": "user", "content": "a" }), json!({ "id": "msg_1", "type": "message" })];
    let items = r#"{"role":"user","content":"a"},{"id":"msg_1","type":"message"}"#;
    let check = |body: &str, expect: &str| {
        let got = kept::expand(&Bytes::from(body.to_owned()), &before).unwrap();
        let expect = expect.replace("ITEMS", items);
        assert_eq!(std::str::from_utf8(&got).unwrap(), expect);
        assert_eq!(kept::peek_state(&got).unwrap().previous_response_id, None);
    };
    check(
        r#"{"model":"m", "previous_response_id" : "resp_1" , "input": "h\u0069", "x":1e2}"#,
        r#"{"model":"m" , "input": [ITEMS,{"type":"message","role":"user","content":"h\u0069"}], "x":1e2}"#,
    );
    check(
        r#"{"previous_response_id":"r","model":"m","input":[ {"y": 1.0} ]}"#,
        r#"{"model":"m","input":[ITEMS,{"y": 1.0}]}"#,
    );
    check(r#"{"previous\u005fresponse_id":"r"}"#, r#"{"input":[ITEMS]}"#);
    check(r#"{"input":[],"previous_response_id":"r"}"#, r#"{"input":[ITEMS]}"#);
    check(r#"{"input":null}"#, r#"{"input":[ITEMS]}"#);
    // What is there already is not there twice.
    check(
        r#"{"input":[{"type":"item_reference","id":"msg_1"},{"id":"msg_1"},{"type":"item_reference","id":"msg_2"}]}"#,
        r#"{"input":[ITEMS,{"type":"item_reference","id":"msg_2"}]}"#,
    );
    let wrong = kept::expand(&Bytes::from_static(br#"{"input":7}"#), &before).unwrap_err();
    assert_eq!(wrong.param(), Some("input"));
}

#[test]
fn references() {
    let body = Bytes::from_static(br#"{"input":[{"id":"msg_1"},{"type":"item_reference","id":"msg_2"},{"role":"user","id":"msg_3","content":"x"}]}"#);
    assert_eq!(kept::references(&body).unwrap(), ["msg_1", "msg_2"]);
    let known = [json!({ "id": "msg_2", "type": "message" })];
    assert_eq!(
        kept::resolve(&body, &known).unwrap(),
        r#"{"input":[{"id":"msg_1"},{"id":"msg_2","type":"message"},{"role":"user","id":"msg_3","content":"x"}]}"#
    );
    assert_eq!(kept::resolve(&body, &[]).unwrap().as_ptr(), body.as_ptr());
}

#[test]
fn an_upstream_keeps_nothing() {
    let check = |body: &str, expect: &str| {
        let got = kept::for_upstream(&Bytes::from(body.to_owned()));
        assert_eq!(std::str::from_utf8(&got).unwrap(), expect);
    };
    check(r#"{"model":"m","input":"x"}"#, r#"{"model":"m","input":"x","store":false}"#);
    check(r#"{ "store" : true }"#, r#"{ "store" : false }"#);
    check(r#"{"store":null,"background":true}"#, r#"{"store":false,"background":false}"#);
    check(
        r#"{"store":false,"reasoning":{"effort":"low"}}"#,
        r#"{"store":false,"reasoning":{"effort":"low"}}"#,
    );
    check(
        r#"{"reasoning":{"effort":"low"}}"#,
        r#"{"reasoning":{"effort":"low"},"store":false,"include":["reasoning.encrypted_content"]}"#,
    );
    check(
        r#"{"reasoning":{"effort":"none"},"store":true}"#,
        r#"{"reasoning":{"effort":"none"},"store":false}"#,
    );
    check(
        r#"{"include":["a"],"reasoning":{"summary":"auto"},"store":true}"#,
        r#"{"include":["a","reasoning.encrypted_content"],"reasoning":{"summary":"auto"},"store":false}"#,
    );
    check(
        r#"{"include":["reasoning.encrypted_content"],"reasoning":{"effort":"high"},"store":true}"#,
        r#"{"include":["reasoning.encrypted_content"],"reasoning":{"effort":"high"},"store":false}"#,
    );
    // Thoughts that nobody can read: its own that it did not keep. Another provider's stay, since the call may
    // go to that one.
    check(
        r#"{"store":false,"input":[{"type":"reasoning","id":"a","summary":[]},{"type":"reasoning","encrypted_content":"gAA"},{"type":"reasoning","encrypted_content":"hanok:gemini:x"},{"type":"reasoning","content":[{"text":"t"}]},{"x":1}]}"#,
        r#"{"store":false,"input":[{"type":"reasoning","encrypted_content":"gAA"},{"type":"reasoning","encrypted_content":"hanok:gemini:x"},{"type":"reasoning","content":[{"text":"t"}]},{"x":1}]}"#,
    );
    check("no json", "no json");
}

#[test]
fn the_client_sees_what_it_asked_for() {
    let check = |answer: &str, state: State, expect: &str| {
        let got = kept::restore(&Bytes::from(answer.to_owned()), &state);
        assert_eq!(std::str::from_utf8(&got).unwrap(), expect);
    };
    let answer = r#"{"id":"resp_2", "store": false,"output":[{"store":1}],"previous_response_id": null}"#;
    check(
        answer,
        state(true, Some("resp_1"), false),
        r#"{"id":"resp_2", "store": true,"output":[{"store":1}],"previous_response_id": "resp_1"}"#,
    );
    check(answer, state(false, None, false), answer);
    check(r#"{"id":"r"}"#, state(true, None, true), r#"{"id":"r","store":true,"background":true}"#);
    check("{}", state(true, None, false), r#"{"store":true}"#);
    check("[1]", state(true, None, false), "[1]");
}

#[test]
fn the_same_of_a_stream() {
    let sent = fixture("reasoning.sse");
    let mut stream = StateStream::new(state(true, Some("resp_0"), false));
    let mut got = Vec::new();
    for piece in sent.chunks(97) {
        assert!(stream.response().is_none() || got.len() > sent.len() / 2);
        got.extend_from_slice(&stream.feed(Bytes::copy_from_slice(piece)));
    }
    got.extend_from_slice(&stream.finish());
    let (before, after) = (events(&sent), events(&got));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        let mut expect = before.clone();
        if let Some(response) = expect.get_mut("response") {
            response["store"] = true.into();
            response["previous_response_id"] = "resp_0".into();
        }
        assert_eq!(after, &expect);
    }
    assert_eq!(parsed(stream.response().unwrap()), after.last().unwrap()["response"]);

    // Where nothing is to be changed the bytes are the same ones, and the answer is found all the same.
    let sent = Bytes::from(fixture("text.sse"));
    let mut stream = StateStream::new(state(true, None, false));
    assert_eq!(stream.feed(sent.clone()).as_ptr(), sent.as_ptr());
    assert_eq!(parsed(stream.response().unwrap())["id"], "resp_68a1");
    // And so out of what the encoder writes, failure included.
    let mut encoder = wire().stream_encoder(StreamOptions::default());
    let mut out = Vec::new();
    encoder.encode(&start(), &mut out);
    encoder.error(&Problem::new(ErrorKind::Internal, "x", "boom"), &mut out);
    let mut stream = StateStream::new(state(true, None, false));
    stream.feed(Bytes::from(out));
    assert_eq!(parsed(stream.response().unwrap())["status"], "failed");
}

#[test]
fn what_is_kept() {
    let request = br#"{"model":"m","instructions":"i","input":"hi"}"#;
    let kept_items = StoredItems::of(request, &fixture("tools.json")).unwrap();
    assert_eq!(
        kept_items.input,
        [json!({ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "hi" }] })]
    );
    assert_eq!(kept_items.output[0]["call_id"], "call_Qy1");
    // The next call goes on with them, and a provider of any dialect understands it.
    let next = Bytes::from_static(br#"{"model":"m","previous_response_id":"resp_68b1","input":[{"type":"function_call_output","call_id":"call_Qy1","output":"sunny"}]}"#);
    let next = kept::expand(&next, &kept_items.into_items()).unwrap();
    let request = wire().decode_request(&next).unwrap();
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool]);
    let items =
        StoredItems::of(br#"{"input":[{"role":"user","content":"a"}]}"#, br#"{"output":[]}"#).unwrap();
    assert_eq!(items.into_items(), [json!({ "role": "user", "content": "a" })]);
    assert!(StoredItems::of(br#"{"input":7}"#, b"{}").is_err());
}

#[test]
fn input_items_in_pages() {
    let items = [
        json!({ "role": "user", "content": "a" }),
        json!({ "type": "function_call_output", "call_id": "c", "output": "b" }),
        json!({ "type": "message", "id": "msg_9", "role": "assistant", "content": "c" }),
    ];
    let check = |page: Page<'_>, ids: &[&str], more: bool| {
        let list = parsed(&kept::input_items("resp_7", &items, page).unwrap());
        let got: Vec<&str> =
            list["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
        assert_eq!((got.as_slice(), &list["has_more"]), (ids, &json!(more)));
        assert_eq!(
            (list["first_id"].as_str(), list["last_id"].as_str()),
            (ids.first().copied(), ids.last().copied())
        );
        assert_eq!(list["object"], "list");
    };
    let (first, second, third) = ("msg_7_0", "fco_7_1", "msg_9");
    check(Page::default(), &[third, second, first], false);
    let up = Page { ascending: true, ..Page::default() };
    check(up, &[first, second, third], false);
    check(Page { limit: 2, ..up }, &[first, second], true);
    check(Page { limit: 2, after: Some(second), ..up }, &[third], false);
    check(Page { limit: 0, after: Some(third), ..Page::default() }, &[second], true);
    check(Page { after: Some(third), ..up }, &[], false);
    assert!(kept::input_items("resp_7", &items, Page { after: Some("x"), ..up }).is_err());
    let list = parsed(&kept::input_items("resp_7", &items, up).unwrap());
    assert_eq!(
        list["data"][0],
        json!({ "role": "user", "content": [{ "type": "input_text", "text": "a" }], "type": "message", "id": first })
    );
    assert_eq!(list["data"][2]["content"][0]["type"], "output_text");
}

#[test]
fn other_bodies() {
    assert_eq!(
        parsed(&kept::deleted("resp_1")),
        json!({ "id": "resp_1", "object": "response", "deleted": true })
    );
    let whole = kept::cancelled(br#"{"id":"resp_1","status":"queued","output":[]}"#).unwrap();
    assert_eq!(parsed(&whole), json!({ "id": "resp_1", "status": "cancelled", "output": [] }));
    let request = br#"{"model":"m","background":true,"instructions":"i"}"#;
    let check = |progress: Progress<'_>, status: &str, error: Value| {
        let body = parsed(&kept::without_answer(progress, "resp_1", "m", 5, request));
        assert_eq!((&body["status"], &body["error"]), (&json!(status), &error));
        assert_eq!(
            (&body["background"], &body["instructions"], &body["output"]),
            (&json!(true), &json!("i"), &json!([]))
        );
    };
    check(Progress::Queued, "queued", Value::Null);
    check(Progress::InProgress, "in_progress", Value::Null);
    let problem = Problem::new(ErrorKind::RateLimited, "rate_limited", "slow");
    check(Progress::Failed(&problem), "failed", json!({ "code": "rate_limit_exceeded", "message": "slow" }));
    assert_eq!(
        parsed(&wire().encode_token_count(11)),
        json!({ "object": "response.input_tokens", "input_tokens": 11 })
    );
    assert_eq!(wire().path(Route::Chat, "m", true).as_deref(), Some("responses"));
    assert_eq!(wire().path(Route::Embeddings, "m", false).as_deref(), Some("embeddings"));
}
