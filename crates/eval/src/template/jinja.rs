//! Templates with conditions, loops and filters: Jinja's language, and what Nunjucks has beside it (`dump`, `load`,
//! `truncate`, `wordcount`, `nl2br`, `striptags`). No files, and an end to how long one may take.

use hanok_base::Object;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use std::sync::LazyLock;

/// Steps of one rendering: a template may come from anybody's file.
const FUEL: u64 = 10_000_000;
/// How deeply templates may nest.
const DEPTH: usize = 100;
/// Characters that Nunjucks' `truncate` leaves where it is told nothing.
const TRUNCATED: usize = 255;
/// What begins a tag; a lone `{%` in a text is none.
const TAGS: [&str; 12] = [
    "if",
    "for",
    "set",
    "raw",
    "macro",
    "filter",
    "call",
    "asyncEach",
    "asyncAll",
    "verbatim",
    "with",
    "switch",
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.add_filter("dump", dump);
    environment.add_filter("load", load);
    environment.add_filter("truncate", truncate);
    environment.add_filter("wordcount", |text: &str| text.split_whitespace().count());
    environment.add_filter("nl2br", |text: &str| text.replace('\n', "<br />\n"));
    environment.add_filter("striptags", striptags);
    environment
});

/// Whether a text has tags of the language.
pub(super) fn has_tags(template: &str) -> bool {
    template.split("{%").skip(1).any(|rest| {
        let word = rest.trim_start_matches(['-', '+']).trim_start();
        TAGS.iter().any(|tag| {
            let behind = word.strip_prefix(tag).and_then(|rest| rest.chars().next());
            behind.is_some_and(|c| !c.is_alphanumeric() && c != '_') && rest.contains("%}")
        })
    })
}

/// Whether what stands between braces is more than the name of a variable.
pub(super) fn is_expression(inside: &str) -> bool {
    inside.contains(['|', '(', '[', '"', '\'', '+', '*', '~', '<', '>', '=', '!'])
        || [" if ", " or ", " and ", " in ", " is ", " not "].iter().any(|word| inside.contains(word))
}

/// Fills in a template. An error says what is wrong and where, lower case.
pub(super) fn render(template: &str, variables: &Object) -> Result<String, String> {
    let rendered = ENVIRONMENT.template_from_str(template).and_then(|template| {
        // A condition may ask for a member of what is not there, as in Nunjucks; writing it is an error all the same.
        let asked = template.undeclared_variables(true);
        let roots = asked.iter().filter_map(|name| name.split_once('.').map(|(root, _)| root));
        let missing: Vec<&str> = roots.filter(|root| !variables.contains_key(*root)).collect();
        if missing.is_empty() {
            return template.render(Value::from(Serde(variables)));
        }
        let mut whole = variables.clone();
        whole.extend(missing.into_iter().map(|root| (root.to_owned(), serde_json::json!({}))));
        template.render(Value::from(Serde(&whole)))
    });
    rendered.map_err(|error| {
        let line = error.line().map(|line| format!("line {line} of the template: ")).unwrap_or_default();
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        let known: Vec<&str> = variables.keys().map(String::as_str).collect();
        let has = match error.kind() {
            ErrorKind::UndefinedError => format!("; the row has: {}", known.join(", ")),
            _ => String::new(),
        };
        format!("{line}{}{detail}{has}", error.kind())
    })
}

/// A value as JSON, with this many spaces of indent.
fn dump(value: &Value, indent: Option<usize>) -> Result<String, minijinja::Error> {
    let failed =
        |error: serde_json::Error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string());
    let Some(indent) = indent.filter(|indent| (1..=16).contains(indent)) else {
        return serde_json::to_string(value).map_err(failed);
    };
    let (spaces, mut written) = (" ".repeat(indent), Vec::new());
    let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut written, formatter);
    serde::Serialize::serialize(value, &mut serializer).map_err(failed)?;
    Ok(String::from_utf8_lossy(&written).into_owned())
}

/// JSON as a value.
fn load(text: &str) -> Result<Value, minijinja::Error> {
    let read: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        minijinja::Error::new(ErrorKind::InvalidOperation, format!("it is not JSON: {error}"))
    })?;
    Ok(Value::from(Serde(read)))
}

/// The beginning of a text, up to a word's end unless `kill`.
fn truncate(text: &str, length: Option<usize>, kill: Option<bool>, end: Option<&str>) -> String {
    let length = length.unwrap_or(TRUNCATED);
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let cut: String = text.chars().take(length).collect();
    let whole = if kill == Some(true) {
        cut.as_str()
    } else {
        cut.rfind(' ').and_then(|at| cut.get(..at)).unwrap_or(&cut)
    };
    format!("{whole}{}", end.unwrap_or("..."))
}

fn striptags(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        let Some((_, behind)) = tag.split_once('>') else { break };
        kept.push_str(before);
        rest = behind;
    }
    kept.push_str(rest);
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_loops_and_filters() {
        let variables =
            json!({"name": "Anna", "items": ["a", "b"], "user": {"age": 7}, "html": "<b>x</b> &"});
        let variables = variables.as_object().unwrap();
        let check = |template: &str, expect: Result<&str, &str>| match (render(template, variables), expect) {
            (Ok(filled), Ok(expect)) => assert_eq!(filled, expect),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (got, _) => panic!("{template}: {got:?}"),
        };
        check("{% if user.age > 5 %}big{% else %}small{% endif %}", Ok("big"));
        check("{% for i in items %}{{ loop.index }}{{ i }} {% endfor %}", Ok("1a 2b "));
        check("{{ name | upper }} {{ items | join(', ') }} {{ html }}", Ok("ANNA a, b <b>x</b> &"));
        check("{{ user | dump }} {{ items | dump(2) }}", Ok("{\"age\":7} [\n  \"a\",\n  \"b\"\n]"));
        check("{{ nobody | default('none') }}{% if nobody %}x{% endif %}", Ok("none"));
        check("{{ 'one two three' | truncate(8) }} {{ html | striptags }}", Ok("one two... x &"));
        check("{% if nobody.name %}x{% else %}y{% endif %}", Ok("y"));
        check("{{ nobody.name | upper }}", Err("undefined"));
        check("{% set o = '{\"a\": [1, 2]}' | load %}{{ o.a | last }}", Ok("2"));
        check("{% set n = 3 %}{{ n * 2 }}", Ok("6"));
        check("{{ nobody | upper }}", Err("the row has: name, items, user, html"));
        check("{% include 'x' %}", Err("template not found"));
        check(
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            Err("fuel"),
        );
        check("{{ name | nosuch }}", Err("nosuch"));
    }

    #[test]
    fn tags_are_told_from_braces() {
        let check = |text: &str, expect: bool| assert_eq!(has_tags(text), expect, "{text}");
        check("{% if a %}x{% endif %}", true);
        check("{%- for a in b -%}", true);
        check("100{% of it", false);
        check("\\frac{%a}", false);
        check("{% iffy %}", false);
    }
}
