//! Tools and the choice among them. The API has no strict tool, but a mode of calling in which each call is
//! held to its schema (`VALIDATED`): it is what strict tools become, and the other way round.

use super::{forms, schema};
use crate::error::WireError;
use crate::take;
use hanok_base::{Degradation, Object, ToolChoice, ToolSpec};
use serde_json::{Value, json};

/// A request's tools. Functions by name; a tool of Google's own is whole in its unknown members.
pub(super) fn decode(items: Vec<Value>) -> Result<Vec<ToolSpec>, WireError> {
    let mut tools = Vec::new();
    for (i, value) in items.into_iter().enumerate() {
        let place = format!("tools[{i}]");
        let mut object = take::item(value, &place)?;
        forms::camel(&mut object);
        let declared =
            forms::list(&mut object, "functionDeclarations").map_err(|error| take::under(&place, error))?;
        for (j, value) in declared.into_iter().enumerate() {
            let place = format!("{place}.functionDeclarations[{j}]");
            let function = take::item(value, &place)?;
            tools.push(declaration(function).map_err(|error| take::under(&place, error))?);
        }
        if !object.is_empty() {
            let name = String::new();
            tools.push(ToolSpec { name, description: None, parameters: None, strict: None, extra: object });
        }
    }
    Ok(tools)
}

fn declaration(mut object: Object) -> Result<ToolSpec, WireError> {
    forms::camel(&mut object);
    let name = take::string(&mut object, "name")?
        .filter(|name| !name.is_empty())
        .ok_or_else(|| WireError::member("name", "is required"))?;
    let description = take::string(&mut object, "description")?;
    let parameters = match take::some(&mut object, "parametersJsonSchema") {
        Some(schema) => Some(schema),
        // Left in the unknown members, to be given back to Gemini as it came.
        None => object.get("parameters").filter(|schema| !schema.is_null()).map(schema::to_json_schema),
    };
    Ok(ToolSpec { name, description, parameters, strict: None, extra: object })
}

/// The tools for an upstream; unknown members where `own`.
pub(super) fn encode(tools: &[ToolSpec], own: bool, lost: &mut Vec<Degradation>) -> Vec<Value> {
    let mut functions = Vec::new();
    let mut others = Vec::new();
    for (i, tool) in tools.iter().enumerate() {
        if !tool.name.is_empty() {
            functions.push(encode_declaration(tool, own));
        } else if own {
            others.push(Value::Object(tool.extra.clone()));
        } else {
            let kind = tool.extra.get("type").and_then(Value::as_str).unwrap_or("of another dialect");
            let message = format!("left out: gemini has no tool {kind}");
            lost.push(Degradation { param: format!("tools[{i}]"), message });
        }
    }
    if !functions.is_empty() {
        others.insert(0, json!({ "functionDeclarations": functions }));
    }
    others
}

fn encode_declaration(tool: &ToolSpec, own: bool) -> Value {
    let mut object = Object::from_iter([("name".to_owned(), Value::from(tool.name.as_str()))]);
    if let Some(description) = &tool.description {
        object.insert("description".into(), description.as_str().into());
    }
    let as_it_came = own && tool.extra.contains_key("parameters");
    if let (Some(parameters), false) = (&tool.parameters, as_it_came) {
        object.insert("parametersJsonSchema".into(), parameters.clone());
    }
    if own {
        forms::fill(&mut object, &tool.extra);
    }
    object.into()
}

/// Takes the choice out of a request's `toolConfig`; what no choice stands for is left there.
pub(super) fn decode_choice(config: &mut Object, tools: &mut [ToolSpec]) -> Result<ToolChoice, WireError> {
    let name = "functionCallingConfig";
    let Some(mut calling) = forms::map(config, name)? else {
        return Ok(ToolChoice::Unset);
    };
    let mode = calling.get("mode").and_then(Value::as_str).map(str::to_ascii_uppercase);
    let only = match calling.get("allowedFunctionNames").and_then(Value::as_array).map(Vec::as_slice) {
        Some([Value::String(name)]) => Some(name.clone()),
        _ => None,
    };
    let is_declared = tools.iter().any(|tool| !tool.name.is_empty());
    let choice = match (mode.as_deref(), only) {
        (Some("AUTO"), _) => ToolChoice::Auto,
        (Some("NONE"), _) => ToolChoice::None,
        (Some("ANY"), Some(name)) => {
            calling.shift_remove("allowedFunctionNames");
            ToolChoice::Tool(name)
        }
        (Some("ANY"), None) => ToolChoice::Required,
        (Some("VALIDATED"), _) if is_declared => {
            tools.iter_mut().filter(|tool| !tool.name.is_empty()).for_each(|tool| tool.strict = Some(true));
            ToolChoice::Auto
        }
        _ => ToolChoice::Unset,
    };
    if choice != ToolChoice::Unset {
        calling.shift_remove("mode");
    }
    forms::put_back(config, name, Some(calling));
    Ok(choice)
}

/// The choice as a `functionCallingConfig`.
pub(super) fn encode_choice(
    choice: &ToolChoice,
    tools: &[ToolSpec],
    lost: &mut Vec<Degradation>,
) -> Option<Value> {
    let is_strict = tools.iter().any(|tool| tool.strict == Some(true));
    Some(match choice {
        ToolChoice::Unset | ToolChoice::Auto if is_strict => json!({ "mode": "VALIDATED" }),
        ToolChoice::Unset => return None,
        ToolChoice::Auto => json!({ "mode": "AUTO" }),
        ToolChoice::None => json!({ "mode": "NONE" }),
        ToolChoice::Required => json!({ "mode": "ANY" }),
        ToolChoice::Tool(name) => json!({ "mode": "ANY", "allowedFunctionNames": [name] }),
        ToolChoice::Opaque(_) => {
            let message = "left out: gemini has no such choice".to_owned();
            lost.push(Degradation { param: "tool_choice".to_owned(), message });
            return None;
        }
    })
}
