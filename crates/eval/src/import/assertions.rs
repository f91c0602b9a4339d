//! promptfoo's assertions as scorers of ours, and back.

use hanok_base::Object;
use serde_json::{Value, json};

/// An assertion as a scorer's table; of the kind `unsupported`, with why, where there is no counterpart.
pub fn to_scorer(assertion: &Value, judge: Option<&str>) -> Value {
    let full = assertion.get("type").and_then(Value::as_str).unwrap_or_default();
    let (not, kind) = full.strip_prefix("not-").map_or((false, full), |kind| (true, kind));
    let name = assertion.get("metric").and_then(Value::as_str).unwrap_or(full);
    let unsupported =
        |why: &str| json!({ "kind": "unsupported", "name": name, "why": why, "assertion": assertion });
    let known = ["type", "value", "threshold", "metric", "provider", "weight", "rubricPrompt", "config"];
    let empty = Object::new();
    let members = assertion.as_object().unwrap_or(&empty);
    if let Some(other) = members.keys().find(|member| !known.contains(&member.as_str())) {
        return unsupported(&format!("its `{other}` has no counterpart"));
    }
    if members.contains_key("weight") && members.get("weight") != Some(&json!(1)) {
        return unsupported("its `weight` has no counterpart: scores stand beside each other");
    }
    let value = assertion.get("value").cloned();
    if value
        .as_ref()
        .and_then(Value::as_str)
        .is_some_and(|text| text.starts_with("file://") || text.starts_with("package:"))
    {
        return unsupported("its value is in another file");
    }
    let threshold = |usual: f64| assertion.get("threshold").and_then(Value::as_f64).unwrap_or(usual);
    let mut table = match (kind, value) {
        ("equals", Some(value)) => json!({ "kind": "exact", "value": value }),
        ("contains", Some(value)) => json!({ "kind": "contains", "value": value }),
        ("icontains", Some(value)) => json!({ "kind": "contains", "value": value, "ignore": ["case"] }),
        ("contains-any", Some(value)) => json!({ "kind": "contains", "value": listed(value) }),
        ("icontains-any", Some(value)) => {
            json!({ "kind": "contains", "value": listed(value), "ignore": ["case"] })
        }
        ("contains-all", Some(value)) => json!({ "kind": "contains", "value": listed(value), "all": true }),
        ("icontains-all", Some(value)) => {
            json!({ "kind": "contains", "value": listed(value), "all": true, "ignore": ["case"] })
        }
        ("starts-with", Some(value)) => json!({ "kind": "contains", "value": value, "at": "start" }),
        ("regex", Some(Value::String(pattern))) => json!({ "kind": "regex", "pattern": pattern }),
        ("is-json", None) => json!({ "kind": "json-schema" }),
        ("is-json", Some(schema @ Value::Object(_))) => json!({ "kind": "json-schema", "schema": schema }),
        ("contains-json", None) => json!({ "kind": "json-schema", "lenient": true }),
        ("contains-json", Some(schema @ Value::Object(_))) => {
            json!({ "kind": "json-schema", "schema": schema, "lenient": true })
        }
        ("similar", Some(value @ Value::String(_))) => {
            json!({ "kind": "similarity", "value": value, "threshold": threshold(0.75) })
        }
        ("bleu", Some(value)) => json!({ "kind": "bleu", "value": value, "threshold": threshold(0.5) }),
        ("latency", None) => match assertion.get("threshold").and_then(Value::as_f64) {
            Some(milliseconds) => json!({ "kind": "latency", "seconds": milliseconds / 1000.0 }),
            None => return unsupported("it has no `threshold`"),
        },
        ("cost", None) => match assertion.get("threshold").and_then(Value::as_f64) {
            Some(dollars) => json!({ "kind": "cost", "dollars": dollars }),
            None => return unsupported("it has no `threshold`"),
        },
        ("llm-rubric", Some(Value::String(rubric))) => {
            if members.contains_key("rubricPrompt") || members.contains_key("threshold") {
                return unsupported("a rubric's own prompt or threshold has no counterpart");
            }
            let named =
                assertion.get("provider").and_then(Value::as_str).and_then(super::promptfoo::model_name);
            match named.or_else(|| judge.map(str::to_owned)) {
                Some(model) => json!({ "kind": "judge", "model": model, "rubric": rubric }),
                None => return unsupported("it names no model to judge; give one with --model"),
            }
        }
        (_, _) => return unsupported(&format!("`{full}` with such a value has no counterpart")),
    };
    if let Value::Object(members) = &mut table {
        members.insert("name".to_owned(), name.into());
        if not {
            members.insert("not".to_owned(), true.into());
        }
    }
    table
}

/// A list as it is, a text by its commas.
fn listed(value: Value) -> Value {
    match value {
        Value::String(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        other => other,
    }
}

/// A scorer's table as an assertion; `None` where promptfoo has nothing like it.
pub fn from_scorer(scorer: &Object) -> Option<Value> {
    let text = |name: &str| scorer.get(name).and_then(Value::as_str);
    let is = |name: &str| scorer.get(name).and_then(Value::as_bool).unwrap_or(false);
    let kind = text("kind")?;
    if kind == "unsupported" {
        return scorer.get("assertion").cloned();
    }
    let value = scorer.get("value").cloned();
    let plain = |allowed: &[&str]| {
        scorer.keys().all(|name| {
            ["kind", "name", "not", "value"].contains(&name.as_str()) || allowed.contains(&name.as_str())
        })
    };
    let folded = scorer.get("ignore") == Some(&json!(["case"]));
    let (assertion, allowed): (Value, &[&str]) = match kind {
        "exact" => (json!({ "type": "equals", "value": value? }), &[]),
        "contains" if text("at") == Some("start") => {
            (json!({ "type": "starts-with", "value": value? }), &["at"])
        }
        "contains" => {
            let prefix = if folded { "i" } else { "" };
            let suffix = match (value.as_ref()?.is_array(), is("all")) {
                (true, true) => "-all",
                (true, false) => "-any",
                (false, _) => "",
            };
            (
                json!({ "type": format!("{prefix}contains{suffix}"), "value": value? }),
                if folded { &["ignore", "all"] } else { &["all"] },
            )
        }
        "regex" => (json!({ "type": "regex", "value": text("pattern")? }), &["pattern"]),
        "json-schema" => {
            let kind = if is("lenient") { "contains-json" } else { "is-json" };
            let mut assertion = Object::from_iter([("type".to_owned(), kind.into())]);
            if let Some(schema) = scorer.get("schema") {
                assertion.insert("value".to_owned(), schema.clone());
            }
            (Value::Object(assertion), &["schema", "lenient"])
        }
        "similarity" => (
            json!({ "type": "similar", "value": value?, "threshold": scorer.get("threshold")? }),
            &["threshold"],
        ),
        "bleu" => (
            json!({ "type": "bleu", "value": value?, "threshold": scorer.get("threshold")? }),
            &["threshold"],
        ),
        "latency" => (
            json!({ "type": "latency", "threshold": scorer.get("seconds")?.as_f64()? * 1000.0 }),
            &["seconds"],
        ),
        "cost" => (json!({ "type": "cost", "threshold": scorer.get("dollars")? }), &["dollars"]),
        "judge" => (
            json!({ "type": "llm-rubric", "value": text("rubric")?, "provider": super::promptfoo::provider_id(text("model")?) }),
            &["rubric", "model"],
        ),
        _ => return None,
    };
    if !plain(allowed) {
        return None;
    }
    let mut assertion = assertion;
    if let Value::Object(members) = &mut assertion {
        if is("not") {
            let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
            let kind = format!("not-{kind}");
            members.insert("type".to_owned(), kind.into());
        }
        let own = members.get("type").and_then(Value::as_str).unwrap_or_default();
        if let Some(name) = text("name").filter(|name| *name != kind && *name != own) {
            members.insert("metric".to_owned(), name.into());
        }
    }
    Some(assertion)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scorer::ScorerSpec;

    #[test]
    fn assertions_become_scorers() {
        let check = |assertion: Value, kind: &str| {
            let table = to_scorer(&assertion, Some("openai/gpt-5-mini"));
            assert_eq!(table["kind"], kind, "{table}");
            if kind != "unsupported" {
                serde_json::from_value::<ScorerSpec>(table.clone())
                    .unwrap_or_else(|error| panic!("{table}: {error}"));
            }
        };
        check(json!({"type": "equals", "value": "x"}), "exact");
        check(json!({"type": "not-icontains", "value": "x"}), "contains");
        check(json!({"type": "contains-any", "value": "a, b"}), "contains");
        check(json!({"type": "regex", "value": "^a"}), "regex");
        check(json!({"type": "is-json"}), "json-schema");
        check(json!({"type": "is-json", "value": {"type": "object"}}), "json-schema");
        check(json!({"type": "latency", "threshold": 500}), "latency");
        check(json!({"type": "cost", "threshold": 0.01}), "cost");
        check(json!({"type": "similar", "value": "x", "threshold": 0.6}), "similarity");
        check(json!({"type": "llm-rubric", "value": "polite?"}), "judge");
        for unknown in [
            json!({"type": "javascript", "value": "output.length"}),
            json!({"type": "python", "value": "True"}),
            json!({"type": "contains", "value": "x", "transform": "output[0]"}),
            json!({"type": "contains", "value": "x", "weight": 2}),
            json!({"type": "is-json", "value": "file://schema.json"}),
            json!({"type": "assert-set", "assert": []}),
            json!({"type": "latency"}),
        ] {
            check(unknown, "unsupported");
        }
    }

    #[test]
    fn scorers_become_assertions_again() {
        for assertion in [
            json!({"type": "equals", "value": "x"}),
            json!({"type": "not-contains", "value": "x"}),
            json!({"type": "icontains-any", "value": ["a", "b"]}),
            json!({"type": "contains-all", "value": ["a", "b"], "metric": "all there"}),
            json!({"type": "starts-with", "value": "x"}),
            json!({"type": "regex", "value": "^a"}),
            json!({"type": "is-json", "value": {"type": "object"}}),
            json!({"type": "latency", "threshold": 500.0}),
            json!({"type": "javascript", "value": "true"}),
            json!({"type": "llm-rubric", "value": "polite?", "provider": "openai:gpt-5-mini"}),
        ] {
            let scorer = to_scorer(&assertion, None);
            assert_eq!(from_scorer(scorer.as_object().unwrap()), Some(assertion));
        }
    }
}
