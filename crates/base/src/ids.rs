//! Identifiers and names.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name!(
    /// What a provider offers under this name, or an alias of the gateway.
    ModelName
);
name!(
    /// A vendor or a local engine, as named in the configuration.
    ProviderName
);
name!(
    /// A set of documents that are searched together.
    CollectionName
);
name!(
    /// The id an answer carries on the wire (`chatcmpl-…`).
    ResponseId
);

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// A new random id, never all zero (W3C Trace Context forbids that).
            pub fn random() -> Self {
                let mut bytes = [0; $bytes];
                fastrand::fill(&mut bytes);
                if bytes == [0; $bytes] {
                    bytes = [1; $bytes];
                }
                Self(bytes)
            }
            /// The id from its bytes.
            pub fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }
            /// The id's bytes.
            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let mut text = [0_u8; $bytes * 2];
                for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
                    if let ([high, low], Some(h), Some(l)) =
                        (pair, HEX.get(usize::from(byte >> 4)), HEX.get(usize::from(byte & 15)))
                    {
                        *high = *h;
                        *low = *l;
                    }
                }
                f.write_str(std::str::from_utf8(&text).unwrap_or_default())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let bad = || BadId { digits: $bytes * 2 };
                if text.len() != $bytes * 2 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(bad());
                }
                let mut bytes = [0_u8; $bytes];
                for (i, byte) in bytes.iter_mut().enumerate() {
                    let pair = text.get(i * 2..i * 2 + 2).ok_or_else(bad)?;
                    *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
                }
                Ok(Self(bytes))
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_id!(
    /// A trace's id: 16 bytes, 32 hex digits in text.
    TraceId,
    16
);
hex_id!(
    /// A span's id: 8 bytes, 16 hex digits in text.
    SpanId,
    8
);

impl TraceId {
    /// A new id that begins with the time in milliseconds (48 bits), so that an index over ids of one time is
    /// one place; the other 80 bits are random, more than W3C's random flag promises.
    pub fn timely() -> Self {
        let mut id = Self::random();
        let millis = Timestamp::now().0.unsigned_abs() / 1_000_000;
        let [_, _, time @ ..] = millis.to_be_bytes();
        for (byte, at) in id.0.iter_mut().zip(time) {
            *byte = at;
        }
        id
    }
}

/// Text that is not an id of the wanted length.
#[derive(Debug, thiserror::Error)]
#[error("not an id: expected {digits} hexadecimal digits")]
pub struct BadId {
    digits: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_through_text() {
        let id = TraceId::random();
        assert_eq!(id.to_string().parse::<TraceId>().unwrap(), id);
        assert_eq!(id.to_string().len(), 32);
        assert!("xyz".parse::<SpanId>().is_err());
        assert!("00112233445566é".parse::<SpanId>().is_err());
    }
}
