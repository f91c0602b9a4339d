//! The list of models.

use super::fault;
use crate::error::WireError;
use crate::take;
use hanok_base::{ModelInfo, Object, Timestamp};
use serde_json::{Value, json};

const NANOS: i64 = 1_000_000_000;

pub(super) fn encode_list(models: &[(String, ModelInfo)]) -> Vec<u8> {
    let data: Vec<Value> = models.iter().map(|(id, model)| one(id, model)).collect();
    let mut ids = models.iter().map(|(id, _)| id.as_str());
    let first = ids.next();
    let last = ids.next_back().or(first);
    json!({ "data": data, "has_more": false, "first_id": first, "last_id": last }).to_string().into_bytes()
}

pub(super) fn encode_one(id: &str, model: &ModelInfo) -> Vec<u8> {
    one(id, model).to_string().into_bytes()
}

/// A model's time that is unknown is the epoch, as the dialect has it.
fn one(id: &str, model: &ModelInfo) -> Value {
    let created = Timestamp(model.created.saturating_mul(NANOS)).rfc3339();
    json!({ "type": "model", "id": id, "display_name": id, "created_at": created })
}

pub(super) fn decode(body: &[u8]) -> Result<Vec<ModelInfo>, WireError> {
    let mut list = take::object(body)?;
    if let Some(error) = list.get("error").filter(|error| !error.is_null()) {
        return Err(WireError::Upstream(fault::of(error)));
    }
    if !list.contains_key("data") {
        return Err(WireError::member("data", "is missing: this is no list of models"));
    }
    let mut models = Vec::new();
    for (i, value) in take::array(&mut list, "data")?.into_iter().enumerate() {
        let mut object: Object = take::item(value, &format!("data[{i}]"))?;
        let name = take::string(&mut object, "id")?
            .ok_or_else(|| WireError::member(format!("data[{i}].id"), "is required"))?;
        let created = take::string(&mut object, "created_at").ok().flatten();
        let created = created.and_then(|text| Timestamp::parse_rfc3339(&text));
        models.push(ModelInfo {
            name: name.into(),
            owned_by: take::string(&mut object, "owned_by").ok().flatten(),
            created: created.map_or(0, Timestamp::seconds),
            context_length: take::count(&mut object, "max_input_tokens").ok().flatten(),
        });
    }
    Ok(models)
}
