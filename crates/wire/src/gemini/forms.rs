//! The freedoms that the API takes with JSON, as Google's reader of protocol buffers has them: members in camel
//! or in snake case, whole numbers as `40`, `40.0` or `"40"`, one item where a list is meant.

use crate::error::WireError;
use crate::take;
use hanok_base::Object;
use serde_json::Value;
use std::borrow::Cow;

/// A member's name in camel case.
pub(super) fn camel_name(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for letter in name.chars() {
        if letter == '_' && !camel.is_empty() {
            raise = true;
        } else if std::mem::take(&mut raise) {
            camel.extend(letter.to_uppercase());
        } else {
            camel.push(letter);
        }
    }
    Cow::Owned(camel)
}

/// Gives an object's members the names they have in camel case. Of a member that stands in both, the first
/// counts. Only for objects whose members the API names, not for what users name (arguments, properties).
pub(super) fn camel(object: &mut Object) {
    if object.keys().any(|name| name.contains('_')) {
        for (name, value) in std::mem::take(object) {
            object.entry(camel_name(&name)).or_insert(value);
        }
    }
}

/// A member that is an object, in camel case.
pub(super) fn map(object: &mut Object, name: &str) -> Result<Option<Object>, WireError> {
    let mut found = take::map(object, name)?;
    if let Some(map) = &mut found {
        camel(map);
    }
    Ok(found)
}

/// A member that is a list, or one item of it.
pub(super) fn list(object: &mut Object, name: &str) -> Result<Vec<Value>, WireError> {
    match object.get(name) {
        Some(Value::Object(_)) => Ok(take::some(object, name).into_iter().collect()),
        _ => take::array(object, name),
    }
}

/// A whole number.
pub(super) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        Value::Number(number) => number.as_u64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && *float >= 0.0)?;
            format!("{float:.0}").parse().ok()
        }),
        _ => None,
    }
}

/// A member that is a whole number.
pub(super) fn count(object: &mut Object, name: &str) -> Result<Option<u64>, WireError> {
    match take::some(object, name) {
        None => Ok(None),
        Some(value) => {
            whole(&value).map(Some).ok_or_else(|| WireError::member(name, "must be a whole number"))
        }
    }
}

/// Puts back a member that was taken out, where something is left of it.
pub(super) fn put_back(object: &mut Object, name: &str, rest: Option<Object>) {
    if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
        object.insert(name.to_owned(), rest.into());
    }
}

/// Adds `more` to `into`, objects inside objects too. What is there stays.
pub(super) fn fill(into: &mut Object, more: &Object) {
    for (name, value) in more {
        match (into.get_mut(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => fill(old, new),
            (Some(_), _) => {}
            (None, value) => drop(into.insert(name.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names() {
        let check = |name: &str, expect: &str| assert_eq!(camel_name(name), expect);
        check("inline_data", "inlineData");
        check("inlineData", "inlineData");
        check("max_output_tokens", "maxOutputTokens");
        check("_self", "_self");
        check("a__b_", "aB");
        let mut object = json!({"a_b": 1, "aB": 2, "c": 3}).as_object().cloned().unwrap();
        camel(&mut object);
        assert_eq!(Value::Object(object), json!({"aB": 1, "c": 3}));
    }

    #[test]
    fn numbers() {
        let check = |value: Value, expect: Option<u64>| assert_eq!(whole(&value), expect, "{value}");
        check(json!(40), Some(40));
        check(json!(40.0), Some(40));
        check(json!("40"), Some(40));
        check(json!(1e3), Some(1000));
        check(json!(0), Some(0));
        check(json!(40.5), None);
        check(json!(-1), None);
        check(json!("x"), None);
        check(json!(null), None);
    }
}
