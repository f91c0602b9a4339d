//! The list of models, and the paths that name them.

use super::fault;
use crate::error::WireError;
use crate::take;
use hanok_base::{ModelInfo, Object, Route};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

const PREFIX: &str = "models/";
/// What may not stand in a path as it is; slashes and colons of a model's name may.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A model's resource name: `models/NAME`.
pub(super) fn resource(model: &str) -> String {
    if model.starts_with(PREFIX) || model.starts_with("tunedModels/") {
        model.to_owned()
    } else {
        format!("{PREFIX}{model}")
    }
}

/// A route's path; `None` where there is no such route, and for a name that would lead elsewhere.
pub(super) fn path(route: Route, model: &str, stream: bool) -> Option<String> {
    let method = match route {
        Route::Chat if stream => "streamGenerateContent?alt=sse",
        Route::Chat => "generateContent",
        Route::Embeddings => "embedContent",
        Route::BatchEmbeddings => "batchEmbedContents",
        Route::CountTokens => "countTokens",
        Route::Rerank | Route::Raw(_) => return None,
    };
    if model.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return None;
    }
    Some(format!("{}:{method}", utf8_percent_encode(&resource(model), ESCAPED)))
}

pub(super) fn encode_list(models: &[(String, ModelInfo)]) -> Vec<u8> {
    let models: Vec<Value> = models.iter().map(|(id, _)| one(id)).collect();
    json!({ "models": models }).to_string().into_bytes()
}

pub(super) fn encode_one(id: &str, _: &ModelInfo) -> Vec<u8> {
    one(id).to_string().into_bytes()
}

fn one(id: &str) -> Value {
    json!({
        "name": resource(id),
        "displayName": id,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}

/// `{"models": [{"name": "models/…"}]}`.
pub(super) fn decode(body: &[u8]) -> Result<Vec<ModelInfo>, WireError> {
    let mut list = take::object(body)?;
    let whole = Value::Object(list.clone());
    if fault::is_error(&whole) {
        return Err(WireError::Upstream(fault::in_answer(&whole)));
    }
    if !list.contains_key("models") {
        return Err(WireError::member("models", "is missing: this is no list of models"));
    }
    let items = take::array(&mut list, "models")?;
    let read = |(i, value)| {
        let place = format!("models[{i}]");
        let mut object: Object = take::item(value, &place)?;
        let name = take::string(&mut object, "name")
            .map_err(|error| take::under(&place, error))?
            .ok_or_else(|| WireError::member(format!("{place}.name"), "is required"))?;
        let name = name.strip_prefix(PREFIX).unwrap_or(&name).into();
        let context_length = take::count(&mut object, "inputTokenLimit").ok().flatten();
        Ok(ModelInfo { name, owned_by: None, created: 0, context_length })
    };
    items.into_iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let check = |route: Route, model: &str, stream: bool, expect: Option<&str>| {
            assert_eq!(path(route, model, stream).as_deref(), expect, "{model}");
        };
        check(Route::Chat, "gemini-2.5-pro", false, Some("models/gemini-2.5-pro:generateContent"));
        check(Route::Chat, "models/g", true, Some("models/g:streamGenerateContent?alt=sse"));
        check(Route::Chat, "tunedModels/g", false, Some("tunedModels/g:generateContent"));
        check(
            Route::Chat,
            "openai/gpt 4?x#y%",
            false,
            Some("models/openai/gpt%204%3Fx%23y%25:generateContent"),
        );
        check(Route::Chat, "모델", false, Some("models/%EB%AA%A8%EB%8D%B8:generateContent"));
        check(Route::Embeddings, "e", false, Some("models/e:embedContent"));
        check(Route::BatchEmbeddings, "e", false, Some("models/e:batchEmbedContents"));
        check(Route::CountTokens, "m", false, Some("models/m:countTokens"));
        check(Route::Rerank, "m", false, None);
        check(Route::Raw("images"), "m", false, None);
        for nowhere in ["", "../x", "models/../x", "a//b", "."] {
            check(Route::Chat, nowhere, false, None);
        }
    }

    #[test]
    fn lists() {
        let models = decode(
            br#"{"models":[{"name":"models/gemini-2.5-pro","version":"001"},{"name":"tunedModels/x"}]}"#,
        );
        let names: Vec<String> = models.unwrap().iter().map(|model| model.name.as_str().to_owned()).collect();
        assert_eq!(names, ["gemini-2.5-pro", "tunedModels/x"]);
        let info = ModelInfo { name: "gpt".into(), owned_by: None, created: 5, context_length: None };
        let encoded = encode_list(&[("openai/gpt".to_owned(), info)]);
        assert_eq!(decode(&encoded).unwrap()[0].name.as_str(), "openai/gpt");
        for (body, expect) in [
            ("{}", "`models`: is missing"),
            (r#"{"models":[{}]}"#, "`models[0].name`: is required"),
            (r#"{"models":[7]}"#, "`models[0]`: must be an object"),
            (r#"{"error":{"message":"no key","code":403}}"#, "no key"),
        ] {
            let error = decode(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        }
    }
}
