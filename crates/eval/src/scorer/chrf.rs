//! `chrf`: chrF (Popović 2015) and chrF++ (2017), as sacrebleu has them: precision and recall of runs of characters
//! without space, and of words with marks taken off one end, averaged over the orders that both texts have, and
//! recall `beta` times as important. Of several expected texts the one that fits best. From 0 to 1, where sacrebleu
//! says 0 to 100.

use super::runs::{is_space, numbered, shared, tally, tokens_of};
use super::spec::ChrF;
use super::subject::{Found, Rule, Subject};
use std::collections::HashMap;
use std::hash::Hash;

/// `chrf`.
pub(crate) struct ChrFRule(ChrF);

impl ChrFRule {
    pub(crate) fn new(spec: &ChrF) -> Result<Self, String> {
        if spec.characters + spec.words == 0 || spec.characters > 32 || spec.words > 32 {
            return Err("`characters` and `words` are up to 32, and not both 0".to_owned());
        }
        Ok(Self(spec.clone()))
    }
}

impl Rule for ChrFRule {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let expected = subject.expected_texts();
        let best = expected
            .iter()
            .map(|reference| {
                if self.0.lowercase {
                    self.score(&subject.text.to_lowercase(), &reference.to_lowercase())
                } else {
                    self.score(&subject.text, reference)
                }
            })
            .max_by(f64::total_cmp);
        best.map_or_else(
            || Found::skipped("the sample says nothing of what is expected"),
            |best| Found::number(best, ""),
        )
    }
}

impl ChrFRule {
    fn score(&self, text: &str, reference: &str) -> f64 {
        let mut sums = Sums::default();
        let characters = |text: &str| text.chars().filter(|c| !is_space(*c)).collect::<Vec<char>>();
        sums.add(&characters(text), &characters(reference), self.0.characters);
        if self.0.words > 0 {
            let (text, reference) = (words(text), words(reference));
            let mut numbers = HashMap::new();
            let (text, reference) = (numbered(&text, &mut numbers), numbered(&reference, &mut numbers));
            sums.add(&text, &reference, self.0.words);
        }
        sums.f(f64::from(self.0.beta))
    }
}

/// Words, with one mark of ASCII taken off the end, or else the beginning, as a word of its own.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in tokens_of(text) {
        let is_mark = |c: char| c.is_ascii_punctuation();
        let mut characters = word.chars();
        let (first, last) = (characters.next(), characters.next_back());
        match (first, last) {
            (Some(_), Some(last)) if is_mark(last) => {
                words.push(word.strip_suffix(last).unwrap_or(word).to_owned());
                words.push(last.to_string());
            }
            (Some(first), Some(_)) if is_mark(first) => {
                words.push(first.to_string());
                words.push(word.strip_prefix(first).unwrap_or(word).to_owned());
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// Precision and recall over the orders so far.
#[derive(Default)]
struct Sums {
    precision: f64,
    recall: f64,
    orders: f64,
}

impl Sums {
    #[expect(clippy::cast_precision_loss, reason = "counts of characters are far below 2^53")]
    fn add<T: Hash + Eq>(&mut self, text: &[T], reference: &[T], longest: usize) {
        for n in 1..=longest {
            let (found, wanted) = (tally(text, n), tally(reference, n));
            // Orders that one of the texts is too short for say nothing.
            if found.is_empty() || wanted.is_empty() {
                continue;
            }
            let matched = shared(&found, &wanted) as f64;
            self.precision += matched / found.values().sum::<u64>() as f64;
            self.recall += matched / wanted.values().sum::<u64>() as f64;
            self.orders += 1.0;
        }
    }

    fn f(&self, beta: f64) -> f64 {
        if self.orders <= 0.0 || self.precision + self.recall <= 0.0 {
            return 0.0;
        }
        let (precision, recall) = (self.precision / self.orders, self.recall / self.orders);
        let factor = beta * beta;
        (1.0 + factor) * precision * recall / (factor * precision + recall)
    }
}
