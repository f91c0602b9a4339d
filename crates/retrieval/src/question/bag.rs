//! The terms of a text, to look concepts up in.

use super::{Concept, Kind};
use crate::words::ENGLISH_EMPTY;
use hanok_index::analyze;
use std::collections::HashSet;
use std::sync::LazyLock;

/// What a word of the same meaning, a word of the same root and half of a compound count.
const SYNONYM: f64 = 0.85;
const SAME_ROOT: f64 = 0.7;
const HALF: f64 = 0.4;
/// Letters that words of one root share.
const ROOT: usize = 6;

/// Particles and endings, one syllable of each, that a word of one syllable is written with.
pub(super) const AFTER_SYLLABLE: &str = "은는이가을를의에로도만과와나어아고지습으기면던";

/// The terms of a text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bag {
    terms: HashSet<String>,
    roots: HashSet<String>,
}

impl Bag {
    pub(crate) fn of(text: &str) -> Self {
        let terms: HashSet<String> = analyze(text).into_iter().map(|token| token.text).collect();
        let roots = terms.iter().filter_map(|term| root(term)).map(str::to_owned).collect();
        Self { terms, roots }
    }

    /// The terms that say something: without words that stand in any text, and single letters and digits.
    pub(crate) fn saying(text: &str) -> Self {
        static EMPTY: LazyLock<HashSet<String>> =
            LazyLock::new(|| analyze(ENGLISH_EMPTY).into_iter().map(|token| token.text).collect());
        let mut bag = Self::of(text);
        let says_nothing = |term: &String| EMPTY.contains(term) || (term.len() == 1 && term.is_ascii());
        bag.terms.retain(|term| !says_nothing(term));
        bag
    }

    /// How far the text speaks of a concept, in 0..=1.
    pub(crate) fn holds(&self, concept: &Concept) -> f64 {
        let mut credit: f64 = 0.0;
        for way in &concept.ways {
            let held = way.iter().filter(|term| self.terms.contains(*term)).count();
            if held == way.len() {
                return 1.0;
            }
            if concept.kind == Kind::Name {
                continue;
            }
            let share = fraction(held, way.len());
            if share > 0.5 {
                credit = credit.max(share * share);
            } else if held * 2 == way.len() && way.first().is_some_and(|first| self.terms.contains(first)) {
                // Half of the bigrams can be chance, less so the first.
                credit = credit.max(HALF);
            }
        }
        if let Some(alone) = concept.alone
            && self.stands_alone(alone)
        {
            return 1.0;
        }
        if concept.kind == Kind::Name {
            return credit;
        }
        if concept.synonyms.iter().any(|way| way.iter().all(|term| self.terms.contains(term))) {
            return credit.max(SYNONYM);
        }
        let same_root = |way: &Vec<String>| match way.as_slice() {
            [term] => root(term).is_some_and(|root| self.roots.contains(root)),
            _ => false,
        };
        if concept.ways.iter().any(same_root) { credit.max(SAME_ROOT) } else { credit }
    }

    /// Whether the syllable stands in the text as a word, with a particle or an ending.
    fn stands_alone(&self, syllable: char) -> bool {
        let mut text = String::from(syllable);
        if self.terms.contains(&text) {
            return true;
        }
        AFTER_SYLLABLE.chars().any(|particle| {
            text.truncate(syllable.len_utf8());
            text.push(particle);
            self.terms.contains(&text)
        })
    }

    /// How alike two texts are, in 0..=1 (Jaccard).
    pub(crate) fn likeness(&self, other: &Self) -> f64 {
        let common = self.terms.intersection(&other.terms).count();
        let all = self.len() + other.len() - common;
        if all == 0 { 0.0 } else { fraction(common, all) }
    }

    /// The share of this text's terms that `other` holds.
    pub(crate) fn share_in(&self, other: &Self) -> f64 {
        if self.terms.is_empty() {
            return 0.0;
        }
        fraction(self.terms.intersection(&other.terms).count(), self.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.terms.len()
    }
}

/// The letters an English word shares with others of its root: `register`, `registration`.
fn root(term: &str) -> Option<&str> {
    term.get(..ROOT).filter(|root| root.bytes().all(|b| b.is_ascii_lowercase()))
}

#[expect(clippy::cast_precision_loss, reason = "counts of words")]
fn fraction(part: usize, all: usize) -> f64 {
    part as f64 / all as f64
}

#[cfg(test)]
mod tests {
    use super::super::Question;
    use super::*;

    #[test]
    fn a_text_speaks_of_a_concept() {
        let check = |question: &str, text: &str, least: f64, most: f64| {
            let question = Question::of(question);
            let credit = Bag::of(text).holds(&question.concepts[0]);
            assert!((least..=most).contains(&credit), "{question:?} {text}: {credit}");
        };
        check("지방은행은?", "지방은행의 전환", 1.0, 1.0);
        check("지방은행은?", "지방 은행", 0.3, 0.6);
        check("지방은행은?", "시중은행", 0.0, 0.0);
        check("책을", "책은 많다", 0.7, 1.0);
        check("installing", "It is installed here.", 1.0, 1.0);
        check("reception", "Ask the receptionist.", 0.6, 0.8);
        check("vacation", "Annual leave is 27 days.", 0.8, 0.9);
        check("비용은?", "요금은 천 원이다", 0.8, 0.9);
    }
}
