//! OpenTelemetry's doors: what exporters send to `/v1/traces`, `/v1/logs` and `/v1/metrics`.
//!
//! A request is answered with success once its spans are on the disk. What is refused for want of room is refused
//! with a status that exporters try again after.

use crate::House;
use crate::door::Visitor;
use crate::wire_api::read_body;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use hanok_base::{Caller, ErrorKind, Problem, Timestamp};
use hanok_trace::otlp::answer::{self, Signal, StatusCode as Code};
use hanok_trace::otlp::{Format, OtlpError};
use hanok_trace::{Parcel, ReceiveError, TraceStore};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Most bytes of a request, unpacked; the server's own limit where that is less. Exporters send some hundred
/// kilobytes, collectors a few megabytes.
const MOST_BYTES: usize = 32 << 20;
/// Smaller bodies are read where they came: handing them over takes longer.
const SMALL: usize = 16 << 10;
/// How long a request may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(3);

/// What all requests together may hold of this process.
struct Room {
    /// Requests whose bodies are read or wait.
    requests: Semaphore,
    /// Those that are being unpacked, which takes a core each.
    unpacking: Semaphore,
    /// Kilobytes that wait for the disk.
    kilobytes: Semaphore,
}

const KILOBYTES: u32 = 24 << 10;
static ROOM: LazyLock<Room> = LazyLock::new(|| Room {
    requests: Semaphore::new(64),
    unpacking: Semaphore::new(2),
    kilobytes: Semaphore::new(KILOBYTES as usize),
});

/// The routes, for a router with a door.
pub(crate) fn routes() -> axum::Router<Arc<House>> {
    axum::Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/logs", post(logs))
        .route("/v1/metrics", post(metrics))
}

async fn traces(state: State<Arc<House>>, visitor: Extension<Visitor>, request: Request) -> Response {
    receive(state.0, visitor.0, request, Signal::Traces).await
}

async fn logs(state: State<Arc<House>>, visitor: Extension<Visitor>, request: Request) -> Response {
    receive(state.0, visitor.0, request, Signal::Logs).await
}

async fn metrics(state: State<Arc<House>>, visitor: Extension<Visitor>, request: Request) -> Response {
    receive(state.0, visitor.0, request, Signal::Metrics).await
}

async fn receive(house: Arc<House>, visitor: Visitor, request: Request, signal: Signal) -> Response {
    let (format, coding) = match described(request.headers()) {
        Ok(described) => described,
        Err(refused) => return refused.response(Format::Json),
    };
    match taken(&house, &visitor, request, signal, format, coding).await {
        Ok(body) => response(StatusCode::OK, format, body),
        Err(refused) => refused.response(format),
    }
}

async fn taken(
    house: &House,
    visitor: &Visitor,
    request: Request,
    signal: Signal,
    format: Format,
    coding: Coding,
) -> Result<Vec<u8>, Refused> {
    let _request = turn(&ROOM.requests, 1).await?;
    let limit = house.settings.load().body_limit.min(MOST_BYTES);
    let body = read_body(request, limit).await?;
    if let Some(key) = visitor.key.as_ref().filter(|key| !key.id.is_empty()) {
        house.traces.store().keys().touch(&key.id, Timestamp::now());
    }
    let caller = house.settings.load().caller(&visitor.host, visitor.key.as_deref());
    let unpacking = turn(&ROOM.unpacking, 1).await?;
    let work = Work { traces: house.traces.clone(), body, limit, format, coding, signal, caller };
    let parcel = if work.body.len() <= SMALL {
        work.unpack()?
    } else {
        let unpacked = tokio::task::spawn_blocking(move || work.unpack()).await;
        unpacked.map_err(|_| Refused::Failed("the request could not be unpacked".to_owned()))??
    };
    let Some(parcel) = parcel else {
        return Ok(answer::accepted(format, signal, 0, ""));
    };
    let kilobytes = u32::try_from(parcel.bytes() >> 10).unwrap_or(KILOBYTES).clamp(1, KILOBYTES);
    let _kilobytes = turn(&ROOM.kilobytes, kilobytes).await?;
    drop(unpacking);
    let receipt = house.traces.keep(parcel).await?;
    Ok(answer::accepted(format, signal, receipt.rejected, &receipt.message))
}

/// Waits for room.
async fn turn(semaphore: &'static Semaphore, permits: u32) -> Result<SemaphorePermit<'static>, Refused> {
    match tokio::time::timeout(PATIENCE, semaphore.acquire_many(permits)).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => Err(Refused::Busy),
    }
}

struct Work {
    traces: TraceStore,
    body: Bytes,
    limit: usize,
    format: Format,
    coding: Coding,
    signal: Signal,
    caller: Arc<Caller>,
}

impl Work {
    /// `None` where there is nothing to store.
    fn unpack(self) -> Result<Option<Parcel>, Refused> {
        let body = self.coding.decode(&self.body, self.limit)?;
        Ok(match self.signal {
            Signal::Traces => Some(self.traces.unpack_traces(&body, self.format, &self.caller)?),
            Signal::Logs => Some(self.traces.unpack_logs(&body, self.format, &self.caller)?),
            Signal::Metrics => {
                self.traces.ignore_metrics(&body, self.format)?;
                None
            }
        })
    }
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Deflate,
    Zstd,
}

impl Coding {
    fn of(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" | "none" => Self::Identity,
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" | "zlib" => Self::Deflate,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    fn decode(self, body: &Bytes, limit: usize) -> Result<Cow<'_, [u8]>, Refused> {
        let unpacked = match self {
            Self::Identity => return Ok(Cow::Borrowed(body)),
            Self::Gzip => read_up_to(flate2::read::MultiGzDecoder::new(&**body), limit, body.len()),
            Self::Deflate => read_up_to(flate2::read::ZlibDecoder::new(&**body), limit, body.len()),
            // Frames may ask for a window of gigabytes; those that senders write by default have 8 MB at most.
            Self::Zstd => zstd::stream::read::Decoder::with_buffer(&**body).and_then(|mut decoder| {
                decoder.window_log_max(23)?;
                read_up_to(decoder, limit, body.len())
            }),
        };
        match unpacked {
            Ok(Some(bytes)) => Ok(Cow::Owned(bytes)),
            Ok(None) => Err(Refused::TooLarge(limit)),
            Err(error) => Err(Refused::Bad(format!("the body cannot be decompressed: {error}"))),
        }
    }
}

/// All that there is to read; `None` where it is more than the limit.
fn read_up_to(reader: impl Read, limit: usize, packed: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::with_capacity(packed.saturating_mul(6).min(limit));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

fn described(headers: &HeaderMap) -> Result<(Format, Coding), Refused> {
    let text =
        |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let content_type = text(CONTENT_TYPE);
    let format = Format::of_content_type(content_type).ok_or_else(|| {
        Refused::Unsupported(format!(
            "content-type must be application/x-protobuf or application/json, not `{content_type}`; gRPC is not served"
        ))
    })?;
    let encoding = text(CONTENT_ENCODING);
    let coding = Coding::of(encoding).ok_or_else(|| {
        Refused::Unsupported(format!(
            "content-encoding must be gzip, deflate, zstd or none, not `{encoding}`"
        ))
    })?;
    Ok((format, coding))
}

/// Why a request was not taken.
#[derive(Debug)]
enum Refused {
    /// It is not what it should be; sent again it would be no better.
    Bad(String),
    Unsupported(String),
    TooLarge(usize),
    /// Too much is on its way.
    Busy,
    /// It cannot be stored now.
    Unavailable(String),
    /// A fault of ours.
    Failed(String),
    /// As other routes say it.
    Problem(Box<Problem>),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<OtlpError> for Refused {
    fn from(error: OtlpError) -> Self {
        Self::Bad(error.to_string())
    }
}

impl From<ReceiveError> for Refused {
    fn from(error: ReceiveError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Refused {
    /// A status that exporters understand: they try 429 and 503 again, and nothing else.
    fn response(self, format: Format) -> Response {
        let (status, code, message, wait) = match self {
            Self::Bad(message) => (StatusCode::BAD_REQUEST, Code::InvalidArgument, message, None),
            Self::Unsupported(message) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, message, None)
            }
            Self::TooLarge(limit) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                Code::InvalidArgument,
                format!("the request is larger than {limit} bytes unpacked: send fewer spans at once"),
                None,
            ),
            Self::Busy => {
                let message = "too many requests are on their way to the disk: try again";
                (StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted, message.to_owned(), Some(1))
            }
            Self::Unavailable(message) => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message, Some(2))
            }
            Self::Failed(message) => (StatusCode::INTERNAL_SERVER_ERROR, Code::Unavailable, message, None),
            Self::Problem(problem) => {
                let status = crate::reply::status(problem.kind);
                let code = if problem.kind == ErrorKind::Unavailable {
                    Code::Unavailable
                } else {
                    Code::InvalidArgument
                };
                (status, code, problem.message, problem.retry_after)
            }
        };
        let mut response = response(status, format, answer::status(format, code, &message));
        let headers = response.headers_mut();
        if let Some(wait) = wait {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait));
        }
        if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate, zstd"));
        }
        response
    }
}

fn response(status: StatusCode, format: Format, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn bodies_are_unpacked_up_to_the_limit() {
        let text = b"spans ".repeat(1000);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text).unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&text).unwrap();
        let packed = [
            ("gzip", gzip.finish().unwrap()),
            ("deflate", zlib.finish().unwrap()),
            ("zstd", zstd::bulk::compress(&text, 1).unwrap()),
            ("identity", text.clone()),
        ];
        for (name, packed) in packed {
            let coding = Coding::of(name).unwrap();
            let packed = Bytes::from(packed);
            assert_eq!(&*coding.decode(&packed, text.len()).unwrap(), &*text, "{name}");
            if coding != Coding::Identity {
                assert!(
                    matches!(coding.decode(&packed, text.len() - 1), Err(Refused::TooLarge(_))),
                    "{name}"
                );
                let cut = packed.slice(..packed.len() / 2);
                assert!(matches!(coding.decode(&cut, text.len()), Err(Refused::Bad(_))), "{name}");
            }
        }
        assert_eq!(Coding::of("br"), None);
    }
}
