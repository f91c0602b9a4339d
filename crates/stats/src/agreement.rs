//! How far two agree who label the same samples: a judge and people, or two people.

use crate::ranking::float;

/// Counts of pairs of labels: `count(a, b)` samples that the first called `a` and the second `b`, of `k` labels
/// numbered from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    k: usize,
    counts: Vec<u64>,
}

/// How labels that are not the same are counted by [`Confusion::kappa`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// All as wrong as each other.
    Equal,
    /// By their distance.
    Linear,
    /// By the square of their distance.
    Quadratic,
}

impl Confusion {
    /// Nothing counted, of `k` labels.
    pub fn new(k: usize) -> Self {
        Self { k, counts: vec![0; k * k] }
    }

    /// Of pairs of labels; a label of `k` or more is left out.
    pub fn of(k: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut confusion = Self::new(k);
        for (first, second) in pairs {
            confusion.add(first, second, 1);
        }
        confusion
    }

    /// Counts samples with these labels.
    pub fn add(&mut self, first: usize, second: usize, times: u64) {
        if first < self.k
            && second < self.k
            && let Some(count) = self.counts.get_mut(first * self.k + second)
        {
            *count += times;
        }
    }

    /// Samples that the first called `first` and the second `second`.
    pub fn count(&self, first: usize, second: usize) -> u64 {
        if second >= self.k { 0 } else { self.counts.get(first * self.k + second).copied().unwrap_or(0) }
    }

    /// All samples.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Labels.
    pub fn labels(&self) -> usize {
        self.k
    }

    /// How often the first gave a label.
    pub fn of_first(&self, label: usize) -> u64 {
        (0..self.k).map(|other| self.count(label, other)).sum()
    }

    /// How often the second gave a label.
    pub fn of_second(&self, label: usize) -> u64 {
        (0..self.k).map(|other| self.count(other, label)).sum()
    }

    /// The share of samples on which both agree; `None` of no sample.
    pub fn agreement(&self) -> Option<f64> {
        ratio((0..self.k).map(|label| self.count(label, label)).sum(), self.total())
    }

    /// What always giving the commonest label of the first would agree with it: the share to beat.
    pub fn majority(&self) -> Option<f64> {
        ratio((0..self.k).map(|label| self.of_first(label)).max()?, self.total())
    }

    /// Cohen's kappa (1960; weighted, 1968): agreement beyond what chance would give two who label as often as these
    /// do. `None` of no sample, and where both give one label only, of which chance says nothing.
    pub fn kappa(&self, weights: Weights) -> Option<f64> {
        let n = count(self.total());
        let (mut seen, mut expected) = (0.0, 0.0);
        for first in 0..self.k {
            for second in 0..self.k {
                let distance = float(first.abs_diff(second));
                let wrong = match weights {
                    Weights::Equal => f64::from(u8::from(first != second)),
                    Weights::Linear => distance,
                    Weights::Quadratic => distance * distance,
                };
                seen += wrong * count(self.count(first, second)) / n;
                expected += wrong * count(self.of_first(first)) / n * (count(self.of_second(second)) / n);
            }
        }
        (n > 0.0 && expected > 0.0).then(|| 1.0 - seen / expected)
    }

    /// Gwet's AC1 (2008), which does not fall where one label is rare as kappa does. `None` of no sample or fewer than
    /// two labels.
    pub fn ac1(&self) -> Option<f64> {
        let agreed = self.agreement()?;
        let n = count(self.total());
        let by_chance: f64 = (0..self.k)
            .map(|label| {
                let share = (count(self.of_first(label)) + count(self.of_second(label))) / (2.0 * n);
                share * (1.0 - share)
            })
            .sum::<f64>()
            / (float(self.k) - 1.0);
        (self.k > 1).then(|| (agreed - by_chance) / (1.0 - by_chance))
    }

    /// How the second does at telling `positive`, with the first as the truth.
    pub fn detection(&self, positive: usize) -> Detection {
        let hits = self.count(positive, positive);
        let (truth, said) = (self.of_first(positive), self.of_second(positive));
        Detection {
            hits,
            misses: truth - hits,
            false_alarms: said - hits,
            rejections: self.total() + hits - truth - said,
        }
    }
}

/// Yes or no, told by one whose truth is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detection {
    /// Told yes, and is.
    pub hits: u64,
    /// Told no, and is.
    pub misses: u64,
    /// Told yes, and is not.
    pub false_alarms: u64,
    /// Told no, and is not.
    pub rejections: u64,
}

impl Detection {
    /// Of what was told yes, the share that is; `None` where none was.
    pub fn precision(self) -> Option<f64> {
        ratio(self.hits, self.hits + self.false_alarms)
    }
    /// Of what is, the share that was told (sensitivity).
    pub fn recall(self) -> Option<f64> {
        ratio(self.hits, self.hits + self.misses)
    }
    /// Of what is not, the share that was told no.
    pub fn specificity(self) -> Option<f64> {
        ratio(self.rejections, self.rejections + self.false_alarms)
    }
    /// The harmonic mean of precision and recall.
    pub fn f1(self) -> Option<f64> {
        ratio(2 * self.hits, 2 * self.hits + self.misses + self.false_alarms)
    }
}

/// Kendall's tau-b (1945): pairs in the same order less pairs in the other, corrected for ties. In O(n log n) by
/// Knight's method (1966). `None` where one of the two says the same of all, or the lengths differ.
pub fn kendall_tau_b(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() {
        return None;
    }
    let mut pairs: Vec<(f64, f64)> = x.iter().map(|x| x + 0.0).zip(y.iter().map(|y| y + 0.0)).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let all = pairs_of(pairs.len());
    let tied_x = tied(&pairs, |a, b| same(a.0, b.0));
    let tied_both = tied(&pairs, |a, b| same(a.0, b.0) && same(a.1, b.1));
    let mut ys: Vec<f64> = pairs.into_iter().map(|(_, y)| y).collect();
    let swaps = count(exchanges(&mut ys));
    let tied_y = tied(&ys, |a, b| same(*a, *b));
    let below = ((all - tied_x) * (all - tied_y)).sqrt();
    (below > 0.0).then(|| ((all - tied_x - tied_y + tied_both - 2.0 * swaps) / below).clamp(-1.0, 1.0))
}

/// Once zeros have lost their sign (`+ 0.0`), what is equal is so bit by bit.
fn same(a: f64, b: f64) -> bool {
    a.total_cmp(&b).is_eq()
}

fn pairs_of(n: usize) -> f64 {
    float(n) * (float(n) - 1.0) / 2.0
}

/// Pairs of neighbours' runs that are the same.
fn tied<T>(sorted: &[T], same: impl Fn(&T, &T) -> bool) -> f64 {
    sorted.chunk_by(same).map(|run| pairs_of(run.len())).sum()
}

/// Sorts, and counts how many pairs stood the wrong way round.
fn exchanges(values: &mut [f64]) -> u64 {
    if values.len() < 2 {
        return 0;
    }
    let middle = values.len() / 2;
    let (left, right) = values.split_at_mut(middle);
    let mut swaps = exchanges(left) + exchanges(right);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut a, mut b) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    while let (Some(first), Some(second)) = (a.peek().copied(), b.peek().copied()) {
        if first <= second {
            merged.push(first);
            a.next();
        } else {
            swaps += u64::try_from(a.len()).unwrap_or(0);
            merged.push(second);
            b.next();
        }
    }
    merged.extend(a);
    merged.extend(b);
    values.copy_from_slice(&merged);
    swaps
}

/// Spearman's rho (1904): the correlation of ranks, ties at their mean rank.
pub fn spearman_rho(x: &[f64], y: &[f64]) -> Option<f64> {
    (x.len() == y.len()).then(|| pearson(&ranks(x), &ranks(y)))?
}

/// Pearson's correlation; `None` where one of the two does not vary.
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let (middle_x, middle_y) = (crate::percentile::mean(x)?, crate::percentile::mean(y)?);
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        xy += (x - middle_x) * (y - middle_y);
        xx += (x - middle_x).powi(2);
        yy += (y - middle_y).powi(2);
    }
    (x.len() == y.len() && xx > 0.0 && yy > 0.0).then(|| (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0))
}

/// The rank of each, from 1, ties at the mean of theirs.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = values.iter().map(|x| x + 0.0).enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for run in order.chunk_by(|a, b| same(a.1, b.1)) {
        let rank = float(before) + f64::midpoint(float(run.len()), 1.0);
        for (at, _) in run {
            if let Some(place) = ranks.get_mut(*at) {
                *place = rank;
            }
        }
        before += run.len();
    }
    ranks
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| count(part) / count(whole))
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples are far below 2^53")]
pub(crate) fn count(count: u64) -> f64 {
    count as f64
}
