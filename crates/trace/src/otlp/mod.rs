//! OpenTelemetry's wire format (OTLP over HTTP) as it comes: requests for traces and logs in protobuf or JSON,
//! read into one form that borrows from the body, and the answers to them.
//!
//! Deliberately not here: HTTP, compression, and what attributes mean (`convention`).
//!
//! Source: `opentelemetry-proto` v1, `opentelemetry/proto/{trace,logs,common,resource,collector}`, and the OTLP
//! specification's rules for JSON (ids in hexadecimal, enums as numbers, 64-bit integers as text or numbers,
//! unknown members left out).
//!
//! Reading order: [`form`] (what a request holds), `wire` (fields of a protobuf message), `protobuf`, `json`,
//! [`answer`].

pub mod answer;
pub mod form;
mod json;
mod protobuf;
mod wire;

use form::{Entry, LogRecord, Of, Span};

/// What a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

impl Format {
    /// The format of a content type; `None` where it is neither.
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        [Self::Protobuf, Self::Json]
            .into_iter()
            .find(|format| format.content_type().eq_ignore_ascii_case(essence))
    }

    /// The content type of requests and answers.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// A body that is no OTLP request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtlpError {
    /// The bytes end within a field.
    #[error("the protobuf message is cut off")]
    Cut,
    /// A number longer than 64 bits, or a field of no number.
    #[error("the body is not a protobuf message")]
    NotProtobuf,
    /// A field of another type than the one it is known by.
    #[error("field {field} of {message} is of another type than in opentelemetry-proto v1")]
    WrongType {
        /// The message.
        message: &'static str,
        /// The field's number.
        field: u32,
    },
    /// Values within values, too many levels of them.
    #[error("attribute values are nested more than {MOST_DEEP} levels deep")]
    TooDeep,
    /// Few bytes that would take much memory.
    #[error("the request holds too many empty or tiny entries for its size")]
    TooMany,
    /// Not the JSON that it should be.
    #[error("the body is not an OTLP request in JSON: {0}")]
    Json(String),
}

/// Values of attributes may be nested so deep.
const MOST_DEEP: usize = 32;

/// Memory that the entries of a body may take, by its length: what real senders send takes one to three times
/// its length.
fn budget(body: &[u8]) -> usize {
    (1 << 20) + body.len().saturating_mul(8)
}

/// Reads an `ExportTraceServiceRequest`.
pub fn read_traces(body: &[u8], format: Format) -> Result<Vec<Of<'_, Span<'_>>>, OtlpError> {
    read(body, format)
}

/// Reads an `ExportLogsServiceRequest`.
pub fn read_logs(body: &[u8], format: Format) -> Result<Vec<Of<'_, LogRecord<'_>>>, OtlpError> {
    read(body, format)
}

fn read<'a, T: Entry<'a>>(body: &'a [u8], format: Format) -> Result<Vec<Of<'a, T>>, OtlpError> {
    match format {
        Format::Protobuf => protobuf::request(body, budget(body)),
        Format::Json => json::request(body),
    }
}

/// How many metrics an `ExportMetricsServiceRequest` holds; they are not looked into.
pub fn count_metrics(body: &[u8], format: Format) -> Result<usize, OtlpError> {
    match format {
        Format::Protobuf => protobuf::count_metrics(body),
        Format::Json => json::count_metrics(body),
    }
}
