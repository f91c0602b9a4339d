//! Many histograms of whole numbers in one piece of memory, for percentiles within one part in 128.
//!
//! Numbers below 128 have a place each; above, every power of two is cut into 64 places of equal width, so that
//! the middle of a place is at most 1/128 from any number in it. A histogram takes memory for the powers of two
//! that it holds numbers of, 256 bytes each.

use crate::ranking::float;

/// Places in a block: one power of two.
const BLOCK: usize = 64;
const BLOCK_BITS: u32 = 6;
/// Blocks that numbers of 64 bits need: two below 128, then one for every further bit.
const BLOCKS: usize = 2 + (u64::BITS - BLOCK_BITS - 1) as usize;
/// No block yet.
const NONE: u32 = u32::MAX;

/// A number of histograms, empty at first.
#[derive(Clone, Debug, Default)]
pub struct Histograms {
    /// The blocks of each histogram, [`BLOCKS`] places; [`NONE`] where it has none.
    blocks: Vec<u32>,
    places: Vec<i32>,
}

impl Histograms {
    /// This many.
    pub fn new(count: usize) -> Self {
        Self { blocks: vec![NONE; count * BLOCKS], places: Vec::new() }
    }

    /// Counts a number `weight` times in one of them; a negative weight takes it out again.
    pub fn add(&mut self, histogram: usize, number: u64, weight: i32) {
        let (block, place) = place_of(number);
        if let Some(count) = self.block(histogram, block).and_then(|places| places.get_mut(place)) {
            *count = count.saturating_add(weight);
        }
    }

    /// The places of a block of a histogram, made where it is not there.
    fn block(&mut self, histogram: usize, block: usize) -> Option<&mut [i32]> {
        let at = self.blocks.get_mut(histogram * BLOCKS + block)?;
        if *at == NONE {
            *at = u32::try_from(self.places.len() / BLOCK).ok()?;
            self.places.resize(self.places.len() + BLOCK, 0);
        }
        let start = *at as usize * BLOCK;
        self.places.get_mut(start..start + BLOCK)
    }

    /// Adds all that one histogram counts to another.
    pub fn merge(&mut self, from: usize, into: usize) {
        for block in 0..BLOCKS {
            let Some(places) = self.places_of(from, block).map(<[i32]>::to_vec) else { continue };
            if let Some(into) = self.block(into, block) {
                for (count, more) in into.iter_mut().zip(places) {
                    *count = count.saturating_add(more);
                }
            }
        }
    }

    fn places_of(&self, histogram: usize, block: usize) -> Option<&[i32]> {
        let at = self.blocks.get(histogram * BLOCKS + block).copied().filter(|at| *at != NONE)? as usize;
        self.places.get(at * BLOCK..(at + 1) * BLOCK)
    }

    /// The `ranks`, each in 0..=1 and ascending, of one of them: the numbers that this share of all is not greater
    /// than, within one part in 128. `None` where it counts nothing.
    pub fn percentiles<const N: usize>(&self, histogram: usize, ranks: [f64; N]) -> Option<[f64; N]> {
        let counts = || {
            let blocks =
                (0..BLOCKS).filter_map(move |block| Some((block, self.places_of(histogram, block)?)));
            blocks.flat_map(|(block, places)| {
                (0..)
                    .zip(places)
                    .filter(|(_, count)| **count > 0)
                    .map(move |(place, count)| (middle_of(block, place), u64::try_from(*count).unwrap_or(0)))
            })
        };
        let all: u64 = counts().map(|(_, count)| count).sum();
        if all == 0 {
            return None;
        }
        let mut found = [0.0; N];
        let mut below = 0_u64;
        let mut wanted = ranks.iter().zip(&mut found).peekable();
        for (number, count) in counts() {
            below += count;
            // The nearest rank: the first number that this many are not greater than.
            while let Some((_, place)) = wanted.next_if(|(rank, _)| **rank * wide(all) <= wide(below)) {
                *place = number;
            }
        }
        Some(found)
    }
}

fn wide(count: u64) -> f64 {
    float(usize::try_from(count).unwrap_or(usize::MAX))
}

/// The block and the place in it.
fn place_of(number: u64) -> (usize, usize) {
    let bits = u64::BITS - number.leading_zeros();
    // The number's power of two, and its seven highest bits.
    let shift = bits.saturating_sub(BLOCK_BITS + 1);
    let high = usize::try_from(number >> shift).unwrap_or(0);
    match (shift, high / BLOCK) {
        (0, block) => (block, high % BLOCK),
        (shift, _) => (1 + shift as usize, high % BLOCK),
    }
}

/// The number in the middle of a place.
fn middle_of(block: usize, place: usize) -> f64 {
    let place = float(place);
    match block.checked_sub(1).and_then(|shift| i32::try_from(shift).ok()) {
        None => place,
        Some(0) => 64.0 + place,
        Some(shift) => (64.0 + place + 0.5) * 2_f64.powi(shift) - 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back_within_a_part_in_128() {
        let numbers =
            (0..200).chain((0..64).map(|bit| 1 << bit)).chain((7..64).map(|bit| (1_u64 << bit) - 1));
        for number in numbers.chain([u64::MAX, 1_000_003, 123_456_789_012]) {
            let mut all = Histograms::new(2);
            all.add(1, number, 1);
            let [found] = all.percentiles(1, [0.5]).unwrap();
            #[expect(clippy::cast_precision_loss, reason = "compared within a part in 128")]
            let number = number as f64;
            assert!((found - number).abs() <= number / 128.0, "{number} {found}");
            assert_eq!(all.percentiles(0, [0.5]), None);
        }
    }

    #[test]
    fn percentiles_are_those_of_the_numbers() {
        let mut all = Histograms::new(3);
        for number in 1..=1000 {
            all.add(usize::from(number > 500), number, 1);
        }
        let check = |all: &Histograms, at: usize, expect: [f64; 3]| {
            let found = all.percentiles(at, [0.5, 0.95, 0.99]).unwrap();
            for (found, expect) in found.iter().zip(expect) {
                assert!((found - expect).abs() <= expect / 128.0, "{found} {expect}");
            }
        };
        check(&all, 0, [250.0, 475.0, 495.0]);
        all.merge(0, 2);
        all.merge(1, 2);
        check(&all, 2, [500.0, 950.0, 990.0]);
        for number in 501..=1000 {
            all.add(2, number, -1);
        }
        check(&all, 2, [250.0, 475.0, 495.0]);
    }
}
