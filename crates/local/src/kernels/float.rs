//! Products of matrices and the functions between them, in floats: written once over [`Lanes`].
//!
//! Every row of a result is computed in one fixed order, whatever rows stand beside it and however many: so what a
//! text becomes depends neither on its neighbours nor on how work is shared out.

#![expect(unsafe_code, reason = "vector intrinsics over raw rows")]
#![expect(clippy::inline_always, reason = "intrinsics must meet the function that enables their features")]

use super::lanes::Lanes;

/// What becomes of each element of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    /// Nothing more.
    None,
    /// `x * Phi(x)`, Phi the normal distribution.
    Gelu,
    /// The same by its approximation with tanh, which some models were trained with.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
}

/// A product of a matrix of rows with packed panels: `c[i][j] = activation(bias[j] + sum over p of a[i][p] * b[p][j])`.
///
/// Invariant of whoever makes one: `a` is good for `rows` rows of `depth` floats that lie `a_stride` apart; `b` for
/// `panels` panels that lie `panel_stride` apart, of `depth` rows of one panel's width that lie `b_stride` apart;
/// `bias`, where not null, and each of `rows` rows of `c`, `c_stride` apart, for the width of all panels; `c` overlaps
/// nothing else.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub(crate) a: *const f32,
    pub(crate) a_stride: usize,
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) b: *const f32,
    pub(crate) b_stride: usize,
    pub(crate) panel_stride: usize,
    pub(crate) panels: usize,
    pub(crate) bias: *const f32,
    pub(crate) c: *mut f32,
    pub(crate) c_stride: usize,
    pub(crate) activation: Activation,
}

/// `M` rows by `N` registers of columns, kept in registers over the whole depth.
#[inline(always)]
unsafe fn tile<V: Lanes, const M: usize, const N: usize>(
    of: &Product,
    a: *const f32,
    b: *const f32,
    bias: *const f32,
    c: *mut f32,
) {
    // SAFETY: the caller keeps the invariant of `Product` for this tile, and the contract of `Lanes`.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; M];
        if !bias.is_null() {
            for row in &mut sums {
                for (j, sum) in row.iter_mut().enumerate() {
                    *sum = V::load(bias.add(j * V::WIDTH));
                }
            }
        }
        let mut b = b;
        for p in 0..of.depth {
            let mut columns = [V::splat(0.0); N];
            for (j, column) in columns.iter_mut().enumerate() {
                *column = V::load(b.add(j * V::WIDTH));
            }
            for (i, row) in sums.iter_mut().enumerate() {
                let value = V::splat(*a.add(i * of.a_stride + p));
                for (sum, column) in row.iter_mut().zip(columns) {
                    *sum = value.mul_add(column, *sum);
                }
            }
            b = b.add(of.b_stride);
        }
        for (i, row) in sums.iter().enumerate() {
            for (j, sum) in row.iter().enumerate() {
                sum.store(c.add(i * of.c_stride + j * V::WIDTH));
            }
        }
    }
}

/// The whole product, in tiles of at most `MOST` rows and `N` registers. Rows are shared out evenly over the tiles,
/// so that no tile is nearly empty.
#[inline(always)]
pub(super) unsafe fn product<V: Lanes, const MOST: usize, const N: usize>(of: &Product) {
    let width = N * V::WIDTH;
    let tiles = of.rows.div_ceil(MOST).max(1);
    let (least, more) = (of.rows / tiles, of.rows % tiles);
    // SAFETY: the caller keeps the invariant of `Product` and the contract of `Lanes`; offsets stay inside of what
    // the invariant covers.
    unsafe {
        for panel in 0..of.panels {
            let b = of.b.add(panel * of.panel_stride);
            let bias = if of.bias.is_null() { of.bias } else { of.bias.add(panel * width) };
            let mut row = 0;
            for number in 0..tiles {
                let rows = least + usize::from(number < more);
                let a = of.a.add(row * of.a_stride);
                let c = of.c.add(row * of.c_stride + panel * width);
                match rows {
                    0 => {}
                    1 => tile::<V, 1, N>(of, a, b, bias, c),
                    2 => tile::<V, 2, N>(of, a, b, bias, c),
                    3 => tile::<V, 3, N>(of, a, b, bias, c),
                    4 => tile::<V, 4, N>(of, a, b, bias, c),
                    5 => tile::<V, 5, N>(of, a, b, bias, c),
                    6 => tile::<V, 6, N>(of, a, b, bias, c),
                    // Beyond six rows the registers of anything but AVX-512 would not do.
                    7 if MOST > 6 => tile::<V, 7, N>(of, a, b, bias, c),
                    8 if MOST > 6 => tile::<V, 8, N>(of, a, b, bias, c),
                    9 if MOST > 6 => tile::<V, 9, N>(of, a, b, bias, c),
                    10 if MOST > 6 => tile::<V, 10, N>(of, a, b, bias, c),
                    11 if MOST > 6 => tile::<V, 11, N>(of, a, b, bias, c),
                    12 if MOST > 6 => tile::<V, 12, N>(of, a, b, bias, c),
                    13 if MOST > 6 => tile::<V, 13, N>(of, a, b, bias, c),
                    _ if MOST > 6 => tile::<V, 14, N>(of, a, b, bias, c),
                    _ => tile::<V, 6, N>(of, a, b, bias, c),
                }
                activate::<V>(of.activation, c, rows, of.c_stride, width);
                row += rows;
            }
        }
    }
}

/// The activation over a block of rows; `width` is a multiple of the lanes.
#[inline(always)]
pub(super) unsafe fn activate<V: Lanes>(
    which: Activation,
    c: *mut f32,
    rows: usize,
    stride: usize,
    width: usize,
) {
    if which == Activation::None {
        return;
    }
    // SAFETY: the caller vouches for `rows` rows of `width` floats at `c`, and the contract of `Lanes`.
    unsafe {
        for row in 0..rows {
            let mut at = c.add(row * stride);
            for _ in 0..width / V::WIDTH {
                let x = V::load(at);
                match which {
                    Activation::None => x,
                    Activation::Gelu => gelu(x),
                    Activation::GeluTanh => gelu_tanh(x),
                    Activation::Relu => x.max(V::splat(0.0)),
                }
                .store(at);
                at = at.add(V::WIDTH);
            }
        }
    }
}

/// `e^x`, to about 1e-7 of its value; below -87 it is about 1e-38 rather than less.
#[inline(always)]
pub(super) unsafe fn exp<V: Lanes>(x: V) -> V {
    // SAFETY: the caller keeps the contract of `Lanes`.
    unsafe {
        let x = x.max(V::splat(-87.3)).min(V::splat(88.0));
        let whole = x.mul(V::splat(std::f32::consts::LOG2_E)).round();
        // ln 2 in two parts, of which the first has so few digits that its product with `whole` is exact.
        let rest = whole.mul_add(V::splat(-0.693_359_4), x);
        let rest = whole.mul_add(V::splat(2.121_944_4e-4), rest);
        let mut sum = V::splat(1.0 / 5040.0);
        for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            sum = sum.mul_add(rest, V::splat(coefficient));
        }
        sum.mul(whole.exp2_whole())
    }
}

/// `x * Phi(x)` by Abramowitz and Stegun 7.1.26, whose error of erf is at most 1.5e-7.
#[inline(always)]
unsafe fn gelu<V: Lanes>(x: V) -> V {
    // SAFETY: the caller keeps the contract of `Lanes`.
    unsafe {
        let zero = V::splat(0.0);
        let positive = x.max(zero.sub(x));
        let z = positive.mul(V::splat(std::f32::consts::FRAC_1_SQRT_2));
        let t = V::splat(1.0).div(z.mul_add(V::splat(0.327_591_1), V::splat(1.0)));
        let mut sum = V::splat(1.061_405_4);
        for coefficient in [-1.453_152, 1.421_413_8, -0.284_496_74, 0.254_829_6] {
            sum = sum.mul_add(t, V::splat(coefficient));
        }
        // The part of the distribution that lies beyond |x|, times 2.
        let beyond = sum.mul(t).mul(exp(zero.sub(z.mul(z))));
        // x > 0: x - |x| * beyond / 2; x < 0: -|x| * beyond / 2.
        positive.mul(beyond).mul_add(V::splat(-0.5), x.max(zero))
    }
}

/// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`, which is `x * sigmoid` of twice that argument.
#[inline(always)]
unsafe fn gelu_tanh<V: Lanes>(x: V) -> V {
    // SAFETY: the caller keeps the contract of `Lanes`.
    unsafe {
        let cube = x.mul(x).mul(x);
        let inner = cube.mul_add(V::splat(0.044_715), x).mul(V::splat(-1.595_769_2));
        x.div(exp(inner).add(V::splat(1.0)))
    }
}

/// Makes the first `width` of each of `rows` rows a distribution, up to its sum: `e^(x - greatest)`; the sums go to
/// `sums`. `padded`, a multiple of the lanes, is how much of a row may be read; what is beyond `width` must be so
/// small that it adds nothing.
#[inline(always)]
pub(super) unsafe fn soften<V: Lanes>(
    c: *mut f32,
    rows: usize,
    stride: usize,
    padded: usize,
    sums: *mut f32,
) {
    // SAFETY: the caller vouches for `rows` rows of `padded` floats at `c`, for `rows` floats at `sums`, and the
    // contract of `Lanes`.
    unsafe {
        for row in 0..rows {
            let start = c.add(row * stride);
            let mut greatest = V::load(start);
            for j in 1..padded / V::WIDTH {
                greatest = greatest.max(V::load(start.add(j * V::WIDTH)));
            }
            let greatest = V::splat(greatest.greatest());
            let mut sum = V::splat(0.0);
            for j in 0..padded / V::WIDTH {
                let at = start.add(j * V::WIDTH);
                let value = exp(V::load(at).sub(greatest));
                value.store(at);
                sum = sum.add(value);
            }
            *sums.add(row) = sum.sum();
        }
    }
}

/// Multiplies each of `rows` rows of `width` floats by a number of its own.
#[inline(always)]
pub(super) unsafe fn scale<V: Lanes>(c: *mut f32, width: usize, by: f32) {
    // SAFETY: the caller vouches for `width` floats at `c`, and the contract of `Lanes`.
    unsafe {
        let lanes = V::splat(by);
        let whole = width / V::WIDTH * V::WIDTH;
        for j in (0..whole).step_by(V::WIDTH) {
            V::load(c.add(j)).mul(lanes).store(c.add(j));
        }
        for j in whole..width {
            *c.add(j) *= by;
        }
    }
}

/// `x = norm(x + y) * gain + offset` over one row of `width` floats; `y` may be null.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "a row's width is small")]
pub(super) unsafe fn add_norm<V: Lanes>(
    x: *mut f32,
    y: *const f32,
    gain: *const f32,
    offset: *const f32,
    width: usize,
    epsilon: f32,
) {
    // SAFETY: the caller vouches for `width` floats at each address that is not null, and the contract of `Lanes`.
    unsafe {
        let whole = width / V::WIDTH * V::WIDTH;
        let mut sum = V::splat(0.0);
        for j in (0..whole).step_by(V::WIDTH) {
            let mut value = V::load(x.add(j));
            if !y.is_null() {
                value = value.add(V::load(y.add(j)));
                value.store(x.add(j));
            }
            sum = sum.add(value);
        }
        let mut total = sum.sum();
        for j in whole..width {
            if !y.is_null() {
                *x.add(j) += *y.add(j);
            }
            total += *x.add(j);
        }
        let mean = total / width as f32;
        let means = V::splat(mean);
        let mut squares = V::splat(0.0);
        for j in (0..whole).step_by(V::WIDTH) {
            let distance = V::load(x.add(j)).sub(means);
            squares = distance.mul_add(distance, squares);
        }
        let mut total = squares.sum();
        for j in whole..width {
            let distance = *x.add(j) - mean;
            total += distance * distance;
        }
        let by = 1.0 / (total / width as f32 + epsilon).sqrt();
        let bys = V::splat(by);
        for j in (0..whole).step_by(V::WIDTH) {
            let value = V::load(x.add(j)).sub(means).mul(bys);
            value.mul_add(V::load(gain.add(j)), V::load(offset.add(j))).store(x.add(j));
        }
        for j in whole..width {
            *x.add(j) = (*x.add(j) - mean) * by * *gain.add(j) + *offset.add(j);
        }
    }
}
