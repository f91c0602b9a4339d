//! Images, sounds and files in a message's content.

use crate::error::WireError;
use crate::take;
use hanok_base::{Media, MediaSource, Object, Part};
use serde_json::{Value, json};

/// An `image_url` part.
pub(super) fn image(object: &mut Object) -> Result<Part, WireError> {
    let mut image = match take::some(object, "image_url") {
        // Some clients send the URL alone.
        Some(Value::String(url)) => Object::from_iter([("url".to_owned(), Value::String(url))]),
        Some(Value::Object(image)) => image,
        _ => return Err(WireError::member("image_url", "must be an object with a url")),
    };
    let url =
        take::string(&mut image, "url")?.ok_or_else(|| WireError::member("image_url.url", "is required"))?;
    let (mime, source) = located(url);
    Ok(Part::Media(Media { mime, filename: None, source, extra: image }))
}

/// An `input_audio` part.
pub(super) fn audio(object: &mut Object) -> Result<Part, WireError> {
    let missing = |name: &str| WireError::member(name, "is required");
    let mut audio = take::map(object, "input_audio")?.ok_or_else(|| missing("input_audio"))?;
    let data = take::string(&mut audio, "data")?.ok_or_else(|| missing("input_audio.data"))?;
    let mime = take::string(&mut audio, "format")?.map(|format| format!("audio/{format}"));
    Ok(Part::Media(Media { mime, filename: None, source: MediaSource::Base64(data), extra: audio }))
}

/// A `file` part; `None` where it says too little to be written again as the same part.
pub(super) fn file(object: &mut Object) -> Option<Part> {
    let mut file = object.get("file")?.as_object()?.clone();
    let text = |file: &mut Object, name: &str| take::string(file, name).ok().flatten();
    let (id, data, filename) =
        (text(&mut file, "file_id"), text(&mut file, "file_data"), text(&mut file, "filename"));
    let (mime, source) = match (id, data) {
        (Some(id), None) => (None, MediaSource::FileId(id)),
        (None, Some(data)) => match located(data) {
            (None, MediaSource::Url(url)) if !url.contains("://") => (None, MediaSource::Base64(url)),
            located => located,
        },
        _ => return None,
    };
    let media = Media { mime, filename, source, extra: file };
    if !is_file(&media, true) {
        return None;
    }
    object.shift_remove("file");
    Some(Part::Media(media))
}

/// A URL, or what a data URL holds.
fn located(url: String) -> (Option<String>, MediaSource) {
    match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((mime, data)) => (Some(mime.to_owned()), MediaSource::Base64(data.to_owned())),
        None => (None, MediaSource::Url(url)),
    }
}

/// Whether a medium is written as a `file`. A named image that came in this dialect came as a file.
fn is_file(media: &Media, own: bool) -> bool {
    let mime = media.mime.as_deref();
    let is = |kind: &str| mime.is_some_and(|mime| mime.starts_with(kind));
    match media.source {
        MediaSource::FileId(_) => true,
        MediaSource::Url(_) => !is("image/") && (mime.is_some() || media.filename.is_some()),
        MediaSource::Base64(_) => own && media.filename.is_some() || !is("image/") && !is("audio/"),
    }
}

/// A medium as a part of a content; its unknown members only where they are this dialect's `own`.
pub(super) fn encode(media: &Media, own: bool) -> Value {
    let mime = media.mime.as_deref();
    let mut inner = if own { media.extra.clone() } else { Object::new() };
    let url = match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64(data) => match mime {
            Some(mime) => format!("data:{mime};base64,{data}"),
            None => data.clone(),
        },
        MediaSource::FileId(id) => id.clone(),
    };
    if is_file(media, own) {
        let member = if matches!(media.source, MediaSource::FileId(_)) { "file_id" } else { "file_data" };
        inner.insert(member.into(), url.into());
        if let Some(filename) = &media.filename {
            inner.insert("filename".into(), filename.as_str().into());
        } else if member == "file_data" && !own {
            // Data without a name is refused.
            inner.insert("filename".into(), "file".into());
        }
        return json!({ "type": "file", "file": inner });
    }
    if let (Some(kind), MediaSource::Base64(data)) =
        (mime.and_then(|mime| mime.strip_prefix("audio/")), &media.source)
    {
        let format = match kind {
            "mpeg" if !own => "mp3",
            "x-wav" | "wave" | "vnd.wave" if !own => "wav",
            other => other,
        };
        inner.insert("data".into(), data.as_str().into());
        inner.insert("format".into(), format.into());
        return json!({ "type": "input_audio", "input_audio": inner });
    }
    inner.insert("url".into(), url.into());
    json!({ "type": "image_url", "image_url": inner })
}
