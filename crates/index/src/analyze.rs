//! Text to terms. The same way for what is indexed and what is asked.
//!
//! Text is composed (NFKC) and lowered. Runs of letters and digits of spaced scripts are words: Latin
//! diacritics are folded, pure ASCII words get their English stem, `1,000` is one number. Runs of Hangul, of
//! Han and Kana, and of Thai and its like become overlapping bigrams; a run of one gives that one. Runs end
//! where the script changes. Words beyond [`LONGEST_WORD`] bytes are not indexed: they are data, not words.

use crate::script::{Class, class, continues, folded, is_composed};
use crate::stem::Stems;
use unicode_normalization::UnicodeNormalization;

/// Bytes of the longest word that becomes a term.
pub const LONGEST_WORD: usize = 64;

/// A term and the bytes of the text it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The term.
    pub text: String,
    /// First byte in the text analyzed.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// The terms of a text, in order.
pub fn analyze(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    Analyzer::default().scan(text, |term, start, end| {
        tokens.push(Token { text: term.to_owned(), start, end });
    });
    tokens
}

/// An analyzer that keeps its buffers and the stems it met.
#[derive(Default)]
pub struct Analyzer {
    stems: Stems,
    run: Run,
    composed: String,
}

impl Clone for Analyzer {
    /// A fresh one: what is remembered is for speed only.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Analyzer {
    /// Calls `emit` with each term and its first and one-past-last byte in `text`.
    pub fn scan(&mut self, text: &str, mut emit: impl FnMut(&str, usize, usize)) {
        let Self { stems, run, composed } = self;
        run.clear();
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let after = at + c.len_utf8();
            if c.is_ascii() {
                if c.is_ascii_alphanumeric() {
                    run.push(Class::Word, c.to_ascii_lowercase(), at, after, stems, &mut emit);
                } else if c == ',' && run.is_number() && thousands_follow(text, after) {
                    // `1,000` is the number 1000.
                } else if c == '\'' && run.class == Class::Word {
                    skip_clitic(text, after, &mut chars);
                    run.flush(stems, &mut emit);
                } else {
                    run.flush(stems, &mut emit);
                }
                continue;
            }
            if c == '’' && run.class == Class::Word {
                skip_clitic(text, after, &mut chars);
                run.flush(stems, &mut emit);
                continue;
            }
            let mut end = after;
            while let Some((mark_at, mark)) = chars.next_if(|(_, next)| continues(*next)) {
                end = mark_at + mark.len_utf8();
            }
            if end == after && is_composed(c) {
                run.push(class(c), c, at, end, stems, &mut emit);
                continue;
            }
            composed.clear();
            composed.extend(text.get(at..end).unwrap_or_default().nfkc().flat_map(char::to_lowercase));
            for c in composed.chars() {
                run.push(class(c), c, at, end, stems, &mut emit);
            }
        }
        run.flush(stems, &mut emit);
    }
}

/// Characters of one class in a row.
struct Run {
    class: Class,
    text: String,
    /// Of each character: where it begins in `text`, and its bytes in the text analyzed.
    chars: Vec<(usize, usize, usize)>,
    start: usize,
    end: usize,
    too_long: bool,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            class: Class::Break,
            text: String::new(),
            chars: Vec::new(),
            start: 0,
            end: 0,
            too_long: false,
        }
    }
}

impl Run {
    fn clear(&mut self) {
        self.class = Class::Break;
        self.text.clear();
        self.chars.clear();
        self.too_long = false;
    }

    fn is_number(&self) -> bool {
        self.class == Class::Word && !self.text.is_empty() && self.text.bytes().all(|b| b.is_ascii_digit())
    }

    fn push(
        &mut self,
        class: Class,
        c: char,
        start: usize,
        end: usize,
        stems: &mut Stems,
        emit: &mut impl FnMut(&str, usize, usize),
    ) {
        match class {
            Class::Ignored => return,
            Class::Mark => {
                // A mark that composed with nothing: dropped from Latin letters, part of any other word.
                if self.class != Class::Break {
                    self.end = end;
                    if self.class == Class::Word && !self.text.is_ascii() {
                        self.grow(c);
                    }
                }
                return;
            }
            Class::Break => return self.flush(stems, emit),
            Class::Word | Class::Hangul | Class::Ideograph | Class::Dense => {}
        }
        if class != self.class {
            self.flush(stems, emit);
            self.class = class;
            self.start = start;
        }
        self.end = end;
        if class == Class::Word {
            self.grow(c);
        } else {
            self.chars.push((self.text.len(), start, end));
            self.text.push(c);
        }
    }

    fn grow(&mut self, c: char) {
        if self.text.len() > LONGEST_WORD {
            self.too_long = true;
        } else if c.is_ascii() {
            self.text.push(c);
        } else if let Some(letters) = folded(c) {
            self.text.push_str(letters);
        } else {
            let base = if matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}') {
                c.nfd().next()
            } else {
                None
            };
            self.text.push(base.filter(char::is_ascii).unwrap_or(c));
        }
    }

    fn flush(&mut self, stems: &mut Stems, emit: &mut impl FnMut(&str, usize, usize)) {
        match self.class {
            Class::Break => return,
            Class::Word => {
                let word = self.text.as_str();
                if self.too_long || word.len() > LONGEST_WORD {
                    // Data, not a word.
                } else if word.len() > 2 && word.bytes().all(|b| b.is_ascii_lowercase()) {
                    emit(stems.stem(word), self.start, self.end);
                } else if !word.is_empty() {
                    emit(word, self.start, self.end);
                }
            }
            _ => {
                if let [(_, start, end)] = self.chars.as_slice() {
                    emit(&self.text, *start, *end);
                }
                let ends = self.chars.iter().skip(2).map(|(at, ..)| *at).chain([self.text.len()]);
                for (pair, text_end) in self.chars.windows(2).zip(ends) {
                    if let [(text_start, start, _), (.., end)] = pair
                        && let Some(bigram) = self.text.get(*text_start..text_end)
                    {
                        emit(bigram, *start, *end);
                    }
                }
            }
        }
        self.clear();
    }
}

/// Whether exactly three digits follow.
fn thousands_follow(text: &str, at: usize) -> bool {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    rest.iter().take_while(|b| b.is_ascii_digit()).take(4).count() == 3
}

/// After an apostrophe inside a word: passes over `s`, `t`, `ll` and the like, which are no words.
fn skip_clitic(text: &str, at: usize, chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>) {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    let letters = rest.iter().take_while(|b| b.is_ascii_alphanumeric()).take(3).count();
    if letters <= 2 {
        for _ in 0..letters {
            chars.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_terms() {
        let check = |text: &str, expect: &[&str]| {
            let tokens = analyze(text);
            let terms: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
            assert_eq!(terms, expect, "{text:?}");
        };
        check("The runners were RUNNING", &["the", "runner", "were", "run"]);
        check("don't the user's O'Brien", &["don", "the", "user", "o", "brien"]);
        check("naïve Café Straße Łódź", &["naiv", "cafe", "strass", "lodz"]);
        check("nai\u{308}ve", &["naiv"]);
        check("1,000 1,0000 3.5 v1.2", &["1000", "1", "0000", "3", "5", "v1", "2"]);
        check("한국어를 쓴다", &["한국", "국어", "어를", "쓴다"]);
        check("책", &["책"]);
        check("e커머스B2B", &["e", "커머", "머스", "b2b"]);
        check("東京タワー", &["東京", "京タ", "タワ", "ワー"]);
        check("ｶﾞｲﾄﾞ ﾊﾛｰ", &["ガイ", "イド", "ハロ", "ロー"]);
        // As macOS writes file names: letters of a syllable apart.
        check("\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}", &["한국"]);
        check("金씨", &["金", "씨"]);
        check("㈜하나 ﬁne ①", &["주", "하나", "fine", "1"]);
        check("Привет, мир", &["привет", "мир"]);
        check("и\u{306}", &["й"]);
        check("snake_case-name", &["snake", "case", "name"]);
        check("soft\u{ad}ware", &["softwar"]);
        check(&"x".repeat(65), &[]);
        check(&"x".repeat(64), &[&"x".repeat(64)]);
        check("", &[]);
        check(" \n!?…", &[]);
        check("\u{301}", &[]);
        check("สวัสดี", &["สว", "วั", "ัส", "สด", "ดี"]);
    }

    #[test]
    fn tokens_name_their_bytes() {
        let text = "책상 위 ｶﾞ Café's 1,000원";
        for token in analyze(text) {
            let bytes = text.get(token.start..token.end).unwrap();
            match token.text.as_str() {
                "cafe" => assert_eq!(bytes, "Café"),
                "1000" => assert_eq!(bytes, "1,000"),
                "ガ" => assert_eq!(bytes, "ｶﾞ"),
                other => assert_eq!(bytes, other),
            }
        }
    }
}
