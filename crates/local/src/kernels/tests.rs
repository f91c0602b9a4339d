//! Every instruction set of this processor against arithmetic in 64-bit floats, and all of them against the plain one.

#![expect(clippy::cast_precision_loss, reason = "small numbers")]

use super::weights::FloatLinear;
use super::*;
use proptest::prelude::*;

/// Numbers from -1 to 1 that depend on the seed only.
fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.f32() * 2.0 - 1.0).take(len).collect()
}

fn activated(activation: Activation, x: f64) -> f64 {
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
    match activation {
        Activation::None => x,
        Activation::Gelu => x * normal(x),
        Activation::GeluTanh => x * (1.0 + inner.tanh()) / 2.0,
        Activation::Relu => x.max(0.0),
    }
}

/// The normal distribution, by the series of Phi (Marsaglia 2004), which is exact to the last digits.
fn normal(x: f64) -> f64 {
    let (mut sum, mut term) = (x, x);
    let mut n = 1.0;
    while term.abs() > 1e-18 {
        n += 2.0;
        term *= x * x / n;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// `a * matrix^T + bias` in 64 bits.
fn expected(a: &[f32], matrix: &[f32], bias: &[f32], depth: usize, activation: Activation) -> Vec<f64> {
    let mut out = Vec::new();
    for row in a.chunks(depth) {
        for (weights, bias) in matrix.chunks(depth).zip(bias) {
            let sum: f64 = row.iter().zip(weights).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            out.push(activated(activation, sum + f64::from(*bias)));
        }
    }
    out
}

/// The product by a linear layer of one precision, without what is beyond its columns.
fn computed(
    kernels: &Kernels,
    linear: &Linear,
    a: &[f32],
    rows: usize,
    columns: usize,
    which: Activation,
) -> Vec<f32> {
    let depth = a.len() / rows;
    let room = linear.room(kernels);
    let mut c = vec![f32::NAN; rows * room];
    let mut scratch = ByteScratch::default();
    let x = Rows::new(a, rows, depth, depth);
    linear.apply(kernels, x, &mut RowsMut::new(&mut c, rows, room, room), which, &mut scratch);
    c.chunks(room).flat_map(|row| row[..columns].to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn products_are_right(rows in 1_usize..40, depth in 1_usize..300, columns in 1_usize..100, seed: u64,
        which in prop::sample::select(vec![Activation::None, Activation::Gelu, Activation::GeluTanh, Activation::Relu])) {
        let (a, matrix) = (numbers(seed, rows * depth), numbers(seed ^ 1, columns * depth));
        let bias = numbers(seed ^ 2, columns);
        let right = expected(&a, &matrix, &bias, depth, which);
        for isa in Isa::here() {
            let kernels = Kernels::of(isa).unwrap();
            let linear = Linear::pack(kernels, Precision::F32, &matrix, &bias, depth);
            let found = computed(kernels, &linear, &a, rows, columns, which);
            // A sum of n products of numbers up to 1 is off by at most n^2 / 2^24; in fact by far less.
            let bound = 1e-6 * (depth as f64).sqrt() + 1e-5;
            for (found, right) in found.iter().zip(&right) {
                prop_assert!((f64::from(*found) - right).abs() < bound, "{isa:?}: {found} for {right}");
            }
            // Each row alone gives the same bits.
            for (row, alone) in a.chunks(depth).enumerate() {
                let alone = computed(kernels, &linear, alone, 1, columns, which);
                prop_assert_eq!(&found[row * columns..(row + 1) * columns], &alone[..], "{:?}", isa);
            }
        }
    }

    #[test]
    fn products_in_bytes_are_the_same_everywhere(rows in 1_usize..20, depth in 1_usize..300, columns in 1_usize..70,
        seed: u64) {
        let (a, matrix) = (numbers(seed, rows * depth), numbers(seed ^ 1, columns * depth));
        let bias = numbers(seed ^ 2, columns);
        let right = expected(&a, &matrix, &bias, depth, Activation::None);
        let plain = Kernels::of(Isa::Plain).unwrap();
        let linear = Linear::pack(plain, Precision::Int8, &matrix, &bias, depth);
        let reference = computed(plain, &linear, &a, rows, columns, Activation::None);
        for (found, right) in reference.iter().zip(&right) {
            // Steps of 1/127 on both sides, which cancel out as the root of their number.
            prop_assert!((f64::from(*found) - right).abs() < 0.03 * (depth as f64).sqrt() + 0.01, "{found} for {right}");
        }
        for isa in Isa::here() {
            let kernels = Kernels::of(isa).unwrap();
            let linear = Linear::pack(kernels, Precision::Int8, &matrix, &bias, depth);
            let found = computed(kernels, &linear, &a, rows, columns, Activation::None);
            for (found, plain) in found.iter().zip(&reference) {
                // Whole numbers are exact; only scaling them rounds, in another order.
                prop_assert!((found - plain).abs() < 1e-4, "{isa:?}: {found} for {plain}");
            }
        }
    }

    #[test]
    fn bytes_are_the_same_everywhere(depth in 1_usize..300, seed: u64, size in -20_i32..20) {
        let x: Vec<f32> = numbers(seed, depth).iter().map(|x| x * 2.0_f32.powi(size)).collect();
        let mut all = Vec::new();
        for isa in Isa::here() {
            let kernels = Kernels::of(isa).unwrap();
            let panels = BytePanels::pack(kernels, &vec![0.0; depth], &[0.0], depth);
            let mut bytes = vec![0; panels.groups * panels.quads * 4];
            let mut scales = vec![[0.0; 2]; panels.groups];
            kernels.quantise(Rows::new(&x, 1, depth, depth), &panels, &mut bytes, &mut scales);
            for (number, (byte, x)) in bytes.iter().zip(&x).enumerate() {
                let [scale, zero] = scales[number / (panels.quads * 4)];
                // Half a step, and at one end of the range a whole one.
                prop_assert!(((f32::from(*byte) - zero) * scale - x).abs() <= scale * 1.000_1, "{isa:?}");
            }
            all.push((bytes, scales));
        }
        prop_assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn distributions_and_norms_are_right(rows in 1_usize..5, panels in 1_usize..4, width in 1_usize..200, seed: u64) {
        for isa in Isa::here() {
            let kernels = Kernels::of(isa).unwrap();
            let across = panels * kernels.float_width;
            let scores: Vec<f32> = numbers(seed, rows * across).iter().map(|x| x * 30.0).collect();
            let (mut soft, mut sums) = (scores.clone(), vec![0.0; rows]);
            kernels.soften(&mut RowsMut::new(&mut soft, rows, across, across), &mut sums);
            for ((soft, scores), sum) in soft.chunks(across).zip(scores.chunks(across)).zip(&sums) {
                let greatest = scores.iter().copied().fold(f32::MIN, f32::max);
                let right: Vec<f64> = scores.iter().map(|x| f64::from(x - greatest).exp()).collect();
                let total: f64 = right.iter().sum();
                prop_assert!((f64::from(*sum) - total).abs() < 1e-5 * total);
                for (soft, right) in soft.iter().zip(right) {
                    prop_assert!((f64::from(*soft) - right).abs() < 2e-6 * right + 1e-30, "{isa:?}: {soft} for {right}");
                }
            }
            let (mut x, y) = (numbers(seed ^ 3, width), numbers(seed ^ 4, width));
            let (gain, offset) = (numbers(seed ^ 5, width), numbers(seed ^ 6, width));
            let sum: Vec<f64> = x.iter().zip(&y).map(|(x, y)| f64::from(x + y)).collect();
            let mean = sum.iter().sum::<f64>() / width as f64;
            let variance = sum.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            kernels.add_norm(&mut x, Some(&y), &gain, &offset, 1e-5);
            for (number, found) in x.iter().enumerate() {
                let right = (sum[number] - mean) / (variance + 1e-5).sqrt();
                let right = right * f64::from(gain[number]) + f64::from(offset[number]);
                prop_assert!((f64::from(*found) - right).abs() < 1e-4, "{isa:?}: {found} for {right}");
            }
        }
    }
}

#[test]
fn activations_are_right_from_end_to_end() {
    // One input, one weight of 1: what comes out is the activation of what went in.
    for isa in Isa::here() {
        let kernels = Kernels::of(isa).unwrap();
        let linear = Linear::Float(FloatLinear::pack(kernels, &[1.0], &[0.0], 1));
        let a: Vec<f32> = (-600..=600).map(|x| x as f32 / 100.0).chain([-90.0, 90.0, -1e30, 1e30]).collect();
        for which in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
            let found = computed(kernels, &linear, &a, a.len(), 1, which);
            for (found, x) in found.iter().zip(&a) {
                let right =
                    if x.abs() > 50.0 { f64::from(x.max(0.0)) } else { activated(which, f64::from(*x)) };
                let close = (f64::from(*found) - right).abs() < 2e-6 * right.abs().max(1.0);
                assert!(close, "{isa:?} {which:?} of {x}: {found} for {right}");
            }
        }
    }
}

#[test]
fn nothing_but_zeros_and_no_number_at_all_become_the_middle() {
    for isa in Isa::here() {
        let kernels = Kernels::of(isa).unwrap();
        let panels = BytePanels::pack(kernels, &[1.0; 20], &[0.0], 20);
        for value in [0.0, f32::INFINITY] {
            let mut bytes = vec![7; 20];
            let mut scales = vec![[7.0; 2]];
            kernels.quantise(Rows::new(&[value; 20], 1, 20, 20), &panels, &mut bytes, &mut scales);
            assert_eq!(scales[0][0], 0.0, "{isa:?} {value}");
        }
    }
}
