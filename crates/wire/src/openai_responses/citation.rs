//! Annotations of a text, both directions.
//!
//! The dialect counts from the beginning of the text part that is annotated, [`Citation`] from the beginning
//! of the answer's text.

use crate::{quote, take};
use hanok_base::{Citation, Dialect, Object, Part};
use serde_json::Value;

/// An annotation of the text that begins at code point `base` of the answer: a citation where it is one, else
/// kept as it came.
pub(super) fn decode(value: Value, base: usize) -> Part {
    let opaque = |value| Part::Opaque { dialect: Dialect::OpenAiResponses, value };
    let Value::Object(mut object) = value else {
        return opaque(value);
    };
    if object.get("type").and_then(Value::as_str) != Some("url_citation") {
        return opaque(Value::Object(object));
    }
    object.shift_remove("type");
    let index = |object: &mut Object, name: &str| {
        take::count(object, name).ok().flatten().and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    };
    let text = |object: &mut Object, name: &str| take::string(object, name).ok().flatten();
    let quote = quote::take(&mut object);
    Part::Citation(Citation {
        start_index: index(&mut object, "start_index").saturating_add(base),
        end_index: index(&mut object, "end_index").saturating_add(base),
        url: text(&mut object, "url").unwrap_or_default(),
        title: text(&mut object, "title").unwrap_or_default(),
        quote,
        extra: object,
    })
}

/// A citation as an annotation of the text that begins at code point `base`. `own` where its unknown members
/// are under this dialect's names; `quotes` where the reader is a client, who may be shown what was quoted.
pub(super) fn encode(citation: &Citation, base: usize, own: bool, quotes: bool) -> Value {
    let mut object = Object::new();
    object.insert("type".into(), "url_citation".into());
    object.insert("start_index".into(), citation.start_index.saturating_sub(base).into());
    object.insert("end_index".into(), citation.end_index.saturating_sub(base).into());
    object.insert("url".into(), citation.url.as_str().into());
    object.insert("title".into(), citation.title.as_str().into());
    if let (true, Some(quote)) = (quotes, &citation.quote) {
        quote::put(quote, &mut object);
    }
    if own {
        object.extend(citation.extra.clone());
    }
    Value::Object(object)
}

/// Whether a value kept as it came is an annotation, rather than a content part or an item.
pub(super) fn is_annotation(value: &Value) -> bool {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    kind.ends_with("citation") || kind == "file_path"
}
