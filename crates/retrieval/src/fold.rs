//! Finding a quotation in a text although it was copied with other signs: composed or decomposed letters (NFC, NFD),
//! typographic or plain quotation marks and dashes, other white space. Anything else must be the same.

use std::ops::Range;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// A text in one way of writing, and where its pieces stand in the original.
pub(crate) struct Folded {
    text: String,
    /// Where pieces begin: in `text`, and in the original. The last is the end of both.
    marks: Vec<(usize, usize)>,
}

impl Folded {
    pub(crate) fn of(original: &str) -> Self {
        let mut folded = Self {
            text: String::with_capacity(original.len()),
            marks: Vec::with_capacity(original.len() / 2),
        };
        let mut rest = original.char_indices().peekable();
        while let Some((at, first)) = rest.next() {
            if is_nothing(first) {
                continue;
            }
            if first.is_whitespace() {
                // Signs that show nothing do not part white space.
                while rest.next_if(|(_, c)| c.is_whitespace() || is_nothing(*c)).is_some() {}
                folded.piece(at, [' ']);
            } else if let Some(plain) = plain(first) {
                folded.piece(at, plain.chars());
            } else if first.is_ascii() && rest.peek().is_none_or(|(_, next)| next.is_ascii()) {
                folded.piece(at, [first]);
            } else {
                let mut end = at + first.len_utf8();
                while let Some((next, c)) = rest.next_if(|(_, c)| joins(*c)) {
                    end = next + c.len_utf8();
                }
                folded.piece(at, original.get(at..end).unwrap_or_default().nfc());
            }
        }
        folded.marks.push((folded.text.len(), original.len()));
        folded
    }

    fn piece(&mut self, at: usize, letters: impl IntoIterator<Item = char>) {
        self.marks.push((self.text.len(), at));
        self.text.extend(letters);
    }

    /// The first place of `quotation`, as bytes of the original; never within a letter.
    pub(crate) fn find(&self, quotation: &Self) -> Option<Range<usize>> {
        self.all(quotation).next()
    }

    /// Every place of `quotation`.
    pub(crate) fn all(&self, quotation: &Self) -> impl Iterator<Item = Range<usize>> {
        let wanted = quotation.text.trim();
        let found = (!wanted.is_empty()).then(|| self.text.match_indices(wanted));
        found
            .into_iter()
            .flatten()
            .filter_map(move |(at, _)| Some(self.original(at)?..self.original(at + wanted.len())?))
    }

    /// Where in the original the piece begins that begins here.
    fn original(&self, at: usize) -> Option<usize> {
        let mark = self.marks.binary_search_by_key(&at, |(folded, _)| *folded).ok()?;
        self.marks.get(mark).map(|(_, original)| *original)
    }
}

/// Whether a letter goes on with this.
fn joins(c: char) -> bool {
    canonical_combining_class(c) != 0 || matches!(c, '\u{1160}'..='\u{11FF}' | '\u{3099}' | '\u{309A}')
}

/// Signs that show nothing.
fn is_nothing(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}' | '\u{2060}' | '\u{FEFF}')
}

/// The plain sign for a typographic one.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{201C}'..='\u{201F}' | '\u{2033}' => "\"",
        '\u{2018}'..='\u{201B}' | '\u{2032}' => "'",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
        '\u{2026}' => "...",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_way_of_writing_may_differ() {
        let check = |text: &str, quotation: &str, expect: Option<&str>| {
            let got = Folded::of(text).find(&Folded::of(quotation));
            assert_eq!(got.map(|span| &text[span]), expect, "{quotation:?} in {text:?}");
        };
        check("The port is 4141.", "port is", Some("port is"));
        check("The port is 4141.", "port was", None);
        check("The port is 4141.", "Port is", None);
        check("The port\n   is 4141.", "port is", Some("port\n   is"));
        check("He said “it’s done” – twice…", r#""it's done" - twice..."#, Some("“it’s done” – twice…"));
        check(r#"He said "it's done"."#, "“it’s done”", Some(r#""it's done""#));
        // Composed and decomposed, either way.
        check("한국의 café", "\u{1112}\u{1161}\u{11AB}국의 cafe\u{301}", Some("한국의 café"));
        check("\u{1112}\u{1161}\u{11AB}국의 cafe\u{301}", "국의 café", Some("국의 cafe\u{301}"));
        // A letter is whole or not there.
        check("각하", "가", None);
        check("\u{1100}\u{1161}\u{11A8}하", "가", None);
        check("cafe\u{301}", "cafe", None);
        check("zero\u{200B}width\u{AD}s", "zerowidths", Some("zero\u{200B}width\u{AD}s"));
        check("a… b", "a..", None);
        check("anything", "  ", None);
        check("", "a", None);
        check("aXa a\tb", "a b", Some("a\tb"));
    }
}
