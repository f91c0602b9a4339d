//! What a prompt is given: its variables, with defaults, in the types that its schema says.

use crate::error::PromptError;
use hanok_base::Object;
use jsonschema::Validator;
use serde::Serialize;
use serde_json::Value;

/// The values of a prompt's variables, by name.
pub type Variables = Object;

/// What clients say of a call beside its variables, in the same place: whose it is.
const LABELS: [&str; 8] =
    ["conversation_id", "end_user_id", "session", "session_id", "tags", "thread_id", "user", "user_id"];

/// A variable that a prompt has, for people and forms.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What the schema says that it is (`string`, `array`…); `any` where nothing says.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the prompt cannot do without.
    pub required: bool,
    /// Its value where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values there are, where the schema says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
}

/// The schema of an input, ready to be used.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) schema: Value,
    pub(crate) validator: Validator,
}

impl Input {
    pub(crate) fn properties(&self) -> Option<&Object> {
        self.schema.get("properties").and_then(Value::as_object)
    }

    pub(crate) fn required(&self) -> impl Iterator<Item = &str> {
        self.schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// Whether the schema speaks of variables at all: one of a single value does not.
    fn is_of_variables(&self) -> bool {
        self.properties().is_some() || self.schema.get("additionalProperties").is_some_and(Value::is_object)
    }
}

/// The variables with the defaults for those that are not given, checked against the schema. What a dialect could
/// only send as text is read as JSON where the schema wants no text.
pub(crate) fn prepared(
    prompt: &str,
    given: &Variables,
    defaults: &Object,
    input: Option<&Input>,
) -> Result<Variables, PromptError> {
    let mut all = defaults.clone();
    all.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
    let Some(input) = input.filter(|input| input.is_of_variables()) else {
        return Ok(all);
    };
    let properties = input.properties();
    let named = |name: &str| properties.is_some_and(|properties| properties.contains_key(name));
    if !input.schema.get("additionalProperties").is_some_and(Value::is_object) {
        all.retain(|name, _| named(name) || !LABELS.contains(&name.as_str()));
    }
    for (name, value) in &mut all {
        let property = properties.and_then(|properties| properties.get(name));
        let schema = property.or_else(|| input.schema.get("additionalProperties"));
        if let (Some(schema), Value::String(text)) = (schema, &*value)
            && let Some(read) = as_json(text, schema)
        {
            *value = read;
        }
    }
    if let Some(missing) = input.required().find(|name| !all.contains_key(*name)) {
        let said = properties.and_then(|properties| properties.get(missing)?.get("description")?.as_str());
        return Err(PromptError::Missing {
            prompt: prompt.to_owned(),
            variable: missing.to_owned(),
            description: said.map(str::to_owned),
        });
    }
    let value = Value::Object(all);
    if let Some(error) = input.validator.iter_errors(&value).next() {
        let at = error.instance_path().to_string();
        let variable =
            at.trim_start_matches('/').split('/').next().filter(|name| !name.is_empty()).map(str::to_owned);
        let message = if at.is_empty() { error.to_string() } else { format!("{at}: {error}") };
        return Err(PromptError::Input { prompt: prompt.to_owned(), variable, message });
    }
    match value {
        Value::Object(all) => Ok(all),
        _ => Ok(Object::new()),
    }
}

/// A text as JSON, where the schema names types and text is none of them.
fn as_json(text: &str, schema: &Value) -> Option<Value> {
    let types: Vec<&str> = match schema.get("type")? {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    if types.contains(&"string") {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The variables that a prompt has: those of its schema, or else those that its template names.
pub(crate) fn listed(input: Option<&Input>, defaults: &Object, named: &[&str]) -> Vec<Variable> {
    if let Some((input, properties)) = input.and_then(|input| Some((input, input.properties()?))) {
        let required: Vec<&str> = input.required().collect();
        return properties
            .iter()
            .map(|(name, schema)| {
                let default = defaults.get(name).or_else(|| schema.get("default")).cloned();
                Variable {
                    name: name.clone(),
                    kind: kind_of(schema),
                    description: schema.get("description").and_then(Value::as_str).map(str::to_owned),
                    required: required.contains(&name.as_str()) && default.is_none(),
                    default,
                    choices: schema.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
                }
            })
            .collect();
    }
    let unnamed = defaults.keys().map(String::as_str).filter(|name| !named.contains(name));
    named
        .iter()
        .copied()
        .chain(unnamed)
        .map(|name| Variable {
            name: name.to_owned(),
            kind: "any".to_owned(),
            description: None,
            required: false,
            default: defaults.get(name).cloned(),
            choices: Vec::new(),
        })
        .collect()
}

fn kind_of(schema: &Value) -> String {
    match schema.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => {
            let named = kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
            named.unwrap_or("any").to_owned()
        }
        _ if schema.get("enum").is_some() => "enum".to_owned(),
        _ => "any".to_owned(),
    }
}
