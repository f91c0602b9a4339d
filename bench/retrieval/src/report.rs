//! What was measured, and what it is held to.

use crate::peers::Peer;
use crate::run::Run;
use serde::Serialize;
use std::fmt::Write as _;

/// A row with a target.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What is measured.
    pub(crate) what: String,
    /// What came out.
    pub(crate) value: f64,
    /// What is wanted.
    pub(crate) target: f64,
    /// Whether more is better.
    pub(crate) at_least: bool,
    /// Whether it holds.
    pub(crate) holds: bool,
}

/// What is wanted: the collection, how it is searched, what, and whether at least or at most.
const TARGETS: &[(&str, &str, &str, &str, f64, bool)] = &[
    ("scifact", "bm25", "nDCG@10", "/ndcg@10", 0.686, true),
    ("scifact", "hybrid", "nDCG@10", "/ndcg@10", 0.73, true),
    ("cranfield", "hybrid", "nDCG@10", "/ndcg@10", 0.44, true),
    ("ko-autorag", "hybrid", "nDCG@10", "/ndcg@10", 0.92, true),
    ("scifact", "bm25", "query p50 ms", "/query_ms/p50", 0.15, false),
    ("scifact", "bm25", "query p99 ms", "/query_ms/p99", 0.5, false),
    ("scifact", "hybrid", "query p50 ms", "/query_ms/p50", 15.0, false),
    ("scifact", "hybrid", "query p99 ms", "/query_ms/p99", 30.0, false),
    ("scifact", "hybrid", "peak MB", "", 250.0, false),
];

/// The rows that have a target and were measured.
pub(crate) fn rows(runs: &[Run]) -> Vec<Row> {
    TARGETS
        .iter()
        .filter_map(|(collection, how, what, pointer, target, at_least)| {
            let run = runs.iter().find(|run| run.collection == *collection && run.how == *how)?;
            let value = if pointer.is_empty() { run.peak_mb? } else { run.number(pointer)? };
            let holds = if *at_least { value >= *target } else { value <= *target };
            let what = format!("{collection} {how}: {what}");
            Some(Row { what, value, target: *target, at_least: *at_least, holds })
        })
        .collect()
}

/// All as tables.
pub(crate) fn table(runs: &[Run], others: &[Peer], rows: &[Row]) -> String {
    let mut out = String::from(
        "| collection | searched by | nDCG@10 (95 %) | recall@100 | MRR | MAP | index s | vectors s | query p50 / p99 ms | peak MB |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for run in runs {
        let number = |pointer: &str| run.number(pointer).unwrap_or(f64::NAN);
        let (low, high) = run.interval("ndcg@10").unwrap_or((f64::NAN, f64::NAN));
        let peak = run.peak_mb.map_or("-".to_owned(), |peak| format!("{peak:.0}"));
        let _ = writeln!(
            out,
            "| {} | {} | {:.4} ({low:.3} to {high:.3}) | {:.4} | {:.4} | {:.4} | {:.1} | {:.1} | {:.2} / {:.2} | {peak} |",
            run.collection,
            run.how,
            number("/ndcg@10"),
            number("/recall@100"),
            number("/mrr"),
            number("/map"),
            number("/index_seconds"),
            number("/embed_seconds"),
            number("/query_ms/p50"),
            number("/query_ms/p99"),
        );
    }
    if !others.is_empty() {
        out.push_str(
            "\n| collection | peer | nDCG@10 | index and vectors s | query p50 / p99 ms | peak MB |\n|---|---|---|---|---|---|\n",
        );
    }
    for Peer { who, collection, ndcg_at_10, index_seconds, p50, p99, peak_mb } in others {
        let _ = writeln!(
            out,
            "| {collection} | {who} | {ndcg_at_10:.4} | {index_seconds:.1} | {p50:.2} / {p99:.2} | {peak_mb:.0} |"
        );
    }
    out.push_str("\n| | measured | target | |\n|---|---|---|---|\n");
    for row in rows {
        let sign = if row.at_least { "at least" } else { "at most" };
        let verdict = if row.holds { "holds" } else { "missed" };
        let _ = writeln!(out, "| {} | {:.4} | {sign} {} | {verdict} |", row.what, row.value, row.target);
    }
    out
}
