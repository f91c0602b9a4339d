//! Tests in a table: columns that begin with two underscores are more than variables, and what is expected is a text
//! such as `contains-any: a, b` or `similar(0.8): x`.

use hanok_base::Object;
use serde_json::{Value, json};

/// Their kinds of assertion; the longest of those that begin alike comes first.
const KINDS: [&str; 53] = [
    "answer-relevance",
    "bleu",
    "classifier",
    "contains-all",
    "contains-any",
    "contains-html",
    "contains-json",
    "contains-sql",
    "contains-xml",
    "contains",
    "context-faithfulness",
    "context-recall",
    "context-relevance",
    "conversation-relevance",
    "cost",
    "equals",
    "factuality",
    "finish-reason",
    "g-eval",
    "gleu",
    "guardrails",
    "icontains-all",
    "icontains-any",
    "icontains",
    "is-html",
    "is-json",
    "is-refusal",
    "is-sql",
    "is-valid-function-call",
    "is-valid-openai-function-call",
    "is-valid-openai-tools-call",
    "is-xml",
    "javascript",
    "latency",
    "levenshtein",
    "llm-rubric",
    "meteor",
    "model-graded-closedqa",
    "model-graded-factuality",
    "moderation",
    "perplexity-score",
    "perplexity",
    "pi",
    "python",
    "regex",
    "rouge-n",
    "ruby",
    "similar",
    "starts-with",
    "trace-error-spans",
    "trace-span-count",
    "trace-span-duration",
    "webhook",
];
/// Those that have a threshold in a table where none is written.
const WITH_THRESHOLD: [&str; 13] = [
    "answer-relevance",
    "classifier",
    "context-faithfulness",
    "context-recall",
    "context-relevance",
    "cost",
    "latency",
    "levenshtein",
    "perplexity-score",
    "perplexity",
    "rouge-n",
    "similar",
    "starts-with",
];

/// A record of a table as a test.
pub(super) fn test(record: Object) -> Object {
    let (mut test, mut vars) = (Object::new(), Object::new());
    let (mut assertions, mut options, mut metadata) = (Vec::new(), Object::new(), Object::new());
    let (mut metric, mut thresholds) = (None, Vec::new());
    for (name, value) in record {
        let text = value.as_str().map(str::trim).unwrap_or_default().to_owned();
        match name.strip_prefix("__") {
            None => {
                vars.insert(name, value);
            }
            Some(special) if special.starts_with("expected") => {
                if !text.is_empty() {
                    assertions.push(assertion(&text));
                }
            }
            _ if text.is_empty() => {}
            Some("prefix" | "suffix") => {
                options.insert(name.trim_start_matches('_').to_owned(), value);
            }
            Some("metric") => metric = Some(text),
            Some("threshold") => {
                if let Ok(threshold) = text.parse::<f64>() {
                    test.insert("threshold".to_owned(), json!(threshold));
                }
            }
            Some(special) => {
                if let Some(key) = special.strip_prefix("metadata:") {
                    metadata.insert(key.to_owned(), value);
                } else if let Some(of) = special.strip_prefix("config:__expected") {
                    let number =
                        of.split(':').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(1);
                    thresholds.extend(text.parse::<f64>().ok().map(|threshold| (number, threshold)));
                } else {
                    test.insert(special.to_owned(), value);
                }
            }
        }
    }
    for (number, threshold) in thresholds {
        if let Some(Value::Object(assertion)) = number.checked_sub(1).and_then(|at| assertions.get_mut(at)) {
            assertion.insert("threshold".to_owned(), json!(threshold));
        }
    }
    if let Some(metric) = metric {
        for assertion in assertions.iter_mut().filter_map(Value::as_object_mut) {
            assertion.insert("metric".to_owned(), metric.as_str().into());
        }
    }
    test.insert("vars".to_owned(), Value::Object(vars));
    let more = [
        ("assert", Value::Array(assertions)),
        ("options", Value::Object(options)),
        ("metadata", Value::Object(metadata)),
    ];
    for (name, value) in more {
        if value.as_array().is_none_or(|items| !items.is_empty())
            && value.as_object().is_none_or(|members| !members.is_empty())
        {
            test.insert(name.to_owned(), value);
        }
    }
    test
}

/// What a cell expects.
pub(super) fn assertion(text: &str) -> Value {
    let text = text.trim();
    for (prefix, kind) in [
        ("javascript:", "javascript"),
        ("fn:", "javascript"),
        ("eval:", "javascript"),
        ("python:", "python"),
        ("grade:", "llm-rubric"),
        ("llm-rubric:", "llm-rubric"),
    ] {
        if let Some(value) = text.strip_prefix(prefix) {
            return json!({ "type": kind, "value": value.trim() });
        }
    }
    if let Some(path) = text.strip_prefix("file://") {
        let named = super::files::Named::of(path);
        if named.is_code() {
            let kind = if named.ending() == "py" { "python" } else { "javascript" };
            return json!({ "type": kind, "value": text });
        }
    }
    of_kind(text).unwrap_or_else(|| json!({ "type": "equals", "value": text }))
}

fn of_kind(text: &str) -> Option<Value> {
    let (not, bare) = text.strip_prefix("not-").map_or((false, text), |bare| (true, bare));
    let kind = KINDS.iter().find(|kind| {
        bare.strip_prefix(**kind).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '(']))
    })?;
    let mut rest = bare.strip_prefix(kind)?;
    let mut threshold = None;
    if let Some((number, behind)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        threshold = Some(number.parse::<f64>().ok()?);
        rest = behind;
    }
    let value = match rest.strip_prefix(':') {
        Some(value) => Some(value.trim()),
        None if rest.is_empty() => None,
        None => return None,
    };
    let full = if not { format!("not-{kind}") } else { (*kind).to_owned() };
    let mut assertion = Object::from_iter([("type".to_owned(), full.into())]);
    if let Some(value) = value {
        let value = if kind.ends_with("-all") || kind.ends_with("-any") {
            value.split(',').map(|part| Value::from(part.trim())).collect()
        } else {
            Value::from(value)
        };
        assertion.insert("value".to_owned(), value);
    }
    if WITH_THRESHOLD.contains(kind) {
        let usual = if *kind == "similar" { 0.8 } else { 0.75 };
        assertion.insert("threshold".to_owned(), json!(threshold.unwrap_or(usual)));
    }
    Some(Value::Object(assertion))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_assertions() {
        let check = |text: &str, expect: Value| assert_eq!(assertion(text), expect, "{text}");
        check("just this", json!({"type": "equals", "value": "just this"}));
        check("contains: x: y", json!({"type": "contains", "value": "x: y"}));
        check("not-icontains-any: a, b", json!({"type": "not-icontains-any", "value": ["a", "b"]}));
        check("similar(0.9): hi", json!({"type": "similar", "value": "hi", "threshold": 0.9}));
        check("similar: hi", json!({"type": "similar", "value": "hi", "threshold": 0.8}));
        check("is-json", json!({"type": "is-json"}));
        check("grade: polite", json!({"type": "llm-rubric", "value": "polite"}));
        check("fn: output.length > 2", json!({"type": "javascript", "value": "output.length > 2"}));
        check("file://a.py:f", json!({"type": "python", "value": "file://a.py:f"}));
        check("containers are", json!({"type": "equals", "value": "containers are"}));
        check("latency(500)", json!({"type": "latency", "threshold": 500.0}));
    }

    #[test]
    fn records_become_tests() {
        let record = json!({
            "q": "hi", "__expected": "contains: a", "__expected2": "", "__expected3": "similar: b",
            "__config:__expected2:threshold": "0.5", "__metric": "m", "__threshold": "0.7", "__description": "d",
            "__prefix": "", "__metadata:kind": "k",
        });
        let expect = json!({
            "threshold": 0.7, "description": "d", "vars": {"q": "hi"},
            "assert": [{"type": "contains", "value": "a", "metric": "m"}, {"type": "similar", "value": "b", "threshold": 0.5, "metric": "m"}],
            "metadata": {"kind": "k"},
        });
        assert_eq!(Value::Object(test(record.as_object().unwrap().clone())), expect);
    }
}
