//! `hanok trace`

use crate::cli::Trace;
use crate::config::Effective;
use crate::{output, wiring};
use anyhow::{Context as _, bail};
use hanok_base::{Timestamp, TraceId};
use hanok_trace::{SpanView, TraceDetail, TraceSummary, parse_filter};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Runs the command.
pub(crate) async fn run(effective: Effective, command: Trace) -> anyhow::Result<ExitCode> {
    let traces = wiring::records_to_read(&effective)?;
    match command {
        Trace::Ls { filter, limit, cursor, json } => {
            let filter = parse_filter(&filter, Timestamp::now())?;
            let page = traces.list(&filter, cursor.as_deref(), limit.clamp(1, 1000)).await?;
            if json.json {
                output::json(&page)?;
            } else if page.traces.is_empty() {
                output::note("no traces match; calls through a running `hanok up` are recorded");
            } else {
                for trace in &page.traces {
                    output::line(summary_line(trace))?;
                }
                if let Some(next) = &page.next {
                    output::note(format!("more: --cursor {next}"));
                }
            }
        }
        // Has a way of its own, as it writes.
        Trace::Rm(_) => {}
        Trace::Show { id, json } => {
            let id: TraceId = id.parse().with_context(|| format!("`{id}` is no trace id"))?;
            let Some(trace) = traces.get(id).await? else { bail!("there is no trace {id}") };
            if json.json {
                output::json(&trace)?;
            } else {
                output::text(&tree(&trace))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn summary_line(trace: &TraceSummary) -> String {
    let status =
        if trace.error.is_some() { output::styled("31", "error") } else { output::styled("32", "ok   ") };
    let tokens = match (trace.input_tokens, trace.output_tokens) {
        (Some(input), Some(output)) => format!("{input}->{output} tok"),
        _ => String::new(),
    };
    let cost = trace.cost_usd.map(|cost| format!("${cost:.6}")).unwrap_or_default();
    let error = trace.error.as_deref().map(output::safe).unwrap_or_default();
    format!(
        "{}  {}  {status}  {:>8.1} ms  {}  {tokens}  {cost}  {error}",
        trace.trace_id,
        trace.started_at,
        trace.duration_ms,
        output::safe(&trace.name)
    )
    .trim_end()
    .to_owned()
}

fn tree(trace: &TraceDetail) -> String {
    let mut out = String::new();
    for root in trace.spans.iter().filter(|span| {
        span.parent_id.as_ref().is_none_or(|parent| trace.spans.iter().all(|other| other.span_id != *parent))
    }) {
        branch(trace, root, 0, &mut out);
    }
    out
}

fn branch(trace: &TraceDetail, span: &SpanView, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let name = output::safe(&span.name);
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{indent}{name}  {:.1} ms  {}", span.duration_ms, span.status);
    for (key, value) in &span.attributes {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let short: String = text.chars().take(200).collect();
        let more = if short.len() < text.len() { "…" } else { "" };
        let _ = writeln!(out, "{indent}    {key}: {}{more}", output::safe(&short).replace('\n', " "));
    }
    // A span cannot be its own ancestor in records of ours; the bound is for records of others.
    if depth < 64 {
        for child in trace.spans.iter().filter(|child| child.parent_id.as_ref() == Some(&span.span_id)) {
            branch(trace, child, depth + 1, out);
        }
    }
}
