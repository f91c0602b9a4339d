//! Taking members out of a JSON object, so that what is left is what we do not know.

use crate::depth;
use crate::error::{WireError, text};
use hanok_base::Object;
use serde_json::Value;

pub(crate) fn object(body: &[u8]) -> Result<Object, WireError> {
    let text = text(body)?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(WireError::member("body", "must be a JSON object")),
        Err(error) => Err(WireError::json(&error, text)),
    }
}

/// A client's request, no deeper than what can be written in every dialect.
pub(crate) fn request(body: &[u8]) -> Result<Object, WireError> {
    let object = object(body).map_err(|error| match error {
        // The parser's own limit; it may be JSON all the same.
        WireError::Json { message, .. } if message == "recursion limit exceeded" => {
            depth::too_deep("body".to_owned(), depth::OF_REQUEST)
        }
        other => other,
    })?;
    depth::check(&object, depth::OF_REQUEST)?;
    Ok(object)
}

/// A member that is there and not null.
pub(crate) fn some(object: &mut Object, name: &str) -> Option<Value> {
    object.shift_remove(name).filter(|value| !value.is_null())
}

fn wrong(name: &str, wanted: &str, value: &Value) -> WireError {
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    WireError::member(name, format!("must be {wanted}, not {got}"))
}

pub(crate) fn string(object: &mut Object, name: &str) -> Result<Option<String>, WireError> {
    match some(object, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong(name, "a string", &other)),
    }
}

pub(crate) fn array(object: &mut Object, name: &str) -> Result<Vec<Value>, WireError> {
    match some(object, name) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(wrong(name, "an array", &other)),
    }
}

pub(crate) fn map(object: &mut Object, name: &str) -> Result<Option<Object>, WireError> {
    match some(object, name) {
        None => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(other) => Err(wrong(name, "an object", &other)),
    }
}

pub(crate) fn number(object: &mut Object, name: &str) -> Result<Option<f64>, WireError> {
    match some(object, name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| wrong(name, "a number", &value)),
    }
}

pub(crate) fn integer(object: &mut Object, name: &str) -> Result<Option<i64>, WireError> {
    match some(object, name) {
        None => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| wrong(name, "an integer", &value)),
    }
}

pub(crate) fn count(object: &mut Object, name: &str) -> Result<Option<u64>, WireError> {
    match some(object, name) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| wrong(name, "a whole number", &value)),
    }
}

pub(crate) fn boolean(object: &mut Object, name: &str) -> Result<Option<bool>, WireError> {
    match some(object, name) {
        None => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(value)),
        Some(other) => Err(wrong(name, "a boolean", &other)),
    }
}

/// An item that must be an object.
pub(crate) fn item(value: Value, param: &str) -> Result<Object, WireError> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(wrong(param, "an object", &other)),
    }
}

/// A member at fault, put under where its object stands.
pub(crate) fn under(place: &str, error: WireError) -> WireError {
    match error {
        WireError::Member { param, message } => {
            WireError::Member { param: format!("{place}.{param}"), message }
        }
        other => other,
    }
}
