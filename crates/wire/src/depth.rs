//! How deeply JSON may be nested that goes from one dialect into another.

use crate::error::WireError;
use hanok_base::Object;
use serde_json::Value;

/// Levels of a JSON value that one dialect gives to another. A text that is written as JSON (arguments of a
/// call, a tool's result, a kept thought) stays the text it is where it is deeper. Whoever reads a document gives up at some depth: Protocol Buffers, behind
/// Gemini, at 100 levels, `serde_json`, which is our own reader, at 128. Each dialect puts a few of its own
/// around a value, seven at most, and each turn goes through two of them. What people nest stays far below.
pub(crate) const DEEPEST: usize = 64;

/// Levels of a client's request: those of a value, and more than any dialect has around one, so that a client
/// can always give back what it got.
pub(crate) const OF_REQUEST: usize = DEEPEST + 16;

/// Members named, beside the outermost, to tell where something is too deep.
const NAMED: usize = 4;

/// The JSON that a text is; `None` where it is none, or deeper than what may stand in another document.
pub(crate) fn embedded(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(|value| is_within(value, DEEPEST))
}

/// Refuses an object that is deeper than so many levels.
pub(crate) fn check(object: &Object, levels: usize) -> Result<(), WireError> {
    beyond(object, levels).map_or(Ok(()), |place| Err(too_deep(place, levels)))
}

pub(crate) fn too_deep(place: String, levels: usize) -> WireError {
    WireError::member(place, format!("is nested too deeply: {levels} levels are the most"))
}

/// Where an object is deeper than so many levels, by its outer members; `None` where it is not.
fn beyond(object: &Object, levels: usize) -> Option<String> {
    let levels = levels.saturating_sub(1);
    let (name, mut value) = object.iter().find(|(_, value)| !is_within(value, levels))?;
    let mut place = name.clone();
    for left in (0..levels).rev().take(NAMED) {
        let deep = |value: &Value| !is_within(value, left);
        let below = match value {
            Value::Array(items) => {
                let found = items.iter().enumerate().find(|(_, item)| deep(item));
                found.map(|(i, item)| (format!("[{i}]"), item))
            }
            Value::Object(members) => {
                let found = members.iter().find(|(_, member)| deep(member));
                found.map(|(name, member)| (format!(".{name}"), member))
            }
            _ => None,
        };
        let Some((name, inner)) = below else { break };
        place.push_str(&name);
        value = inner;
    }
    Some(place)
}

fn is_within(value: &Value, levels: usize) -> bool {
    let below = levels.saturating_sub(1);
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_within(item, below)),
        Value::Object(members) => levels > 0 && members.values().all(|member| is_within(member, below)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        let check = |json: &str, expect: usize| {
            let value: Value = serde_json::from_str(json).unwrap();
            let found = (0..9).find(|levels| is_within(&value, *levels));
            assert_eq!(found, Some(expect), "{json}");
        };
        check("7", 0);
        check(r#""[[[""#, 0);
        check("{}", 1);
        check("[1,[],2]", 2);
        check(r#"{"a":1,"b":[{"c":null}],"d":{}}"#, 3);
    }

    #[test]
    fn texts_that_are_written_as_json() {
        let check = |text: &str, expect: bool| assert_eq!(embedded(text).is_some(), expect, "{text}");
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        check(&nested(DEEPEST), true);
        check(&nested(DEEPEST + 1), false);
        check(&nested(100_000), false);
        check("{\"a\":", false);
        check("", false);
    }

    #[test]
    fn places() {
        let check = |json: &str, levels: usize, expect: Option<&str>| {
            let document: Object = serde_json::from_str(json).unwrap();
            assert_eq!(beyond(&document, levels).as_deref(), expect, "{json}");
        };
        check("{}", 1, None);
        check(r#"{"a":1,"b":[]}"#, 2, None);
        check(r#"{"a":1,"b":[]}"#, 1, Some("b"));
        check(r#"{"a":[1,{"b":[]}]}"#, 3, Some("a[1].b"));
        check(r#"{"a":{"b":{"c":{"d":{"e":{"f":{}}}}}}}"#, 6, Some("a.b.c.d.e"));
    }
}
