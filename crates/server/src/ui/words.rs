//! What differs between two texts, word by word.

/// Words of the differing middle above which both are shown whole: the comparison takes their product.
const MOST: usize = 1200;

/// A stretch of one text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch<'a> {
    /// The text.
    pub(super) text: &'a str,
    /// Whether the other text lacks it.
    pub(super) own: bool,
}

/// Both texts in stretches.
pub(super) fn differing<'a>(before: &'a str, after: &'a str) -> (Vec<Stretch<'a>>, Vec<Stretch<'a>>) {
    let (a, b) = (words(before), words(after));
    let head = a.iter().zip(&b).take_while(|(one, other)| same(one, other)).count();
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(one, other)| same(one, other)).count();
    let tail = tail.min(a.len().min(b.len()) - head);
    let middle =
        |of: &[&'a str]| -> Vec<&'a str> { of.iter().take(of.len() - tail).skip(head).copied().collect() };
    let (x, y) = (middle(&a), middle(&b));
    let (mut own_a, mut own_b) = (vec![false; a.len()], vec![false; b.len()]);
    let (kept_x, kept_y) = if x.len().max(y.len()) <= MOST {
        common(&x, &y)
    } else {
        (vec![false; x.len()], vec![false; y.len()])
    };
    for (own, kept) in [(&mut own_a, &kept_x), (&mut own_b, &kept_y)] {
        for (own, kept) in own.iter_mut().skip(head).zip(kept) {
            *own = !kept;
        }
    }
    (stretches(before, &a, &own_a), stretches(after, &b, &own_b))
}

/// Words with the space behind them, so that they are the text again.
fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(char::is_whitespace).collect()
}

/// Whether two words are one, whatever space follows.
fn same(one: &str, other: &str) -> bool {
    one.trim_end() == other.trim_end()
}

/// Which words of each are in a longest common sequence.
fn common(x: &[&str], y: &[&str]) -> (Vec<bool>, Vec<bool>) {
    let width = y.len() + 1;
    let mut table = vec![0_u16; (x.len() + 1) * width];
    let at = |table: &[u16], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or_default();
    for (i, one) in x.iter().enumerate().rev() {
        for (j, other) in y.iter().enumerate().rev() {
            let best = if same(one, other) {
                at(&table, i + 1, j + 1) + 1
            } else {
                at(&table, i + 1, j).max(at(&table, i, j + 1))
            };
            if let Some(cell) = table.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut kept_x, mut kept_y) = (vec![false; x.len()], vec![false; y.len()]);
    let (mut i, mut j) = (0, 0);
    while let (Some(one), Some(other)) = (x.get(i), y.get(j)) {
        if same(one, other) {
            if let (Some(a), Some(b)) = (kept_x.get_mut(i), kept_y.get_mut(j)) {
                (*a, *b) = (true, true);
            }
            (i, j) = (i + 1, j + 1);
        } else if at(&table, i + 1, j) >= at(&table, i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    (kept_x, kept_y)
}

/// Neighbours of one kind together.
fn stretches<'a>(text: &'a str, words: &[&str], own: &[bool]) -> Vec<Stretch<'a>> {
    let mut found: Vec<(usize, usize, bool)> = Vec::new();
    let mut at = 0;
    for (word, own) in words.iter().zip(own) {
        let end = at + word.len();
        match found.last_mut() {
            Some((_, reached, kind)) if kind == own => *reached = end,
            _ => found.push((at, end, *own)),
        }
        at = end;
    }
    found.into_iter().filter_map(|(from, to, own)| Some(Stretch { text: text.get(from..to)?, own })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_the_texts_again() {
        let check = |before: &str, after: &str, gone: &[&str], new: &[&str]| {
            let (a, b) = differing(before, after);
            let whole = |of: &[Stretch<'_>]| of.iter().map(|stretch| stretch.text).collect::<String>();
            assert_eq!((whole(&a).as_str(), whole(&b).as_str()), (before, after));
            let own = |of: &[Stretch<'_>]| -> Vec<String> {
                of.iter().filter(|stretch| stretch.own).map(|stretch| stretch.text.to_owned()).collect()
            };
            assert_eq!(
                (own(&a), own(&b)),
                (
                    gone.iter().map(|s| (*s).to_owned()).collect(),
                    new.iter().map(|s| (*s).to_owned()).collect()
                )
            );
        };
        check("", "", &[], &[]);
        check("same text", "same text", &[], &[]);
        check("a b c", "a x c", &["b "], &["x "]);
        check("환불은 5일 걸립니다", "환불은 3일 걸립니다", &["5일 "], &["3일 "]);
        check("one", "", &["one"], &[]);
        check("a a a", "a a", &["a"], &[]);
        check("it broke.", "it broke. Sorry.", &[], &["Sorry."]);
        check("the cat sat here", "a cat lay here", &["the ", "sat "], &["a ", "lay "]);
    }

    #[test]
    fn long_texts_are_not_compared_for_ever() {
        let before = "a ".repeat(20_000);
        let after = "b ".repeat(20_000);
        let (a, b) = differing(&before, &after);
        assert_eq!((a.len(), b.len()), (1, 1));
        assert!(a.iter().chain(&b).all(|stretch| stretch.own));
    }
}
