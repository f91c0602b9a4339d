//! Responses that are kept by us rather than by a provider: what a request says of that, the same request for
//! a provider that keeps nothing, the answer as if it had, and what is to be kept. Pure functions; where and
//! how long things are kept is for the caller to say.

use super::peek::Body;
use crate::edit::Edits;
use crate::error::{WireError, text};
use crate::members::{Members, Text, place, read_into, skip};
use bytes::Bytes;
use hanok_base::Object;
use serde::de::MapAccess;
use serde_json::Value;
use serde_json::value::RawValue;
use std::ops::Range;

/// What asks a provider to give its thoughts in a form that it takes back.
pub(super) const ENCRYPTED: &str = "reasoning.encrypted_content";

/// What a request says of things kept from one call to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Whether the answer is to be kept, as it is unless the client says otherwise.
    pub store: bool,
    /// The kept answer whose conversation this one goes on with.
    pub previous_response_id: Option<String>,
    /// Whether the client does not wait for the answer.
    pub background: bool,
    /// Whether the request belongs to a conversation kept at the provider.
    pub conversation: bool,
}

/// What `body` says of state, without decoding the rest. Of a member that stands twice,
/// [`WireError::Member`].
pub fn peek_state(body: &[u8]) -> Result<State, WireError> {
    Ok(Body::read(body)?.1.state())
}

/// The same request with the items of the conversation before put in front of its own, and without
/// `previous_response_id`. All other bytes are untouched. A reference to one of those items is dropped: the
/// item is there.
pub fn expand(body: &Bytes, previous_items: &[Value]) -> Result<Bytes, WireError> {
    let (text, found) = Body::read(body)?;
    let mut edits = Edits::default();
    if let Some(at) = found.previous_response_id {
        edits.replace(whole_member(text, place(text, at)), String::new());
    }
    let mut items: Vec<String> = previous_items.iter().map(Value::to_string).collect();
    match found.input {
        None => edits.append(&format!(r#""input":[{}]"#, items.join(","))),
        Some(raw) => {
            items.extend(own_items(raw, |id| {
                if find(previous_items, id).is_some() { Some(String::new()) } else { None }
            })?);
            edits.replace(place(text, raw), format!("[{}]", items.join(",")));
        }
    }
    Ok(edits.apply(body, &found.places(text, usize::from(found.previous_response_id.is_some()))))
}

/// The ids of the items that the request refers to (`item_reference`).
pub fn references(body: &[u8]) -> Result<Vec<String>, WireError> {
    let (_, found) = Body::read(body)?;
    let mut ids = Vec::new();
    if let Some(raw) = found.input {
        own_items(raw, |id| {
            ids.push(id.to_owned());
            None
        })?;
    }
    Ok(ids)
}

/// The same request with references to these items replaced by the items. One to another item stays.
pub fn resolve(body: &Bytes, known: &[Value]) -> Result<Bytes, WireError> {
    let (text, found) = Body::read(body)?;
    let mut edits = Edits::default();
    if let Some(raw) = found.input.filter(|raw| raw.get().starts_with('[')) {
        let mut resolved = false;
        let items = own_items(raw, |id| {
            let item = find(known, id).map(Value::to_string);
            resolved |= item.is_some();
            item
        })?;
        if resolved {
            edits.replace(place(text, raw), format!("[{}]", items.join(",")));
        }
    }
    Ok(edits.apply(body, &found.places(text, 0)))
}

fn find<'a>(items: &'a [Value], id: &str) -> Option<&'a Value> {
    items.iter().find(|item| item.get("id").and_then(Value::as_str) == Some(id))
}

/// The items of an input as JSON; references as `instead` says, where it does (empty: none).
fn own_items(
    input: &RawValue,
    mut instead: impl FnMut(&str) -> Option<String>,
) -> Result<Vec<String>, WireError> {
    let wrong = || WireError::member("input", "must be a string or an array of items");
    match input.get().as_bytes().first() {
        Some(b'n') => Ok(Vec::new()),
        Some(b'"') => {
            let message = r#"{"type":"message","role":"user","content":"#;
            Ok(vec![format!("{message}{}}}", input.get())])
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(input.get()).map_err(|_| wrong())?;
            let mut out = Vec::with_capacity(items.len());
            for raw in items {
                let item = read_into(Item::default(), raw.get()).map_err(|_| wrong())?;
                let other = item.reference().and_then(&mut instead);
                out.extend(
                    Some(other.unwrap_or_else(|| raw.get().to_owned())).filter(|item| !item.is_empty()),
                );
            }
            Ok(out)
        }
        _ => Err(wrong()),
    }
}

/// What is looked at of an item.
#[derive(Default)]
struct Item<'a> {
    kind: Option<Text<'a>>,
    id: Option<Text<'a>>,
    role: bool,
    encrypted: Option<Text<'a>>,
    content: bool,
}

impl Item<'_> {
    /// The id, where the item is a reference; the type of one may be left out.
    fn reference(&self) -> Option<&str> {
        let is = match &self.kind {
            Some(Text(kind)) => kind == "item_reference",
            None => !self.role,
        };
        self.id.as_ref().filter(|_| is).map(|Text(id)| &**id)
    }

    /// Whether the item is a thought that no upstream can read: its provider was told not to keep it, and gave
    /// nothing to give back. One of another provider stays: the call may go to that one again.
    fn is_lost_thought(&self) -> bool {
        self.kind.as_ref().is_some_and(|Text(kind)| kind == "reasoning")
            && self.encrypted.is_none()
            && !self.content
    }
}

impl<'de> Members<'de> for Item<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = map.next_value()?,
            "id" => self.id = map.next_value()?,
            "encrypted_content" => self.encrypted = map.next_value()?,
            "role" => {
                self.role = true;
                skip(map)?;
            }
            "content" => {
                let content: &RawValue = map.next_value()?;
                self.content = !matches!(content.get(), "null" | "[]");
            }
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// The request for a provider that is to keep nothing: `store` is false, nothing runs in the background,
/// where a kept answer thinks, its thoughts are asked for in the form that can be given back, and thoughts
/// that the provider could not read are left out. All other bytes are untouched; bytes that are no request
/// are given back as they are.
pub fn for_upstream(body: &Bytes) -> Bytes {
    let Ok((text, found)) = Body::read(body) else {
        return body.clone();
    };
    let state = found.state();
    let mut edits = Edits::default();
    match found.store {
        Some(raw) if raw.get() == "false" => {}
        Some(raw) => edits.replace(place(text, raw), "false".to_owned()),
        None => edits.append(r#""store":false"#),
    }
    if let (true, Some(raw)) = (state.background, found.background) {
        edits.replace(place(text, raw), "false".to_owned());
    }
    if state.store && found.reasoning.is_some_and(thinks) {
        match found.include {
            None => edits.append(&format!(r#""include":["{ENCRYPTED}"]"#)),
            Some(raw) => {
                let mut asked: Vec<Value> = serde_json::from_str(raw.get()).unwrap_or_default();
                if !asked.iter().any(|name| name == ENCRYPTED) {
                    asked.push(ENCRYPTED.into());
                    edits.replace(place(text, raw), Value::from(asked).to_string());
                }
            }
        }
    }
    if let Some(raw) = found.input
        && let Some(kept) = without_lost_thoughts(raw)
    {
        edits.replace(place(text, raw), kept);
    }
    edits.apply(body, &found.places(text, 0))
}

fn thinks(reasoning: &RawValue) -> bool {
    let options: Option<Object> = serde_json::from_str(reasoning.get()).ok();
    options.is_some_and(|options| {
        options.get("effort").is_none_or(|effort| effort != "none")
            && options.values().any(|value| !value.is_null())
    })
}

/// The input without thoughts that the upstream cannot read; `None` where it has none.
fn without_lost_thoughts(input: &RawValue) -> Option<String> {
    if !input.get().starts_with('[')
        || memchr::memmem::find(input.get().as_bytes(), b"\"reasoning\"").is_none()
    {
        return None;
    }
    let items: Vec<&RawValue> = serde_json::from_str(input.get()).ok()?;
    let lost =
        |raw: &&RawValue| read_into(Item::default(), raw.get()).is_ok_and(|item| item.is_lost_thought());
    if !items.iter().any(lost) {
        return None;
    }
    let kept: Vec<&str> = items.iter().filter(|raw| !lost(raw)).map(|raw| raw.get()).collect();
    Some(format!("[{}]", kept.join(",")))
}

/// Where the member stands whose value is at `value`, with its name and one of the commas beside it.
fn whole_member(text: &str, value: Range<usize>) -> Range<usize> {
    let before = text.get(..value.start).unwrap_or_default().trim_end().trim_end_matches(':').trim_end();
    let name = before.strip_suffix('"').unwrap_or(before);
    let mut quote = name.len();
    for (at, _) in name.rmatch_indices('"') {
        let escapes =
            name.get(..at).unwrap_or_default().bytes().rev().take_while(|byte| *byte == b'\\').count();
        if escapes % 2 == 0 {
            quote = at;
            break;
        }
    }
    let before = name.get(..quote).unwrap_or_default().trim_end();
    if let Some(before) = before.strip_suffix(',') {
        return before.len()..value.end;
    }
    let behind = text.get(value.end..).unwrap_or_default();
    let comma = behind.trim_start().strip_prefix(',').map(|rest| behind.len() - rest.len());
    quote..value.end + comma.unwrap_or(0)
}

/// What of a response object tells of state.
#[derive(Default)]
struct Told<'a> {
    store: Option<&'a RawValue>,
    previous: Option<&'a RawValue>,
    background: Option<&'a RawValue>,
    any: bool,
}

impl<'de> Members<'de> for Told<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        self.any = true;
        match name {
            "store" => self.store = Some(map.next_value()?),
            "previous_response_id" => self.previous = Some(map.next_value()?),
            "background" => self.background = Some(map.next_value()?),
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// A whole answer as if the provider had kept it: `store`, `previous_response_id` and `background` are what
/// the client asked for by `state`. All other bytes are untouched; bytes that are no object are given back as
/// they are.
pub fn restore(answer: &Bytes, state: &State) -> Bytes {
    let Some((text, told)) =
        text(answer).ok().and_then(|text| Some((text, read_into(Told::default(), text).ok()?)))
    else {
        return answer.clone();
    };
    let mut edits = Edits::default();
    let mut tell = |name: &str, at: Option<&RawValue>, value: Value| {
        let value = value.to_string();
        match at {
            Some(raw) if raw.get() == value => {}
            Some(raw) => edits.replace(place(text, raw), value),
            None => edits.append(&format!("\"{name}\":{value}")),
        }
    };
    tell("store", told.store, state.store.into());
    if let Some(id) = &state.previous_response_id {
        tell("previous_response_id", told.previous, id.as_str().into());
    }
    if state.background {
        tell("background", told.background, true.into());
    }
    let places = crate::codec::Places {
        close: text.rfind('}').unwrap_or_default(),
        empty: !told.any,
        ..crate::codec::Places::default()
    };
    edits.apply(answer, &places)
}
