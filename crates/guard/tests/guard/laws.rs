//! What holds for any text.

use crate::everything;
use hanok_guard::Redactor;
use proptest::prelude::*;
use std::time::{Duration, Instant};

const PIECES: &[&str] = &[
    "AKIAIOSFODNN7EXAMPLE",
    "sk-proj-aB3dE5fG7hJ9kL1mN0pQ2rS4tU6vW8xY",
    "postgres://app:hunter22@db",
    "alice@example.com",
    "010-2234-5678",
    "900101-1234568",
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefgh12",
    "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----",
    " ",
    "-",
    "한국",
    "\n",
    "\\n",
    "\"",
    "1",
    "a",
    ":",
    "://",
    "@",
    "+",
    ".",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(PIECES).prop_map(ToOwned::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_second_go_finds_nothing_more(text in text()) {
        let redactor = everything();
        if let Some(once) = redactor.text(&text) {
            prop_assert_eq!(redactor.text(&once.value), None, "{:?} of {:?}", once.value, text);
        }
    }

    #[test]
    fn no_secret_that_was_found_is_left(text in text()) {
        let redactor = Redactor::new(true, []);
        let found = redactor.find(&text);
        let left = redactor.text(&text).map_or(text.clone(), |redacted| redacted.value);
        for one in found {
            let secret = &text[one.range.clone()];
            // A word this long is in no placeholder.
            prop_assert!(secret.len() < 16 || !left.contains(secret), "{secret:?} in {left:?}");
        }
    }

    #[test]
    fn json_stays_json_and_loses_the_same(text in text(), number in any::<u64>()) {
        let redactor = everything();
        let json = serde_json::json!({ "a": [text, number], "b": { "c": text } });
        let bytes = serde_json::to_vec(&json).unwrap();
        let expect = redactor.text(&text).map_or(text.clone(), |redacted| redacted.value);
        match redactor.json(&bytes) {
            None => prop_assert_eq!(expect, text),
            Some(redacted) => {
                let value: serde_json::Value = serde_json::from_slice(&redacted.value).unwrap();
                prop_assert_eq!(&value["a"][0], &serde_json::Value::from(expect.as_str()));
                prop_assert_eq!(&value["b"]["c"], &serde_json::Value::from(expect.as_str()));
            }
        }
    }

    #[test]
    fn bytes_of_any_kind(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        everything().json(&bytes);
    }
}

#[test]
fn time_grows_with_the_length_only() {
    let redactor = everything();
    for piece in [
        "sk-",
        "eyJ",
        "eyJ.",
        "AccountKey=",
        "://",
        "://a:b",
        "a@",
        "1",
        "1 ",
        "1-",
        "+1 ",
        "-----BEGIN PRIVATE KEY-----",
        "Bearer ",
        ":AA",
        "1:AA",
        "\"",
        "\\",
        "\\u0041",
        "DE89 ",
        "alice@example.com ",
        "a.",
        "secret_access_key ",
        "xoxb-",
        "sk-a sk-",
    ] {
        let text = piece.repeat(200_000 / piece.len());
        let began = Instant::now();
        redactor.text(&text);
        redactor.json(text.as_bytes());
        // Linear, this takes some tens of milliseconds; what is quadratic takes minutes.
        assert!(began.elapsed() < Duration::from_secs(10), "{piece:?} took {:?}", began.elapsed());
    }
}
