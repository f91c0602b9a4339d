//! A streamed answer as one JSON array: what `:streamGenerateContent` gives where nobody asks for `alt=sse`.

use super::fault;
use crate::sse::Parser;
use hanok_base::{ErrorKind, Problem};

/// The type of such an answer.
pub const ARRAY_TYPE: &str = "application/json; charset=UTF-8";

/// From a stream of server-sent events to an array with their data as its elements. The array is closed whatever
/// the stream ends in; an error is its last element.
#[derive(Debug, Default)]
pub struct ArrayWriter {
    events: Parser,
    begun: bool,
    closed: bool,
}

impl ArrayWriter {
    /// Takes the next bytes of the stream, in any pieces.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.closed {
            return;
        }
        let begun = &mut self.begun;
        let fed = self.events.feed(bytes, |event| {
            element(begun, event.data, out);
            Ok(())
        });
        if let Err(error) = fed {
            let problem = Problem::new(ErrorKind::Upstream, "provider_bad_answer", error.to_string());
            element(&mut self.begun, &fault::encode(&problem, None), out);
            self.close(out);
        }
    }

    /// The stream ended.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.closed {
            return;
        }
        let begun = &mut self.begun;
        // Nothing is wrong with what is left: events come whole.
        let _ = self.events.finish(|event| {
            element(begun, event.data, out);
            Ok(())
        });
        self.close(out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.closed = true;
        out.extend_from_slice(if self.begun { b"\n]\n" } else { b"[]\n" });
    }
}

fn element(begun: &mut bool, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(if *begun { b",\n" } else { b"[" });
    *begun = true;
    out.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn any_pieces_give_one_array() {
        let check = |stream: &str, expect: &str| {
            for size in [1, 2, 3, 7, stream.len().max(1)] {
                let (mut writer, mut out) = (ArrayWriter::default(), Vec::new());
                stream.as_bytes().chunks(size).for_each(|piece| writer.feed(piece, &mut out));
                writer.finish(&mut out);
                let text = String::from_utf8(out).unwrap();
                assert_eq!(text, expect, "in pieces of {size}");
                assert!(serde_json::from_str::<Vec<Value>>(&text).is_ok());
            }
        };
        check("", "[]\n");
        check("data: {\"a\":1}\n\n", "[{\"a\":1}\n]\n");
        check("data: {\"a\":1}\r\n\r\n: alive\n\ndata: {\"b\":\"é\"}\n\n", "[{\"a\":1},\n{\"b\":\"é\"}\n]\n");
        check(
            "data: {\"a\":1}\n\ndata: {\"error\":{\"code\":503}}\n\n",
            "[{\"a\":1},\n{\"error\":{\"code\":503}}\n]\n",
        );
    }

    #[test]
    fn an_event_that_never_ends_ends_in_an_error() {
        let (mut writer, mut out) = (ArrayWriter::default(), Vec::new());
        writer.feed(b"data: {\"a\":1}\n\ndata: ", &mut out);
        let piece = vec![b'x'; 1 << 20];
        (0..10).for_each(|_| writer.feed(&piece, &mut out));
        writer.finish(&mut out);
        let elements: Vec<Value> = serde_json::from_slice(&out).unwrap();
        assert_eq!(elements.len(), 2);
        assert!(elements[1]["error"]["message"].is_string(), "{elements:?}");
    }
}
