//! Facts in columns: how a segment is written and read.
//!
//! A column is its bytes behind their length once unpacked (LEB128, 0 where they are not compressed). Ids are a
//! dictionary (their number, then each one's distance from the one before, LEB128), the width of the codes in
//! bytes (0 where there is one id), and a code for each fact. Numbers are a width in bytes, then that many planes:
//! the lowest byte of every fact, the next of every fact and so on. A number that may be missing is one more than
//! it is, so that 0 is missing; one that may be negative is zigzag.

use crate::facts::{Count, Fact, Id};
use crate::packing::{Zstd, unpacked};
use crate::varint::{pop_varint, push_varint};
use std::collections::HashMap;
use std::hash::Hash;

/// Which column; the codes are on disk, and none may change its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// The trace's `seq`, as the distance from the fact before.
    Seq,
    /// Milliseconds since the epoch, as the distance from the fact before.
    Start,
    /// 1 where the fact is taken back.
    TakenBack,
    /// Sets of tags.
    Tags,
    Id(Id),
    Count(Count),
}

impl Column {
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Seq => 0,
            Self::Start => 1,
            Self::TakenBack => 2,
            Self::Tags => 3,
            Self::Id(id) => 4 + id as i64,
            Self::Count(count) => 16 + count as i64,
        }
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let ids = Id::ALL.into_iter().map(Self::Id);
        let counts = Count::ALL.into_iter().map(Self::Count);
        [Self::Seq, Self::Start, Self::TakenBack, Self::Tags].into_iter().chain(ids).chain(counts)
    }
}

/// A column of ids: each fact's place in the dictionary.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Codes<T> {
    pub(crate) dictionary: Vec<T>,
    pub(crate) codes: Vec<u32>,
}

impl<T: Ord + Hash + Clone> Codes<T> {
    pub(crate) fn of(values: impl Iterator<Item = T>) -> Self {
        let mut places: HashMap<T, u32, foldhash::fast::RandomState> = HashMap::default();
        let mut last: Option<(T, u32)> = None;
        let mut codes: Vec<u32> = values
            .map(|value| match &last {
                // Facts beside each other are alike.
                Some((known, place)) if *known == value => *place,
                _ => {
                    let next = u32::try_from(places.len()).unwrap_or(u32::MAX);
                    let place = *places.entry(value.clone()).or_insert(next);
                    last = Some((value, place));
                    place
                }
            })
            .collect();
        let mut dictionary: Vec<(T, u32)> = places.into_iter().collect();
        dictionary.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        // From the order they came in to the order they stand in.
        let mut sorted = vec![0; dictionary.len()];
        for ((_, place), at) in dictionary.iter().zip(0..) {
            if let Some(sorted) = sorted.get_mut(*place as usize) {
                *sorted = at;
            }
        }
        for code in &mut codes {
            *code = sorted.get(*code as usize).copied().unwrap_or(0);
        }
        Self { dictionary: dictionary.into_iter().map(|(value, _)| value).collect(), codes }
    }
}

pub(crate) fn ids(facts: &[Fact], id: Id) -> Codes<i64> {
    Codes::of(facts.iter().map(|fact| fact.id(id)))
}

pub(crate) fn tags(facts: &[Fact]) -> Codes<Vec<i64>> {
    let sets = Codes::of(facts.iter().map(|fact| fact.tags.as_slice()));
    Codes { dictionary: sets.dictionary.into_iter().map(<[i64]>::to_vec).collect(), codes: sets.codes }
}

/// A column of numbers; those of `Seq` and `Start` as they are, signed.
pub(crate) fn numbers(facts: &[Fact], column: Column) -> Vec<u64> {
    match column {
        Column::Seq => facts.iter().map(|fact| fact.seq.cast_unsigned()).collect(),
        Column::Start => facts.iter().map(|fact| fact.start_ms.cast_unsigned()).collect(),
        Column::Count(count) => facts.iter().map(|fact| fact.stored_count(count)).collect(),
        _ => facts.iter().map(|fact| u64::from(fact.taken_back)).collect(),
    }
}

/// A column's row.
pub(crate) fn encode(facts: &[Fact], column: Column, zstd: &mut Zstd) -> Vec<u8> {
    let mut bytes = Vec::new();
    match column {
        Column::Id(id) => {
            let Codes { dictionary, codes } = ids(facts, id);
            push_ids(&mut bytes, &dictionary);
            push_codes(&mut bytes, dictionary.len(), &codes);
        }
        Column::Tags => {
            let Codes { dictionary, codes } = tags(facts);
            push_varint(&mut bytes, dictionary.len() as u64);
            for set in &dictionary {
                push_ids(&mut bytes, set);
            }
            push_codes(&mut bytes, dictionary.len(), &codes);
        }
        Column::Seq | Column::Start => {
            let mut before = 0_i64;
            let steps = numbers(facts, column).into_iter().map(|number| {
                let step = number.cast_signed().wrapping_sub(before);
                before = number.cast_signed();
                zigzag(step)
            });
            push_numbers(&mut bytes, &steps.collect::<Vec<_>>());
        }
        Column::TakenBack | Column::Count(_) => push_numbers(&mut bytes, &numbers(facts, column)),
    }
    let mut body = Vec::new();
    if let Some(packed) = zstd.compress(&bytes) {
        push_varint(&mut body, bytes.len() as u64);
        body.extend_from_slice(packed);
    } else {
        body.push(0);
        body.append(&mut bytes);
    }
    body
}

/// The bytes of a column's row.
pub(crate) fn unpack(body: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = body.iter();
    let size = usize::try_from(pop_varint(&mut bytes)?).ok()?;
    unpacked((size > 0).then_some(size), bytes.as_slice().to_vec())
}

/// Ids of `facts` facts from a column's bytes.
pub(crate) fn decode_ids(bytes: &[u8], facts: usize) -> Option<Codes<i64>> {
    let mut bytes = bytes.iter();
    let dictionary = pop_ids(&mut bytes)?;
    let codes = pop_codes(&mut bytes, facts)?;
    Some(Codes { dictionary, codes })
}

pub(crate) fn decode_tags(bytes: &[u8], facts: usize) -> Option<Codes<Vec<i64>>> {
    let mut bytes = bytes.iter();
    let sets = pop_varint(&mut bytes)?;
    let mut dictionary = Vec::new();
    for _ in 0..sets {
        dictionary.push(pop_ids(&mut bytes)?);
    }
    let codes = pop_codes(&mut bytes, facts)?;
    Some(Codes { dictionary, codes })
}

pub(crate) fn decode_numbers(bytes: &[u8], facts: usize, column: Column) -> Option<Vec<u64>> {
    let mut bytes = bytes.iter();
    let mut numbers = pop_numbers(&mut bytes, facts)?;
    if matches!(column, Column::Seq | Column::Start) {
        let mut before = 0_i64;
        for number in &mut numbers {
            before = before.wrapping_add(unzigzag(*number));
            *number = before.cast_unsigned();
        }
    }
    Some(numbers)
}

fn push_ids(bytes: &mut Vec<u8>, ids: &[i64]) {
    push_varint(bytes, ids.len() as u64);
    let mut before = 0;
    for id in ids {
        push_varint(bytes, id.wrapping_sub(before).cast_unsigned());
        before = *id;
    }
}

fn pop_ids(bytes: &mut std::slice::Iter<'_, u8>) -> Option<Vec<i64>> {
    let count = pop_varint(bytes)?;
    let (mut ids, mut before) = (Vec::new(), 0_i64);
    for _ in 0..count {
        before = before.wrapping_add(pop_varint(bytes)?.cast_signed());
        ids.push(before);
    }
    Some(ids)
}

fn push_codes(bytes: &mut Vec<u8>, ids: usize, codes: &[u32]) {
    let width: u8 = match ids {
        0..=1 => 0,
        2..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    };
    bytes.push(width);
    push_planes(bytes, usize::from(width), &codes.iter().map(|code| u64::from(*code)));
}

fn pop_codes(bytes: &mut std::slice::Iter<'_, u8>, facts: usize) -> Option<Vec<u32>> {
    let width = usize::from(*bytes.next()?);
    let mut codes = vec![0; facts];
    for (plane, shift) in planes(bytes, width, facts).zip((0_u32..).step_by(8)) {
        for (code, byte) in codes.iter_mut().zip(plane?) {
            *code |= u32::from(*byte).checked_shl(shift)?;
        }
    }
    Some(codes)
}

fn push_numbers(bytes: &mut Vec<u8>, numbers: &[u64]) {
    let most = numbers.iter().copied().max().unwrap_or(0);
    let width = (u64::BITS - most.leading_zeros()).div_ceil(8);
    bytes.push(u8::try_from(width).unwrap_or(8));
    push_planes(bytes, width as usize, &numbers.iter().copied());
}

fn pop_numbers(bytes: &mut std::slice::Iter<'_, u8>, facts: usize) -> Option<Vec<u64>> {
    let width = usize::from(*bytes.next()?);
    let mut numbers = vec![0; facts];
    for (plane, shift) in planes(bytes, width, facts).zip((0_u32..).step_by(8)) {
        let plane = plane?;
        if shift >= u64::BITS {
            return None;
        }
        for (number, byte) in numbers.iter_mut().zip(plane) {
            *number |= u64::from(*byte) << shift;
        }
    }
    Some(numbers)
}

fn push_planes(bytes: &mut Vec<u8>, width: usize, numbers: &(impl Iterator<Item = u64> + Clone)) {
    for plane in 0..width {
        bytes.extend(numbers.clone().map(|number| number.to_le_bytes().get(plane).copied().unwrap_or(0)));
    }
}

/// The planes that follow; `None` for one that is cut.
fn planes<'a>(
    bytes: &mut std::slice::Iter<'a, u8>,
    width: usize,
    facts: usize,
) -> impl Iterator<Item = Option<&'a [u8]>> {
    let mut rest = bytes.as_slice();
    (0..width).map(move |_| {
        let (plane, more) = rest.split_at_checked(facts)?;
        rest = more;
        Some(plane)
    })
}

pub(crate) fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

pub(crate) fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_back() {
        let facts: Vec<Fact> = (0..1_000_i64)
            .map(|n| {
                let mut fact =
                    Fact { seq: n, start_ms: 1_700_000_000_000 + n * 37 - n % 5 * 100, ..Fact::default() };
                fact.taken_back = n % 100 == 3;
                fact.tags = (0..n % 4).map(|tag| 7 + tag * n).collect();
                for (at, id) in (1..).zip(Id::ALL) {
                    fact.set_id(id, if n % 3 == 0 { 0 } else { n % (at * at * 40) });
                }
                for (at, count) in (1_u32..).zip(Count::ALL) {
                    let number = n.unsigned_abs().pow(at.min(6));
                    fact.set_count(count, (n % 7 != 0).then_some(number));
                }
                fact
            })
            .chain([Fact { seq: i64::MAX, start_ms: i64::MIN, ..Fact::default() }])
            .collect();
        for some in [&facts[..0], &facts[..1], &facts[..]] {
            for column in Column::all() {
                let bytes = unpack(&encode(some, column, &mut Zstd::default())).unwrap();
                match column {
                    Column::Id(id) => assert_eq!(decode_ids(&bytes, some.len()), Some(ids(some, id))),
                    Column::Tags => assert_eq!(decode_tags(&bytes, some.len()), Some(tags(some))),
                    _ => {
                        assert_eq!(
                            decode_numbers(&bytes, some.len(), column),
                            Some(numbers(some, column)),
                            "{column:?}"
                        );
                    }
                }
            }
        }
        assert_eq!(decode_numbers(&[2, 1, 1, 1], 2, Column::TakenBack), None, "cut");
        assert_eq!(decode_numbers(&[9; 30], 2, Column::TakenBack), None, "too wide");
    }

    #[test]
    fn columns_have_codes_of_their_own() {
        let codes: std::collections::HashSet<i64> = Column::all().map(Column::code).collect();
        assert_eq!(codes.len(), Column::all().count());
        assert!(codes.iter().all(|code| (0..32).contains(code)));
    }
}
