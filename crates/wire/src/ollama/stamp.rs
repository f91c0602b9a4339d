//! What the dialect tells of an answer beside its content: when it was made, and, where it has no id, what
//! stands for one.

use hanok_base::Timestamp;
use std::io::Write;

/// The beginning of ids that were made here because the other side gave none. They mean nothing to an upstream
/// of this dialect, so it never sees them.
const MADE: &str = "ollama_";

/// Writes times as the dialect has them: RFC 3339 in UTC with nanoseconds. Lines of one stream mostly share
/// their second, so that its text is made once.
#[derive(Debug, Default)]
pub(super) struct Clock {
    second: Option<i64>,
    text: String,
}

impl Clock {
    /// Appends `at` to `out`, without quotes.
    pub(super) fn write(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        let second = at.seconds();
        if self.second.replace(second) != Some(second) {
            let text = at.rfc3339();
            self.text.clear();
            self.text.push_str(text.split_once('.').map_or("1970-01-01T00:00:00", |(whole, _)| whole));
        }
        out.extend_from_slice(self.text.as_bytes());
        // Writing into memory does not fail.
        write!(out, ".{:09}Z", at.0.rem_euclid(1_000_000_000)).unwrap_or_default();
    }
}

/// The time as the dialect writes it.
pub(super) fn text(at: Timestamp) -> String {
    let mut out = Vec::with_capacity(30);
    Clock::default().write(at, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// The time of so many seconds since the epoch; now where that is 0, which means that nobody said.
pub(super) fn of_seconds(seconds: i64) -> Timestamp {
    if seconds == 0 { Timestamp::now() } else { Timestamp(seconds.saturating_mul(1_000_000_000)) }
}

/// Seconds since the epoch; 0 where the text is no time.
pub(super) fn seconds(text: &str) -> i64 {
    Timestamp::parse_rfc3339(text).map_or(0, Timestamp::seconds)
}

/// An id for an answer, always the same for the same answer.
pub(super) fn answer_id(model: &str, created_at: &str) -> String {
    format!("{MADE}{:016x}", hash(&[model, created_at]))
}

/// An id for a call of an answer that gives it none, always the same for the same answer.
pub(super) fn call_id(created_at: &str, position: usize, name: &str, arguments: &str) -> String {
    format!("{MADE}{:016x}", hash(&[created_at, &position.to_string(), name, arguments]))
}

/// An id for a call of a conversation that gives it none; it stays while the conversation grows.
pub(super) fn place_id(message: usize, position: usize) -> String {
    format!("{MADE}{message}_{position}")
}

/// Whether an id was made here.
pub(super) fn is_made(id: &str) -> bool {
    id.starts_with(MADE)
}

/// 64 hexadecimal digits that stand for a name, always the same.
pub(super) fn digest(name: &str) -> String {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|part| hash(&[part, name]));
    format!("{a:016x}{b:016x}{c:016x}{d:016x}")
}

/// FNV-1a over the parts, each ended by a zero byte.
fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |nanos: i64, expect: &str| {
            assert_eq!(text(Timestamp(nanos)), expect);
            assert_eq!(Timestamp::parse_rfc3339(expect), Some(Timestamp(nanos)));
        };
        check(0, "1970-01-01T00:00:00.000000000Z");
        check(1_763_634_427_123_456_789, "2025-11-20T10:27:07.123456789Z");
        check(-1, "1969-12-31T23:59:59.999999999Z");
        let mut clock = Clock::default();
        let mut out = Vec::new();
        for nanos in [1_000_000_000, 1_000_000_001, 2_000_000_000] {
            clock.write(Timestamp(nanos), &mut out);
            out.push(b' ');
        }
        let expect = "1970-01-01T00:00:01.000000000Z 1970-01-01T00:00:01.000000001Z \
                      1970-01-01T00:00:02.000000000Z ";
        assert_eq!(String::from_utf8(out).unwrap(), expect);
        assert_eq!((seconds("2023-08-04T08:52:19.385406455-07:00"), seconds("?")), (1_691_164_339, 0));
    }
}
