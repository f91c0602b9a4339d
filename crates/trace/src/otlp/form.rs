//! What a request holds. Texts and bytes borrow from the body where they can.

use super::OtlpError;
use super::wire::Message;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hanok_base::{SpanId, TraceId};
use serde::Deserialize;
use serde_json::{Number, Value};
use std::borrow::Cow;

/// What one program recorded: spans or log records, by the part of the program that did.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(bound(deserialize = "'de: 'a, T: Deserialize<'de>"))]
pub struct Of<'a, T> {
    /// Attributes of the program.
    #[serde(default, deserialize_with = "super::json::resource")]
    pub resource: Vec<KeyValue<'a>>,
    /// By scope.
    #[serde(
        default = "Vec::new",
        alias = "scopeSpans",
        alias = "scope_spans",
        alias = "scopeLogs",
        alias = "scope_logs",
        deserialize_with = "super::json::list"
    )]
    pub scopes: Vec<Scoped<'a, T>>,
}

/// What one part of a program recorded.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(bound(deserialize = "'de: 'a, T: Deserialize<'de>"))]
pub struct Scoped<'a, T> {
    /// Which part, usually a library that instruments another.
    #[serde(default, borrow, deserialize_with = "super::json::or_default")]
    pub scope: Scope<'a>,
    /// The spans or log records.
    #[serde(
        default = "Vec::new",
        alias = "spans",
        alias = "logRecords",
        alias = "log_records",
        deserialize_with = "super::json::list"
    )]
    pub entries: Vec<T>,
}

impl<T> Default for Of<'_, T> {
    fn default() -> Self {
        Self { resource: Vec::new(), scopes: Vec::new() }
    }
}

impl<T> Default for Scoped<'_, T> {
    fn default() -> Self {
        Self { scope: Scope::default(), entries: Vec::new() }
    }
}

/// A part of a program that records.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Scope<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Its version.
    #[serde(borrow)]
    pub version: Text<'a>,
    /// Its attributes.
    #[serde(borrow, deserialize_with = "super::json::list")]
    pub attributes: Vec<KeyValue<'a>>,
}

/// Something that a request holds by the thousand.
pub trait Entry<'a>: Sized + Deserialize<'a> {
    /// Reads it from protobuf.
    #[doc(hidden)]
    fn read(message: Message<'a, '_>) -> Result<Self, OtlpError>;
}

/// A span.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Span<'a> {
    /// Its trace; `None` where that is no valid id.
    #[serde(alias = "trace_id", deserialize_with = "super::json::trace_id")]
    pub trace_id: Option<TraceId>,
    /// Its id; `None` where that is no valid id.
    #[serde(alias = "span_id", deserialize_with = "super::json::span_id")]
    pub span_id: Option<SpanId>,
    /// The span it is part of.
    #[serde(rename = "parentSpanId", alias = "parent_span_id", deserialize_with = "super::json::parent")]
    pub parent: Parent,
    /// W3C's `tracestate`.
    #[serde(borrow, alias = "trace_state")]
    pub trace_state: Text<'a>,
    /// Its name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    #[serde(deserialize_with = "super::json::kind")]
    pub kind: i32,
    /// Nanoseconds since the epoch.
    #[serde(
        rename = "startTimeUnixNano",
        alias = "start_time_unix_nano",
        deserialize_with = "super::json::fixed64"
    )]
    pub start: u64,
    /// The same of its end.
    #[serde(
        rename = "endTimeUnixNano",
        alias = "end_time_unix_nano",
        deserialize_with = "super::json::fixed64"
    )]
    pub end: u64,
    /// What is known of it.
    #[serde(borrow, deserialize_with = "super::json::list")]
    pub attributes: Vec<KeyValue<'a>>,
    /// What happened while it was open.
    #[serde(borrow, deserialize_with = "super::json::list")]
    pub events: Vec<Event<'a>>,
    /// Other spans that it has to do with.
    #[serde(borrow, deserialize_with = "super::json::list")]
    pub links: Vec<Link<'a>>,
    /// How it ended.
    #[serde(borrow, deserialize_with = "super::json::or_default")]
    pub status: Status<'a>,
}

/// The span that a span is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parent {
    /// None: it is a root.
    #[default]
    None,
    /// This one.
    Span(SpanId),
    /// An id that is none.
    Invalid,
}

/// Something that happened while a span was open.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Event<'a> {
    /// Nanoseconds since the epoch.
    #[serde(rename = "timeUnixNano", alias = "time_unix_nano", deserialize_with = "super::json::fixed64")]
    pub time: u64,
    /// What.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// More of it.
    #[serde(borrow, deserialize_with = "super::json::list")]
    pub attributes: Vec<KeyValue<'a>>,
}

/// Another span that a span has to do with.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Link<'a> {
    /// Its trace.
    #[serde(alias = "trace_id", deserialize_with = "super::json::trace_id")]
    pub trace_id: Option<TraceId>,
    /// Its id.
    #[serde(alias = "span_id", deserialize_with = "super::json::span_id")]
    pub span_id: Option<SpanId>,
    /// More of it.
    #[serde(borrow, deserialize_with = "super::json::list")]
    pub attributes: Vec<KeyValue<'a>>,
}

/// How a span ended.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Status<'a> {
    /// In words.
    #[serde(borrow)]
    pub message: Text<'a>,
    /// 1 ok, 2 error.
    #[serde(deserialize_with = "super::json::status_code")]
    pub code: i32,
}

/// A log record.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LogRecord<'a> {
    /// Nanoseconds since the epoch.
    #[serde(rename = "timeUnixNano", alias = "time_unix_nano", deserialize_with = "super::json::fixed64")]
    pub time: u64,
    /// The same of when it was seen.
    #[serde(
        rename = "observedTimeUnixNano",
        alias = "observed_time_unix_nano",
        deserialize_with = "super::json::fixed64"
    )]
    pub observed: u64,
    /// The event's name, where it is one.
    #[serde(borrow, alias = "event_name")]
    pub event_name: Text<'a>,
    /// What it says.
    #[serde(borrow, deserialize_with = "super::json::or_default")]
    pub body: AnyValue<'a>,
    /// More of it.
    #[serde(borrow, deserialize_with = "super::json::list")]
    pub attributes: Vec<KeyValue<'a>>,
    /// Its trace; `None` where that is no valid id.
    #[serde(alias = "trace_id", deserialize_with = "super::json::trace_id")]
    pub trace_id: Option<TraceId>,
    /// The span it belongs to; `None` where that is no valid id.
    #[serde(alias = "span_id", deserialize_with = "super::json::span_id")]
    pub span_id: Option<SpanId>,
}

/// An attribute.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct KeyValue<'a> {
    /// Its name.
    #[serde(borrow)]
    pub key: Text<'a>,
    /// Its value.
    #[serde(borrow, deserialize_with = "super::json::or_default")]
    pub value: AnyValue<'a>,
}

/// A value of any type.
#[derive(Debug, Default, PartialEq)]
pub enum AnyValue<'a> {
    /// None.
    #[default]
    Empty,
    /// A text.
    Text(Text<'a>),
    /// A truth.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// Several values.
    Array(Vec<AnyValue<'a>>),
    /// Values by name.
    List(Vec<KeyValue<'a>>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

impl<'a> AnyValue<'a> {
    /// The same as JSON: bytes in base64, numbers that JSON has none for as text.
    pub fn into_json(self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Text(text) => Value::String(text.0.into_owned()),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Int(number) => Value::from(number),
            Self::Double(number) => {
                Number::from_f64(number).map_or_else(|| Value::String(number.to_string()), Value::Number)
            }
            Self::Array(values) => values.into_iter().map(Self::into_json).collect(),
            Self::List(members) => object(members),
            Self::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        }
    }

    /// Its text, where it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its text, where it is one, else the value.
    pub(crate) fn into_text(self) -> Result<Cow<'a, str>, Self> {
        match self {
            Self::Text(text) => Ok(text.0),
            other => Err(other),
        }
    }
}

/// Attributes as a JSON object.
pub fn object(members: Vec<KeyValue<'_>>) -> Value {
    Value::Object(
        members.into_iter().map(|member| (member.key.0.into_owned(), member.value.into_json())).collect(),
    )
}

/// A text. Bytes that are no UTF-8 are replaced, as a whole batch is worth more than the letter of the law.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}
