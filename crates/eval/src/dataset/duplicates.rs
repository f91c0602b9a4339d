//! Rows that are alike: the same input twice, nearly the same (`MinHash`, Broder 1997), and such pairs over two splits,
//! by which a test set is known before the test.
//!
//! Texts are compared by their three-character shingles after NFKC, lower case and one space for any: that works for
//! languages without spaces, too. Two inputs are nearly the same where the Jaccard index of their shingles is at least
//! 0.8. Candidates come from 32 bands of 4 hashes, which finds a pair at 0.8 with a probability above 0.9999; each is
//! checked exactly.

use super::split_of;
use crate::template::text;
use hanok_base::Sample;
use hanok_store::datasets::content_hash;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use unicode_normalization::UnicodeNormalization as _;

/// From here on two inputs are nearly the same.
pub const NEAR: f64 = 0.8;
const BANDS: usize = 32;
const ROWS_OF_BAND: usize = 4;
/// Rows of one bucket that are compared with each other.
const MOST_IN_BUCKET: usize = 64;
/// Pairs that are named; the others are counted.
const NAMED: usize = 1000;

/// Two rows that are alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// One's id.
    pub first: String,
    /// The other's.
    pub second: String,
    /// How alike, from 0.8 to 1.
    pub likeness: f64,
    /// The splits they are in, where both are in one and those differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<(String, String)>,
    /// Whether both say what would be right, and not the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub contradict: bool,
}

/// What is wrong with a dataset.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Findings {
    /// Rows looked at.
    pub rows: usize,
    /// Pairs with the very same input.
    pub same: usize,
    /// Pairs with nearly the same.
    pub near: usize,
    /// Of both, pairs over two splits.
    pub leaks: usize,
    /// Of both, pairs that contradict each other.
    pub contradictions: usize,
    /// Rows that do not say what would be right.
    pub without_expected: usize,
    /// The pairs, those over two splits first; a thousand at most.
    pub pairs: Vec<Pair>,
}

/// Looks at rows, one after the other.
#[derive(Default)]
pub struct Finder {
    rows: Vec<Seen>,
    buckets: HashMap<(usize, u64), Vec<u32>>,
}

struct Seen {
    id: String,
    split: Option<String>,
    expected: Option<u64>,
    whole: u64,
    shingles: Vec<u64>,
}

impl Finder {
    /// Looks at a row.
    pub fn push(&mut self, sample: &Sample) {
        let plain = normal(sample);
        let shingles = shingles(&plain);
        let at = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        for band in 0..BANDS {
            let key = band_key(&shingles, band);
            let bucket = self.buckets.entry((band, key)).or_default();
            if bucket.len() < MOST_IN_BUCKET {
                bucket.push(at);
            }
        }
        self.rows.push(Seen {
            id: sample.id.clone(),
            split: split_of(sample).map(str::to_owned),
            expected: sample.expected.as_ref().map(|expected| hash(expected.to_string().as_bytes())),
            whole: hash(plain.as_bytes()),
            shingles,
        });
    }

    /// What was found.
    pub fn findings(self) -> Findings {
        let mut candidates: BTreeSet<(u32, u32)> = BTreeSet::new();
        for bucket in self.buckets.values() {
            for (place, first) in bucket.iter().enumerate() {
                candidates.extend(bucket.iter().skip(place + 1).map(|second| (*first, *second)));
            }
        }
        let row = |at: u32| self.rows.get(usize::try_from(at).ok()?);
        let mut findings = Findings {
            rows: self.rows.len(),
            without_expected: self.rows.iter().filter(|row| row.expected.is_none()).count(),
            ..Findings::default()
        };
        let mut pairs = Vec::new();
        for (first, second) in candidates {
            let (Some(first), Some(second)) = (row(first), row(second)) else { continue };
            let is_same = first.whole == second.whole;
            let likeness = if is_same { 1.0 } else { jaccard(&first.shingles, &second.shingles) };
            if likeness < NEAR {
                continue;
            }
            if is_same {
                findings.same += 1;
            } else {
                findings.near += 1;
            }
            let splits = match (&first.split, &second.split) {
                (Some(one), Some(other)) if one != other => Some((one.clone(), other.clone())),
                _ => None,
            };
            let contradict = is_same
                && first.expected.is_some()
                && second.expected.is_some()
                && first.expected != second.expected;
            findings.leaks += usize::from(splits.is_some());
            findings.contradictions += usize::from(contradict);
            pairs.push(Pair {
                first: first.id.clone(),
                second: second.id.clone(),
                likeness,
                splits,
                contradict,
            });
        }
        pairs.sort_by(|a, b| {
            let rank = |pair: &Pair| (pair.splits.is_none(), !pair.contradict);
            rank(a).cmp(&rank(b)).then(b.likeness.total_cmp(&a.likeness))
        });
        pairs.truncate(NAMED);
        findings.pairs = pairs;
        findings
    }
}

/// The input's texts, in order, as they are compared.
fn normal(sample: &Sample) -> String {
    let mut joined = String::new();
    for value in sample.input.values() {
        let piece = if let Value::Array(turns) = value {
            turns
                .iter()
                .map(|turn| turn.get("content").map_or_else(|| text(turn), text))
                .collect::<Vec<_>>()
                .join("\n")
        } else {
            text(value)
        };
        joined.push_str(&piece);
        joined.push(' ');
    }
    let folded: String = joined.nfkc().flat_map(char::to_lowercase).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The hashes of all three-character pieces, sorted, each once; of a shorter text the text itself.
fn shingles(plain: &str) -> Vec<u64> {
    let starts: Vec<usize> = plain.char_indices().map(|(at, _)| at).chain([plain.len()]).collect();
    let mut found: Vec<u64> = starts
        .iter()
        .zip(starts.iter().skip(3))
        .filter_map(|(from, to)| plain.get(*from..*to))
        .map(|piece| hash(piece.as_bytes()))
        .collect();
    if found.is_empty() {
        found.push(hash(plain.as_bytes()));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The hash of one band of the signature.
fn band_key(shingles: &[u64], band: usize) -> u64 {
    let mut key = 0xcbf2_9ce4_8422_2325_u64;
    for row in 0..ROWS_OF_BAND {
        let salt =
            u64::try_from(band * ROWS_OF_BAND + row + 1).unwrap_or(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let least = shingles.iter().map(|shingle| mixed(shingle ^ salt)).min().unwrap_or_default();
        key = mixed(key ^ least);
    }
    key
}

fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn jaccard(first: &[u64], second: &[u64]) -> f64 {
    let (mut a, mut b, mut both) = (first.iter().peekable(), second.iter().peekable(), 0_usize);
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        match x.cmp(y) {
            std::cmp::Ordering::Equal => {
                both += 1;
                a.next();
                b.next();
            }
            std::cmp::Ordering::Less => {
                a.next();
            }
            std::cmp::Ordering::Greater => {
                b.next();
            }
        }
    }
    crate::report::share(both, (first.len() + second.len() - both).max(1))
}

fn hash(bytes: &[u8]) -> u64 {
    content_hash(bytes).first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample(id: &str, input: &str, split: &str, expected: &str) -> Sample {
        let value =
            json!({"id": id, "input": {"q": input}, "expected": expected, "metadata": {"split": split}});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_alike_is_found_in_any_language() {
        let rows = [
            sample("a", "How do I return a parcel that arrived broken last week?", "train", "x"),
            sample("b", "How do I return a parcel that arrived broken last  WEEK?", "test", "y"),
            sample("c", "How do I return a parcel that arrived broken this week?", "train", "x"),
            sample("d", "지난주에 받은 택배가 파손되어 있었는데 어떻게 반품하나요?", "train", "x"),
            sample("e", "지난주에 받은 택배가 파손되어 있었는데 어떻게 반품하나요", "test", "x"),
            sample("f", "환불은 며칠 걸리나요?", "test", "x"),
            sample("g", "What is the capital of Korea?", "test", "x"),
        ];
        let mut finder = Finder::default();
        for row in &rows {
            finder.push(row);
        }
        let findings = finder.findings();
        let has = |first: &str, second: &str| {
            findings.pairs.iter().find(|pair| (pair.first.as_str(), pair.second.as_str()) == (first, second))
        };
        let same = has("a", "b").unwrap();
        assert!(same.likeness >= 1.0 && same.contradict && same.splits.is_some());
        assert!(has("d", "e").unwrap().splits.is_some());
        assert!(has("a", "c").is_some_and(|pair| pair.likeness < 1.0 && pair.splits.is_none()));
        assert!(!findings.pairs.iter().any(|pair| [&pair.first, &pair.second].contains(&&"g".to_owned())));
        assert_eq!((findings.rows, findings.same, findings.leaks), (7, 1, 3));
    }
}
