//! Thoughts and their signatures. Vendors tell a thought's text in `reasoning_content` or in `reasoning`; where it
//! is to come back on the next turn, also in `reasoning_details` (OpenRouter), an array of
//! `{"type": "reasoning.text", "text", "signature", …}`, `{"type": "reasoning.summary", "summary", …}` and
//! `{"type": "reasoning.encrypted", "data", …}`. Signatures of tool calls stand in
//! `extra_content.google.thought_signature` (Google's endpoint of this dialect).
//!
//! A detail has to come back whole, with its id and format. So the [`Signature`] of this dialect is the detail's
//! JSON without its text, and finds home through clients of any dialect.

use super::parts::Reader;
use crate::depth;
use crate::error::WireError;
use crate::{signature, take};
use hanok_base::{Dialect, Object, Part, Reasoning, Signature, ToolCall};
use serde_json::{Value, json};

const OWN: Dialect = Dialect::OpenAiChat;

/// The members of a message that tell thoughts as a plain text.
pub(super) const PLAIN: [&str; 2] = ["reasoning_content", "reasoning"];

/// Takes a message's thoughts. The plain members are left in it where they are not all there is to tell, so that
/// a request keeps its form.
pub(super) fn thoughts(object: &mut Object, parts: &mut Vec<Part>) -> Result<(), WireError> {
    let details = take::array(object, "reasoning_details")?;
    let mut thoughts = Vec::with_capacity(details.len());
    for (i, value) in details.into_iter().enumerate() {
        thoughts.push(detail(take::item(value, &format!("reasoning_details[{i}]"))?));
    }
    // Some tell it in both.
    let mut plain =
        PLAIN.iter().filter_map(|name| object.get(*name)?.as_str()).filter(|text| !text.is_empty());
    let told = thoughts.iter().any(|thought| !thought.text.is_empty());
    if let (Some(text), false) = (plain.next(), told) {
        parts.push(Part::Reasoning(Reasoning { text: text.to_owned(), ..Reasoning::default() }));
    }
    if thoughts.is_empty() && !tells(object, "reasoning") && tells(object, "reasoning_content") {
        object.shift_remove("reasoning_content");
    }
    parts.extend(thoughts.into_iter().map(Part::Reasoning));
    Ok(())
}

fn tells(object: &Object, name: &str) -> bool {
    object.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}

/// Whether a message's unknown members tell its thoughts already, in the form the client gave them.
pub(super) fn are_told(extra: &Object) -> bool {
    PLAIN.iter().any(|name| tells(extra, name))
}

/// The member in which a detail of this type tells its text.
fn text_member(kind: &str) -> Option<&'static str> {
    match kind {
        "reasoning.text" => Some("text"),
        "reasoning.summary" => Some("summary"),
        _ => None,
    }
}

/// Whether a detail has a text, which streams tell in pieces.
pub(super) fn grows(detail: &Object) -> bool {
    text_member(kind(detail)).is_some()
}

fn kind(detail: &Object) -> &str {
    detail.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// The text of a detail, taken out of it.
pub(super) fn take_text(detail: &mut Object) -> Option<String> {
    let member = text_member(kind(detail))?;
    match detail.get_mut(member).map(Value::take) {
        Some(Value::String(text)) => {
            detail.shift_remove(member);
            Some(text)
        }
        Some(other) => {
            detail.insert(member.to_owned(), other);
            None
        }
        None => None,
    }
}

/// A detail as a thought.
fn detail(mut detail: Object) -> Reasoning {
    let text = take_text(&mut detail).unwrap_or_default();
    let redacted = !grows(&detail);
    Reasoning { text, redacted, signature: signature_of(detail), extra: Object::new() }
}

/// The signature of a detail whose text was taken out.
pub(super) fn signature_of(mut detail: Object) -> Option<Signature> {
    let member = if kind(&detail) == "reasoning.encrypted" { "data" } else { "signature" };
    if let Some(Value::String(text)) = detail.get(member) {
        let found = signature::read(text.clone(), OWN);
        if found.of != OWN {
            return Some(found);
        }
    }
    // As `encode_detail` writes a thought that nobody signed.
    let unsigned = kind(&detail) == "reasoning.text"
        && detail.get("signature") == Some(&Value::Null)
        && detail.keys().all(|name| matches!(name.as_str(), "type" | "signature" | "index"));
    // Told whole or in pieces, it is the same one.
    detail.sort_keys();
    (!unsigned).then(|| Signature { of: OWN, value: Value::Object(detail).to_string() })
}

/// Whether `reader` may see the thought at all.
pub(super) fn is_for(thought: &Reasoning, reader: Reader) -> bool {
    reader == Reader::Client || thought.signature.as_ref().is_none_or(|signature| signature.of == OWN)
}

/// Whether the thought needs more than its text told.
pub(super) fn is_signed(thought: &Reasoning) -> bool {
    thought.signature.as_ref().is_some_and(|signature| signature.of != OWN || !signature.value.is_empty())
}

/// A thought as the detail at `index`.
pub(super) fn encode_detail(thought: &Reasoning, index: usize) -> Value {
    let text = thought.text.as_str();
    match &thought.signature {
        Some(own) if own.of == OWN && !own.value.is_empty() => {
            let Some(Value::Object(mut detail)) = depth::embedded(&own.value) else {
                return json!({ "type": "reasoning.text", "text": text, "signature": own.value, "index": index });
            };
            if let Some(member) = text_member(kind(&detail))
                && !detail.contains_key(member)
            {
                detail.insert(member.to_owned(), text.into());
            }
            detail.into()
        }
        Some(foreign) if foreign.of != OWN => {
            let shown = signature::shown(foreign, OWN);
            if thought.redacted {
                json!({ "type": "reasoning.encrypted", "data": shown, "index": index })
            } else {
                json!({ "type": "reasoning.text", "text": text, "signature": shown, "index": index })
            }
        }
        _ => json!({ "type": "reasoning.text", "text": text, "signature": null, "index": index }),
    }
}

/// Writes thoughts as members of a message.
pub(super) fn encode_thoughts(thoughts: &[&Reasoning], reader: Reader, object: &mut Object) {
    let signed = thoughts.iter().any(|thought| is_signed(thought));
    let text: String = thoughts.iter().map(|thought| thought.text.as_str()).collect();
    if !text.is_empty() && (reader == Reader::Client || !signed) {
        object.insert("reasoning_content".into(), text.into());
    }
    if signed {
        let details = thoughts.iter().enumerate().map(|(index, thought)| encode_detail(thought, index));
        object.insert("reasoning_details".into(), details.collect());
    }
}

/// Takes a tool call's signature out of its unknown members.
pub(super) fn call_signature(extra: &mut Object) -> Option<Signature> {
    let outer = extra.get_mut("extra_content")?.as_object_mut()?;
    let google = outer.get_mut("google")?.as_object_mut()?;
    let text = google.get("thought_signature")?.as_str()?.to_owned();
    google.shift_remove("thought_signature");
    if google.is_empty() {
        outer.shift_remove("google");
    }
    if outer.is_empty() {
        extra.shift_remove("extra_content");
    }
    Some(signature::read(text, OWN))
}

/// Writes a tool call's signature beside its other members.
pub(super) fn encode_call_signature(call: &ToolCall, reader: Reader, object: &mut Object) {
    let Some(found) = call.signature.as_ref().filter(|found| reader == Reader::Client || found.of == OWN)
    else {
        return;
    };
    let shown = signature::shown(found, OWN);
    let outer = object.entry("extra_content").or_insert_with(|| json!({}));
    if let Some(outer) = outer.as_object_mut()
        && let Some(google) = outer.entry("google").or_insert_with(|| json!({})).as_object_mut()
    {
        google.insert("thought_signature".into(), shown.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_there_and_back() {
        let check = |detail: Value, text: &str, redacted: bool, of: Option<Dialect>| {
            let Value::Object(object) = detail.clone() else { panic!("{detail}") };
            let thought = super::detail(object);
            let found = thought.signature.as_ref().map(|signature| signature.of);
            assert_eq!((thought.text.as_str(), thought.redacted, found), (text, redacted, of), "{detail}");
            assert_eq!(encode_detail(&thought, 0), detail);
        };
        let own = Some(OWN);
        check(json!({"type": "reasoning.text", "text": "Hm", "index": 7}), "Hm", false, own);
        check(
            json!({"type": "reasoning.text", "text": "Hm", "signature": "a==", "id": null, "format": "f", "index": 0}),
            "Hm",
            false,
            own,
        );
        check(json!({"type": "reasoning.summary", "summary": "S", "format": "f"}), "S", false, own);
        check(json!({"type": "reasoning.encrypted", "data": "x", "id": "rs_1"}), "", true, own);
        check(json!({"type": "reasoning.later", "value": [1]}), "", true, own);
        check(json!({"type": "reasoning.text", "text": 7}), "", false, own);
        check(
            json!({"type": "reasoning.text", "text": "Hm", "signature": null, "index": 0}),
            "Hm",
            false,
            None,
        );
        let theirs = Some(Dialect::AnthropicMessages);
        check(
            json!({"type": "reasoning.text", "text": "Hm", "signature": "hanok:anthropic-messages:a==", "index": 0}),
            "Hm",
            false,
            theirs,
        );
        check(
            json!({"type": "reasoning.encrypted", "data": "hanok:anthropic-messages:a==", "index": 0}),
            "",
            true,
            theirs,
        );
    }
}
