//! Experiments and results as commands and the API say them in JSON.

use hanok_base::{NanoDollars, Sample, Timestamp};
use hanok_store::evals::{Experiment, ResultRow};
use serde_json::{Value, json};

fn inner(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// An experiment, its own JSON as such.
pub fn experiment(experiment: &Experiment) -> Value {
    json!({
        "id": experiment.id, "name": experiment.name, "file": experiment.file, "state": experiment.state,
        "created": experiment.created.rfc3339(), "finished": experiment.finished.map(Timestamp::rfc3339),
        "dataset": experiment.dataset, "rows": experiment.rows, "repeats": experiment.repeats,
        "done": experiment.done, "failed": experiment.failed, "cost_usd": experiment.cost.dollars(),
        "task": inner(&experiment.task), "spec": inner(&experiment.spec),
        "result": experiment.report.as_deref().map(inner),
    })
}

/// A result.
pub fn result(row: &ResultRow) -> Value {
    json!({
        "sample": inner(&row.sample), "repeat": row.repeat, "output": row.output.as_deref().map(inner),
        "error": row.error, "cached": row.cached, "cost_usd": row.answer_cost.map(NanoDollars::dollars),
        "latency_ns": row.latency_ns, "trace_id": row.trace, "scoring_trace_id": row.scoring_trace,
        "scores": inner(&row.scores),
    })
}

/// What a sample is, in one text: its only text, or its input as JSON.
pub fn title(sample: &Sample) -> String {
    crate::template::only_text(&sample.input)
}
