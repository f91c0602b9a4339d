//! Several floats at once: the one vector type per instruction set that all arithmetic here is written over.

#![expect(unsafe_code, reason = "vector intrinsics")]
#![expect(clippy::inline_always, reason = "intrinsics must meet the function that enables their features")]

/// A register of floats.
///
/// # Safety
///
/// Every function may be called only where the processor has the instruction set of the implementing type, and
/// inlined into a function that enables it. `load` and `store` touch `WIDTH` floats from their address on, which
/// need no alignment.
pub(crate) trait Lanes: Copy {
    /// How many floats.
    const WIDTH: usize;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    unsafe fn max(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
    /// `self * by + plus`, rounded once where the instruction set can.
    unsafe fn mul_add(self, by: Self, plus: Self) -> Self;
    /// The nearest whole number, ties to even.
    unsafe fn round(self) -> Self;
    /// `2^self` of a whole number from -126 to 127.
    unsafe fn exp2_whole(self) -> Self;
    /// All lanes added up, in one fixed order.
    unsafe fn sum(self) -> f32;
    /// The greatest lane.
    unsafe fn greatest(self) -> f32;
    /// The lanes as whole numbers in bytes from 0 to 255: each is whole and in that range already.
    unsafe fn store_bytes(self, to: *mut u8);
    /// As many 32-bit whole numbers, as floats.
    unsafe fn load_whole(from: *const i32) -> Self;
}

/// Writes the trait's functions with one expression each.
macro_rules! lanes {
    ($name:ident, $width:literal, { $($function:ident($($argument:tt)*) $(-> $out:ty)? = $body:expr;)* }) => {
        impl Lanes for $name {
            const WIDTH: usize = $width;
            $(
                #[allow(unused_unsafe, reason = "not every type needs it for all of its functions")]
                #[inline(always)]
                unsafe fn $function($($argument)*) $(-> $out)? {
                    // SAFETY: the caller keeps the trait's contract: the processor has these instructions, and
                    // addresses are good for `WIDTH` elements.
                    unsafe { $body }
                }
            )*
        }
    };
}

/// Eight floats in ordinary registers, for processors that nothing better is known of. Products are rounded before
/// they are added: a fused operation would be a call into a library there.
#[derive(Clone, Copy)]
pub(crate) struct Plain([f32; 8]);

impl Plain {
    #[inline(always)]
    fn each(mut self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        self
    }
    #[inline(always)]
    fn all(mut self, f: impl Fn(f32) -> f32) -> Self {
        for a in &mut self.0 {
            *a = f(*a);
        }
        self
    }
    #[inline(always)]
    fn reduced(self, f: impl Fn(f32, f32) -> f32) -> f32 {
        let [zero, one, two, three, four, five, six, seven] = self.0;
        f(f(f(zero, four), f(two, six)), f(f(one, five), f(three, seven)))
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range by contract"
    )]
    #[inline(always)]
    fn bytes(self) -> [u8; 8] {
        self.0.map(|lane| lane as u8)
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range by contract"
    )]
    #[inline(always)]
    fn power(self) -> Self {
        self.all(|lane| f32::from_bits(((lane as i32 + 127) as u32) << 23))
    }
    #[expect(clippy::cast_precision_loss, reason = "what is meant")]
    #[inline(always)]
    fn of_whole(from: [i32; 8]) -> Self {
        Self(from.map(|whole| whole as f32))
    }
}

lanes!(Plain, 8, {
    splat(value: f32) -> Self = Self([value; 8]);
    load(from: *const f32) -> Self = Self(from.cast::<[f32; 8]>().read_unaligned());
    store(self, to: *mut f32) = to.cast::<[f32; 8]>().write_unaligned(self.0);
    add(self, other: Self) -> Self = self.each(other, |a, b| a + b);
    sub(self, other: Self) -> Self = self.each(other, |a, b| a - b);
    mul(self, other: Self) -> Self = self.each(other, |a, b| a * b);
    div(self, other: Self) -> Self = self.each(other, |a, b| a / b);
    max(self, other: Self) -> Self = self.each(other, |a, b| if a > b { a } else { b });
    min(self, other: Self) -> Self = self.each(other, |a, b| if a < b { a } else { b });
    mul_add(self, by: Self, plus: Self) -> Self = self.each(by, |a, b| a * b).each(plus, |a, b| a + b);
    round(self) -> Self = self.all(f32::round_ties_even);
    exp2_whole(self) -> Self = self.power();
    sum(self) -> f32 = self.reduced(|a, b| a + b);
    greatest(self) -> f32 = self.reduced(|a, b| if a > b { a } else { b });
    store_bytes(self, to: *mut u8) = to.cast::<[u8; 8]>().write_unaligned(self.bytes());
    load_whole(from: *const i32) -> Self = Self::of_whole(from.cast::<[i32; 8]>().read_unaligned());
});

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    #[expect(clippy::wildcard_imports, reason = "intrinsics have names of their own")]
    use std::arch::x86_64::*;

    /// Sixteen floats: AVX-512 F, BW and VL.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(__m512);

    lanes!(Avx512, 16, {
        splat(value: f32) -> Self = Self(_mm512_set1_ps(value));
        load(from: *const f32) -> Self = Self(_mm512_loadu_ps(from));
        store(self, to: *mut f32) = _mm512_storeu_ps(to, self.0);
        add(self, other: Self) -> Self = Self(_mm512_add_ps(self.0, other.0));
        sub(self, other: Self) -> Self = Self(_mm512_sub_ps(self.0, other.0));
        mul(self, other: Self) -> Self = Self(_mm512_mul_ps(self.0, other.0));
        div(self, other: Self) -> Self = Self(_mm512_div_ps(self.0, other.0));
        max(self, other: Self) -> Self = Self(_mm512_max_ps(self.0, other.0));
        min(self, other: Self) -> Self = Self(_mm512_min_ps(self.0, other.0));
        mul_add(self, by: Self, plus: Self) -> Self = Self(_mm512_fmadd_ps(self.0, by.0, plus.0));
        round(self) -> Self = Self(_mm512_roundscale_ps::<0>(self.0));
        exp2_whole(self) -> Self = Self(_mm512_scalef_ps(_mm512_set1_ps(1.0), self.0));
        sum(self) -> f32 = _mm512_reduce_add_ps(self.0);
        greatest(self) -> f32 = _mm512_reduce_max_ps(self.0);
        store_bytes(self, to: *mut u8) =
            _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(self.0)));
        load_whole(from: *const i32) -> Self = Self(_mm512_cvtepi32_ps(_mm512_loadu_si512(from.cast())));
    });

    /// Eight floats: AVX2 and FMA.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2(__m256);

    /// The four sums, or maxima, of lanes that lie four apart, folded to one.
    #[inline(always)]
    unsafe fn folded(of: __m256, f: impl Fn(__m128, __m128) -> __m128) -> f32 {
        // SAFETY: only `Avx2` calls this, under its contract.
        unsafe {
            let four = f(_mm256_castps256_ps128(of), _mm256_extractf128_ps::<1>(of));
            let two = f(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(f(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    /// Eight 32-bit numbers from 0 to 255 as bytes.
    #[inline(always)]
    unsafe fn narrowed(of: __m256i) -> __m128i {
        // SAFETY: only `Avx2` calls this, under its contract.
        unsafe {
            let words = _mm_packus_epi32(_mm256_castsi256_si128(of), _mm256_extracti128_si256::<1>(of));
            _mm_packus_epi16(words, words)
        }
    }

    lanes!(Avx2, 8, {
        splat(value: f32) -> Self = Self(_mm256_set1_ps(value));
        load(from: *const f32) -> Self = Self(_mm256_loadu_ps(from));
        store(self, to: *mut f32) = _mm256_storeu_ps(to, self.0);
        add(self, other: Self) -> Self = Self(_mm256_add_ps(self.0, other.0));
        sub(self, other: Self) -> Self = Self(_mm256_sub_ps(self.0, other.0));
        mul(self, other: Self) -> Self = Self(_mm256_mul_ps(self.0, other.0));
        div(self, other: Self) -> Self = Self(_mm256_div_ps(self.0, other.0));
        max(self, other: Self) -> Self = Self(_mm256_max_ps(self.0, other.0));
        min(self, other: Self) -> Self = Self(_mm256_min_ps(self.0, other.0));
        mul_add(self, by: Self, plus: Self) -> Self = Self(_mm256_fmadd_ps(self.0, by.0, plus.0));
        round(self) -> Self = Self(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0));
        exp2_whole(self) -> Self = Self(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(
            _mm256_cvtps_epi32(self.0),
            _mm256_set1_epi32(127),
        ))));
        sum(self) -> f32 = folded(self.0, |a, b| _mm_add_ps(a, b));
        greatest(self) -> f32 = folded(self.0, |a, b| _mm_max_ps(a, b));
        store_bytes(self, to: *mut u8) = _mm_storel_epi64(to.cast(), narrowed(_mm256_cvtps_epi32(self.0)));
        load_whole(from: *const i32) -> Self = Self(_mm256_cvtepi32_ps(_mm256_loadu_si256(from.cast())));
    });
}

#[cfg(target_arch = "aarch64")]
pub(crate) use arm::Neon;

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::Lanes;
    #[expect(clippy::wildcard_imports, reason = "intrinsics have names of their own")]
    use std::arch::aarch64::*;

    /// Four floats: NEON, which every 64-bit Arm processor has.
    #[derive(Clone, Copy)]
    pub(crate) struct Neon(float32x4_t);

    lanes!(Neon, 4, {
        splat(value: f32) -> Self = Self(vdupq_n_f32(value));
        load(from: *const f32) -> Self = Self(vld1q_f32(from));
        store(self, to: *mut f32) = vst1q_f32(to, self.0);
        add(self, other: Self) -> Self = Self(vaddq_f32(self.0, other.0));
        sub(self, other: Self) -> Self = Self(vsubq_f32(self.0, other.0));
        mul(self, other: Self) -> Self = Self(vmulq_f32(self.0, other.0));
        div(self, other: Self) -> Self = Self(vdivq_f32(self.0, other.0));
        max(self, other: Self) -> Self = Self(vmaxq_f32(self.0, other.0));
        min(self, other: Self) -> Self = Self(vminq_f32(self.0, other.0));
        mul_add(self, by: Self, plus: Self) -> Self = Self(vfmaq_f32(plus.0, self.0, by.0));
        round(self) -> Self = Self(vrndnq_f32(self.0));
        exp2_whole(self) -> Self = Self(vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(
            vcvtnq_s32_f32(self.0),
            vdupq_n_s32(127),
        ))));
        sum(self) -> f32 = vaddvq_f32(self.0);
        greatest(self) -> f32 = vmaxvq_f32(self.0);
        store_bytes(self, to: *mut u8) = {
            let words = vqmovun_s32(vcvtnq_s32_f32(self.0));
            let bytes = vqmovn_u16(vcombine_u16(words, words));
            to.cast::<u32>().write_unaligned(vget_lane_u32::<0>(vreinterpret_u32_u8(bytes)));
        };
        load_whole(from: *const i32) -> Self = Self(vcvtq_f32_s32(vld1q_s32(from)));
    });
}
