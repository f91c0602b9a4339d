//! Runs of tokens (n-grams) and how often they are there.

use std::collections::HashMap;

/// What separates words: Unicode's white space, and the separators of ASCII (U+001C to U+001F) that Python's
/// `str.split` takes for such.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// What space separates.
pub(crate) fn tokens_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|token| !token.is_empty())
}

/// Tokens by number, the same for the same token in every call with the same `numbers`.
pub(crate) fn numbered<'a>(tokens: &'a [String], numbers: &mut HashMap<&'a str, u32>) -> Vec<u32> {
    let number = |token: &'a String| {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        *numbers.entry(token).or_insert(next)
    };
    tokens.iter().map(number).collect()
}

/// How often each run of `n` is there.
pub(crate) fn tally<T: std::hash::Hash + Eq>(tokens: &[T], n: usize) -> HashMap<&[T], u64> {
    let mut times = HashMap::with_capacity(tokens.len().saturating_sub(n) + 1);
    // A window of 0 is none.
    for run in tokens.windows(n.max(1)) {
        *times.entry(run).or_default() += 1;
    }
    times
}

/// Runs of both, each as often as in the one that has it less often.
pub(crate) fn shared<T: std::hash::Hash + Eq>(a: &HashMap<&[T], u64>, b: &HashMap<&[T], u64>) -> u64 {
    a.iter().map(|(run, times)| b.get(run).map_or(0, |other| *times.min(other))).sum()
}
