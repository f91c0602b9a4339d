//! Tools, their choice, and the form of the output, both directions.

use super::request::{Lost, NO_MEMBER};
use crate::error::WireError;
use crate::take;
use hanok_base::{Object, OutputFormat, ToolChoice, ToolSpec};
use serde_json::{Value, json};

pub(super) fn decode(items: Vec<Value>) -> Result<Vec<ToolSpec>, WireError> {
    let mut tools = Vec::with_capacity(items.len());
    for (i, value) in items.into_iter().enumerate() {
        let place = format!("tools[{i}]");
        let object = take::item(value, &place)?;
        tools.push(tool(object).map_err(|error| take::under(&place, error))?);
    }
    Ok(tools)
}

fn tool(mut object: Object) -> Result<ToolSpec, WireError> {
    if object.get("type").and_then(Value::as_str) != Some("function") {
        let name = String::new();
        return Ok(ToolSpec { name, description: None, parameters: None, strict: None, extra: object });
    }
    object.shift_remove("type");
    let name = take::string(&mut object, "name")?
        .filter(|name| !name.is_empty())
        .ok_or_else(|| WireError::member("name", "is required"))?;
    let description = take::string(&mut object, "description")?;
    let strict = take::boolean(&mut object, "strict")?;
    let parameters = take::some(&mut object, "parameters");
    Ok(ToolSpec { name, description, parameters, strict, extra: object })
}

pub(super) fn encode(tools: &[ToolSpec], own: bool, lost: &mut Lost) -> Option<Value> {
    let mut out = Vec::with_capacity(tools.len());
    for (i, tool) in tools.iter().enumerate() {
        if !tool.name.is_empty() {
            out.push(encode_tool(tool, own, i, lost));
        } else if own {
            out.push(Value::Object(tool.extra.clone()));
        } else {
            lost.left_out(format!("tools[{i}]"), "openai-responses has no such tool");
        }
    }
    (!out.is_empty()).then(|| out.into())
}

fn encode_tool(tool: &ToolSpec, own: bool, i: usize, lost: &mut Lost) -> Value {
    let mut object = Object::from_iter([("type".to_owned(), Value::from("function"))]);
    object.insert("name".into(), tool.name.as_str().into());
    if let Some(description) = &tool.description {
        object.insert("description".into(), description.as_str().into());
    }
    match &tool.parameters {
        Some(parameters) => drop(object.insert("parameters".into(), parameters.clone())),
        None if own => {}
        None => drop(object.insert("parameters".into(), json!({ "type": "object", "properties": {} }))),
    }
    match tool.strict {
        Some(strict) => drop(object.insert("strict".into(), strict.into())),
        None if own => {}
        // Unsaid means strict here, and nowhere else.
        None => drop(object.insert("strict".into(), false.into())),
    }
    if own {
        object.extend(tool.extra.clone());
    } else {
        // What to cache is a hint.
        for (name, _) in tool.extra.iter().filter(|(name, _)| *name != "cache_control") {
            lost.left_out(format!("tools[{i}].{name}"), NO_MEMBER);
        }
    }
    object.into()
}

pub(super) fn decode_choice(value: Option<Value>) -> ToolChoice {
    let Some(value) = value else { return ToolChoice::Unset };
    match value.as_str() {
        Some("auto") => return ToolChoice::Auto,
        Some("none") => return ToolChoice::None,
        Some("required") => return ToolChoice::Required,
        _ => {}
    }
    match (value.get("type").and_then(Value::as_str), value.get("name").and_then(Value::as_str)) {
        (Some("function"), Some(name)) => ToolChoice::Tool(name.to_owned()),
        _ => ToolChoice::Opaque(value),
    }
}

pub(super) fn encode_choice(choice: &ToolChoice, own: bool, lost: &mut Lost) -> Option<Value> {
    Some(match choice {
        ToolChoice::Unset => return None,
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Tool(name) => json!({ "type": "function", "name": name }),
        ToolChoice::Opaque(value) if own => value.clone(),
        ToolChoice::Opaque(_) => {
            lost.left_out("tool_choice", "openai-responses has no such choice");
            return None;
        }
    })
}

/// The form of the output; what else `text` says (`verbosity`) is left in `extra`.
pub(super) fn decode_text(extra: &mut Object) -> Result<OutputFormat, WireError> {
    let Some(mut text) = take::map(extra, "text")? else {
        return Ok(OutputFormat::Unset);
    };
    let format = take::some(&mut text, "format").map_or(OutputFormat::Unset, decode_format);
    text.retain(|_, value| !value.is_null());
    if !text.is_empty() {
        extra.insert("text".into(), text.into());
    }
    Ok(format)
}

fn decode_format(value: Value) -> OutputFormat {
    match (value.get("type").and_then(Value::as_str), value.get("name").and_then(Value::as_str)) {
        (Some("text"), _) => OutputFormat::Text,
        (Some("json_object"), _) => OutputFormat::Json,
        (Some("json_schema"), Some(name)) => {
            let name = name.to_owned();
            let Value::Object(mut extra) = value else { return OutputFormat::Unset };
            extra.shift_remove("type");
            extra.shift_remove("name");
            let schema = take::some(&mut extra, "schema");
            let strict = take::some(&mut extra, "strict").and_then(|strict| strict.as_bool());
            extra.retain(|_, value| !value.is_null());
            OutputFormat::JsonSchema { name, schema, strict, extra }
        }
        _ => OutputFormat::Opaque(value),
    }
}

pub(super) fn encode_format(output: &OutputFormat, own: bool, lost: &mut Lost) -> Option<Value> {
    Some(match output {
        OutputFormat::Unset => return None,
        OutputFormat::Text => json!({ "type": "text" }),
        OutputFormat::Json => json!({ "type": "json_object" }),
        OutputFormat::JsonSchema { name, schema, strict, extra } => {
            let mut object = Object::from_iter([("type".to_owned(), Value::from("json_schema"))]);
            object.insert("name".into(), name.as_str().into());
            if let Some(schema) = schema {
                object.insert("schema".into(), schema.clone());
            }
            if let Some(strict) = strict {
                object.insert("strict".into(), (*strict).into());
            }
            // `description`, which all dialects that have a schema's name share.
            for (name, value) in extra {
                if own || name == "description" {
                    object.insert(name.clone(), value.clone());
                } else {
                    lost.left_out(format!("response_format.{name}"), NO_MEMBER);
                }
            }
            object.into()
        }
        OutputFormat::Opaque(value) if own => value.clone(),
        OutputFormat::Opaque(_) => {
            lost.left_out("response_format", "openai-responses has no such form");
            return None;
        }
    })
}
