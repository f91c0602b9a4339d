//! What is found, what only looks like it, and what always holds.

mod laws;
mod people;
mod secrets;

use hanok_guard::{Pii, Redactor};

/// A text and what becomes of it; near misses stay as they are.
fn check(redactor: &Redactor, input: &str, expect: &str) {
    let redacted = redactor.text(input);
    let value = redacted.as_ref().map_or(input, |redacted| redacted.value.as_str());
    assert_eq!(value, expect, "{input}");
    assert_eq!(redacted.is_some(), input != expect, "{input}");
}

fn only(kind: Pii) -> Redactor {
    Redactor::new(false, [kind])
}

fn everything() -> Redactor {
    Redactor::new(true, Pii::ALL)
}
