//! Traces out, to any collector that speaks OTLP over HTTP.
//!
//! Deliberately not here: a spool. What is still to be sent is in the store, and a cursor there says how far it
//! has come; so nothing is lost when the collector, or this process, is away for a while. What falls behind
//! further than [`Target::most_behind`] is left out, and counted.
//!
//! Reading order: this file (following, sending, trying again), `otlp` (traces as protobuf).

mod otlp;

use crate::recorder::TraceStore;
use flate2::Compression;
use flate2::write::GzEncoder;
use hanok_net::{Client, HeaderMap, Request, Timeouts, Url};
use hanok_store::{Bodies, StoreError, StoredTrace};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Under this name the cursor stands in the store.
const CURSOR: &str = "export.otlp";
/// Traces of one request.
const BATCH: usize = 64;
/// A request is closed once it holds so many bytes; collectors take 4 MiB at least.
const LARGEST: usize = 3 << 20;
/// Waits between tries.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// After the first trace of a batch, others are waited for so long.
const GATHER: Duration = Duration::from_millis(500);
/// How much of a refusal is read.
const SAID: usize = 64 << 10;
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where traces go.
pub struct Target {
    /// The collector's address for traces: `http://collector:4318/v1/traces`.
    pub url: Url,
    /// Headers of every request, such as a key.
    pub headers: HeaderMap,
    /// Whether messages and other large values go along.
    pub content: bool,
    /// How many traces it may fall behind; older ones are left out.
    pub most_behind: i64,
    /// The connections.
    pub client: Client,
}

/// How the export is doing, since the start.
#[derive(Debug, Default)]
pub struct ExportState {
    sent: AtomicU64,
    left_out: AtomicU64,
    failures: AtomicU64,
    done: AtomicI64,
    problem: parking_lot::Mutex<Option<Arc<str>>>,
}

impl ExportState {
    /// Traces that a collector took.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Traces that no collector will get: it refused them, or they were too far behind.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Requests that failed and were, or will be, tried again.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The `seq` up to which all is sent or left out.
    pub fn done(&self) -> i64 {
        self.done.load(Ordering::Relaxed)
    }

    /// What the last request failed by; `None` where it did not.
    pub fn problem(&self) -> Option<Arc<str>> {
        self.problem.lock().clone()
    }
}

/// Follows the traces and sends them, until the store is closed. Begins where it ended the last time; where there
/// was none, with what arrives from now on.
pub async fn run(traces: TraceStore, target: Target) -> Result<(), StoreError> {
    let Some(mut committed) = traces.store.subscribe() else {
        return Err(StoreError::ReadOnly);
    };
    let state = traces.export.clone();
    let mut newest = *committed.borrow_and_update();
    let cursors = traces.store.cursors();
    let begun = cursors.get(CURSOR).await?;
    if begun.is_none() {
        // Noted before anything is sent: what arrives until then is owed after a crash, too.
        cursors.set(CURSOR, newest).await?;
    }
    let mut done = begun.unwrap_or(newest).min(newest);
    loop {
        state.done.store(done, Ordering::Relaxed);
        if newest - done > target.most_behind {
            let from = newest - target.most_behind;
            let left_out = (from - done).unsigned_abs();
            tracing::warn!(
                left_out,
                "the collector is too far behind; the oldest traces are left out of the export"
            );
            state.left_out.fetch_add(left_out, Ordering::Relaxed);
            done = from;
        }
        if done >= newest {
            if committed.changed().await.is_err() {
                return Ok(());
            }
            tokio::time::sleep(GATHER).await;
            newest = *committed.borrow_and_update();
            continue;
        }
        let bodies = if target.content { Bodies::All } else { Bodies::None };
        let found = cursors.follow(done, BATCH, bodies).await?;
        let Some(last) = found.last().map(|trace| trace.row.seq) else {
            // Deleted meanwhile.
            done = newest;
            continue;
        };
        for part in parts(&found) {
            if deliver(&target, part, &state).await {
                state.sent.fetch_add(part.len() as u64, Ordering::Relaxed);
            } else {
                state.left_out.fetch_add(part.len() as u64, Ordering::Relaxed);
            }
        }
        done = last;
        cursors.set(CURSOR, done).await?;
        newest = newest.max(*committed.borrow_and_update());
    }
}

/// The traces in pieces of which none is too large for a request, but for single traces that are.
fn parts(traces: &[StoredTrace]) -> impl Iterator<Item = &[StoredTrace]> {
    let mut rest = traces;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|trace| {
            let first = bytes == 0;
            bytes += otlp::approx_bytes(trace);
            first || bytes <= LARGEST
        });
        let count = fitting.count();
        let (part, left) = rest.split_at_checked(count)?;
        rest = left;
        (!part.is_empty()).then_some(part)
    })
}

/// Sends until the collector has taken it, or has said that it never will.
async fn deliver(target: &Target, traces: &[StoredTrace], state: &ExportState) -> bool {
    let body = match packed(&otlp::request(traces)) {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "traces could not be packed for the export");
            return false;
        }
    };
    let mut wait = FIRST_WAIT;
    loop {
        let (problem, asked) = match send(target, body.clone()).await {
            Sent::Taken => {
                *state.problem.lock() = None;
                return true;
            }
            Sent::Refused(why) => {
                tracing::warn!(%why, traces = traces.len(), "the collector refused traces; they are left out");
                *state.problem.lock() = Some(why.into());
                return false;
            }
            Sent::Later(why, asked) => (why, asked),
        };
        state.failures.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(why = problem, wait = wait.as_secs(), "traces could not be exported; tried again");
        *state.problem.lock() = Some(problem.into());
        // Several servers that lost one collector do not all come back at once.
        let jitter = Duration::from_millis(fastrand::u64(0..500));
        tokio::time::sleep(asked.unwrap_or(wait).min(LONGEST_WAIT) + jitter).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

enum Sent {
    Taken,
    /// For good.
    Refused(String),
    /// To be tried again, after so long where it says.
    Later(String, Option<Duration>),
}

async fn send(target: &Target, body: bytes::Bytes) -> Sent {
    let timeouts = Timeouts { first_byte: PATIENCE, idle: PATIENCE, ..Timeouts::default() };
    let request = Request { url: &target.url, headers: &target.headers, body, timeouts };
    let response = match target.client.post(request).await {
        Ok(response) => response,
        Err(error) => return Sent::Later(error.to_string(), None),
    };
    let status = response.status.as_u16();
    let asked =
        response.headers.get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let said = response.body.collect(SAID).await.unwrap_or_default();
    match status {
        200..300 => Sent::Taken,
        // The codes that the specification of OTLP/HTTP lets be tried again.
        429 | 502 | 503 | 504 => {
            Sent::Later(format!("{} answered {status}", target.url.target()), asked.map(Duration::from_secs))
        }
        _ => {
            let said: String =
                String::from_utf8_lossy(&said).chars().filter(|c| !c.is_control()).take(200).collect();
            Sent::Refused(format!("{} answered {status}: {said}", target.url.target()))
        }
    }
}

fn packed(body: &[u8]) -> std::io::Result<bytes::Bytes> {
    let mut gzip = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    gzip.write_all(body)?;
    Ok(gzip.finish()?.into())
}

/// The headers that every request has, beside those of the configuration.
pub fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", hanok_net::HeaderValue::from_static("application/x-protobuf"));
    headers.insert("content-encoding", hanok_net::HeaderValue::from_static("gzip"));
    headers
}
