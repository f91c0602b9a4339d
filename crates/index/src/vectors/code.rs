//! A vector as bytes, and a query as what bytes are compared with.
//!
//! A vector becomes whole numbers from -127 to 127 with its greatest component at 127, and a scale that makes
//! their length 1; so a product of two is a cosine, and what was a code before becomes the same code again.

use super::simd::{Factor, LANES};

/// Numbers in a vector at most, so that a product of two fits in 32 bits.
pub(crate) const MOST_DIMENSIONS: usize = 32_768;

/// Appends the code of `vector` to `rows`, filled up to whole lanes; gives its scale, `None` for a vector with a
/// number that is not finite. A vector of zeros has the scale 0 and is like nothing.
pub(crate) fn encode(vector: &[f32], rows: &mut Vec<u8>) -> Option<f32> {
    let greatest = vector.iter().fold(0.0_f32, |greatest, x| greatest.max(x.abs()));
    if !vector.iter().all(|x| x.is_finite()) {
        return None;
    }
    // Divided first: the smallest numbers have no finite inverse.
    let steps = |x: f32| if greatest > 0.0 { nearest(x / greatest * 127.0) } else { 0 };
    let mut squares = 0_u64;
    rows.extend(vector.iter().map(|x| {
        let step = steps(*x);
        squares += u64::from(step.unsigned_abs()).pow(2);
        step.cast_unsigned().wrapping_add(128)
    }));
    let filling = vector.len().next_multiple_of(LANES) - vector.len();
    rows.extend(std::iter::repeat_n(128_u8, filling));
    Some(inverse_root(squares))
}

#[expect(clippy::cast_possible_truncation, reason = "from -127 to 127")]
fn nearest(x: f32) -> i8 {
    x.round_ties_even().clamp(-127.0, 127.0) as i8
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a scale of seven digits is enough"
)]
fn inverse_root(squares: u64) -> f32 {
    if squares == 0 { 0.0 } else { (1.0 / (squares as f64).sqrt()) as f32 }
}

/// What is looked for: a vector of length 1, and its code.
pub(crate) struct Query {
    exact: Vec<f32>,
    /// For the kernels.
    pub(crate) factor: Factor,
    /// The code's scale.
    pub(crate) scale: f32,
}

impl Query {
    /// `None` for a vector with a number that is not finite.
    pub(crate) fn new(vector: &[f32]) -> Option<Self> {
        let mut row = Vec::with_capacity(vector.len().next_multiple_of(LANES));
        let scale = encode(vector, &mut row)?;
        let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let of = |x: &f32| if length > 0.0 { f64::from(*x) / length } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, reason = "as exact as it came")]
        let mut exact: Vec<f32> = vector.iter().map(|x| of(x) as f32).collect();
        exact.resize(row.len(), 0.0);
        let mut factor = Factor::default();
        factor.set_row(&row);
        Some(Self { exact, factor, scale })
    }

    /// The cosine with a row, from the query as it came. The same on every processor.
    pub(crate) fn cosine(&self, row: &[u8], scale: f32) -> f64 {
        let mut sums = [0.0_f32; LANES];
        for (exact, row) in self.exact.as_chunks::<LANES>().0.iter().zip(row.as_chunks::<LANES>().0) {
            for ((sum, exact), byte) in sums.iter_mut().zip(exact).zip(row) {
                *sum += exact * (f32::from(*byte) - 128.0);
            }
        }
        sums.iter().map(|sum| f64::from(*sum)).sum::<f64>() * f64::from(scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(row: &[u8], scale: f32) -> Vec<f32> {
        row.iter().map(|byte| (f32::from(*byte) - 128.0) * scale).collect()
    }

    proptest! {
        #[test]
        fn a_code_is_near_its_vector_and_stays(vector in prop::collection::vec(-1.0_f32..1.0, 1..200)) {
            let mut row = Vec::new();
            let scale = encode(&vector, &mut row).unwrap();
            prop_assert_eq!(row.len() % LANES, 0);
            let again = decoded(&row, scale);
            let mut second = Vec::new();
            prop_assert_eq!(encode(&again[..vector.len()], &mut second), Some(scale));
            prop_assert_eq!(&row, &second);
            let query = Query::new(&vector).unwrap();
            if scale > 0.0 {
                prop_assert!(query.cosine(&row, scale) > 0.999);
                let length: f32 = again.iter().map(|x| x * x).sum();
                prop_assert!((length - 1.0).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn odd_vectors() {
        let mut row = Vec::new();
        assert_eq!(encode(&[0.0; 3], &mut row), Some(0.0));
        assert_eq!(encode(&[1.0, f32::NAN], &mut row), None);
        assert_eq!(encode(&[1.0, f32::INFINITY], &mut row), None);
        row.clear();
        assert!(encode(&[f32::MIN_POSITIVE, 0.0], &mut row).unwrap() > 0.0);
        assert_eq!(row.first(), Some(&255));
        assert!(Query::new(&[f32::MAX, f32::MAX]).unwrap().cosine(&row, 1.0 / 127.0) > 0.7);
    }
}
