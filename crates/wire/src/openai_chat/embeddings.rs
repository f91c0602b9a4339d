//! Embeddings, both directions. Vectors are arrays of numbers, or base64 of little-endian 32-bit floats, which the
//! official Python client asks for by default.

use super::fault;
use crate::codec::Encoded;
use crate::error::{WireError, text};
use crate::take;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hanok_base::{Degradation, Dialect, EmbedInput, EmbedRequest, EmbedResponse, Object, Usage};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::fmt;

/// Most inputs of one request, as OpenAI documents it.
const MOST_INPUTS: usize = 2_048;

pub(super) fn decode_request(body: &[u8]) -> Result<EmbedRequest, WireError> {
    let mut extra = take::object(body)?;
    let model = take::string(&mut extra, "model")?
        .filter(|model| !model.is_empty())
        .ok_or_else(|| WireError::member("model", "is required"))?;
    let input = take::some(&mut extra, "input").ok_or_else(|| {
        WireError::member("input", "is required: a text, or an array of texts or of arrays of tokens")
    })?;
    let inputs = inputs(input)?;
    let dimensions = take::count(&mut extra, "dimensions")?
        .map(|count| {
            let known = u32::try_from(count).ok().filter(|count| *count > 0);
            known.ok_or_else(|| WireError::member("dimensions", "must be from 1 to 4294967295"))
        })
        .transpose()?;
    let user = take::string(&mut extra, "user")?;
    // How the answer is written is between the client and us; `encode_response` reads it again.
    format(extra.shift_remove("encoding_format").as_ref())?;
    Ok(EmbedRequest {
        model: model.into(),
        inputs,
        dimensions,
        task: None,
        user,
        dialect: Some(Dialect::OpenAiChat),
        extra,
    })
}

fn inputs(input: Value) -> Result<Vec<EmbedInput>, WireError> {
    let items = match input {
        Value::Array(items) if items.first().is_some_and(Value::is_number) => vec![Value::Array(items)],
        Value::Array(items) => items,
        one => vec![one],
    };
    let count = items.len();
    if count == 0 {
        return Err(WireError::member("input", "must hold at least one text"));
    }
    if count > MOST_INPUTS {
        let message = format!("holds {count} inputs; at most {MOST_INPUTS} go into one request");
        return Err(WireError::member("input", message));
    }
    let wrong = |i: usize, message: &str| {
        let param = if count == 1 { "input".to_owned() } else { format!("input[{i}]") };
        WireError::member(param, message)
    };
    let one = |(i, item): (usize, Value)| match item {
        Value::String(text) if text.is_empty() => Err(wrong(i, "must not be empty")),
        Value::String(text) => Ok(EmbedInput::Text(text)),
        Value::Array(tokens) if tokens.is_empty() => Err(wrong(i, "must not be empty")),
        Value::Array(tokens) => {
            let token = |token: &Value| token.as_u64().and_then(|token| u32::try_from(token).ok());
            let tokens: Option<Vec<u32>> = tokens.iter().map(token).collect();
            tokens.map(EmbedInput::Tokens).ok_or_else(|| wrong(i, "must hold token numbers only"))
        }
        _ => Err(wrong(i, "must be a text or an array of tokens")),
    };
    items.into_iter().enumerate().map(one).collect()
}

/// Whether base64 is asked for.
fn format(asked: Option<&Value>) -> Result<bool, WireError> {
    match asked {
        None | Some(Value::Null) => Ok(false),
        Some(Value::String(format)) if format == "float" => Ok(false),
        Some(Value::String(format)) if format == "base64" => Ok(true),
        Some(_) => Err(WireError::member("encoding_format", "must be \"float\" or \"base64\"")),
    }
}

pub(super) fn encode_request(request: &EmbedRequest) -> Result<Encoded, WireError> {
    let own = request.dialect == Some(Dialect::OpenAiChat);
    let tokens = request.inputs.iter().filter(|input| matches!(input, EmbedInput::Tokens(_))).count();
    if tokens != 0 && tokens != request.inputs.len() {
        return Err(WireError::member("input", "must be either texts or tokens, not some of each"));
    }
    let mut object = Object::new();
    object.insert("model".into(), request.model.as_str().into());
    let input = |input: &EmbedInput| match input {
        EmbedInput::Text(text) => Value::from(text.as_str()),
        EmbedInput::Tokens(tokens) => Value::from(tokens.as_slice()),
    };
    object.insert("input".into(), request.inputs.iter().map(input).collect());
    if let Some(dimensions) = request.dimensions {
        object.insert("dimensions".into(), dimensions.into());
    }
    if let Some(user) = &request.user {
        object.insert("user".into(), user.as_str().into());
    }
    let mut lost = Vec::new();
    let mut lose = |param: &str| {
        let message = "left out: openai-chat has no such member".to_owned();
        lost.push(Degradation { param: param.to_owned(), message });
    };
    if own {
        object.extend(request.extra.clone());
    } else {
        request.extra.keys().for_each(|name| lose(name));
    }
    if request.task.is_some() {
        lose("task");
    }
    Ok(Encoded::new(&object.into(), lost))
}

pub(super) fn decode_response(body: &[u8]) -> Result<EmbedResponse, WireError> {
    #[derive(Deserialize)]
    struct Body {
        error: Option<Value>,
        data: Option<Vec<Item>>,
        model: Option<String>,
        usage: Option<Value>,
    }
    #[derive(Deserialize)]
    struct Item {
        index: Option<usize>,
        embedding: Vector,
    }
    let text = text(body)?;
    let body: Body = serde_json::from_str(text).map_err(|error| WireError::of_shape(&error, text))?;
    if let Some(error) = body.error {
        return Err(WireError::Upstream(fault::in_answer(&error)));
    }
    let data = body.data.ok_or_else(|| WireError::member("data", "is missing: these are no embeddings"))?;
    let mut items: Vec<(usize, Vec<f32>)> =
        data.into_iter().enumerate().map(|(i, item)| (item.index.unwrap_or(i), item.embedding.0)).collect();
    items.sort_by_key(|(index, _)| *index);
    let length = items.first().map_or(0, |(_, vector)| vector.len());
    for (i, (index, vector)) in items.iter().enumerate() {
        if *index != i {
            return Err(WireError::member(format!("data[{i}]"), "is missing, or there twice"));
        }
        if vector.len() != length || length == 0 {
            return Err(WireError::member(
                format!("data[{i}].embedding"),
                "is of another length than the others",
            ));
        }
    }
    let usage = body.usage.map(|usage| super::usage::of(&usage)).unwrap_or_default();
    Ok(EmbedResponse {
        model: body.model.unwrap_or_default().into(),
        vectors: items.into_iter().map(|(_, vector)| vector).collect(),
        usage: Usage { input: usage.input, ..Usage::default() },
    })
}

/// A vector, of either form.
struct Vector(Vec<f32>);

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Vector;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of numbers, or base64 of 32-bit floats")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vector, A::Error> {
                let mut numbers = Vec::with_capacity(seq.size_hint().unwrap_or(1_024).min(1 << 16));
                while let Some(number) = seq.next_element::<f32>()? {
                    numbers.push(number);
                }
                checked(numbers)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Vector, E> {
                let bytes = STANDARD.decode(text).map_err(|_| E::custom("an embedding is no base64"))?;
                let (numbers, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(E::custom("an embedding is no base64 of 32-bit floats"));
                }
                checked(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
            }
        }
        fn checked<E: Error>(numbers: Vec<f32>) -> Result<Vector, E> {
            if numbers.iter().all(|number| number.is_finite()) {
                Ok(Vector(numbers))
            } else {
                Err(E::custom("an embedding holds what is no number"))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

pub(super) fn encode_response(response: &EmbedResponse, request: &[u8]) -> Vec<u8> {
    #[derive(Deserialize)]
    struct Asked {
        encoding_format: Option<Value>,
    }
    let asked = serde_json::from_slice::<Asked>(request).ok().and_then(|asked| asked.encoding_format);
    let base64 = format(asked.as_ref()).unwrap_or(false);
    let numbers: usize = response.vectors.iter().map(Vec::len).sum();
    let mut out = String::with_capacity(numbers * if base64 { 6 } else { 12 } + 256);
    out.push_str(r#"{"object":"list","data":["#);
    for (i, vector) in response.vectors.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(r#"{"object":"embedding","index":"#);
        out.push_str(&i.to_string());
        out.push_str(r#","embedding":"#);
        if base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            out.push('"');
            STANDARD.encode_string(bytes, &mut out);
            out.push('"');
        } else {
            out.push_str(&serde_json::to_string(vector).unwrap_or_default());
        }
        out.push('}');
    }
    let tokens = response.usage.input.unwrap_or(0);
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    out.push_str("],\"model\":");
    out.push_str(&Value::from(response.model.as_str()).to_string());
    out.push_str(",\"usage\":");
    out.push_str(&usage.to_string());
    out.push('}');
    out.into_bytes()
}
