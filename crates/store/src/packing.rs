//! Bytes packed by zstd and unpacked again, with the contexts each thread keeps: one costs some hundred kilobytes, and
//! to make it takes longer than to pack a page of text.

use std::cell::RefCell;
use std::io;
use zstd::bulk::{Compressor, Decompressor};

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
