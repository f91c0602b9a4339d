//! Scorers of ours, as promptfoo's assertions.

use super::asserted::alone;
use super::providers::provider_id;
use hanok_base::Object;
use serde_json::{Value, json};

/// A scorer's table as an assertion: the one it was made of where nothing was changed since. `None` where promptfoo has
/// nothing like it.
pub(super) fn from_scorer(scorer: &Object) -> Option<Value> {
    let text = |name: &str| scorer.get(name).and_then(Value::as_str);
    if let Some(kept) = scorer.get("assertion") {
        let read = kept.as_str().and_then(|text| serde_json::from_str(text).ok());
        let assertion: Value = read.unwrap_or_else(|| kept.clone());
        let is_same = text("kind") == Some("unsupported")
            || alone(&assertion, text("model")).as_object() == Some(scorer);
        if is_same {
            return Some(assertion);
        }
        let mut without = scorer.clone();
        without.shift_remove("assertion");
        return from_scorer(&without);
    }
    let kind = text("kind")?;
    let mut assertion = match kind {
        "set" => set(scorer)?,
        "code" => code(scorer)?,
        _ => plain(scorer, kind)?,
    };
    let members = assertion.as_object_mut()?;
    if scorer.get("not").and_then(Value::as_bool) == Some(true) {
        let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
        let kind = format!("not-{kind}");
        members.insert("type".to_owned(), kind.into());
    }
    if let Some(transform) = scorer.get("transform") {
        members.insert("transform".to_owned(), source(transform.as_object()?)?);
    }
    if let Some(weight) = scorer.get("weight") {
        members.insert("weight".to_owned(), weight.clone());
    }
    let own = members.get("type").and_then(Value::as_str).unwrap_or_default();
    if let Some(name) = text("name").filter(|name| *name != kind && *name != own) {
        members.insert("metric".to_owned(), name.into());
    }
    Some(assertion)
}

/// A kind of scorer that any eval may have.
fn plain(scorer: &Object, kind: &str) -> Option<Value> {
    let text = |name: &str| scorer.get(name).and_then(Value::as_str);
    let is = |name: &str| scorer.get(name).and_then(Value::as_bool).unwrap_or(false);
    let value = scorer.get("value").cloned();
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
        "rouge" if scorer.get("of") == Some(&json!(["1"])) => (
            json!({ "type": "rouge-n", "value": value?, "threshold": scorer.get("threshold")? }),
            &["threshold", "of"],
        ),
        "latency" => (
            json!({ "type": "latency", "threshold": scorer.get("seconds")?.as_f64()? * 1000.0 }),
            &["seconds"],
        ),
        "cost" => (json!({ "type": "cost", "threshold": scorer.get("dollars")? }), &["dollars"]),
        "judge" => (
            json!({ "type": "llm-rubric", "value": text("rubric")?, "provider": provider_id(text("model")?) }),
            &["rubric", "model"],
        ),
        _ => return None,
    };
    let common = ["kind", "name", "not", "value", "weight", "transform"];
    let all_said =
        scorer.keys().all(|name| common.contains(&name.as_str()) || allowed.contains(&name.as_str()));
    all_said.then_some(assertion)
}

fn set(scorer: &Object) -> Option<Value> {
    let inner = scorer.get("scorers")?.as_array()?;
    let inner: Option<Vec<Value>> = inner.iter().map(|inner| from_scorer(inner.as_object()?)).collect();
    let mut assertion = Object::from_iter([
        ("type".to_owned(), "assert-set".into()),
        ("assert".to_owned(), Value::Array(inner?)),
    ]);
    if let Some(threshold) = scorer.get("threshold") {
        assertion.insert("threshold".to_owned(), threshold.clone());
    }
    let metric = scorer.get("name").filter(|name| **name != "assert-set" && **name != "set");
    if let Some(name) = metric {
        assertion.insert("metric".to_owned(), name.clone());
    }
    Some(Value::Object(assertion))
}

fn code(scorer: &Object) -> Option<Value> {
    let mut assertion = Object::from_iter([
        ("type".to_owned(), scorer.get("language")?.clone()),
        ("value".to_owned(), source(scorer)?),
    ]);
    for member in ["threshold", "config"] {
        if let Some(value) = scorer.get(member) {
            assertion.insert(member.to_owned(), value.clone());
        }
    }
    Some(Value::Object(assertion))
}

/// Code as it is written there: itself, or `file://PATH:FUNCTION`.
pub(super) fn source(code: &Object) -> Option<Value> {
    if let Some(code) = code.get("code") {
        return Some(code.clone());
    }
    let file = code.get("file")?.as_str()?;
    let function =
        code.get("function").and_then(Value::as_str).map(|name| format!(":{name}")).unwrap_or_default();
    Some(format!("file://{file}{function}").into())
}
