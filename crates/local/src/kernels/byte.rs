//! Products of matrices in bytes: activations from 0 to 255 about a zero of their own, weights from -127 to 127,
//! sums in 32 bits, exact on every processor.

#![expect(unsafe_code, reason = "vector intrinsics over raw rows")]
#![expect(clippy::inline_always, reason = "intrinsics must meet the function that enables their features")]

use super::float::{Activation, activate};
use super::lanes::Lanes;
use std::mem::MaybeUninit;

/// Sums of several columns, grown by four products each at a time.
///
/// # Safety
///
/// As [`Lanes`]: the processor has the instruction set, addresses are good for what is touched.
pub(crate) trait Dots: Copy {
    /// How many columns.
    const WIDTH: usize;
    /// Four activations, for every column.
    type Row: Copy;
    /// Four weights of each column.
    type Columns: Copy;
    unsafe fn zero() -> Self;
    unsafe fn row(from: *const u8) -> Self::Row;
    unsafe fn columns(from: *const i8) -> Self::Columns;
    unsafe fn plus(self, row: Self::Row, columns: Self::Columns) -> Self;
    unsafe fn store(self, to: *mut i32);
}

/// A product with packed weights: `c[i][j] = activation(bias[j] + sum over groups g of a_scale[i][g] * b_scale[g][j] *
/// (sum over p in g of a[i][p] * b[p][j] - a_zero[i][g] * b_sum[g][j]))`.
///
/// Invariant of whoever makes one: `a` is good for `rows` rows of `groups * quads * 4` bytes that lie `a_stride` apart,
/// `a_scale` for two floats, scale and zero, for each of `rows * groups`; `b` for `panels` panels of `groups * quads` rows of 4 bytes for each column;
/// `b_scale` and `b_sum` for `groups` rows of the width of all panels, panel by panel; `bias` and each row of
/// `c`, `c_stride` apart, for the width of all panels; `c` overlaps nothing else.
#[derive(Clone, Copy)]
pub(crate) struct ByteProduct {
    pub(crate) a: *const u8,
    pub(crate) a_stride: usize,
    pub(crate) a_scale: *const f32,
    pub(crate) rows: usize,
    pub(crate) groups: usize,
    pub(crate) quads: usize,
    pub(crate) b: *const i8,
    pub(crate) b_scale: *const f32,
    pub(crate) b_sum: *const f32,
    pub(crate) panels: usize,
    pub(crate) bias: *const f32,
    pub(crate) c: *mut f32,
    pub(crate) c_stride: usize,
    pub(crate) activation: Activation,
}

/// Columns of the widest tile.
const WIDEST: usize = 32;

/// Stores the sums of a tile of at most two registers a row, without a loop: an array that is indexed at run time has to
/// lie in memory, and then every step of a product writes its sums there.
macro_rules! store_rows {
    ($sums:ident, $whole:ident, $width:expr, $($row:literal)*) => {
        $(
            if let (Some(from), Some(to)) = ($sums.get($row), $whole.get_mut($row)) {
                let to = to.as_mut_ptr().cast::<i32>();
                if let Some(sum) = from.first() {
                    sum.store(to);
                }
                if let Some(sum) = from.get(1) {
                    sum.store(to.add($width));
                }
            }
        )*
    };
}

/// Where a tile begins in each of the operands.
#[derive(Clone, Copy)]
struct Corner {
    a: *const u8,
    a_scale: *const f32,
    b: *const i8,
    b_scale: *const f32,
    b_sum: *const f32,
    bias: *const f32,
    c: *mut f32,
}

/// `M` rows by `N` registers of columns; the lanes `V` and the sums `D` are of one width.
#[inline(always)]
unsafe fn tile<V: Lanes, D: Dots, const M: usize, const N: usize>(of: &ByteProduct, at: Corner) {
    const { assert!(M <= 14 && N <= 2 && N * D::WIDTH <= WIDEST, "room for a tile") };
    let width = N * D::WIDTH;
    let mut whole = [[MaybeUninit::<i32>::uninit(); WIDEST]; M];
    // SAFETY: the caller keeps the invariant of `ByteProduct` for this tile, and the contracts of `Lanes` and `Dots`;
    // a row of `whole` holds the widest tile's columns, and is read only where it was written.
    unsafe {
        let mut b = at.b;
        for group in 0..of.groups {
            let mut sums = [[D::zero(); N]; M];
            let a = at.a.add(group * of.quads * 4);
            for quad in 0..of.quads {
                let mut columns = [D::columns(b); N];
                for (j, column) in columns.iter_mut().enumerate().skip(1) {
                    *column = D::columns(b.add(j * D::WIDTH * 4));
                }
                for (i, row) in sums.iter_mut().enumerate() {
                    let four = D::row(a.add(i * of.a_stride + quad * 4));
                    for (sum, column) in row.iter_mut().zip(columns) {
                        *sum = sum.plus(four, column);
                    }
                }
                b = b.add(width * 4);
            }
            store_rows!(sums, whole, D::WIDTH, 0 1 2 3 4 5 6 7 8 9 10 11 12 13);
            for (i, whole) in whole.iter().enumerate() {
                let a_scale = at.a_scale.add((i * of.groups + group) * 2);
                let (by, zero) = (V::splat(*a_scale), V::splat(-*a_scale.add(1)));
                for j in (0..width).step_by(V::WIDTH) {
                    let to = at.c.add(i * of.c_stride + j);
                    let before = V::load(if group == 0 { at.bias.add(j) } else { to.cast_const() });
                    let column = group * width + j;
                    // All of these are whole and below 2^24: floats have them exactly.
                    let sum = V::load_whole(whole.as_ptr().cast::<i32>().add(j));
                    let value = zero.mul_add(V::load(at.b_sum.add(column)), sum);
                    value.mul(by).mul_add(V::load(at.b_scale.add(column)), before).store(to);
                }
            }
        }
    }
}

/// The whole product, in tiles of at most `MOST` rows and `N` registers.
#[inline(always)]
pub(super) unsafe fn product<V: Lanes, D: Dots, const MOST: usize, const N: usize>(of: &ByteProduct) {
    let width = N * D::WIDTH;
    let tiles = of.rows.div_ceil(MOST).max(1);
    let (least, more) = (of.rows / tiles, of.rows % tiles);
    // SAFETY: the caller keeps the invariant of `ByteProduct` and the contracts; offsets stay inside of what the
    // invariant covers.
    unsafe {
        for panel in 0..of.panels {
            let mut row = 0;
            for number in 0..tiles {
                let rows = least + usize::from(number < more);
                let at = Corner {
                    a: of.a.add(row * of.a_stride),
                    a_scale: of.a_scale.add(row * of.groups * 2),
                    b: of.b.add(panel * of.groups * of.quads * width * 4),
                    b_scale: of.b_scale.add(panel * of.groups * width),
                    b_sum: of.b_sum.add(panel * of.groups * width),
                    bias: of.bias.add(panel * width),
                    c: of.c.add(row * of.c_stride + panel * width),
                };
                match rows {
                    0 => {}
                    1 => tile::<V, D, 1, N>(of, at),
                    2 => tile::<V, D, 2, N>(of, at),
                    3 => tile::<V, D, 3, N>(of, at),
                    4 => tile::<V, D, 4, N>(of, at),
                    5 if MOST > 4 => tile::<V, D, 5, N>(of, at),
                    6 if MOST > 4 => tile::<V, D, 6, N>(of, at),
                    7 if MOST > 6 => tile::<V, D, 7, N>(of, at),
                    8 if MOST > 6 => tile::<V, D, 8, N>(of, at),
                    9 if MOST > 6 => tile::<V, D, 9, N>(of, at),
                    10 if MOST > 6 => tile::<V, D, 10, N>(of, at),
                    11 if MOST > 6 => tile::<V, D, 11, N>(of, at),
                    12 if MOST > 6 => tile::<V, D, 12, N>(of, at),
                    13 if MOST > 6 => tile::<V, D, 13, N>(of, at),
                    _ if MOST > 6 => tile::<V, D, 14, N>(of, at),
                    _ if MOST > 4 => tile::<V, D, 6, N>(of, at),
                    _ => tile::<V, D, 4, N>(of, at),
                }
                activate::<V>(of.activation, at.c, rows, of.c_stride, width);
                row += rows;
            }
        }
    }
}

/// One group of a row in bytes: `x / scale + zero`, rounded, so that the bytes reach from the least to the greatest, and
/// 0.0 is one of them exactly; gives scale and zero. `to` is good for `width` bytes.
#[inline(always)]
pub(super) unsafe fn quantise<V: Lanes>(x: *const f32, width: usize, to: *mut u8) -> (f32, f32) {
    // SAFETY: the caller vouches for `width` floats at `x` and as many bytes at `to`, and the contract of `Lanes`.
    unsafe {
        let whole = width / V::WIDTH * V::WIDTH;
        let nothing = V::splat(0.0);
        let (mut above, mut below) = (nothing, nothing);
        for j in (0..whole).step_by(V::WIDTH) {
            let value = V::load(x.add(j));
            above = above.max(value);
            below = below.max(nothing.sub(value));
        }
        let (mut above, mut below) = (above.greatest(), below.greatest());
        for j in whole..width {
            above = above.max(*x.add(j));
            below = below.max(-*x.add(j));
        }
        let range = above + below;
        // Not a number, or nothing but zeros: all of it counts as zero.
        let (scale, by) =
            if range > 1e-30 && range < 1e30 { (range / 255.0, 255.0 / range) } else { (0.0, 0.0) };
        let zero = (below * by).round_ties_even();
        let (bys, zeros, most) = (V::splat(by), V::splat(zero), V::splat(255.0));
        for j in (0..whole).step_by(V::WIDTH) {
            // Both roundings may have gone up: then the greatest would be 256.
            V::load(x.add(j)).mul(bys).round().add(zeros).min(most).store_bytes(to.add(j));
        }
        for j in whole..width {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 255")]
            let byte = ((*x.add(j) * by).round_ties_even() + zero).min(255.0) as u8;
            *to.add(j) = byte;
        }
        (scale, zero)
    }
}

/// Eight columns in ordinary registers.
#[derive(Clone, Copy)]
pub(crate) struct PlainDots([i32; 8]);

impl Dots for PlainDots {
    const WIDTH: usize = 8;
    type Row = [u8; 4];
    type Columns = [[i8; 4]; 8];

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0; 8])
    }
    #[inline(always)]
    unsafe fn row(from: *const u8) -> [u8; 4] {
        // SAFETY: by the trait's contract.
        unsafe { from.cast::<[u8; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn columns(from: *const i8) -> [[i8; 4]; 8] {
        // SAFETY: by the trait's contract.
        unsafe { from.cast::<[[i8; 4]; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn plus(mut self, row: [u8; 4], columns: [[i8; 4]; 8]) -> Self {
        for (sum, column) in self.0.iter_mut().zip(columns) {
            for (a, b) in row.iter().zip(column) {
                *sum += i32::from(*a) * i32::from(b);
            }
        }
        self
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        // SAFETY: by the trait's contract.
        unsafe { to.cast::<[i32; 8]>().write_unaligned(self.0) }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2Dots, Avx512VnniDots, AvxVnniDots};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Dots;
    #[allow(clippy::wildcard_imports, reason = "intrinsics have names of their own")]
    use std::arch::x86_64::*;

    macro_rules! vnni {
        ($name:ident, $width:literal, $register:ty, $zero:ident, $set:ident, $load:ident, $dot:ident, $store:ident, $doc:literal) => {
            #[doc = $doc]
            #[derive(Clone, Copy)]
            pub(crate) struct $name($register);

            impl Dots for $name {
                const WIDTH: usize = $width;
                type Row = $register;
                type Columns = $register;
                #[inline(always)]
                unsafe fn zero() -> Self {
                    // SAFETY: by the trait's contract.
                    Self(unsafe { $zero() })
                }
                #[inline(always)]
                unsafe fn row(from: *const u8) -> $register {
                    // SAFETY: by the trait's contract.
                    unsafe { $set(from.cast::<i32>().read_unaligned()) }
                }
                #[inline(always)]
                unsafe fn columns(from: *const i8) -> $register {
                    // SAFETY: by the trait's contract.
                    unsafe { $load(from.cast()) }
                }
                #[inline(always)]
                unsafe fn plus(self, row: $register, columns: $register) -> Self {
                    // SAFETY: by the trait's contract.
                    Self(unsafe { $dot(self.0, row, columns) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut i32) {
                    // SAFETY: by the trait's contract.
                    unsafe { $store(to.cast(), self.0) }
                }
            }
        };
    }

    vnni!(
        Avx512VnniDots,
        16,
        __m512i,
        _mm512_setzero_si512,
        _mm512_set1_epi32,
        _mm512_loadu_si512,
        _mm512_dpbusd_epi32,
        _mm512_storeu_si512,
        "Sixteen columns: AVX-512 VNNI."
    );
    vnni!(
        AvxVnniDots,
        8,
        __m256i,
        _mm256_setzero_si256,
        _mm256_set1_epi32,
        _mm256_loadu_si256,
        _mm256_dpbusd_avx_epi32,
        _mm256_storeu_si256,
        "Eight columns: AVX VNNI."
    );

    /// Eight columns by AVX2, in words of 16 bits: its own product of bytes would saturate. Each column has two sums
    /// side by side until the end.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2Dots(__m256i, __m256i);

    impl Dots for Avx2Dots {
        const WIDTH: usize = 8;
        type Row = __m256i;
        type Columns = (__m256i, __m256i);
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: by the trait's contract.
            unsafe { Self(_mm256_setzero_si256(), _mm256_setzero_si256()) }
        }
        #[inline(always)]
        unsafe fn row(from: *const u8) -> __m256i {
            // SAFETY: by the trait's contract.
            unsafe { _mm256_cvtepu8_epi16(_mm_set1_epi32(from.cast::<i32>().read_unaligned())) }
        }
        #[inline(always)]
        unsafe fn columns(from: *const i8) -> (__m256i, __m256i) {
            // SAFETY: by the trait's contract.
            unsafe {
                let first = _mm_loadu_si128(from.cast());
                let second = _mm_loadu_si128(from.add(16).cast());
                (_mm256_cvtepi8_epi16(first), _mm256_cvtepi8_epi16(second))
            }
        }
        #[inline(always)]
        unsafe fn plus(self, row: __m256i, columns: (__m256i, __m256i)) -> Self {
            // SAFETY: by the trait's contract.
            unsafe {
                Self(
                    _mm256_add_epi32(self.0, _mm256_madd_epi16(row, columns.0)),
                    _mm256_add_epi32(self.1, _mm256_madd_epi16(row, columns.1)),
                )
            }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut i32) {
            // SAFETY: by the trait's contract.
            unsafe {
                // Columns 0 1 4 5 | 2 3 6 7, put in order by quarters.
                let sums = _mm256_hadd_epi32(self.0, self.1);
                _mm256_storeu_si256(to.cast(), _mm256_permute4x64_epi64::<0b11_01_10_00>(sums));
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
pub(crate) use arm::NeonDots;

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::Dots;
    #[allow(clippy::wildcard_imports, reason = "intrinsics have names of their own")]
    use std::arch::aarch64::*;

    /// Four columns by NEON, in words of 16 bits.
    #[derive(Clone, Copy)]
    pub(crate) struct NeonDots(int32x4_t);

    impl Dots for NeonDots {
        const WIDTH: usize = 4;
        type Row = int16x4_t;
        type Columns = (int16x8_t, int16x8_t);
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: by the trait's contract.
            Self(unsafe { vdupq_n_s32(0) })
        }
        #[inline(always)]
        unsafe fn row(from: *const u8) -> int16x4_t {
            // SAFETY: by the trait's contract.
            unsafe {
                let four = vreinterpret_u8_u32(vdup_n_u32(from.cast::<u32>().read_unaligned()));
                vreinterpret_s16_u16(vget_low_u16(vmovl_u8(four)))
            }
        }
        #[inline(always)]
        unsafe fn columns(from: *const i8) -> (int16x8_t, int16x8_t) {
            // SAFETY: by the trait's contract.
            unsafe {
                let all = vld1q_s8(from);
                (vmovl_s8(vget_low_s8(all)), vmovl_s8(vget_high_s8(all)))
            }
        }
        #[inline(always)]
        unsafe fn plus(self, row: int16x4_t, columns: (int16x8_t, int16x8_t)) -> Self {
            // SAFETY: by the trait's contract.
            unsafe {
                let first = vmull_s16(row, vget_low_s16(columns.0));
                let second = vmull_s16(row, vget_high_s16(columns.0));
                let third = vmull_s16(row, vget_low_s16(columns.1));
                let fourth = vmull_s16(row, vget_high_s16(columns.1));
                let sums = vpaddq_s32(vpaddq_s32(first, second), vpaddq_s32(third, fourth));
                Self(vaddq_s32(self.0, sums))
            }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut i32) {
            // SAFETY: by the trait's contract.
            unsafe { vst1q_s32(to, self.0) }
        }
    }
}
