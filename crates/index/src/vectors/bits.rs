//! A set of row numbers, a bit for each.

/// Which rows are deleted, or were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// None of `rows` rows.
    pub(crate) fn none(rows: u32) -> Self {
        Self(vec![0; super::segment::index(rows).div_ceil(64)])
    }

    /// Makes it none of `rows` rows.
    pub(crate) fn reset(&mut self, rows: u32) {
        self.0.clear();
        self.0.resize(super::segment::index(rows).div_ceil(64), 0);
    }

    /// From words as [`Bits::words`] gives them.
    pub(crate) fn of(words: Vec<u64>) -> Self {
        Self(words)
    }

    /// The bits, 64 to a word.
    pub(crate) fn words(&self) -> &[u64] {
        &self.0
    }

    /// Whether a row is in the set.
    #[inline]
    pub(crate) fn has(&self, row: u32) -> bool {
        self.0.get(super::segment::index(row / 64)).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Adds a row that is below the number given at first; whether it was not there.
    #[inline]
    pub(crate) fn insert(&mut self, row: u32) -> bool {
        let Some(word) = self.0.get_mut(super::segment::index(row / 64)) else { return false };
        let was = *word;
        *word |= 1 << (row % 64);
        *word != was
    }

    /// How many are in the set.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}
