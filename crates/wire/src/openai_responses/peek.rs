//! Routing without decoding.

use super::state::State;
use crate::codec::{Patch, Peek, Places};
use crate::edit::Edits;
use crate::error::{WireError, text};
use crate::members::{Members, place, read_into, skip};
use crate::prompted::named_prompt;
use bytes::Bytes;
use serde::de::{Error, MapAccess};
use serde_json::Value;
use serde_json::value::RawValue;

/// The members of a request that somebody goes by before it is decoded.
#[derive(Default)]
pub(super) struct Body<'a> {
    pub(super) model: Option<&'a RawValue>,
    pub(super) stream: Option<&'a RawValue>,
    pub(super) max_output_tokens: Option<&'a RawValue>,
    pub(super) prompt_cache_key: Option<&'a RawValue>,
    pub(super) store: Option<&'a RawValue>,
    pub(super) previous_response_id: Option<&'a RawValue>,
    pub(super) background: Option<&'a RawValue>,
    pub(super) conversation: Option<&'a RawValue>,
    pub(super) input: Option<&'a RawValue>,
    pub(super) include: Option<&'a RawValue>,
    pub(super) reasoning: Option<&'a RawValue>,
    /// How many members there are.
    members: usize,
}

impl<'de> Members<'de> for Body<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        self.members += 1;
        let (name, at) = match name {
            "model" => ("model", &mut self.model),
            "stream" => ("stream", &mut self.stream),
            "max_output_tokens" => ("max_output_tokens", &mut self.max_output_tokens),
            "prompt_cache_key" => ("prompt_cache_key", &mut self.prompt_cache_key),
            "store" => ("store", &mut self.store),
            "previous_response_id" => ("previous_response_id", &mut self.previous_response_id),
            "background" => ("background", &mut self.background),
            "conversation" => ("conversation", &mut self.conversation),
            "input" => ("input", &mut self.input),
            "include" => ("include", &mut self.include),
            "reasoning" => ("reasoning", &mut self.reasoning),
            _ => return skip(map),
        };
        // Upstreams differ in which of two they take, and the one that is changed must be the one that counts.
        if at.replace(map.next_value()?).is_some() {
            return Err(A::Error::duplicate_field(name));
        }
        Ok(())
    }
}

impl<'a> Body<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<(&'a str, Self), WireError> {
        let text = text(body)?;
        let found = read_into(Self::default(), text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data if error.to_string().starts_with("duplicate field") => {
                let said = error.to_string();
                WireError::member(said.split('`').nth(1).unwrap_or_default(), "stands twice in the request")
            }
            serde_json::error::Category::Data => WireError::member("body", "must be a JSON object"),
            _ => WireError::json(&error, text),
        })?;
        Ok((text, found))
    }

    /// Where members can be added, after so many were removed.
    pub(super) fn places(&self, text: &str, removed: usize) -> Places {
        let close = text.rfind('}').unwrap_or_default();
        Places { close, empty: self.members <= removed, ..Places::default() }
    }

    pub(super) fn state(&self) -> State {
        let is = |raw: Option<&RawValue>, what: &str| raw.is_some_and(|raw| raw.get() == what);
        State {
            store: !is(self.store, "false"),
            previous_response_id: self
                .previous_response_id
                .and_then(|raw| serde_json::from_str::<Option<String>>(raw.get()).ok().flatten()),
            background: is(self.background, "true"),
            conversation: self.conversation.is_some_and(|raw| raw.get() != "null"),
        }
    }
}

pub(super) fn peek(body: &[u8]) -> Result<Peek, WireError> {
    let (text, found) = Body::read(body)?;
    let name: String = match found.model {
        Some(model) => {
            serde_json::from_str(model.get()).map_err(|_| WireError::member("model", "must be a string"))?
        }
        // The prompt may name one.
        None if named_prompt(body).is_some() => String::new(),
        None => return Err(WireError::member("model", "is required, such as \"hanok/extract\"")),
    };
    if name.is_empty() && found.model.is_some() {
        return Err(WireError::member("model", "must not be empty"));
    }
    let stream = match found.stream.map(RawValue::get) {
        None | Some("null" | "false") => false,
        Some("true") => true,
        Some(_) => return Err(WireError::member("stream", "must be true or false")),
    };
    let limit = found.max_output_tokens;
    let max_tokens: Option<u64> = limit
        .map_or(Ok(None), |raw| serde_json::from_str(raw.get()))
        .map_err(|_| WireError::member("max_output_tokens", "must be a whole number"))?;
    Ok(Peek {
        model: name,
        stream,
        // A stream of this dialect always ends with it.
        include_usage: true,
        max_tokens,
        choices: 1,
        cache_key: found.prompt_cache_key.and_then(|raw| serde_json::from_str(raw.get()).ok()),
        at: Places {
            model: found.model.map(|model| place(text, model)),
            max_tokens: limit.filter(|raw| raw.get() == "null").map(|raw| place(text, raw)),
            ..found.places(text, 0)
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
            Some(at) => edits.replace(at.clone(), limit.to_string()),
            None => edits.append(&format!(r#""max_output_tokens":{limit}"#)),
        }
    }
    edits.apply(body, &peek.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_routing_needs() {
        let check = |body: &str, expect: Result<(&str, bool, Option<u64>), &str>| {
            let got = peek(body.as_bytes());
            match (&got, expect) {
                (Ok(peek), Ok(expect)) => {
                    assert_eq!((peek.model.as_str(), peek.stream, peek.max_tokens), expect, "{body}");
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{body}: {error}"),
                _ => panic!("{body}: {got:?}"),
            }
        };
        check(r#"{"model":"a/b","input":"hi","stream":true}"#, Ok(("a/b", true, None)));
        check(
            r#"{"model":"m","input":[{"model":"x","store":1}],"max_output_tokens":64}"#,
            Ok(("m", false, Some(64))),
        );
        check(r#"{"model":"m","stream":null,"max_output_tokens":null}"#, Ok(("m", false, None)));
        check(r#"{"input":"hi"}"#, Err("`model`: is required"));
        check(r#"{"model":7}"#, Err("`model`: must be a string"));
        check(r#"{"model":""}"#, Err("must not be empty"));
        check(r#"{"model":"m","stream":"yes"}"#, Err("`stream`: must be true or false"));
        check(r#"{"model":"m","store":true,"st\u006fre":false}"#, Err("`store`: stands twice"));
        check(r#"{"model":"m","max_output_tokens":"9"}"#, Err("`max_output_tokens`: must be a whole number"));
        check("[]", Err("must be a JSON object"));
        check("{\"model\":", Err("not valid JSON"));
    }

    #[test]
    fn patching_changes_nothing_else() {
        let check = |body: &'static str, model: &str, max_tokens: Option<u64>, expect: &str| {
            let peeked = peek(body.as_bytes()).unwrap();
            let patch_ = Patch { model, max_tokens, ask_usage: true, ..Patch::default() };
            let patched = patch(&Bytes::from_static(body.as_bytes()), &peeked, &patch_);
            assert_eq!(std::str::from_utf8(&patched).unwrap(), expect);
        };
        check(r#"{ "model" : "a", "x":1e2 }"#, "b", None, r#"{ "model" : "b", "x":1e2 }"#);
        check(r#"{"model":"a"}"#, "a", Some(9), r#"{"model":"a","max_output_tokens":9}"#);
        check(
            r#"{"max_output_tokens":null,"model":"a"}"#,
            "a",
            Some(9),
            r#"{"max_output_tokens":9,"model":"a"}"#,
        );
        check(
            r#"{"max_output_tokens":5,"model":"a"}"#,
            "a",
            Some(9),
            r#"{"max_output_tokens":5,"model":"a"}"#,
        );
    }
}
