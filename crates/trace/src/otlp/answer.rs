//! Answers to exporters, in the format of the request.

use super::Format;
use serde_json::json;

/// An `ExportTraceServiceResponse` (or that of logs or metrics, which is the same message but for a name) that
/// accepts all but so many entries; `message` says which and why.
pub fn accepted(format: Format, signal: Signal, rejected: u64, message: &str) -> Vec<u8> {
    let partial = rejected > 0 || !message.is_empty();
    match format {
        Format::Protobuf if !partial => Vec::new(),
        Format::Protobuf => {
            let mut inner = Vec::with_capacity(message.len() + 16);
            if rejected > 0 {
                inner.push(1 << 3);
                varint(&mut inner, rejected);
            }
            bytes(&mut inner, 2, message.as_bytes());
            let mut body = Vec::with_capacity(inner.len() + 4);
            bytes(&mut body, 1, &inner);
            body
        }
        Format::Json if !partial => b"{}".to_vec(),
        Format::Json => {
            let mut success = serde_json::Map::new();
            // 64-bit integers are text in protobuf's JSON.
            success.insert(signal.rejected().to_owned(), rejected.to_string().into());
            success.insert("errorMessage".to_owned(), message.into());
            json!({ "partialSuccess": success }).to_string().into_bytes()
        }
    }
}

/// A `google.rpc.Status`: what went wrong with the request as a whole.
pub fn status(format: Format, code: StatusCode, message: &str) -> Vec<u8> {
    match format {
        Format::Protobuf => {
            let mut body = Vec::with_capacity(message.len() + 8);
            body.push(1 << 3);
            varint(&mut body, u64::from(code as u8));
            bytes(&mut body, 2, message.as_bytes());
            body
        }
        Format::Json => json!({ "code": code as u8, "message": message }).to_string().into_bytes(),
    }
}

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Metrics.
    Metrics,
}

impl Signal {
    fn rejected(self) -> &'static str {
        match self {
            Self::Traces => "rejectedSpans",
            Self::Logs => "rejectedLogRecords",
            Self::Metrics => "rejectedDataPoints",
        }
    }
}

/// gRPC's code of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusCode {
    /// The request is not what it should be.
    InvalidArgument = 3,
    /// There is no room now.
    ResourceExhausted = 8,
    /// It cannot be kept now.
    Unavailable = 14,
}

fn bytes(into: &mut Vec<u8>, field: u8, content: &[u8]) {
    into.push(field << 3 | 2);
    varint(into, content.len() as u64);
    into.extend_from_slice(content);
}

fn varint(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number.to_le_bytes().first().copied().unwrap_or_default() | 0x80);
        number >>= 7;
    }
    into.push(number.to_le_bytes().first().copied().unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_format_of_the_request() {
        let text = |format, rejected, message: &str| accepted(format, Signal::Traces, rejected, message);
        assert_eq!(text(Format::Protobuf, 0, ""), b"");
        assert_eq!(text(Format::Json, 0, ""), b"{}");
        // partial_success { rejected_spans: 300, error_message: "no id" }
        assert_eq!(text(Format::Protobuf, 300, "no id"), b"\x0a\x0a\x08\xac\x02\x12\x05no id");
        assert_eq!(
            text(Format::Json, 2, "no id"),
            br#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no id"}}"#
        );
        assert_eq!(status(Format::Protobuf, StatusCode::InvalidArgument, "x"), b"\x08\x03\x12\x01x");
        assert_eq!(status(Format::Json, StatusCode::Unavailable, "x"), br#"{"code":14,"message":"x"}"#);
    }
}
