//! A file of vectors: written once, mapped, never changed.
//!
//! All numbers little-endian: a head of 64 bytes, the rows (each filled up to whole lanes), then a column each of
//! keys (8 bytes), groups (8) and scales (4).

use super::code::{MOST_DIMENSIONS, encode};
use super::mapped::Mapped;
use super::simd::LANES;
use std::fs::File;
use std::io::{BufReader, BufWriter, Error, ErrorKind, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"hanokvec";
/// Of the file: another number is not read.
const FORMAT: u32 = 1;
const HEAD: usize = 64;
const BUFFER: usize = 1 << 18;

/// Vectors that can be read.
pub(crate) struct Segment {
    /// Its name in the folder.
    pub(crate) id: u64,
    /// How many rows.
    pub(crate) rows: u32,
    /// Numbers in each vector.
    pub(crate) dimensions: usize,
    /// Bytes of a row.
    pub(crate) stride: usize,
    map: Mapped,
    /// Where in the file the rows end, then each column.
    ends: [usize; 4],
}

impl Segment {
    /// The file of a segment.
    pub(crate) fn path(folder: &Path, id: u64) -> PathBuf {
        folder.join(format!("{id:08x}.vec"))
    }

    /// Whose file, or whose graph's file, it is; `None` for any other file.
    pub(crate) fn id_of(path: &Path) -> Option<u64> {
        let (id, kind) = path.file_name()?.to_str()?.split_once('.')?;
        if kind == "vec" || kind == "graph" { u64::from_str_radix(id, 16).ok() } else { None }
    }

    /// Opens a segment of vectors of `dimensions` numbers. A file that is not whole is an error.
    pub(crate) fn open(folder: &Path, id: u64, dimensions: usize) -> Result<Self> {
        let map = Mapped::open(&Self::path(folder, id))?;
        let head = map.bytes().get(..HEAD).ok_or_else(|| broken("is cut short"))?;
        let mut numbers = head.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).skip(2);
        if !head.starts_with(MAGIC) || numbers.next() != Some(FORMAT) {
            return Err(broken("is of another format"));
        }
        let (Some(found), Some(rows)) = (numbers.next(), numbers.next()) else {
            return Err(broken("is cut short"));
        };
        if index(found) != dimensions || !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            return Err(broken("holds vectors of another length"));
        }
        let stride = dimensions.next_multiple_of(LANES);
        let count = usize::try_from(rows).map_err(|_| broken("holds too many rows"))?;
        let mut end = HEAD;
        let mut ends = [0; 4];
        for (slot, bytes) in ends.iter_mut().zip([stride, 8, 8, 4]) {
            end = count.checked_mul(bytes).and_then(|column| end.checked_add(column)).unwrap_or(usize::MAX);
            *slot = end;
        }
        if map.bytes().len() != end {
            return Err(broken("is cut short"));
        }
        Ok(Self { id, rows, dimensions, stride, map, ends })
    }

    /// Tells the system that single rows will be read.
    pub(crate) fn here_and_there(&self) {
        self.map.here_and_there();
    }

    /// Reads the rows from the file, one after the other, which leaves less in memory than the mapping.
    pub(crate) fn reader(&self, folder: &Path) -> Result<BufReader<File>> {
        let mut file = File::open(Self::path(folder, self.id))?;
        file.seek(SeekFrom::Start(HEAD as u64))?;
        Ok(BufReader::with_capacity(BUFFER, file))
    }

    fn part(&self, from: usize, to: usize) -> &[u8] {
        self.map.bytes().get(from..to).unwrap_or_default()
    }

    /// All rows, one after the other.
    pub(crate) fn codes(&self) -> &[u8] {
        let [end, ..] = self.ends;
        self.part(HEAD, end)
    }

    /// One row.
    pub(crate) fn code(&self, row: u32) -> &[u8] {
        let begin = index(row).saturating_mul(self.stride);
        self.codes().get(begin..begin.saturating_add(self.stride)).unwrap_or_default()
    }

    fn keys(&self) -> &[[u8; 8]] {
        let [begin, end, ..] = self.ends;
        self.part(begin, end).as_chunks().0
    }

    fn group_column(&self) -> &[[u8; 8]] {
        let [_, begin, end, _] = self.ends;
        self.part(begin, end).as_chunks().0
    }

    fn scale_column(&self) -> &[[u8; 4]] {
        let [.., begin, end] = self.ends;
        self.part(begin, end).as_chunks().0
    }

    /// A row's key.
    pub(crate) fn key(&self, row: u32) -> u64 {
        self.keys().get(index(row)).map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// A row's group.
    pub(crate) fn group(&self, row: u32) -> u64 {
        self.group_column().get(index(row)).map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// The rows' groups, in order.
    pub(crate) fn groups(&self) -> impl Iterator<Item = u64> + '_ {
        self.group_column().iter().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// A row's scale.
    pub(crate) fn scale(&self, row: u32) -> f32 {
        self.scale_column().get(index(row)).map_or(0.0, |bytes| f32::from_le_bytes(*bytes))
    }

    /// The rows' scales, in order.
    pub(crate) fn scales(&self) -> impl Iterator<Item = f32> + '_ {
        self.scale_column().iter().map(|bytes| f32::from_le_bytes(*bytes))
    }
}

/// A row's number as one into memory.
pub(crate) fn index(row: u32) -> usize {
    usize::try_from(row).unwrap_or(usize::MAX)
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("a file of vectors {what}"))
}

/// A segment in the making. Rows go to the file as they come, columns wait in memory.
pub(crate) struct SegmentWriter {
    id: u64,
    file: BufWriter<File>,
    dimensions: usize,
    keys: Vec<u64>,
    groups: Vec<u64>,
    scales: Vec<f32>,
    code: Vec<u8>,
}

impl SegmentWriter {
    /// Begins a segment.
    pub(crate) fn create(folder: &Path, id: u64, dimensions: usize) -> Result<Self> {
        let mut file = BufWriter::with_capacity(BUFFER, File::create(Segment::path(folder, id))?);
        file.write_all(&[0; HEAD])?;
        let (keys, groups, scales, code) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Ok(Self { id, file, dimensions, keys, groups, scales, code })
    }

    /// Numbers in each vector.
    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// How many rows there are so far.
    pub(crate) fn rows(&self) -> u32 {
        u32::try_from(self.keys.len()).unwrap_or(u32::MAX)
    }

    /// The groups of the rows so far.
    pub(crate) fn groups(&self) -> &[u64] {
        &self.groups
    }

    /// Adds a vector; `false`, and nothing is added, where it holds a number that is not finite.
    pub(crate) fn add(&mut self, key: u64, group: u64, vector: &[f32]) -> Result<bool> {
        self.code.clear();
        let mut code = std::mem::take(&mut self.code);
        let done = match encode(vector, &mut code) {
            Some(scale) => self.add_code(key, group, scale, &code).map(|()| true),
            None => Ok(false),
        };
        self.code = code;
        done
    }

    /// Adds a row as another segment has it.
    pub(crate) fn add_code(&mut self, key: u64, group: u64, scale: f32, code: &[u8]) -> Result<()> {
        if self.keys.len() >= usize::try_from(u32::MAX).unwrap_or(usize::MAX) {
            return Err(Error::new(ErrorKind::FileTooLarge, "too many vectors for one file"));
        }
        self.file.write_all(code)?;
        self.keys.push(key);
        self.groups.push(group);
        self.scales.push(scale);
        Ok(())
    }

    /// Completes the file and syncs it.
    pub(crate) fn finish(self, folder: &Path) -> Result<Segment> {
        let Self { id, mut file, dimensions, keys, groups, scales, code: _ } = self;
        for number in keys.iter().chain(&groups) {
            file.write_all(&number.to_le_bytes())?;
        }
        for scale in &scales {
            file.write_all(&scale.to_le_bytes())?;
        }
        file.seek(SeekFrom::Start(0))?;
        file.write_all(MAGIC)?;
        let too_much = |_| Error::new(ErrorKind::FileTooLarge, "too many vectors for one file");
        let (dimensions_, rows) =
            (u32::try_from(dimensions).map_err(too_much)?, u32::try_from(keys.len()).map_err(too_much)?);
        for number in [FORMAT, dimensions_, rows] {
            file.write_all(&number.to_le_bytes())?;
        }
        file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        Segment::open(folder, id, dimensions)
    }
}
