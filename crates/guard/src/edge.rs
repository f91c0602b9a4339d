//! Where a word begins and ends, in text that may be JSON inside JSON.

/// The byte at `at`.
pub(crate) fn at(text: &[u8], at: usize) -> Option<u8> {
    text.get(at).copied()
}

/// The byte before `at`.
pub(crate) fn before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|at| text.get(at).copied())
}

/// Whether a word may begin at `at`: nothing of a word stands before. The letter of an escape (`\n`) is none.
pub(crate) fn begins(text: &[u8], at: usize) -> bool {
    match before(text, at) {
        Some(byte) if is_word(byte) => is_escape(text, at),
        _ => true,
    }
}

/// Whether the byte before `at` is the letter of an escape.
pub(crate) fn is_escape(text: &[u8], at: usize) -> bool {
    let Some(letter) = at.checked_sub(1) else { return false };
    matches!(text.get(letter), Some(b'n' | b't' | b'r' | b'b' | b'f')) && before(text, letter) == Some(b'\\')
}

/// Whether a word may end at `at`.
pub(crate) fn ends(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| !is_word(*byte))
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where the run of bytes that `is` takes ends.
pub(crate) fn run(text: &[u8], from: usize, is: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().position(|byte| !is(*byte)).unwrap_or(rest.len())
}

/// A number in decimal digits is read by its groups: `groups` digits each, between which `separator` says what
/// may stand. Gives the digits and where it ends. Neither more digits nor letters may follow.
pub(crate) fn grouped(
    text: &[u8],
    from: usize,
    groups: &[usize],
    separator: impl Fn(u8) -> bool,
) -> Option<(Vec<u8>, usize)> {
    let mut digits = Vec::with_capacity(groups.iter().sum());
    let mut at = from;
    for (number, length) in groups.iter().enumerate() {
        if number > 0 {
            text.get(at).filter(|byte| separator(**byte))?;
            at += 1;
        }
        for byte in text.get(at..at + length)? {
            digits.push(byte.is_ascii_digit().then(|| byte - b'0')?);
        }
        at += length;
    }
    closed(text, at).then_some((digits, at))
}

/// Whether a number ends at `at`, and is not the beginning of a longer one.
pub(crate) fn closed(text: &[u8], at: usize) -> bool {
    let next = |more: usize| text.get(at + more).copied();
    match next(0) {
        Some(byte) if is_word(byte) => false,
        Some(b'-') => !next(1).is_some_and(|byte| byte.is_ascii_alphanumeric()),
        Some(b'.') => !next(1).is_some_and(|byte| byte.is_ascii_digit()),
        _ => true,
    }
}

/// Whether a number may begin at `at`, and is not the end of a longer one.
pub(crate) fn opens(text: &[u8], at: usize) -> bool {
    let two = at.checked_sub(2).and_then(|at| text.get(at).copied());
    match before(text, at) {
        Some(b'-') => !two.is_some_and(|byte| byte.is_ascii_alphanumeric()),
        Some(b'.' | b'+') => !two.is_some_and(|byte| byte.is_ascii_digit()),
        _ => begins(text, at),
    }
}

/// Bits of information in a character, by Shannon, over the characters that are there.
pub(crate) fn entropy(word: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in word {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let all = f64::from(u32::try_from(word.len()).unwrap_or(u32::MAX).max(1));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / all)
        .map(|p| -p * p.log2())
        .sum()
}
