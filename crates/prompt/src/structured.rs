//! Answers that are to fit a schema: read, mended where what is wrong is only the writing, and judged.

use jsonschema::Validator;
use serde_json::Value;

/// How many of a value's faults are told.
const TOLD: usize = 5;

/// What an answer is to fit.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) schema: Value,
    pub(crate) validator: Validator,
}

impl Expected {
    /// The answer as JSON text, where it had to be mended; or what is wrong with it.
    pub(crate) fn check(&self, text: &str, repair: bool) -> Result<Option<String>, String> {
        match serde_json::from_str::<Value>(text) {
            Ok(value) => self.fits(&value).map(|()| None),
            Err(error) => {
                let mended = repair.then(|| mend(text)).flatten();
                let mended = mended.and_then(|text| Some((serde_json::from_str::<Value>(&text).ok()?, text)));
                match mended {
                    Some((value, text)) => self.fits(&value).map(|()| Some(text)),
                    None => Err(format!("it is no JSON: {error}")),
                }
            }
        }
    }

    fn fits(&self, value: &Value) -> Result<(), String> {
        let mut faults = self.validator.iter_errors(value).map(|error| {
            let at = error.instance_path().to_string();
            if at.is_empty() { error.to_string() } else { format!("{at}: {error}") }
        });
        let told: Vec<String> = faults.by_ref().take(TOLD).collect();
        match (told.is_empty(), faults.count()) {
            (true, _) => Ok(()),
            (false, 0) => Err(told.join("; ")),
            (false, more) => Err(format!("{}; and {more} more", told.join("; "))),
        }
    }
}

/// The JSON in a text that is nearly JSON: without what stands around it, commas before an end, comments, and the
/// spellings of other languages. Nothing is made up: what was cut off stays so.
fn mend(text: &str) -> Option<String> {
    let begin = text.find(['{', '['])?;
    let mut out = String::with_capacity(text.len());
    let mut open: Vec<char> = Vec::new();
    let mut chars = text.get(begin..)?.char_indices().peekable();
    let rest = text.get(begin..)?;
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                out.push('"');
                if !string(&mut chars, &mut out) {
                    return None;
                }
            }
            '{' | '[' => {
                open.push(if c == '{' { '}' } else { ']' });
                out.push(c);
            }
            '}' | ']' => {
                if open.pop() != Some(c) {
                    return None;
                }
                without_comma(&mut out);
                out.push(c);
                if open.is_empty() {
                    return Some(out);
                }
            }
            '/' => {
                let skipped = comment(rest.get(at..).unwrap_or_default())?;
                while chars.next_if(|(next, _)| *next < at + skipped).is_some() {}
            }
            c if c.is_ascii_alphabetic() => {
                let mut word = String::from(c);
                while let Some((_, c)) = chars.next_if(|(_, c)| c.is_ascii_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                // `e` of a number is none of these words.
                out.push_str(match word.as_str() {
                    "True" => "true",
                    "False" => "false",
                    "None" | "undefined" | "NaN" => "null",
                    _ => &word,
                });
            }
            c => out.push(c),
        }
    }
    None
}

/// The rest of a string, with control characters as JSON writes them; whether it ended.
fn string(chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>, out: &mut String) -> bool {
    while let Some((_, c)) = chars.next() {
        match c {
            '"' => {
                out.push('"');
                return true;
            }
            '\\' => {
                out.push('\\');
                out.extend(chars.next().map(|(_, c)| c));
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    false
}

/// The length of the comment that a text begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.strip_prefix("/*").and_then(|rest| rest.find("*/")).map(|end| end + 4)
}

fn without_comma(out: &mut String) {
    let end = out.trim_end().len();
    if out.get(..end).is_some_and(|text| text.ends_with(',')) {
        out.truncate(end - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_nearly_json_is_mended() {
        let check = |text: &str, expect: Option<Value>| {
            let mended = mend(text).and_then(|text| serde_json::from_str::<Value>(&text).ok());
            assert_eq!(mended, expect, "{text}");
        };
        check("```json\n{\"a\": 1}\n```", Some(json!({"a": 1})));
        check("Here you are: [1, 2, ] Bye {", Some(json!([1, 2])));
        check(
            "{\"a\": True, \"b\": None, // why\n \"c\": \"x\ny\" /* z */}",
            Some(json!({"a": true, "b": null, "c": "x\ny"})),
        );
        check("{\"a\": \"say \\\"hi\\\"\",}", Some(json!({"a": "say \"hi\""})));
        check("{\"a\": 1e5}", Some(json!({"a": 1e5})));
        check("{\"a\": \"cut o", None);
        check("{\"a\": [1, 2}", None);
        check("nothing", None);
    }

    #[test]
    fn faults_are_told_by_their_place() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
        let expected = Expected { validator: jsonschema::validator_for(&schema).unwrap(), schema };
        assert_eq!(expected.check("{\"n\": 1}", true), Ok(None));
        assert_eq!(expected.check("so: {\"n\": 1,}", true), Ok(Some("{\"n\": 1}".to_owned())));
        assert!(expected.check("so: {\"n\": 1,}", false).unwrap_err().contains("no JSON"));
        assert!(expected.check("{\"n\": \"x\"}", true).unwrap_err().starts_with("/n: "));
    }
}
