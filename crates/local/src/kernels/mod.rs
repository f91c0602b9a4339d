//! Arithmetic over whole matrices, in the best instruction set that the processor turns out to have.
//!
//! Reading order: `buffer` (aligned memory), `lanes` (one vector type per instruction set), `float` and `byte` (the
//! arithmetic, written once over them), and here their safe faces, chosen once per process.

#![expect(unsafe_code, reason = "calls into code for one instruction set, after checking that it is there")]

mod buffer;
mod byte;
mod float;
mod lanes;
mod weights;

pub(crate) use buffer::{Buffer, Rows, RowsMut};
pub(crate) use float::Activation;
pub use weights::Precision;
pub(crate) use weights::{BytePanels, ByteScratch, Linear, Panels};

use byte::ByteProduct;
use float::Product;
use std::sync::OnceLock;

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// AVX-512 with VNNI: server processors since 2019, Zen 4.
    Avx512Vnni,
    /// AVX-512 without VNNI.
    Avx512,
    /// AVX2, FMA and VNNI: client processors since 2021.
    AvxVnni,
    /// AVX2 and FMA.
    Avx2,
    /// 64-bit Arm.
    Neon,
    /// Whatever the compiler makes of plain code.
    Plain,
}

impl Isa {
    /// All, the best first.
    const ALL: [Self; 6] =
        [Self::Avx512Vnni, Self::Avx512, Self::AvxVnni, Self::Avx2, Self::Neon, Self::Plain];

    /// Those that this processor has, the best first.
    pub fn here() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_here())
    }

    fn is_here(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl");
            match self {
                Self::Avx512Vnni => avx512 && is_x86_feature_detected!("avx512vnni"),
                Self::Avx512 => avx512,
                Self::AvxVnni => avx2 && is_x86_feature_detected!("avxvnni"),
                Self::Avx2 => avx2,
                Self::Neon => false,
                Self::Plain => true,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            match self {
                Self::Neon => cfg!(target_arch = "aarch64"),
                Self::Plain => true,
                _ => false,
            }
        }
    }

    /// Its name: `avx512-vnni`, `avx2`, `plain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avx512Vnni => "avx512-vnni",
            Self::Avx512 => "avx512",
            Self::AvxVnni => "avx-vnni",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Plain => "plain",
        }
    }
}

/// The kernels of one instruction set.
///
/// Invariant: a value exists only where the processor has that instruction set.
pub(crate) struct Kernels {
    pub(crate) isa: Isa,
    /// Columns of a panel of floats.
    pub(crate) float_width: usize,
    /// Columns of a panel of bytes.
    pub(crate) byte_width: usize,
    product: unsafe fn(&Product),
    byte_product: unsafe fn(&ByteProduct),
    soften: unsafe fn(*mut f32, usize, usize, usize, *mut f32),
    scale: unsafe fn(*mut f32, usize, f32),
    add_norm: unsafe fn(*mut f32, *const f32, *const f32, *const f32, usize, f32),
    quantise: unsafe fn(*const f32, usize, *mut u8) -> (f32, f32),
}

/// Compiles all kernels for one instruction set.
macro_rules! kernels {
    ($module:ident, $isa:expr, $lanes:ident, $dots:ident, floats: $float_rows:literal x $float_registers:literal,
     bytes: $byte_rows:literal x $byte_registers:literal $(, $feature:literal)?) => {
        mod $module {
            use super::byte::{self, ByteProduct, $dots, Dots as _};
            use super::float::{self, Product};
            use super::lanes::{$lanes, Lanes as _};
            use super::Kernels;

            $(#[target_feature(enable = $feature)])?
            unsafe fn product(of: &Product) {
                // SAFETY: as the caller vouches; the features are those of the lanes.
                unsafe { float::product::<$lanes, $float_rows, $float_registers>(of) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn byte_product(of: &ByteProduct) {
                // SAFETY: as the caller vouches; the features are those of lanes and dots.
                unsafe { byte::product::<$lanes, $dots, $byte_rows, $byte_registers>(of) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn soften(c: *mut f32, rows: usize, stride: usize, padded: usize, sums: *mut f32) {
                // SAFETY: as the caller vouches; the features are those of the lanes.
                unsafe { float::soften::<$lanes>(c, rows, stride, padded, sums) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn scale(c: *mut f32, width: usize, by: f32) {
                // SAFETY: as the caller vouches; the features are those of the lanes.
                unsafe { float::scale::<$lanes>(c, width, by) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn add_norm(
                x: *mut f32,
                y: *const f32,
                gain: *const f32,
                offset: *const f32,
                width: usize,
                epsilon: f32,
            ) {
                // SAFETY: as the caller vouches; the features are those of the lanes.
                unsafe { float::add_norm::<$lanes>(x, y, gain, offset, width, epsilon) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn quantise(x: *const f32, width: usize, to: *mut u8) -> (f32, f32) {
                // SAFETY: as the caller vouches; the features are those of the lanes.
                unsafe { byte::quantise::<$lanes>(x, width, to) }
            }

            pub(super) static KERNELS: Kernels = Kernels {
                isa: $isa,
                float_width: $lanes::WIDTH * $float_registers,
                byte_width: $dots::WIDTH * $byte_registers,
                product,
                byte_product,
                soften,
                scale,
                add_norm,
                quantise,
            };
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(avx512_vnni, super::Isa::Avx512Vnni, Avx512, Avx512VnniDots, floats: 14 x 2, bytes: 14 x 2,
    "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(avx512, super::Isa::Avx512, Avx512, Avx2Dots, floats: 14 x 2, bytes: 4 x 2,
    "avx512f,avx512bw,avx512vl,avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(avx_vnni, super::Isa::AvxVnni, Avx2, AvxVnniDots, floats: 6 x 2, bytes: 6 x 2, "avx2,fma,avxvnni");
#[cfg(target_arch = "x86_64")]
kernels!(avx2, super::Isa::Avx2, Avx2, Avx2Dots, floats: 6 x 2, bytes: 4 x 1, "avx2,fma");
#[cfg(target_arch = "aarch64")]
kernels!(neon, super::Isa::Neon, Neon, NeonDots, floats: 6 x 4, bytes: 6 x 2, "neon");
kernels!(plain, super::Isa::Plain, Plain, PlainDots, floats: 4 x 1, bytes: 4 x 1);

impl Kernels {
    /// The best of this processor.
    pub(crate) fn best() -> &'static Self {
        static BEST: OnceLock<&'static Kernels> = OnceLock::new();
        BEST.get_or_init(|| Isa::here().find_map(Self::of).unwrap_or(&plain::KERNELS))
    }

    /// Those of an instruction set; `None` where the processor has it not.
    pub(crate) fn of(isa: Isa) -> Option<&'static Self> {
        if !isa.is_here() {
            return None;
        }
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => Some(&avx512_vnni::KERNELS),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Some(&avx512::KERNELS),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => Some(&avx_vnni::KERNELS),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Some(&avx2::KERNELS),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Some(&neon::KERNELS),
            Isa::Plain => Some(&plain::KERNELS),
            #[cfg_attr(
                target_arch = "x86_64",
                expect(unreachable_patterns, reason = "other processors' sets")
            )]
            #[cfg(not(target_arch = "x86_64"))]
            _ => None,
            #[cfg(target_arch = "x86_64")]
            Isa::Neon => None,
        }
    }

    /// `c = activation(a * b + bias)`, over as many columns as `b`'s panels have; `c` must be as wide.
    ///
    /// # Panics
    ///
    /// Where the shapes do not fit, which is a fault of the caller.
    pub(crate) fn product(&self, a: Rows<'_>, b: Panels<'_>, c: &mut RowsMut<'_>, activation: Activation) {
        let panels = b.columns.div_ceil(self.float_width);
        let columns = panels * self.float_width;
        assert!(a.width == b.depth && a.count == c.count && columns <= c.width, "shapes of a product");
        assert!(b.covers(panels, self.float_width), "panels of a product");
        assert!(b.bias.is_none_or(|bias| bias.len() >= columns), "bias of a product");
        let of = Product {
            a: a.data.as_ptr(),
            a_stride: a.stride,
            rows: a.count,
            depth: b.depth,
            b: b.data.as_ptr(),
            b_stride: b.stride,
            panel_stride: b.panel_stride,
            panels,
            bias: b.bias.map_or(std::ptr::null(), <[f32]>::as_ptr),
            c: c.data.as_mut_ptr(),
            c_stride: c.stride,
            activation,
        };
        // SAFETY: `Rows` and `RowsMut` cover their rows, the rest was just asserted; `c` is borrowed alone; the
        // processor has the instructions by the invariant of `Kernels`.
        unsafe { (self.product)(&of) }
    }

    /// The same in bytes: `a` has been quantised by [`Self::quantise`] with `scales`, in the groups of `b`.
    ///
    /// # Panics
    ///
    /// Where the shapes do not fit, which is a fault of the caller.
    pub(crate) fn byte_product(
        &self,
        a: &[u8],
        scales: &[[f32; 2]],
        b: &BytePanels,
        c: &mut RowsMut<'_>,
        activation: Activation,
    ) {
        let depth = b.groups * b.quads * 4;
        assert!(a.len() >= c.count * depth && scales.len() >= c.count * b.groups, "activations of a product");
        assert!(b.width == self.byte_width && b.panels * b.width <= c.width, "shapes of a product");
        let of = ByteProduct {
            a: a.as_ptr(),
            a_stride: depth,
            a_scale: scales.as_ptr().cast(),
            rows: c.count,
            groups: b.groups,
            quads: b.quads,
            b: b.data.as_ptr(),
            b_scale: b.scales.as_ptr(),
            b_sum: b.sums.as_ptr(),
            panels: b.panels,
            bias: b.bias.as_ptr(),
            c: c.data.as_mut_ptr(),
            c_stride: c.stride,
            activation,
        };
        // SAFETY: `BytePanels` are made whole by their constructor, `RowsMut` covers its rows, the rest was just
        // asserted; the processor has the instructions by the invariant of `Kernels`.
        unsafe { (self.byte_product)(&of) }
    }

    /// Quantises rows for [`Self::byte_product`] with `b`: each group of each row has a scale and a zero of its own.
    ///
    /// # Panics
    ///
    /// Where the shapes do not fit, which is a fault of the caller.
    pub(crate) fn quantise(&self, x: Rows<'_>, b: &BytePanels, to: &mut [u8], scales: &mut [[f32; 2]]) {
        let group = b.quads * 4;
        let depth = b.groups * group;
        assert!(x.width == b.depth && x.width <= depth, "shapes of quantising");
        for ((row, to), scales) in
            x.iter().zip(to.chunks_exact_mut(depth)).zip(scales.chunks_exact_mut(b.groups))
        {
            for ((part, to), scale) in row.chunks(group).zip(to.chunks_exact_mut(group)).zip(scales) {
                // SAFETY: `part` is at most as long as `to`; the processor has the instructions by the invariant
                // of `Kernels`.
                *scale = unsafe { (self.quantise)(part.as_ptr(), part.len(), to.as_mut_ptr()) }.into();
                // Weights are zero there; any byte would do.
                to.iter_mut().skip(part.len()).for_each(|byte| *byte = 0);
            }
        }
    }

    /// `e^(x - greatest of the row)` over whole rows; the sums of the rows go to `sums`.
    ///
    /// # Panics
    ///
    /// Where the width is no multiple of a float panel's, which is a fault of the caller.
    pub(crate) fn soften(&self, x: &mut RowsMut<'_>, sums: &mut [f32]) {
        assert!(
            x.width >= self.float_width && x.width.is_multiple_of(self.float_width),
            "width of a softmax"
        );
        assert!(sums.len() >= x.count, "sums of a softmax");
        // SAFETY: `RowsMut` covers its rows, the rest was just asserted; the processor has the instructions by the
        // invariant of `Kernels`.
        unsafe { (self.soften)(x.data.as_mut_ptr(), x.count, x.stride, x.width, sums.as_mut_ptr()) }
    }

    /// Multiplies a row by a number.
    pub(crate) fn scale(&self, row: &mut [f32], by: f32) {
        // SAFETY: the row is borrowed alone; the processor has the instructions by the invariant of `Kernels`.
        unsafe { (self.scale)(row.as_mut_ptr(), row.len(), by) }
    }

    /// `x = norm(x + y) * gain + offset` over a row.
    ///
    /// # Panics
    ///
    /// Where lengths differ, which is a fault of the caller.
    pub(crate) fn add_norm(
        &self,
        x: &mut [f32],
        y: Option<&[f32]>,
        gain: &[f32],
        offset: &[f32],
        epsilon: f32,
    ) {
        let width = x.len();
        assert!(gain.len() >= width && offset.len() >= width, "weights of a norm");
        assert!(y.is_none_or(|y| y.len() >= width), "rows of a sum");
        let y = y.map_or(std::ptr::null(), <[f32]>::as_ptr);
        // SAFETY: lengths were just asserted, `x` is borrowed alone; the processor has the instructions by the
        // invariant of `Kernels`.
        unsafe { (self.add_norm)(x.as_mut_ptr(), y, gain.as_ptr(), offset.as_ptr(), width, epsilon) }
    }
}

#[cfg(test)]
mod tests;
