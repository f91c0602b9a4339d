//! Reasoning items, both directions, and what stands in their `encrypted_content`.
//!
//! A reasoning item holds several texts, a [`Part::Reasoning`] holds one: each text is a part, the item's
//! members are with the first one, its signature with the last one. To keep an item's id on its way through a
//! client of another dialect, which has no place for it, the id is part of the signature (`rs_1#…`).
//!
//! A foreign signature is shown as `signature::shown` tags it. Two things have no place in this dialect and are
//! marked before that tag: that the provider hid the text, and that it signed a tool call rather than a
//! thought. The latter stands in a reasoning item of its own behind the call.

use crate::error::WireError;
use crate::signature;
use crate::take;
use hanok_base::{Dialect, Object, Part, Reasoning, Signature, ToolCall};
use serde_json::{Value, json};

const OWN: Dialect = Dialect::OpenAiResponses;
const REDACTED: &str = "hanok+redacted:";
const CALL: &str = "hanok+call:";
/// On a part whose text belongs to the item of the part before it.
pub(super) const JOINS: &str = "joins";

/// What is in an `encrypted_content`.
pub(super) enum Encrypted {
    /// The signature of the item's thoughts, and whether their text was hidden.
    Thought(Signature, bool),
    /// The signature of the tool call with this id.
    Call(String, Signature),
}

/// The `encrypted_content` of the item with this id.
pub(super) fn read(id: Option<&str>, encrypted: String) -> Encrypted {
    if let Some((call_id, tagged)) = encrypted.strip_prefix(CALL).and_then(split_call) {
        return Encrypted::Call(call_id.to_owned(), signature::read(tagged.to_owned(), OWN));
    }
    if let Some(tagged) = encrypted.strip_prefix(REDACTED) {
        return Encrypted::Thought(signature::read(tagged.to_owned(), OWN), true);
    }
    let mut signature = signature::read(encrypted, OWN);
    if signature.of == OWN
        && let Some(id) = id.filter(|id| !id.is_empty() && !id.contains('#'))
    {
        signature.value.insert(0, '#');
        signature.value.insert_str(0, id);
    }
    Encrypted::Thought(signature, false)
}

fn split_call(rest: &str) -> Option<(&str, &str)> {
    let at = rest.find(":hanok:")?;
    Some((rest.get(..at)?, rest.get(at + 1..)?))
}

/// The item's id, where the signature knows it, and its `encrypted_content`.
pub(super) fn unpack(signature: &Signature) -> (Option<&str>, &str) {
    match signature.value.split_once('#') {
        Some((id, encrypted)) => (Some(id), encrypted),
        None => (None, &signature.value),
    }
}

/// The `encrypted_content` that a client is shown.
pub(super) fn shown(reasoning: &Reasoning) -> Option<String> {
    let signature = reasoning.signature.as_ref()?;
    Some(if signature.of == OWN {
        unpack(signature).1.to_owned()
    } else if reasoning.redacted {
        format!("{REDACTED}{}", signature::shown(signature, OWN))
    } else {
        signature::shown(signature, OWN)
    })
}

/// The `encrypted_content` that shows a client the foreign signature of a tool call; `None` where there is none.
pub(super) fn shown_of_call(call_id: &str, signature: Option<&Signature>) -> Option<String> {
    let signature = signature.filter(|signature| signature.of != OWN)?;
    Some(format!("{CALL}{call_id}:{}", signature::shown(signature, OWN)))
}

/// The texts of a `summary` or a `content`.
pub(super) fn texts(object: &mut Object, name: &str) -> Result<Vec<String>, WireError> {
    let mut texts = Vec::new();
    for (i, value) in take::array(object, name)?.into_iter().enumerate() {
        match value {
            Value::String(text) => texts.push(text),
            Value::Object(mut part) => {
                let text = take::string(&mut part, "text")
                    .map_err(|error| take::under(&format!("{name}[{i}]"), error))?;
                texts.push(text.unwrap_or_default());
            }
            _ => return Err(WireError::member(format!("{name}[{i}]"), "must be an object")),
        }
    }
    Ok(texts)
}

/// A reasoning item's parts, `object` without its type. `parts` are those before it: the signature of a tool
/// call goes to the call.
pub(super) fn decode(mut object: Object, parts: &mut Vec<Part>) -> Result<(), WireError> {
    let summary = texts(&mut object, "summary")?;
    let content = texts(&mut object, "content")?;
    let encrypted = take::string(&mut object, "encrypted_content")?;
    object.retain(|_, value| !value.is_null());
    let id = object.get("id").and_then(Value::as_str);
    let (signature, redacted) = match encrypted.map(|encrypted| read(id, encrypted)) {
        None => (None, false),
        Some(Encrypted::Thought(signature, redacted)) => (Some(signature), redacted),
        Some(Encrypted::Call(call_id, signature)) => {
            sign_call(parts, &call_id, signature);
            return Ok(());
        }
    };
    let texts = summary.into_iter().map(|text| (text, SUMMARY));
    let mut texts = texts.chain(content.into_iter().map(|text| (text, CONTENT))).peekable();
    let mut rest = Some(object);
    if texts.peek().is_none() {
        let redacted = redacted || signature.as_ref().is_some_and(|signature| signature.of == OWN);
        let extra = rest.take().unwrap_or_default();
        parts.push(Part::Reasoning(Reasoning { text: String::new(), signature, redacted, extra }));
        return Ok(());
    }
    let mut signature = signature;
    while let Some((text, kind)) = texts.next() {
        let extra = part_extra(rest.take(), kind);
        let signature = if texts.peek().is_none() { signature.take() } else { None };
        parts.push(Part::Reasoning(Reasoning { text, signature, redacted: false, extra }));
    }
    Ok(())
}

pub(super) const SUMMARY: &str = "summary_text";
pub(super) const CONTENT: &str = "reasoning_text";

/// The unknown members of the part for one text; `item` are those of the item, with its first text.
pub(super) fn part_extra(item: Option<Object>, kind: &str) -> Object {
    let mut extra = item.unwrap_or_else(|| Object::from_iter([(JOINS.to_owned(), Value::Bool(true))]));
    extra.insert("type".into(), kind.into());
    extra
}

fn sign_call(parts: &mut [Part], call_id: &str, signature: Signature) {
    let call = parts.iter_mut().rev().find_map(|part| match part {
        Part::ToolCall(call) if call.id == call_id => Some(call),
        _ => None,
    });
    if let Some(ToolCall { signature: place, .. }) = call {
        *place = Some(signature);
    }
}

/// A reasoning item that grows by the parts that belong to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) summary: Vec<String>,
    pub(super) content: Vec<String>,
    pub(super) encrypted: Option<String>,
    /// Members that no part stands for.
    pub(super) rest: Object,
}

impl Item {
    /// The id a client sees: the provider's where it is known.
    pub(super) fn shown_id(&self) -> &str {
        self.rest.get("id").and_then(Value::as_str).unwrap_or(&self.id)
    }

    /// Adds a part's text.
    pub(super) fn push(&mut self, kind: &str, text: String) {
        if kind == CONTENT { self.content.push(text) } else { self.summary.push(text) }
    }

    pub(super) fn encode(&self) -> Value {
        let list = |texts: &[String], kind: &str| -> Value {
            texts.iter().map(|text| json!({ "type": kind, "text": text })).collect::<Vec<_>>().into()
        };
        let mut object = Object::from_iter([("type".to_owned(), Value::from("reasoning"))]);
        if !self.id.is_empty() {
            object.insert("id".into(), self.id.as_str().into());
        }
        object.insert("summary".into(), list(&self.summary, SUMMARY));
        if !self.content.is_empty() {
            object.insert("content".into(), list(&self.content, CONTENT));
        }
        if let Some(encrypted) = &self.encrypted {
            object.insert("encrypted_content".into(), encrypted.as_str().into());
        }
        object.extend(self.rest.clone());
        Value::Object(object)
    }
}

/// The kind of text a part is of, and the item's own members where they are under this dialect's names.
pub(super) fn of_part(reasoning: &Reasoning, own: bool) -> (&'static str, bool, Object) {
    if !own {
        return (SUMMARY, false, Object::new());
    }
    let mut rest = reasoning.extra.clone();
    let kind = if rest.shift_remove("type").is_some_and(|kind| kind == CONTENT) { CONTENT } else { SUMMARY };
    let joins = rest.shift_remove(JOINS).is_some();
    (kind, joins, rest)
}
