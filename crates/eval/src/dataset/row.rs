//! From a record of a file to a row.

use crate::spec::DatasetSpec;
use hanok_base::{Object, Sample};
use serde_json::Value;

/// Which columns mean what; what is not said goes by the usual names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The input.
    pub input: Vec<String>,
    /// What would be right.
    pub expected: Option<String>,
    /// The row's id.
    pub id: Option<String>,
    /// What the row belongs to.
    pub cluster: Option<String>,
}

impl From<&DatasetSpec> for Columns {
    fn from(spec: &DatasetSpec) -> Self {
        Self {
            input: spec.input.clone(),
            expected: spec.expected.clone(),
            id: spec.id.clone(),
            cluster: spec.cluster.clone(),
        }
    }
}

impl Columns {
    /// A record as a row; an error in words.
    pub(super) fn row(&self, record: Value) -> Result<Sample, String> {
        let mut record = match record {
            Value::Object(record) => record,
            Value::Null => return Err("the row is empty".to_owned()),
            value => {
                let input = Object::from_iter([("input".to_owned(), value)]);
                return Ok(Sample { input, ..Sample::default() });
            }
        };
        let mut sample = Sample::default();
        let mut take = |named: &Option<String>, usual: &[&str]| -> Result<Option<Value>, String> {
            match named {
                Some(name) => match record.shift_remove(name) {
                    Some(value) => Ok(Some(value)),
                    None => Err(missing(name, &record)),
                },
                None => Ok(usual.iter().find_map(|name| record.shift_remove(*name))),
            }
        };
        let id = take(&self.id, &["id"])?;
        let expected = take(&self.expected, &["expected", "ideal", "expected_output"])?;
        let cluster = take(&self.cluster, &["cluster"])?;
        let origin = take(&None, &["origin"])?;
        let metadata = take(&None, &["metadata"])?;
        let split = take(&None, &["split"])?;
        let text = |value: Option<Value>| {
            value.map(|value| crate::template::text(&value)).filter(|text| !text.is_empty())
        };
        sample.id = text(id).unwrap_or_default();
        sample.expected = expected.filter(|expected| !expected.is_null());
        sample.cluster = text(cluster);
        sample.origin = text(origin);
        match metadata {
            None | Some(Value::Null) => {}
            Some(Value::Object(members)) => sample.metadata = members,
            Some(_) => return Err("`metadata` must be an object".to_owned()),
        }
        if let Some(split) = text(split) {
            sample.metadata.insert("split".to_owned(), split.into());
        }
        if !self.input.is_empty() {
            for name in &self.input {
                let value = record.shift_remove(name).ok_or_else(|| missing(name, &record))?;
                sample.input.insert(name.clone(), value);
            }
            sample.metadata.extend(record);
        } else if let Some(input) = record.shift_remove("input") {
            match input {
                Value::Object(variables) => sample.input = variables,
                value => {
                    sample.input.insert("input".to_owned(), value);
                }
            }
            sample.metadata.extend(record);
        } else {
            for (name, value) in record {
                match name.strip_prefix("metadata.") {
                    Some(name) => sample.metadata.insert(name.to_owned(), value),
                    None => sample.input.insert(name, value),
                };
            }
        }
        if sample.input.is_empty() {
            return Err("the row has no input".to_owned());
        }
        Ok(sample)
    }
}

fn missing(name: &str, record: &Object) -> String {
    let known: Vec<&str> = record.keys().map(String::as_str).collect();
    let likely = crate::file::nearest(name, known.iter().copied());
    let hint = likely.map(|likely| format!("; did you mean `{likely}`?")).unwrap_or_default();
    format!("the row has no `{name}`; it has: {}{hint}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn records_become_rows() {
        let check = |columns: &Columns, record: Value, expect: Result<Value, &str>| match (
            columns.row(record),
            expect,
        ) {
            (Ok(row), Ok(expect)) => assert_eq!(serde_json::to_value(row).unwrap(), expect),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (got, _) => panic!("{got:?}"),
        };
        let usual = Columns::default();
        check(&usual, json!("hi"), Ok(json!({"id": "", "input": {"input": "hi"}})));
        check(
            &usual,
            json!({"input": "q", "ideal": "a", "more": 1}),
            Ok(json!({"id": "", "input": {"input": "q"}, "expected": "a", "metadata": {"more": 1}})),
        );
        check(
            &usual,
            json!({"id": 7, "input": {"q": "x"}, "expected": ["a", "b"], "cluster": "c", "split": "test"}),
            Ok(
                json!({"id": "7", "input": {"q": "x"}, "expected": ["a", "b"], "metadata": {"split": "test"}, "cluster": "c"}),
            ),
        );
        check(
            &usual,
            json!({"question": "x", "metadata.team": "a"}),
            Ok(json!({"id": "", "input": {"question": "x"}, "metadata": {"team": "a"}})),
        );
        let named = Columns { input: vec!["q".into()], expected: Some("label".into()), ..Columns::default() };
        check(
            &named,
            json!({"q": "x", "label": true, "seen": 1}),
            Ok(json!({"id": "", "input": {"q": "x"}, "expected": true, "metadata": {"seen": 1}})),
        );
        check(&named, json!({"Q": "x", "label": 1}), Err("has no `q`"));
        check(&named, json!({"q": "x", "labels": 1}), Err("did you mean `labels`?"));
        check(&usual, json!({"expected": 1}), Err("no input"));
        check(&usual, json!({"input": "x", "metadata": 1}), Err("must be an object"));
        check(&usual, json!(null), Err("empty"));
    }
}
