//! The beginning of a message on one line.

use hanok_base::Part;
use std::borrow::Cow;

/// Columns of a preview: a wide character (Hangul, Han, Kana and the like) counts two.
const PREVIEW_COLUMNS: usize = 120;

/// The first text of a message on one line, or the tools it calls.
pub(crate) fn preview(parts: &[Part]) -> Option<String> {
    let text = parts.iter().find_map(|part| match part {
        Part::Text(text) | Part::Refusal(text) if !text.trim().is_empty() => {
            Some(Cow::Borrowed(text.as_str()))
        }
        _ => None,
    });
    let text = text.or_else(|| {
        parts.iter().find_map(|part| match part {
            Part::ToolCall(call) => Some(Cow::Owned(format!("{}({})", call.name, call.arguments))),
            _ => None,
        })
    })?;
    line(&text)
}

/// The beginning of a text on one line; `None` where it is blank.
pub(crate) fn line(text: &str) -> Option<String> {
    if text.trim_start().is_empty() {
        return None;
    }
    let mut line = String::with_capacity(PREVIEW_COLUMNS + 8);
    let mut columns = 0;
    let mut gap = false;
    let mut rest = text;
    // Only as much is looked at as can be shown, however long the text is. Plain words go in whole.
    let (head, behind) = text.split_at_checked(PREVIEW_COLUMNS).unwrap_or((text, ""));
    if head.is_ascii() {
        if is_spaced_once(head) {
            line.push_str(head.trim_matches(' '));
        } else {
            for word in head.split_ascii_whitespace() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        columns = line.len();
        gap = columns > 0 && head.ends_with(|char: char| char.is_ascii_whitespace());
        rest = behind;
    }
    for char in rest.chars() {
        if char == ' ' || char.is_whitespace() {
            gap = !line.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            line.push(' ');
            columns += 1;
        }
        columns += if char >= '\u{1100}' { 2 } else { 1 };
        if columns > PREVIEW_COLUMNS {
            line.push('…');
            break;
        }
        line.push(char);
    }
    Some(line)
}

/// Whether there is a single space at most between the words of ASCII, and nothing else.
fn is_spaced_once(text: &str) -> bool {
    // Counted to the end, so that many bytes are looked at at once.
    let pairs = text.bytes().zip(text.bytes().skip(1));
    let gaps = pairs.filter(|pair| *pair == (b' ', b' ')).count();
    gaps + text.bytes().filter(|byte| *byte < b' ').count() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_are_cut_by_columns() {
        let long = |text: &str| preview(&[Part::Text(text.repeat(300))]).unwrap();
        assert_eq!(long("a").chars().count(), PREVIEW_COLUMNS + 1);
        assert_eq!(long("한").chars().count(), PREVIEW_COLUMNS / 2 + 1);
        assert_eq!(preview(&[Part::Text("  ".into())]), None);
        let check = |text: &str, expect: &str| {
            assert_eq!(preview(&[Part::Text(text.into())]).as_deref(), Some(expect), "{text}");
        };
        check("  two\n\twords ", "two words");
        check(" two words ", "two words");
        check("two  words", "two words");
        check("환불 two", "환불 two");
        check(&format!("{}é", "a".repeat(119)), &format!("{}é", "a".repeat(119)));
        check(&format!("{}  b", "a ".repeat(59)), &format!("{}b", "a ".repeat(59)));
        check(&format!("{}tail", "a".repeat(118)), &format!("{}ta…", "a".repeat(118)));
        check(&format!("{}  tail", "a".repeat(118)), &format!("{} t…", "a".repeat(118)));
        check(&format!("\n{}환불", "a".repeat(118)), &format!("{}환…", "a".repeat(118)));
    }
}
