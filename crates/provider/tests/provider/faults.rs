//! An upstream that fails in every way: each call ends in a complete answer or an explicit error.

use crate::server::{Server, Step, chunk, chunked_head, whole};
use crate::{JSON, Spans, WAYS, Way, ask, attribute, config, provider};
use futures_util::future::ready;
use futures_util::{StreamExt, stream};
use hanok_base::{ProviderErrorKind as Kind, SpanStatus};
use hanok_net::{Client, ClientOptions};
use hanok_provider::{HttpProvider, Timeouts};
use std::time::Duration;

const SSE: &str = "content-type: text/event-stream\r\n";
const FULL: &str = "서울 Seoul.";

fn event(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
         \"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn text(text: &str) -> String {
    event(&format!("{{\"role\":\"assistant\",\"content\":\"{text}\"}}"), "null")
}

fn finish() -> String {
    event("{}", "\"stop\"")
}

const DONE: &str = "data: [DONE]\n\n";

fn chat_json() -> String {
    format!(
        "{{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\
         \"message\":{{\"role\":\"assistant\",\"content\":\"{FULL}\"}},\"finish_reason\":\"stop\"}}],\
         \"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}}}"
    )
}

/// A stream that ends as HTTP wants it.
fn streamed(events: &[&str]) -> Vec<u8> {
    let mut answer = cut(events);
    answer.extend(chunk(""));
    answer
}

/// A stream whose connection ends after these chunks.
fn cut(events: &[&str]) -> Vec<u8> {
    let mut answer = chunked_head(SSE);
    for event in events {
        answer.extend(chunk(event));
    }
    answer
}

/// A fault, and what must come of it.
struct Fault {
    name: &'static str,
    steps: Vec<Step>,
    /// The text that comes before the end.
    text: &'static str,
    /// The error at the end.
    error: Option<Kind>,
}

/// The first event's text: what a stream has given before it fails.
const BEGUN: &str = "서울 ";

fn fault(name: &'static str, answer: Vec<u8>, text: &'static str, error: Option<Kind>) -> Fault {
    Fault { name, steps: vec![Step::Read, Step::Write(answer)], text, error }
}

fn good(name: &'static str, answer: Vec<u8>) -> Fault {
    fault(name, answer, FULL, None)
}

fn bad(name: &'static str, answer: Vec<u8>, kind: Kind) -> Fault {
    fault(name, answer, "", Some(kind))
}

fn bad_later(name: &'static str, answer: Vec<u8>, kind: Kind) -> Fault {
    fault(name, answer, BEGUN, Some(kind))
}

/// An answer that stops there while the connection stays.
fn stalling(mut fault: Fault) -> Fault {
    fault.steps.push(Step::Hold);
    fault
}

/// An answer that comes byte by byte.
fn dripping(mut fault: Fault) -> Fault {
    for step in &mut fault.steps {
        if let Step::Write(bytes) = step {
            *step = Step::Drip(std::mem::take(bytes), Duration::from_micros(100));
        }
    }
    fault
}

fn json(status: &str, body: &str) -> Vec<u8> {
    whole(status, JSON, body)
}

/// What is the same however the call is made.
fn refusals() -> Vec<Fault> {
    let limited = r#"{"error":{"message":"slow down test-key-hidden","type":"rate_limit","code":null}}"#;
    let limited = whole("429 Too Many Requests", &format!("{JSON}retry-after: 3\r\n"), limited);
    let page = whole("500 Oops", "content-type: text/html\r\n", "<h1>Oops</h1>");
    let cut = b"HTTP/1.1 500 Oops\r\ncontent-length: 99\r\n\r\n{".to_vec();
    let key = r#"{"error":{"message":"bad key test-key-hidden"}}"#;
    vec![
        bad("429", limited, Kind::RateLimited),
        bad("500 html", page, Kind::Overloaded),
        bad("500 cut", cut, Kind::Overloaded),
        bad("502 empty", whole("502 Bad Gateway", "", ""), Kind::Overloaded),
        bad("503", json("503 Busy", r#"{"error":{"message":"busy"}}"#), Kind::Overloaded),
        bad("401", json("401 No", key), Kind::Auth),
        bad("redirect", whole("307 Moved", "location: /x\r\n", ""), Kind::Transport),
        bad("closed", Vec::new(), Kind::Transport),
        bad("not http", b"220 mail.example ESMTP\r\n".to_vec(), Kind::Decode),
        stalling(bad("stalls before the head", Vec::new(), Kind::Timeout)),
    ]
}

/// What can be wrong with a whole answer.
fn whole_answers() -> Vec<Fault> {
    let chat = json("200 OK", &chat_json());
    let announced = |length: u64| {
        format!("HTTP/1.1 200 OK\r\n{JSON}content-length: {length}\r\n\r\n{{\"id\"").into_bytes()
    };
    let mut not_utf8 = chat.clone();
    let at = not_utf8.iter().position(|byte| !byte.is_ascii()).unwrap();
    not_utf8[at] = 0xff;
    let error = r#"{"error":{"message":"overloaded","type":"server_error","code":502}}"#;
    let page = whole("200 OK", "content-type: text/html; charset=utf-8\r\n", "<html>hello");
    vec![
        good("good", chat.clone()),
        good("no type", whole("200 OK", "", &chat_json())),
        dripping(good("drip", chat.clone())),
        stalling(bad("stalls in the body", chat[..chat.len() - 9].to_vec(), Kind::Timeout)),
        bad("cut", announced(500), Kind::Truncated),
        bad("announces too much", announced(99_999_999_999), Kind::Decode),
        bad("bad json", json("200 OK", r#"{"id":"c1","choices":[{"index":0,"#), Kind::Decode),
        bad("two jsons", json("200 OK", &chat_json().repeat(2)), Kind::Decode),
        bad("no object", json("200 OK", "[1]"), Kind::Decode),
        bad("empty", json("200 OK", ""), Kind::Decode),
        bad("not utf-8", not_utf8, Kind::Decode),
        bad("html", page, Kind::Decode),
        bad("html without a type", whole("200 OK", "", "<html>hello"), Kind::Decode),
        bad("a stream", streamed(&[&text(FULL), &finish(), DONE]), Kind::Decode),
        bad("error as 200", json("200 OK", error), Kind::Overloaded),
    ]
}

/// What can be wrong with a streamed answer.
fn streams() -> Vec<Fault> {
    let (first, second, finish) = (text(BEGUN), text("Seoul."), finish());
    let half: String = second.chars().take(60).collect();
    let events = [first.as_str(), &second, &finish, DONE];
    let untyped = [chunked_head(""), events.map(chunk).concat(), chunk("")].concat();
    let inside = "data: {\"error\":{\"message\":\"broke at test-key-hidden\",\"type\":\"server_error\"}}\n\n";
    let limit = r#"{"error":{"message":"no credit","type":"rate_limit_exceeded","code":429}}"#;
    let page = whole("200 OK", "content-type: text/html\r\n", "<html>hello");
    vec![
        good("good", streamed(&events)),
        good("good, all at once", streamed(&[&events.concat()])),
        good("no type", untyped),
        dripping(good("drip", streamed(&events))),
        good("cut behind [DONE]", cut(&events)),
        stalling(good("stalls behind [DONE]", cut(&events))),
        good("finish without [DONE]", streamed(&[&first, &second, &finish])),
        good("cut behind finish", cut(&[&first, &second, &finish])),
        bad_later("[DONE] without finish", streamed(&[&first, DONE]), Kind::Truncated),
        bad_later("neither finish nor [DONE]", streamed(&[&first]), Kind::Truncated),
        bad("empty", streamed(&[]), Kind::Truncated),
        bad("only comments", streamed(&[": hello\n\n"]), Kind::Truncated),
        bad_later("cut between events", cut(&[&first]), Kind::Truncated),
        bad_later("cut mid-event", cut(&[&first, &half]), Kind::Truncated),
        bad_later("ends mid-event", streamed(&[&first, &half]), Kind::Truncated),
        bad_later("cut mid-chunk", [cut(&[&first]), b"ff\r\ndata: {".to_vec()].concat(), Kind::Truncated),
        bad_later("bad chunk", [cut(&[&first]), b"xyz\r\n".to_vec()].concat(), Kind::Decode),
        bad_later("bad json", streamed(&[&first, "data: {\"id\":,}\n\n", &finish, DONE]), Kind::Decode),
        bad_later("error inside", streamed(&[&first, inside]), Kind::Overloaded),
        bad("error first", streamed(&[&format!("data: {limit}\n\n")]), Kind::RateLimited),
        bad("error as 200", json("200 OK", limit), Kind::RateLimited),
        bad("a whole answer", json("200 OK", &chat_json()), Kind::Decode),
        bad("html", page, Kind::Decode),
        stalling(bad("stalls before the first event", cut(&[]), Kind::Timeout)),
        stalling(bad_later("stalls between events", cut(&[&first]), Kind::Timeout)),
        stalling(bad_later("stalls in an event", cut(&[&first, &half]), Kind::Timeout)),
    ]
}

#[tokio::test]
async fn every_fault_gives_a_complete_answer_or_an_explicit_error() {
    let client = Client::new(ClientOptions::default()).unwrap();
    let mut checks = Vec::new();
    for way in WAYS {
        let of_the_form = if way.streams() { streams() } else { whole_answers() };
        checks
            .extend(refusals().into_iter().chain(of_the_form).map(|fault| check(fault, way, client.clone())));
    }
    // Side by side, since those that stall take their time.
    let wrong: Vec<_> = stream::iter(checks).buffer_unordered(8).filter_map(ready).collect().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Says what came where it is not what must come.
async fn check(fault: Fault, way: Way, client: Client) -> Option<String> {
    let name = format!("{} by {way:?}", fault.name);
    let server = Server::start(vec![fault.steps.clone()]).await;
    let mut config = config(server.url("/v1"));
    let stalls = matches!(fault.steps.last(), Some(Step::Hold));
    if stalls {
        let short = Duration::from_secs(1);
        config.timeouts = Timeouts { connect: None, first_byte: short, idle: short };
    }
    let spans = Spans::default();
    let outcome = ask(&HttpProvider::new(config, client).unwrap(), &spans.context(), way).await;
    if outcome.text != fault.text || outcome.error.as_ref().map(|error| error.kind) != fault.error {
        return Some(format!("{name}: {outcome:?}"));
    }

    let span = spans.only();
    let shown = format!("{:?} {:?} {:?}", outcome.error, span.status, span.attributes);
    assert!(!shown.contains("hidden"), "{name} shows the key: {shown}");
    match &outcome.error {
        None => assert_eq!(span.status, SpanStatus::Ok, "{name}"),
        Some(error) => {
            assert_eq!(span.status, SpanStatus::Error(error.message.clone()), "{name}");
            assert_eq!(attribute(&span, "error.type").unwrap(), error.kind.as_str(), "{name}");
        }
    }
    if fault.name == "429" {
        assert_eq!(outcome.error.unwrap().retry_after, Some(Duration::from_secs(3)));
    }
    if stalls {
        server.hung_up(1).await;
    }
    None
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let check = async |url: String, part: &str| {
        for way in WAYS {
            let error = ask(&provider(config(&url)), &Spans::default().context(), way).await.error.unwrap();
            assert_eq!(error.kind, Kind::Transport, "{error}");
            assert!(error.message.contains(part), "{error}");
        }
    };
    check(format!("http://{free}"), &free.to_string()).await;
    check("http://nowhere.invalid/v1".to_owned(), "nowhere.invalid:80").await;
}

#[tokio::test]
async fn long_lines_are_taken_and_endless_ones_refused() {
    let long = "가".repeat(1 << 19);
    let server = Server::once(streamed(&[&text(&long), &finish(), DONE])).await;
    for way in [Way::ForwardStream, Way::ChatStream] {
        let outcome = ask(&provider(config(server.url("/v1"))), &Spans::default().context(), way).await;
        assert!(outcome.error.is_none(), "{way:?}: {:?}", outcome.error);
        assert_eq!(outcome.text, long);
    }
    let endless = "x".repeat(24 << 20);
    let server = Server::once(cut(&["data: ", &endless])).await;
    for way in [Way::ForwardStream, Way::ChatStream] {
        let error =
            ask(&provider(config(server.url("/v1"))), &Spans::default().context(), way).await.error.unwrap();
        assert_eq!(error.kind, Kind::Decode, "{way:?}: {error}");
    }
}
