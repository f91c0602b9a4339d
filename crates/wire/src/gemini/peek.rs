//! Routing without decoding. Model and stream stand in the URL; what routing needs of the body is its limit.

use super::forms::{camel_name, whole};
use super::models;
use crate::codec::{Patch, Peek, Places};
use crate::edit::Edits;
use crate::error::{WireError, text};
use crate::members::{Members, Obj, place, read_into, skip};
use bytes::Bytes;
use serde::de::{Error, MapAccess};
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Default)]
struct Body<'a> {
    generation: Option<&'a RawValue>,
    inner: Option<&'a RawValue>,
    /// The models that the body names beside the URL: its own, and those of a batch's entries.
    model: Option<&'a RawValue>,
    requests: Option<&'a RawValue>,
    empty: Empty,
}

struct Empty(bool);

impl Default for Empty {
    fn default() -> Self {
        Self(true)
    }
}

impl<'de> Members<'de> for Body<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        self.empty = Empty(false);
        let (name, at) = match camel_name(name).as_ref() {
            "generationConfig" => ("generationConfig", &mut self.generation),
            "generateContentRequest" => ("generateContentRequest", &mut self.inner),
            "model" => ("model", &mut self.model),
            "requests" => ("requests", &mut self.requests),
            _ => return skip(map),
        };
        take(name, at, map)
    }
}

/// Takes a member that must stand once: the one that is patched must be the one that counts.
fn take<'de, A: MapAccess<'de>>(
    name: &'static str,
    at: &mut Option<&'de RawValue>,
    map: &mut A,
) -> Result<(), A::Error> {
    if at.replace(map.next_value()?).is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    Ok(())
}

#[derive(Default)]
struct Generation<'a> {
    max_tokens: Option<&'a RawValue>,
    candidates: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Generation<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match camel_name(name).as_ref() {
            "maxOutputTokens" => take("maxOutputTokens", &mut self.max_tokens, map),
            "candidateCount" => take("candidateCount", &mut self.candidates, map),
            _ => skip(map),
        }
    }
}

fn wrong(error: &serde_json::Error, text: &str, name: &str) -> WireError {
    match error.classify() {
        serde_json::error::Category::Data if error.to_string().starts_with("duplicate field") => {
            let twice = error.to_string().split('`').nth(1).unwrap_or_default().to_owned();
            WireError::member(twice, "stands twice in the request")
        }
        serde_json::error::Category::Data => WireError::member(name, "must be a JSON object"),
        _ => WireError::json(error, text),
    }
}

fn body(text: &str) -> Result<Body<'_>, WireError> {
    read_into(Body::default(), text).map_err(|error| wrong(&error, text, "body"))
}

pub(super) fn peek(bytes: &[u8]) -> Result<Peek, WireError> {
    let text = text(bytes)?;
    let found = body(text)?;
    let settings = found.generation.filter(|raw| raw.get() != "null");
    let generation = match settings {
        None => Generation::default(),
        Some(raw) => {
            serde_json::from_str::<Obj<Generation<'_>>>(raw.get())
                .map_err(|error| wrong(&error, raw.get(), "generationConfig"))?
                .0
        }
    };
    let count = |raw: Option<&RawValue>| raw.and_then(|raw| whole(&serde_json::from_str(raw.get()).ok()?));
    let is_null = |raw: &&RawValue| raw.get() == "null";
    let max_tokens = count(generation.max_tokens);
    if max_tokens.is_none() && !generation.max_tokens.as_ref().is_none_or(is_null) {
        return Err(WireError::member("generationConfig.maxOutputTokens", "must be a whole number"));
    }
    let named = [found.model, found.requests, found.inner].into_iter().flatten().next();
    Ok(Peek {
        model: String::new(),
        stream: false,
        // Usage is always told.
        include_usage: true,
        max_tokens,
        choices: count(generation.candidates).and_then(|n| u32::try_from(n).ok()).unwrap_or(1).max(1),
        cache_key: None,
        at: Places {
            model: named.map(|raw| place(text, raw)),
            options: found.generation.map(|raw| place(text, raw)),
            max_tokens: generation.max_tokens.filter(is_null).map(|raw| place(text, raw)),
            close: text.rfind('}').unwrap_or_default(),
            empty: found.empty.0,
            raw: false,
        },
    })
}

pub(super) fn patch(bytes: &Bytes, peek: &Peek, patch: &Patch<'_>) -> Bytes {
    let mut edits = Edits::default();
    if peek.at.model.is_some()
        && !patch.model.is_empty()
        && let Ok(text) = text(bytes)
    {
        rename(text, patch.model, &mut edits);
    }
    if let (Some(limit), None) = (patch.max_tokens, peek.max_tokens) {
        let member = format!(r#""maxOutputTokens":{limit}"#);
        let options = peek.at.options.as_ref().and_then(|at| Some((at, bytes.get(at.clone())?)));
        match (options, &peek.at.max_tokens) {
            (_, Some(at)) => edits.replace(at.clone(), limit.to_string()),
            (None, None) => edits.append(&format!(r#""generationConfig":{{{member}}}"#)),
            (Some((at, b"null")), None) => edits.replace(at.clone(), format!("{{{member}}}")),
            (Some((at, options)), None) => {
                let within = options.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
                let alone = within.is_some_and(|within| within.trim_ascii().is_empty());
                let close = at.end.saturating_sub(1);
                edits.replace(close..close, if alone { member } else { format!(",{member}") });
            }
        }
    }
    edits.apply(bytes, &peek.at)
}

/// Writes the model's name wherever the body names one: the API refuses what differs from the URL.
fn rename(text: &str, model: &str, edits: &mut Edits) {
    let Ok(found) = body(text) else {
        return;
    };
    let inner = found.inner.and_then(|raw| body(raw.get()).ok());
    let entries: Vec<&RawValue> =
        found.requests.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let entries = entries.iter().filter_map(|raw| body(raw.get()).ok()).filter_map(|entry| entry.model);
    let name = Value::from(models::resource(model)).to_string();
    for raw in found.model.into_iter().chain(inner.and_then(|inner| inner.model)).chain(entries) {
        if raw.get().starts_with('"') && raw.get() != name {
            edits.replace(place(text, raw), name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_routing_needs() {
        let check = |body: &str, expect: Result<(Option<u64>, u32), &str>| {
            let got = peek(body.as_bytes());
            match (&got, expect) {
                (Ok(peek), Ok(expect)) => assert_eq!((peek.max_tokens, peek.choices), expect, "{body}"),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{body}: {error}"),
                _ => panic!("{body}: {got:?}"),
            }
        };
        check(r#"{"contents":[]}"#, Ok((None, 1)));
        check("{}", Ok((None, 1)));
        check(r#"{"generationConfig":{"maxOutputTokens":7,"candidateCount":2}}"#, Ok((Some(7), 2)));
        check(r#"{"generation_config":{"max_output_tokens":"7"}}"#, Ok((Some(7), 1)));
        check(r#"{"generationConfig":null}"#, Ok((None, 1)));
        check(r#"{"generationConfig":[]}"#, Err("`generationConfig`: must be a JSON object"));
        check(r#"{"generationConfig":{},"generation_config":{}}"#, Err("`generationConfig`: stands twice"));
        check(
            r#"{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}}"#,
            Err("`maxOutputTokens`: stands twice"),
        );
        check(r#"{"generationConfig":{"maxOutputTokens":null}}"#, Ok((None, 1)));
        check(
            r#"{"generationConfig":{"maxOutputTokens":-1}}"#,
            Err("`generationConfig.maxOutputTokens`: must be a whole"),
        );
        check("[]", Err("must be a JSON object"));
        check("{", Err("not valid JSON"));
        assert_eq!(peek(b"{\"a\":\"\xff\"}"), Err(WireError::Utf8 { offset: 6 }));
    }

    #[test]
    fn patching_changes_nothing_else() {
        let check = |body: &'static str, model: &str, max_tokens: Option<u64>, expect: &str| {
            let bytes = Bytes::from_static(body.as_bytes());
            let options = Patch { model, max_tokens, ..Patch::default() };
            let patched = patch(&bytes, &peek(&bytes).unwrap(), &options);
            assert_eq!(std::str::from_utf8(&patched).unwrap(), expect);
        };
        check(r#"{ "contents" : [] } "#, "m", None, r#"{ "contents" : [] } "#);
        check(r"{}", "m", Some(5), r#"{"generationConfig":{"maxOutputTokens":5}}"#);
        check(r#"{"a":1}"#, "m", Some(5), r#"{"a":1,"generationConfig":{"maxOutputTokens":5}}"#);
        check(
            r#"{"generationConfig":{ "topK":1.0 },"a":{}}"#,
            "m",
            Some(5),
            r#"{"generationConfig":{ "topK":1.0 ,"maxOutputTokens":5},"a":{}}"#,
        );
        check(
            r#"{"generation_config":{ }}"#,
            "m",
            Some(5),
            r#"{"generation_config":{ "maxOutputTokens":5}}"#,
        );
        check(r#"{"generationConfig":null}"#, "m", Some(5), r#"{"generationConfig":{"maxOutputTokens":5}}"#);
        check(
            r#"{"generationConfig":{"maxOutputTokens":null}}"#,
            "m",
            Some(5),
            r#"{"generationConfig":{"maxOutputTokens":5}}"#,
        );
        let set = r#"{"generationConfig":{"maxOutputTokens":3}}"#;
        check(set, "m", Some(5), set);
        check(
            r#"{"requests":[{"model":"models/a","content":{"model":"b"}}, {"content":{},"model" : "a"}]}"#,
            "c",
            None,
            r#"{"requests":[{"model":"models/c","content":{"model":"b"}}, {"content":{},"model" : "models/c"}]}"#,
        );
        check(
            r#"{"generateContentRequest":{"model":"models/a","contents":[]}}"#,
            "tunedModels/c",
            None,
            r#"{"generateContentRequest":{"model":"tunedModels/c","contents":[]}}"#,
        );
        check(r#"{"model":"models/a","x":"models/a"}"#, "c", None, r#"{"model":"models/c","x":"models/a"}"#);
        check(r#"{"model":7,"requests":{"a":1}}"#, "c", None, r#"{"model":7,"requests":{"a":1}}"#);
    }
}
