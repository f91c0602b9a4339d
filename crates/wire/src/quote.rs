//! What Hanok tells of a quotation in dialects that know no more of a source than its address, both directions.

use crate::take;
use hanok_base::Object;
use hanok_base::chat::Quote;
use serde_json::{Value, json};

/// Takes a quotation out of an object, where it holds one.
pub(crate) fn take(object: &mut Object) -> Option<Quote> {
    if !object.get("quote").is_some_and(Value::is_string) {
        return None;
    }
    let index = |object: &mut Object, name: &str| {
        take::count(object, name).ok().flatten().and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    };
    let text =
        |object: &mut Object, name: &str| take::string(object, name).ok().flatten().unwrap_or_default();
    Some(Quote {
        source: text(object, "source"),
        start: index(object, "start"),
        end: index(object, "end"),
        text: text(object, "quote"),
        pages: take::some(object, "pages").and_then(|pages| serde_json::from_value(pages).ok()),
    })
}

/// Puts a quotation into an object: its document, bytes, text, and the pages it stands on where they are known.
pub(crate) fn put(quote: &Quote, object: &mut Object) {
    object.insert("source".into(), quote.source.as_str().into());
    object.insert("start".into(), quote.start.into());
    object.insert("end".into(), quote.end.into());
    object.insert("quote".into(), quote.text.as_str().into());
    if let Some((first, last)) = quote.pages {
        object.insert("pages".into(), json!([first, last]));
    }
}
