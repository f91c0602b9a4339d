//! What is kept of responses, and the bodies of the routes that give it back. Pure functions; where and how
//! long things are kept is for the caller to say.

use super::fault;
use super::items::item_id;
use super::response::{End, Shape};
use crate::error::WireError;
use crate::take;
use hanok_base::{Object, Problem};
use serde_json::{Value, json};

/// What is kept of one call: the items it was asked with and those it was answered with. A conversation is
/// such items, one call after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredItems {
    /// Of the request, as the client sent them; a text as a message.
    pub input: Vec<Value>,
    /// Of the answer.
    pub output: Vec<Value>,
}

impl StoredItems {
    /// The items of a client's request and of the response object it was answered with.
    pub fn of(request: &[u8], response: &[u8]) -> Result<Self, WireError> {
        let mut request = take::object(request)?;
        let input = match take::some(&mut request, "input") {
            None => Vec::new(),
            Some(Value::String(text)) => {
                let content = json!([{ "type": "input_text", "text": text }]);
                vec![json!({ "type": "message", "role": "user", "content": content })]
            }
            Some(Value::Array(items)) => items,
            Some(_) => return Err(WireError::member("input", "must be a string or an array of items")),
        };
        let mut response = take::object(response)?;
        Ok(Self { input, output: take::array(&mut response, "output")? })
    }

    /// All of them, oldest first.
    pub fn into_items(self) -> Vec<Value> {
        let mut items = self.input;
        items.extend(self.output);
        items
    }
}

/// Which input items are to be listed.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Begin behind the item with this id.
    pub after: Option<&'a str>,
    /// At most so many, 1 to 100.
    pub limit: usize,
    /// Oldest first, rather than newest first.
    pub ascending: bool,
}

impl Default for Page<'_> {
    fn default() -> Self {
        Self { after: None, limit: 20, ascending: false }
    }
}

/// The list of the items that an answer was asked with. Items that came without an id get one that stays the
/// same from page to page. [`WireError::Member`] where `after` names none of them.
pub fn input_items(response_id: &str, items: &[Value], page: Page<'_>) -> Result<Vec<u8>, WireError> {
    let stem = response_id.strip_prefix("resp_").unwrap_or(response_id);
    let listed = items.iter().enumerate().map(|(i, item)| listed(item, stem, i));
    let mut listed: Vec<Value> = listed.collect();
    if !page.ascending {
        listed.reverse();
    }
    let id_of = |item: &Value| item.get("id").cloned().unwrap_or_default();
    let from = match page.after {
        None => 0,
        Some(after) => {
            let at = listed.iter().position(|item| id_of(item) == after);
            at.ok_or_else(|| WireError::member("after", "is the id of none of the input items"))? + 1
        }
    };
    let rest = listed.get(from..).unwrap_or_default();
    let data: Vec<Value> = rest.iter().take(page.limit.clamp(1, 100)).cloned().collect();
    let list = json!({
        "object": "list",
        "first_id": data.first().map(id_of),
        "last_id": data.last().map(id_of),
        "has_more": data.len() < rest.len(),
        "data": data,
    });
    Ok(list.to_string().into_bytes())
}

/// An input item as it is listed: with a type, an id, and its content as parts.
fn listed(item: &Value, stem: &str, position: usize) -> Value {
    let mut item = item.clone();
    let Some(object) = item.as_object_mut() else { return item };
    let kind = object.entry("type").or_insert_with(|| "message".into());
    let prefix = match kind.as_str() {
        Some("message") => "msg",
        Some("function_call") => "fc",
        Some("function_call_output") => "fco",
        Some("reasoning") => "rs",
        _ => "item",
    };
    if prefix == "msg"
        && let Some(Value::String(text)) = object.get("content")
    {
        let is_said = object.get("role").is_some_and(|role| role == "assistant");
        let part = if is_said { "output_text" } else { "input_text" };
        let content = json!([{ "type": part, "text": text }]);
        object.insert("content".into(), content);
    }
    object.entry("id").or_insert_with(|| item_id(prefix, stem, position).into());
    item
}

/// What is answered to a deletion.
pub fn deleted(id: &str) -> Vec<u8> {
    json!({ "id": id, "object": "response", "deleted": true }).to_string().into_bytes()
}

/// A kept response that was cancelled.
pub fn cancelled(response: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut response = take::object(response)?;
    response.insert("status".into(), "cancelled".into());
    Ok(Value::Object(response).to_string().into_bytes())
}

/// How far an answer is that nobody waits for.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// It was taken.
    Queued,
    /// It is being made.
    InProgress,
    /// It failed.
    Failed(&'a Problem),
}

/// The response object of an answer that is not there (`background`): `id` and `model` as the client is to
/// know them, `created` in seconds since the epoch.
pub fn without_answer(
    progress: Progress<'_>,
    id: &str,
    model: &str,
    created: i64,
    request: &[u8],
) -> Vec<u8> {
    let shape = Shape::new(id.to_owned(), created, model.to_owned(), None, request);
    let end = match progress {
        Progress::Queued => End::not_yet("queued"),
        Progress::InProgress => End::not_yet("in_progress"),
        Progress::Failed(problem) => End { error: fault::of_response(problem), ..End::not_yet("failed") },
    };
    Value::Object(shape.object(end, &Object::new())).to_string().into_bytes()
}
