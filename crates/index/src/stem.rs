//! English stems, remembered: text repeats few words often.

use rust_stemmers::{Algorithm, Stemmer};
use std::collections::HashMap;

/// Words remembered before all are forgotten.
const REMEMBERED: usize = 1 << 15;

/// The English (Porter 2) stemmer with what it stemmed before.
pub(crate) struct Stems {
    stemmer: Stemmer,
    known: HashMap<Box<str>, Box<str>>,
}

impl Default for Stems {
    fn default() -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English), known: HashMap::new() }
    }
}

impl Stems {
    /// The stem of a lower-case ASCII word.
    pub(crate) fn stem(&mut self, word: &str) -> &str {
        if !self.known.contains_key(word) {
            if self.known.len() >= REMEMBERED {
                self.known.clear();
            }
            let stem = self.stemmer.stem(word).into();
            self.known.insert(word.into(), stem);
        }
        self.known.get(word).map_or("", |stem| stem)
    }
}
