//! Stems, remembered: text repeats few words often.
//!
//! Which stemmer is a word's follows from its script alone, so that a question's word and a text's always meet: the English
//! one for ASCII, and for Cyrillic, Greek, Arabic and Tamil that of the language most written in it. A word of another
//! language of the script loses some ending in both places alike.

use foldhash::HashMap;
use rust_stemmers::{Algorithm, Stemmer};

/// Words remembered before all are forgotten.
const REMEMBERED: usize = 1 << 16;
/// Letters of the shortest word that has a stem.
const SHORTEST: usize = 3;

/// The Snowball stemmers with what they stemmed before.
pub(crate) struct Stems {
    stemmers: [Stemmer; 5],
    /// Where a word's stem is in `kept`.
    known: HashMap<Box<str>, usize>,
    kept: Vec<Box<str>>,
}

impl Default for Stems {
    fn default() -> Self {
        let stemmers =
            [Algorithm::English, Algorithm::Russian, Algorithm::Greek, Algorithm::Arabic, Algorithm::Tamil];
        Self { stemmers: stemmers.map(Stemmer::create), known: HashMap::default(), kept: Vec::new() }
    }
}

impl Stems {
    /// The stem of a lower-case word; the word itself where its script has no stemmer.
    pub(crate) fn stem<'a>(&'a mut self, word: &'a str) -> &'a str {
        let Some(stemmer) = stemmer_of(word).and_then(|at| self.stemmers.get(at)) else { return word };
        let at = if let Some(at) = self.known.get(word) {
            *at
        } else {
            if self.known.len() >= REMEMBERED {
                self.known.clear();
                self.kept.clear();
            }
            self.kept.push(stemmer.stem(word).into());
            self.known.insert(word.into(), self.kept.len() - 1);
            self.kept.len() - 1
        };
        // A stem of nothing says nothing.
        self.kept.get(at).filter(|stem| !stem.is_empty()).map_or(word, |stem| stem)
    }
}

/// Whether a term may be the stem of some words.
pub(crate) fn may_be_stem(term: &str) -> bool {
    if term.is_ascii() {
        return term.bytes().all(|byte| byte.is_ascii_alphanumeric());
    }
    term.chars().all(|c| script_of(c).is_some())
}

/// The place of a word's stemmer: all its letters are of the script.
fn stemmer_of(word: &str) -> Option<usize> {
    if word.is_ascii() {
        let letters = word.len() >= SHORTEST && word.bytes().all(|byte| byte.is_ascii_lowercase());
        return letters.then_some(0);
    }
    let script = script_of(word.chars().next()?)?;
    let whole = word.chars().all(|c| script_of(c) == Some(script));
    (whole && word.chars().count() >= SHORTEST).then_some(script)
}

fn script_of(c: char) -> Option<usize> {
    match c {
        c if c.is_numeric() => None,
        '\u{400}'..='\u{52f}' => Some(1),
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(2),
        '\u{600}'..='\u{6ff}' => Some(3),
        '\u{b80}'..='\u{bff}' => Some(4),
        _ => None,
    }
}
