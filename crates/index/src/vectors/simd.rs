//! Inner products of bytes, as fast as the processor can: AVX-512-VNNI, AVX-VNNI, AVX2, NEON, or plain.
//!
//! A row is kept as bytes from 1 to 255 that stand for -127 to 127, the query as signed bytes, because that is
//! what the processors multiply. Every kernel gives the same integers; which one runs is found out once.

#![expect(unsafe_code, reason = "vector instructions; every kernel is tested against the plain one")]

use std::sync::OnceLock;

/// A row's bytes are a multiple of this many.
pub(crate) const LANES: usize = 64;
/// How many rows ahead of the one at work are called into the cache.
const AHEAD: usize = 4;

/// What rows are multiplied with: signed bytes, a multiple of [`LANES`] of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Factor {
    bytes: Vec<i8>,
    /// What the products are too great by where a row's bytes are taken as they are kept: 128 times the sum.
    offset: i32,
}

impl Factor {
    /// Takes over `bytes`, filled up with zeros.
    pub(crate) fn set(&mut self, bytes: impl Iterator<Item = i8>) {
        self.bytes.clear();
        self.bytes.extend(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(LANES), 0);
        self.offset = self.bytes.iter().map(|byte| i32::from(*byte)).sum::<i32>() * 128;
    }

    /// Takes over a row as it is kept.
    pub(crate) fn set_row(&mut self, row: &[u8]) {
        self.set(row.iter().map(|byte| byte.wrapping_sub(128).cast_signed()));
    }
}

/// One way to multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Plain,
}

impl Kernel {
    /// The fastest that this processor has.
    pub(crate) fn best() -> Self {
        static BEST: OnceLock<Kernel> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().first().copied().unwrap_or(Self::Plain))
    }

    /// All that this processor has, the fastest first.
    pub(crate) fn available() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vnni")
            {
                all.push(Self::Avx512Vnni);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni") {
                all.push(Self::AvxVnni);
            }
            if is_x86_feature_detected!("avx2") {
                all.push(Self::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            all.push(Self::Neon);
        }
        all.push(Self::Plain);
        all
    }

    #[cfg(test)]
    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => "avx512-vnni",
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
            Self::Plain => "plain",
        }
    }

    /// For each whole row of `rows` its inner product with the query, into `out`. A row is as long as the query.
    pub(crate) fn scan(self, query: &Factor, rows: &[u8], out: &mut [i32]) {
        if query.bytes.is_empty() {
            out.fill(0);
            return;
        }
        match self {
            // SAFETY: these kernels are only made by `available`, which asked the processor for their features.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { avx512::scan(query, rows, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => unsafe { avx_vnni::scan(query, rows, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2::scan(query, rows, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Self::Neon => unsafe { neon::scan(query, rows, out) },
            Self::Plain => plain::scan(query, rows, out),
        }
    }

    /// The same for the rows at `at`, in that order; a row that is not there has the product 0.
    pub(crate) fn gather(self, query: &Factor, rows: &[u8], at: &[u32], out: &mut [i32]) {
        match self {
            // SAFETY: these kernels are only made by `available`, which asked the processor for their features.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { avx512::gather(query, rows, at, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => unsafe { avx_vnni::gather(query, rows, at, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2::gather(query, rows, at, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Self::Neon => unsafe { neon::gather(query, rows, at, out) },
            Self::Plain => plain::gather(query, rows, at, out),
        }
    }
}

/// Calls a row into the cache before it is needed.
#[inline]
fn fetch(row: Option<&[u8]>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(row) = row {
        for line in row.as_chunks::<64>().0 {
            // SAFETY: a hint about memory that the slice owns; it reads nothing.
            unsafe {
                use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
                _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

#[inline]
fn row_at(rows: &[u8], at: u32, length: usize) -> Option<&[u8]> {
    let begin = usize::try_from(at).ok()?.checked_mul(length)?;
    rows.get(begin..begin.checked_add(length)?)
}

/// The two loops around a `dot`, compiled with the same features so that it is inlined.
macro_rules! loops {
    ($(#[$features:meta])*) => {
        $(#[$features])*
        pub(super) fn scan(query: &Factor, rows: &[u8], out: &mut [i32]) {
            for (row, out) in rows.chunks_exact(query.bytes.len()).zip(out) {
                *out = dot(query, row);
            }
        }

        $(#[$features])*
        pub(super) fn gather(query: &Factor, rows: &[u8], at: &[u32], out: &mut [i32]) {
            let length = query.bytes.len();
            for ahead in at.iter().take(AHEAD) {
                fetch(row_at(rows, *ahead, length));
            }
            for (ahead, (row, out)) in (AHEAD..).zip(at.iter().zip(out)) {
                if let Some(ahead) = at.get(ahead) {
                    fetch(row_at(rows, *ahead, length));
                }
                *out = row_at(rows, *row, length).map_or(0, |row| dot(query, row));
            }
        }
    };
}

mod plain {
    use super::{AHEAD, Factor, fetch, row_at};

    fn dot(query: &Factor, row: &[u8]) -> i32 {
        query.bytes.iter().zip(row).map(|(q, r)| i32::from(*q) * (i32::from(*r) - 128)).sum()
    }

    loops!();
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::{AHEAD, Factor, fetch, row_at};
    use std::arch::x86_64::{
        _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_reduce_add_epi32, _mm512_setzero_si512,
    };

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    #[inline]
    fn dot(query: &Factor, row: &[u8]) -> i32 {
        let mut sum = _mm512_setzero_si512();
        for (q, r) in query.bytes.as_chunks::<64>().0.iter().zip(row.as_chunks::<64>().0) {
            // SAFETY: both are 64 bytes that may be read, at any alignment.
            let (q, r) =
                unsafe { (_mm512_loadu_si512(q.as_ptr().cast()), _mm512_loadu_si512(r.as_ptr().cast())) };
            sum = _mm512_dpbusd_epi32(sum, r, q);
        }
        _mm512_reduce_add_epi32(sum) - query.offset
    }

    loops!(#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]);
}

#[cfg(target_arch = "x86_64")]
mod avx_vnni {
    use super::{AHEAD, Factor, fetch, row_at};
    use std::arch::x86_64::{_mm256_dpbusd_avx_epi32, _mm256_loadu_si256, _mm256_setzero_si256};

    #[target_feature(enable = "avx2,avxvnni")]
    #[inline]
    fn dot(query: &Factor, row: &[u8]) -> i32 {
        let mut sum = _mm256_setzero_si256();
        for (q, r) in query.bytes.as_chunks::<32>().0.iter().zip(row.as_chunks::<32>().0) {
            // SAFETY: both are 32 bytes that may be read, at any alignment.
            let (q, r) =
                unsafe { (_mm256_loadu_si256(q.as_ptr().cast()), _mm256_loadu_si256(r.as_ptr().cast())) };
            sum = _mm256_dpbusd_avx_epi32(sum, r, q);
        }
        super::avx2::sum_of(sum) - query.offset
    }

    loops!(#[target_feature(enable = "avx2,avxvnni")]);
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{AHEAD, Factor, fetch, row_at};
    use std::arch::x86_64::{
        __m256i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_shuffle_epi32, _mm256_add_epi32,
        _mm256_castsi256_si128, _mm256_cvtepi8_epi16, _mm256_cvtepu8_epi16, _mm256_extracti128_si256,
        _mm256_madd_epi16, _mm256_setzero_si256,
    };

    /// Widened to 16 bits first: `maddubs` would saturate.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn dot(query: &Factor, row: &[u8]) -> i32 {
        let mut sum = _mm256_setzero_si256();
        for (q, r) in query.bytes.as_chunks::<16>().0.iter().zip(row.as_chunks::<16>().0) {
            // SAFETY: both are 16 bytes that may be read, at any alignment.
            let (q, r) = unsafe { (_mm_loadu_si128(q.as_ptr().cast()), _mm_loadu_si128(r.as_ptr().cast())) };
            let products = _mm256_madd_epi16(_mm256_cvtepu8_epi16(r), _mm256_cvtepi8_epi16(q));
            sum = _mm256_add_epi32(sum, products);
        }
        sum_of(sum) - query.offset
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn sum_of(eight: __m256i) -> i32 {
        let four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
        let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b00_00_11_10>(four));
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b00_00_00_01>(two)))
    }

    loops!(#[target_feature(enable = "avx2")]);
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::{AHEAD, Factor, fetch, row_at};
    use std::arch::aarch64::{
        vaddvq_s32, vdupq_n_s32, vdupq_n_u8, veorq_u8, vget_high_s8, vget_low_s8, vld1q_s8, vld1q_u8,
        vmlal_s8, vmull_s8, vpadalq_s16, vreinterpretq_s8_u8,
    };

    /// The row's sign is put right first; two products of bytes up to 127 fit in 16 bits.
    #[target_feature(enable = "neon")]
    #[inline]
    fn dot(query: &Factor, row: &[u8]) -> i32 {
        let (mut sum, sign) = (vdupq_n_s32(0), vdupq_n_u8(0x80));
        for (q, r) in query.bytes.as_chunks::<16>().0.iter().zip(row.as_chunks::<16>().0) {
            // SAFETY: both are 16 bytes that may be read, at any alignment.
            let (q, r) = unsafe { (vld1q_s8(q.as_ptr()), vld1q_u8(r.as_ptr())) };
            let r = vreinterpretq_s8_u8(veorq_u8(r, sign));
            let pairs = vmull_s8(vget_low_s8(q), vget_low_s8(r));
            sum = vpadalq_s16(sum, vmlal_s8(pairs, vget_high_s8(q), vget_high_s8(r)));
        }
        vaddvq_s32(sum)
    }

    loops!(#[target_feature(enable = "neon")]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_kernel_is_exact(
            dimensions in 1_usize..300,
            rows in 0_usize..9,
            seed in any::<u64>(),
            extreme in any::<bool>(),
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut byte = || if extreme && random.bool() { [-127, 127][random.usize(..2)] } else { random.i8(-127..=127) };
            let mut query = Factor::default();
            query.set((0..dimensions).map(|_| byte()));
            let length = query.bytes.len();
            let kept: Vec<u8> = (0..rows * length).map(|_| byte().cast_unsigned().wrapping_add(128)).collect();
            let expect: Vec<i32> = kept
                .chunks_exact(length)
                .map(|row| {
                    let pairs = query.bytes.iter().zip(row);
                    pairs.map(|(q, r)| i32::from(*q) * (i32::from(*r) - 128)).sum()
                })
                .collect();
            let at: Vec<u32> = (0..9).map(|_| random.u32(..9)).collect();
            for kernel in Kernel::available() {
                let mut scanned = vec![0; rows];
                kernel.scan(&query, &kept, &mut scanned);
                prop_assert_eq!(&scanned, &expect, "{}", kernel.name());
                let mut gathered = vec![1; at.len()];
                kernel.gather(&query, &kept, &at, &mut gathered);
                for (at, got) in at.iter().zip(&gathered) {
                    let expect = expect.get(*at as usize).copied().unwrap_or_default();
                    prop_assert_eq!(*got, expect, "{}", kernel.name());
                }
            }
        }
    }

    #[test]
    fn a_row_multiplies_as_the_factor_it_was() {
        let (mut factor, mut again) = (Factor::default(), Factor::default());
        factor.set([1, -127, 127, 0].into_iter());
        let row: Vec<u8> = factor.bytes.iter().map(|byte| byte.cast_unsigned().wrapping_add(128)).collect();
        again.set_row(&row);
        assert_eq!((&again.bytes, again.offset), (&factor.bytes, factor.offset));
    }
}
