//! Text that stands as it is, in whatever encoding it was saved.

use crate::{Layout, Parsed, Unfit};
use encoding_rs::{EUC_KR, Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// A text decoded.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) text: String,
    /// What a reader should know of how; `None` for plain UTF-8.
    pub(crate) note: Option<String>,
}

/// Plain text, Markdown or code.
pub(crate) fn parse(bytes: &[u8], layout: Layout) -> Result<Parsed, Unfit> {
    let Decoded { text, note } = decode(bytes)?;
    let mut parsed = Parsed::plain(text, layout);
    parsed.notes.extend(note);
    Ok(parsed)
}

/// Decodes text by its byte order mark, as UTF-8, as Korean's CP949 (EUC-KR and more), as UTF-8 with a few bytes
/// gone wrong, or as Western: the first that fits.
///
/// # Errors
///
/// It is binary, or in an encoding that cannot be told.
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded, Unfit> {
    let as_it_is = |text: &str| Ok(Decoded { text: text.to_owned(), note: None });
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let rest = bytes.get(mark..).unwrap_or_default();
        let (text, had_errors) = encoding.decode_without_bom_handling(rest);
        if had_errors && encoding != encoding_rs::UTF_8 {
            return Err(no_text());
        }
        let note = match had_errors {
            true => Some("bytes that are no UTF-8 were replaced".to_owned()),
            false if encoding == UTF_16LE || encoding == UTF_16BE => Some(read_as(encoding)),
            false => None,
        };
        return match text.contains('\0') {
            true => Err(no_text()),
            false => Ok(Decoded { text: text.into_owned(), note }),
        };
    }
    if bytes.contains(&0) {
        return Err(no_text());
    }
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return as_it_is(text),
        Err(error) => error,
    };
    if let Some(text) = korean(bytes) {
        return Ok(Decoded { text, note: Some(read_as(EUC_KR)) });
    }
    let wrong = wrong_bytes(bytes);
    let beyond_ascii = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    if wrong * 10 < beyond_ascii || (wrong <= 8 && wrong * 1000 < bytes.len()) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let s = if wrong == 1 { "byte that is" } else { "bytes that are" };
        return Ok(Decoded {
            text,
            note: Some(format!("{wrong} {s} no UTF-8 replaced, the first at {}", error.valid_up_to())),
        });
    }
    // Western text has few letters beyond ASCII, and no control characters of the upper half.
    let controls = bytes.iter().filter(|byte| (0x7F..0x82).contains(*byte) || **byte == 0x9D).count();
    if controls == 0 && beyond_ascii * 3 < bytes.len() && !has_controls(bytes) {
        let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
        return Ok(Decoded { text: text.into_owned(), note: Some(read_as(WINDOWS_1252)) });
    }
    Err(no_text())
}

/// As [`decode`], where the document names its encoding (`label` as in HTML).
pub(crate) fn decode_as(bytes: &[u8], label: Option<&str>) -> Result<Decoded, Unfit> {
    let named = label.and_then(|label| Encoding::for_label(label.trim().as_bytes()));
    let Some(encoding) = named.filter(|_| Encoding::for_bom(bytes).is_none()) else {
        return decode(bytes);
    };
    let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
    if had_errors && let Ok(better) = decode(bytes) {
        return Ok(better);
    }
    let note = (encoding != encoding_rs::UTF_8).then(|| read_as(encoding));
    Ok(Decoded { text: text.replace('\0', ""), note })
}

fn read_as(encoding: &'static Encoding) -> String {
    format!("it was read as {}", encoding.name())
}

fn no_text() -> Unfit {
    Unfit::invalid("text", "it is binary, or in an encoding that cannot be told")
}

fn has_controls(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C | 0x1B))
}

fn wrong_bytes(bytes: &[u8]) -> usize {
    bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum()
}

/// The text when it is Korean in CP949: every byte beyond ASCII belongs to a pair, and the pairs are mostly Hangul.
fn korean(bytes: &[u8]) -> Option<String> {
    let text = EUC_KR.decode_without_bom_handling_and_without_replacement(bytes)?;
    let (mut hangul, mut others) = (0_usize, 0_usize);
    for c in text.chars().filter(|c| !c.is_ascii()) {
        match c {
            '가'..='힣' => hangul += 1,
            // Punctuation and Hanja stand in Korean text, too.
            '\u{3000}'..='\u{303F}' | '\u{FF00}'..='\u{FFEF}' | '\u{2010}'..='\u{2027}' => {}
            _ => others += 1,
        }
    }
    // Western text can pair up by chance, into syllables beyond the usual ones or next to rare signs.
    (hangul >= 2 && others * 3 <= hangul && has_usual_pairs(bytes)).then(|| text.into_owned())
}

/// Whether most pairs are of KS X 1001, both bytes of the upper half, as nearly all written Korean is.
fn has_usual_pairs(bytes: &[u8]) -> bool {
    let (mut usual, mut extended) = (0_usize, 0_usize);
    let mut rest = bytes.iter();
    while let Some(lead) = rest.next() {
        if lead.is_ascii() {
            continue;
        }
        match rest.next() {
            Some(trail) if *lead >= 0xA1 && *trail >= 0xA1 => usual += 1,
            _ => extended += 1,
        }
    }
    extended * 4 <= usual
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_the_encoding_it_was_saved_in() {
        let check = |bytes: &[u8], expect: &str, note: Option<&str>| {
            let decoded = decode(bytes).expect("it is text");
            assert_eq!(decoded.text, expect);
            assert_eq!(decoded.note.as_deref(), note);
        };
        check("한국어 text".as_bytes(), "한국어 text", None);
        check(b"\xEF\xBB\xBFmark", "mark", None);
        check(b"\xFF\xFEA\0\x5C\xD5", "A한", Some("it was read as UTF-16LE"));
        check(b"\xFE\xFF\0A\xD5\x5C", "A한", Some("it was read as UTF-16BE"));
        check(
            &EUC_KR.encode("문서를 찾는다.\n똠방각하도 있다.").0,
            "문서를 찾는다.\n똠방각하도 있다.",
            Some("it was read as EUC-KR"),
        );
        check(b"caf\xE9 cr\xE8me, na\xEFve", "café crème, naïve", Some("it was read as windows-1252"));
        let mut mended = "가나다 ".repeat(400).into_bytes();
        mended.insert(10, 0xFF);
        let decoded = decode(&mended).expect("it is text");
        assert_eq!(decoded.note.as_deref(), Some("1 byte that is no UTF-8 replaced, the first at 10"));
    }

    #[test]
    fn binary_is_no_text() {
        let noise: Vec<u8> = (0..=255_u8).cycle().take(4096).collect();
        for bytes in [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &noise, b"\xFF\xFE\0\xD8\0"] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
    }
}
