//! Memory that begins where a cache line does, and views of rows in it.

#![expect(unsafe_code, reason = "a view of whole lines as their floats")]

/// Floats to a cache line.
const LINE: usize = 16;

/// Floats to work in: grown when needed, never shrunk, aligned to 64 bytes.
#[derive(Default)]
pub(crate) struct Buffer {
    lines: Vec<Line>,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

impl Buffer {
    /// `len` floats, all zero.
    pub(crate) fn zeros(len: usize) -> Self {
        Self { lines: vec![Line([0.0; LINE]); len.div_ceil(LINE)] }
    }

    /// At least `len` floats, with what happens to be in them.
    pub(crate) fn at_least(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(LINE);
        if self.lines.len() < lines {
            // What was in it is not worth a copy.
            self.lines = vec![Line([0.0; LINE]); lines];
        }
        self.as_mut_slice()
    }

    /// All of them.
    pub(crate) fn as_slice(&self) -> &[f32] {
        // SAFETY: a `Line` is 16 floats and nothing else, and so is a row of lines.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * LINE) }
    }

    /// All of them, to write.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: a `Line` is 16 floats and nothing else, and so is a row of lines; they are borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * LINE) }
    }
}

/// Rows of floats, some distance apart.
///
/// Invariant: `data` covers `count` rows of `width` floats that begin `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(super) data: &'a [f32],
    pub(super) stride: usize,
    pub(crate) count: usize,
    pub(crate) width: usize,
}

impl<'a> Rows<'a> {
    /// `count` rows of `width` floats, `stride` apart.
    ///
    /// # Panics
    ///
    /// Where `data` does not cover them, which is a fault of the caller.
    pub(crate) fn new(data: &'a [f32], count: usize, width: usize, stride: usize) -> Self {
        assert!(covers(data.len(), count, width, stride), "rows within their memory");
        Self { data, stride, count, width }
    }

    /// Row by row.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [f32]> {
        let Self { data, stride, count, width } = self;
        (0..count).filter_map(move |row| data.get(row * stride..row * stride + width))
    }
}

/// The same, to write.
///
/// Invariant: as of [`Rows`].
pub(crate) struct RowsMut<'a> {
    pub(super) data: &'a mut [f32],
    pub(super) stride: usize,
    pub(crate) count: usize,
    pub(crate) width: usize,
}

impl<'a> RowsMut<'a> {
    /// `count` rows of `width` floats, `stride` apart.
    ///
    /// # Panics
    ///
    /// Where `data` does not cover them, which is a fault of the caller.
    pub(crate) fn new(data: &'a mut [f32], count: usize, width: usize, stride: usize) -> Self {
        assert!(covers(data.len(), count, width, stride), "rows within their memory");
        Self { data, stride, count, width }
    }
}

fn covers(len: usize, count: usize, width: usize, stride: usize) -> bool {
    width <= stride && (count == 0 || (count - 1) * stride + width <= len)
}
