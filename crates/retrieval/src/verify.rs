//! Citations of a model's answer, checked: each must be byte for byte in the document it names.

use crate::answer::Quoted;
use crate::error::LibraryError;
use crate::library::Library;
use crate::question::Bag;
use crate::sentence::units;
use hanok_base::{CallContext, Citation, Hit, SourceId};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

/// Of a sentence's terms, how many the place it rests on must hold.
const RESTS_ON: f64 = 0.35;
/// Characters of a quotation that is looked for as such; a shorter one may be a mere name.
const SHORTEST_QUOTE: usize = 8;
/// Terms of a sentence that needs a source.
const SHORTEST_CLAIM: usize = 4;

/// What checking gave.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Those that hold.
    pub(crate) citations: Vec<Citation>,
    /// Those that do not, with the reason.
    pub(crate) dropped: Vec<String>,
    /// Sentences that no citation covers.
    pub(crate) uncovered: Vec<String>,
}

/// A marker `[n]` in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Marker {
    number: usize,
    span: Range<usize>,
}

/// Checks every marker of `text`, whose passages were `hits` in their order from 1.
pub(crate) async fn verify(
    library: &Library,
    cx: &CallContext,
    text: &str,
    hits: &[Hit],
) -> Result<Checked, LibraryError> {
    let sentences = sentences(text);
    let mut checked = Checked::default();
    let mut covered = vec![false; sentences.len()];
    let mut sources: HashMap<SourceId, Option<String>> = HashMap::new();
    for marker in markers(text) {
        let Some((at, claim)) = claim_of(text, &sentences, &marker) else {
            continue;
        };
        let number = marker.number;
        let Some(hit) = number.checked_sub(1).and_then(|at| hits.get(at)) else {
            checked.dropped.push(format!("[{number}] names no passage"));
            continue;
        };
        let quoted = match support(text.get(claim.clone()).unwrap_or_default(), hit) {
            Ok(quoted) => quoted,
            Err(reason) => {
                checked.dropped.push(format!("[{number}] {reason}"));
                continue;
            }
        };
        let stored = match sources.entry(hit.source_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                vacant.insert(library.source(hit.source_id).await?.map(|source| source.text))
            }
        };
        let stored = stored.as_deref().and_then(|stored| stored.get(quoted.start..quoted.end));
        if stored != Some(quoted.text.as_str()) {
            checked.dropped.push(format!("[{number}] its document has changed"));
            continue;
        }
        if let Some(covered) = covered.get_mut(at) {
            *covered = true;
        }
        let points = |bytes: usize| text.get(..bytes).unwrap_or_default().chars().count();
        checked.citations.push(quoted.citation(cx, points(claim.start), points(claim.end)));
    }
    let bare = sentences.iter().zip(covered).filter(|(_, covered)| !covered);
    checked.uncovered = bare
        .filter_map(|(span, _)| text.get(span.clone()))
        .filter(|sentence| Bag::of(sentence).len() >= SHORTEST_CLAIM)
        .map(str::to_owned)
        .collect();
    Ok(checked)
}

/// The markers `[1]`, `[1, 2]` of a text; each number is one.
fn markers(text: &str) -> Vec<Marker> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('[') {
        let Some(inner) = text.get(at + 1..).and_then(|rest| rest.split_once(']')).map(|(inner, _)| inner)
        else {
            continue;
        };
        let span = at..at + inner.len() + 2;
        let numbers: Option<Vec<usize>> = inner.split(',').map(|number| number.trim().parse().ok()).collect();
        // `[1](url)` is a link.
        if text.get(span.end..).is_some_and(|rest| rest.starts_with('(')) || inner.len() > 24 {
            continue;
        }
        found.extend(numbers.into_iter().flatten().map(|number| Marker { number, span: span.clone() }));
    }
    found
}

/// The sentences of an answer, without the markers of the sentence before at their head.
fn sentences(text: &str) -> Vec<Range<usize>> {
    let spans = units(text, 0).into_iter().filter_map(|(_, mut span)| {
        while let Some(rest) = text.get(span.clone())
            && let Some((number, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
            && number.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' '))
        {
            span.start = span.end - after.trim_start().len();
        }
        text.get(span.clone())?.chars().any(char::is_alphanumeric).then_some(span)
    });
    spans.collect()
}

/// The sentence a marker is for, and its bytes up to the first marker.
fn claim_of(text: &str, sentences: &[Range<usize>], marker: &Marker) -> Option<(usize, Range<usize>)> {
    let at = sentences.iter().rposition(|span| span.start <= marker.span.start)?;
    let span = sentences.get(at)?;
    let words = text.get(span.start..marker.span.start.min(span.end))?;
    // Without the markers between the claim and this one.
    let mut claim = words.trim_end();
    while let Some((before, number)) = claim.strip_suffix(']').and_then(|rest| rest.rsplit_once('['))
        && number.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' '))
    {
        claim = before.trim_end();
    }
    Some((at, span.start..span.start + claim.len()))
}

/// Where in a passage a claim has its ground.
fn support(claim: &str, hit: &Hit) -> Result<Quoted, &'static str> {
    let quotes = quotations(claim);
    if let Some(first) = quotes.first() {
        const MADE_UP: &str = "its quotation is not in the passage";
        // One that is there must not lend its citation to another that is not.
        if !quotes.iter().all(|quote| hit.text.contains(quote)) {
            return Err(MADE_UP);
        }
        let start = hit.start + hit.text.find(first).ok_or(MADE_UP)?;
        return Quoted::within(hit, start, start + first.len()).ok_or(MADE_UP);
    }
    let claimed = Bag::of(claim);
    let best = units(&hit.text, hit.start)
        .into_iter()
        .filter_map(|(_, span)| {
            let quoted = Quoted::within(hit, span.start, span.end)?;
            let unit = Bag::of(&quoted.text);
            // The claim may be one of many things a long sentence says, or sum up short ones.
            Some((claimed.share_in(&unit) + 0.2 * unit.share_in(&claimed), quoted))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(share, _)| *share >= RESTS_ON)
        .map(|(_, quoted)| quoted)
        .ok_or("the passage does not say so")
}

/// The quotations of a sentence.
fn quotations(claim: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (open, close) in [('"', '"'), ('“', '”'), ('「', '」')] {
        let mut rest = claim;
        while let Some((_, after)) = rest.split_once(open) {
            let Some((inner, tail)) = after.split_once(close) else {
                break;
            };
            let inner = inner.trim().trim_end_matches(['.', ',']);
            if inner.chars().count() >= SHORTEST_QUOTE {
                found.push(inner);
            }
            rest = tail;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_is_of_words_and_every_one_counts() {
        assert_eq!(quotations(r#"He wrote "........" there."#), Vec::<&str>::new());
        assert_eq!(
            quotations(r#""The first words" and "the second words.""#),
            ["The first words", "the second words"]
        );
        let hit = Hit {
            source_id: hanok_base::SourceId(1),
            source: "a.md".into(),
            heading: String::new(),
            start: 0,
            end: 35,
            text: "The first words are in this passage".into(),
            score: 1.0,
            about: hanok_base::About::default(),
        };
        assert!(support(r#"It says "The first words"."#, &hit).is_ok());
        assert!(support(r#"It says "The first words" and "the second words"."#, &hit).is_err());
    }

    #[test]
    fn markers_are_found() {
        let check = |text: &str, expect: &[usize]| {
            let got: Vec<usize> = markers(text).into_iter().map(|marker| marker.number).collect();
            assert_eq!(got, expect, "{text}");
        };
        check("A [1]. B [2][3], c [4, 5].", &[1, 2, 3, 4, 5]);
        check("[x] [1](http://a) [] [ 7 ] [", &[7]);
    }

    #[test]
    fn a_marker_belongs_to_its_sentence() {
        let check = |text: &str, expect: &[&str]| {
            let sentences = sentences(text);
            let got: Vec<&str> = markers(text)
                .iter()
                .filter_map(|marker| claim_of(text, &sentences, marker).map(|(_, span)| &text[span]))
                .collect();
            assert_eq!(got, expect, "{text}");
        };
        check("It is red [1]. It is 42 [2].", &["It is red", "It is 42"]);
        check("It is red. [1] It is blue. [2][3]", &["It is red.", "It is blue.", "It is blue."]);
        check("색은 빨강이다 [1].", &["색은 빨강이다"]);
        check("[1]", &[]);
    }

    #[test]
    fn a_claim_rests_on_verbatim_bytes() {
        let hit = Hit {
            source_id: SourceId(1),
            source: "a.md".into(),
            heading: String::new(),
            start: 100,
            end: 160,
            text: "The sky is blue at noon. Grass is green in spring and summer.".into(),
            score: 1.0,
            about: hanok_base::About::default(),
        };
        let check = |claim: &str, expect: Result<&str, &str>| {
            let got = support(claim, &hit);
            match (&got, expect) {
                (Ok(quoted), Ok(text)) => {
                    assert_eq!(quoted.text, text);
                    assert_eq!(&hit.text[quoted.start - 100..quoted.end - 100], text);
                }
                (Err(got), Err(expect)) => assert!(got.contains(expect), "{got}"),
                _ => panic!("{claim}: {got:?}"),
            }
        };
        check("In spring the grass is green", Ok("Grass is green in spring and summer."));
        check("It says \"blue at noon\"", Ok("blue at noon"));
        check("It says \"blue at night\"", Err("quotation"));
        check("Pigs can fly over mountains", Err("does not say"));
    }
}
