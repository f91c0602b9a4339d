//! Where inputs come from and are kept: the fixtures of every dialect, and one folder per decoder of what
//! earlier runs found.

use crate::decoders::Decoder;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Most files of one decoder's folder, failures not counted.
const MOST_FILES: usize = 12;
/// Most bytes of them together.
const MOST_BYTES: usize = 9 << 10;

/// The tests of `wire`.
fn tests() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).join("crates/wire/tests")
}

/// A decoder's folder.
pub(crate) fn folder(decoder: Decoder) -> PathBuf {
    tests().join("corpus").join(decoder.name())
}

/// The fixtures of all dialects, by path.
pub(crate) fn fixtures() -> Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    read(&tests().join("wire"), &mut found, &|path| {
        path.extension()
            .is_some_and(|kind| ["json", "sse", "ndjson", "jsonl"].iter().any(|known| kind == *known))
    })?;
    read(&tests().join("../../trace/tests/fixtures/otlp"), &mut found, &|_| true)?;
    Ok(found)
}

/// What earlier runs kept.
pub(crate) fn kept(decoder: Decoder) -> Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    read(&folder(decoder), &mut found, &|_| true)?;
    Ok(found)
}

/// Everything to begin with: fixtures, what was kept for any decoder, and forms.
pub(crate) fn seeds() -> Result<Vec<Vec<u8>>> {
    let mut seeds = fixtures()?;
    for decoder in Decoder::all() {
        seeds.extend(kept(decoder)?);
    }
    seeds.push(FORM.to_vec());
    seeds.push(SPAN.to_vec());
    Ok(seeds)
}

const FORM: &[u8] = b"multipart/form-data; boundary=\"b1\"\n--b1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b1\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b1\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n--b1--\r\n";

/// A chat in OTLP's protobuf.
const SPAN: &[u8] = b"\x0a\xa6\x02\x0a\x16\x0a\x14\x0a\x0cservice.name\x12\x04\x0a\x02ab\x12\x8b\x02\x0a\x03\x0a\x01s\x12\x83\x02\x0a\x10aaaaaaaaaaaaaaaa\x12\x08bbbbbbbb\x22\x08cccccccc*\x04chat0\x039\x00\x00\xf3#\x84[\xd7\x18A\x00\xca\x8d_\x84[\xd7\x18J\x19\x0a\x0ellm.model_name\x12\x07\x0a\x05gpt-5J\x1f\x0a\x17gen_ai.prompt.0.content\x12\x04\x0a\x02hiJ\x1f\x0a\x19gen_ai.usage.input_tokens\x12\x02\x18\x07J\x12\x0a\x01x\x12\x0d*\x0b\x0a\x09!\x00\x00\x00\x00\x00\x00\xf8?J\x10\x0a\x01y\x12\x0b2\x09\x0a\x07\x0a\x01z\x12\x02\x10\x01Z\x18\x09\x01\x00\xf3#\x84[\xd7\x18\x12\x0dgen_ai.choicej\x1c\x0a\x10dddddddddddddddd\x12\x08eeeeeeeez\x06\x12\x02no\x18\x02";

/// Writes what broke a decoder beside what is kept; gives the file.
pub(crate) fn write_failure(decoder: Decoder, bytes: &[u8]) -> Result<PathBuf> {
    write(decoder, "broken", bytes)
}

/// Writes the first of `found` that still fit; gives their number.
pub(crate) fn write_kept(decoder: Decoder, found: &[Vec<u8>]) -> Result<usize> {
    let here = kept(decoder)?;
    let (mut files, mut bytes) = (here.len(), here.iter().map(Vec::len).sum::<usize>());
    let mut written = 0;
    for input in found.iter().filter(|input| !here.contains(input)) {
        if files < MOST_FILES && bytes + input.len() <= MOST_BYTES {
            write(decoder, "kept", input)?;
            files += 1;
            bytes += input.len();
            written += 1;
        }
    }
    Ok(written)
}

fn write(decoder: Decoder, kind: &str, bytes: &[u8]) -> Result<PathBuf> {
    let folder = folder(decoder);
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let hash = blake3::hash(bytes).to_hex();
    let path = folder.join(format!("{kind}-{}", hash.get(..12).unwrap_or_default()));
    fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// The files below `folder`, by path; none where it is not there.
fn read(folder: &Path, found: &mut Vec<Vec<u8>>, wanted: &dyn Fn(&Path) -> bool) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(&path, found, wanted)?;
        } else if wanted(&path) {
            found.push(fs::read(&path).with_context(|| format!("reading {}", path.display()))?);
        }
    }
    Ok(())
}
