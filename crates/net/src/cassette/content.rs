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
            Ok(value @ (Value::Object(_) | Value::Array(_))) => Self::Json(value),
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
