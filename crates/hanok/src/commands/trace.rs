//! `hanok trace`

use super::trace_export;
use crate::cli::{Trace, TracePage, TraceScore};
use crate::config::Effective;
use crate::ownership::{self, Owned};
use crate::remote::Remote;
use crate::{output, wiring};
use anyhow::{Context as _, bail};
use hanok_base::{Timestamp, TraceId};
use hanok_store::{Options, Store};
use hanok_trace::{
    NewScore, Prices, SessionView, SpanView, TraceDetail, TraceStore, TraceSummary, parse_filter,
};
use http::Method;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

/// Runs the command.
pub(crate) async fn run(effective: Effective, command: Trace) -> anyhow::Result<ExitCode> {
    let command = match command {
        Trace::Score(wish) => return score(&effective, wish).await,
        command => command,
    };
    let traces = wiring::records_to_read(&effective)?;
    match command {
        // They have ways of their own, as they write.
        Trace::Score(_) | Trace::Rm(_) => {}
        Trace::Sessions { page: TracePage { filter, limit, cursor }, json } => {
            let filter = parse_filter(&filter, Timestamp::now())?;
            let page = traces.sessions(&filter, cursor.as_deref(), limit.clamp(1, 1000)).await?;
            if json.json {
                output::json(&page)?;
            } else if page.sessions.is_empty() {
                output::note("no sessions match; a call says its session in `gen_ai.conversation.id`");
            } else {
                for session in &page.sessions {
                    output::line(session_line(session))?;
                }
                if let Some(next) = &page.next {
                    output::note(format!("more: --cursor {next}"));
                }
            }
        }
        Trace::Ls { page: TracePage { filter, limit, cursor }, json } => {
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
        Trace::Export(options) => return trace_export::run(&traces, options).await,
        Trace::Stats(ask) => super::trace_stats::run(&traces, &ask).await?,
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

/// Through the server that runs on the data folder, or on the folder itself when none does.
async fn score(effective: &Effective, wish: TraceScore) -> anyhow::Result<ExitCode> {
    let TraceScore { target, name, value, session, span, comment, id, json: as_json } = wish;
    // Whatever is no number and no truth is a label.
    let value = serde_json::from_str(&value)
        .ok()
        .filter(|value: &Value| value.is_number() || value.is_boolean())
        .unwrap_or(Value::String(value));
    let of = if session { "session_id" } else { "trace_id" };
    let mut body = json!({ "name": name, "value": value, "source": "person" });
    for (member, text) in [(of, Some(target)), ("span_id", span), ("comment", comment), ("id", id)] {
        if let (Some(body), Some(text)) = (body.as_object_mut(), text) {
            body.insert(member.to_owned(), text.into());
        }
    }
    let data = &effective.data.value;
    let kept = if let Some(card) = ownership::running(data) {
        Remote::new(card, &effective.config)?.json(Method::POST, "/api/scores", Some(&body)).await?
    } else {
        let owned = Owned::take(data)?;
        let store = Store::open(data, Options::default())?;
        let traces = TraceStore::new(store.clone(), Arc::new(Prices::builtin()));
        let kept = traces.score(serde_json::from_value::<NewScore>(body)?).await;
        drop(traces);
        tokio::task::spawn_blocking(move || store.close()).await?;
        drop(owned);
        serde_json::to_value(kept?)?
    };
    if as_json.json {
        output::json(&kept)?;
    } else {
        let id = kept.get("id").and_then(Value::as_str).unwrap_or_default();
        output::note(format!("kept as {}", output::safe(id)));
    }
    Ok(ExitCode::SUCCESS)
}

fn session_line(session: &SessionView) -> String {
    let errors = match session.errors {
        0 => String::new(),
        errors => output::styled("31", &format!("{errors} failed")),
    };
    let cost = session.cost_usd.map(|cost| format!("${cost:.6}")).unwrap_or_default();
    let asked = session.input.as_deref().map(output::safe).unwrap_or_default();
    let user = session.user.as_deref().map(output::safe).unwrap_or_default();
    format!(
        "{}  {}  {} traces  {errors}  {cost}  {user}  {asked}",
        output::safe(&session.session_id),
        session.last_at,
        session.traces
    )
    .trim_end()
    .to_owned()
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
    for score in &trace.scores {
        let span = score.span_id.as_ref().map(|span| format!(" of span {span}")).unwrap_or_default();
        let value = match &score.value {
            Value::String(label) => output::safe(label),
            other => other.to_string(),
        };
        let name = output::safe(&score.name);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "score{span}  {name}: {value}  by a {}", score.source);
    }
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
