//! JSON: each record a section with its fields.

use crate::markdown::Writer;
use crate::text::{Decoded, decode};
use crate::{Layout, Limits, Parsed, Unfit};
use hanok_base::Object;
use serde_json::Value;

/// Fields that name a record, the most telling first.
const TITLES: [&str; 9] = ["title", "name", "headline", "subject", "question", "제목", "이름", "id", "_id"];
/// Fields whose text is the record's own: it is written without the field's name.
const BODIES: [&str; 8] = ["text", "body", "content", "contents", "description", "passage", "본문", "내용"];
/// What a heading may hold.
const LONGEST_TITLE: usize = 200;

/// One value; an array of objects is records, and so is the only array of objects within an object.
pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed, Unfit> {
    let Decoded { text, note } = decode(bytes)?;
    let value: Value = serde_json::from_str(&text).map_err(|error| Unfit::invalid("JSON", error))?;
    let mut writer = Writer::new(limits);
    let title = match &value {
        Value::Object(fields) => title_of(fields).map(|(_, title)| title),
        _ => None,
    };
    let level = usize::from(title.is_some()) + 1;
    if let Some(title) = &title {
        writer.heading(1, title);
    }
    match &value {
        Value::Array(items) => records(&mut writer, items, level),
        Value::Object(all) => {
            let named = title_of(all).map(|(field, _)| field);
            fields(&mut writer, all, named, level);
        }
        other => writer.paragraph(&scalar(other)),
    }
    finish(writer, title, note, Vec::new())
}

/// A value a line; lines that are none are named.
pub(crate) fn parse_lines(bytes: &[u8], limits: &Limits) -> Result<Parsed, Unfit> {
    let Decoded { text, note } = decode(bytes)?;
    let mut writer = Writer::new(limits);
    let (mut bad, mut first_bad, mut good) = (0_usize, None, 0_usize);
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<Value>(line) {
            Ok(value) => {
                good += 1;
                record(&mut writer, &value, good, 1);
            }
            Err(error) => {
                bad += 1;
                first_bad.get_or_insert((at + 1, error.to_string()));
            }
        }
        if writer.is_full() {
            break;
        }
    }
    let mut notes = Vec::new();
    if let Some((line, error)) = first_bad {
        if good == 0 {
            return Err(Unfit::invalid("JSON lines", format!("line {line}: {error}")));
        }
        let lines = if bad == 1 { "line is" } else { "lines are" };
        notes.push(format!("{bad} {lines} no JSON and left out, the first is line {line}"));
    }
    finish(writer, None, note, notes)
}

fn finish(
    writer: Writer,
    title: Option<String>,
    note: Option<String>,
    mut notes: Vec<String>,
) -> Result<Parsed, Unfit> {
    let (text, pages) = writer.finish()?;
    notes.extend(note);
    Ok(Parsed { text, layout: Layout::Markdown, title, pages, metadata: Object::new(), notes })
}

fn records(writer: &mut Writer, items: &[Value], level: usize) {
    if items.iter().all(|item| !item.is_object() && !item.is_array()) {
        items.iter().for_each(|item| writer.item(0, "-", &scalar(item)));
        return;
    }
    for (at, item) in items.iter().enumerate() {
        if writer.is_full() {
            return;
        }
        record(writer, item, at + 1, level);
    }
}

fn record(writer: &mut Writer, value: &Value, number: usize, level: usize) {
    match value {
        Value::Object(all) => {
            let (field, title) = match title_of(all) {
                Some((field, title)) => (Some(field), title),
                None => (None, number.to_string()),
            };
            writer.heading(level, &title);
            fields(writer, all, field, level + 1);
        }
        Value::Array(items) => {
            writer.heading(level, &number.to_string());
            records(writer, items, level + 1);
        }
        other => writer.item(0, "-", &scalar(other)),
    }
}

/// Writes an object's fields: short ones as a list, texts as paragraphs, what is nested under headings.
fn fields(writer: &mut Writer, all: &Object, but: Option<&str>, level: usize) {
    let rest = || all.iter().filter(|(name, _)| Some(name.as_str()) != but);
    let is_nested = |value: &Value| match value {
        Value::Array(items) => items.iter().any(|item| item.is_object() || item.is_array()),
        value => value.is_object(),
    };
    for (name, value) in rest().filter(|(_, value)| !is_nested(value)) {
        match value {
            Value::Null => {}
            Value::String(text) if BODIES.contains(&name.to_lowercase().as_str()) => writer.paragraph(text),
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(scalar).collect();
                writer.item(0, "-", &format!("{name}: {}", items.join(", ")));
            }
            value => writer.item(0, "-", &format!("{name}: {}", scalar(value))),
        }
    }
    for (name, value) in rest().filter(|(_, value)| is_nested(value)) {
        if writer.is_full() {
            return;
        }
        writer.heading(level, name);
        match value {
            Value::Object(inner) => fields(writer, inner, None, level + 1),
            Value::Array(items) => records(writer, items, level + 1),
            _ => {}
        }
    }
}

/// The field that names a record, and the name.
fn title_of(fields: &Object) -> Option<(&str, String)> {
    let field = |wanted: &&str| fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    TITLES.iter().filter_map(field).find_map(|(name, value)| {
        let title = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let fits = !title.is_empty() && title.len() <= LONGEST_TITLE && !title.contains('\n');
        fits.then_some((name.as_str(), title))
    })
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_sections() {
        let check = |json: &str, expect: &str| {
            let parsed = parse(json.as_bytes(), &Limits::default()).expect("it is JSON");
            assert_eq!(parsed.text, expect, "{json}");
        };
        check(
            r#"[{"id":7,"title":"첫 문서","text":"본문이다.","tags":["가","나"],"draft":false},{"n":1}]"#,
            "# 첫 문서\n\n- id: 7\n\n본문이다.\n\n- tags: 가, 나\n- draft: false\n\n# 2\n\n- n: 1\n",
        );
        check(
            r#"{"name":"hanok","rooms":[{"name":"hall"},{"name":"attic","size":{"m2":9}}]}"#,
            "# hanok\n\n## rooms\n\n### hall\n\n### attic\n\n#### size\n\n- m2: 9\n",
        );
        check("[1,2,\"three\"]", "- 1\n- 2\n- three\n");
        check("\"only a text\"", "only a text\n");
    }

    #[test]
    fn lines_that_are_no_json_are_named() {
        let parsed = parse_lines(b"{\"id\":\"a\",\"text\":\"x\"}\n\n{broken\n", &Limits::default())
            .expect("it is JSON lines");
        assert_eq!(parsed.text, "# a\n\nx\n");
        assert_eq!(parsed.notes, ["1 line is no JSON and left out, the first is line 3"]);
        assert!(parse_lines(b"nothing\n", &Limits::default()).is_err());
        // Nested deeper than any reader goes.
        assert!(parse("[".repeat(100_000).as_bytes(), &Limits::default()).is_err());
    }
}
