//! A chunk of a stream, read without building what is not looked at.

use crate::error::WireError;
use crate::members::{Members, Obj, skip};
use hanok_base::Object;
use serde::de::MapAccess;
use serde_json::Value;
use serde_json::value::RawValue;

/// What is looked at of a chunk.
#[derive(Default)]
pub(super) struct Chunk<'a> {
    /// The head is known: its members are passed over.
    pub(super) started: bool,
    pub(super) choices: Vec<Obj<ChunkChoice<'a>>>,
    pub(super) usage: Option<Value>,
    /// In a vendor's own member, sent where nobody asked for usage.
    pub(super) usage_beside: Option<Value>,
    pub(super) error: Option<Value>,
    pub(super) head: Vec<(String, &'a RawValue)>,
}

impl<'de> Members<'de> for Chunk<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "choices" => self.choices = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "usage" => self.usage = map.next_value()?,
            "error" => self.error = map.next_value()?,
            // The second pads each chunk to hide its length.
            "object" | "obfuscation" => skip(map)?,
            "x_groq" if self.started => {
                self.usage_beside = map.next_value::<Value>()?.get_mut("usage").map(Value::take);
            }
            _ if self.started => skip(map)?,
            _ => self.head.push((name.to_owned(), map.next_value()?)),
        }
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct ChunkChoice<'a> {
    pub(super) index: Option<u64>,
    pub(super) finish: Option<String>,
    pub(super) delta: ChunkDelta<'a>,
    pub(super) extra: Object,
}

impl<'de> Members<'de> for ChunkChoice<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => self.index = map.next_value()?,
            "finish_reason" => self.finish = map.next_value()?,
            "delta" => self.delta = map.next_value::<Option<Obj<_>>>()?.unwrap_or_default().0,
            // Some vendors repeat all that was said so far beside each delta.
            "message" => skip(map)?,
            _ => {
                if let Some(value) = map.next_value::<Option<Value>>()? {
                    self.extra.insert(name.to_owned(), value);
                }
            }
        }
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct ChunkDelta<'a> {
    pub(super) reasoning_content: Option<&'a RawValue>,
    pub(super) reasoning: Option<&'a RawValue>,
    pub(super) content: Option<&'a RawValue>,
    pub(super) refusal: Option<&'a RawValue>,
    pub(super) details: Vec<Object>,
    pub(super) calls: Vec<Object>,
    pub(super) images: Vec<Object>,
    pub(super) annotations: Vec<Value>,
}

impl<'a> ChunkDelta<'a> {
    /// Whether the delta says something: more than empty strings and lists.
    pub(super) fn says(&self) -> bool {
        let told = [self.reasoning_content, self.reasoning, self.content, self.refusal];
        let more = self.details.len() + self.calls.len() + self.images.len() + self.annotations.len();
        more > 0 || told.into_iter().flatten().any(says)
    }

    /// The one string that is all the delta says.
    pub(super) fn only_text(&self) -> Option<&'a RawValue> {
        let said = [self.reasoning_content, self.reasoning, self.content, self.refusal];
        let mut said = said.into_iter().flatten().filter(|value| value.get() != "\"\"");
        let only = said.next()?;
        let alone = said.next().is_none() && only.get().starts_with('"');
        let more = self.details.len() + self.calls.len() + self.images.len() + self.annotations.len();
        (alone && more == 0).then_some(only)
    }
}

impl<'de> Members<'de> for ChunkDelta<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "reasoning_content" => self.reasoning_content = map.next_value()?,
            "reasoning" => self.reasoning = map.next_value()?,
            "content" => self.content = map.next_value()?,
            "refusal" => self.refusal = map.next_value()?,
            "tool_calls" => self.calls = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "reasoning_details" => self.details = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "images" => self.images = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "annotations" => self.annotations = map.next_value::<Option<_>>()?.unwrap_or_default(),
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// Whether a content is more than an empty string or list.
pub(super) fn says(value: &RawValue) -> bool {
    let json = value.get();
    let inside = json.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    !matches!(json, "null" | "\"\"") && !inside.is_some_and(|items| items.trim_ascii().is_empty())
}

/// A value that was passed over at first.
pub(super) fn parse(raw: &RawValue) -> Result<Value, WireError> {
    serde_json::from_str(raw.get()).map_err(|error| WireError::json(&error, raw.get()))
}
