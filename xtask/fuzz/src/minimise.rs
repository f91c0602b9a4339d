//! The smallest input that still shows what a larger one showed.

/// Removes pieces of `input`, large ones first, as long as `shows` holds, with at most so many tries.
pub(crate) fn minimise(input: &[u8], mut tries: usize, mut shows: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut best = input.to_vec();
    let mut size = best.len().div_ceil(2);
    while size > 0 && tries > 0 {
        let mut at = 0;
        let mut smaller = false;
        while at < best.len() && tries > 0 {
            let end = (at + size).min(best.len());
            let less = [best.get(..at).unwrap_or_default(), best.get(end..).unwrap_or_default()].concat();
            tries -= 1;
            if shows(&less) {
                best = less;
                smaller = true;
            } else {
                at = end;
            }
        }
        if !smaller {
            size /= 2;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::minimise;

    #[test]
    fn what_does_not_matter_goes() {
        let check = |input: &str, needed: &[u8], expect: &str| {
            let shows = |bytes: &[u8]| needed.iter().all(|byte| bytes.contains(byte));
            assert_eq!(minimise(input.as_bytes(), 10_000, shows), expect.as_bytes());
        };
        check("hello, {world}: what is it?", b"{}", "{}");
        check("x", b"", "");
        check("aaaaaaaab", b"ab", "ab");
        assert_eq!(minimise(b"abc", 0, |_| true), b"abc");
    }
}
