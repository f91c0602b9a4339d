//! `bleu`: BLEU (Papineni et al. 2002) of one text, as sacrebleu's `sentence_bleu` has it (Post 2018): orders up to the
//! longest run that the text has (effective order), and orders without a match smoothed by halving (Chen and Cherry
//! 2014, method 3). Of several expected texts a run counts as often as in the one that has it most, and the length
//! that counts is the nearest. From 0 to 1, where sacrebleu says 0 to 100.

use super::runs::{is_space, numbered, tally, tokens_of};
use super::spec::{Bleu, BleuTokens};
use super::subject::{Found, Rule, Subject};
use std::borrow::Cow;
use std::collections::HashMap;

/// `bleu`.
pub(crate) struct BleuRule(Bleu);

impl BleuRule {
    pub(crate) fn new(spec: &Bleu) -> Result<Self, String> {
        if (1..=16).contains(&spec.order) {
            Ok(Self(spec.clone()))
        } else {
            Err("`order` is from 1 to 16".to_owned())
        }
    }

    fn cut(&self, text: &str) -> Vec<String> {
        let text = if self.0.lowercase { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) };
        let text = text.trim_end_matches(is_space);
        match self.0.tokens {
            BleuTokens::Mteval13a => tokens_of(&mteval_13a(text)).map(ToOwned::to_owned).collect(),
            BleuTokens::Characters => text.chars().filter(|c| !is_space(*c)).map(String::from).collect(),
            BleuTokens::Space => tokens_of(text).map(ToOwned::to_owned).collect(),
        }
    }
}

impl Rule for BleuRule {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let expected = subject.expected_texts();
        if expected.is_empty() {
            return Found::skipped("the sample says nothing of what is expected");
        }
        let text = self.cut(&subject.text);
        let references: Vec<Vec<String>> = expected.iter().map(|text| self.cut(text)).collect();
        Found::number(bleu(&text, &references, self.0.order), "")
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^53")]
fn bleu(text: &[String], references: &[Vec<String>], order: usize) -> f64 {
    let mut numbers = HashMap::new();
    let references: Vec<Vec<u32>> = references.iter().map(|tokens| numbered(tokens, &mut numbers)).collect();
    let text = numbered(text, &mut numbers);
    let nearest = references
        .iter()
        .map(Vec::len)
        .min_by_key(|length| (length.abs_diff(text.len()), *length))
        .unwrap_or_default();
    let mut logs = 0.0;
    let (mut orders, mut matched, mut halving) = (0, false, 1.0);
    for n in 1..=order {
        let found = tally(&text, n);
        let total: u64 = found.values().sum();
        if total == 0 {
            break;
        }
        let mut most: HashMap<&[u32], u64> = HashMap::new();
        for reference in &references {
            for (run, times) in tally(reference, n) {
                let most = most.entry(run).or_default();
                *most = times.max(*most);
            }
        }
        let correct: u64 =
            found.iter().map(|(run, times)| most.get(run).map_or(0, |most| *times.min(most))).sum();
        orders = n;
        matched |= correct > 0;
        logs += if correct > 0 {
            (correct as f64 / total as f64).ln()
        } else {
            halving *= 2.0;
            (1.0 / (halving * total as f64)).ln()
        };
    }
    if !matched {
        return 0.0;
    }
    let brevity = if text.len() < nearest { (1.0 - nearest as f64 / text.len() as f64).exp() } else { 1.0 };
    brevity * (logs / orders as f64).exp()
}

/// The tokens of NIST's `mteval-v13a.pl`, separated by spaces: marks stand alone, a full stop or comma unless it is
/// between digits, a hyphen behind a digit.
fn mteval_13a(text: &str) -> String {
    let mut text = text.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if text.contains('&') {
        text = text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    }
    let mut marked = String::with_capacity(text.len() * 2);
    marked.push(' ');
    for c in text.chars() {
        if matches!(c, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/') {
            marked.extend([' ', c, ' ']);
        } else {
            marked.push(c);
        }
    }
    marked.push(' ');
    let is_mark = |c: char| matches!(c, '.' | ',');
    let is_digit = |c: char| c.is_ascii_digit();
    let text = pairs(&marked, |a, b| (!is_digit(a) && is_mark(b)).then_some([a, ' ', b, ' ']));
    let text = pairs(&text, |a, b| (is_mark(a) && !is_digit(b)).then_some([' ', a, ' ', b]));
    pairs(&text, |a, b| (is_digit(a) && b == '-').then_some([a, ' ', b, ' ']))
}

/// Replaces pairs of characters, from left to right, none twice.
fn pairs(text: &str, replace: impl Fn(char, char) -> Option<[char; 4]>) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        if let Some(replaced) = rest.peek().and_then(|second| replace(first, *second)) {
            out.extend(replaced);
            rest.next();
        } else {
            out.push(first);
        }
    }
    out
}
