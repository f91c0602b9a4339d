//! Counts of tokens that few calls have, packed into one column.

use crate::varint::{pop_varint, push_varint};
use hanok_base::Usage;

/// The codes in the column. They are on disk: none may ever change its meaning.
fn rare(usage: &mut Usage) -> [(u8, &mut Option<u64>); 5] {
    [
        (1, &mut usage.cache_write_long),
        (2, &mut usage.input_audio),
        (3, &mut usage.input_image),
        (4, &mut usage.output_audio),
        (5, &mut usage.output_image),
    ]
}

/// Packs the rare counts into `into`, which is emptied first.
pub(crate) fn pack(into: &mut Vec<u8>, usage: &Usage) {
    into.clear();
    for (code, count) in rare(&mut usage.clone()) {
        if let Some(count) = *count {
            into.push(code);
            push_varint(into, count);
        }
    }
}

/// Unpacks them into `usage`; `None` when they are not well formed.
pub(crate) fn unpack(packed: &[u8], usage: &mut Usage) -> Option<()> {
    let mut bytes = packed.iter();
    while let Some(code) = bytes.next() {
        let count = pop_varint(&mut bytes)?;
        let (_, into) = rare(usage).into_iter().find(|(known, _)| known == code)?;
        *into = Some(count);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_back() {
        let check = |usage: Usage, bytes: usize| {
            let mut packed = vec![9];
            pack(&mut packed, &usage);
            assert_eq!(packed.len(), bytes, "{usage:?}");
            let mut found = Usage::default();
            assert_eq!(unpack(&packed, &mut found), Some(()));
            assert_eq!(found, usage);
        };
        check(Usage::default(), 0);
        check(Usage { cache_write_long: Some(0), ..Usage::default() }, 2);
        check(
            Usage {
                input_audio: Some(300),
                input_image: Some(1),
                output_audio: Some(u64::MAX),
                output_image: Some(127),
                ..Usage::default()
            },
            3 + 2 + 11 + 2,
        );
        assert_eq!(unpack(&[9, 1], &mut Usage::default()), None, "unknown code");
        assert_eq!(unpack(&[1], &mut Usage::default()), None, "cut");
    }
}
