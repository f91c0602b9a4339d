//! promptfoo's assertions, as scorers that rows bring.

use super::files::{Files, Named};
use super::notes::Notes;
use super::providers::{holds_null, judge_name};
use super::written::from_scorer;
use crate::import::code;
use hanok_base::Object;
use serde_json::{Value, json};
use std::path::Path;

/// Kinds with a counterpart, for most values.
const KINDS: [&str; 22] = [
    "equals",
    "contains",
    "icontains",
    "contains-any",
    "icontains-any",
    "contains-all",
    "icontains-all",
    "starts-with",
    "regex",
    "is-json",
    "contains-json",
    "similar",
    "bleu",
    "rouge-n",
    "latency",
    "cost",
    "llm-rubric",
    "model-graded-closedqa",
    "factuality",
    "model-graded-factuality",
    "javascript",
    "python",
];

/// What assertions are read with.
pub(super) struct Asserted<'a> {
    pub(super) files: &'a Files,
    /// What judges where nothing else does.
    pub(super) judge: Fallback<'a>,
    /// The provider that the test's options name.
    pub(super) named_judge: Option<Value>,
    /// Whether the test's options change how a rubric is asked.
    pub(super) has_rubric_prompt: bool,
}

/// The model that judges where a file names none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fallback<'a> {
    pub(super) model: Option<&'a str>,
    /// Whether it is only the one that is asked.
    pub(super) is_asked: bool,
}

impl Asserted<'_> {
    /// An assertion as a scorer's table; of the kind `unsupported`, with why, where there is no counterpart. What the
    /// table does not say stays under `assertion`.
    pub(super) fn scorer(&self, assertion: &Value, notes: &mut Notes) -> Value {
        let full = assertion.get("type").and_then(Value::as_str).unwrap_or_default();
        let name = assertion.get("metric").and_then(Value::as_str).unwrap_or(full);
        let (not, kind) = full.strip_prefix("not-").map_or((false, full), |kind| (true, kind));
        let made = self.table(assertion, kind, full, notes).and_then(|mut table| {
            self.complete(&mut table, assertion, not)?;
            if holds_null(&Value::Object(table.clone())) {
                return Err("its value holds null, which TOML cannot say".to_owned());
            }
            Ok(table)
        });
        let mut table = match made {
            Ok(table) => table,
            Err(why) => {
                Object::from_iter([("kind".to_owned(), "unsupported".into()), ("why".to_owned(), why.into())])
            }
        };
        table.insert("name".to_owned(), name.into());
        if let Some(weight) =
            assertion.get("weight").filter(|weight| weight.is_number() && **weight != json!(1))
        {
            table.insert("weight".to_owned(), weight.clone());
        }
        if table.get("kind") == Some(&json!("unsupported")) || from_scorer(&table).as_ref() != Some(assertion)
        {
            let kept = if holds_null(assertion) { assertion.to_string().into() } else { assertion.clone() };
            table.insert("assertion".to_owned(), kept);
        }
        Value::Object(table)
    }

    /// What every kind may have.
    fn complete(&self, table: &mut Object, assertion: &Value, not: bool) -> Result<(), String> {
        if not {
            if table.get("kind") == Some(&json!("set")) {
                return Err("`not-assert-set` has no counterpart".to_owned());
            }
            table.insert("not".to_owned(), true.into());
        }
        if let Some(transform) = assertion.get("transform").filter(|transform| !transform.is_null()) {
            let transform = code::table(self.files, transform);
            if let Some(why) = transform.get("unsupported").and_then(Value::as_str) {
                return Err(why.to_owned());
            }
            table.insert("transform".to_owned(), transform);
        }
        Ok(())
    }

    fn table(&self, assertion: &Value, kind: &str, full: &str, notes: &mut Notes) -> Result<Object, String> {
        if kind == "assert-set" {
            return Ok(self.set(assertion, notes));
        }
        if kind == "javascript" || kind == "python" {
            return self.code(assertion, kind);
        }
        let threshold = |usual: f64| assertion.get("threshold").and_then(Value::as_f64).unwrap_or(usual);
        let limit = || {
            let limit = assertion.get("threshold").and_then(Value::as_f64);
            limit.ok_or_else(|| "it has no `threshold`".to_owned())
        };
        let value = self.value(assertion)?;
        let texts = |value: Value| {
            if kind.ends_with("-all") || kind.ends_with("-any") { listed(value) } else { as_text(value) }
        };
        let table = match (kind, value) {
            ("equals", Some(value @ (Value::Object(_) | Value::Array(_)))) => {
                json!({ "kind": "exact", "value": value })
            }
            ("equals", Some(value)) => json!({ "kind": "exact", "value": as_text(value) }),
            ("contains" | "contains-any", Some(value)) => {
                json!({ "kind": "contains", "value": texts(value) })
            }
            ("icontains" | "icontains-any", Some(value)) => {
                json!({ "kind": "contains", "value": texts(value), "ignore": ["case"] })
            }
            ("contains-all", Some(value)) => {
                json!({ "kind": "contains", "value": texts(value), "all": true })
            }
            ("icontains-all", Some(value)) => {
                json!({ "kind": "contains", "value": texts(value), "all": true, "ignore": ["case"] })
            }
            ("starts-with", Some(value)) => {
                json!({ "kind": "contains", "value": as_text(value), "at": "start" })
            }
            ("regex", Some(Value::String(pattern))) => {
                // What holds variables is known with the row only.
                if !pattern.contains("{{")
                    && let Err(error) = regex::Regex::new(&pattern)
                {
                    let said = error.to_string();
                    return Err(format!(
                        "its expression is none here: {}",
                        said.lines().last().unwrap_or_default()
                    ));
                }
                json!({ "kind": "regex", "pattern": pattern })
            }
            ("is-json" | "contains-json", value) => {
                let lenient = kind == "contains-json";
                match value.map(schema).transpose()? {
                    None => json!({ "kind": "json-schema", "lenient": lenient }),
                    Some(schema) => json!({ "kind": "json-schema", "schema": schema, "lenient": lenient }),
                }
            }
            ("similar", Some(value @ Value::String(_))) => {
                if assertion.get("provider").or(self.named_judge.as_ref()).is_some() {
                    notes.lacks("`similar` is measured by the embedder here, not by the provider it names");
                }
                json!({ "kind": "similarity", "value": value, "threshold": threshold(0.75) })
            }
            ("bleu", Some(value)) => json!({ "kind": "bleu", "value": value, "threshold": threshold(0.5) }),
            ("rouge-n", Some(value @ Value::String(_))) => {
                json!({ "kind": "rouge", "of": ["1"], "value": value, "threshold": threshold(0.75) })
            }
            ("latency", None) => json!({ "kind": "latency", "seconds": limit()? / 1000.0 }),
            ("cost", None) => json!({ "kind": "cost", "dollars": limit()? }),
            ("llm-rubric" | "model-graded-closedqa", Some(Value::String(rubric))) => {
                self.judge(assertion, &rubric, notes)?
            }
            ("factuality" | "model-graded-factuality", Some(Value::String(reference))) => {
                let rubric = format!(
                    "Nothing in the answer disagrees with this reference. The answer may leave things out, and may say more.\n\nReference: {reference}"
                );
                self.judge(assertion, &rubric, notes)?
            }
            (kind, _) if KINDS.contains(&kind) => {
                return Err(format!("`{full}` with such a value has no counterpart"));
            }
            _ => return Err(format!("`{full}` has no counterpart")),
        };
        match table {
            Value::Object(mut table) => {
                if table.get("lenient") == Some(&json!(false)) {
                    table.shift_remove("lenient");
                }
                Ok(table)
            }
            _ => Err(format!("`{full}` has no counterpart")),
        }
    }

    /// The value; the content of the file it is in.
    fn value(&self, assertion: &Value) -> Result<Option<Value>, String> {
        let Some(value) = assertion.get("value").filter(|value| !value.is_null()) else { return Ok(None) };
        let Some(text) = value.as_str() else { return Ok(Some(value.clone())) };
        if text.starts_with("package:") {
            return Err(format!("its value is made by `{text}`"));
        }
        let Some(path) = text.strip_prefix("file://") else { return Ok(Some(value.clone())) };
        let named = Named::of(path);
        if named.is_code() {
            return Err(format!("its value is made by `{}`, which is not run here", named.path));
        }
        let read = match named.ending().as_str() {
            "json" | "yaml" | "yml" => self.files.data(named.path),
            _ => self.files.text(named.path).map(|text| Value::from(text.trim())),
        };
        read.map(Some).map_err(|why| format!("its value is in another file: {why}"))
    }

    fn judge(&self, assertion: &Value, rubric: &str, notes: &mut Notes) -> Result<Value, String> {
        if assertion.get("rubricPrompt").is_some() || self.has_rubric_prompt {
            return Err("a rubric's own prompt has no counterpart".to_owned());
        }
        let provider =
            assertion.get("provider").or(self.named_judge.as_ref()).filter(|provider| !provider.is_null());
        let named = provider.and_then(judge_name);
        if let (None, Some(judge)) = (&named, self.judge.model) {
            if let Some(provider) = provider {
                notes.lacks(format!("`{judge}` judges in place of {provider}, which has no counterpart"));
            } else if self.judge.is_asked {
                notes.say(format!(
                    "no model is named to judge: `{judge}`, which answers, judges itself; --judge names another"
                ));
            }
        }
        let model = named.or_else(|| self.judge.model.map(str::to_owned));
        let model = model.ok_or("it names no model of ours to judge; give one with --judge")?;
        if assertion.get("threshold").is_some_and(|threshold| !threshold.is_null()) {
            notes.say("a rubric is yes or no here: its threshold changes nothing");
        }
        Ok(json!({ "kind": "judge", "model": model, "rubric": rubric }))
    }

    fn code(&self, assertion: &Value, language: &str) -> Result<Object, String> {
        let value = assertion.get("value").ok_or("it has no `value`")?;
        let made = code::of(self.files, value, language);
        let Value::Object(mut table) = made else { return Err("its value is no code".to_owned()) };
        if let Some(why) = table.get("unsupported").and_then(Value::as_str) {
            return Err(why.to_owned());
        }
        table.insert("kind".to_owned(), "code".into());
        for member in ["threshold", "config"] {
            if let Some(value) = assertion.get(member).filter(|value| !value.is_null()) {
                table.insert(member.to_owned(), value.clone());
            }
        }
        Ok(table)
    }

    fn set(&self, assertion: &Value, notes: &mut Notes) -> Object {
        let inner = assertion.get("assert").and_then(Value::as_array);
        let scorers: Vec<Value> =
            inner.into_iter().flatten().map(|inner| self.scorer(inner, notes)).collect();
        let mut table = Object::from_iter([
            ("kind".to_owned(), "set".into()),
            ("scorers".to_owned(), Value::Array(scorers)),
        ]);
        if let Some(threshold) = assertion.get("threshold").filter(|threshold| threshold.is_number()) {
            table.insert("threshold".to_owned(), threshold.clone());
        }
        table
    }
}

/// The scorer of an assertion alone, whose files are not known.
pub(super) fn alone(assertion: &Value, judge: Option<&str>) -> Value {
    let files = Files::beside(Path::new(""));
    let judge = Fallback { model: judge, is_asked: false };
    let asserted = Asserted { files: &files, judge, named_judge: None, has_rubric_prompt: false };
    asserted.scorer(assertion, &mut Notes::default())
}

/// A list of texts as it is, a text by its commas.
fn listed(value: Value) -> Value {
    match value {
        Value::String(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        Value::Array(items) => items.into_iter().map(as_text).collect(),
        other => other,
    }
}

/// A number or truth as the text that it is written as.
fn as_text(value: Value) -> Value {
    match value {
        Value::Number(number) => number.to_string().into(),
        Value::Bool(truth) => truth.to_string().into(),
        other => other,
    }
}

/// A schema, or the text of one in JSON or YAML.
fn schema(value: Value) -> Result<Value, String> {
    match value {
        Value::String(text) => crate::import::yaml(Path::new(""), &text)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| "its value is no schema".to_owned()),
        schema @ Value::Object(_) => Ok(schema),
        _ => Err("its value is no schema".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scorer::ScorerSpec;

    #[test]
    fn assertions_become_scorers() {
        let check = |assertion: Value, kind: &str| {
            let mut table = alone(&assertion, Some("openai/gpt-5-mini"));
            assert_eq!(table["kind"], kind, "{table}");
            if !["unsupported", "code", "set"].contains(&kind) {
                for own in ["assertion", "weight", "transform"] {
                    table.as_object_mut().unwrap().shift_remove(own);
                }
                serde_json::from_value::<ScorerSpec>(table.clone())
                    .unwrap_or_else(|error| panic!("{table}: {error}"));
            }
        };
        check(json!({"type": "equals", "value": "x"}), "exact");
        check(json!({"type": "equals", "value": 42}), "exact");
        check(json!({"type": "not-icontains", "value": "x"}), "contains");
        check(json!({"type": "contains-any", "value": "a, b"}), "contains");
        check(json!({"type": "contains-all", "value": [1, "b"], "weight": 2}), "contains");
        check(json!({"type": "regex", "value": "^a"}), "regex");
        check(json!({"type": "is-json"}), "json-schema");
        check(json!({"type": "is-json", "value": {"type": "object"}}), "json-schema");
        check(json!({"type": "is-json", "value": "type: object"}), "json-schema");
        check(json!({"type": "latency", "threshold": 500}), "latency");
        check(json!({"type": "cost", "threshold": 0.01}), "cost");
        check(json!({"type": "similar", "value": "x", "threshold": 0.6}), "similarity");
        check(json!({"type": "rouge-n", "value": "x"}), "rouge");
        check(json!({"type": "llm-rubric", "value": "polite?", "threshold": 0.8}), "judge");
        check(json!({"type": "factuality", "value": "it is so"}), "judge");
        check(json!({"type": "javascript", "value": "output.length"}), "code");
        check(json!({"type": "python", "value": "file://a.py:check", "config": {"x": 1}}), "code");
        check(json!({"type": "contains", "value": "x", "transform": "output[0]"}), "contains");
        check(json!({"type": "assert-set", "assert": [{"type": "is-json"}], "threshold": 0.5}), "set");
        for unknown in [
            json!({"type": "ruby", "value": "true"}),
            json!({"type": "javascript", "value": "file://a.ts"}),
            json!({"type": "is-json", "value": "file://no-such-schema.json"}),
            json!({"type": "is-json", "value": {"enum": [null]}}),
            json!({"type": "regex", "value": "(?=x)"}),
            json!({"type": "llm-rubric", "value": "polite?", "rubricPrompt": "mine"}),
            json!({"type": "latency"}),
            json!({"type": "select-best", "value": "the shortest"}),
        ] {
            check(unknown, "unsupported");
        }
    }

    #[test]
    fn scorers_become_assertions_again() {
        for assertion in [
            json!({"type": "equals", "value": "x"}),
            json!({"type": "equals", "value": 42}),
            json!({"type": "not-contains", "value": "x"}),
            json!({"type": "icontains-any", "value": ["a", "b"]}),
            json!({"type": "contains-any", "value": "a, b"}),
            json!({"type": "contains-all", "value": ["a", "b"], "metric": "all there", "weight": 0.5}),
            json!({"type": "starts-with", "value": "x"}),
            json!({"type": "regex", "value": "^a"}),
            json!({"type": "is-json", "value": {"type": "object"}}),
            json!({"type": "is-json", "value": {"enum": [null]}}),
            json!({"type": "latency", "threshold": 500.0}),
            json!({"type": "latency", "threshold": 500}),
            json!({"type": "javascript", "value": "true", "threshold": 0.5}),
            json!({"type": "ruby", "value": "true"}),
            json!({"type": "llm-rubric", "value": "polite?", "provider": "openai:gpt-5-mini"}),
            json!({"type": "llm-rubric", "value": "polite?", "threshold": 0.5, "provider": {"id": "openai:gpt-5-mini"}}),
            json!({"type": "factuality", "value": "so", "provider": "openai:gpt-5-mini"}),
            json!({"type": "assert-set", "assert": [{"type": "is-json"}, {"type": "ruby", "value": "1"}], "metric": "m"}),
            json!({"type": "contains", "value": "x", "transform": "output.trim()", "unheard": [1]}),
        ] {
            let scorer = alone(&assertion, None);
            assert_eq!(from_scorer(scorer.as_object().unwrap()), Some(assertion), "{scorer}");
        }
    }

    #[test]
    fn what_was_changed_counts_more_than_what_it_was() {
        let mut scorer = alone(&json!({"type": "contains", "value": 3, "weight": 2}), None);
        assert_eq!(scorer["assertion"]["value"], 3);
        scorer["value"] = "4".into();
        let written = from_scorer(scorer.as_object().unwrap());
        assert_eq!(written, Some(json!({"type": "contains", "value": "4", "weight": 2})));
    }
}
