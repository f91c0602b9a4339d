//! HTML's tokens: tags and text, as the standard's tokenizer has them, less what no text depends on.

use quick_xml::escape::resolve_html5_entity;
use std::borrow::Cow;

/// A token.
#[derive(Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A tag that opens an element: its name in lower case, and the attributes as they stand.
    Open { name: Cow<'a, str>, attributes: &'a str, is_closed: bool },
    /// A tag that closes one.
    Close(Cow<'a, str>),
    /// Text, its references resolved.
    Text(Cow<'a, str>),
}

/// Reads tokens.
pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// The element whose content is text up to its end.
    raw: Option<&'static str>,
}

/// Elements that hold text and no elements; in the last two, references count.
const RAW: [&str; 9] =
    ["script", "style", "xmp", "iframe", "noembed", "noframes", "plaintext", "textarea", "title"];

impl<'a> Tokens<'a> {
    pub(super) fn new(html: &'a str) -> Self {
        Self { rest: html, raw: None }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// The text up to the end of a raw element.
    fn raw_text(&mut self, name: &'static str) -> Token<'a> {
        let length = find_end(self.rest, name).unwrap_or(self.rest.len());
        let text = self.take(length);
        if matches!(name, "textarea" | "title") {
            Token::Text(resolve(text))
        } else {
            Token::Text(Cow::Borrowed(text))
        }
    }

    /// What begins with `<`, if it is a tag; comments and the like are passed over.
    fn markup(&mut self) -> Option<Token<'a>> {
        let after = self.rest.get(1..).unwrap_or_default();
        if let Some(comment) = after.strip_prefix("!--") {
            let end = comment.find("-->").map_or(self.rest.len(), |at| at + 7);
            self.take(end);
            return None;
        }
        if let Some(cdata) = after.strip_prefix("![CDATA[") {
            let end = cdata.find("]]>").unwrap_or(cdata.len());
            let text = cdata.get(..end).unwrap_or_default();
            self.take(end + 12);
            return Some(Token::Text(Cow::Borrowed(text)));
        }
        if after.starts_with(['!', '?']) {
            let end = self.rest.find('>').map_or(self.rest.len(), |at| at + 1);
            self.take(end);
            return None;
        }
        let (is_close, named) = match after.strip_prefix('/') {
            Some(named) => (true, named),
            None => (false, after),
        };
        if !named.starts_with(|c: char| c.is_ascii_alphabetic()) {
            // A `<` that opens nothing is itself; `</` and something else is a comment.
            if is_close && !named.is_empty() {
                let end = self.rest.find('>').map_or(self.rest.len(), |at| at + 1);
                self.take(end);
                return None;
            }
            return Some(Token::Text(Cow::Borrowed(self.take(1))));
        }
        let end =
            named.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').unwrap_or(named.len());
        let (name, tail) = named.split_at_checked(end).unwrap_or((named, ""));
        let length = tag_end(tail);
        let attributes = tail.get(..length).unwrap_or_default();
        self.rest = tail.get(length + 1..).unwrap_or_default();
        let name = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(name.to_ascii_lowercase()),
            false => Cow::Borrowed(name),
        };
        if is_close {
            return Some(Token::Close(name));
        }
        self.raw = RAW.into_iter().find(|raw| *raw == name);
        let is_closed = attributes.ends_with('/');
        Some(Token::Open { name, attributes: attributes.strip_suffix('/').unwrap_or(attributes), is_closed })
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(name) = self.raw.take() {
            return Some(self.raw_text(name));
        }
        loop {
            if self.rest.is_empty() {
                return None;
            }
            if !self.rest.starts_with('<') {
                let length = self.rest.find('<').unwrap_or(self.rest.len());
                return Some(Token::Text(resolve(self.take(length))));
            }
            if let Some(token) = self.markup() {
                return Some(token);
            }
        }
    }
}

/// Where the tag's `>` is, quotes heeded.
fn tag_end(tail: &str) -> usize {
    let mut quote = None;
    // A quote opens a value only behind a `=`.
    let mut is_value = false;
    for (at, byte) in tail.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'>') => return at,
            (None, b'"' | b'\'') if is_value => quote = Some(byte),
            (None, b'=') => is_value = true,
            (None, byte) if !byte.is_ascii_whitespace() => is_value = false,
            _ => {}
        }
        if matches!(byte, b'"' | b'\'') {
            is_value = false;
        }
    }
    tail.len()
}

/// Where `</name` begins, in any case.
fn find_end(text: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text.get(from..)?.find("</").map(|at| at + from) {
        let named = text.get(at + 2..at + 2 + name.len());
        if named.is_some_and(|named| named.eq_ignore_ascii_case(name)) {
            return Some(at);
        }
        from = at + 2;
    }
    None
}

/// Text with its character references resolved.
pub(super) fn resolve(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        resolved.push_str(before);
        match reference(after) {
            Some((character, length)) => {
                resolved.push_str(&character);
                rest = after.get(length..).unwrap_or_default();
            }
            None => {
                resolved.push('&');
                rest = after;
            }
        }
    }
    resolved.push_str(rest);
    Cow::Owned(resolved)
}

/// What a reference behind `&` stands for, and how long it is.
fn reference(after: &str) -> Option<(Cow<'static, str>, usize)> {
    if let Some(number) = after.strip_prefix('#') {
        let (digits, radix, lead) = match number.strip_prefix(['x', 'X']) {
            Some(hex) => (hex, 16, 2),
            None => (number, 10, 1),
        };
        let length = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let code = u32::from_str_radix(digits.get(..length.min(8))?, radix).ok()?;
        // Numbers 128 to 159 are meant in Windows' code page.
        let character = match u8::try_from(code) {
            Ok(byte @ 0x80..=0x9F) => {
                encoding_rs::WINDOWS_1252.decode_without_bom_handling(&[byte]).0.into_owned()
            }
            _ => char::from_u32(code).filter(|c| *c != '\0').unwrap_or('\u{FFFD}').to_string(),
        };
        let semicolon = usize::from(digits.get(length..)?.starts_with(';'));
        return Some((Cow::Owned(character), lead + length + semicolon));
    }
    let length = after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len()).min(32);
    let name = after.get(..length)?;
    if after.get(length..)?.starts_with(';') {
        return resolve_html5_entity(name).map(|text| (Cow::Borrowed(text), length + 1));
    }
    // These are known without their semicolon from of old.
    const OLD: [&str; 10] = ["nbsp", "amp", "lt", "gt", "quot", "copy", "reg", "laquo", "raquo", "middot"];
    OLD.contains(&name).then(|| resolve_html5_entity(name).map(|text| (Cow::Borrowed(text), length)))?
}

/// The attributes of a tag, names in lower case, values resolved.
pub(super) fn attributes(text: &str) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    let mut rest = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
    while !rest.is_empty() && attributes.len() < 64 {
        let end =
            rest.char_indices().skip(1).find(|(_, c)| c.is_ascii_whitespace() || matches!(c, '=' | '/'));
        let (name, after) = rest.split_at_checked(end.map_or(rest.len(), |(at, _)| at)).unwrap_or((rest, ""));
        let mut after = after.trim_start();
        let mut value = "";
        if let Some(valued) = after.strip_prefix('=') {
            let valued = valued.trim_start();
            (value, after) = match valued.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    let inside = valued.get(1..).unwrap_or_default();
                    inside.split_once(quote).unwrap_or((inside, ""))
                }
                _ => {
                    let end = valued.find(|c: char| c.is_ascii_whitespace()).unwrap_or(valued.len());
                    valued.split_at_checked(end).unwrap_or((valued, ""))
                }
            };
        }
        attributes.push((name.to_ascii_lowercase(), resolve(value).into_owned()));
        rest = after.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
    }
    attributes
}
