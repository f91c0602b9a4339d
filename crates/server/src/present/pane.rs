//! One span as the pane beside the tree: its messages, hits, decisions, usage.

use super::request::request;
use super::sessions;
use super::usage::usage;
use crate::House;
use crate::ui::view::{CitationView, HitView, Kind, MessageView, PartView, SpanPane, Tab};
use hanok_base::{Object, SourceId, SpanId, TraceId};
use hanok_trace::attribute as name;
use hanok_trace::{SpanView, TraceError, TraceStore};
use serde::Deserialize as _;
use serde_json::Value;
use std::collections::HashMap;

/// Most hits whose text is fetched for one pane.
const MOST_HITS: usize = 50;
/// Most messages of one pane; of a longer conversation, the last ones.
const MOST_MESSAGES: usize = 200;
/// Most bytes of one text on the page; the whole is at `/api/traces/{id}`.
const LONGEST_TEXT: usize = 32 * 1024;
/// Most bytes of one picture, in base64; larger ones are named and not shown.
const LONGEST_IMAGE: usize = 2 << 20;
/// Pictures that a browser draws without running anything.
const IMAGES: [&str; 5] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"];

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
    let (messages, left_out) = messages(&span.attributes);
    let mut hits = hits_of(house, &span.attributes).await;
    if hits.is_empty() && span.operation == "gateway" {
        // What an answerer found is what its answer rests on, so it stands beside the answer.
        let outline = traces.outline(trace).await?;
        let searched =
            outline.iter().flat_map(|whole| &whole.lines).find(|line| line.operation == "retrieval");
        if let Some(searched) = searched
            && let Some(searched) = traces.span(trace, searched.span_id).await?
        {
            hits = hits_of(house, &searched.attributes).await;
        }
    }
    let text = |name: &str| span.attributes.get(name).and_then(Value::as_str).map(str::to_owned);
    let guard = |key: &str| key.strip_prefix("hanok.guard.").map(str::to_owned);
    Ok(Some(SpanPane {
        trace_id: trace.to_string(),
        span_id: span.span_id.clone(),
        name: span.name.clone(),
        kind: Kind::of(&span.operation),
        error: span.error.clone(),
        tab,
        messages,
        left_out,
        hits,
        usage: usage(&span.attributes, &house.traces.prices()),
        guard: span
            .attributes
            .iter()
            .filter_map(|(key, value)| Some((guard(key)?, shortened(value.clone()))))
            .collect(),
        tools: tools(&span.attributes),
        scores: sessions::of_span(&sessions::scores(traces, &trace.to_string()).await?, id),
        started_at: span.start,
        duration_ms: span.duration_ms,
        ttft_ms: span.attributes.get(name::TIME_TO_FIRST_TOKEN).and_then(Value::as_f64),
        model: text(name::RESPONSE_MODEL).or_else(|| text(name::REQUEST_MODEL)),
        provider: text(name::PROVIDER),
        attributes: span
            .attributes
            .iter()
            .filter(|(key, _)| {
                !key.ends_with(".messages") && *key != "hanok.hits" && *key != name::TOOL_DEFINITIONS
            })
            .map(|(key, value)| (key.clone(), shortened(value.clone())))
            .collect(),
        json: match tab {
            Some(Tab::Json) => shortened(serde_json::to_value(&span).unwrap_or_default()),
            // Nothing else shows it.
            _ => Value::Null,
        },
        request: asked(house, &span),
    }))
}

/// The request again, of a call of this gateway or of a provider that it knows.
fn asked(house: &House, span: &SpanView) -> Option<String> {
    let provider = span.attributes.get(name::PROVIDER).and_then(Value::as_str).unwrap_or_default();
    let model = span.attributes.get(name::REQUEST_MODEL)?.as_str()?;
    if span.operation == "gateway" {
        return request(&span.attributes, model);
    }
    // A provider's own model is asked for as `provider/model`.
    let known = house.gateway.routes().providers().iter().any(|known| known.name().as_str() == provider);
    known.then(|| request(&span.attributes, &format!("{provider}/{model}")))?
}

/// The hits of a retrieval, with the text of each: as it was recorded, or as the document has it now.
async fn hits_of(house: &House, attributes: &Object) -> Vec<HitView> {
    let list = |name: &str| attributes.get(name).and_then(Value::as_array);
    let Some(recorded) = list("hanok.hits").or_else(|| list("gen_ai.retrieval.documents")) else {
        return Vec::new();
    };
    let mut texts: HashMap<SourceId, String> = HashMap::new();
    let mut hits = Vec::with_capacity(recorded.len().min(MOST_HITS));
    for hit in recorded.iter().take(MOST_HITS) {
        let first = |names: [&str; 3]| names.iter().map(|name| text(hit, name)).find(|text| !text.is_empty());
        let byte = |name: &str| {
            hit.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
        };
        let source_id = text(hit, "source_id");
        let known = source_id.parse::<SourceId>().ok();
        if let Some(id) = known
            && !texts.contains_key(&id)
        {
            let found = house.library.source(id).await.ok().flatten();
            texts.insert(id, found.map(|source| source.text).unwrap_or_default());
        }
        let (start, end) = (byte("start"), byte("end"));
        let of_source = known.and_then(|id| texts.get(&id)).and_then(|text| text.get(start..end));
        hits.push(HitView {
            text: of_source.map(short).or_else(|| first(["content", "text", "document"])).unwrap_or_default(),
            source_id: known.map(|id| id.to_string()).unwrap_or_default(),
            source: first(["source", "name", "id"]).unwrap_or_default(),
            heading: text(hit, "heading"),
            start,
            end,
            score: hit.get("score").and_then(Value::as_f64).unwrap_or(f64::NAN),
            // Hits of other programs have none.
            votes: hit.get("votes").and_then(|votes| Vec::deserialize(votes).ok()).unwrap_or_default(),
        });
    }
    hits
}

/// The tools offered: OpenTelemetry's list, in any dialect's nesting.
fn tools(attributes: &Object) -> Vec<(String, String)> {
    let Some(list) = attributes.get(name::TOOL_DEFINITIONS).and_then(Value::as_array) else {
        return Vec::new();
    };
    let one = |tool: &Value| {
        let tool = tool.get("function").unwrap_or(tool);
        (text(tool, "name"), text(tool, "description"))
    };
    list.iter().map(one).filter(|(name, _)| !name.is_empty()).collect()
}

/// The messages, and how many of a long conversation are left out at its beginning.
pub(super) fn messages(attributes: &Object) -> (Vec<MessageView>, u64) {
    let list =
        |name: &str| attributes.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let (input, output) = (list(name::INPUT_MESSAGES), list(name::OUTPUT_MESSAGES));
    let skipped = (input.len() + output.len()).saturating_sub(MOST_MESSAGES);
    let mut views: Vec<MessageView> = input.iter().chain(output).skip(skipped).map(message).collect();
    if let Some(last) = views.last_mut().filter(|last| last.finish.is_some()) {
        last.tokens = attributes.get(name::OUTPUT_TOKENS).and_then(Value::as_u64);
    }
    (views, skipped as u64)
}

/// One message as it is shown.
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
                text: first_text(part, ["response", "result"]),
                is_error: part.get("is_error").and_then(Value::as_bool).unwrap_or(false),
            }),
            "citation" => view.citations.push(CitationView {
                title: text(part, "title"),
                url: text(part, "url"),
                quote: part.get("quote").and_then(Value::as_str).map(str::to_owned),
            }),
            "blob" | "uri" | "file" => view.parts.push(medium(part)),
            // It says how the request is cached, nothing that anybody said.
            "cache_break" => {}
            other => view.parts.push(PartView::Other(other.to_owned())),
        }
    }
    view
}

/// A picture that is there is shown; whatever is elsewhere is only named, as nothing is loaded from there.
fn medium(part: &Value) -> PartView {
    let mime = part.get("mime_type").and_then(Value::as_str).unwrap_or_default();
    let kind = || {
        part.get("filename")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
            .unwrap_or(mime)
            .to_owned()
    };
    let content = part.get("content").and_then(Value::as_str).unwrap_or_default();
    let base64 = |c: u8| c.is_ascii_alphanumeric() || b"+/=-_".contains(&c);
    if IMAGES.contains(&mime)
        && !content.is_empty()
        && content.len() <= LONGEST_IMAGE
        && content.bytes().all(base64)
    {
        return PartView::Image(format!("data:{mime};base64,{content}"));
    }
    let whole = |name: &str| part.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let place = whole("uri").or_else(|| whole("file_id")).unwrap_or_default();
    if let Some((mime, _)) = place.strip_prefix("data:").and_then(|data| data.split_once(";base64,"))
        && IMAGES.contains(&mime)
        && place.len() <= LONGEST_IMAGE
    {
        return PartView::Image(place.to_owned());
    }
    match (kind(), place) {
        (kind, place) if !place.is_empty() => PartView::Link { kind, place: short(place) },
        (kind, _) if kind.is_empty() => PartView::Other(text(part, "type")),
        (kind, _) => PartView::Other(kind),
    }
}

fn first_text(value: &Value, names: [&str; 2]) -> String {
    names.iter().map(|name| text(value, name)).find(|text| !text.is_empty()).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_picture_that_is_there_is_shown_and_nothing_else_is_loaded() {
        let check = |part: Value, want: &str| {
            let got = match medium(&part) {
                PartView::Image(data) => format!("image {data}"),
                PartView::Link { kind, place } => format!("link {kind} {place}"),
                PartView::Other(what) => format!("other {what}"),
                _ => String::new(),
            };
            assert_eq!(got, want);
        };
        check(
            json!({"type": "blob", "mime_type": "image/png", "content": "AA=="}),
            "image data:image/png;base64,AA==",
        );
        check(
            json!({"type": "blob", "mime_type": "image/svg+xml", "content": "AA=="}),
            "other image/svg+xml",
        );
        check(json!({"type": "blob", "mime_type": "image/png", "content": "\" onload"}), "other image/png");
        check(json!({"type": "blob", "mime_type": "audio/wav", "content": "AA=="}), "other audio/wav");
        check(
            json!({"type": "uri", "uri": "data:image/webp;base64,AA=="}),
            "image data:image/webp;base64,AA==",
        );
        check(
            json!({"type": "uri", "uri": "data:text/html;base64,AA=="}),
            "link  data:text/html;base64,AA==",
        );
        check(json!({"type": "uri", "modality": "image", "uri": "https://a/b.png"}), "link  https://a/b.png");
        check(json!({"type": "file", "filename": "a.pdf", "file_id": "file-1"}), "link a.pdf file-1");
        check(json!({"type": "file"}), "other file");
    }
}
