//! What just happened, over server-sent events: one connection a document, for the floor and the list.

use crate::House;
use crate::door::Visitor;
use crate::params::Query;
use crate::present;
use crate::ui::{Page, Prefs, trace_row};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use hanok_base::Timestamp;
use hanok_trace::{Live, TraceFilter, TraceStore, TraceSummary, parse_filter};
use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, COOKIE, HeaderValue};
use serde::Deserialize;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often the floor is told of.
const BEAT: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
pub(crate) struct LiveQuery {
    /// The list's filter; absent on pages that show no list.
    filter: Option<String>,
    lang: Option<String>,
}

struct Listener {
    house: Arc<House>,
    /// Those the visitor may see.
    traces: TraceStore,
    page: Page,
    /// Rows are drawn only for a page that shows a list.
    filter: Option<TraceFilter>,
    live: Option<Live>,
    beat: Interval,
    stopping: watch::Receiver<bool>,
}

pub(crate) async fn live(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<LiveQuery>,
    headers: HeaderMap,
) -> Response {
    // A filter with a mistake draws no rows; the page says what the mistake is.
    let filter = query.filter.as_deref().and_then(|text| parse_filter(text, Timestamp::now()).ok());
    let header =
        |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let asked = query.lang.map(|lang| format!("lang={lang}")).unwrap_or_default();
    let prefs = Prefs::read(&asked, header(COOKIE), header(ACCEPT_LANGUAGE));
    // Rows arrive in the list at `/traces`.
    let page = Page::new(prefs.lang, prefs.theme, "/traces", "", "");
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let traces = house.traces_of(&visitor);
    let (live, stopping) = (traces.live(), house.stopping.clone());
    let listener = Listener { house, traces, page, filter, live, beat, stopping };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok::<Bytes, Infallible>(event), listener))
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

enum Happened {
    /// It is time to tell the floor.
    Beat,
    /// Traces were committed.
    Arrived(Vec<TraceSummary>),
    /// The server stops, or can read no more.
    Over,
}

impl Listener {
    /// The next events; `None` when the server stops.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.wait().await {
                Happened::Beat => return Some(self.pulse().await),
                Happened::Arrived(traces) => {
                    let events = self.rows(traces).await;
                    if !events.is_empty() {
                        return Some(events);
                    }
                }
                Happened::Over => return None,
            }
        }
    }

    async fn wait(&mut self) -> Happened {
        let arrived = async {
            match &mut self.live {
                Some(live) => live.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.stopping.wait_for(|stop| *stop) => Happened::Over,
            _ = self.beat.tick() => Happened::Beat,
            arrived = arrived => match arrived {
                Ok(Some(traces)) => Happened::Arrived(traces),
                Ok(None) => Happened::Over,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "live traces could not be read");
                    Happened::Over
                }
            },
        }
    }

    async fn pulse(&self) -> Bytes {
        let pulse = present::pulse(&self.traces).await;
        let ticks: Vec<_> =
            pulse.ticks.iter().map(|tick| json!({ "x": tick.x, "kind": tick.name() })).collect();
        let indexing: Vec<_> = self
            .house
            .library
            .collections()
            .into_iter()
            .map(|info| {
                let coverage = info.coverage;
                json!({
                    "name": info.name,
                    "indexed": coverage.indexed,
                    "found": coverage.found,
                    "indexing": coverage.indexing,
                })
            })
            .collect();
        event(
            "pulse",
            &json!({
                "ticks": ticks,
                "spans_per_s": pulse.spans_per_s,
                "cost_usd": pulse.cost_usd,
                "indexing": indexing,
            }),
        )
    }

    async fn rows(&self, arrived: Vec<TraceSummary>) -> Bytes {
        let Some(filter) = &self.filter else {
            let events = arrived.iter().map(|trace| event("trace", &json!({ "trace_id": trace.trace_id })));
            return events.collect::<Vec<_>>().concat().into();
        };
        let matching = if filter.is_empty() {
            arrived
        } else {
            // The store knows what the filter means.
            let oldest = arrived.iter().map(|trace| trace.seq).min().unwrap_or(i64::MAX);
            match self.traces.list(filter, None, arrived.len()).await {
                Ok(page) => page.traces.into_iter().rev().filter(|trace| trace.seq >= oldest).collect(),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "live traces could not be filtered"
                    );
                    Vec::new()
                }
            }
        };
        let mut events = Vec::new();
        for trace in &matching {
            let html = trace_row(&self.page, &present::row(trace)).into_string();
            let data = json!({ "trace_id": trace.trace_id, "html": html, "error": trace.error.is_some() });
            events.extend_from_slice(&event("trace", &data));
        }
        events.into()
    }
}

fn event(name: &str, data: &serde_json::Value) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}
