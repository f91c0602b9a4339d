//! Weights as the kernels want them: panels of as many columns as one tile has, row after row of the depth.

use super::buffer::Buffer;
use super::{Activation, Kernels, Rows, RowsMut};

/// How exactly a model computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// In 32-bit floats, as models are published.
    #[default]
    F32,
    /// Products of matrices in bytes: about twice as fast or more, vectors within about 0.001 of cosine.
    Int8,
}

impl Precision {
    /// Its name: `f32` or `int8`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        }
    }

    /// The precision of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::F32, Self::Int8].into_iter().find(|precision| precision.as_str() == name)
    }
}

/// Inputs that share a scale in bytes.
const GROUP: usize = 128;

/// The right side of a product of floats: `depth` rows of `columns` columns, in panels of the kernels' width.
#[derive(Clone, Copy)]
pub(crate) struct Panels<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) depth: usize,
    pub(crate) columns: usize,
    /// Floats from one row of a panel to the next.
    pub(crate) stride: usize,
    /// Floats from one panel to the next.
    pub(crate) panel_stride: usize,
    /// Added to every row; as long as all panels are wide.
    pub(crate) bias: Option<&'a [f32]>,
}

impl Panels<'_> {
    pub(super) fn covers(&self, panels: usize, width: usize) -> bool {
        let rows = self.depth.saturating_sub(1) * self.stride + width;
        panels == 0 || self.depth == 0 || (panels - 1) * self.panel_stride + rows <= self.data.len()
    }
}

/// `y = x * w^T + bias` of a layer, packed at its own precision.
pub(crate) enum Linear {
    Float(FloatLinear),
    Byte(BytePanels),
}

/// Packed floats.
pub(crate) struct FloatLinear {
    data: Buffer,
    bias: Buffer,
    depth: usize,
    columns: usize,
}

/// Packed bytes with a scale for each column and group of inputs.
///
/// Invariant: `data` holds `panels * groups * quads * width * 4` bytes, `scales` and `sums` hold
/// `panels * groups * width`, `bias` holds `panels * width`.
pub(crate) struct BytePanels {
    pub(super) data: Vec<i8>,
    pub(super) scales: Vec<f32>,
    /// Of each column and group: all weights, added up.
    pub(super) sums: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) depth: usize,
    pub(super) width: usize,
    pub(super) panels: usize,
    pub(super) groups: usize,
    pub(super) quads: usize,
}

/// What quantised rows are kept in between steps.
#[derive(Default)]
pub(crate) struct ByteScratch {
    bytes: Vec<u8>,
    scales: Vec<[f32; 2]>,
}

impl Linear {
    /// Packs a matrix of `bias.len()` rows (outputs) of `depth` columns (inputs), as checkpoints have them.
    pub(crate) fn pack(
        kernels: &Kernels,
        precision: Precision,
        matrix: &[f32],
        bias: &[f32],
        depth: usize,
    ) -> Self {
        match precision {
            Precision::F32 => Self::Float(FloatLinear::pack(kernels, matrix, bias, depth)),
            Precision::Int8 => Self::Byte(BytePanels::pack(kernels, matrix, bias, depth)),
        }
    }

    /// Floats that a row of the result needs: all its panels.
    pub(crate) fn room(&self, kernels: &Kernels) -> usize {
        match self {
            Self::Float(linear) => linear.columns.next_multiple_of(kernels.float_width),
            Self::Byte(panels) => panels.panels * panels.width,
        }
    }

    /// `c = activation(x * w^T + bias)`.
    pub(crate) fn apply(
        &self,
        kernels: &Kernels,
        x: Rows<'_>,
        c: &mut RowsMut<'_>,
        activation: Activation,
        scratch: &mut ByteScratch,
    ) {
        match self {
            Self::Float(linear) => kernels.product(x, linear.panels(kernels), c, activation),
            Self::Byte(panels) => {
                let depth = panels.groups * panels.quads * 4;
                scratch.bytes.resize(scratch.bytes.len().max(x.count * depth), 0);
                scratch.scales.resize(scratch.scales.len().max(x.count * panels.groups), [0.0; 2]);
                kernels.quantise(x, panels, &mut scratch.bytes, &mut scratch.scales);
                kernels.byte_product(&scratch.bytes, &scratch.scales, panels, c, activation);
            }
        }
    }
}

impl FloatLinear {
    pub(crate) fn pack(kernels: &Kernels, matrix: &[f32], bias: &[f32], depth: usize) -> Self {
        let width = kernels.float_width;
        let columns = bias.len();
        let panels = columns.div_ceil(width);
        let mut data = Buffer::zeros(panels * depth * width);
        for (column, row) in matrix.chunks_exact(depth.max(1)).enumerate() {
            let start = column / width * depth * width + column % width;
            let to = data.as_mut_slice().iter_mut().skip(start).step_by(width);
            to.zip(row).for_each(|(to, from)| *to = *from);
        }
        let mut padded = Buffer::zeros(panels * width);
        padded.as_mut_slice().iter_mut().zip(bias).for_each(|(to, from)| *to = *from);
        Self { data, bias: padded, depth, columns }
    }

    pub(crate) fn panels(&self, kernels: &Kernels) -> Panels<'_> {
        Panels {
            data: self.data.as_slice(),
            depth: self.depth,
            columns: self.columns,
            stride: kernels.float_width,
            panel_stride: self.depth * kernels.float_width,
            bias: Some(self.bias.as_slice()),
        }
    }
}

impl BytePanels {
    #[expect(clippy::cast_possible_truncation, reason = "rounded to -127..=127 before")]
    pub(crate) fn pack(kernels: &Kernels, matrix: &[f32], bias: &[f32], depth: usize) -> Self {
        let width = kernels.byte_width;
        let columns = bias.len();
        let panels = columns.div_ceil(width);
        let group = GROUP.min(depth.next_multiple_of(4));
        let (groups, quads) = (depth.div_ceil(group), group / 4);
        let mut data = vec![0_i8; panels * groups * quads * width * 4];
        let mut scales = vec![0.0_f32; panels * groups * width];
        let mut sums = vec![0.0_f32; panels * groups * width];
        for (column, row) in matrix.chunks_exact(depth.max(1)).enumerate() {
            let (panel, lane) = (column / width, column % width);
            for (number, part) in row.chunks(group).enumerate() {
                let most = part.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
                let by = if most > 0.0 { 127.0 / most } else { 0.0 };
                let mut total = 0.0;
                let start = (panel * groups + number) * quads * width * 4;
                for (quad, four) in part.chunks(4).enumerate() {
                    let to = data.iter_mut().skip(start + (quad * width + lane) * 4);
                    for (to, weight) in to.zip(four) {
                        *to = (weight * by).round_ties_even().clamp(-127.0, 127.0) as i8;
                        total += f32::from(*to);
                    }
                }
                let at = (panel * groups + number) * width + lane;
                if let (Some(scale), Some(sum)) = (scales.get_mut(at), sums.get_mut(at)) {
                    *scale = most / 127.0;
                    *sum = total;
                }
            }
        }
        let mut padded = vec![0.0; panels * width];
        padded.iter_mut().zip(bias).for_each(|(to, from)| *to = *from);
        Self { data, scales, sums, bias: padded, depth, width, panels, groups, quads }
    }
}
