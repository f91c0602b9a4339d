//! One span as the pane beside the tree: its messages, hits, usage.

use crate::House;
use crate::ui::view::{CitationView, HitView, Kind, MessageView, PartView, SpanPane, Tab, UsageView};
use hanok_base::{Object, SourceId, SpanId, TraceId};
use hanok_trace::{TraceError, TraceStore};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Most hits whose text is fetched for one pane.
const MOST_HITS: usize = 50;
/// Most bytes of one text on the page; the whole is at `/api/traces/{id}`.
const LONGEST_TEXT: usize = 32 * 1024;
/// Most bytes of a request that is offered for copying.
const LONGEST_REQUEST: usize = 64 * 1024;

/// One span with everything in it.
pub(crate) async fn span_pane(
    house: &House,
    traces: &TraceStore,
    trace: TraceId,
    span: Option<SpanId>,
    tab: Option<Tab>,
) -> Result<Option<SpanPane>, TraceError> {
    let Some(id) = span else { return Ok(None) };
    let Some(span) = traces.span(trace, id).await? else {
        return Ok(None);
    };
    let messages = messages(&span.attributes);
    let mut hits = hits_of(house, &span.attributes).await;
    if hits.is_empty() && span.operation == "gateway" {
        // What an answerer found is what its answer rests on, so it stands beside the answer.
        let whole = traces.get_light(trace).await?;
        let searched = whole.iter().flat_map(|trace| &trace.spans).find(|span| span.operation == "retrieval");
        if let Some(searched) = searched.and_then(|span| span.span_id.parse().ok())
            && let Some(searched) = traces.span(trace, searched).await?
        {
            hits = hits_of(house, &searched.attributes).await;
        }
    }
    let request = request(&span.attributes);
    Ok(Some(SpanPane {
        trace_id: trace.to_string(),
        span_id: span.span_id.clone(),
        name: span.name.clone(),
        kind: Kind::of(&span.operation),
        error: span.error.clone(),
        tab,
        messages,
        hits,
        usage: usage(&span.attributes),
        attributes: span
            .attributes
            .iter()
            .filter(|(key, _)| !key.ends_with(".messages") && *key != "hanok.hits")
            .map(|(key, value)| (key.clone(), shortened(value.clone())))
            .collect(),
        json: match tab {
            Some(Tab::Json) => shortened(serde_json::to_value(&span).unwrap_or_default()),
            // Nothing else shows it.
            _ => Value::Null,
        },
        request,
    }))
}

fn usage(attributes: &Object) -> Option<UsageView> {
    let count = |name: &str| attributes.get(&format!("gen_ai.usage.{name}")).and_then(Value::as_u64);
    let usage = UsageView {
        input: count("input_tokens"),
        cached_input: count("cache_read.input_tokens"),
        cache_write: count("cache_creation.input_tokens"),
        output: count("output_tokens"),
        reasoning: count("reasoning.output_tokens"),
        prices: None,
        cost_usd: attributes.get("hanok.cost_usd").and_then(Value::as_f64),
    };
    (usage.input.is_some() || usage.output.is_some()).then_some(usage)
}

/// The hits of a retrieval, with the text of each as the document has it now.
async fn hits_of(house: &House, attributes: &Object) -> Vec<HitView> {
    let Some(recorded) = attributes.get("hanok.hits").and_then(Value::as_array) else {
        return Vec::new();
    };
    let mut texts: HashMap<SourceId, String> = HashMap::new();
    let mut hits = Vec::with_capacity(recorded.len().min(MOST_HITS));
    for hit in recorded.iter().take(MOST_HITS) {
        let text = |name: &str| hit.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let byte = |name: &str| {
            hit.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
        };
        let source_id = text("source_id");
        if let Ok(id) = source_id.parse::<SourceId>()
            && !texts.contains_key(&id)
        {
            let found = house.library.source(id).await.ok().flatten();
            texts.insert(id, found.map(|source| source.text).unwrap_or_default());
        }
        let (start, end) = (byte("start"), byte("end"));
        let of_source = source_id.parse().ok().and_then(|id: SourceId| texts.get(&id));
        hits.push(HitView {
            text: of_source.and_then(|text| text.get(start..end)).unwrap_or_default().to_owned(),
            source_id,
            source: text("source"),
            heading: text("heading"),
            start,
            end,
            score: hit.get("score").and_then(Value::as_f64).unwrap_or(0.0),
        });
    }
    hits
}

fn messages(attributes: &Object) -> Vec<MessageView> {
    let of = |name: &str| attributes.get(name).and_then(Value::as_array).into_iter().flatten();
    let mut views: Vec<MessageView> =
        of("gen_ai.input.messages").chain(of("gen_ai.output.messages")).map(message).collect();
    if let Some(last) = views.last_mut().filter(|last| last.finish.is_some()) {
        last.tokens = attributes.get("gen_ai.usage.output_tokens").and_then(Value::as_u64);
    }
    views
}

fn message(message: &Value) -> MessageView {
    let mut view = MessageView {
        role: text(message, "role"),
        finish: message.get("finish_reason").and_then(Value::as_str).map(str::to_owned),
        ..MessageView::default()
    };
    for part in message.get("parts").and_then(Value::as_array).into_iter().flatten() {
        match part.get("type").and_then(Value::as_str).unwrap_or_default() {
            "text" => view.parts.push(PartView::Text(text(part, "content"))),
            "refusal" => view.parts.push(PartView::Refusal(text(part, "content"))),
            "reasoning" => view.parts.push(PartView::Reasoning(text(part, "content"))),
            "tool_call" => view.parts.push(PartView::ToolCall {
                id: text(part, "id"),
                name: text(part, "name"),
                arguments: text(part, "arguments"),
            }),
            "tool_call_response" => view.parts.push(PartView::ToolResult {
                call_id: text(part, "id"),
                text: text(part, "response"),
                is_error: part.get("is_error").and_then(Value::as_bool).unwrap_or(false),
            }),
            "citation" => view.citations.push(CitationView {
                title: text(part, "title"),
                url: text(part, "url"),
                quote: part.get("quote").and_then(Value::as_str).map(str::to_owned),
            }),
            other => {
                let mime = part.get("mime_type").and_then(Value::as_str);
                view.parts.push(PartView::Other(mime.unwrap_or(other).to_owned()));
            }
        }
    }
    view
}

/// A member as text: itself where it is one, else its JSON; shortened.
fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => short(text),
        Some(Value::Null) | None => String::new(),
        Some(other) => short(&other.to_string()),
    }
}

/// A value with its long texts shortened.
fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > LONGEST_TEXT => Value::String(short(&text)),
        Value::Array(items) => items.into_iter().map(shortened).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, shortened(value))).collect(),
        other => other,
    }
}

/// The beginning of a long text, and how much of it is left out: a page must stay a page.
fn short(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let (beginning, rest) = text.split_at(text.floor_char_boundary(LONGEST_TEXT));
    format!("{beginning}… (+{} bytes)", rest.len())
}

/// The request again, where its messages are plain text and so nothing would be lost.
fn request(attributes: &Object) -> Option<String> {
    let model = attributes.get("gen_ai.request.model")?.as_str()?;
    let mut messages = Vec::new();
    for message in attributes.get("gen_ai.input.messages")?.as_array()? {
        let parts = message.get("parts")?.as_array()?;
        let mut content = String::new();
        for part in parts {
            if part.get("type").and_then(Value::as_str) != Some("text") {
                return None;
            }
            content.push_str(part.get("content")?.as_str()?);
        }
        messages.push(json!({ "role": message.get("role")?, "content": content }));
    }
    let request = json!({ "model": model, "messages": messages }).to_string();
    (request.len() <= LONGEST_REQUEST).then_some(request)
}
