//! Whether two requests are the same, and where they differ.

use super::content::Content;
use super::format::Asked;
use serde_json::{Map, Number, Value};

/// How many differences are told.
const TOLD: usize = 3;
/// How much of a differing value is told, in characters.
const SHOWN: usize = 60;

/// Members of JSON bodies that say nothing about whether two requests are the same.
#[derive(Debug, Default)]
pub(super) struct Ignore(Vec<Pattern>);

#[derive(Debug)]
enum Pattern {
    /// A member of this name, anywhere.
    Name(String),
    /// The member at this path; `*` stands for any name or index.
    Path(Vec<String>),
}

impl Ignore {
    /// An entry that begins with `/` is a JSON pointer (RFC 6901), any other a member's name.
    pub(super) fn new(entries: &[String]) -> Self {
        let pattern = |entry: &String| match entry.strip_prefix('/') {
            Some(path) => Pattern::Path(
                path.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect(),
            ),
            None => Pattern::Name(entry.clone()),
        };
        Self(entries.iter().map(pattern).collect())
    }

    fn leaves_out(&self, path: &[String]) -> bool {
        self.0.iter().any(|pattern| match pattern {
            Pattern::Name(name) => path.last() == Some(name),
            Pattern::Path(steps) => {
                steps.len() == path.len()
                    && steps.iter().zip(path).all(|(step, at)| step == "*" || step == at)
            }
        })
    }
}

impl Asked {
    /// What is equal for requests that are the same.
    pub(super) fn key(&self, ignore: &Ignore) -> String {
        let body = match &self.body {
            Content::Json(value) => normal(value, &mut Vec::new(), ignore).to_string(),
            Content::Text(text) | Content::Base64(text) => text.clone(),
        };
        format!("{} {}\n{body}", self.method, self.url)
    }

    /// How far `other` is from this one: the smaller, the nearer.
    pub(super) fn distance(&self, other: &Self, ignore: &Ignore) -> (bool, bool, bool, usize) {
        let path = |asked: &Self| asked.url.split(['?', '#']).next().map(str::to_owned);
        (
            path(self) != path(other),
            self.method != other.method,
            self.url != other.url,
            self.body_differences(other, ignore).len(),
        )
    }

    /// Why `asked` is not this one, the recorded.
    pub(super) fn why_not(&self, asked: &Self, ignore: &Ignore) -> String {
        let mut told = Vec::new();
        if self.method != asked.method {
            told.push(format!("its method is {}", self.method));
        }
        if self.url != asked.url {
            told.push(format!("its URL is {}", self.url));
        }
        let differences = self.body_differences(asked, ignore);
        let more = differences.len().saturating_sub(TOLD);
        told.extend(differences.into_iter().take(TOLD));
        if more > 0 {
            told.push(format!("{more} more"));
        }
        told.join("; ")
    }

    fn body_differences(&self, asked: &Self, ignore: &Ignore) -> Vec<String> {
        match (&self.body, &asked.body) {
            (Content::Json(recorded), Content::Json(asked)) => {
                let plain = |value| normal(value, &mut Vec::new(), ignore);
                let mut found = Vec::new();
                differences(&plain(recorded), &plain(asked), "", &mut found);
                found
            }
            (recorded, asked) if recorded == asked => Vec::new(),
            (recorded, asked) => {
                vec![format!("the body: recorded {}, asked {}", shown(recorded), shown(asked))]
            }
        }
    }
}

fn shown(content: &Content) -> String {
    match content {
        Content::Json(value) => short(&value.to_string()),
        Content::Text(text) if text.is_empty() => "nothing".to_owned(),
        Content::Text(text) => short(&Value::from(text.as_str()).to_string()),
        Content::Base64(text) => format!("bytes (base64 {})", short(text)),
    }
}

/// The value with sorted members, without those left out, and with one form for each number.
fn normal(value: &Value, path: &mut Vec<String>, ignore: &Ignore) -> Value {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            let mut kept = Map::new();
            for name in names {
                path.push(name.clone());
                if let (false, Some(member)) = (ignore.leaves_out(path), members.get(name)) {
                    kept.insert(name.clone(), normal(member, path, ignore));
                }
                path.pop();
            }
            Value::Object(kept)
        }
        Value::Array(items) => {
            let mut kept = Vec::with_capacity(items.len());
            for (at, item) in items.iter().enumerate() {
                path.push(at.to_string());
                if !ignore.leaves_out(path) {
                    kept.push(normal(item, path, ignore));
                }
                path.pop();
            }
            Value::Array(kept)
        }
        Value::Number(number) => Value::Number(one_form(number)),
        other => other.clone(),
    }
}

/// `1.0` says what `1` says.
fn one_form(number: &Number) -> Number {
    /// Up to here every whole number is a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= EXACT => {
            format!("{float:.0}").parse::<i64>().map_or_else(|_| number.clone(), Number::from)
        }
        _ => number.clone(),
    }
}

fn differences(recorded: &Value, asked: &Value, path: &str, found: &mut Vec<String>) {
    match (recorded, asked) {
        (Value::Object(recorded), Value::Object(asked)) => {
            for (name, recorded) in recorded {
                let path = format!("{path}/{}", escaped(name));
                match asked.get(name) {
                    Some(asked) => differences(recorded, asked, &path, found),
                    None => {
                        found.push(format!("{path}: recorded {}, not asked", short(&recorded.to_string())));
                    }
                }
            }
            for (name, asked) in asked.iter().filter(|(name, _)| !recorded.contains_key(*name)) {
                let asked = short(&asked.to_string());
                found.push(format!("{path}/{}: not recorded, asked {asked}", escaped(name)));
            }
        }
        (Value::Array(recorded), Value::Array(asked)) => {
            for (at, (recorded, asked)) in recorded.iter().zip(asked).enumerate() {
                differences(recorded, asked, &format!("{path}/{at}"), found);
            }
            if recorded.len() != asked.len() {
                let place = if path.is_empty() { "the body" } else { path };
                found.push(format!("{place}: recorded {} items, asked {}", recorded.len(), asked.len()));
            }
        }
        _ if recorded == asked => {}
        _ => {
            let place = if path.is_empty() { "the body" } else { path };
            let (recorded, asked) = (short(&recorded.to_string()), short(&asked.to_string()));
            found.push(format!("{place}: recorded {recorded}, asked {asked}"));
        }
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, url: &str, body: &str) -> Asked {
        let body = Content::of_request(body.as_bytes());
        Asked { method: method.to_owned(), url: url.to_owned(), headers: Vec::new(), body }
    }

    #[test]
    fn same_and_different() {
        let check = |recorded: &str, asks: &str, ignore: &[&str], expect: &str| {
            let ignore = Ignore::new(&ignore.iter().map(ToString::to_string).collect::<Vec<_>>());
            let (recorded, asks) = (asked("POST", "http://h/", recorded), asked("POST", "http://h/", asks));
            assert_eq!(recorded.key(&ignore) == asks.key(&ignore), expect.is_empty());
            assert_eq!(recorded.why_not(&asks, &ignore), expect);
        };
        check("", "", &[], "");
        check("a", "b", &[], "the body: recorded \"a\", asked \"b\"");
        check("a", "", &[], "the body: recorded \"a\", asked nothing");
        check("a", "[]", &[], "the body: recorded \"a\", asked []");
        check(r#"{"a":1,"b":[2]}"#, " {\"b\":[ 2 ],\n\"a\":1}", &[], "");
        check(r#"{"t":1}"#, r#"{"t":1.0}"#, &[], "");
        check(r#"{"t":0}"#, r#"{"t":-0.0}"#, &[], "");
        check(r#"{"t":1e300}"#, r#"{"t":1e300}"#, &[], "");
        check(r#"{"t":1}"#, r#"{"t":1.5}"#, &[], "/t: recorded 1, asked 1.5");
        check(r#"{"t":1}"#, r#"{"t":"1"}"#, &[], "/t: recorded 1, asked \"1\"");
        check(
            r#"{"a":{"x/y":1},"b":2}"#,
            r#"{"a":{},"c":3}"#,
            &[],
            "/a/x~1y: recorded 1, not asked; /b: recorded 2, not asked; /c: not recorded, asked 3",
        );
        check("[1,2]", "[1]", &[], "the body: recorded 2 items, asked 1");
        check(
            "[1,2,3,4,5]",
            "[5,4,2,1,9]",
            &[],
            "/0: recorded 1, asked 5; /1: recorded 2, asked 4; \
             /2: recorded 3, asked 2; 2 more",
        );
        check(r#"{"user":"a","m":1}"#, r#"{"user":"b","m":1}"#, &["user"], "");
        check(r#"{"m":[{"id":1}]}"#, r#"{"m":[{"id":2}]}"#, &["id"], "");
        check(r#"{"m":[{"id":1}]}"#, r#"{"m":[{"id":2}]}"#, &["/m/*/id"], "");
        check(r#"{"m":[{"id":1}]}"#, r#"{"m":[{}]}"#, &["/m/0/id"], "");
        check(r#"{"id":1}"#, r#"{"id":2}"#, &["/m/id"], "/id: recorded 1, asked 2");
        check(r#"{"a/b":1}"#, r#"{"a/b":2}"#, &["/a~1b"], "");
    }

    #[test]
    fn the_nearest() {
        let ignore = Ignore::default();
        let wanted = asked("POST", "http://h/chat?v=1", r#"{"a":1,"b":2}"#);
        let far = [
            asked("POST", "http://h/chat?v=1", r#"{"a":1,"b":3}"#),
            asked("POST", "http://h/chat?v=1", r#"{"a":2,"b":3}"#),
            asked("POST", "http://h/chat?v=2", r#"{"a":1,"b":2}"#),
            asked("GET", "http://h/chat?v=1", r#"{"a":1,"b":2}"#),
            asked("POST", "http://h/models", r#"{"a":1,"b":2}"#),
        ];
        assert!(far.iter().map(|asked| asked.distance(&wanted, &ignore)).is_sorted());
        assert_eq!(far[3].why_not(&wanted, &ignore), "its method is GET");
        assert_eq!(far[4].why_not(&wanted, &ignore), "its URL is http://h/models");
    }
}
