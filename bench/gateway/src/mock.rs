//! An upstream that answers at once: chats in OpenAI's shape, whole or streamed, and a count of what it was
//! asked, so that no answer can come from elsewhere unnoticed.

use crate::prompt::{DIGITS, PACED, number};
use crate::serve::{self, Answer};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use memchr::memmem;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, Sleep};

/// Chunks of a stream, the first and the last included; `[DONE]` comes behind them.
pub(crate) const CHUNKS: u32 = 50;

/// Begins the time, in nanoseconds since the epoch, at which a paced chunk was written.
pub(crate) const STAMP: &[u8] = b"at-";

const WORDS: &str = "The two were kept in one place for as long as anyone could remember, and those who asked \
    were told that it had always been so. Whoever wants to know more has to look at the records themselves, \
    which are written in a clear hand and say when each thing came, from where, and what was paid for it. \
    There is no great secret in it: the harbour brought what the hills did not have, and the hills gave back \
    what the harbour could not make.";

/// Serves until the process ends.
pub(crate) fn run() -> anyhow::Result<()> {
    let asked = Arc::new(AtomicU64::new(0));
    serve::forever(move |request| answer(request, Arc::clone(&asked)))
}

async fn answer(request: Request<Incoming>, asked: Arc<AtomicU64>) -> Answer<Either<Full<Bytes>, Stream>> {
    let path = request.uri().path();
    let body = match (request.method(), path) {
        (&Method::POST, "/v1/chat/completions") => {
            asked.fetch_add(1, Ordering::Relaxed);
            request.into_body().collect().await?.to_bytes()
        }
        (&Method::GET, "/count") => {
            return Ok(json(StatusCode::OK, Bytes::from(asked.load(Ordering::Relaxed).to_string())));
        }
        (&Method::GET, "/v1/models") => {
            let list = r#"{"object":"list","data":[{"id":"mock-model","object":"model","created":1700000000,"owned_by":"mock"}]}"#;
            return Ok(json(StatusCode::OK, Bytes::from_static(list.as_bytes())));
        }
        _ => {
            let error = r#"{"error":{"message":"the mock has no such route","type":"invalid_request_error","param":null,"code":null}}"#;
            return Ok(json(StatusCode::NOT_FOUND, Bytes::from_static(error.as_bytes())));
        }
    };
    let case = number(&body).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or("none");
    if memmem::find(&body, br#""stream":true"#).is_none() {
        return Ok(json(StatusCode::OK, whole(case)));
    }
    let mut response = Response::new(Either::Right(Stream::new(&body, case)));
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"));
    headers.insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn json(status: StatusCode, body: Bytes) -> Response<Either<Full<Bytes>, Stream>> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

fn whole(case: &str) -> Bytes {
    Bytes::from(format!(
        r#"{{"id":"chatcmpl-{case}0000000000","object":"chat.completion","created":1763600000,"model":"mock-model","choices":[{{"index":0,"message":{{"role":"assistant","content":"Of case-{case}. {WORDS}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":82,"completion_tokens":112,"total_tokens":194,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_mock"}}"#
    ))
}

/// A streamed answer, as fast as the connection takes it, or paced.
struct Stream {
    case: String,
    sent: u32,
    wants_usage: bool,
    pace: Option<Pace>,
    over: bool,
}

struct Pace {
    delay: Duration,
    next: Pin<Box<Sleep>>,
}

impl Stream {
    fn new(request: &[u8], case: &str) -> Self {
        let pace = memmem::find(request, PACED.as_bytes()).and_then(|at| {
            let digits = request.get(at + PACED.len()..)?;
            let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
            let delay = std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()?;
            let delay = Duration::from_millis(delay);
            Some(Pace { delay, next: Box::pin(tokio::time::sleep(Duration::ZERO)) })
        });
        Self {
            case: case.to_owned(),
            sent: 0,
            wants_usage: memmem::find(request, br#""include_usage":true"#).is_some(),
            pace,
            over: false,
        }
    }

    fn chunk(&mut self) -> Bytes {
        let at = self.sent;
        self.sent += 1;
        let case = &self.case;
        let (choices, usage) = match at {
            0 => (r#"{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}"#.to_owned(), "null"),
            1 => (delta(&format!("Of case-{case}.")), "null"),
            CHUNKS if self.wants_usage => (
                String::new(),
                r#"{"prompt_tokens":82,"completion_tokens":49,"total_tokens":131,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}"#,
            ),
            at if at >= CHUNKS => {
                self.over = true;
                return Bytes::from_static(b"data: [DONE]\n\n");
            }
            at if at + 1 == CHUNKS => (
                r#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}"#.to_owned(),
                "null",
            ),
            at if self.pace.is_some() => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
                (delta(&format!(" at-{now:020} word{at}")), "null")
            }
            at => (delta(&format!(" word{at}")), "null"),
        };
        let usage = if self.wants_usage { format!(r#","usage":{usage}"#) } else { String::new() };
        Bytes::from(format!(
            "data: {{\"id\":\"chatcmpl-{case}0000000000\",\"object\":\"chat.completion.chunk\",\"created\":1763600000,\"model\":\"mock-model\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_mock\",\"choices\":[{choices}]{usage}}}\n\n"
        ))
    }
}

fn delta(text: &str) -> String {
    format!(r#"{{"index":0,"delta":{{"content":"{text}"}},"logprobs":null,"finish_reason":null}}"#)
}

/// The time in a paced chunk, in nanoseconds since the epoch.
pub(crate) fn stamp(event: &[u8]) -> Option<u64> {
    let from = memmem::find(event, STAMP)? + STAMP.len();
    std::str::from_utf8(event.get(from..from + 20)?).ok()?.parse().ok()
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.over {
            return Poll::Ready(None);
        }
        // The end mark follows the last chunk without delay, as from real upstreams.
        let paced = self.sent < CHUNKS;
        if let Some(pace) = self.pace.as_mut().filter(|_| paced) {
            if pace.next.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            // From the last deadline, so that lateness does not add up.
            let next = pace.next.deadline() + pace.delay;
            pace.next.as_mut().reset(next.max(Instant::now()));
        }
        Poll::Ready(Some(Ok(Frame::data(self.chunk()))))
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

const _: () = assert!(DIGITS == 12, "the ids of answers are of one length");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{MODEL, request};

    async fn streamed(model: &str) -> (Vec<String>, Duration) {
        let begun = Instant::now();
        let request = request(model, true, 5);
        let bytes = Stream::new(&request, "000000000005").collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        (text.split_terminator("\n\n").map(str::to_owned).collect(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_has_fifty_chunks_and_an_end() {
        let (events, took) = streamed(MODEL).await;
        assert_eq!(events.len(), 51);
        assert_eq!(events[50], "data: [DONE]");
        assert_eq!(number(events[1].as_bytes()), Some(b"000000000005".as_slice()));
        assert_eq!(took, Duration::ZERO);
        for event in &events[..50] {
            let json: serde_json::Value =
                serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(json["object"], "chat.completion.chunk");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_paced_stream_says_when_each_chunk_was_written() {
        let (events, took) = streamed("mock-paced-5").await;
        assert_eq!(events.len(), 51);
        assert!(took >= Duration::from_millis(5 * 49), "{took:?}");
        assert!(events[2..49].iter().all(|event| stamp(event.as_bytes()).is_some()));
    }

    #[test]
    fn a_whole_answer_is_json() {
        let body = whole("000000000005");
        assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
        assert_eq!(number(&body), Some(b"000000000005".as_slice()));
    }
}
