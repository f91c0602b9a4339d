//! What a trace refers to its bodies by.

use crate::row::Slot;
use crate::varint::{pop_varint, push_varint};

/// Appends a reference: one byte for the slot, then the id as an LEB128 varint.
pub(crate) fn pack(references: &mut Vec<u8>, slot: Slot, id: i64) {
    references.push(slot.code());
    push_varint(references, id.cast_unsigned());
}

/// The references that were packed; `None` when they are not well formed.
pub(crate) fn unpack(references: &[u8]) -> Option<Vec<(Slot, i64)>> {
    let mut bytes = references.iter();
    let mut found = Vec::new();
    while let Some(code) = bytes.next() {
        let slot = Slot::of_code(*code)?;
        found.push((slot, pop_varint(&mut bytes)?.cast_signed()));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_round_trip() {
        let wanted: Vec<(Slot, i64)> =
            Slot::ALL.into_iter().zip([0, 1, 127, 128, 300_000, i64::MAX]).collect();
        let mut packed = Vec::new();
        for (slot, id) in &wanted {
            pack(&mut packed, *slot, *id);
        }
        assert_eq!(unpack(&packed), Some(wanted));
        assert_eq!(unpack(&[0]), None, "cut");
        assert_eq!(unpack(&[0, 0x80]), None, "cut inside a number");
        assert_eq!(unpack(&[9, 1]), None, "unknown slot");
    }
}
