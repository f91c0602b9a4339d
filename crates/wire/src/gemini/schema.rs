//! From the API's own schemas (a subset of `OpenAPI` 3.0 with types in upper case) to JSON Schema, as every other
//! dialect wants it. The other direction is not needed: the API takes JSON Schema in members of its own.

use super::forms::{camel_name, whole};
use hanok_base::Object;
use serde_json::{Value, json};

/// The JSON Schema that says what one of the API's does.
pub(super) fn to_json_schema(schema: &Value) -> Value {
    let Value::Object(members) = schema else {
        return schema.clone();
    };
    let mut out = Object::with_capacity(members.len());
    let mut nullable = false;
    for (name, value) in members {
        let name = camel_name(name);
        let value = match (name.as_ref(), value) {
            // Of no meaning in JSON Schema.
            ("propertyOrdering", _) => continue,
            ("type", Value::String(kind)) if kind == "TYPE_UNSPECIFIED" => continue,
            ("nullable", value) => {
                nullable = value == &Value::Bool(true);
                continue;
            }
            ("type", value) => lower(value),
            ("properties" | "defs" | "$defs", Value::Object(inner)) => {
                inner.iter().map(|(name, schema)| (name.clone(), to_json_schema(schema))).collect()
            }
            ("items" | "additionalProperties" | "not", value) => to_json_schema(value),
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(inner)) => {
                inner.iter().map(to_json_schema).collect()
            }
            // Protocol buffers write 64-bit integers as strings.
            (
                "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties",
                value,
            ) => whole(value).map_or_else(|| value.clone(), Value::from),
            ("example", value) => {
                out.insert("examples".to_owned(), json!([value]));
                continue;
            }
            (_, value) => value.clone(),
        };
        let name = match name.as_ref() {
            "defs" => "$defs",
            "ref" => "$ref",
            other => other,
        };
        out.insert(name.to_owned(), value);
    }
    if nullable {
        make_nullable(&mut out);
    }
    out.into()
}

fn lower(value: &Value) -> Value {
    match value {
        Value::String(name) => name.to_ascii_lowercase().into(),
        Value::Array(names) => names.iter().map(lower).collect(),
        other => other.clone(),
    }
}

fn make_nullable(schema: &mut Object) {
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
    match schema.get_mut("type") {
        Some(Value::Array(names)) => names.push("null".into()),
        Some(name) => *name = json!([name.take(), "null"]),
        None => {
            if let Some(Value::Array(variants)) = schema.get_mut("anyOf") {
                variants.push(json!({ "type": "null" }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas() {
        let check = |schema: Value, expect: Value| assert_eq!(to_json_schema(&schema), expect);
        check(
            json!({
                "type": "OBJECT",
                "description": "d",
                "properties": {
                    "type": { "type": "STRING", "nullable": true, "enum": ["A", "B"], "format": "enum" },
                    "min_items": { "type": "ARRAY", "items": { "type": "INTEGER" }, "min_items": "1" },
                    "any": { "any_of": [{ "type": "NUMBER" }, { "type": "BOOLEAN" }], "nullable": true },
                    "free": { "type": "TYPE_UNSPECIFIED", "example": 3 },
                },
                "propertyOrdering": ["type"],
                "required": ["type"],
            }),
            json!({
                "type": "object",
                "description": "d",
                "properties": {
                    "type": { "type": ["string", "null"], "enum": ["A", "B", null], "format": "enum" },
                    "min_items": { "type": "array", "items": { "type": "integer" }, "minItems": 1 },
                    "any": { "anyOf": [{ "type": "number" }, { "type": "boolean" }, { "type": "null" }] },
                    "free": { "examples": [3] },
                },
                "required": ["type"],
            }),
        );
        check(
            json!({ "nullable": false, "type": ["STRING", "NULL"] }),
            json!({ "type": ["string", "null"] }),
        );
        check(json!("x"), json!("x"));
    }
}
