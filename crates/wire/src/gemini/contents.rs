//! A conversation as an upstream wants it.

use super::{calls, forms, parts, thinking};
use hanok_base::{ChatRequest, Degradation, Dialect, Message, Object, Part, Reasoning, Role, ToolResult};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What Google documents to send in place of the signature of a call that another model made.
const UNSIGNED: &str = "skip_thought_signature_validator";

/// Writes `systemInstruction` and `contents`.
pub(super) fn encode(request: &ChatRequest, own: bool, object: &mut Object, lost: &mut Vec<Degradation>) {
    let mut writer = Writer {
        own,
        names: calls::names(request),
        wants_signed: thinking::is_leveled(request.model.as_str()),
        lost,
    };
    let mut system: Option<Object> = None;
    let mut contents: Vec<Object> = Vec::new();
    // Whether the last content holds nothing but answers of tools.
    let mut answers = false;
    for (i, message) in request.messages.iter().enumerate() {
        let parts = writer.parts(i, message);
        if parts.is_empty() && !own {
            continue;
        }
        if matches!(message.role, Role::System | Role::Developer) {
            if !contents.is_empty() {
                writer.note(
                    format!("messages[{i}]"),
                    "moved into systemInstruction: gemini knows no later one",
                );
            }
            let content = system.get_or_insert_with(Object::new);
            append(content, parts);
            writer.unknown(message, content);
            continue;
        }
        let is_answers = message.parts.iter().all(|part| matches!(part, Part::ToolResult(_)));
        match contents.last_mut() {
            // The dialect wants the answers to calls that were made together in one content.
            Some(last) if answers && is_answers && !own => append(last, parts),
            _ => {
                let role = if message.role == Role::Assistant { "model" } else { "user" };
                let mut content = Object::from_iter([("role".to_owned(), Value::from(role))]);
                append(&mut content, parts);
                writer.unknown(message, &mut content);
                contents.push(content);
            }
        }
        answers = is_answers;
    }
    if contents.is_empty()
        && let Some(mut content) = system.take()
    {
        writer.note("messages".to_owned(), "sent as the user's: gemini wants something to answer to");
        content.insert("role".into(), "user".into());
        contents.push(content);
    }
    if let Some(system) = system {
        object.insert("systemInstruction".into(), system.into());
    }
    object.insert("contents".into(), contents.into_iter().map(Value::Object).collect());
}

fn append(content: &mut Object, parts: Vec<Value>) {
    match content.get_mut("parts") {
        Some(Value::Array(there)) => there.extend(parts),
        _ => drop(content.insert("parts".into(), parts.into())),
    }
}

struct Writer<'a> {
    own: bool,
    /// Which function each call is of.
    names: HashMap<&'a str, &'a str>,
    /// Whether the model refuses calls without a signature.
    wants_signed: bool,
    lost: &'a mut Vec<Degradation>,
}

impl Writer<'_> {
    fn note(&mut self, param: String, message: &str) {
        self.lost.push(Degradation { param, message: message.to_owned() });
    }

    /// Writes a message's unknown members.
    fn unknown(&self, message: &Message, content: &mut Object) {
        if !self.own {
            return;
        }
        let rest = message.extra.get("parts").and_then(Value::as_array);
        if let (Some(rest), Some(Value::Array(parts))) = (rest, content.get_mut("parts")) {
            for (part, rest) in parts.iter_mut().zip(rest) {
                if let (Some(part), Some(rest)) = (part.as_object_mut(), rest.as_object()) {
                    forms::fill(part, rest);
                }
            }
        }
        forms::fill(content, &message.extra);
    }

    fn parts(&mut self, i: usize, message: &Message) -> Vec<Value> {
        let mut out: Vec<Value> = Vec::new();
        let mut called = false;
        for (j, part) in message.parts.iter().enumerate() {
            let place = || format!("messages[{i}].content[{j}]");
            match part {
                Part::Text(text) if text.is_empty() && !self.own => {}
                Part::Text(text) | Part::Refusal(text) => out.push(parts::encode_text(text, false, None)),
                Part::Reasoning(reasoning) => self.reasoning(reasoning, &mut out),
                Part::ToolCall(call) => {
                    if parts::arguments(&call.arguments).is_err() {
                        self.note(place(), "arguments that are no JSON object became a text in one");
                    }
                    let own = call.signature.as_ref().filter(|signature| signature.of == Dialect::Gemini);
                    // Calls of this dialect that lack one lacked it when they came.
                    let is_foreign = !self.own || call.signature.is_some();
                    let unsigned = (self.wants_signed && is_foreign && !called).then_some(UNSIGNED);
                    let signature = own.map(|signature| signature.value.as_str()).or(unsigned);
                    called = true;
                    out.push(parts::encode_call(call, id(&call.id), signature, self.own));
                }
                Part::ToolResult(result) => {
                    let unknown = message.extra.get("parts").filter(|_| self.own);
                    let unknown = unknown.and_then(|parts| parts.get(out.len())?.get("functionResponse"));
                    self.result(&place(), result, unknown, &mut out);
                }
                Part::Media(media) => match parts::encode_media(media, self.own) {
                    Some(value) => out.push(value),
                    None => self.note(place(), "left out: a file of another provider"),
                },
                Part::Opaque { dialect: Dialect::Gemini, value } => out.push(value.clone()),
                Part::Opaque { .. } => self.note(place(), "left out: gemini has no such part"),
                // What the client was told about the answer, and a hint for caches.
                Part::Citation(_) | Part::CacheBreak(_) => {}
            }
        }
        out
    }

    /// Thoughts go back to where they came from; another model's are of no use.
    fn reasoning(&self, reasoning: &Reasoning, out: &mut Vec<Value>) {
        let own = reasoning.signature.as_ref().filter(|signature| signature.of == Dialect::Gemini);
        let signature = own.map(|signature| signature.value.as_str());
        let is_foreign = reasoning.signature.is_some() && own.is_none();
        if signature.is_none() && (!self.own || (is_foreign && reasoning.text.is_empty())) {
            return;
        }
        let marked = |name: &str| reasoning.extra.contains_key(name);
        if !reasoning.text.is_empty() || signature.is_none() || marked("thought") {
            out.push(parts::encode_text(&reasoning.text, true, signature));
            return;
        }
        // The signature of the text before it, or of nothing that is shown.
        let text = out.last_mut().and_then(Value::as_object_mut).filter(|part| {
            part.contains_key("text")
                && !part.contains_key("thought")
                && !part.contains_key("thoughtSignature")
        });
        match (text, signature) {
            (Some(text), Some(signature)) if !marked("text") => {
                text.insert("thoughtSignature".into(), signature.into());
            }
            _ => out.push(parts::encode_text("", false, signature)),
        }
    }

    /// Writes a tool's answer at `place`, of which `unknown` tells what its call does not.
    fn result(&mut self, place: &str, result: &ToolResult, unknown: Option<&Value>, out: &mut Vec<Value>) {
        let mut function = Object::new();
        if let Some(id) = id(&result.call_id).filter(|id| self.names.contains_key(id)) {
            function.insert("id".into(), id.into());
        }
        let told = unknown.and_then(|unknown| unknown.get("name")?.as_str());
        let of_call = self.names.get(result.call_id.as_str()).copied().filter(|name| !name.is_empty());
        let name = told.or(of_call).unwrap_or(&result.call_id);
        function.insert("name".into(), name.into());
        let mut texts: Option<String> = None;
        let mut others = Vec::new();
        for part in &result.parts {
            match part {
                Part::Text(text) => texts.get_or_insert_default().push_str(text),
                Part::Media(media) => match parts::encode_media(media, self.own) {
                    Some(value) => others.push(value),
                    None => self.note(place.to_owned(), "left out: a file of another provider"),
                },
                Part::Opaque { dialect: Dialect::Gemini, value } => others.push(value.clone()),
                Part::CacheBreak(_) => {}
                _ => self.note(place.to_owned(), "a part of the tool's answer was left out"),
            }
        }
        if texts.is_some() || !self.own {
            let texts = texts.unwrap_or_default();
            let response =
                match unknown.and_then(|unknown| unknown.get("response")?.as_object()?.keys().next()) {
                    Some(key) => json!({ key: texts }),
                    None => parts::response_of(&texts, result.is_error),
                };
            function.insert("response".into(), response);
        }
        // Models that sign calls take media inside an answer, those before them beside it.
        let within = self.own || self.wants_signed;
        if within && !others.is_empty() {
            function.insert("parts".into(), Value::Array(std::mem::take(&mut others)));
        }
        out.push(json!({ "functionResponse": function }));
        out.extend(others);
    }
}

/// A call's id, where a provider or a client gave it.
fn id(id: &str) -> Option<&str> {
    Some(id).filter(|id| !id.is_empty() && !calls::is_made(id))
}
