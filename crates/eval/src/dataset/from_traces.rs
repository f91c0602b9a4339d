//! Rows out of recorded traces: what was asked, what was answered, and what people said of it.

use super::DatasetError;
use hanok_base::{Object, Sample, SpanId, Timestamp, TraceId};
use hanok_trace::attribute::{INPUT_MESSAGES, OUTPUT_MESSAGES};
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

/// The rows of the traces that a filter finds (the language of `docs/filters.md`), newest first. A trace without
/// messages gives none. Rows of one session are a cluster.
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
            rows.extend(trace.and_then(|trace| row(id, trace, taken)));
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(rows),
        }
    }
}

/// The row of a trace; `None` of one without messages.
pub(crate) fn row(id: TraceId, trace: TraceDetail, taken: Taken) -> Option<Sample> {
    let messages = |span: &SpanView, of: &str| match span.attributes.get(of) {
        Some(Value::Array(messages)) if !messages.is_empty() => {
            Some(messages.iter().filter_map(plain).collect::<Vec<Value>>())
        }
        _ => None,
    };
    // The last span that answered gave the trace's answer.
    let span = trace.spans.iter().rev().find(|span| messages(span, INPUT_MESSAGES).is_some())?;
    let asked = messages(span, INPUT_MESSAGES)?;
    let answer: String = messages(span, OUTPUT_MESSAGES)
        .unwrap_or_default()
        .iter()
        .filter_map(|message| message.get("content")?.as_str())
        .collect();
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
        input: Object::from_iter([("messages".to_owned(), Value::Array(asked))]),
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
