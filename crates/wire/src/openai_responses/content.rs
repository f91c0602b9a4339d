//! Content parts of what goes to a model, both directions: texts, images, files, audio.

use crate::error::WireError;
use crate::take;
use hanok_base::{Dialect, Media, MediaSource, Object, Part};
use serde_json::{Value, json};

/// What is said of a content that is neither text nor parts.
pub(super) const CONTENT: &str = "must be a string or an array of parts";

/// A content as parts. Unknown members of its parts are given back beside them, by position; none where no
/// part has any.
pub(super) fn decode(value: Option<Value>, param: &str) -> Result<(Vec<Part>, Vec<Value>), WireError> {
    let items = match value {
        None => return Ok((Vec::new(), Vec::new())),
        Some(Value::String(text)) if text.is_empty() => return Ok((Vec::new(), Vec::new())),
        Some(Value::String(text)) => return Ok((vec![Part::Text(text)], Vec::new())),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(WireError::member(param, CONTENT)),
    };
    let (mut parts, mut unknown) = (Vec::with_capacity(items.len()), Vec::new());
    for (i, value) in items.into_iter().enumerate() {
        let place = format!("{param}[{i}]");
        let object = take::item(value, &place)?;
        let (part, rest) = part(object).map_err(|error| take::under(&place, error))?;
        parts.push(part);
        unknown.push(Value::Object(rest));
    }
    if unknown.iter().all(|rest| rest.as_object().is_some_and(Object::is_empty)) {
        unknown.clear();
    }
    Ok((parts, unknown))
}

fn part(mut object: Object) -> Result<(Part, Object), WireError> {
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let part = match kind.as_str() {
        "input_text" | "output_text" | "text" => Part::Text(
            take::string(&mut object, "text")?.ok_or_else(|| WireError::member("text", "is required"))?,
        ),
        "refusal" => Part::Refusal(
            take::string(&mut object, "refusal")?
                .ok_or_else(|| WireError::member("refusal", "is required"))?,
        ),
        "input_image" => return image(object),
        "input_file" => return file(object),
        "input_audio" => {
            let mut audio = take::map(&mut object, "input_audio")?
                .ok_or_else(|| WireError::member("input_audio", "is required"))?;
            let data = take::string(&mut audio, "data")?
                .ok_or_else(|| WireError::member("input_audio.data", "is required"))?;
            let mime = take::string(&mut audio, "format")?.map(|format| format!("audio/{format}"));
            Part::Media(Media { mime, filename: None, source: MediaSource::Base64(data), extra: audio })
        }
        _ => {
            let value = Value::Object(object);
            return Ok((Part::Opaque { dialect: Dialect::OpenAiResponses, value }, Object::new()));
        }
    };
    object.shift_remove("type");
    Ok((part, object))
}

fn image(mut object: Object) -> Result<(Part, Object), WireError> {
    object.shift_remove("type");
    let url = take::string(&mut object, "image_url")?;
    let (mime, source) = match (url, take::string(&mut object, "file_id")?) {
        (Some(url), _) => inline_or_url(url),
        (None, Some(id)) => (None, MediaSource::FileId(id)),
        (None, None) => return Err(WireError::member("image_url", "is required, or file_id")),
    };
    object.retain(|_, value| !value.is_null());
    Ok((Part::Media(Media { mime, filename: None, source, extra: object }), Object::new()))
}

/// A file keeps its type among its unknown members: by its source alone it could be an image.
fn file(mut object: Object) -> Result<(Part, Object), WireError> {
    let filename = take::string(&mut object, "filename")?;
    let (data, url) = (take::string(&mut object, "file_data")?, take::string(&mut object, "file_url")?);
    let (mime, source) = match (data, url, take::string(&mut object, "file_id")?) {
        (Some(data), _, _) => match inline_or_url(data) {
            (None, MediaSource::Url(data)) => (None, MediaSource::Base64(data)),
            inline => inline,
        },
        (None, Some(url), _) => (None, MediaSource::Url(url)),
        (None, None, Some(id)) => (None, MediaSource::FileId(id)),
        (None, None, None) => {
            return Err(WireError::member("file_data", "is required, or file_url or file_id"));
        }
    };
    let name = match (&filename, &source) {
        (Some(name), _) | (None, MediaSource::Url(name)) => name.as_str(),
        _ => "",
    };
    let mime = mime.or_else(|| by_name(name).map(str::to_owned));
    object.retain(|_, value| !value.is_null());
    Ok((Part::Media(Media { mime, filename, source, extra: object }), Object::new()))
}

fn by_name(name: &str) -> Option<&'static str> {
    let extension = name.split(['?', '#']).next()?.rsplit_once('.')?.1;
    Some(match extension.to_ascii_lowercase().as_str() {
        "pdf" => "application/pdf",
        "txt" | "md" => "text/plain",
        "csv" => "text/csv",
        "html" => "text/html",
        _ => return None,
    })
}

fn inline_or_url(url: String) -> (Option<String>, MediaSource) {
    match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((mime, data)) => {
            (Some(mime.to_owned()).filter(|mime| !mime.is_empty()), MediaSource::Base64(data.to_owned()))
        }
        None => (None, MediaSource::Url(url)),
    }
}

/// A part of what goes to the model; `None` where the dialect has no such part. `own` where unknown members
/// are under this dialect's names.
pub(super) fn encode(part: &Part, own: bool) -> Option<Value> {
    Some(match part {
        Part::Text(text) | Part::Refusal(text) => json!({ "type": "input_text", "text": text }),
        Part::Media(media) => encode_media(media, own),
        Part::Opaque { dialect: Dialect::OpenAiResponses, value } => value.clone(),
        _ => return None,
    })
}

fn encode_media(media: &Media, own: bool) -> Value {
    let mime = media.mime.as_deref();
    let data_url = |data: &str| format!("data:{};base64,{data}", mime.unwrap_or("application/octet-stream"));
    let mut object = if own { media.extra.clone() } else { Object::new() };
    if let (Some(format), MediaSource::Base64(data)) =
        (mime.and_then(|mime| mime.strip_prefix("audio/")), &media.source)
    {
        object.insert("data".into(), data.as_str().into());
        object.insert("format".into(), format.into());
        return json!({ "type": "input_audio", "input_audio": object });
    }
    let is_file = media.filename.is_some()
        || mime.is_some_and(|mime| !mime.starts_with("image/"))
        || (own && media.extra.get("type").is_some_and(|kind| kind == "input_file"));
    if is_file {
        object.insert("type".into(), "input_file".into());
        if let Some(name) = &media.filename {
            object.insert("filename".into(), name.as_str().into());
        }
        let (member, value) = match &media.source {
            MediaSource::Url(url) => ("file_url", url.clone()),
            MediaSource::Base64(data) => ("file_data", data_url(data)),
            MediaSource::FileId(id) => ("file_id", id.clone()),
        };
        // A file of bytes without a name is refused.
        if member == "file_data" && media.filename.is_none() {
            object.insert("filename".into(), file_name(mime).into());
        }
        object.insert(member.into(), value.into());
    } else {
        object.insert("type".into(), "input_image".into());
        // The one member that the chat dialect has under the same name.
        if let (false, Some(detail @ Value::String(_))) = (own, media.extra.get("detail")) {
            object.insert("detail".into(), detail.clone());
        }
        let (member, value) = match &media.source {
            MediaSource::Url(url) => ("image_url", url.clone()),
            MediaSource::Base64(data) => ("image_url", data_url(data)),
            MediaSource::FileId(id) => ("file_id", id.clone()),
        };
        object.insert(member.into(), value.into());
    }
    Value::Object(object)
}

fn file_name(mime: Option<&str>) -> &'static str {
    match mime {
        Some("application/pdf") => "file.pdf",
        Some(mime) if mime.starts_with("text/") => "file.txt",
        _ => "file",
    }
}
