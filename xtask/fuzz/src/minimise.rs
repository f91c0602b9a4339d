//! The smallest input that still shows what a larger one showed.

use serde_json::Value;

/// Takes away from `input` as long as `shows` holds, with at most so many tries: lines, then members and items
/// of JSON, then bytes, large pieces first.
pub(crate) fn minimise(input: &[u8], mut tries: usize, mut shows: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut shows = |bytes: &[u8]| {
        let may = tries > 0;
        tries = tries.saturating_sub(1);
        may && shows(bytes)
    };
    let lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
    let lines = fewer(&lines, &mut |lines| shows(&lines.concat()));
    let mut lines: Vec<Vec<u8>> = lines.into_iter().map(<[u8]>::to_vec).collect();
    for at in 0..lines.len() {
        let line = lines.get(at).cloned().unwrap_or_default();
        let around = |line: Vec<u8>| {
            let mut all = lines.clone();
            if let Some(place) = all.get_mut(at) {
                *place = line;
            }
            all
        };
        let begin = line.iter().position(|byte| *byte == b'{').unwrap_or(line.len());
        let (mark, json) = line.split_at_checked(begin).unwrap_or_default();
        let end = json.len() - json.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
        let (json, ending) = json.split_at_checked(end).unwrap_or_default();
        if let Ok(value) = serde_json::from_slice::<Value>(json) {
            let text = |value: &Value| around([mark, value.to_string().as_bytes(), ending].concat());
            if shows(&text(&value).concat()) {
                let least = barer(value, &mut |value| shows(&text(value).concat()));
                lines = text(&least);
            }
        }
    }
    let bytes: Vec<u8> = lines.concat();
    let bytes: Vec<&[u8]> = bytes.chunks(1).collect();
    fewer(&bytes, &mut |bytes| shows(&bytes.concat())).concat()
}

/// Leaves out runs of `items`, long ones first.
fn fewer<'a>(items: &[&'a [u8]], shows: &mut impl FnMut(&[&'a [u8]]) -> bool) -> Vec<&'a [u8]> {
    let mut best = items.to_vec();
    let mut size = best.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let mut smaller = false;
        while at < best.len() {
            let end = (at + size).min(best.len());
            let less = [best.get(..at).unwrap_or_default(), best.get(end..).unwrap_or_default()].concat();
            if shows(&less) {
                best = less;
                smaller = true;
            } else {
                at = end;
            }
        }
        if !smaller {
            size /= 2;
        }
    }
    best
}

/// Leaves out members and items, outer ones first.
fn barer(mut value: Value, shows: &mut impl FnMut(&Value) -> bool) -> Value {
    let mut at = 0;
    loop {
        let mut less = value.clone();
        let mut left = at;
        if !remove(&mut less, &mut left) {
            return value;
        }
        if shows(&less) {
            value = less;
        } else {
            at += 1;
        }
    }
}

/// Removes the child whose number, parents first, is `left`; whether there was one.
fn remove(value: &mut Value, left: &mut usize) -> bool {
    let inside = match value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    };
    if *left < inside {
        match value {
            Value::Array(items) => drop(items.remove(*left)),
            Value::Object(members) => {
                let name = members.keys().nth(*left).cloned().unwrap_or_default();
                members.shift_remove(&name);
            }
            _ => {}
        }
        return true;
    }
    *left -= inside;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| remove(item, left)),
        Value::Object(members) => members.values_mut().any(|member| remove(member, left)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::minimise;

    #[test]
    fn what_does_not_matter_goes() {
        let check = |input: &str, needed: &[&str], expect: &str| {
            let shows = |bytes: &[u8]| {
                let text = String::from_utf8_lossy(bytes);
                needed.iter().all(|part| text.contains(part))
            };
            assert_eq!(String::from_utf8(minimise(input.as_bytes(), 10_000, shows)).unwrap(), expect);
        };
        check("hello, {world}: what is it?", &["{", "}"], "{}");
        check("x", &[], "");
        check("aaaaaaaab", &["a", "b"], "ab");
        check(
            "data: {\"a\":[1,{\"b\":2}],\"c\":3}\n\ndata: 1\n\n",
            &["data: {", "\"b\":2"],
            "data: {\"b\":2",
        );
        assert_eq!(minimise(b"abc", 0, |_| true), b"abc");
    }

    #[test]
    fn members_go_whole() {
        let shows = |bytes: &[u8]| {
            let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
            value.is_some_and(|value| value["a"]["b"] == 1)
        };
        let input = br#"{"x":[1,2,{"y":3}],"a":{"c":{"d":4},"b":1,"e":[5]},"z":{}}"#;
        assert_eq!(minimise(input, 10_000, shows), br#"{"a":{"b":1}}"#);
    }
}
