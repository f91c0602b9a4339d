//! Texts with `{{variables}}`: a name, or a way into data (`{{user.name}}`, `{{turns.0.content}}`). A text with Jinja's
//! tags (`{% if … %}`) or expressions (`{{name | upper}}`) is one of Jinja's.

mod jinja;

use hanok_base::Object;
use serde_json::Value;

/// What a variable is in place of one that there is nothing for: why, under this only member. Such a row is not tried.
pub(crate) const UNSUPPORTED: &str = "unsupported";

/// Fills in a template. An error names what is missing, lower case.
pub(crate) fn fill(template: &str, variables: &Object) -> Result<String, String> {
    if jinja::has_tags(template) {
        return jinja::render(template, usable(variables)?);
    }
    let mut filled = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once("}}") else {
            return Err(format!("`{{{{{}` is not closed with `}}}}`", beginning(after)));
        };
        let name = name.trim();
        let Some(value) = at(variables, name) else {
            if jinja::is_expression(name) {
                return jinja::render(template, usable(variables)?);
            }
            let known: Vec<&str> = variables.keys().map(String::as_str).collect();
            return Err(format!("the row has no variable `{name}`; it has: {}", known.join(", ")));
        };
        if let Some(why) = unsupported(value) {
            return Err(format!("the variable `{name}` is not supported: {why}"));
        }
        filled.push_str(&text(value));
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn unsupported(value: &Value) -> Option<&str> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get(UNSUPPORTED)?.as_str()
}

/// Variables all of which can be used: which ones an expression takes is not known.
fn usable(variables: &Object) -> Result<&Object, String> {
    match variables.iter().find_map(|(name, value)| Some((name, unsupported(value)?))) {
        Some((name, why)) => Err(format!("the variable `{name}` is not supported: {why}")),
        None => Ok(variables),
    }
}

/// Fills in every text of a JSON value. A text that is one variable and nothing else becomes that variable as it is.
pub(crate) fn fill_value(value: &Value, variables: &Object) -> Result<Value, String> {
    Ok(match value {
        Value::String(template) => {
            let name = template.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
            let whole =
                name.filter(|name| !name.contains(['{', '}'])).and_then(|name| at(variables, name.trim()));
            match whole.filter(|value| unsupported(value).is_none()) {
                Some(value) => value.clone(),
                None => Value::String(fill(template, variables)?),
            }
        }
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| fill_value(item, variables)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let filled =
                members.iter().map(|(name, value)| Ok((name.clone(), fill_value(value, variables)?)));
            Value::Object(filled.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

/// A value as text: texts as they are, everything else as JSON.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The input as one text: its only value, or `input`, `question`, `query` or `prompt`; all of it as JSON otherwise.
pub(crate) fn only_text(input: &Object) -> String {
    let named = ["input", "question", "query", "prompt"].into_iter().find_map(|name| input.get(name));
    let only = input.values().next().filter(|_| input.len() == 1);
    only.or(named).map_or_else(|| Value::Object(input.clone()).to_string(), text)
}

fn at<'a>(variables: &'a Object, path: &str) -> Option<&'a Value> {
    if let Some(value) = variables.get(path) {
        return Some(value);
    }
    let mut steps = path.split('.');
    let first = variables.get(steps.next()?)?;
    steps.try_fold(first, |value, step| match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

fn beginning(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variables_are_filled_in_and_missing_ones_named() {
        let variables =
            json!({"name": "민수", "user": {"age": 7}, "turns": [{"content": "hi"}], "a.b": "dotted"});
        let mut with_lost = variables.clone();
        with_lost["lost"] = json!({"unsupported": "a picture"});
        for template in ["{{lost}}", "{{lost | upper}}", "{% if lost %}{% endif %}"] {
            let error = fill(template, with_lost.as_object().unwrap()).unwrap_err();
            assert!(error.contains("`lost` is not supported: a picture"), "{error}");
        }
        let variables = variables.as_object().unwrap();
        let check = |template: &str, expect: Result<&str, &str>| match (fill(template, variables), expect) {
            (Ok(filled), Ok(expect)) => assert_eq!(filled, expect),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (got, _) => panic!("{template}: {got:?}"),
        };
        check("안녕 {{name}}, {{ user.age }}!", Ok("안녕 민수, 7!"));
        check("{{turns.0.content}} {{a.b}}", Ok("hi dotted"));
        check("{{user}}", Ok(r#"{"age":7}"#));
        check("no variables } {", Ok("no variables } {"));
        check("{{nmae}}", Err("no variable `nmae`; it has: name, user"));
        check("{{name", Err("is not closed"));
        check("{{user.age.more}}", Err("no variable"));
        check("{% if name %}{{ name | upper }}{% endif %}!", Ok("민수!"));
        check("{{ user.age + 1 }} of {{name}}", Ok("8 of 민수"));
    }

    #[test]
    fn values_keep_their_kind_where_they_stand_alone() {
        let variables = json!({"n": 3, "list": [1]});
        let filled = fill_value(
            &json!({"a": "{{n}}", "b": ["{{list}}", "x{{n}}"], "c": 1}),
            variables.as_object().unwrap(),
        );
        assert_eq!(filled.unwrap(), json!({"a": 3, "b": [[1], "x3"], "c": 1}));
    }

    #[test]
    fn the_only_text() {
        let check = |input: Value, expect: &str| assert_eq!(only_text(input.as_object().unwrap()), expect);
        check(json!({"q": "one"}), "one");
        check(json!({"lang": "ko", "question": "two"}), "two");
        check(json!({"a": 1, "b": 2}), r#"{"a":1,"b":2}"#);
    }
}
