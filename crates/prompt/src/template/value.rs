//! Values: how templates print, judge and compare them.

use serde_json::{Number, Value};
use std::fmt::Write as _;

/// Writes a value as text: nothing for null; what is no text, number or truth as JSON.
pub(super) fn print(value: &Value, out: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => print_number(number, out),
        Value::String(text) => out.push_str(text),
        Value::Array(_) | Value::Object(_) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "{value}");
        }
    }
}

/// A whole number without a fraction, as it is written in JSON by most.
fn print_number(number: &Number, out: &mut String) {
    let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15);
    let _ = match whole {
        Some(whole) => write!(out, "{whole:.0}"),
        None => write!(out, "{number}"),
    };
}

/// What sections and `each` take for nothing: missing, null, false, an empty text or list. Zero is something.
pub(super) fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Bool(true) | Value::Number(_) | Value::Object(_)) => false,
    }
}

/// What `if` takes for true: zero is not.
pub(super) fn is_true(value: Option<&Value>, include_zero: bool) -> bool {
    let zero = value.and_then(Value::as_f64).is_some_and(|number| number == 0.0);
    !is_empty(value) && (include_zero || !zero)
}

/// Strict equality: of one type, and the same. What is missing is not null.
pub(super) fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => a == b || a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

/// A member of an object, or an item of a list by its number; `length` of a list.
pub(super) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(object) => object.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Text inside an element of XML, or in an attribute: nothing in it can end either.
pub(crate) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

/// A name as one of an element: letters, digits, `_`, `-` and `.`; others become `_`.
pub(crate) fn element_name(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' };
    let mut element: String = name.chars().map(plain).collect();
    if !element.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        element.insert(0, '_');
    }
    element
}

/// A value as elements of XML: members as elements of their names, items as elements `item`.
pub(crate) fn elements(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                element(&element_name(name), "", value, out);
            }
        }
        Value::Array(items) => items.iter().for_each(|value| element("item", "", value, out)),
        value => {
            let mut text = String::new();
            print(value, &mut text);
            escape(&text, out);
        }
    }
}

/// One element on lines of its own; what holds lines itself, or further elements, stands between its tags' lines.
pub(crate) fn element(name: &str, attributes: &str, value: &Value, out: &mut String) {
    let mut inside = String::new();
    elements(value, &mut inside);
    let lines = inside.contains('\n');
    let _ = write!(out, "<{name}{attributes}>");
    if lines && !inside.starts_with('\n') {
        out.push('\n');
    }
    out.push_str(&inside);
    if lines && !inside.ends_with('\n') {
        out.push('\n');
    }
    let _ = writeln!(out, "</{name}>");
}
