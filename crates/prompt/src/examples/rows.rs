//! The rows of a dataset of examples, and which of them are nearest to a text.
//!
//! Nearness is that of vectors where there is an embedder, and otherwise that of words' pieces (runs of three characters,
//! weighed by how rare they are among the rows), which needs no model and is the same on every machine.

use hanok_base::{Object, Sample};
use serde_json::Value;
use std::collections::HashMap;
use tokio::sync::OnceCell;

/// The rows of a dataset, and the pieces of their texts.
pub(super) struct Rows {
    pub(super) samples: Vec<Sample>,
    pub(super) texts: Vec<String>,
    /// Their vectors, by the embedder of this name.
    pub(super) embedded: OnceCell<(String, Vec<Vec<f32>>)>,
    /// Each row's pieces with their weights, of length 1 as a vector.
    vectors: Vec<HashMap<[char; 3], f64>>,
    rarity: HashMap<[char; 3], f64>,
}

impl Rows {
    /// Of a file of JSON lines.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut samples = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let at = |error: &dyn std::fmt::Display| format!("line {}: {error}", number + 1);
            let row: Object = serde_json::from_str(line).map_err(|error| at(&error))?;
            samples.push(sample(row, number).map_err(|error| at(&error))?);
        }
        Ok(Self::of(samples))
    }

    /// Of rows that are there already.
    pub(super) fn of(samples: Vec<Sample>) -> Self {
        let texts: Vec<String> = samples.iter().map(|sample| text_of(&sample.input)).collect();
        let counted: Vec<HashMap<[char; 3], f64>> = texts.iter().map(|text| pieces(text)).collect();
        let mut rarity: HashMap<[char; 3], f64> = HashMap::new();
        for piece in counted.iter().flat_map(HashMap::keys) {
            *rarity.entry(*piece).or_default() += 1.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "rows are far fewer than 2^52")]
        let all = samples.len() as f64;
        for count in rarity.values_mut() {
            *count = (1.0 + all / *count).ln();
        }
        let vectors = counted.into_iter().map(|counts| weighed(counts, &rarity)).collect();
        Self { samples, texts, embedded: OnceCell::new(), vectors, rarity }
    }

    /// The rows nearest to a text by pieces of words.
    pub(super) fn near_words(&self, text: &str, count: usize) -> Vec<Sample> {
        let wanted = weighed(pieces(text), &self.rarity);
        let likeness = self.vectors.iter().map(|vector| {
            vector.iter().filter_map(|(piece, weight)| Some(weight * wanted.get(piece)?)).sum::<f64>()
        });
        self.best(text, count, likeness)
    }

    /// The rows whose vectors point most the way of this one.
    pub(super) fn near_vector(
        &self,
        text: &str,
        wanted: &[f32],
        vectors: &[Vec<f32>],
        count: usize,
    ) -> Vec<Sample> {
        let likeness = vectors
            .iter()
            .map(|vector| vector.iter().zip(wanted).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>());
        self.best(text, count, likeness)
    }

    /// The rows of the greatest likeness, the nearest last: what stands closest to the question counts most. The row of
    /// the text itself is not among them.
    fn best(&self, text: &str, count: usize, likeness: impl Iterator<Item = f64>) -> Vec<Sample> {
        let mut near: Vec<(f64, usize)> = likeness
            .enumerate()
            .filter(|(at, _)| self.texts.get(*at).is_none_or(|own| own.trim() != text.trim()))
            .map(|(at, likeness)| (likeness, at))
            .collect();
        // Sums differ in their last digits by the order of their terms.
        near.sort_by(|a, b| (b.0 * 1e9).round().total_cmp(&(a.0 * 1e9).round()).then(a.1.cmp(&b.1)));
        near.truncate(count);
        near.iter().rev().filter_map(|(_, at)| self.samples.get(*at).cloned()).collect()
    }
}

/// A row: one of a dataset's as Hanok writes it, or with one value as its input, or with `output` for `expected`.
fn sample(mut row: Object, number: usize) -> Result<Sample, String> {
    let expected = ["expected", "output", "answer"].into_iter().find_map(|name| row.shift_remove(name));
    let id = match row.shift_remove("id") {
        Some(Value::String(id)) => id,
        Some(id) => id.to_string(),
        None => (number + 1).to_string(),
    };
    let input = match row.shift_remove("input") {
        Some(Value::Object(input)) => input,
        Some(value) => Object::from_iter([("input".to_owned(), value)]),
        None => return Err("a row needs `input` and `expected`".to_owned()),
    };
    Ok(Sample { id, input, expected, ..Sample::default() })
}

fn text_of(input: &Object) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    input.values().map(text).collect::<Vec<_>>().join("\n")
}

fn pieces(text: &str) -> HashMap<[char; 3], f64> {
    let mut counts = HashMap::new();
    let chars: Vec<char> = text
        .split_whitespace()
        .flat_map(|word| std::iter::once(' ').chain(word.chars().flat_map(char::to_lowercase)))
        .chain([' '])
        .collect();
    for window in chars.windows(3) {
        if let [a, b, c] = window {
            *counts.entry([*a, *b, *c]).or_default() += 1.0;
        }
    }
    counts
}

fn weighed(mut counts: HashMap<[char; 3], f64>, rarity: &HashMap<[char; 3], f64>) -> HashMap<[char; 3], f64> {
    let mut square = 0.0;
    for (piece, count) in &mut counts {
        *count = (1.0 + *count).ln() * rarity.get(piece).copied().unwrap_or(1.0);
        square += *count * *count;
    }
    let length = f64::sqrt(square);
    if length > 0.0 {
        for weight in counts.values_mut() {
            *weight /= length;
        }
    }
    counts
}
