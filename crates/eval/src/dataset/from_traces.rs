//! Rows out of recorded traces: what was asked or searched for, what came back, and what people said of it.

use super::DatasetError;
use hanok_base::{Object, Sample, SpanId, Timestamp, TraceId};
use hanok_trace::attribute::{HITS, INPUT_MESSAGES, OUTPUT_MESSAGES, QUERY};
use hanok_trace::{SpanView, TraceDetail, TraceStore, parse_filter};
use serde_json::{Value, json};

/// Traces of one page.
const PAGE: usize = 200;
/// Most traces where nobody says how many.
pub const MOST: usize = 10_000;

/// What is taken of traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Traces at most; 0 for [`MOST`].
    pub limit: usize,
    /// What was answered is what would be right.
    pub answers_are_right: bool,
}

/// The rows of the traces that a filter finds (the language of `docs/filters.md`), newest first. A trace that
/// only searches gives its query; one without either gives none. Rows of one session are a cluster.
pub async fn rows(traces: &TraceStore, filter: &str, taken: Taken) -> Result<Vec<Sample>, DatasetError> {
    let invalid = |message: String| DatasetError::Invalid(message);
    let filter = parse_filter(filter, Timestamp::now()).map_err(|error| invalid(error.to_string()))?;
    let limit = if taken.limit == 0 { MOST } else { taken.limit };
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = traces
            .list(&filter, cursor.as_deref(), PAGE)
            .await
            .map_err(|error| invalid(error.to_string()))?;
        for summary in page.traces {
            if rows.len() >= limit {
                return Ok(rows);
            }
            let Ok(id) = summary.trace_id.parse::<TraceId>() else { continue };
            let trace = traces.get(id).await.map_err(|error| invalid(error.to_string()))?;
            rows.extend(trace.and_then(|trace| any(id, trace, taken, true)));
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(rows),
        }
    }
}

/// The row of a trace; `None` of one without messages.
pub(crate) fn row(id: TraceId, trace: TraceDetail, taken: Taken) -> Option<Sample> {
    any(id, trace, taken, false)
}

/// The row of a trace that asks a model or, where those count, only searches.
fn any(id: TraceId, trace: TraceDetail, taken: Taken, searches_count: bool) -> Option<Sample> {
    let messages = |span: &SpanView, of: &str| match span.attributes.get(of) {
        Some(Value::Array(messages)) if !messages.is_empty() => {
            Some(messages.iter().filter_map(plain).collect::<Vec<Value>>())
        }
        _ => None,
    };
    // The last span that answered gave the trace's answer.
    let asked = trace.spans.iter().rev().find_map(|span| Some((span, messages(span, INPUT_MESSAGES)?)));
    let (span, (name, input), answer) = if let Some((span, asked)) = asked {
        let answer: String = messages(span, OUTPUT_MESSAGES)
            .unwrap_or_default()
            .iter()
            .filter_map(|message| message.get("content")?.as_str())
            .collect();
        (span, ("messages", Value::Array(asked)), answer)
    } else {
        let mut spans = trace.spans.iter().filter(|_| searches_count);
        let (span, query) = spans.find_map(|span| Some((span, searched(span)?)))?;
        (span, ("query", Value::from(query)), found(span))
    };
    let mut metadata = Object::new();
    let mut note = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            metadata.insert(name.to_owned(), value);
        }
    };
    let scores: Object = trace.scores.iter().map(|score| (score.name.clone(), json!(score.value))).collect();
    note("output", Some(answer.clone().into()).filter(|_| !answer.is_empty()));
    note(
        "scores",
        Some(Value::Object(scores)).filter(|scores| scores.as_object().is_some_and(|s| !s.is_empty())),
    );
    note("model", trace.summary.model.map(Value::from));
    note("prompt", trace.summary.prompt.map(Value::from));
    note("user", trace.summary.user.map(Value::from));
    note("tags", Some(json!(trace.summary.tags)).filter(|_| !trace.summary.tags.is_empty()));
    Some(Sample {
        id: id.to_string(),
        input: Object::from_iter([(name.to_owned(), input)]),
        expected: Some(Value::from(answer)).filter(|_| taken.answers_are_right),
        metadata,
        cluster: trace.summary.session,
        origin: Some(Sample::origin_of(id, span.span_id.parse::<SpanId>().ok())),
    })
}

/// A message as a role and a text; what is neither text nor role is left to the span.
fn plain(message: &Value) -> Option<Value> {
    let role = message.get("role")?.as_str()?;
    let parts = message.get("parts")?.as_array()?;
    let text: String = parts.iter().filter_map(|part| part.get("content")?.as_str()).collect();
    (!text.is_empty()).then(|| json!({ "role": role, "content": text }))
}

/// What a search looked for.
fn searched(span: &SpanView) -> Option<&str> {
    let named = [QUERY, "gen_ai.retrieval.query.text"];
    named
        .iter()
        .find_map(|name| span.attributes.get(*name)?.as_str())
        .filter(|query| !query.trim().is_empty())
}

/// The documents that a search found, best first, one a line.
fn found(span: &SpanView) -> String {
    let hits =
        [HITS, "gen_ai.retrieval.documents"].iter().find_map(|name| span.attributes.get(*name)?.as_array());
    let name = |hit: &Value| {
        let named = ["source", "name", "id"].iter().find_map(|name| hit.get(*name)?.as_str());
        named.map(ToOwned::to_owned)
    };
    let mut names: Vec<String> = Vec::new();
    for name in hits.into_iter().flatten().filter_map(name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join("\n")
}
