//! Images and documents, both directions.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hanok_base::{Media, MediaSource, Object};
use serde_json::Value;

const PDF: &str = "application/pdf";
const PLAIN: &str = "text/plain";

/// The medium of a block of the type `kind`, the type itself taken out; the block again where its source is of a
/// form we do not know.
pub(super) fn decode(kind: &str, mut object: Object) -> Result<Media, Object> {
    let Some(Value::Object(source)) = object.get("source") else {
        return Err(object);
    };
    let mut rest = source.clone();
    let mut text = |name: &str| match rest.get(name) {
        Some(Value::String(_)) => rest.shift_remove(name).and_then(|value| value.as_str().map(str::to_owned)),
        _ => None,
    };
    let form = text("type").unwrap_or_default();
    let mime = text("media_type");
    let document = kind == "document";
    let found = match form.as_str() {
        "base64" => text("data").map(|data| (mime, MediaSource::Base64(data))),
        // A document behind a URL is a PDF.
        "url" => text("url").map(|url| (document.then(|| PDF.to_owned()), MediaSource::Url(url))),
        "file" => text("file_id").map(|id| (None, MediaSource::FileId(id))),
        "text" => text("data").map(|data| (Some(PLAIN.to_owned()), inline(&data))),
        "content" => {
            let joined = joined(rest.get("content"));
            rest.clone_from(source);
            joined.map(|text| (Some(PLAIN.to_owned()), inline(&text)))
        }
        _ => None,
    };
    let Some((mime, source)) = found else {
        return Err(object);
    };
    let filename = match object.get("title") {
        Some(Value::String(title)) if document => Some(title.clone()),
        _ => None,
    };
    object.shift_remove("source");
    if filename.is_some() {
        object.shift_remove("title");
    }
    if !rest.is_empty() {
        object.insert("source".into(), rest.into());
    }
    let mut media = Media { mime, filename, source, extra: object };
    if is_document(&media, false) != document {
        media.extra.insert("type".into(), kind.into());
    }
    Ok(media)
}

/// A document of blocks as one text; `None` where it holds more than text.
fn joined(content: Option<&Value>) -> Option<String> {
    match content? {
        Value::String(text) => Some(text.clone()),
        Value::Array(blocks) => {
            let texts = blocks.iter().map(|block| match block.get("type").and_then(Value::as_str) {
                Some("text") => block.get("text").and_then(Value::as_str),
                _ => None,
            });
            texts.collect::<Option<Vec<_>>>().map(|texts| texts.join("\n"))
        }
        _ => None,
    }
}

fn inline(text: &str) -> MediaSource {
    MediaSource::Base64(STANDARD.encode(text))
}

/// Whether a medium goes into a document rather than an image; `own` where its unknown members are ours.
fn is_document(media: &Media, own: bool) -> bool {
    if let (true, Some(kind)) = (own, media.extra.get("type").and_then(Value::as_str)) {
        return kind == "document";
    }
    match (mime(media), &media.source) {
        (Some(mime), _) => !mime.starts_with("image/"),
        (None, MediaSource::Url(url)) => {
            let path = url.split(['?', '#']).next().unwrap_or_default();
            path.to_ascii_lowercase().ends_with(".pdf")
        }
        (None, _) => false,
    }
}

/// The MIME type, as told or as the first bytes tell it.
fn mime(media: &Media) -> Option<&str> {
    let told = media.mime.as_deref().filter(|mime| !mime.is_empty());
    let told = told.filter(|mime| !matches!(*mime, "application/octet-stream" | "image/*"));
    told.or_else(|| match &media.source {
        MediaSource::Base64(data) => {
            let known = [
                ("iVBORw0KGgo", "image/png"),
                ("/9j/", "image/jpeg"),
                ("R0lGOD", "image/gif"),
                ("UklGR", "image/webp"),
                ("JVBERi", PDF),
            ];
            known.iter().find(|(first, _)| data.starts_with(first)).map(|(_, mime)| *mime)
        }
        _ => None,
    })
}

/// The block of a medium, or why there is none. `own` where its unknown members, and its file id, are this
/// dialect's.
pub(super) fn encode(media: &Media, own: bool) -> Result<Object, String> {
    let document = is_document(media, own);
    let told = media.extra.get("source").and_then(Value::as_object).filter(|_| own);
    let source = if let Some(whole) = told.filter(|source| source.contains_key("type")) {
        whole.clone()
    } else {
        let mut source = source(media, own, document)?;
        source.extend(told.cloned().unwrap_or_default());
        source
    };
    let mut block = Object::new();
    block.insert("type".into(), if document { "document" } else { "image" }.into());
    block.insert("source".into(), source.into());
    if let (true, Some(title)) = (document, &media.filename) {
        block.insert("title".into(), title.as_str().into());
    }
    if own {
        let rest = media.extra.iter().filter(|(name, _)| !matches!(name.as_str(), "type" | "source"));
        block.extend(rest.map(|(name, value)| (name.clone(), value.clone())));
    }
    Ok(block)
}

fn source(media: &Media, own: bool, document: bool) -> Result<Object, String> {
    let object = |members: &[(&str, &str)]| -> Object {
        members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
    };
    let mime = mime(media);
    match &media.source {
        MediaSource::FileId(id) if own => Ok(object(&[("type", "file"), ("file_id", id)])),
        MediaSource::FileId(_) => Err("left out: a file of another provider".to_owned()),
        MediaSource::Url(url) => Ok(object(&[("type", "url"), ("url", url)])),
        MediaSource::Base64(data) if document && mime.is_some_and(is_text) => {
            let bytes = STANDARD.decode(data).map_err(|_| "left out: not valid base64".to_owned())?;
            let text = String::from_utf8(bytes).map_err(|_| "left out: not valid UTF-8".to_owned())?;
            Ok(object(&[("type", "text"), ("media_type", PLAIN), ("data", &text)]))
        }
        MediaSource::Base64(data) => {
            let mime = mime.unwrap_or("application/octet-stream");
            if !own && document && mime != PDF {
                return Err(format!("left out: anthropic-messages takes images, PDF and text, not {mime}"));
            }
            Ok(object(&[("type", "base64"), ("media_type", mime), ("data", data)]))
        }
    }
}

fn is_text(mime: &str) -> bool {
    mime.starts_with("text/")
        || matches!(
            mime,
            "application/json" | "application/xml" | "application/yaml" | "application/javascript"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn there_and_back() {
        let check = |block: Value| {
            let Value::Object(mut object) = block.clone() else { panic!("{block}") };
            let kind = object.shift_remove("type").unwrap();
            let media = decode(kind.as_str().unwrap(), object).unwrap();
            assert_eq!(Value::Object(encode(&media, true).unwrap()), block, "{media:?}");
        };
        check(
            json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "aa" } }),
        );
        check(json!({ "type": "image", "source": { "type": "url", "url": "https://a/b.pdf" } }));
        check(json!({ "type": "image", "source": { "type": "file", "file_id": "f" } }));
        check(json!({ "type": "document", "source": { "type": "base64", "media_type": PDF, "data": "aa" },
            "title": "t", "context": "c", "citations": { "enabled": true } }));
        check(json!({ "type": "document", "source": { "type": "url", "url": "https://a/b" } }));
        check(
            json!({ "type": "document", "source": { "type": "file", "file_id": "f", "x": 1 }, "title": "t" }),
        );
        check(json!({ "type": "document", "source": { "type": "text", "media_type": PLAIN, "data": "한" } }));
        check(json!({ "type": "document", "source": { "type": "content", "content": "whole" } }));
        check(json!({ "type": "document", "source": { "type": "content", "content": [
            { "type": "text", "text": "a" }, { "type": "text", "text": "b" }] } }));
        let odd = json!({ "source": { "type": "content", "content": [{ "type": "image" }] } });
        assert!(decode("document", odd.as_object().unwrap().clone()).is_err());
    }

    #[test]
    fn of_other_dialects() {
        let check = |mime: Option<&str>, source: MediaSource, expect: Result<Value, &str>| {
            let media = Media { mime: mime.map(str::to_owned), filename: None, source, extra: Object::new() };
            let got = encode(&media, false).map(Value::Object);
            assert_eq!(got, expect.map_err(str::to_owned));
        };
        let base64 = |data: &str| MediaSource::Base64(data.to_owned());
        check(
            None,
            base64("iVBORw0KGgoAAAA"),
            Ok(json!({ "type": "image", "source":
                { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAA" } })),
        );
        check(
            Some("text/csv"),
            base64("YSxi"),
            Ok(json!({ "type": "document", "source":
                { "type": "text", "media_type": "text/plain", "data": "a,b" } })),
        );
        check(
            None,
            MediaSource::Url("https://a/B.PDF?x=1".to_owned()),
            Ok(json!({ "type": "document", "source": { "type": "url", "url": "https://a/B.PDF?x=1" } })),
        );
        check(
            Some("audio/wav"),
            base64("aa"),
            Err("left out: anthropic-messages takes images, PDF and text, not audio/wav"),
        );
        check(None, MediaSource::FileId("f".to_owned()), Err("left out: a file of another provider"));
    }
}
