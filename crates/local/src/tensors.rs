//! The mapped file of weights: tensors by name, checked for shape and type.

#![expect(unsafe_code, reason = "mapping a file, and giving its pages back")]

use crate::LocalError;
use memmap2::Mmap;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A `model.safetensors`, mapped.
pub(crate) struct Tensors {
    path: PathBuf,
    map: Arc<Mmap>,
    metadata: Metadata,
    /// Where the tensors begin in the file.
    start: usize,
}

/// One of its tensors.
struct View<'a> {
    info: &'a TensorInfo,
    data: &'a [u8],
    /// Where it begins in the file.
    start: usize,
}

/// How a float is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Float {
    F32,
    F16,
    Bf16,
}

/// A matrix that stays in the mapped file; rows are read one at a time.
pub(crate) struct Table {
    map: Arc<Mmap>,
    start: usize,
    float: Float,
    pub(crate) rows: usize,
    width: usize,
}

impl Tensors {
    /// Maps the file and checks its header.
    pub(crate) fn open(path: &Path) -> Result<Self, LocalError> {
        let file = File::open(path).map_err(|source| LocalError::read(path, source))?;
        // SAFETY: the file is mapped for reading only. Whoever shortens it while it is mapped breaks the process,
        // as with every mapped file; files of pulled models are written elsewhere and renamed, never changed.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| LocalError::read(path, source))?;
        // Checks that the tensors cover the file, whose length is thereby right.
        SafeTensors::deserialize(&map)
            .and_then(|_| SafeTensors::read_metadata(&map))
            .map(|(header, metadata)| Self {
                path: path.to_owned(),
                start: header + size_of::<u64>(),
                metadata,
                map: Arc::new(map),
            })
            .map_err(|error| LocalError::invalid(path, format!("is no whole safetensors file: {error}")))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.metadata.info(name).is_some()
    }

    /// The shape of a tensor.
    pub(crate) fn shape(&self, name: &str) -> Result<&[usize], LocalError> {
        Ok(&self.view(name)?.info.shape)
    }

    fn view(&self, name: &str) -> Result<View<'_>, LocalError> {
        let missing = || LocalError::tensor(&self.path, name, "is missing");
        let info = self.metadata.info(name).ok_or_else(missing)?;
        let (start, end) = (self.start + info.data_offsets.0, self.start + info.data_offsets.1);
        Ok(View { info, data: self.map.get(start..end).ok_or_else(missing)?, start })
    }

    fn float(&self, name: &str, dtype: Dtype) -> Result<Float, LocalError> {
        match dtype {
            Dtype::F32 => Ok(Float::F32),
            Dtype::F16 => Ok(Float::F16),
            Dtype::BF16 => Ok(Float::Bf16),
            other => {
                Err(LocalError::tensor(&self.path, name, format!("is of type {other:?}, not of floats")))
            }
        }
    }

    fn check(&self, name: &str, view: &View<'_>, shape: &[usize]) -> Result<Float, LocalError> {
        if view.info.shape != shape {
            let what = format!("has the shape {:?}, but the configuration says {shape:?}", view.info.shape);
            return Err(LocalError::tensor(&self.path, name, what));
        }
        self.float(name, view.info.dtype)
    }

    /// A whole tensor of this shape, as floats; its pages are given back.
    pub(crate) fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LocalError> {
        let view = self.view(name)?;
        let float = self.check(name, &view, shape)?;
        let mut out = vec![0.0; shape.iter().product()];
        float.decode(view.data, &mut out);
        if let Some(bad) = out.iter().find(|value| !value.is_finite()) {
            return Err(LocalError::tensor(&self.path, name, format!("holds {bad}")));
        }
        self.give_back(&view);
        Ok(out)
    }

    /// Has the pages of a tensor leave memory: what has been packed is not looked at again.
    #[cfg(unix)]
    fn give_back(&self, view: &View<'_>) {
        let (advice, len) = (memmap2::UncheckedAdvice::DontNeed, view.data.len());
        // SAFETY: the mapping is of a file, private and never written: pages that were given back are read from the
        // file again when somebody looks at them.
        if let Err(error) = unsafe { self.map.unchecked_advise_range(advice, view.start, len) } {
            tracing::debug!(%error, "pages of a model's file cannot be given back");
        }
    }

    #[cfg(not(unix))]
    fn give_back(&self, _: &View<'_>) {}

    /// A matrix of so many columns that stays in the file.
    pub(crate) fn table(&self, name: &str, width: usize) -> Result<Table, LocalError> {
        let view = self.view(name)?;
        let [rows, _] = *view.info.shape else {
            return Err(LocalError::tensor(&self.path, name, "is no matrix"));
        };
        let float = self.check(name, &view, &[rows, width])?;
        Ok(Table { map: Arc::clone(&self.map), start: view.start, float, rows, width })
    }

    /// Names the weights: header, and beginning and end of every tensor. A model trained further differs there.
    pub(crate) fn fingerprint(&self, into: &mut blake3::Hasher) -> Result<(), LocalError> {
        const SAMPLE: usize = 4096;
        let mut names: Vec<String> = self.metadata.tensors().into_keys().collect();
        names.sort_unstable();
        for name in names {
            let View { info, data, .. } = self.view(&name)?;
            into.update(format!("{name} {:?} {:?}\n", info.dtype, info.shape).as_bytes());
            into.update(data.get(..SAMPLE.min(data.len())).unwrap_or_default());
            into.update(data.get(data.len().saturating_sub(SAMPLE)..).unwrap_or_default());
        }
        Ok(())
    }
}

impl Float {
    fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    fn decode(self, from: &[u8], to: &mut [f32]) {
        match self {
            Self::F32 => {
                for (to, from) in to.iter_mut().zip(from.as_chunks().0) {
                    *to = f32::from_le_bytes(*from);
                }
            }
            Self::F16 => {
                for (to, from) in to.iter_mut().zip(from.as_chunks().0) {
                    *to = half(u16::from_le_bytes(*from));
                }
            }
            Self::Bf16 => {
                for (to, from) in to.iter_mut().zip(from.as_chunks().0) {
                    *to = f32::from_bits(u32::from(u16::from_le_bytes(*from)) << 16);
                }
            }
        }
    }
}

/// A float of 16 bits (IEEE 754 binary16).
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    match exponent {
        // Subnormal: a whole number of 2^-24.
        0 => f32::from_bits(sign | (f32::from(bits & 1023) * 2.0_f32.powi(-24)).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

impl Table {
    /// One row, as floats; `None` where there is no such row.
    pub(crate) fn row(&self, row: usize, to: &mut [f32]) -> Option<()> {
        if row >= self.rows || to.len() != self.width {
            return None;
        }
        let len = self.width * self.float.bytes();
        let start = self.start + row * len;
        self.float.decode(self.map.get(start..start + len)?, to);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn halves_are_read_as_they_are_meant() {
        for (bits, expect) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 6.103_515_6e-5),
            (0x0001, 5.960_464_5e-8),
            (0x8000, -0.0),
            (0x7c00, f32::INFINITY),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half(bits).to_bits(), f32::to_bits(expect), "{bits:#x}");
        }
    }
}
