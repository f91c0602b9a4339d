//! Embeddings: `/api/embed`, and the older `/api/embeddings`, whose requests hold one `prompt` in place of
//! `input` and whose answers hold one `embedding`.

use super::parts::LEFT_OUT;
use super::{Form, answer, is_own};
use crate::codec::Encoded;
use crate::error::{WireError, text};
use crate::take;
use hanok_base::{EmbedInput, EmbedRequest, EmbedResponse, Object, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) fn decode_request(form: Form, body: &[u8]) -> Result<EmbedRequest, WireError> {
    let mut extra = take::object(body)?;
    let model =
        take::string(&mut extra, "model")?.ok_or_else(|| WireError::member("model", "is required"))?;
    let prompt = if is_older(&extra) { take::string(&mut extra, "prompt")? } else { None };
    let inputs = match (prompt, take::some(&mut extra, "input")) {
        (Some(prompt), _) => vec![EmbedInput::Text(prompt)],
        (None, Some(Value::String(text))) => vec![EmbedInput::Text(text)],
        (None, Some(Value::Array(items))) if items.iter().all(Value::is_string) => {
            let texts = items.into_iter().filter_map(|item| item.as_str().map(str::to_owned));
            texts.map(EmbedInput::Text).collect()
        }
        (None, Some(_)) => {
            return Err(WireError::member("input", "must be a string or an array of strings"));
        }
        (None, None) => return Err(WireError::member("input", "is required")),
    };
    let dimensions = take::count(&mut extra, "dimensions")?
        .filter(|dimensions| *dimensions > 0)
        .map(|dimensions| {
            u32::try_from(dimensions).map_err(|_| WireError::member("dimensions", "is too large"))
        })
        .transpose()?;
    extra.retain(|_, value| !value.is_null());
    Ok(EmbedRequest {
        model: model.into(),
        inputs,
        dimensions,
        task: None,
        user: None,
        dialect: Some(form.dialect()),
        extra,
    })
}

/// Whether a request is of the older route.
fn is_older(request: &Object) -> bool {
    request.contains_key("prompt") && !request.contains_key("input")
}

pub(super) fn encode_request(form: Form, request: &EmbedRequest) -> Result<Encoded, WireError> {
    let mut texts = Vec::with_capacity(request.inputs.len());
    for (i, input) in request.inputs.iter().enumerate() {
        match input {
            EmbedInput::Text(text) => texts.push(text.as_str()),
            EmbedInput::Tokens(_) => {
                let message = "must be text: ollama takes no token ids";
                return Err(WireError::member(format!("input[{i}]"), message));
            }
        }
    }
    let mut object = Object::from_iter([("model".to_owned(), request.model.as_str().into())]);
    let mut lost = Vec::new();
    let mut lose = |name: &str| super::options::lose(&mut lost, name, LEFT_OUT);
    match (form, texts.as_slice()) {
        (Form::Chat, texts) => drop(object.insert("input".into(), texts.into())),
        (Form::Generate, [text]) => drop(object.insert("prompt".into(), (*text).into())),
        (Form::Generate, _) => {
            return Err(WireError::member("input", "must be one text: /api/embeddings takes no more"));
        }
    }
    match (form, request.dimensions) {
        (_, None) => {}
        (Form::Chat, Some(dimensions)) => drop(object.insert("dimensions".into(), dimensions.into())),
        (Form::Generate, Some(_)) => lose("dimensions"),
    }
    if request.task.is_some() {
        lose("task");
    }
    if request.user.is_some() {
        lose("user");
    }
    for (name, value) in &request.extra {
        if is_own(request.dialect) {
            object.insert(name.clone(), value.clone());
        } else if name != "encoding_format" {
            // That one says how the answer is written, which is for whoever writes it.
            lose(name);
        }
    }
    Ok(Encoded::new(&object.into(), lost))
}

pub(super) fn decode_response(body: &[u8]) -> Result<EmbedResponse, WireError> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        model: String,
        embeddings: Option<Vec<Vec<f32>>>,
        embedding: Option<Vec<f32>>,
        prompt_eval_count: Option<u64>,
        error: Option<Value>,
    }
    let text = text(body)?;
    let body: Body = serde_json::from_str(text).map_err(|error| WireError::of_shape(&error, text))?;
    if body.error.is_some() {
        let fault = answer::failed(&take::object(text.as_bytes())?);
        return Err(fault.map_or_else(|| WireError::member("embeddings", "is missing"), WireError::Upstream));
    }
    let vectors = body.embeddings.or_else(|| body.embedding.map(|vector| vec![vector]));
    Ok(EmbedResponse {
        model: body.model.into(),
        vectors: vectors
            .ok_or_else(|| WireError::member("embeddings", "is missing: these are no embeddings"))?,
        usage: Usage { input: body.prompt_eval_count, ..Usage::default() },
    })
}

/// Embeddings in the shape of the route that `request` was made for, under the name it gave the model.
pub(super) fn encode_response(response: &EmbedResponse, request: &[u8]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Older<'a> {
        embedding: &'a [f32],
    }
    #[derive(Serialize)]
    struct Newer<'a> {
        model: &'a str,
        embeddings: &'a [Vec<f32>],
        total_duration: u64,
        load_duration: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_eval_count: Option<u64>,
    }
    let request = take::object(request).unwrap_or_default();
    let json = if is_older(&request) {
        let embedding = response.vectors.first().map_or(&[][..], Vec::as_slice);
        serde_json::to_vec(&Older { embedding })
    } else {
        let model = request.get("model").and_then(Value::as_str).unwrap_or(response.model.as_str());
        serde_json::to_vec(&Newer {
            model,
            embeddings: &response.vectors,
            // Nobody measured them.
            total_duration: 0,
            load_duration: 0,
            prompt_eval_count: response.usage.input,
        })
    };
    // Writing numbers and text into memory does not fail.
    json.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::Dialect;

    fn told(form: Form, request: &str) -> String {
        let response = EmbedResponse {
            model: "upstream".into(),
            vectors: vec![vec![0.1, -2.0], vec![0.5, 1e-7]],
            usage: Usage { input: Some(5), ..Usage::default() },
        };
        let decoded = decode_request(form, request.as_bytes()).unwrap();
        assert_eq!(decoded.dialect, Some(form.dialect()));
        String::from_utf8(encode_response(&response, request.as_bytes())).unwrap()
    }

    #[test]
    fn both_routes() {
        let newer = concat!(
            r#"{"model":"m","embeddings":[[0.1,-2.0],[0.5,1e-7]],"#,
            r#""total_duration":0,"load_duration":0,"prompt_eval_count":5}"#
        );
        assert_eq!(told(Form::Chat, r#"{"model":"m","input":["a","b"]}"#), newer);
        assert_eq!(told(Form::Chat, r#"{"model":"m","input":"a","truncate":true}"#), newer);
        assert_eq!(told(Form::Generate, r#"{"model":"m","prompt":"a"}"#), r#"{"embedding":[0.1,-2.0]}"#);
        let decoded = decode_response(newer.as_bytes()).unwrap();
        assert_eq!((decoded.vectors, decoded.usage.input), (vec![vec![0.1, -2.0], vec![0.5, 1e-7]], Some(5)));
        assert_eq!(decode_response(br#"{"embedding":[1.5]}"#).unwrap().vectors, [[1.5]]);
    }

    #[test]
    fn requests() {
        let check = |body: &str, expect: Result<&str, &str>| {
            let got = decode_request(Form::Chat, body.as_bytes()).and_then(|request| {
                encode_request(Form::Chat, &request).map(|encoded| String::from_utf8(encoded.body).unwrap())
            });
            match (&got, expect) {
                (Ok(again), Ok(expect)) => assert_eq!(again, expect),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{body}: {error}"),
                _ => panic!("{body}: {got:?}"),
            }
        };
        check(
            r#"{"model":"m","input":["a"],"dimensions":8,"truncate":true,"keep_alive":"5m"}"#,
            Ok(r#"{"model":"m","input":["a"],"dimensions":8,"truncate":true,"keep_alive":"5m"}"#),
        );
        check(r#"{"model":"m","prompt":"a"}"#, Ok(r#"{"model":"m","input":["a"]}"#));
        check(r#"{"model":"m","input":[1,2]}"#, Err("`input`: must be a string or an array"));
        check(r#"{"model":"m"}"#, Err("`input`: is required"));
        check(r#"{"input":"a"}"#, Err("`model`: is required"));

        let mut foreign = decode_request(Form::Chat, br#"{"model":"m","input":"a","x":1}"#).unwrap();
        foreign.dialect = Some(Dialect::Gemini);
        foreign.task = Some("RETRIEVAL_QUERY".into());
        let encoded = encode_request(Form::Chat, &foreign).unwrap();
        assert_eq!(String::from_utf8(encoded.body).unwrap(), r#"{"model":"m","input":["a"]}"#);
        let lost: Vec<_> = encoded.lost.iter().map(|lost| lost.param.as_str()).collect();
        assert_eq!(lost, ["task", "x"]);
        foreign.inputs = vec![EmbedInput::Tokens(vec![1])];
        assert!(encode_request(Form::Chat, &foreign).is_err());
    }
}
