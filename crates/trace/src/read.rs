//! Reading traces: lists, one trace, what arrives, rates.

use crate::filter::TraceFilter;
use crate::pulse::PulseView;
use crate::recorder::TraceStore;
use crate::score::ScoreView;
use crate::text::TextError;
use crate::view::{Neighbours, SpanView, TraceDetail, TraceOutline, TracePage, TraceSummary};
use hanok_base::{SpanId, Timestamp, TraceId};
use hanok_store::{Bodies, Bucket, Counts, StoreError, StoredTrace};
use tokio::sync::watch;

/// Most traces that one arrival hands out; older ones of a burst are in the list.
const ARRIVALS: usize = 100;

/// Traces could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// A cursor that no page gave.
    #[error("`{0}` is not a cursor: take `next` of the page before")]
    BadCursor(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index of messages failed.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl TraceStore {
    /// A page of at most `limit` traces, newest first; `cursor` is `next` of the page before.
    pub async fn list(
        &self,
        filter: &TraceFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<TracePage, TraceError> {
        let before = before(cursor)?;
        let query = filter.query();
        let page = match self.find(&query.words, before).await? {
            Some(found) => self.rows().list_found(query, found, before, limit).await?,
            None => self.rows().list(query, before, limit).await?,
        };
        let traces = page.rows.into_iter().map(TraceSummary::from).collect();
        Ok(TracePage { traces, next: page.next.map(|next| next.to_string()) })
    }

    /// The ids of the traces from the one numbered `first` to the one numbered `last` that a filter finds, newest first,
    /// at most `limit`.
    pub async fn list_between(
        &self,
        filter: &TraceFilter,
        first: i64,
        last: i64,
        limit: u64,
    ) -> Result<Vec<TraceId>, TraceError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let before = last.saturating_add(1);
        let page = self.list(filter, Some(&before.to_string()), limit).await?;
        let within = page.traces.into_iter().filter(|trace| trace.seq >= first);
        Ok(within.filter_map(|trace| trace.trace_id.parse().ok()).collect())
    }

    /// A trace with everything in it.
    pub async fn get(&self, trace_id: TraceId) -> Result<Option<TraceDetail>, TraceError> {
        self.scored(self.rows().get(trace_id, Bodies::All).await?).await
    }

    /// A trace without messages and other large values.
    pub async fn get_light(&self, trace_id: TraceId) -> Result<Option<TraceDetail>, TraceError> {
        self.scored(self.rows().get(trace_id, Bodies::None).await?).await
    }

    async fn scored(&self, trace: Option<StoredTrace>) -> Result<Option<TraceDetail>, TraceError> {
        let Some(trace) = trace else { return Ok(None) };
        let (id, project) = (trace.row.trace_id, trace.row.project.clone());
        let mut detail = TraceDetail::from(trace);
        let scores = self.scores().of_trace(id, project).await?;
        detail.scores = scores.into_iter().map(ScoreView::from).collect();
        Ok(Some(detail))
    }

    /// One span with everything in it.
    pub async fn span(&self, trace_id: TraceId, span_id: SpanId) -> Result<Option<SpanView>, TraceError> {
        Ok(self.rows().span(trace_id, span_id).await?.map(SpanView::from))
    }

    /// A trace as the lines of a tree, however many spans it has: no attributes, no messages.
    pub async fn outline(&self, trace_id: TraceId) -> Result<Option<TraceOutline>, TraceError> {
        Ok(self.rows().outline(trace_id).await?.map(TraceOutline::from))
    }

    /// The spans at these places of an outline, without messages and other large values.
    pub async fn spans_at(&self, trace_id: TraceId, places: Vec<i64>) -> Result<Vec<SpanView>, TraceError> {
        Ok(self.rows().spans_at(trace_id, places).await?.into_iter().map(SpanView::from).collect())
    }

    /// The traces beside one in the order of arrival.
    pub async fn neighbours(&self, summary: &TraceSummary) -> Result<Neighbours, TraceError> {
        let (newer, older) = self.rows().neighbours(summary.seq).await?;
        Ok(Neighbours { newer: newer.map(|id| id.to_string()), older: older.map(|id| id.to_string()) })
    }

    /// What happened from `since` until `until`, in at most `buckets` stretches of whole minutes, empty ones
    /// included.
    pub async fn rate(
        &self,
        since: Timestamp,
        until: Timestamp,
        buckets: usize,
    ) -> Result<Vec<Bucket>, TraceError> {
        Ok(self.rows().rate(since, until, buckets).await?)
    }

    /// How much is stored.
    pub async fn counts(&self) -> Result<Counts, TraceError> {
        Ok(self.rows().counts().await?)
    }

    /// The last `seconds` (60 at most), and today.
    pub async fn pulse(&self, seconds: u64) -> Result<PulseView, TraceError> {
        const DAY: i64 = 86_400_000_000_000;
        let (ticks, spans_per_second) = self.pulse.last(seconds, self.scope.as_deref());
        let midnight = Timestamp(Timestamp::now().0.div_euclid(DAY) * DAY);
        let today = self.rows().totals(midnight).await?;
        Ok(PulseView {
            ticks,
            spans_per_second,
            cost_today: today.cost,
            traces_today: today.traces,
            errors_today: today.errors,
        })
    }

    /// The traces that arrive from now on. `None` when the store was opened for reading only.
    pub fn live(&self) -> Option<Live> {
        let mut committed = self.store.subscribe()?;
        let seq = *committed.borrow_and_update();
        Some(Live { traces: self.clone(), committed, seq })
    }
}

/// The place a cursor means.
pub(crate) fn before(cursor: Option<&str>) -> Result<Option<i64>, TraceError> {
    let read = |text: &str| text.parse().map_err(|_| TraceError::BadCursor(text.to_owned()));
    cursor.map(read).transpose()
}

/// Traces as they arrive. A slow reader misses the older ones of a burst and holds nothing up.
pub struct Live {
    traces: TraceStore,
    committed: watch::Receiver<i64>,
    seq: i64,
}

impl Live {
    /// Waits for the next arrivals; oldest first, at most 100. `None` when the store was closed.
    pub async fn next(&mut self) -> Result<Option<Vec<TraceSummary>>, TraceError> {
        loop {
            if self.committed.changed().await.is_err() {
                return Ok(None);
            }
            let newest = *self.committed.borrow_and_update();
            let rows = self.traces.rows().recent(self.seq, ARRIVALS).await?;
            if let Some(newest) = rows.last() {
                self.seq = newest.seq;
                return Ok(Some(rows.into_iter().map(TraceSummary::from).collect()));
            }
            // None of them is the project's.
            self.seq = self.seq.max(newest);
        }
    }
}
