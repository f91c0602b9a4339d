//! Spans of other programs, taken in: read, normalised, priced, and on the disk before their sender is told so.

use crate::batch::{Piece, foreign};
use crate::convention::{self, Normal};
use crate::otlp::{Format, OtlpError, read_logs, read_traces};
use crate::recorder::TraceStore;
use foldhash::fast::RandomState;
use hanok_base::{Caller, TraceId};
use hanok_store::{StoreError, TraceBatch, Unavailable};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// What came by OTLP since the start.
#[derive(Debug, Default)]
pub struct Received {
    spans: AtomicU64,
    rejected: AtomicU64,
    ignored_logs: AtomicU64,
    ignored_metrics: AtomicU64,
}

/// The same, read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceivedCounts {
    /// Spans that are on the disk.
    pub spans: u64,
    /// Spans that could not be taken.
    pub rejected: u64,
    /// Log records that are no GenAI events of a span.
    pub ignored_logs: u64,
    /// Metrics.
    pub ignored_metrics: u64,
}

/// The rows of a request, ready to be stored.
#[derive(Debug)]
pub struct Parcel {
    batches: Vec<TraceBatch>,
    spans: u64,
    bytes: usize,
    rejected: u64,
    message: String,
}

impl Parcel {
    /// About how much memory it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Spans that were not taken.
    pub rejected: u64,
    /// Which and why; empty where there is nothing to say.
    pub message: String,
}

/// A request that is not on the disk; sent again it may be, and is there once all the same.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// There is no room now.
    #[error(transparent)]
    Full(#[from] Unavailable),
    /// It could not be committed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TraceStore {
    /// Reads an `ExportTraceServiceRequest` into rows. Takes some microseconds a span, on the calling thread.
    pub fn unpack_traces(&self, body: &[u8], format: Format, caller: &Caller) -> Result<Parcel, OtlpError> {
        let (spans, rejected) = convention::of_traces(read_traces(body, format)?);
        self.received.rejected.fetch_add(rejected.count(), Ordering::Relaxed);
        Ok(Parcel {
            rejected: rejected.count(),
            message: rejected.message(),
            ..self.parcel(spans, body.len(), caller)
        })
    }

    /// Reads an `ExportLogsServiceRequest`: its GenAI events become spans below those they belong to.
    pub fn unpack_logs(&self, body: &[u8], format: Format, caller: &Caller) -> Result<Parcel, OtlpError> {
        let (spans, ignored) = convention::of_logs(read_logs(body, format)?);
        self.received.ignored_logs.fetch_add(ignored, Ordering::Relaxed);
        Ok(self.parcel(spans, body.len(), caller))
    }

    /// Counts metrics, which are not kept.
    pub fn ignore_metrics(&self, body: &[u8], format: Format) -> Result<(), OtlpError> {
        let count = crate::otlp::count_metrics(body, format)?;
        self.received.ignored_metrics.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(())
    }

    fn parcel(&self, spans: Vec<Normal>, bytes: usize, caller: &Caller) -> Parcel {
        let count = spans.len();
        let mut at: HashMap<TraceId, usize, RandomState> = HashMap::default();
        let mut traces: Vec<Vec<Piece>> = Vec::new();
        let mut last: Option<(TraceId, usize)> = None;
        for Normal { span, decoded } in spans {
            let trace_id = span.trace_id;
            // Spans of a trace usually come together.
            let found = match last {
                Some((id, at)) if id == trace_id => at,
                _ => *at.entry(trace_id).or_insert_with(|| {
                    traces.push(Vec::new());
                    traces.len() - 1
                }),
            };
            last = Some((trace_id, found));
            if let Some(trace) = traces.get_mut(found) {
                trace.push(Piece { span, decoded });
            }
        }
        let prices = self.prices.load();
        let ended = traces.iter().flatten().map(|piece| &piece.span);
        self.pulse.beat(ended, &caller.project);
        let batches = traces.into_iter().filter_map(|trace| foreign(trace, caller, &prices)).collect();
        let spans = u64::try_from(count).unwrap_or(u64::MAX);
        Parcel { batches, spans, bytes: bytes + count * 512, rejected: 0, message: String::new() }
    }

    /// Stores a parcel and returns once it is on the disk. Waits up to 2 s for room.
    pub async fn keep(&self, parcel: Parcel) -> Result<Receipt, ReceiveError> {
        let Parcel { batches, spans, bytes, rejected, message } = parcel;
        if batches.is_empty() {
            return Ok(Receipt { rejected, message });
        }
        let place = self.store.admit().await?;
        let lost = place.submit_synced(batches, bytes).await?;
        if lost > 0 {
            // Which spans those were is in the log; that it was not all of them must be told.
            let lost = u64::try_from(lost).unwrap_or(u64::MAX);
            let told = format!("{lost} traces cannot be stored; see the server's log. {message}");
            return Ok(Receipt { rejected: rejected + lost, message: told.trim_end().to_owned() });
        }
        self.received.spans.fetch_add(spans, Ordering::Relaxed);
        Ok(Receipt { rejected, message })
    }

    /// What came by OTLP since the start.
    pub fn received(&self) -> ReceivedCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Received { spans, rejected, ignored_logs, ignored_metrics } = &*self.received;
        ReceivedCounts {
            spans: read(spans),
            rejected: read(rejected),
            ignored_logs: read(ignored_logs),
            ignored_metrics: read(ignored_metrics),
        }
    }
}
