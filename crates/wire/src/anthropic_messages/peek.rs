//! Routing without decoding.

use crate::codec::{Patch, Peek, Places};
use crate::edit::Edits;
use crate::error::{WireError, text};
use crate::members::{Members, Obj, place, read_into, skip};
use bytes::Bytes;
use hanok_base::Route;
use serde::de::{Error, MapAccess};
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

#[derive(Default)]
struct Body<'a> {
    model: Option<&'a RawValue>,
    stream: Option<&'a RawValue>,
    max_tokens: Option<&'a RawValue>,
    metadata: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Body<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let (name, at) = match name {
            "model" => ("model", &mut self.model),
            "stream" => ("stream", &mut self.stream),
            "max_tokens" => ("max_tokens", &mut self.max_tokens),
            "metadata" => ("metadata", &mut self.metadata),
            _ => return skip(map),
        };
        // Upstreams differ in which of two they take, and the one that is patched must be the one that counts.
        if at.replace(map.next_value()?).is_some() {
            return Err(A::Error::duplicate_field(name));
        }
        Ok(())
    }
}

#[derive(Default)]
struct Metadata<'a> {
    user_id: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Metadata<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "user_id" => self.user_id = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

pub(super) fn peek(route: Route, body: &[u8]) -> Result<Peek, WireError> {
    let text = text(body)?;
    let found = read_into(Body::default(), text).map_err(|error| {
        let said = error.to_string();
        match error.classify() {
            Category::Data if said.starts_with("duplicate field") => {
                WireError::member(said.split('`').nth(1).unwrap_or_default(), "stands twice in the request")
            }
            Category::Data => WireError::member("body", "must be a JSON object"),
            _ => WireError::json(&error, text),
        }
    })?;
    let model = found.model.ok_or_else(|| WireError::member("model", "is required"))?;
    let name: String = serde_json::from_str(model.get())
        .map_err(|_| WireError::member("model", format!("must be a string, not {}", model.get())))?;
    if name.is_empty() {
        return Err(WireError::member("model", "must not be empty"));
    }
    let stream = match found.stream.map(RawValue::get) {
        None | Some("null" | "false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(WireError::member("stream", format!("must be true or false, not {other}")));
        }
    };
    let max_tokens = match route {
        // A count has no answer; its route refuses a limit, so none may be patched in.
        Route::CountTokens => Some(0),
        _ => found.max_tokens.and_then(|raw| serde_json::from_str(raw.get()).ok()),
    };
    let metadata: Option<Obj<Metadata<'_>>> =
        found.metadata.and_then(|raw| serde_json::from_str(raw.get()).ok());
    Ok(Peek {
        model: name,
        stream,
        // The dialect's streams always tell it.
        include_usage: true,
        max_tokens,
        choices: 1,
        // Agents name their session there, whose calls share their beginning.
        cache_key: metadata
            .and_then(|Obj(metadata)| metadata.user_id)
            .and_then(|raw| serde_json::from_str(raw.get()).ok()),
        at: Places {
            model: Some(place(text, model)),
            options: None,
            max_tokens: found.max_tokens.map(|raw| place(text, raw)),
            close: text.rfind('}').unwrap_or_default(),
            ..Places::default()
        },
    })
}

pub(super) fn patch(body: &Bytes, peek: &Peek, patch: &Patch<'_>) -> Bytes {
    let mut edits = Edits::default();
    if patch.model != peek.model
        && let Some(at) = &peek.at.model
    {
        edits.replace(at.clone(), Value::from(patch.model).to_string());
    }
    if let (Some(limit), None) = (patch.max_tokens, peek.max_tokens) {
        match &peek.at.max_tokens {
            None => edits.append(&format!(r#""max_tokens":{limit}"#)),
            Some(at) if body.get(at.clone()) == Some(b"null") => edits.replace(at.clone(), limit.to_string()),
            // What is no limit is for the upstream to refuse.
            Some(_) => {}
        }
    }
    edits.apply(body, &peek.at)
}
