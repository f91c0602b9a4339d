//! What parent and child say to each other: lengths, JSON, bytes.
//!
//! A job is the length of its head (`u32`, little endian), the head as JSON, and as many bytes of the file as the
//! head says. An answer is the length of its head, the length of its text (both `u32`), the head, the text.

use crate::{Format, Limits, Parsed, Unfit};
use serde::{Deserialize, Serialize};
use std::io::{Error, ErrorKind, Read, Result, Write};

/// Bytes of a head at most: a document's metadata, notes and pages.
const LONGEST_HEAD: u32 = 8 << 20;

/// What is to be parsed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) format: Format,
    pub(crate) limits: Limits,
    /// Bytes of the file, which follow.
    pub(crate) bytes: u64,
}

/// What came of it; of a document, all but its text.
#[derive(Serialize, Deserialize)]
struct Head {
    outcome: std::result::Result<Parsed, Unfit>,
}

pub(crate) fn write_job(mut to: impl Write, job: &Job) -> Result<()> {
    let head = serde_json::to_vec(job)?;
    to.write_all(&length(head.len())?.to_le_bytes())?;
    to.write_all(&head)
}

/// The next job; `None` when the parent has gone.
pub(crate) fn read_job(mut from: impl Read) -> Result<Option<Job>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let head = read_bytes(&mut from, u32::from_le_bytes(length), LONGEST_HEAD)?;
    Ok(Some(serde_json::from_slice(&head)?))
}

pub(crate) fn write_answer(
    mut to: impl Write,
    mut outcome: std::result::Result<Parsed, Unfit>,
) -> Result<()> {
    let text = outcome.as_mut().map(|parsed| std::mem::take(&mut parsed.text)).unwrap_or_default();
    let head = serde_json::to_vec(&Head { outcome })?;
    to.write_all(&length(head.len())?.to_le_bytes())?;
    to.write_all(&length(text.len())?.to_le_bytes())?;
    to.write_all(&head)?;
    to.write_all(text.as_bytes())?;
    to.flush()
}

/// An answer with a text of at most `text_bytes`.
///
/// # Errors
///
/// The child has gone, or says what no child says.
pub(crate) fn read_answer(
    mut from: impl Read,
    text_bytes: usize,
) -> Result<std::result::Result<Parsed, Unfit>> {
    let mut lengths = [[0; 4]; 2];
    for length in &mut lengths {
        from.read_exact(length)?;
    }
    let [head, text] = lengths.map(u32::from_le_bytes);
    let head = read_bytes(&mut from, head, LONGEST_HEAD)?;
    let text = read_bytes(&mut from, text, u32::try_from(text_bytes).unwrap_or(u32::MAX))?;
    let Head { mut outcome } = serde_json::from_slice(&head)?;
    if let Ok(parsed) = &mut outcome {
        parsed.text = String::from_utf8(text).map_err(|_| nonsense())?;
        let is_place = |page: &usize| parsed.text.is_char_boundary(*page);
        if !parsed.pages.iter().all(is_place) || !parsed.pages.is_sorted() {
            return Err(nonsense());
        }
    }
    Ok(outcome)
}

fn read_bytes(from: impl Read, length: u32, limit: u32) -> Result<Vec<u8>> {
    if length > limit {
        return Err(nonsense());
    }
    let mut bytes = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() < length as usize {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

fn length(of: usize) -> Result<u32> {
    u32::try_from(of).map_err(|_| nonsense())
}

fn nonsense() -> Error {
    Error::new(ErrorKind::InvalidData, "it gave no proper answer")
}
