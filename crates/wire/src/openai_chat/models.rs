//! The list of models.

use super::fault;
use crate::error::WireError;
use crate::take;
use hanok_base::{ModelInfo, Object};
use serde_json::{Value, json};

/// Where vendors say how long a context may be: OpenRouter and others, Groq, vLLM, Mistral.
const CONTEXT: [&str; 4] = ["context_length", "context_window", "max_model_len", "max_context_length"];

pub(super) fn encode_list(models: &[(String, ModelInfo)]) -> Vec<u8> {
    let data: Vec<Value> = models.iter().map(|(id, model)| one(id, model)).collect();
    json!({ "object": "list", "data": data }).to_string().into_bytes()
}

pub(super) fn encode_one(id: &str, model: &ModelInfo) -> Vec<u8> {
    one(id, model).to_string().into_bytes()
}

fn one(id: &str, model: &ModelInfo) -> Value {
    let owned_by = model.owned_by.as_deref().unwrap_or("unknown");
    json!({ "id": id, "object": "model", "created": model.created, "owned_by": owned_by })
}

/// `{"data": [{"id"}]}` as documented, or the bare array that some vendors send.
pub(super) fn decode(body: &[u8]) -> Result<Vec<ModelInfo>, WireError> {
    let items = if let Ok(Value::Array(items)) = serde_json::from_slice(body) {
        items
    } else {
        let mut list = take::object(body)?;
        if let Some(error) = list.get("error").filter(|error| !error.is_null()) {
            return Err(WireError::Upstream(fault::in_answer(error)));
        }
        if !list.contains_key("data") {
            return Err(WireError::member("data", "is missing: this is no list of models"));
        }
        take::array(&mut list, "data")?
    };
    let mut models = Vec::with_capacity(items.len());
    for (i, value) in items.into_iter().enumerate() {
        let mut object: Object = take::item(value, &format!("data[{i}]"))?;
        let name = take::string(&mut object, "id")?
            .ok_or_else(|| WireError::member(format!("data[{i}].id"), "is required"))?;
        models.push(ModelInfo {
            name: name.into(),
            owned_by: take::string(&mut object, "owned_by").ok().flatten(),
            created: take::integer(&mut object, "created").ok().flatten().unwrap_or(0),
            context_length: CONTEXT.iter().find_map(|name| take::count(&mut object, name).ok().flatten()),
        });
    }
    Ok(models)
}
