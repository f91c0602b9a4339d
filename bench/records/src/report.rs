//! What the figures are held to, and the table.

use crate::plan::{AtSize, Question, Results, float};
use serde::Serialize;
use std::fmt::Write as _;

/// The pages; all other questions are of the API.
pub(crate) const PAGES: [&str; 2] = ["page of traces", "page of a trace"];

/// A target and what was seen.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) target: String,
    pub(crate) seen: String,
    pub(crate) met: bool,
}

/// The rows, at the largest size.
pub(crate) fn rows(results: &Results) -> Vec<Row> {
    let row = |what: &str, target: &str, seen: String, met: bool| Row {
        what: what.to_owned(),
        target: target.to_owned(),
        seen,
        met,
    };
    let disk = &results.disk;
    let mut rows = vec![row(
        &format!("disk per span beyond unique text, {} spans", disk.spans),
        "<= 500 B",
        format!("{:.0} B", disk.beyond),
        disk.beyond <= 500.0,
    )];
    let Some(largest) = results.sizes.last() else { return rows };
    let slowest = |pages: bool| {
        let of_kind = largest.questions.iter().filter(|question| PAGES.contains(&question.name) == pages);
        of_kind.max_by(|a, b| a.p95_ms.total_cmp(&b.p95_ms))
    };
    let spans = largest.spans;
    rows.push(row(
        "OTLP spans/s acknowledged durable",
        ">= 20,000",
        format!("{:.0} ({:.0} B each)", largest.spans_per_second, largest.request_bytes_per_span),
        largest.spans_per_second >= 20_000.0,
    ));
    rows.push(row(
        "acknowledged to found by a filter, others being sent, p99",
        "<= 2,000 ms",
        format!("{:.0} ms", largest.visible_ms_p99),
        largest.visible_ms_p99 <= 2_000.0,
    ));
    if let Some(backlog) = &results.backlog {
        rows.push(row(
            &format!("the same behind {} spans that are not indexed yet, p99", backlog.unindexed_spans),
            "<= 2,000 ms",
            format!("{:.0} ms", backlog.visible_ms_p99),
            backlog.visible_ms_p99 <= 2_000.0,
        ));
    }
    rows.push(row(
        "full text behind, after the last",
        "<= 10 s",
        format!("{:.1} s", largest.indexed_s),
        largest.indexed_s <= 10.0,
    ));
    rows.push(row(
        "memory while taking in",
        "<= 150 MB",
        format!("{:.0} MB ({:.0} MB of its own)", largest.memory.resident, largest.memory.own),
        largest.memory.resident <= 150.0,
    ));
    let told = |question: &Question| format!("{:.0} ms ({})", question.p95_ms, question.name);
    if let Some(question) = slowest(false) {
        let what = format!("slowest of twelve questions over {spans} spans, p95");
        rows.push(row(&what, "<= 200 ms", told(question), question.p95_ms <= 200.0));
    }
    if let Some(question) = slowest(true) {
        let what = format!("list and trace page, {} traces, p95", spans / 2);
        rows.push(row(&what, "<= 50 ms", told(question), question.p95_ms <= 50.0));
    }
    if let Some(large) = &results.large {
        rows.push(row(
            &format!("page of a trace of {} spans, p95", large.spans),
            "<= 500 ms",
            format!("{:.0} ms ({:.0} kB)", large.page_ms_p95, large.page_kb),
            large.page_ms_p95 <= 500.0,
        ));
    }
    rows.push(row(
        &format!("idle CPU with {spans} spans"),
        "< 1 % of a core",
        format!("{:.2} %", largest.idle_percent),
        largest.idle_percent < 1.0,
    ));
    rows
}

/// All of it, in Markdown.
pub(crate) fn table(results: &Results, rows: &[Row]) -> String {
    let mut out = String::from("| | target | hanok | |\n|---|---|---|---|\n");
    for Row { what, target, seen, met } in rows {
        let met = if *met { "met" } else { "missed" };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| {what} | {target} | {seen} | {met} |");
    }
    let disk = &results.disk;
    let _ = writeln!(
        out,
        "\nThe corpus: {} spans, {:.1} MB on disk, {:.1} MB of it the full-text index; its unique text {:.1} MB, packed \
         {:.1} MB.",
        disk.spans,
        float(disk.bytes) / 1e6,
        float(disk.index_bytes) / 1e6,
        float(disk.text_bytes) / 1e6,
        float(disk.packed_text_bytes) / 1e6,
    );
    if let Some(load) = results.machine_load {
        let _ = writeln!(out, "The machine's load beforehand: {load:.1}.");
    }
    out.push_str("\n| spans stored |");
    line(&mut out, &results.sizes, |size| size.spans.to_string());
    out.push_str(&"|---".repeat(results.sizes.len() + 1));
    out.push_str("|\n| spans/s |");
    line(&mut out, &results.sizes, |size| format!("{:.0}", size.spans_per_second));
    out.push_str("| CPU of the server per span, µs |");
    line(&mut out, &results.sizes, |size| format!("{:.0}", size.cpu_us_per_span));
    out.push_str("| disk per span, text included, B |");
    line(&mut out, &results.sizes, |size| format!("{:.0}", size.disk_bytes_per_span));
    out.push_str("| memory while taking in, MB (its own) |");
    line(&mut out, &results.sizes, |size| format!("{:.0} ({:.0})", size.memory.resident, size.memory.own));
    out.push_str("| idle CPU, % of a core |");
    line(&mut out, &results.sizes, |size| format!("{:.2}", size.idle_percent));
    let names = results.sizes.first().map(|size| size.questions.iter().map(|question| question.name));
    for name in names.into_iter().flatten() {
        let _ = write!(out, "| {name}, p50 / p95 ms |");
        line(&mut out, &results.sizes, |size| {
            let found = size.questions.iter().find(|question| question.name == name);
            found.map_or_else(String::new, |found| format!("{:.1} / {:.1}", found.p50_ms, found.p95_ms))
        });
    }
    if results.quick {
        out.push_str("\nA quick run: these are no figures to be quoted.\n");
    }
    out
}

fn line(out: &mut String, sizes: &[AtSize], cell: impl Fn(&AtSize) -> String) {
    for size in sizes {
        let _ = write!(out, " {} |", cell(size));
    }
    out.push('\n');
}
