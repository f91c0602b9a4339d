//! Routing without decoding.

use crate::codec::{Patch, Peek, Places};
use crate::edit::Edits;
use crate::error::{WireError, text};
use crate::members::{Members, Obj, place, read_into, skip};
use bytes::Bytes;
use hanok_base::Route;
use serde::de::{Error, MapAccess};
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Default)]
struct Body<'a> {
    model: Option<&'a RawValue>,
    stream: Option<&'a RawValue>,
    options: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Body<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let (name, at) = match name {
            "model" => ("model", &mut self.model),
            "stream" => ("stream", &mut self.stream),
            "options" => ("options", &mut self.options),
            _ => return skip(map),
        };
        once(name, at, map)
    }
}

#[derive(Default)]
struct Options<'a> {
    num_predict: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Options<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "num_predict" => once("num_predict", &mut self.num_predict, map),
            _ => skip(map),
        }
    }
}

/// Readers differ in which of two they take, and the one that is patched must be the one that counts.
fn once<'de, A: MapAccess<'de>>(
    name: &'static str,
    at: &mut Option<&'de RawValue>,
    map: &mut A,
) -> Result<(), A::Error> {
    if at.replace(map.next_value()?).is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    Ok(())
}

/// Answers are streamed unless the client says otherwise; embeddings never are.
pub(super) fn peek(route: Route, body: &[u8]) -> Result<Peek, WireError> {
    let text = text(body)?;
    let found = read_into(Body::default(), text).map_err(|error| refused(&error, text, "body"))?;
    let model = found.model.ok_or_else(|| WireError::member("model", "is required"))?;
    let name: String =
        serde_json::from_str(model.get()).map_err(|_| WireError::member("model", "must be a string"))?;
    if name.is_empty() {
        return Err(WireError::member("model", "must not be empty"));
    }
    let stream = match found.stream.map(RawValue::get) {
        None | Some("null" | "true") => true,
        Some("false") => false,
        Some(_) => return Err(WireError::member("stream", "must be true or false")),
    };
    let limit = match found.options.filter(|raw| raw.get() != "null") {
        None => None,
        Some(raw) => {
            serde_json::from_str::<Obj<Options<'_>>>(raw.get())
                .map_err(|error| refused(&error, raw.get(), "options"))?
                .0
                .num_predict
        }
    };
    // Zero and less mean that there is no limit, or one that only the model knows.
    let max_tokens = limit.and_then(|raw| serde_json::from_str::<f64>(raw.get()).ok()).and_then(count);
    Ok(Peek {
        model: name,
        stream: stream && route == Route::Chat,
        include_usage: true,
        max_tokens,
        choices: 1,
        cache_key: None,
        at: Places {
            model: Some(place(text, model)),
            options: found.options.map(|raw| place(text, raw)),
            max_tokens: limit.filter(|_| max_tokens.is_none()).map(|raw| place(text, raw)),
            close: text.rfind('}').unwrap_or_default(),
            raw: false,
            empty: false,
        },
    })
}

fn count(number: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in the range of both")]
    (1.0..9e15).contains(&number).then_some(number as u64)
}

fn refused(error: &serde_json::Error, text: &str, what: &str) -> WireError {
    let said = error.to_string();
    match (error.classify(), said.strip_prefix("duplicate field `").and_then(|rest| rest.split('`').next())) {
        (serde_json::error::Category::Data, Some(name)) => {
            WireError::member(name, "stands twice in the request")
        }
        (serde_json::error::Category::Data, None) => WireError::member(what, "must be a JSON object"),
        _ => WireError::json(error, text),
    }
}

/// Usage is always told, so that nothing asks for it.
pub(super) fn patch(body: &Bytes, peek: &Peek, patch: &Patch<'_>) -> Bytes {
    let mut edits = Edits::default();
    if patch.model != peek.model
        && let Some(at) = &peek.at.model
    {
        edits.replace(at.clone(), Value::from(patch.model).to_string());
    }
    if let (Some(limit), None) = (patch.max_tokens, peek.max_tokens) {
        match (&peek.at.max_tokens, &peek.at.options) {
            (Some(at), _) => edits.replace(at.clone(), limit.to_string()),
            (None, Some(at)) => {
                let options = body.get(at.clone()).unwrap_or_default();
                match options.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")) {
                    Some(inner) => {
                        let comma = if inner.trim_ascii().is_empty() { "" } else { "," };
                        let end = at.end.saturating_sub(1);
                        edits.replace(end..end, format!(r#"{comma}"num_predict":{limit}"#));
                    }
                    None => edits.replace(at.clone(), format!(r#"{{"num_predict":{limit}}}"#)),
                }
            }
            (None, None) => edits.append(&format!(r#""options":{{"num_predict":{limit}}}"#)),
        }
    }
    edits.apply(body, &peek.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_routing_needs() {
        let check = |route: Route, body: &str, expect: Result<(&str, bool, Option<u64>), &str>| {
            let got = peek(route, body.as_bytes());
            match (&got, expect) {
                (Ok(peek), Ok((model, stream, limit))) => {
                    let seen = (peek.model.as_str(), peek.stream, peek.max_tokens);
                    assert_eq!(seen, (model, stream, limit), "{body}");
                    assert!(peek.include_usage);
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{body}: {error}"),
                _ => panic!("{body}: {got:?}"),
            }
        };
        let chat = Route::Chat;
        check(chat, r#"{"model":"a:7b"}"#, Ok(("a:7b", true, None)));
        check(chat, r#"{"model":"a","stream":null,"options":null}"#, Ok(("a", true, None)));
        check(chat, r#"{"model":"a","stream":false,"options":{"num_predict":7}}"#, Ok(("a", false, Some(7))));
        check(chat, r#"{"model":"a","options":{"num_predict":64.0}}"#, Ok(("a", true, Some(64))));
        check(chat, r#"{"model":"a","options":{"num_predict":-1}}"#, Ok(("a", true, None)));
        check(Route::Embeddings, r#"{"model":"a","input":"x"}"#, Ok(("a", false, None)));
        check(chat, r#"{"messages":[]}"#, Err("`model`: is required"));
        check(chat, r#"{"model":7}"#, Err("`model`: must be a string"));
        check(chat, r#"{"model":""}"#, Err("must not be empty"));
        check(chat, r#"{"model":"a","stream":"yes"}"#, Err("`stream`: must be true or false"));
        check(chat, r#"{"model":"a","mode\u006c":"b"}"#, Err("`model`: stands twice"));
        check(chat, r#"{"model":"a","options":{},"options":{}}"#, Err("`options`: stands twice"));
        check(
            chat,
            r#"{"model":"a","options":{"num_predict":1,"num_predict":2}}"#,
            Err("`num_predict`: stands twice"),
        );
        check(chat, r#"{"model":"a","options":[1]}"#, Err("`options`: must be a JSON object"));
        check(chat, "[]", Err("must be a JSON object"));
        check(chat, "{\n oops}", Err("line 2, column 2"));
    }

    #[test]
    fn patching_changes_nothing_else() {
        let check = |body: &'static str, max_tokens: Option<u64>, expect: &str| {
            let peeked = peek(Route::Chat, body.as_bytes()).unwrap();
            let patch_with = Patch { model: "new", max_tokens, ask_usage: true, ..Patch::default() };
            let patched = patch(&Bytes::from_static(body.as_bytes()), &peeked, &patch_with);
            assert_eq!(std::str::from_utf8(&patched).unwrap(), expect);
        };
        check(r#"{ "x":1e2, "model" : "old" ,"y":"é"} "#, None, r#"{ "x":1e2, "model" : "new" ,"y":"é"} "#);
        check(r#"{"model":"old"}"#, Some(9), r#"{"model":"new","options":{"num_predict":9}}"#);
        check(r#"{"options":{ },"model":"old"}"#, Some(9), r#"{"options":{ "num_predict":9},"model":"new"}"#);
        check(
            r#"{"options":{"seed":1 },"model":"old"}"#,
            Some(9),
            r#"{"options":{"seed":1 ,"num_predict":9},"model":"new"}"#,
        );
        check(
            r#"{"model":"old","options":{"num_predict": -1,"seed":1}}"#,
            Some(9),
            r#"{"model":"new","options":{"num_predict": 9,"seed":1}}"#,
        );
        check(
            r#"{"model":"old","options":{"num_predict":5}}"#,
            Some(9),
            r#"{"model":"new","options":{"num_predict":5}}"#,
        );
        check(r#"{"model":"old","options":null}"#, Some(9), r#"{"model":"new","options":{"num_predict":9}}"#);
    }
}
