//! Routing without decoding.

use crate::codec::{Patch, Peek, Places};
use crate::edit::Edits;
use crate::error::{WireError, text};
use crate::members::{Members, Obj, place, read_into, skip};
use bytes::Bytes;
use serde::de::{Error, MapAccess};
use serde_json::value::RawValue;
use serde_json::{Value, json};

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

pub(super) fn peek(body: &[u8]) -> Result<Peek, WireError> {
    let text = text(body)?;
    let found = read_into(Body::default(), text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data if error.to_string().starts_with("duplicate field") => {
            WireError::member(duplicate(&error), "stands twice in the request")
        }
        serde_json::error::Category::Data => WireError::member("body", "must be a JSON object"),
        _ => WireError::json(&error, text),
    })?;
    let model =
        found.model.ok_or_else(|| WireError::member("model", "is required, such as \"hanok/extract\""))?;
    let name: String = serde_json::from_str(model.get())
        .map_err(|_| WireError::member("model", format!("must be a string, not {}", kind(model.get()))))?;
    if name.is_empty() {
        return Err(WireError::member("model", "must not be empty"));
    }
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
    let count = |raw: Option<&RawValue>| raw.and_then(|raw| serde_json::from_str::<u64>(raw.get()).ok());
    Ok(Peek {
        model: name,
        stream,
        include_usage,
        max_tokens: count(found.max_completion_tokens).or(count(found.max_tokens)),
        choices: count(found.n).and_then(|n| u32::try_from(n).ok()).unwrap_or(1).max(1),
        cache_key: found.prompt_cache_key.and_then(|raw| serde_json::from_str(raw.get()).ok()),
        at: Places {
            model: Some(place(text, model)),
            options: found.stream_options.map(|raw| place(text, raw)),
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
        let written = if peek.at.raw { patch.model.to_owned() } else { Value::from(patch.model).to_string() };
        edits.replace(at.clone(), written);
    }
    if peek.at.raw {
        return edits.apply(body, &peek.at);
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
        edits.append(&format!(r#""{name}":{limit}"#));
    }
    edits.apply(body, &peek.at)
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
            let got = peek(body.as_bytes());
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
        assert_eq!(peek(b"{\"model\":\"\xff\"}"), Err(WireError::Utf8 { offset: 10 }));
    }

    #[test]
    fn patching_changes_nothing_else() {
        let check = |body: &'static str, ask_usage: bool, expect: &str| {
            let peeked = peek(body.as_bytes()).unwrap();
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
}
