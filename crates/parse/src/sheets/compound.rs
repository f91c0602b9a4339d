//! Compound files ([MS-CFB]): one stream out of the little file system that old office documents are kept in.
//!
//! Every chain is followed as far as the file is long, and no farther, so that a loop ends.

/// Sector numbers from here on are none.
const LAST: u32 = 0xFFFF_FFFA;
/// Bytes of an entry of the directory.
const ENTRY: usize = 128;

/// The stream of one of these names; `None` where there is none, or the file is broken.
pub(super) fn stream(file: &[u8], names: &[&str]) -> Option<Vec<u8>> {
    let compound = Compound::open(file)?;
    let directory = compound.chain(u32_at(file, 48)?)?;
    let root = directory.get(..ENTRY)?;
    let entry = names.iter().find_map(|wanted| {
        directory
            .chunks_exact(ENTRY)
            .find(|entry| name(entry).is_some_and(|name| name.eq_ignore_ascii_case(wanted)))
    })?;
    let (start, size) = (u32_at(entry, 116)?, usize::try_from(u32_at(entry, 120)?).ok()?);
    let mut content = if size < usize::try_from(u32_at(file, 56)?).ok()? {
        // Short streams lie in sectors of their own, within the root's stream.
        let within = compound.chain(u32_at(root, 116)?)?;
        let short = compound.chain(u32_at(file, 60)?)?;
        let next: Vec<u32> = short.chunks_exact(4).filter_map(|bytes| u32_at(bytes, 0)).collect();
        let size = 1 << u16_at(file, 32)?.min(12);
        follow(start, &next, |sector| within.get(sector.checked_mul(size)?..)?.get(..size))?
    } else {
        compound.chain(start)?
    };
    content.truncate(size);
    Some(content)
}

struct Compound<'a> {
    file: &'a [u8],
    /// Bytes of a sector.
    sector: usize,
    /// The sector after each.
    sectors: Vec<u32>,
}

impl<'a> Compound<'a> {
    fn open(file: &'a [u8]) -> Option<Self> {
        if !file.starts_with(&[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]) {
            return None;
        }
        let sector = match u16_at(file, 30)? {
            shift @ 9..=12 => 1 << shift,
            _ => return None,
        };
        let mut compound = Self { file, sector, sectors: Vec::new() };
        // The table's own sectors: the first in the header, the rest in a chain of lists.
        let mut tables: Vec<u32> =
            file.get(76..512)?.chunks_exact(4).filter_map(|at| u32_at(at, 0)).collect();
        let mut list = u32_at(file, 68)?;
        for _ in 0..=file.len() / sector {
            let Some(bytes) = Some(list).filter(|list| *list < LAST).and_then(|list| compound.at(list))
            else {
                break;
            };
            let numbers: Vec<u32> = bytes.chunks_exact(4).filter_map(|at| u32_at(at, 0)).collect();
            let (next, numbers) = numbers.split_last()?;
            tables.extend(numbers);
            list = *next;
        }
        let most = file.len() / sector + 1;
        for table in tables.into_iter().filter(|table| *table < LAST).take(most) {
            let bytes = compound.at(table)?;
            compound.sectors.extend(bytes.chunks_exact(4).filter_map(|at| u32_at(at, 0)));
        }
        Some(compound)
    }

    fn at(&self, sector: u32) -> Option<&'a [u8]> {
        let start = usize::try_from(sector).ok()?.checked_add(1)?.checked_mul(self.sector)?;
        let rest = self.file.get(start..)?;
        // The last one may be cut short.
        rest.get(..self.sector).or(Some(rest)).filter(|bytes| !bytes.is_empty())
    }

    fn chain(&self, start: u32) -> Option<Vec<u8>> {
        follow(start, &self.sectors, |sector| self.at(u32::try_from(sector).ok()?))
    }
}

/// The sectors of a chain, one after the other.
fn follow<'a>(start: u32, next: &[u32], at: impl Fn(usize) -> Option<&'a [u8]>) -> Option<Vec<u8>> {
    let (mut content, mut sector) = (Vec::new(), start);
    for _ in 0..=next.len() {
        if sector >= LAST {
            return Some(content);
        }
        let number = usize::try_from(sector).ok()?;
        content.extend_from_slice(at(number)?);
        sector = *next.get(number)?;
    }
    None
}

/// The name of an entry of the directory.
fn name(entry: &[u8]) -> Option<String> {
    let bytes = usize::from(u16_at(entry, 64)?).checked_sub(2)?;
    let units: Vec<u16> =
        entry.get(..bytes.min(62))?.chunks_exact(2).filter_map(|unit| u16_at(unit, 0)).collect();
    String::from_utf16(&units).ok()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}
