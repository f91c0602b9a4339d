//! English stems, remembered: text repeats few words often.

use foldhash::HashMap;
use rust_stemmers::{Algorithm, Stemmer};

/// Words remembered before all are forgotten.
const REMEMBERED: usize = 1 << 16;

/// The English (Porter 2) stemmer with what it stemmed before.
pub(crate) struct Stems {
    stemmer: Stemmer,
    /// Where a word's stem is in `kept`.
    known: HashMap<Box<str>, usize>,
    kept: Vec<Box<str>>,
}

impl Default for Stems {
    fn default() -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English), known: HashMap::default(), kept: Vec::new() }
    }
}

impl Stems {
    /// The stem of a lower-case ASCII word.
    pub(crate) fn stem(&mut self, word: &str) -> &str {
        let at = if let Some(at) = self.known.get(word) {
            *at
        } else {
            if self.known.len() >= REMEMBERED {
                self.known.clear();
                self.kept.clear();
            }
            self.kept.push(self.stemmer.stem(word).into());
            self.known.insert(word.into(), self.kept.len() - 1);
            self.kept.len() - 1
        };
        self.kept.get(at).map_or("", |stem| stem)
    }
}
