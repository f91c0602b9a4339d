//! By meaning: a piece ends where what follows is least like it.
//!
//! Between each two sentences, the three before are compared with the three after: by an embedder's vectors where
//! one is given, and else by the words they share (lexical cohesion). A cut is made where the likeness is lower
//! than on both sides by more than is usual in this text, and where a piece would get too long.

use super::{Compared, Embed, Measures};
use crate::sentence::width;
use std::collections::HashMap;
use std::ops::Range;

/// Sentences compared on either side.
const WINDOW: usize = 3;
/// Texts that are embedded together.
const TOGETHER: usize = 32;
/// Sentences of one text that are embedded at most: a longer one, mostly a table or a log, is compared by words.
const MOST: usize = 2048;

/// Joins sentences to pieces, and says what they were compared by.
pub(super) fn join(
    text: &str,
    sentences: &[Range<usize>],
    measures: Measures,
    embed: Option<Embed<'_>>,
) -> (Vec<Range<usize>>, Compared) {
    let texts: Vec<&str> = sentences.iter().filter_map(|span| text.get(span.clone())).collect();
    let words = || Vectors::Words(texts.iter().map(|text| Sparse::of(text)).collect());
    let (vectors, compared) = match embed {
        // A single sentence is a piece, whatever it says.
        Some(_) if texts.len() < 2 => (words(), Compared::Meaning),
        Some(_) if texts.len() > MOST => (words(), Compared::Bounded),
        embed => match embed.and_then(|embed| embedded(&texts, embed)) {
            Some(vectors) => (vectors, Compared::Meaning),
            None => (words(), Compared::Words),
        },
    };
    let depths = depths(&vectors.likeness());
    let usual = threshold(&depths);
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut open: Option<(Range<usize>, usize)> = None;
    for (at, sentence) in sentences.iter().enumerate() {
        let wide = width(text.get(sentence.clone()).unwrap_or_default()) + 1;
        // The gap before this sentence is that after the one before it.
        let depth = at.checked_sub(1).and_then(|gap| depths.get(gap)).copied().unwrap_or(0.0);
        match &mut open {
            Some((piece, so_far))
                if *so_far + wide <= measures.size
                    // A piece of a few words says nothing by itself.
                    && (depth <= usual || *so_far < measures.size / 6) =>
            {
                piece.end = sentence.end;
                *so_far += wide;
            }
            _ => {
                pieces.extend(open.take().map(|(piece, _)| piece));
                open = Some((sentence.clone(), wide));
            }
        }
    }
    let Some((last, wide)) = open else { return (pieces, compared) };
    match pieces.last_mut() {
        Some(before) if wide < measures.size / 6 => before.end = last.end,
        _ => pieces.push(last),
    }
    (pieces, compared)
}

/// What the sentences are compared by.
enum Vectors {
    Meaning(Vec<Vec<f32>>),
    Words(Vec<Sparse>),
}

fn embedded(texts: &[&str], embed: Embed<'_>) -> Option<Vectors> {
    let mut vectors = Vec::with_capacity(texts.len());
    for texts in texts.chunks(TOGETHER) {
        vectors.extend(embed(texts).filter(|vectors| vectors.len() == texts.len())?);
    }
    let length = vectors.first().map_or(0, Vec::len);
    vectors.iter().all(|vector| vector.len() == length).then_some(Vectors::Meaning(vectors))
}

impl Vectors {
    /// How alike the two sides of each gap between sentences are, -1 to 1.
    fn likeness(&self) -> Vec<f32> {
        match self {
            Self::Meaning(vectors) => gaps(vectors.len())
                .map(|(before, after)| {
                    let sum = |range: Range<usize>| {
                        let mut sum = vec![0.0; vectors.first().map_or(0, Vec::len)];
                        for vector in vectors.get(range).unwrap_or_default() {
                            sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
                        }
                        sum
                    };
                    cosine(&sum(before), &sum(after))
                })
                .collect(),
            Self::Words(words) => gaps(words.len())
                .map(|(before, after)| {
                    let sum = |range: Range<usize>| Sparse::sum(words.get(range).unwrap_or_default());
                    sum(before).cosine(&sum(after))
                })
                .collect(),
        }
    }
}

/// The sentences before and after each gap.
fn gaps(sentences: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    (1..sentences).map(move |at| (at.saturating_sub(WINDOW)..at, at..(at + WINDOW).min(sentences)))
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    let length = |v: &[f32]| v.iter().map(|v| v * v).sum::<f32>().sqrt();
    let lengths = length(a) * length(b);
    if lengths > 0.0 { dot / lengths } else { 0.0 }
}

/// How much lower each gap's likeness is than the peaks on either side of it, added up.
fn depths(likeness: &[f32]) -> Vec<f32> {
    let peaks = |values: &mut dyn Iterator<Item = &f32>| {
        let (mut peaks, mut peak, mut last) = (Vec::new(), f32::MIN, f32::MIN);
        for value in values {
            // Downhill the last peak counts, uphill the height itself.
            peak = if *value >= last { *value } else { peak };
            last = *value;
            peaks.push(peak);
        }
        peaks
    };
    let left = peaks(&mut likeness.iter());
    let mut right = peaks(&mut likeness.iter().rev());
    right.reverse();
    let sides = left.iter().zip(&right);
    likeness.iter().zip(sides).map(|(at, (left, right))| (left - at) + (right - at)).collect()
}

/// A depth that only the deeper gaps of a text exceed: half a deviation above the mean.
fn threshold(depths: &[f32]) -> f32 {
    let count = depths.iter().fold(0.0_f32, |count, _| count + 1.0).max(1.0);
    let mean = depths.iter().sum::<f32>() / count;
    let variance = depths.iter().map(|depth| (depth - mean).powi(2)).sum::<f32>() / count;
    mean + variance.sqrt() / 2.0
}

/// How often each word, or pair of ideographs, occurs.
#[derive(Default)]
struct Sparse(HashMap<u64, f32, foldhash::fast::FixedState>);

impl Sparse {
    fn of(text: &str) -> Self {
        let mut counts = Self::default();
        let folded = text.to_lowercase();
        for word in folded.split(|c: char| !c.is_alphanumeric()) {
            let wide = word.chars().next().is_some_and(|c| c >= '\u{1100}');
            if wide {
                // Endings and particles vary; the first two syllables are mostly the word.
                let stem: String = word.chars().take(2).collect();
                counts.add(&stem);
            } else if word.len() > 3 {
                counts.add(word.get(..word.len().min(8)).unwrap_or(word));
            }
        }
        counts
    }

    fn add(&mut self, word: &str) {
        use std::hash::BuildHasher as _;
        *self.0.entry(foldhash::fast::FixedState::default().hash_one(word)).or_default() += 1.0;
    }

    fn sum(parts: &[Self]) -> Self {
        let mut sum = Self::default();
        for (word, count) in parts.iter().flat_map(|part| &part.0) {
            *sum.0.entry(*word).or_default() += count;
        }
        sum
    }

    fn cosine(&self, other: &Self) -> f32 {
        // In one order, so that rounding does not depend on the maps.
        let mut shared: Vec<(u64, f32)> =
            self.0.iter().filter_map(|(word, count)| Some((*word, count * other.0.get(word)?))).collect();
        shared.sort_unstable_by_key(|(word, _)| *word);
        let dot: f32 = shared.iter().map(|(_, product)| product).sum();
        // Counts are whole numbers: their squares add up the same in any order.
        let length = |counts: &Self| counts.0.values().map(|count| count * count).sum::<f32>().sqrt();
        let lengths = length(self) * length(other);
        if lengths > 0.0 { dot / lengths } else { 0.0 }
    }
}
