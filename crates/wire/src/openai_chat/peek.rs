//! Routing without decoding.

use super::members::{Members, Obj, place, read_into, skip};
use crate::codec::Peek;
use crate::error::{WireError, text};
use bytes::Bytes;
use serde::de::{Error, MapAccess};
use serde_json::value::RawValue;
use serde_json::{Value, json};

#[derive(Default)]
struct Body<'a> {
    model: Option<&'a RawValue>,
    stream: Option<&'a RawValue>,
    stream_options: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Body<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let (name, at) = match name {
            "model" => ("model", &mut self.model),
            "stream" => ("stream", &mut self.stream),
            "stream_options" => ("stream_options", &mut self.stream_options),
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
    Ok(Peek {
        model: name,
        stream,
        include_usage,
        model_at: place(text, model),
        stream_options_at: found.stream_options.map(|raw| place(text, raw)),
        close_at: text.rfind('}').unwrap_or_default(),
    })
}

pub(super) fn patch(body: &Bytes, peek: &Peek, model: &str, ask_usage: bool) -> Bytes {
    let ask_usage = ask_usage && !peek.include_usage;
    if model == peek.model && !ask_usage {
        return body.clone();
    }
    let mut edits = [Some((peek.model_at.clone(), Value::from(model).to_string())), None];
    if let (true, [_, second]) = (ask_usage, &mut edits) {
        *second = Some(match &peek.stream_options_at {
            Some(at) => (at.clone(), with_usage(body.get(at.clone()).unwrap_or_default())),
            None => (peek.close_at..peek.close_at, r#","stream_options":{"include_usage":true}"#.to_owned()),
        });
    }
    edits.sort_by_key(|edit| edit.as_ref().map(|(at, _)| at.start));
    let mut out = Vec::with_capacity(body.len() + 64 + model.len());
    let mut from = 0;
    for (at, new) in edits.into_iter().flatten() {
        out.extend_from_slice(body.get(from..at.start).unwrap_or_default());
        out.extend_from_slice(new.as_bytes());
        from = at.end;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Bytes::from(out)
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
            let patched = patch(&Bytes::from_static(body.as_bytes()), &peeked, "new", ask_usage);
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
