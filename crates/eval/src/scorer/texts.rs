//! Texts against texts: `exact`, `contains`, `regex`, `edit-distance`.

use super::spec::{At, Contains, EditDistance, Ignore, Pattern, Text, Unit};
use super::subject::{Found, Rule, Subject, as_text};
use crate::json;
use regex::{Regex, RegexBuilder};
use serde_json::Value;
use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfkc_quick};

/// Bytes that a compiled expression may take.
const EXPRESSION: usize = 1 << 20;

/// Cells of the table of an edit distance: beyond, it would take seconds.
const CELLS: usize = 1_000_000_000;

/// A text without what does not count.
pub(crate) fn normal<'a>(text: &'a str, ignore: &[Ignore]) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    let ignores = |what| ignore.contains(&what);
    // In this order whatever order the file has: articles are found in lower case and without marks around them.
    if ignores(Ignore::Form) && is_nfkc_quick(text.chars()) != IsNormalized::Yes {
        text = Cow::Owned(text.nfkc().collect());
    }
    if ignores(Ignore::Case) {
        text = Cow::Owned(text.to_lowercase());
    }
    if ignores(Ignore::Punctuation) {
        // Marks are part of letters, and no property of `char` says what one is: outside ASCII only what Unicode's
        // quotation marks, dashes and brackets are is left out.
        text = Cow::Owned(text.chars().filter(|c| !is_punctuation(*c)).collect());
    }
    if ignores(Ignore::Articles) {
        let kept = text
            .split_whitespace()
            .filter(|word| !["a", "an", "the"].iter().any(|a| word.eq_ignore_ascii_case(a)));
        text = Cow::Owned(kept.collect::<Vec<_>>().join(" "));
    }
    if ignores(Ignore::Space) {
        text = Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    text
}

/// ASCII's punctuation and symbols, and the punctuation of Unicode's blocks for it: general (U+2010 to U+205E),
/// supplemental, of CJK (U+3001 to U+303F less letters and numbers), and of full-width forms.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c, '¡' | '§' | '«' | '¶' | '·' | '»' | '¿')
        || matches!(c, '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{2e00}'..='\u{2e7f}')
        || matches!(c, '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{30fb}')
        || matches!(c, '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}')
}

/// A text short enough for an explanation.
pub(crate) fn short(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}

/// `exact`.
pub(crate) struct Exact(pub(crate) Text);

impl Rule for Exact {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let Some(expected) = subject.expected.as_deref() else {
            return Found::skipped("the sample says nothing of what is expected");
        };
        // Data is compared as data: where the output has some, or where what is expected is no text.
        if !matches!(expected, Value::String(_)) || subject.value.is_some() {
            let Ok(found) = subject.json(false) else {
                return self.of_texts(subject);
            };
            if json::same(&found, expected) {
                return Found::truth(true, "");
            }
        }
        self.of_texts(subject)
    }
}

impl Exact {
    fn of_texts(&self, subject: &Subject<'_>) -> Found {
        let found = normal(&subject.text, &self.0.ignore);
        let expected = subject.expected_texts();
        if expected.iter().any(|text| normal(text, &self.0.ignore) == found) {
            return Found::truth(true, "");
        }
        let listed: Vec<String> = expected.iter().map(|text| format!("`{}`", short(text))).collect();
        Found::truth(false, format!("expected {}", listed.join(" or ")))
    }
}

/// `contains`.
pub(crate) struct Holds(pub(crate) Contains);

impl Rule for Holds {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let wanted = subject.expected_texts();
        if wanted.is_empty() {
            return Found::skipped("nothing is said of what the text should contain");
        }
        let Contains { ignore, all, at } = &self.0;
        let text = normal(&subject.text, ignore);
        let is_there = |wanted: &str| {
            let wanted = normal(wanted, ignore);
            match at {
                At::Anywhere => text.contains(wanted.as_ref()),
                At::Start => text.starts_with(wanted.as_ref()),
                At::End => text.ends_with(wanted.as_ref()),
            }
        };
        let missing: Vec<String> = wanted
            .iter()
            .filter(|wanted| !is_there(wanted))
            .map(|wanted| format!("`{}`", short(wanted)))
            .collect();
        let enough = if *all { missing.is_empty() } else { missing.len() < wanted.len() };
        Found::truth(enough, if enough { String::new() } else { format!("missing {}", missing.join(", ")) })
    }
}

/// `regex`.
pub(crate) struct Matches {
    expression: Option<Regex>,
    whole: bool,
}

impl Matches {
    pub(crate) fn new(spec: &Pattern) -> Result<Self, String> {
        let expression =
            spec.pattern.as_deref().map(|pattern| expression(pattern, spec.whole)).transpose()?;
        Ok(Self { expression, whole: spec.whole })
    }
}

fn expression(pattern: &str, whole: bool) -> Result<Regex, String> {
    let anchored = if whole { Cow::Owned(format!(r"\A(?:{pattern})\z")) } else { Cow::Borrowed(pattern) };
    RegexBuilder::new(&anchored)
        .size_limit(EXPRESSION)
        .dfa_size_limit(EXPRESSION)
        .build()
        .map_err(|error| format!("`{}` is not an expression that can be used: {error}", short(pattern)))
}

impl Rule for Matches {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let verdict = |yes| Found::truth(yes, if yes { "" } else { "the expression does not match" });
        if let Some(expression) = &self.expression {
            return verdict(expression.is_match(&subject.text));
        }
        let patterns = subject.expected_texts();
        if patterns.is_empty() {
            return Found::skipped("neither the scorer has a pattern nor the sample");
        }
        for pattern in &patterns {
            match expression(pattern, self.whole) {
                Ok(expression) if expression.is_match(&subject.text) => return verdict(true),
                Ok(_) => {}
                Err(why) => return Found::failed(why),
            }
        }
        verdict(false)
    }
}

/// `edit-distance`: 1 less Levenshtein's distance (1966) over the length of the longer text; of several expected texts
/// the nearest.
pub(crate) struct Distance(pub(crate) EditDistance);

impl Rule for Distance {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let expected = subject.expected_texts();
        if expected.is_empty() {
            return Found::skipped("the sample says nothing of what is expected");
        }
        let text = normal(&subject.text, &self.0.ignore);
        let mut best: Option<(f64, usize)> = None;
        for wanted in &expected {
            let wanted = normal(wanted, &self.0.ignore);
            let measured = match self.0.unit {
                Unit::Character => {
                    likeness(&text.chars().collect::<Vec<_>>(), &wanted.chars().collect::<Vec<_>>())
                }
                Unit::Word => likeness(
                    &text.split_whitespace().collect::<Vec<_>>(),
                    &wanted.split_whitespace().collect::<Vec<_>>(),
                ),
            };
            let Some(measured) = measured else {
                return Found::failed("the texts are too long for an edit distance");
            };
            if best.is_none_or(|(most, _)| measured.0 > most) {
                best = Some(measured);
            }
        }
        best.map_or_else(
            || Found::skipped("nothing is expected"),
            |(likeness, distance)| Found::number(likeness, format!("{distance} edits")),
        )
    }
}

/// The likeness of two sequences and the edits between them.
#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
fn likeness<T: PartialEq>(a: &[T], b: &[T]) -> Option<(f64, usize)> {
    let longer = a.len().max(b.len());
    if a.len().saturating_mul(b.len()) > CELLS {
        return None;
    }
    let distance = strsim::generic_levenshtein(&Items(a), &Items(b));
    Some((if longer == 0 { 1.0 } else { 1.0 - distance as f64 / longer as f64 }, distance))
}

/// What `strsim` asks of a sequence.
struct Items<'a, T>(&'a [T]);

impl<'a, T> IntoIterator for &'a Items<'_, T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// What is expected, in words; for explanations.
pub(crate) fn told(value: &Value) -> String {
    short(&as_text(value))
}
