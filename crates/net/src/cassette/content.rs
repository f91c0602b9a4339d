//! Bytes, as a person can read them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes as JSON (only of requests, where spacing says nothing), as text where they are UTF-8, else as
/// base64.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Content {
    Json(Value),
    Text(String),
    Base64(String),
}

/// How deep JSON may be to be kept as such. The reader of a line has a limit of its own, above this.
const DEEPEST: usize = 100;

fn fits(value: &Value, levels: usize) -> bool {
    levels > 0
        && match value {
            Value::Object(members) => members.values().all(|member| fits(member, levels - 1)),
            Value::Array(items) => items.iter().all(|item| fits(item, levels - 1)),
            _ => true,
        }
}

impl Content {
    /// These bytes exactly.
    pub(super) fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    /// A request's body; JSON objects and arrays as what they say.
    pub(super) fn of_request(bytes: &[u8]) -> Self {
        match serde_json::from_slice(bytes) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) if fits(&value, DEEPEST) => Self::Json(value),
            _ => Self::of(bytes),
        }
    }

    /// The bytes; of JSON, such that say the same.
    pub(super) fn bytes(&self) -> Result<Bytes, String> {
        match self {
            Self::Json(value) => Ok(value.to_string().into()),
            Self::Text(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
            Self::Base64(text) => {
                STANDARD.decode(text).map(Into::into).map_err(|error| format!("not base64: {error}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_body_in_the_form_it_can_be_read_in() {
        let check = |bytes: &[u8], expect: &str| {
            let content = Content::of_request(bytes);
            let line = serde_json::to_string(&content).unwrap();
            assert_eq!(line.split('"').nth(1).unwrap(), expect, "{line}");
            assert_eq!(serde_json::from_str::<Content>(&line).unwrap(), content);
            if expect != "json" {
                assert_eq!(content.bytes().unwrap(), bytes);
            }
        };
        check(b"", "text");
        check(b"3", "text");
        check(b"{\"a\":", "text");
        check(b"{ \"a\": [1] }", "json");
        check(b"[]", "json");
        check(b"\xff{}", "base64");
        check("[".repeat(99).as_bytes(), "text");
        check(format!("{}{}", "[".repeat(99), "]".repeat(99)).as_bytes(), "json");
        check(format!("{}{}", "[".repeat(120), "]".repeat(120)).as_bytes(), "text");
        check(format!("{}{}", "[".repeat(9000), "]".repeat(9000)).as_bytes(), "text");
    }
}
