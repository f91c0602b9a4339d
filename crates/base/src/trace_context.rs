//! W3C Trace Context (Recommendation of 23 November 2021): the trace a caller is in, and how it is told on.

use crate::{SpanId, TraceId};
use std::sync::Arc;

/// The longest `tracestate` that is passed on; the recommendation asks for 512 at least.
const LONGEST_STATE: usize = 2_048;

/// The place in somebody else's trace that a call was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that made the call.
    pub parent: SpanId,
    /// The flags, as they came.
    pub flags: u8,
    /// The vendors' own state (`tracestate`), passed on as it came.
    pub state: Option<Arc<str>>,
}

impl TraceContext {
    /// Reads `traceparent` and `tracestate`; `None` where the first is not what it should be, which the
    /// recommendation asks to treat as if it were not there.
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let mut fields = traceparent.trim().split('-');
        let (version, trace, parent, flags) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let lower = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_hex = [version, flags].iter().all(|text| text.len() == 2 && lower(text));
        // A later version may say more behind these; this one may not.
        if !is_hex || version == "ff" || (version == "00" && fields.next().is_some()) {
            return None;
        }
        let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
        if !lower(trace) || !lower(parent) || zero(trace) || zero(parent) {
            return None;
        }
        let state = tracestate.map(str::trim).filter(|state| (1..=LONGEST_STATE).contains(&state.len()));
        Some(Self {
            trace_id: trace.parse().ok()?,
            parent: parent.parse().ok()?,
            flags: u8::from_str_radix(flags, 16).ok()?,
            state: state.map(Into::into),
        })
    }

    /// The `traceparent` of a call that is made from this span.
    pub fn traceparent(trace_id: TraceId, span_id: SpanId, flags: u8) -> String {
        format!("00-{trace_id}-{span_id}-{flags:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_what_is_not() {
        let check = |text: &str, expect: bool| {
            let read = TraceContext::parse(text, Some(" a=1 "));
            assert_eq!(read.is_some(), expect, "{text}");
            if let Some(read) = read {
                assert_eq!(read.state.as_deref(), Some("a=1"));
                let again = TraceContext::traceparent(read.trace_id, read.parent, read.flags);
                assert_eq!(again.get(3..55), text.get(3..55), "{text}");
            }
        };
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true);
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", true);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false);
        check("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", false);
        check("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false);
        check("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false);
        check("00-0af7651916cd43dd-b7ad6b7169203331-01", false);
        check("0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
        check("", false);
    }

    #[test]
    fn a_state_too_long_is_left_out() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let long = "a".repeat(LONGEST_STATE + 1);
        assert_eq!(TraceContext::parse(parent, Some(&long)).unwrap().state, None);
        assert_eq!(TraceContext::parse(parent, Some("")).unwrap().state, None);
    }
}
