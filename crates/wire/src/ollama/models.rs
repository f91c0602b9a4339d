//! The list of models (`/api/tags`).

use super::{answer, stamp};
use crate::error::WireError;
use crate::take;
use hanok_base::{ModelInfo, Object, Timestamp};
use serde_json::{Value, json};

pub(super) fn encode_list(models: &[(String, ModelInfo)]) -> Vec<u8> {
    let models: Vec<Value> = models.iter().map(|(id, model)| one(id, model)).collect();
    json!({ "models": models }).to_string().into_bytes()
}

pub(super) fn encode_one(id: &str, model: &ModelInfo) -> Vec<u8> {
    one(id, model).to_string().into_bytes()
}

fn one(id: &str, model: &ModelInfo) -> Value {
    json!({
        "name": id,
        "model": id,
        "modified_at": modified_at(model.created),
        "size": 0,
        // Clients cut it to its first characters without looking how many there are.
        "digest": stamp::digest(id),
        "details": details("", "", ""),
    })
}

/// The time of so many seconds since the epoch, which is where nobody said, too.
pub(super) fn modified_at(seconds: i64) -> String {
    stamp::text(Timestamp(seconds.saturating_mul(1_000_000_000)))
}

/// What clients expect to find of a model, with nothing in it that is not known.
pub(super) fn details(family: &str, parameter_size: &str, quantization_level: &str) -> Value {
    let families: Vec<&str> = Some(family).filter(|family| !family.is_empty()).into_iter().collect();
    json!({
        "parent_model": "",
        "format": "",
        "family": family,
        "families": families,
        "parameter_size": parameter_size,
        "quantization_level": quantization_level,
    })
}

pub(super) fn decode(body: &[u8]) -> Result<Vec<ModelInfo>, WireError> {
    let mut list = take::object(body)?;
    if let Some(fault) = answer::failed(&list) {
        return Err(WireError::Upstream(fault));
    }
    if !list.contains_key("models") {
        return Err(WireError::member("models", "is missing: this is no list of models"));
    }
    let items = take::array(&mut list, "models")?;
    let mut models = Vec::with_capacity(items.len());
    for (i, value) in items.into_iter().enumerate() {
        let mut object: Object = take::item(value, &format!("models[{i}]"))?;
        let name = take::string(&mut object, "model")?.filter(|name| !name.is_empty());
        // The older member.
        let name = name.or(take::string(&mut object, "name")?);
        let name = name.ok_or_else(|| WireError::member(format!("models[{i}].model"), "is required"))?;
        let modified = take::string(&mut object, "modified_at").ok().flatten();
        models.push(ModelInfo {
            name: name.into(),
            owned_by: None,
            created: modified.map_or(0, |text| stamp::seconds(&text)),
            context_length: None,
        });
    }
    Ok(models)
}
