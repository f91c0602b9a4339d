//! JSON in the texts of models, and paths into it.

use serde_json::Value;
use serde_json_path::JsonPath;

/// Bytes of a text that are searched for JSON.
const LONGEST: usize = 1 << 20;
/// Places at which a text is tried as JSON: one of brackets only would be read again from each of them.
const TRIES: usize = 10_000;

/// A text as JSON. `lenient`: in a Markdown fence, or with other text around it, too; of several the last one, as a
/// model concludes at the end.
pub(crate) fn read(text: &str, lenient: bool) -> Result<Value, String> {
    let whole = serde_json::from_str(text.trim());
    if let (Err(_), true) = (&whole, lenient) {
        let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
        if let Some(found) = fenced(text).or_else(|| embedded([text]).pop()) {
            return Ok(found);
        }
    }
    whole.map_err(|error| {
        if text.trim().is_empty() { "it is empty".to_owned() } else { format!("it is not JSON: {error}") }
    })
}

/// The last fence that holds JSON.
fn fenced(text: &str) -> Option<Value> {
    let blocks: Vec<&str> = text.split("```").skip(1).step_by(2).collect();
    blocks.iter().rev().find_map(|block| {
        // What stands behind the opening fence on its line is a language's name.
        let body = block.split_once('\n').map_or(*block, |(_, body)| body);
        serde_json::from_str(body.trim()).ok()
    })
}

/// The objects and arrays that stand in some texts on their own, in order; not those within others.
pub(crate) fn embedded<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    let mut found = Vec::new();
    for text in texts {
        let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
        let mut from = 0;
        for _ in 0..TRIES {
            let Some(at) = text.get(from..).and_then(|rest| rest.find(['{', '['])) else { break };
            from += at;
            let rest = text.get(from..).unwrap_or_default();
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            if let Some(Ok(value)) = values.next() {
                from += values.byte_offset().max(1);
                found.push(value);
            } else {
                from += 1;
            }
        }
    }
    found
}

/// A path (RFC 9535).
pub(crate) fn path(text: &str) -> Result<JsonPath, String> {
    JsonPath::parse(text).map_err(|error| format!("`{text}` is not a JSONPath, such as $.answer: {error}"))
}

/// What is at a path: the value where there is one, an array of several, nothing of none.
pub(crate) fn at(path: &JsonPath, value: &Value) -> Option<Value> {
    let found = path.query(value).all();
    match found.as_slice() {
        [] => None,
        [one] => Some((*one).clone()),
        several => Some(Value::Array(several.iter().map(|value| (*value).clone()).collect())),
    }
}

/// Whether two values are the same, numbers by what they amount to (`1` and `1.0`).
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            x == y || matches!((x.as_f64(), y.as_f64()), (Some(x), Some(y)) if x.total_cmp(&y).is_eq())
        }
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}

/// Whether all that `part` has is in `whole`: members of objects, at any depth; lists item by item.
pub(crate) fn within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| within(part, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| within(part, whole))
        }
        _ => same(part, whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_found_where_models_put_it() {
        let check = |text: &str, strict: Option<Value>, lenient: Option<Value>| {
            assert_eq!(read(text, false).ok(), strict, "{text}");
            assert_eq!(read(text, true).ok(), lenient, "{text}");
        };
        check(" {\"a\": 1}\n", Some(json!({"a": 1})), Some(json!({"a": 1})));
        check("```json\n{\"a\": 1}\n```", None, Some(json!({"a": 1})));
        check("```\n[1]\n```\nor rather\n```json\n[2]\n```\n", None, Some(json!([2])));
        check("I think {\"a\": {\"b\": [1]}} is it.", None, Some(json!({"a": {"b": [1]}})));
        check("first {\"a\": 1}, then {\"a\": 2}", None, Some(json!({"a": 2})));
        check("{not json} but {\"a\": \"}\"}", None, Some(json!({"a": "}"})));
        check("답은 {\"판정\": \"예\"} 입니다", None, Some(json!({"판정": "예"})));
        check("", None, None);
        check("{\"a\": ", None, None);
        check("``````", None, None);
    }

    #[test]
    fn parts_and_wholes() {
        let check = |part: Value, whole: Value, is_within: bool, is_same: bool| {
            assert_eq!((within(&part, &whole), same(&part, &whole)), (is_within, is_same), "{part} {whole}");
        };
        check(json!({"a": 1}), json!({"a": 1.0, "b": 2}), true, false);
        check(json!({"a": {"x": 1}}), json!({"a": {"y": 2, "x": 1}}), true, false);
        check(json!([1, 2]), json!([1, 2]), true, true);
        check(json!([1]), json!([1, 2]), false, false);
        check(json!({"a": null}), json!({}), false, false);
        check(json!(1), json!(1.0), true, true);
        check(json!("1"), json!(1), false, false);
    }
}
