//! What is seen behind a backlog, and of one large trace.

use crate::client::Client;
use crate::corpus::{Call, Script};
use crate::house::House;
use crate::otlp::{SPANS, large, request, trace_id};
use crate::plan::{BATCH, percentiles, send_all, visible_after};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Spans that are sent at once.
const BACKLOG: u64 = 100_000;
/// Requests behind them that are looked for.
const LOOKED_FOR: u64 = 100;
/// Spans of the large trace, and of each request that brings them.
const LARGE: u64 = 20_000;
const LARGE_BATCH: u64 = 512;

/// What calls meet that are sent right behind a backlog.
#[derive(Debug, Serialize)]
pub(crate) struct Backlog {
    /// Spans in the store that the full-text index did not have when the first was sent.
    pub(crate) unindexed_spans: u64,
    /// The same when the last was found.
    pub(crate) unindexed_spans_after: u64,
    /// From sending a request to its answer: its spans are on the disk then.
    pub(crate) acknowledged_ms_p99: f64,
    /// From the answer until a filter finds its spans.
    pub(crate) visible_ms_p50: f64,
    pub(crate) visible_ms_p99: f64,
}

/// One trace with very many spans.
#[derive(Debug, Serialize)]
pub(crate) struct Large {
    pub(crate) spans: u64,
    /// The page of the trace.
    pub(crate) page_ms_p50: f64,
    pub(crate) page_ms_p95: f64,
    pub(crate) page_kb: f64,
}

/// Sends spans faster than they can be indexed, and calls behind them.
pub(crate) async fn backlog(house: &House, script: &mut Script<'_>) -> Result<Backlog> {
    let requests: Vec<Bytes> = (0..BACKLOG / SPANS)
        .step_by(BATCH)
        .map(|_| Bytes::from(request(&(0..BATCH).map(|_| script.single()).collect::<Vec<_>>())))
        .collect();
    let calls: Vec<Call> = (0..LOOKED_FOR).map(|_| script.single()).collect();
    send_all(house.address, requests).await?;
    let mut client = Client::connect(house.address).await?;
    let unindexed_spans = behind(&mut client).await?;
    let (mut acknowledged, mut visible) = (Vec::new(), Vec::new());
    for call in &calls {
        let answer = client.send(&Bytes::from(request(std::slice::from_ref(call)))).await?;
        acknowledged.push(answer.took.as_secs_f64() * 1e3);
        visible.push(visible_after(&mut client, call).await?);
    }
    let unindexed_spans_after = behind(&mut client).await?;
    house.indexed(&mut client).await?;
    let [_, acknowledged_ms_p99] = percentiles(&acknowledged, [50.0, 99.0]);
    let [visible_ms_p50, visible_ms_p99] = percentiles(&visible, [50.0, 99.0]);
    Ok(Backlog {
        unindexed_spans,
        unindexed_spans_after,
        acknowledged_ms_p99,
        visible_ms_p50,
        visible_ms_p99,
    })
}

async fn behind(client: &mut Client) -> Result<u64> {
    let status: Value = serde_json::from_slice(&client.get("/api/status").await?.body)?;
    let traces = status.pointer("/full_text/traces_behind").and_then(Value::as_u64);
    Ok(traces.context("the status does not say how far the full text is behind")? * SPANS)
}

/// Sends one large trace and opens its page, again and again.
pub(crate) async fn large_trace(house: &House, script: &mut Script<'_>, rounds: usize) -> Result<Large> {
    let call = script.single();
    let mut client = Client::connect(house.address).await?;
    for first in (0..LARGE).step_by(usize::try_from(LARGE_BATCH)?) {
        client.send(&Bytes::from(large(&call, first, LARGE_BATCH.min(LARGE - first)))).await?;
    }
    // Its words go into the index first.
    house.indexed(&mut client).await?;
    let id = trace_id(call.number);
    let found: Value = serde_json::from_slice(
        &client.get(&format!("/api/traces?filter=id%3A{id}%20spans%3E19999")).await?.body,
    )?;
    ensure!(found.pointer("/traces/0").is_some(), "the trace of {LARGE} spans is not there: {found}");
    let (mut times, mut bytes) = (Vec::new(), 0);
    let began = Instant::now();
    while times.len() < rounds && began.elapsed() < Duration::from_mins(1) {
        let page = client.get(&format!("/traces/{id}")).await?;
        times.push(page.took.as_secs_f64() * 1e3);
        bytes = page.body.len() as u64;
    }
    let [page_ms_p50, page_ms_p95] = percentiles(&times, [50.0, 95.0]);
    Ok(Large { spans: LARGE, page_ms_p50, page_ms_p95, page_kb: crate::plan::float(bytes) / 1e3 })
}
