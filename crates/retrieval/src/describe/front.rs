//! What a Markdown document says of itself at its head: YAML between lines of `---`, or TOML between lines of
//! `+++`.
//!
//! Of YAML what people write there: `key: value`, lists in brackets or below with `- `, and keys of one level
//! below, which come out as `key.below`. Anything else is passed over.

use hanok_base::Object;
use serde_json::{Number, Value};

/// Keys that are taken at most.
const MOST: usize = 100;

/// The metadata in a text's front matter.
pub(crate) fn front_matter(text: &str) -> Object {
    let mut found = Object::new();
    if let Some(lines) = between(text, "+++", &["+++"]) {
        if let Ok(table) = toml::from_str::<toml::Table>(&lines.join("\n")) {
            for (key, value) in table.into_iter().take(MOST) {
                flat(&mut found, &key, value);
            }
        }
    } else if let Some(lines) = between(text, "---", &["---", "..."]) {
        yaml(&lines, &mut found);
    }
    // What decides on access is said by rules.
    found.shift_remove("trust");
    found.shift_remove("readers");
    found
}

/// The lines between the first, which must be `open`, and one of `close`.
fn between<'a>(text: &'a str, open: &str, close: &[&str]) -> Option<Vec<&'a str>> {
    let mut lines = text.lines();
    lines.next().filter(|line| line.trim_end() == open)?;
    let mut inside = Vec::new();
    for line in lines {
        if close.contains(&line.trim_end()) {
            return Some(inside);
        }
        inside.push(line);
    }
    None
}

fn flat(found: &mut Object, key: &str, value: toml::Value) {
    match value {
        toml::Value::Table(table) => {
            for (below, value) in table {
                if !matches!(value, toml::Value::Table(_)) {
                    flat(found, &format!("{key}.{below}"), value);
                }
            }
        }
        toml::Value::Datetime(time) => drop(found.insert(key.to_owned(), Value::String(time.to_string()))),
        value => {
            if let Ok(value) = serde_json::to_value(value) {
                found.insert(key.to_owned(), value);
            }
        }
    }
}

fn yaml(lines: &[&str], found: &mut Object) {
    let mut above: Option<String> = None;
    for line in lines {
        let words = line.trim();
        if words.is_empty() || words.starts_with('#') || found.len() >= MOST {
            continue;
        }
        let is_below = line.starts_with([' ', '\t']);
        if let Some(item) = words.strip_prefix("- ") {
            if let Some(key) = &above {
                let list = found.entry(key.clone()).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    list.push(scalar(item));
                }
            }
            continue;
        }
        let Some((key, value)) = words.split_once(':') else { continue };
        let key = key.trim().trim_matches(['"', '\'']);
        let is_key = !key.is_empty() && !key.contains(char::is_whitespace);
        if !is_key || !(value.is_empty() || value.starts_with([' ', '\t'])) {
            continue;
        }
        let name = match &above {
            Some(above) if is_below => format!("{above}.{key}"),
            _ if is_below => continue,
            _ => key.to_owned(),
        };
        let value = value.trim();
        if !is_below {
            above = value.is_empty().then(|| name.clone());
        }
        // A text over several lines, an anchor, an alias: not ours.
        if value.is_empty() || value.starts_with(['|', '>', '&', '*', '{']) {
            continue;
        }
        found.insert(name, list(value).unwrap_or_else(|| scalar(value)));
    }
}

/// `[a, "b", 3]`
fn list(value: &str) -> Option<Value> {
    let inside = value.strip_prefix('[')?.strip_suffix(']')?;
    let mut items = Vec::new();
    let (mut from, mut quote) = (0, None);
    for (at, c) in inside.char_indices().chain([(inside.len(), ',')]) {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (',', None) => {
                let item = inside.get(from..at).unwrap_or_default().trim();
                if !item.is_empty() {
                    items.push(scalar(item));
                }
                from = at + 1;
            }
            _ => {}
        }
    }
    Some(Value::Array(items))
}

fn scalar(value: &str) -> Value {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inside) = value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote)) {
            return Value::String(inside.to_owned());
        }
    }
    // A comment after the value.
    let value = value.split_once(" #").map_or(value, |(value, _)| value.trim_end());
    match value {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" | "~" => Value::Null,
        _ => number(value).map_or_else(|| Value::String(value.to_owned()), Value::Number),
    }
}

/// A number, where it is written as one: `007` and `1e5` are names rather than numbers.
fn number(value: &str) -> Option<Number> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.starts_with(|c: char| c.is_ascii_digit());
    let padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if !plain || padded {
        return None;
    }
    value.parse::<i64>().map(Number::from).ok().or_else(|| Number::from_f64(value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn front_matter_becomes_metadata() {
        let check = |text: &str, expect: Value| {
            assert_eq!(Value::Object(front_matter(text)), expect, "{text}");
        };
        check(
            "---\ntitle: \"A: b\"\nauthor: Kim  # who\ntags: [x, \"y, z\", 3]\ndraft: false\nversion: 1.5\nid: 007\n---\ntext",
            json!({"title": "A: b", "author": "Kim", "tags": ["x", "y, z", 3], "draft": false, "version": 1.5, "id": "007"}),
        );
        check(
            "---\ntags:\n  - 하나\n  - two\nowner:\n  team: legal\n  since: 2024-01-02\nbody: |\n  lines\n---\n",
            json!({"tags": ["하나", "two"], "owner.team": "legal", "owner.since": "2024-01-02"}),
        );
        check(
            "+++\ntitle = \"T\"\ndate = 2024-05-01\n[extra]\nrank = 3\n+++\n",
            json!({"title": "T", "date": "2024-05-01", "extra.rank": 3}),
        );
        check("---\ntrust: trusted\nreaders: [all]\nx: 1\n---\n", json!({"x": 1}));
        check("---\nnever: closed\n", json!({}));
        check("# heading\n", json!({}));
        check("---\nhttp://a.b\n: x\n[]: 3\n---\n", json!({"[]": 3}));
    }
}
