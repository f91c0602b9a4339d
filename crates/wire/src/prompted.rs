//! Requests that name a prompt kept here: what they are given to fill it in with, and the rest of them, which may
//! hold no message at all.

use crate::codec::codec;
use crate::error::WireError;
use crate::members::{Members, Text, if_of_shape, read_into, skip};
use crate::take;
use hanok_base::{ChatRequest, Dialect, Object, Role};
use serde::de::MapAccess;
use serde_json::{Value, json};

/// A prompt that a Responses request names (`prompt: {id, version}`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedPrompt {
    /// Its id.
    pub id: String,
    /// Its version, where the request says one.
    pub version: Option<String>,
}

/// The prompt that a Responses request names, without decoding the rest.
pub fn named_prompt(body: &[u8]) -> Option<NamedPrompt> {
    // Most requests have no such member, which is seen sooner than read.
    memchr::memmem::find(body, b"\"prompt\"")?;
    let text = std::str::from_utf8(body).ok()?;
    let found = read_into(Request::default(), text).ok()?;
    found.prompt.filter(|prompt| !prompt.id.is_empty())
}

#[derive(Default)]
struct Request {
    prompt: Option<NamedPrompt>,
}

impl<'de> Members<'de> for Request {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        if name != "prompt" {
            return skip(map);
        }
        self.prompt = if_of_shape::<crate::members::Obj<Named>, A>(map)?.map(|named| named.0.0);
        Ok(())
    }
}

#[derive(Default)]
struct Named(NamedPrompt);

impl<'de> Members<'de> for Named {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.0.id = map.next_value::<Text<'de>>()?.0.into_owned(),
            "version" => self.0.version = if_of_shape::<String, A>(map)?,
            _ => return skip(map),
        }
        Ok(())
    }
}

/// Decodes a request for a prompt, which may say nothing itself. Its model is `model`, whatever it names.
pub fn decode_prompted(dialect: Dialect, body: &[u8], model: &str) -> Result<ChatRequest, WireError> {
    let mut object = take::request(body)?;
    object.insert("model".to_owned(), model.into());
    let says_nothing = says_nothing(dialect, &object);
    if says_nothing {
        let (name, value) = something(dialect);
        object.insert(name.to_owned(), value);
    }
    let mut request = codec(dialect).decode_request(Value::Object(object).to_string().as_bytes())?;
    if says_nothing {
        request.messages.retain(|message| message.role != Role::User);
    }
    Ok(request)
}

/// What a request gives a prompt to fill it in with, taken out of it: its `metadata` (which Gemini calls `labels`),
/// and the `variables` of a Responses request's `prompt`, which count more.
pub fn take_variables(request: &mut ChatRequest) -> Object {
    let mut variables = Object::new();
    if let Some(Value::Object(options)) = request.extra.get_mut("options")
        && let Some(Value::Object(given)) = options.shift_remove("metadata")
    {
        variables.extend(given);
    }
    if request.dialect == Some(Dialect::Gemini)
        && let Some(Value::Object(labels)) = request.extra.shift_remove("labels")
    {
        variables.extend(labels);
    }
    if let Some(Value::Object(given)) = request.extra.shift_remove("metadata") {
        variables.extend(given);
    }
    if let Some(Value::Object(mut prompt)) = request.extra.shift_remove("prompt")
        && let Some(Value::Object(given)) = prompt.shift_remove("variables")
    {
        variables.extend(given.into_iter().map(|(name, value)| (name, variable(value))));
    }
    variables
}

/// A variable of a Responses request: a text, an image or a file may be an item of input.
fn variable(value: Value) -> Value {
    let Value::Object(object) = &value else {
        return value;
    };
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    match text("type") {
        Some("input_text") => text("text").map_or(Value::Null, Value::from),
        Some("input_image") => text("image_url").map_or(value.clone(), |url| json!({ "url": url })),
        Some("input_file") => {
            let url = text("file_url").or_else(|| text("file_data"));
            url.map_or(value.clone(), |url| json!({ "url": url }))
        }
        _ => value,
    }
}

fn says_nothing(dialect: Dialect, object: &Object) -> bool {
    let empty = |name: &str| match object.get(name) {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    match dialect {
        Dialect::OpenAiChat | Dialect::AnthropicMessages | Dialect::Ollama => empty("messages"),
        Dialect::OpenAiResponses => empty("input"),
        Dialect::Gemini => empty("contents"),
        Dialect::OllamaGenerate => empty("prompt") && empty("images"),
    }
}

/// The shortest thing to say in a dialect.
fn something(dialect: Dialect) -> (&'static str, Value) {
    match dialect {
        Dialect::OpenAiChat | Dialect::AnthropicMessages | Dialect::Ollama => {
            ("messages", json!([{ "role": "user", "content": "." }]))
        }
        Dialect::OpenAiResponses => ("input", ".".into()),
        Dialect::Gemini => ("contents", json!([{ "role": "user", "parts": [{ "text": "." }] }])),
        Dialect::OllamaGenerate => ("prompt", ".".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_by_name() {
        let check = |body: Value, expect: Option<(&str, Option<&str>)>| {
            let found = named_prompt(body.to_string().as_bytes());
            let found = found.as_ref().map(|prompt| (prompt.id.as_str(), prompt.version.as_deref()));
            assert_eq!(found, expect, "{body}");
        };
        check(json!({"prompt": {"id": "greet", "version": "2"}}), Some(("greet", Some("2"))));
        check(
            json!({"prompt": {"id": "greet", "version": null, "variables": {"a": 1}}}),
            Some(("greet", None)),
        );
        check(json!({"prompt": "greet"}), None);
        check(json!({"prompt": null}), None);
        check(json!({"input": "\"prompt\""}), None);
        assert_eq!(named_prompt(b"{\"prompt\": {"), None);
    }

    #[test]
    fn a_request_may_say_nothing_but_its_variables() {
        let check = |dialect: Dialect, body: Value, messages: usize, variables: Value| {
            let mut request = decode_prompted(dialect, body.to_string().as_bytes(), "prompt/greet").unwrap();
            assert_eq!(request.messages.len(), messages, "{dialect:?} {body}");
            assert_eq!(request.model.as_str(), "prompt/greet");
            assert_eq!(Value::Object(take_variables(&mut request)), variables, "{dialect:?} {body}");
            assert!(!request.extra.contains_key("metadata") && !request.extra.contains_key("prompt"));
        };
        let given = json!({"name": "Ann"});
        check(Dialect::OpenAiChat, json!({"messages": [], "metadata": given}), 0, given.clone());
        check(Dialect::OpenAiChat, json!({"messages": [{"role": "user", "content": "."}]}), 1, json!({}));
        let system = json!({"messages": [], "system": "be kind", "max_tokens": 9, "metadata": {"name": "Ann", "user_id": "u"}});
        check(Dialect::AnthropicMessages, system, 1, given.clone());
        check(Dialect::Gemini, json!({"contents": [], "labels": given}), 0, given.clone());
        check(Dialect::Gemini, json!({"metadata": given}), 0, given.clone());
        check(
            Dialect::Ollama,
            json!({"messages": [], "options": {"metadata": given, "seed": 1}}),
            0,
            given.clone(),
        );
        check(Dialect::OllamaGenerate, json!({"metadata": given}), 0, given.clone());
        let items = json!({"id": "greet", "variables": {
            "name": {"type": "input_text", "text": "Ann"},
            "photo": {"type": "input_image", "image_url": "http://a/b"},
        }});
        let read = json!({"name": "Ann", "photo": {"url": "http://a/b"}});
        check(Dialect::OpenAiResponses, json!({"prompt": items, "metadata": {"name": "Bob"}}), 0, read);
    }
}
