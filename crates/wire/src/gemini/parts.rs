//! The parts of a content, both directions: of requests and of answers.

use super::{forms, seal};
use crate::depth;
use crate::error::WireError;
use crate::take;
use hanok_base::{Dialect, Media, MediaSource, Object, Part, Signature, ToolCall};
use serde_json::{Value, json};

/// A part as it stands on the wire.
pub(super) enum Read {
    /// A text or a thought, either possibly empty where only the signature counts.
    Text(Said),
    /// A call; its id is empty where there is none.
    Call(ToolCall),
    /// A tool's answer.
    Answer(Answer),
    /// Anything else that stands for itself.
    Part(Part),
}

pub(super) struct Said {
    /// Possibly empty.
    pub(super) text: String,
    pub(super) thought: bool,
    pub(super) signature: Option<Signature>,
    /// The provider, one of another dialect, hid the text.
    pub(super) hidden: bool,
    /// Unknown members.
    pub(super) rest: Object,
}

pub(super) struct Answer {
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) parts: Vec<Part>,
    pub(super) is_error: bool,
    /// Unknown members, as the part has them.
    pub(super) rest: Object,
}

/// Reads a part.
pub(super) fn read(mut object: Object) -> Result<Read, WireError> {
    forms::camel(&mut object);
    let has = |name: &str| object.get(name).is_some_and(|value| !value.is_null());
    if has("functionCall") {
        return call(object).map(Read::Call);
    }
    if has("functionResponse") {
        return answer(object).map(Read::Answer);
    }
    if has("inlineData") || has("fileData") {
        return media(object).map(|media| Read::Part(Part::Media(media)));
    }
    // A part may hold nothing but a signature, or nothing at all.
    let bare = object.keys().all(|name| matches!(name.as_str(), "thought" | "thoughtSignature" | "text"));
    if !has("text") && !bare {
        return Ok(Read::Part(Part::Opaque { dialect: Dialect::Gemini, value: object.into() }));
    }
    let text = take::string(&mut object, "text")?.unwrap_or_default();
    let thought = take::boolean(&mut object, "thought")?.unwrap_or(false);
    let (signature, hidden) = match signature(&mut object)? {
        Some((signature, hidden)) => (Some(signature), hidden),
        None => (None, false),
    };
    Ok(Read::Text(Said { text, thought, signature, hidden, rest: object }))
}

fn signature(object: &mut Object) -> Result<Option<(Signature, bool)>, WireError> {
    let text = take::string(object, "thoughtSignature")?.filter(|text| !text.is_empty());
    Ok(text.map(seal::read))
}

fn call(mut object: Object) -> Result<ToolCall, WireError> {
    let signature = signature(&mut object)?.map(|(signature, _)| signature);
    let mut function = forms::map(&mut object, "functionCall")?.unwrap_or_default();
    let told = |error| take::under("functionCall", error);
    let id = take::string(&mut function, "id").map_err(told)?.unwrap_or_default();
    let name = take::string(&mut function, "name").map_err(told)?.unwrap_or_default();
    let arguments =
        take::some(&mut function, "args").map_or_else(|| "{}".to_owned(), |args| args.to_string());
    forms::put_back(&mut object, "functionCall", Some(function));
    Ok(ToolCall { id, name, arguments, signature, extra: object })
}

fn answer(mut object: Object) -> Result<Answer, WireError> {
    let mut function = forms::map(&mut object, "functionResponse")?.unwrap_or_default();
    let told = |error| take::under("functionResponse", error);
    let id = take::string(&mut function, "id").map_err(told)?;
    let name = take::string(&mut function, "name")
        .map_err(told)?
        .filter(|name| !name.is_empty())
        .ok_or_else(|| told(WireError::member("name", "is required: the function's name")))?;
    let response = take::some(&mut function, "response");
    // What a function answers is an object of its own making, but for this one member.
    let is_error = response
        .as_ref()
        .and_then(Value::as_object)
        .is_some_and(|response| response.len() == 1 && response.contains_key("error"));
    let mut parts = Vec::new();
    if let Some(response) = response {
        let text = if let Some((key, text)) = lone_text(&response) {
            // Written anew from the text alone it would be another object.
            if response_of(text, false) != response {
                let mark = Object::from_iter([(key.to_owned(), Value::Null)]);
                function.insert("response".into(), mark.into());
            }
            text.to_owned()
        } else {
            response.to_string()
        };
        parts.push(Part::Text(text));
    }
    for (i, value) in forms::list(&mut function, "parts").map_err(told)?.into_iter().enumerate() {
        let place = format!("functionResponse.parts[{i}]");
        let mut item = take::item(value, &place)?;
        forms::camel(&mut item);
        parts.push(if item.contains_key("inlineData") || item.contains_key("fileData") {
            Part::Media(media(item).map_err(|error| take::under(&place, error))?)
        } else {
            Part::Opaque { dialect: Dialect::Gemini, value: item.into() }
        });
    }
    forms::put_back(&mut object, "functionResponse", Some(function));
    Ok(Answer { id, name, parts, is_error, rest: object })
}

/// The text that is all a function answered: the API wants an object, and clients put a lone text under one of
/// these. With the member it stands in.
fn lone_text(response: &Value) -> Option<(&str, &str)> {
    let mut members = response.as_object()?.iter();
    let (Some((key, Value::String(text))), None) = (members.next(), members.next()) else { return None };
    matches!(key.as_str(), "output" | "result").then_some((key, text))
}

fn media(mut object: Object) -> Result<Media, WireError> {
    let member = if object.contains_key("inlineData") { "inlineData" } else { "fileData" };
    let mut data = forms::map(&mut object, member)?.unwrap_or_default();
    let told = |error| take::under(member, error);
    let mime = take::string(&mut data, "mimeType").map_err(told)?;
    let filename = take::string(&mut data, "displayName").map_err(told)?;
    let missing = |name| told(WireError::member(name, "is required"));
    let source = if member == "inlineData" {
        let bytes = take::string(&mut data, "data").map_err(told)?.ok_or_else(|| missing("data"))?;
        MediaSource::Base64(seal::standard(bytes))
    } else {
        let uri = take::string(&mut data, "fileUri").map_err(told)?.ok_or_else(|| missing("fileUri"))?;
        if is_google_file(&uri) { MediaSource::FileId(uri) } else { MediaSource::Url(uri) }
    };
    forms::put_back(&mut object, member, Some(data));
    Ok(Media { mime, filename, source, extra: object })
}

/// Whether only Google can open the URI.
fn is_google_file(uri: &str) -> bool {
    uri.starts_with("gs://")
        || uri.starts_with("files/")
        || (uri.starts_with("https://generativelanguage.googleapis.com/") && uri.contains("/files/"))
}

/// A text or a thought.
pub(super) fn encode_text(text: &str, thought: bool, signature: Option<&str>) -> Value {
    let mut object = Object::from_iter([("text".to_owned(), Value::from(text))]);
    if thought {
        object.insert("thought".into(), true.into());
    }
    if let Some(signature) = signature {
        object.insert("thoughtSignature".into(), signature.into());
    }
    object.into()
}

/// A call with these arguments. Unknown members where `own`.
pub(super) fn encode_call(call: &ToolCall, id: Option<&str>, signature: Option<&str>, own: bool) -> Value {
    let mut function = Object::new();
    if let Some(id) = id {
        function.insert("id".into(), id.into());
    }
    function.insert("name".into(), call.name.as_str().into());
    function
        .insert("args".into(), arguments(&call.arguments).unwrap_or_else(|raw| json!({ "arguments": raw })));
    let mut object = Object::from_iter([("functionCall".to_owned(), function.into())]);
    if let Some(signature) = signature {
        object.insert("thoughtSignature".into(), signature.into());
    }
    if own {
        forms::fill(&mut object, &call.extra);
    }
    object.into()
}

/// The arguments as the object that the dialect wants; the text itself where it is none.
pub(super) fn arguments(text: &str) -> Result<Value, &str> {
    if text.trim().is_empty() {
        return Ok(json!({}));
    }
    match depth::embedded(text) {
        Some(Value::Object(object)) => Ok(Value::Object(object)),
        Some(Value::Null) => Ok(json!({})),
        _ => Err(text),
    }
}

/// A medium. `None` where it stands at a provider of another dialect. Unknown members where `own`.
pub(super) fn encode_media(media: &Media, own: bool) -> Option<Value> {
    let mut data = Object::new();
    let member = match &media.source {
        MediaSource::Base64(bytes) => {
            let mime = media.mime.as_deref().or((!own).then_some("application/octet-stream"));
            if let Some(mime) = mime {
                data.insert("mimeType".into(), mime.into());
            }
            data.insert("data".into(), bytes.as_str().into());
            "inlineData"
        }
        MediaSource::FileId(_) if !own => return None,
        MediaSource::Url(uri) | MediaSource::FileId(uri) => {
            if let Some(mime) = media.mime.as_deref().or_else(|| mime_of(uri).filter(|_| !own)) {
                data.insert("mimeType".into(), mime.into());
            }
            data.insert("fileUri".into(), uri.as_str().into());
            "fileData"
        }
    };
    // The Gemini API refuses names of files; Vertex AI takes them.
    if let (Some(name), true) = (&media.filename, own) {
        data.insert("displayName".into(), name.as_str().into());
    }
    let mut object = Object::from_iter([(member.to_owned(), data.into())]);
    if own {
        forms::fill(&mut object, &media.extra);
    }
    Some(object.into())
}

/// The type of what a URL opens, by its ending: the API asks for one, other dialects do not tell it.
fn mime_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "pdf" => "application/pdf",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        _ => return None,
    })
}

/// The response of a function: the object that the texts are, else an object of them.
pub(super) fn response_of(texts: &str, is_error: bool) -> Value {
    let key = if is_error { "error" } else { "output" };
    match depth::embedded(texts) {
        Some(Value::Object(object)) if !is_error || object.contains_key("error") => object.into(),
        _ => json!({ key: texts }),
    }
}
