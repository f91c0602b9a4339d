//! `rouge`: ROUGE (Lin 2004) as Google's rouge-score has it, without stemming: recall, precision and their harmonic
//! mean of runs of tokens (`1` to `9`), of the longest common subsequence (`l`), and of its union over the lines of a
//! summary (`lsum`). The score is the harmonic mean; of several expected texts the one for which it is best.

use super::runs::{numbered, shared, tally};
use super::spec::{Rouge, RougeTokens};
use super::subject::{Found, Rule, Subject};
use hanok_base::{ScoreValue, Verdict};
use std::collections::{BTreeSet, HashMap};
use unicode_normalization::char::is_combining_mark;

/// Cells of the table of a longest common subsequence.
const CELLS: usize = 64_000_000;

/// `rouge`.
pub(crate) struct RougeRule {
    of: Vec<(String, Variant)>,
    tokens: RougeTokens,
}

#[derive(Clone, Copy)]
enum Variant {
    Runs(usize),
    Subsequence,
    Lines,
}

impl RougeRule {
    pub(crate) fn new(spec: &Rouge) -> Result<Self, String> {
        let read = |name: &String| {
            let plain = name.to_lowercase();
            let variant = match plain.as_str() {
                "l" => Variant::Subsequence,
                "lsum" => Variant::Lines,
                other => match other.parse() {
                    Ok(n @ 1..=9) => Variant::Runs(n),
                    _ => return Err(format!("there is no ROUGE-{name}: `1` to `9`, `l` or `lsum`")),
                },
            };
            Ok((plain, variant))
        };
        let of = spec.of.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if of.is_empty() {
            return Err("`of` is empty: `1` to `9`, `l` or `lsum`".to_owned());
        }
        Ok(Self { of, tokens: spec.tokens })
    }

    fn cut(&self, text: &str) -> Vec<String> {
        let lower = text.to_lowercase();
        let is_part = |c: char| match self.tokens {
            RougeTokens::Ascii => c.is_ascii_alphanumeric(),
            RougeTokens::Words => c.is_alphanumeric() || is_combining_mark(c),
        };
        lower.split(|c| !is_part(c)).filter(|token| !token.is_empty()).map(ToOwned::to_owned).collect()
    }

    fn score(&self, variant: Variant, text: &str, reference: &str) -> Option<f64> {
        match variant {
            Variant::Runs(n) => {
                let (text, reference) = (self.cut(text), self.cut(reference));
                let mut numbers = HashMap::new();
                let (text, reference) = (numbered(&text, &mut numbers), numbered(&reference, &mut numbers));
                let (found, wanted) = (tally(&text, n), tally(&reference, n));
                Some(f_measure(shared(&wanted, &found), found.values().sum(), wanted.values().sum()))
            }
            Variant::Subsequence => {
                let (text, reference) = (self.cut(text), self.cut(reference));
                let table = Table::new(&reference, &text)?;
                Some(f_measure(u64::from(table.length()), long(text.len()), long(reference.len())))
            }
            Variant::Lines => {
                let lines = |text: &str| -> Vec<Vec<String>> {
                    text.split('\n').filter(|line| !line.is_empty()).map(|line| self.cut(line)).collect()
                };
                by_lines(&lines(text), &lines(reference))
            }
        }
    }
}

impl Rule for RougeRule {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let expected = subject.expected_texts();
        if expected.is_empty() {
            return Found::skipped("the sample says nothing of what is expected");
        }
        let mut parts = Vec::with_capacity(self.of.len());
        for (name, variant) in &self.of {
            let mut best: f64 = 0.0;
            for reference in &expected {
                match self.score(*variant, &subject.text, reference) {
                    Some(score) => best = best.max(score),
                    None => return Found::failed("the texts are too long for a longest common subsequence"),
                }
            }
            parts.push((name.clone(), Verdict::Value(ScoreValue::Number(best))));
        }
        // The first one is the score, all of several are parts of it.
        let verdict = parts.first().map_or(Verdict::Skipped(String::new()), |(_, verdict)| verdict.clone());
        let mut found = Found::of(verdict, "");
        if parts.len() > 1 {
            found.parts = parts;
        }
        found
    }
}

/// Summary-level: each line of the reference with the union of its subsequences with all lines of the text, no token
/// counted more often than either has it.
fn by_lines(text: &[Vec<String>], reference: &[Vec<String>]) -> Option<f64> {
    fn times(lines: &[Vec<String>]) -> HashMap<&str, u64> {
        let mut times: HashMap<&str, u64> = HashMap::new();
        for token in lines.iter().flatten() {
            *times.entry(token).or_default() += 1;
        }
        times
    }
    let (mut left, mut wanted) = (times(text), times(reference));
    let mut hits = 0;
    for line in reference {
        let mut union = BTreeSet::new();
        for other in text {
            union.extend(Table::new(line, other)?.places(line, other));
        }
        for token in union.into_iter().filter_map(|place| line.get(place)) {
            if let (Some(a @ 1..), Some(b @ 1..)) =
                (left.get_mut(token.as_str()), wanted.get_mut(token.as_str()))
            {
                *a -= 1;
                *b -= 1;
                hits += 1;
            }
        }
    }
    let size = |lines: &[Vec<String>]| long(lines.iter().map(Vec::len).sum());
    Some(f_measure(hits, size(text), size(reference)))
}

/// Lengths of longest common subsequences of all beginnings of two sequences.
struct Table {
    cells: Vec<u32>,
    width: usize,
}

impl Table {
    fn new(a: &[String], b: &[String]) -> Option<Self> {
        let width = b.len() + 1;
        if (a.len() + 1).saturating_mul(width) > CELLS {
            return None;
        }
        let mut cells = vec![0; (a.len() + 1) * width];
        for (row, x) in a.iter().enumerate() {
            let (above, below) = cells.split_at_mut((row + 1) * width);
            let above = above.get(row * width..).unwrap_or_default();
            let mut left = 0;
            for ((y, pair), cell) in b.iter().zip(above.windows(2)).zip(below.iter_mut().skip(1)) {
                let &[diagonal, up] = pair else { continue };
                left = if x == y { diagonal + 1 } else { up.max(left) };
                *cell = left;
            }
        }
        Some(Self { cells, width })
    }

    fn length(&self) -> u32 {
        self.cells.last().copied().unwrap_or(0)
    }

    fn at(&self, row: usize, column: usize) -> u32 {
        self.cells.get(row * self.width + column).copied().unwrap_or(0)
    }

    /// Places in `a` of one longest common subsequence; of several the one that rouge-score takes.
    fn places(&self, a: &[String], b: &[String]) -> Vec<usize> {
        let (mut row, mut column) = (a.len(), b.len());
        let mut places = Vec::new();
        while row > 0 && column > 0 {
            if a.get(row - 1) == b.get(column - 1) {
                places.push(row - 1);
                row -= 1;
                column -= 1;
            } else if self.at(row, column - 1) > self.at(row - 1, column) {
                column -= 1;
            } else {
                row -= 1;
            }
        }
        places
    }
}

fn long(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^53")]
fn f_measure(hits: u64, found: u64, wanted: u64) -> f64 {
    let precision = hits as f64 / found.max(1) as f64;
    let recall = hits as f64 / wanted.max(1) as f64;
    if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}
