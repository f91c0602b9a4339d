//! Text to terms. The same way for what is indexed and what is asked.
//!
//! Text is composed (NFKC) and lowered. Runs of letters and digits of spaced scripts are words: Latin
//! diacritics and Greek accents are folded, Arabic and Hebrew vowel signs left out; pure ASCII words get their English
//! stem, words of a few other scripts theirs (see `stem`), `1,000` is one number. Runs of Hangul, of
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

/// What is done with words beyond finding them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Whether words stay as they stand, rather than become their stems (`running`, not `run`).
    pub keep_endings: bool,
}

/// An analyzer that keeps its buffers and the stems it met.
#[derive(Default)]
pub struct Analyzer {
    analysis: Analysis,
    stems: Stems,
    run: Run,
    composed: String,
}

impl Clone for Analyzer {
    /// A fresh one: what is remembered is for speed only.
    fn clone(&self) -> Self {
        Self::new(self.analysis)
    }
}

impl Analyzer {
    /// An analyzer of one's choice.
    pub fn new(analysis: Analysis) -> Self {
        Self { analysis, ..Self::default() }
    }

    /// Calls `emit` with each term and its first and one-past-last byte in `text`.
    pub fn scan(&mut self, text: &str, mut emit: impl FnMut(&str, usize, usize)) {
        let Self { analysis, stems, run, composed } = self;
        let mut stems = (!analysis.keep_endings).then_some(stems);
        run.clear();
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if byte.is_ascii_alphanumeric() {
                let rest = bytes.get(at..).unwrap_or_default();
                let length = rest.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
                run.push_ascii(text.get(at..at + length).unwrap_or_default(), at, &mut stems, &mut emit);
                at += length;
                continue;
            }
            let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
            let after = at + c.len_utf8();
            if matches!(c, '\'' | '’') && run.class == Class::Word {
                run.flush(&mut stems, &mut emit);
                at = after + clitic(text, after);
                continue;
            }
            if c.is_ascii() {
                // `1,000` is the number 1000.
                if c != ',' || !run.is_number() || !thousands_follow(text, after) {
                    run.flush(&mut stems, &mut emit);
                }
                at = after;
                continue;
            }
            let marks = text.get(after..).unwrap_or_default().chars().take_while(|next| continues(*next));
            let end = after + marks.map(char::len_utf8).sum::<usize>();
            if end == after && is_composed(c) {
                run.push(class(c), c, at, end, &mut stems, &mut emit);
            } else {
                composed.clear();
                composed.extend(text.get(at..end).unwrap_or_default().nfkc().flat_map(char::to_lowercase));
                for c in composed.chars() {
                    run.push(class(c), c, at, end, &mut stems, &mut emit);
                }
            }
            at = end;
        }
        run.flush(&mut stems, &mut emit);
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
        stems: &mut Option<&mut Stems>,
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

    /// The letters and digits of ASCII that stand together at `start`.
    fn push_ascii(
        &mut self,
        letters: &str,
        start: usize,
        stems: &mut Option<&mut Stems>,
        emit: &mut impl FnMut(&str, usize, usize),
    ) {
        if self.class != Class::Word {
            self.flush(stems, emit);
            self.class = Class::Word;
            self.start = start;
        }
        self.end = start + letters.len();
        let room = (LONGEST_WORD + 1).saturating_sub(self.text.len());
        self.too_long |= letters.len() > room;
        let before = self.text.len();
        self.text.push_str(letters.get(..room).unwrap_or(letters));
        if let Some(added) = self.text.get_mut(before..) {
            added.make_ascii_lowercase();
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
            let base = match c {
                '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => c.nfd().next().filter(char::is_ascii),
                // Capitals are written without accents.
                '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => c.nfd().next(),
                _ => None,
            };
            self.text.push(base.unwrap_or(c));
        }
    }

    fn flush(&mut self, stems: &mut Option<&mut Stems>, emit: &mut impl FnMut(&str, usize, usize)) {
        match self.class {
            Class::Break => return,
            Class::Word => {
                let word = self.text.as_str();
                if self.too_long || word.is_empty() || word.len() > LONGEST_WORD {
                    // Data, not a word.
                } else if let Some(stems) = stems {
                    emit(stems.stem(word), self.start, self.end);
                } else {
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

/// After an apostrophe inside a word: the bytes of `s`, `t`, `ll` and the like, which are no words.
fn clitic(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    let letters = rest.iter().take_while(|b| b.is_ascii_alphanumeric()).take(3).count();
    if letters <= 2 { letters } else { 0 }
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
        check("it's Ada's 'quoted' l'été 1,000,000원", &["it", "ada", "quot", "l", "ete", "1000000", "원"]);
        check(&format!("{0},000 x{0}", "1".repeat(65)), &[]);
        check("สวัสดี", &["สว", "วั", "ัส", "สด", "ดี"]);
    }

    #[test]
    fn forms_of_a_word_are_one_term() {
        let check = |forms: &[&str], others: &[&str]| {
            let term = |form: &&str| match analyze(form).as_slice() {
                [token] => token.text.clone(),
                tokens => panic!("{form}: {tokens:?}"),
            };
            let first = term(&forms[0]);
            for form in forms {
                assert_eq!(term(form), first, "{form}");
            }
            for other in others {
                assert_ne!(term(other), first, "{other}");
            }
        };
        check(&["книга", "книги", "Книгой", "КНИГАМ"], &["книжка", "дом"]);
        check(&["ёлка", "елка", "Ёлки", "е\u{308}лку"], &["белка"]);
        check(&["άνθρωπος", "ΑΝΘΡΩΠΟΣ", "ανθρωπος", "άνθρωποι"], &["άνεμος"]);
        check(&["كتاب", "الكتاب", "كِتَاب", "كتــاب"], &["باب"]);
        check(&["שלום", "שָׁלוֹם"], &["שולחן"]);
        check(&["புத்தகம்", "புத்தகங்கள்"], &["வீடு"]);
        // Too short, or of two scripts: as they stand.
        check(&["он"], &["мы"]);
        check(&["κb", "ΚB"], &["κa", "b"]);
    }

    #[test]
    fn endings_are_kept_where_they_are_wanted() {
        let mut terms = Vec::new();
        let mut analyzer = Analyzer::new(Analysis { keep_endings: true }).clone();
        analyzer.scan("Running Ponies' 책상을", |term, _, _| terms.push(term.to_owned()));
        assert_eq!(terms, ["running", "ponies", "책상", "상을"]);
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
