//! Bytes packed by zstd and unpacked again, with the contexts each thread keeps: one costs some hundred kilobytes, and
//! to make it takes longer than to pack a page of text.

use std::cell::RefCell;
use std::io;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

/// What is smaller is not worth compressing.
const COMPRESS_FROM: usize = 100;
/// What is larger is no pack of many small things.
const LARGE: usize = 256 << 10;
const LEVEL: i32 = 1;
/// What a pack is compressed with. With the level's own parameters texts of a full pack are 2 % larger; with the next
/// level's 2 % smaller, and compressing them takes a quarter longer.
const QUICK: [CParameter; 2] = [CParameter::MinMatch(6), CParameter::HashLog(15)];
/// For what is larger than a pack, as the level has it.
const AS_LEVEL: [CParameter; 2] = [CParameter::MinMatch(0), CParameter::HashLog(0)];

thread_local! {
    static CONTEXTS: RefCell<Contexts> = RefCell::default();
}

#[derive(Default)]
struct Contexts {
    compressor: Option<Compressor<'static>>,
    decompressor: Option<Decompressor<'static>>,
}

/// Packs bytes as one frame, by a level of zstd.
pub(crate) fn pack(bytes: &[u8], level: i32) -> io::Result<Vec<u8>> {
    CONTEXTS.with_borrow_mut(|contexts| {
        let compressor = match &mut contexts.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(level)?),
        };
        compressor.set_compression_level(level)?;
        compressor.compress(bytes)
    })
}

/// The bytes of a frame, which are at most so many.
pub(crate) fn unpack(frame: &[u8], most: usize) -> io::Result<Vec<u8>> {
    CONTEXTS.with_borrow_mut(|contexts| {
        let decompressor = match &mut contexts.decompressor {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new()?),
        };
        decompressor.decompress(frame, most)
    })
}

/// The writer's compressor, which is dear to make.
#[derive(Default)]
pub(crate) struct Zstd {
    compressor: Option<Compressor<'static>>,
    buffer: Vec<u8>,
}

impl Zstd {
    /// The bytes compressed; `None` when that is not worth it.
    pub(crate) fn compress(&mut self, bytes: &[u8]) -> Option<&[u8]> {
        if bytes.len() < COMPRESS_FROM {
            return None;
        }
        if self.compressor.is_none() {
            self.compressor = Compressor::new(LEVEL).ok();
        }
        let compressor = self.compressor.as_mut()?;
        for parameter in if bytes.len() > LARGE { AS_LEVEL } else { QUICK } {
            compressor.set_parameter(parameter).ok()?;
        }
        // One huge body must not hold its memory for ever.
        self.buffer.clear();
        self.buffer.shrink_to(LARGE);
        self.buffer.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        compressor.compress_to_buffer(bytes, &mut self.buffer).ok()?;
        (self.buffer.len() + self.buffer.len() / 16 < bytes.len()).then_some(&self.buffer)
    }
}

/// The bytes of a pack, of which `size` is the length where they are compressed.
pub(crate) fn unpacked(size: Option<usize>, body: Vec<u8>) -> Option<Vec<u8>> {
    match size {
        None => Some(body),
        Some(size) => unpack(&body, size).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_serves_many_frames_and_outlives_broken_ones() {
        let texts = ["", "a", "the same words, the same words, the same words"];
        for text in texts.iter().chain(&texts) {
            let frame = pack(text.as_bytes(), 3).unwrap();
            assert_eq!(unpack(&frame, text.len()).unwrap(), text.as_bytes());
            assert!(unpack(&frame[..frame.len() - 1], text.len()).is_err());
            assert!(unpack(b"no frame", 100).is_err());
        }
        let frame = pack(&[7; 1000], 1).unwrap();
        assert!(unpack(&frame, 999).is_err(), "more than was said");
    }
}
