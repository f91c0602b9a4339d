//! Multipart forms (RFC 7578), as far as routing needs them: the model's name inside, and another in its place.

use crate::codec::{Peek, Places};
use crate::error::WireError;
use memchr::memmem;
use std::ops::Range;

/// The boundary of a `multipart/form-data` content type; `None` for any other type.
pub fn boundary(content_type: &str) -> Option<String> {
    let (essence, parameters) = content_type.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then(|| value.to_owned())
    })
}

/// What routing needs of a form: its fields `model` and `stream`.
pub fn peek(body: &[u8], boundary: &str) -> Result<Peek, WireError> {
    let text = |at: Range<usize>| {
        let bytes = body.get(at.clone()).unwrap_or_default();
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|error| WireError::Utf8 { offset: at.start + error.valid_up_to() })
    };
    let mut model = None;
    let mut stream = false;
    for (name, at) in fields(body, boundary) {
        match name {
            b"model" if model.is_some() => {
                return Err(WireError::member("model", "stands twice in the form"));
            }
            b"model" => model = Some(at),
            b"stream" => stream = text(at)?.trim() == "true",
            _ => {}
        }
    }
    let at = model.ok_or_else(|| WireError::member("model", "is required: a field of the form"))?;
    Ok(Peek {
        model: text(at.clone())?,
        stream,
        include_usage: true,
        max_tokens: None,
        choices: 1,
        cache_key: None,
        at: Places { model: Some(at), raw: true, ..Places::default() },
    })
}

/// The fields of a form that are no files: name, and where the value stands.
fn fields<'a>(body: &'a [u8], boundary: &str) -> impl Iterator<Item = (&'a [u8], Range<usize>)> {
    let mark = format!("--{boundary}").into_bytes();
    let starts: Vec<usize> = memmem::find_iter(body, &mark).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().collect();
    let length = mark.len();
    starts.into_iter().zip(ends).filter_map(move |(start, end)| {
        // Between the mark's own line and the line break before the next mark.
        let from = start + length + 2;
        let part = body.get(from..end)?.strip_suffix(b"\r\n")?;
        let head_end = memmem::find(part, b"\r\n\r\n")?;
        let (head, _) = part.split_at_checked(head_end)?;
        let disposition = head.split(|byte| *byte == b'\n').find(|line| {
            line.get(..19).is_some_and(|name| name.eq_ignore_ascii_case(b"content-disposition"))
        })?;
        if memmem::find(disposition, b"filename").is_some() {
            return None;
        }
        let named = memmem::find(disposition, b"name=\"")? + 6;
        let name = disposition.get(named..)?;
        let name = name.get(..memchr::memchr(b'"', name)?)?;
        Some((name, from + head_end + 4..from + part.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Patch, codec};
    use bytes::Bytes;
    use hanok_base::Dialect;

    const BODY: &str = "--b1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model\"\r\n\r\n\
        name=\"model\"\r\n--b1\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b1\r\n\
        Content-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n--b1--\r\n";

    #[test]
    fn the_model_of_a_form() {
        let boundary = boundary("multipart/form-data; charset=utf-8; boundary=\"b1\"").unwrap();
        let found = peek(BODY.as_bytes(), &boundary).unwrap();
        assert_eq!((found.model.as_str(), found.stream), ("whisper-1", true));
        let patch = Patch { model: "other", max_tokens: Some(9), ask_usage: true, ..Patch::default() };
        let body = Bytes::from_static(BODY.as_bytes());
        let patched = codec(Dialect::OpenAiChat).patch(&body, &found, &patch);
        assert_eq!(patched, BODY.replace("whisper-1", "other"));
    }

    #[test]
    fn other_types_and_broken_forms() {
        assert_eq!(boundary("application/json"), None);
        assert_eq!(boundary("multipart/form-data; boundary="), None);
        for cut in 0..BODY.len() {
            drop(peek(&BODY.as_bytes()[..cut], "b1"));
        }
        assert!(peek(b"", "b1").is_err());
    }
}
