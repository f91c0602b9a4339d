//! Citations, both directions. The dialect ties a citation to a block of text as a whole; ours say which stretch
//! of the answer they cover. So our own carry that beside the documented members, and are known by it.

use crate::take;
use hanok_base::chat::Quote;
use hanok_base::{Citation, Object};
use serde_json::Value;
use std::ops::Range;

/// A citation of a block whose text stands at `covers` in the answer's text, in code points.
pub(super) fn decode(value: Value, covers: Range<usize>) -> Citation {
    let Value::Object(whole) = value else {
        let extra = Object::from_iter([("citation".to_owned(), value)]);
        return Citation { start_index: covers.start, end_index: covers.end, extra, ..Citation::default() };
    };
    let mut object = whole.clone();
    let mut text = |name: &str| take::string(&mut object, name).ok().flatten();
    let title = text("title").or(text("document_title")).unwrap_or_default();
    let (url, source, cited) = (text("url"), text("source"), text("cited_text"));
    let place = |name: &str| whole.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let Some((start_index, end_index)) = place("start_index").zip(place("end_index")) else {
        let url = url.or(source).unwrap_or_default();
        return Citation {
            start_index: covers.start,
            end_index: covers.end,
            url,
            title,
            quote: None,
            extra: whole,
        };
    };
    // The last page is told as the one behind it.
    let page = |name: &str| whole.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let pages = page("start_page_number").zip(page("end_page_number"));
    let quote = place("start").zip(place("end")).map(|(start, end)| Quote {
        source: source.unwrap_or_default(),
        start,
        end,
        text: cited.unwrap_or_default(),
        pages: pages.map(|(first, behind)| (first, behind.saturating_sub(1).max(first))),
    });
    Citation { start_index, end_index, url: url.unwrap_or_default(), title, quote, extra: Object::new() }
}

/// A citation for a client; `position` among the answer's. `own` where unknown members are this dialect's.
///
/// A quote of ours is a `search_result_location`: it names a source, and quotes it as one block; or, of a document
/// with pages, a `page_location`. A `char_location` would have to count characters of a document that the client
/// sent, which it did not.
pub(super) fn encode(citation: &Citation, own: bool, position: usize) -> Value {
    if own && citation.extra.contains_key("type") {
        return Value::Object(citation.extra.clone());
    }
    if let (true, Some(value)) = (own, citation.extra.get("citation")) {
        return value.clone();
    }
    let mut object = Object::new();
    let mut set = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
    if let Some(quote) = &citation.quote {
        if let Some((first, last)) = quote.pages {
            set("type", "page_location".into());
            set("document_index", position.into());
            set("document_title", citation.title.as_str().into());
            set("start_page_number", first.into());
            // Exclusive, as the dialect has it.
            set("end_page_number", last.saturating_add(1).into());
        } else {
            set("type", "search_result_location".into());
            set("title", citation.title.as_str().into());
            set("search_result_index", position.into());
            set("start_block_index", 0.into());
            set("end_block_index", 1.into());
        }
        set("cited_text", quote.text.as_str().into());
        set("source", quote.source.as_str().into());
        set("url", citation.url.as_str().into());
        set("start", quote.start.into());
        set("end", quote.end.into());
    } else {
        set("type", "web_search_result_location".into());
        set("cited_text", "".into());
        set("encrypted_index", "".into());
        set("title", citation.title.as_str().into());
        set("url", citation.url.as_str().into());
    }
    set("start_index", citation.start_index.into());
    set("end_index", citation.end_index.into());
    Value::Object(object)
}
