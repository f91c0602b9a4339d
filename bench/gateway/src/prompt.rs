//! Requests of which no two are alike, and how the mock marks its answer to each.

use bytes::Bytes;
use std::io::Write;

/// The model that answers at once.
pub(crate) const MODEL: &str = "mock-model";
/// Models of this name and a number answer a stream with so many milliseconds between chunks.
pub(crate) const PACED: &str = "mock-paced-";

/// Begins the number that a request carries and its answer repeats.
pub(crate) const MARK: &[u8] = b"case-";
/// Digits of that number.
pub(crate) const DIGITS: usize = 12;

const WORDS: [&str; 16] = [
    "river",
    "ledger",
    "copper",
    "window",
    "thirty",
    "signal",
    "garden",
    "paper",
    "harbour",
    "engine",
    "winter",
    "metre",
    "courtyard",
    "lantern",
    "granite",
    "tide",
];

/// A chat request: its number stands in the prompt and chooses the words of it.
pub(crate) fn request(model: &str, stream: bool, number: u64) -> Bytes {
    let mut body = Vec::with_capacity(1024);
    // Writing to a vector cannot fail.
    let _ = write!(
        body,
        r#"{{"model":"{model}","messages":[{{"role":"system","content":"You are terse. Answer in one paragraph, and name the case you speak of."}},{{"role":"user","content":"case-{number:0DIGITS$}: what do these have to do with each other:"#,
    );
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for _ in 0..48 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = usize::try_from(state >> 60).ok().and_then(|at| WORDS.get(at)).copied().unwrap_or("stone");
        body.push(b' ');
        body.extend_from_slice(word.as_bytes());
    }
    let _ = write!(body, r#"?"}}],"temperature":0.2,"max_tokens":256,"stream":{stream}}}"#);
    Bytes::from(body)
}

/// The number of a request or an answer, digits as they stand.
pub(crate) fn number(bytes: &[u8]) -> Option<&[u8]> {
    let from = memchr::memmem::find(bytes, MARK)? + MARK.len();
    bytes.get(from..from + DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_requests_are_alike() {
        let check = |stream, at: u64| {
            let body = request(MODEL, stream, at);
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(json["model"], MODEL);
            assert_eq!(json["stream"], stream);
            assert_eq!(number(&body).unwrap(), format!("{at:012}").as_bytes());
            json["messages"][1]["content"].as_str().unwrap().split_once(':').unwrap().1.to_owned()
        };
        assert_ne!(check(false, 7), check(true, 8));
        assert_ne!(check(false, 0), check(false, 1_000_000));
    }
}
