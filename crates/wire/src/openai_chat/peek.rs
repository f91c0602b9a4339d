//! Routing without decoding.

use crate::codec::{Patch, Peek, Places};
use crate::edit::Edits;
use crate::error::{WireError, text};
use crate::members::{Members, Obj, place, read_into, skip};
use bytes::Bytes;
use hanok_base::Route;
use serde::de::{Error, MapAccess};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::ops::Range;

#[derive(Default)]
struct Body<'a> {
    model: Option<&'a RawValue>,
    stream: Option<&'a RawValue>,
    stream_options: Option<&'a RawValue>,
    max_tokens: Option<&'a RawValue>,
    max_completion_tokens: Option<&'a RawValue>,
    n: Option<&'a RawValue>,
    prompt_cache_key: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Body<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let (name, at) = match name {
            "model" => ("model", &mut self.model),
            "stream" => ("stream", &mut self.stream),
            "stream_options" => ("stream_options", &mut self.stream_options),
            "max_tokens" => ("max_tokens", &mut self.max_tokens),
            "max_completion_tokens" => ("max_completion_tokens", &mut self.max_completion_tokens),
            "n" => ("n", &mut self.n),
            "prompt_cache_key" => ("prompt_cache_key", &mut self.prompt_cache_key),
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
struct StreamOptions {
    include_usage: Option<bool>,
}

impl<'de> Members<'de> for StreamOptions {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "include_usage" => self.include_usage = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// The members of a chat; other routes share the ones that they have.
pub(super) fn peek(route: Route, body: &[u8]) -> Result<Peek, WireError> {
    let text = text(body)?;
    let found = read(text)?;
    let model = match (found.model, route) {
        (Some(model), _) => {
            let name: String = serde_json::from_str(model.get()).map_err(|_| {
                WireError::member("model", format!("must be a string, not {}", kind(model.get())))
            })?;
            if name.is_empty() {
                return Err(WireError::member("model", "must not be empty"));
            }
            name
        }
        // Some of these have a default.
        (None, Route::Raw(_)) => String::new(),
        (None, _) => return Err(WireError::member("model", "is required, such as \"hanok/extract\"")),
    };
    let stream = match found.stream.map(RawValue::get) {
        None | Some("null" | "false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(WireError::member("stream", format!("must be true or false, not {}", kind(other))));
        }
    };
    let include_usage = match found.stream_options.filter(|raw| raw.get() != "null") {
        None => false,
        Some(raw) => serde_json::from_str::<Obj<StreamOptions>>(raw.get())
            .map_err(|_| WireError::member("stream_options", "must be an object with boolean members"))?
            .0
            .include_usage
            .unwrap_or(false),
    };
    let newer = count("max_completion_tokens", found.max_completion_tokens, route)?;
    let older = count("max_tokens", found.max_tokens, route)?;
    let choices = count("n", found.n, route)?;
    let limit = found.max_completion_tokens.or(found.max_tokens);
    let close = text.rfind('}').unwrap_or_default();
    Ok(Peek {
        model,
        stream,
        include_usage,
        max_tokens: newer.or(older),
        choices: choices.map_or(1, |n| u32::try_from(n).unwrap_or(u32::MAX)).max(1),
        cache_key: found.prompt_cache_key.and_then(|raw| serde_json::from_str(raw.get()).ok()),
        at: Places {
            model: found.model.map(|raw| place(text, raw)),
            options: found.stream_options.map(|raw| place(text, raw)),
            max_tokens: limit.filter(|_| newer.or(older).is_none()).map(|raw| place(text, raw)),
            close,
            empty: text.get(..close).is_some_and(|before| before.trim_end().ends_with('{')),
            raw: false,
        },
    })
}

/// A count that budgets go by. What an upstream might read as another one is refused.
fn count(name: &str, raw: Option<&RawValue>, route: Route) -> Result<Option<u64>, WireError> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some(json) => match serde_json::from_str(json) {
            Ok(count) => Ok(Some(count)),
            Err(_) if route != Route::Chat => Ok(None),
            Err(_) => Err(WireError::member(name, format!("must be a whole number, not {}", json_of(json)))),
        },
    }
}

fn json_of(json: &str) -> &str {
    match kind(json) {
        "a number" => json,
        other => other,
    }
}

fn read(text: &str) -> Result<Body<'_>, WireError> {
    read_into(Body::default(), text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data if error.to_string().starts_with("duplicate field") => {
            WireError::member(duplicate(&error), "stands twice in the request")
        }
        serde_json::error::Category::Data => WireError::member("body", "must be a JSON object"),
        _ => WireError::json(&error, text),
    })
}

pub(super) fn patch(body: &Bytes, peek: &Peek, patch: &Patch<'_>) -> Bytes {
    let mut edits = Edits::default();
    if peek.at.raw {
        if let Some(at) = &peek.at.model {
            edits.replace(at.clone(), patch.model.to_owned());
        }
        return edits.apply(body, &peek.at);
    }
    if patch.model != peek.model {
        let name = Value::from(patch.model).to_string();
        match &peek.at.model {
            Some(at) => edits.replace(at.clone(), name),
            None => edits.append(&format!(r#""model":{name}"#)),
        }
    }
    if patch.ask_usage && !peek.include_usage {
        match &peek.at.options {
            Some(at) => {
                edits.replace(at.clone(), with_usage(body.get(at.clone()).unwrap_or_default()));
            }
            None => edits.append(r#""stream_options":{"include_usage":true}"#),
        }
    }
    if let (Some(limit), None) = (patch.max_tokens, peek.max_tokens) {
        let name = if patch.max_completion_tokens { "max_completion_tokens" } else { "max_tokens" };
        match peek.at.max_tokens.as_ref().and_then(|_| limit_at(body, patch.max_completion_tokens)) {
            Some(at) => edits.replace(at, limit.to_string()),
            None => edits.append(&format!(r#""{name}":{limit}"#)),
        }
    }
    edits.apply(body, &peek.at)
}

/// Where the limit stands as what is none. Seldom asked for, so that it is looked up only then.
fn limit_at(body: &[u8], max_completion_tokens: bool) -> Option<Range<usize>> {
    let text = text(body).ok()?;
    let found = read(text).ok()?;
    let limit = if max_completion_tokens { found.max_completion_tokens } else { found.max_tokens };
    limit.map(|raw| place(text, raw))
}

/// The stream options, usage asked for.
fn with_usage(options: &[u8]) -> String {
    match serde_json::from_slice(options) {
        Ok(Value::Object(mut options)) => {
            options.insert("include_usage".to_owned(), Value::Bool(true));
            Value::Object(options).to_string()
        }
        _ => json!({ "include_usage": true }).to_string(),
    }
}

fn kind(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

fn duplicate(error: &serde_json::Error) -> String {
    error.to_string().split('`').nth(1).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_routing_needs() {
        let check = |body: &str, expect: Result<(&str, bool, bool), &str>| {
            let got = peek(Route::Chat, body.as_bytes());
            match (&got, expect) {
                (Ok(peek), Ok((model, stream, usage))) => {
                    assert_eq!(
                        (peek.model.as_str(), peek.stream, peek.include_usage),
                        (model, stream, usage)
                    );
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{body}: {error}"),
                _ => panic!("{body}: {got:?}"),
            }
        };
        check(r#"{"model":"a/b","messages":[]}"#, Ok(("a/b", false, false)));
        check(r#"{"messages":[{"model":"x"}],"stream":true,"model":"a\u002fb"}"#, Ok(("a/b", true, false)));
        check(
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
            Ok(("m", true, true)),
        );
        check(r#"{"model":"m","stream":null,"stream_options":null}"#, Ok(("m", false, false)));
        check(r#"{"messages":[]}"#, Err("`model`: is required"));
        check(r#"{"model":7}"#, Err("must be a string, not a number"));
        check(r#"{"model":""}"#, Err("must not be empty"));
        check(r#"{"model":"m","stream":"yes"}"#, Err("`stream`: must be true or false"));
        check(r#"{"model":"m","model":"n"}"#, Err("`model`: stands twice"));
        check(r"[]", Err("must be a JSON object"));
        check(r#"["m",true,null]"#, Err("must be a JSON object"));
        check(r#"{"model":"m","mode\u006c":"n"}"#, Err("`model`: stands twice"));
        check(r#"{"model":"m","stream_options":[true]}"#, Err("`stream_options`: must be an object"));
        check("{\n \"model\": \"m\",\n oops}", Err("line 3, column 2 (byte 18)"));
        check("", Err("not valid JSON"));
        assert_eq!(peek(Route::Chat, b"{\"model\":\"\xff\"}"), Err(WireError::Utf8 { offset: 10 }));
    }

    #[test]
    fn patching_changes_nothing_else() {
        let check = |body: &'static str, ask_usage: bool, expect: &str| {
            let peeked = peek(Route::Chat, body.as_bytes()).unwrap();
            let patched = patch(
                &Bytes::from_static(body.as_bytes()),
                &peeked,
                &Patch { model: "new", ask_usage, ..Patch::default() },
            );
            assert_eq!(std::str::from_utf8(&patched).unwrap(), expect);
        };
        check(r#"{ "x":1e2, "model" : "old" ,"y":"é"} "#, false, r#"{ "x":1e2, "model" : "new" ,"y":"é"} "#);
        check(
            r#"{"model":"old","stream":true}"#,
            true,
            r#"{"model":"new","stream":true,"stream_options":{"include_usage":true}}"#,
        );
        check(
            r#"{"stream_options":{"z":1,"include_usage":false},"model":"old","stream":true}"#,
            true,
            r#"{"stream_options":{"z":1,"include_usage":true},"model":"new","stream":true}"#,
        );
        check(
            r#"{"model":"old","stream_options":null}"#,
            true,
            r#"{"model":"new","stream_options":{"include_usage":true}}"#,
        );
    }

    #[test]
    fn limits() {
        let check = |body: &str, expect: Result<(Option<u64>, u32), &str>| {
            let got = peek(Route::Chat, body.as_bytes()).map(|peek| (peek.max_tokens, peek.choices));
            match expect {
                Ok(expect) => assert_eq!(got, Ok(expect), "{body}"),
                Err(part) => assert!(got.unwrap_err().to_string().contains(part), "{body}"),
            }
        };
        check(r#"{"model":"m"}"#, Ok((None, 1)));
        check(r#"{"model":"m","max_tokens":7,"n":3}"#, Ok((Some(7), 3)));
        check(r#"{"model":"m","max_tokens":7,"max_completion_tokens":9}"#, Ok((Some(9), 1)));
        check(r#"{"model":"m","max_tokens":null,"max_completion_tokens":null,"n":null}"#, Ok((None, 1)));
        check(r#"{"model":"m","max_tokens":"7"}"#, Err("`max_tokens`: must be a whole number, not a string"));
        check(r#"{"model":"m","max_completion_tokens":7.0}"#, Err("must be a whole number, not 7.0"));
        check(r#"{"model":"m","max_completion_tokens":-1}"#, Err("must be a whole number, not -1"));
        check(r#"{"model":"m","max_completion_tokens":{}}"#, Err("must be a whole number, not an object"));
        check(r#"{"model":"m","max_tokens":-1,"max_completion_tokens":9}"#, Err("`max_tokens`: must be"));
        check(r#"{"model":"m","n":-1}"#, Err("`n`: must be a whole number, not -1"));
        check(r#"{"model":"m","max_tokens":1,"max_tokens":2}"#, Err("`max_tokens`: stands twice"));

        let patched = |body: &'static str, max_completion_tokens: bool| {
            let patch = Patch { model: "m", max_tokens: Some(64), max_completion_tokens, ask_usage: false };
            let peeked = peek(Route::Chat, body.as_bytes()).unwrap();
            let bytes = super::patch(&Bytes::from_static(body.as_bytes()), &peeked, &patch);
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        let check = |body: &'static str, older: &str, newer: &str| {
            assert_eq!((patched(body, false).as_str(), patched(body, true).as_str()), (older, newer));
        };
        let set = r#"{"max_tokens":7,"model":"m"}"#;
        check(set, set, set);
        check(
            r#"{"model":"m"}"#,
            r#"{"model":"m","max_tokens":64}"#,
            r#"{"model":"m","max_completion_tokens":64}"#,
        );
        check(
            r#"{"max_tokens" : null, "model":"m"}"#,
            r#"{"max_tokens" : 64, "model":"m"}"#,
            r#"{"max_tokens" : null, "model":"m","max_completion_tokens":64}"#,
        );
        check(
            r#"{"max_completion_tokens":null,"max_tokens":null,"model":"m"}"#,
            r#"{"max_completion_tokens":null,"max_tokens":64,"model":"m"}"#,
            r#"{"max_completion_tokens":64,"max_tokens":null,"model":"m"}"#,
        );
    }

    #[test]
    fn other_routes() {
        let check = |route: Route, body: &'static str, expect: Result<&str, &str>| {
            let got = peek(route, body.as_bytes());
            match expect {
                Ok(expect) => {
                    let patch = Patch { model: "new", ..Patch::default() };
                    let bytes = super::patch(&Bytes::from_static(body.as_bytes()), &got.unwrap(), &patch);
                    assert_eq!(std::str::from_utf8(&bytes).unwrap(), expect);
                }
                Err(part) => assert!(got.unwrap_err().to_string().contains(part), "{body}"),
            }
        };
        let raw = Route::Raw("images/generations");
        check(
            Route::Embeddings,
            r#"{"input":[[1,2]],"model":"m"}"#,
            Ok(r#"{"input":[[1,2]],"model":"new"}"#),
        );
        check(Route::Embeddings, r#"{"input":"a"}"#, Err("`model`: is required"));
        check(
            Route::Rerank,
            r#"{"model":"m","query":"q","documents":[]}"#,
            Ok(r#"{"model":"new","query":"q","documents":[]}"#),
        );
        check(raw, r#"{"model":"m","n":1.0}"#, Ok(r#"{"model":"new","n":1.0}"#));
        check(raw, r#"{"prompt":"a cat"}"#, Ok(r#"{"prompt":"a cat","model":"new"}"#));
        check(raw, "{ }", Ok(r#"{ "model":"new"}"#));
        check(raw, r#"{"model":7}"#, Err("must be a string"));

        // On other routes what is no limit is the upstream's affair, unless one is asked for: then it is that.
        let limited = |body: &'static str, max_completion_tokens: bool| {
            let patch = Patch { model: "m", max_tokens: Some(64), max_completion_tokens, ..Patch::default() };
            let bytes = super::patch(
                &Bytes::from_static(body.as_bytes()),
                &peek(raw, body.as_bytes()).unwrap(),
                &patch,
            );
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        let set = r#"{"model":"m","max_completion_tokens":64}"#;
        assert_eq!(limited(r#"{"model":"m","max_completion_tokens":-1}"#, true), set);
        assert_eq!(limited(r#"{"model":"m","max_completion_tokens":{}}"#, true), set);
        assert_eq!(limited(r#"{"model":"m","max_tokens":"x"}"#, false), r#"{"model":"m","max_tokens":64}"#);
    }
}
