//! Picoschema, dotprompt's short way to write a JSON Schema.

use hanok_base::Object;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Schemas by name.
pub(crate) type Schemas = BTreeMap<String, Value>;

const SCALARS: [&str; 6] = ["any", "boolean", "integer", "null", "number", "string"];
/// The name that stands for any other member.
const WILDCARD: &str = "(*)";
/// How deep a schema may be nested.
const DEEPEST: usize = 64;

/// What is wrong with a schema, and the members on the way to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SchemaFault {
    pub(crate) path: Vec<String>,
    pub(crate) message: String,
}

fn fault(path: &[&str], message: impl Into<String>) -> SchemaFault {
    SchemaFault { path: path.iter().map(|part| (*part).to_owned()).collect(), message: message.into() }
}

/// The JSON Schema of what front matter says: a JSON Schema itself, Picoschema, or the name of a schema.
pub(crate) fn schema(value: &Value, known: &Schemas) -> Result<Value, SchemaFault> {
    match value {
        Value::String(text) => scalar(text, known, &[]),
        Value::Object(object) => {
            let kind = object.get("type").and_then(Value::as_str);
            if kind.is_some_and(|kind| SCALARS.contains(&kind) || matches!(kind, "object" | "array")) {
                return Ok(value.clone());
            }
            if matches!(object.get("properties"), Some(Value::Object(_))) {
                let mut object = object.clone();
                object.insert("type".into(), "object".into());
                return Ok(Value::Object(object));
            }
            members(object, known, &mut Vec::new())
        }
        other => Err(fault(&[], format!("a schema is an object or a type's name, not {other}"))),
    }
}

/// `type, description`, or a schema's name with a description of its own.
fn scalar(text: &str, known: &Schemas, path: &[&str]) -> Result<Value, SchemaFault> {
    let (name, description) = described(text);
    let mut schema = if name == "any" {
        Object::new()
    } else if SCALARS.contains(&name) {
        Object::from_iter([("type".to_owned(), Value::from(name))])
    } else {
        match known.get(name) {
            Some(Value::Object(schema)) => schema.clone(),
            Some(other) => return Ok(other.clone()),
            None => {
                let message = format!(
                    "there is no type or schema `{name}`{}; types are string, number, integer, boolean, null and any",
                    hanok_base::names::did_you_mean(name, SCALARS)
                );
                return Err(fault(path, message));
            }
        }
    };
    if let Some(description) = description {
        schema.insert("description".into(), description.into());
    }
    Ok(Value::Object(schema))
}

fn any<'a>(value: &'a Value, known: &Schemas, path: &mut Vec<&'a str>) -> Result<Value, SchemaFault> {
    match value {
        Value::String(text) => scalar(text, known, path),
        Value::Object(object) => members(object, known, path),
        other => Err(fault(path, format!("a type's name or an object is expected, not {other}"))),
    }
}

fn members<'a>(object: &'a Object, known: &Schemas, path: &mut Vec<&'a str>) -> Result<Value, SchemaFault> {
    if path.len() >= DEEPEST {
        return Err(fault(path, format!("nested more than {DEEPEST} deep")));
    }
    let (mut properties, mut required) = (Object::new(), Vec::new());
    let mut others = Value::Bool(false);
    for (key, value) in object {
        path.push(key);
        if key == WILDCARD {
            others = any(value, known, path)?;
        } else {
            let (name, kind) = match key.split_once('(') {
                Some((name, kind)) => (name, Some(kind.strip_suffix(')').unwrap_or(kind))),
                None => (key.as_str(), None),
            };
            let (name, optional) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
            if !optional {
                required.push(Value::from(name));
            }
            properties.insert(name.to_owned(), property(kind, optional, value, known, path)?);
        }
        path.pop();
    }
    let mut schema = Object::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    schema.insert("additionalProperties".into(), others);
    Ok(Value::Object(schema))
}

fn property<'a>(
    kind: Option<&str>,
    optional: bool,
    value: &'a Value,
    known: &Schemas,
    path: &mut Vec<&'a str>,
) -> Result<Value, SchemaFault> {
    let (kind, description) = match kind.map(described) {
        Some((kind, description)) => (Some(kind), description),
        None => (None, None),
    };
    let mut schema = match kind {
        None | Some("object") => match any(value, known, path)? {
            Value::Object(schema) => schema,
            other => return Ok(other),
        },
        Some("array") => Object::from_iter([
            ("type".to_owned(), "array".into()),
            ("items".to_owned(), any(value, known, path)?),
        ]),
        Some("enum") => {
            let Value::Array(choices) = value else {
                return Err(fault(path, "the choices of an enum are a list: [RED, GREEN]"));
            };
            let mut choices = choices.clone();
            if optional && !choices.contains(&Value::Null) {
                choices.push(Value::Null);
            }
            Object::from_iter([("enum".to_owned(), choices.into())])
        }
        Some(other) => {
            return Err(fault(path, format!("in parentheses stands array, object or enum, not `{other}`")));
        }
    };
    if optional && let Some(Value::String(kind)) = schema.get("type") {
        let kind = json!([kind, "null"]);
        schema.insert("type".into(), kind);
    }
    if let Some(description) = description {
        schema.insert("description".into(), description.into());
    }
    Ok(Value::Object(schema))
}

/// A type's name, and what stands behind the first comma.
fn described(text: &str) -> (&str, Option<&str>) {
    match text.split_once(',') {
        Some((name, description)) => (name.trim(), Some(description.trim_start())),
        None => (text.trim(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_their_place() {
        let check = |value: Value, path: &[&str], said: &str| {
            let fault = schema(&value, &Schemas::new()).unwrap_err();
            assert_eq!(fault.path, path, "{value}");
            assert!(fault.message.contains(said), "{}", fault.message);
        };
        check(json!("strin"), &[], "did you mean `string`?");
        check(json!(3), &[], "not 3");
        check(json!({"a": {"b": "nubmer"}}), &["a", "b"], "did you mean `number`?");
        check(json!({"c(enum)": "RED"}), &["c(enum)"], "are a list");
        check(json!({"c(list)": "string"}), &["c(list)"], "not `list`");
        let deep = (0..100).fold(json!("string"), |inner, _| json!({ "a": inner }));
        assert!(schema(&deep, &Schemas::new()).unwrap_err().message.contains("deep"));
    }
}
