//! Citations of a model's answer, checked: each must be byte for byte in the document it names, every quotation of
//! its sentence must be there as it was quoted, and every number of it.

use crate::answer::Quoted;
use crate::error::LibraryError;
use crate::fold::Folded;
use crate::library::Library;
use crate::question::Bag;
use crate::quotation::quotations;
use crate::sentence::units;
use hanok_base::{CallContext, Citation, Hit, SourceId};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;

/// Of a sentence's terms, how many the place it rests on must hold.
const RESTS_ON: f64 = 0.35;
/// Terms of a sentence that needs a source.
const SHORTEST_CLAIM: usize = 4;
/// Bytes around a passage in which a quotation may go on.
const AROUND: usize = 4_000;

const MADE_UP: &str = "its quotation is not in the passage";

/// What checking gave.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Those that hold.
    pub(crate) citations: Vec<Citation>,
    /// Those that do not, with the reason.
    pub(crate) dropped: Vec<String>,
    /// Sentences that no citation covers.
    pub(crate) uncovered: Vec<String>,
    /// Quotations that stand in no passage, nor in what was asked.
    pub(crate) misquoted: Vec<String>,
    /// Sentences that need a source, covered ones among them.
    pub(crate) claims: usize,
}

/// A marker `[n]` in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Marker {
    number: usize,
    span: Range<usize>,
}

/// Checks every marker and every quotation of `text`, whose passages were `hits` in their order from 1 and which
/// answers `asked`.
pub(crate) async fn verify(
    library: &Library,
    cx: &CallContext,
    text: &str,
    hits: &[Hit],
    asked: &str,
) -> Result<Checked, LibraryError> {
    let mut stored: HashMap<SourceId, String> = HashMap::new();
    for marker in markers(text) {
        let hit = marker.number.checked_sub(1).and_then(|at| hits.get(at));
        if let Some(hit) = hit.filter(|hit| !stored.contains_key(&hit.source_id)) {
            let source = library.source(hit.source_id).await?;
            stored.insert(hit.source_id, source.map(|source| source.text).unwrap_or_default());
        }
    }
    Ok(check(cx, text, hits, asked, &stored))
}

/// The same over the documents' texts as they are stored.
fn check(
    cx: &CallContext,
    text: &str,
    hits: &[Hit],
    asked: &str,
    stored: &HashMap<SourceId, String>,
) -> Checked {
    let sentences = sentences(text);
    let quotations = quotations(text);
    let passages: Vec<Passage<'_>> = hits.iter().map(Passage::new).collect();
    let points = Points::of(text);
    let mut checked = Checked::default();
    let mut covered = vec![false; sentences.len()];
    let mut held: Vec<Range<usize>> = Vec::new();
    for marker in markers(text) {
        let Some((at, claim)) = claim_of(text, &sentences, &marker) else {
            continue;
        };
        let number = marker.number;
        let Some(passage) = number.checked_sub(1).and_then(|at| passages.get(at)) else {
            checked.dropped.push(format!("[{number}] names no passage"));
            continue;
        };
        // A quotation of several sentences is one.
        let quoted: Vec<Range<usize>> =
            quotations.iter().filter(|span| overlap(span, &claim)).cloned().collect();
        let start = quoted.first().map_or(claim.start, |first| first.start.min(claim.start));
        let claim = Claim::of(text, start..claim.end);
        let quotes = quoted.iter().filter_map(|span| text.get(span.clone())).collect::<Vec<_>>();
        let document = stored.get(&passage.hit.source_id).map_or("", String::as_str);
        let grounds = match passage.support(&claim.text, &quotes, document) {
            Ok(grounds) => grounds,
            Err(reason) => {
                checked.dropped.push(format!("[{number}] {reason}"));
                continue;
            }
        };
        if !grounds.iter().all(|ground| document.get(ground.start..ground.end) == Some(&*ground.text)) {
            checked.dropped.push(format!("[{number}] its document has changed"));
            continue;
        }
        for (covered, sentence) in covered.iter_mut().zip(&sentences).take(at + 1) {
            *covered |= overlap(sentence, &claim.span);
        }
        let (from, to) = (points.at(claim.span.start), points.at(claim.span.end));
        held.extend(quoted);
        checked.citations.extend(grounds.into_iter().map(|ground| ground.citation(cx, from, to)));
    }
    let claims = sentences.iter().zip(covered).filter_map(|(span, covered)| {
        let sentence = text.get(span.clone())?;
        (Bag::of(sentence).len() >= SHORTEST_CLAIM).then_some((sentence, covered))
    });
    for (sentence, covered) in claims {
        checked.claims += 1;
        if !covered {
            checked.uncovered.push(sentence.to_owned());
        }
    }
    let others: Vec<Range<usize>> = quotations.into_iter().filter(|span| !held.contains(span)).collect();
    checked.misquoted = misquoted(text, &others, &passages, asked);
    checked
}

/// Those of the quotations that stand neither in a passage nor in the question.
fn misquoted(text: &str, spans: &[Range<usize>], passages: &[Passage<'_>], asked: &str) -> Vec<String> {
    if spans.is_empty() {
        return Vec::new();
    }
    let asked = Folded::of(asked);
    let quotes = spans.iter().filter_map(|span| text.get(span.clone()));
    let known = |quote: &&str| {
        let quote = Folded::of(quote);
        asked.find(&quote).is_some()
            || passages.iter().any(|passage| passage.names(&quote) || passage.folded().find(&quote).is_some())
    };
    quotes.filter(|quote| !known(quote)).map(str::to_owned).collect()
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// What a marker is for.
struct Claim {
    /// Without markers, whose numbers are none of its.
    text: String,
    span: Range<usize>,
}

impl Claim {
    fn of(text: &str, span: Range<usize>) -> Self {
        let words = text.get(span.clone()).unwrap_or_default();
        let mut bare = String::with_capacity(words.len());
        let mut from = 0;
        for marker in markers(words) {
            bare.push_str(words.get(from..marker.span.start).unwrap_or_default());
            from = marker.span.end.max(from);
        }
        bare.push_str(words.get(from..).unwrap_or_default());
        Self { text: bare, span }
    }
}

/// Code points by bytes, for many places of one text.
struct Points {
    /// Bytes at which code points begin.
    starts: Vec<usize>,
}

impl Points {
    fn of(text: &str) -> Self {
        Self { starts: text.char_indices().map(|(byte, _)| byte).collect() }
    }

    fn at(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start < byte)
    }
}

/// A hit with what is made of its text once, when it is needed.
struct Passage<'a> {
    hit: &'a Hit,
    folded: OnceCell<Folded>,
    units: OnceCell<Vec<(Range<usize>, Bag)>>,
    numbers: OnceCell<Vec<String>>,
}

impl<'a> Passage<'a> {
    fn new(hit: &'a Hit) -> Self {
        Self { hit, folded: OnceCell::new(), units: OnceCell::new(), numbers: OnceCell::new() }
    }

    fn folded(&self) -> &Folded {
        self.folded.get_or_init(|| Folded::of(&self.hit.text))
    }

    /// Whether a quotation is of the document's name or of a heading, which the model was shown.
    fn names(&self, quote: &Folded) -> bool {
        [&self.hit.source, &self.hit.heading].into_iter().any(|name| Folded::of(name).find(quote).is_some())
    }

    /// The places of the document that a claim rests on: one for each of its quotations, else the best sentence.
    fn support(&self, claim: &str, quotes: &[&str], document: &str) -> Result<Vec<Quoted>, &'static str> {
        if quotes.is_empty() {
            return self.best(claim).map(|quoted| vec![quoted]);
        }
        // One that is there must not lend its citation to another that is not.
        quotes.iter().map(|quote| self.place(quote, document).ok_or(MADE_UP)).collect()
    }

    /// Where a quotation stands: in the passage, or across its border.
    fn place(&self, quote: &str, document: &str) -> Option<Quoted> {
        let (quote, hit) = (Folded::of(quote), self.hit);
        if let Some(span) = self.folded().find(&quote) {
            return Quoted::within(hit, hit.start + span.start, hit.start + span.end);
        }
        let from = document.ceil_char_boundary(hit.start.saturating_sub(AROUND));
        let to = document.floor_char_boundary(hit.end.saturating_add(AROUND));
        let around = Folded::of(document.get(from..to)?);
        let span = around
            .all(&quote)
            .map(|span| from + span.start..from + span.end)
            .find(|span| overlap(span, &(hit.start..hit.end)))?;
        let text = document.get(span.clone())?.to_owned();
        Some(Quoted { start: span.start, end: span.end, text, ..Quoted::within(hit, hit.start, hit.start)? })
    }

    /// The sentence of the passage that says most of a claim.
    fn best(&self, claim: &str) -> Result<Quoted, &'static str> {
        const UNSAID: &str = "the passage does not say so";
        if numbers(claim).any(|number| !self.numbers().contains(&number)) {
            return Err("the passage does not hold its numbers");
        }
        let claimed = Bag::saying(claim);
        // What says nothing is said by everything.
        if claimed.len() == 0 {
            return Err(UNSAID);
        }
        let best = self
            .units()
            .iter()
            // The claim may be one of many things a long sentence says, or sum up short ones.
            .map(|(span, unit)| (claimed.share_in(unit) + 0.2 * unit.share_in(&claimed), span))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let (_, span) = best.filter(|(share, _)| *share >= RESTS_ON).ok_or(UNSAID)?;
        Quoted::within(self.hit, span.start, span.end).ok_or(UNSAID)
    }

    fn units(&self) -> &[(Range<usize>, Bag)] {
        self.units.get_or_init(|| {
            let all = units(&self.hit.text, self.hit.start).into_iter();
            let bag = |(_, span): (_, Range<usize>)| {
                let text =
                    self.hit.text.get(span.start.checked_sub(self.hit.start)?..span.end - self.hit.start)?;
                Some((span, Bag::saying(text)))
            };
            all.filter_map(bag).collect()
        })
    }

    fn numbers(&self) -> &[String] {
        self.numbers.get_or_init(|| numbers(&self.hit.text).chain(numbers(&self.hit.heading)).collect())
    }
}

/// The numbers of a text that are no small count: of two digits at least, without what parts thousands.
fn numbers(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',')));
    parts.filter_map(|number| {
        let number = number.trim_matches(['.', ',']).replace(',', "");
        (number.bytes().filter(u8::is_ascii_digit).count() > 1).then_some(number)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

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

    const DOCUMENT: &str = "The sky is blue at noon. Grass is green  in spring and summer. It costs 1,200 won \
        “each day”. 서버는 4141 포트에서 기다린다. Records are kept for thirty days and then they are removed.";

    fn hit(start: usize, end: usize) -> Hit {
        Hit {
            source_id: SourceId(1),
            source: "guide.md".into(),
            heading: "Colours of the port".into(),
            start,
            end,
            text: DOCUMENT[start..end].into(),
            score: 1.0,
            about: hanok_base::About::default(),
        }
    }

    fn checked(text: &str) -> Checked {
        let cut = DOCUMENT.find("Records are").unwrap() + 20;
        let hits = [hit(0, cut), hit(cut, DOCUMENT.len())];
        let stored = HashMap::from([(SourceId(1), DOCUMENT.to_owned())]);
        let checked = check(&CallContext::unrecorded(), text, &hits, "Is the \"ocean so deep\"?", &stored);
        for citation in &checked.citations {
            let quote = citation.quote.as_ref().unwrap();
            assert_eq!(&DOCUMENT[quote.start..quote.end], quote.text, "{text}");
        }
        checked
    }

    #[test]
    fn a_claim_rests_on_verbatim_bytes() {
        let check = |text: &str, expect: &[&str], dropped: &str| {
            let got = checked(text);
            let quotes: Vec<&str> =
                got.citations.iter().map(|citation| citation.quote.as_ref().unwrap().text.as_str()).collect();
            assert_eq!(quotes, expect, "{text}: {got:?}");
            assert!(got.dropped.iter().all(|reason| reason.contains(dropped)), "{text}: {got:?}");
            assert_eq!(got.dropped.is_empty(), dropped.is_empty(), "{text}: {got:?}");
        };
        check("In spring the grass is green [1].", &["Grass is green  in spring and summer."], "");
        check("It says \"blue at noon\" [1].", &["blue at noon"], "");
        check("It says \"blue at night\" [1].", &[], "quotation");
        check("It says \"blue at noon\" and \"green at noon\" [1].", &[], "quotation");
        check(
            "It says \"blue at noon\" and \"Grass is green in spring\" [1].",
            &["blue at noon", "Grass is green  in spring"],
            "",
        );
        // Two sentences between one pair of marks are one quotation.
        check(
            "It says \"The sky is blue at noon. Grass is green\" [1].",
            &["The sky is blue at noon. Grass is green"],
            "",
        );
        check("It says \"The sky is pink at noon. Grass is green\" [1].", &[], "quotation");
        // Other marks and other spaces are the same words.
        check("It is paid 「1,200 won \"each day\"」 [1].", &["1,200 won “each day”"], "");
        check("「서버는 4141 포트에서 기다린다」 [1]", &["서버는 4141 포트에서 기다린다"], "");
        check("「서버는 4142 포트에서 기다린다」 [1]", &[], "quotation");
        check(
            &format!("「{}」 [1]", "\u{1109}\u{1165}\u{1107}\u{1165}는 4141 포트에서"),
            &["서버는 4141 포트에서"],
            "",
        );
        // Across the border of two chunks, by either; beyond them, by neither.
        check(
            "It says \"Records are kept for thirty days and then\" [1].",
            &["Records are kept for thirty days and then"],
            "",
        );
        check(
            "It says \"Records are kept for thirty days and then\" [2].",
            &["Records are kept for thirty days and then"],
            "",
        );
        check("It says \"blue at noon\" [2].", &[], "quotation");
        check(
            "> Records are kept for thirty days\n> and then they are removed. [2]",
            &["Records are kept for thirty days", "and then they are removed"],
            "",
        );
        // Numbers are not made up.
        check("The server waits on port 9999 [1].", &[], "numbers");
        check("It costs 1200 won each day [1].", &["It costs 1,200 won “each day”."], "");
        check("Pigs can fly over mountains [1].", &[], "does not say");
        check("Pigs can fly over mountains [7].", &[], "names no passage");
        // Words that say nothing rest on nothing.
        check("And so it is, of the, in [1].", &[], "does not say");
        check("The moon is made of cheese and it is in a box [1].", &[], "does not say");
        check("a 1 b 2 c [1].", &[], "does not say");
        // Markers within a sentence are no numbers of it.
        check("The sky is blue [12] at noon [1].", &["The sky is blue at noon."], "names no passage");
    }

    #[test]
    fn what_is_not_in_the_sources_is_told() {
        let check = |text: &str, uncovered: &[&str], misquoted: &[&str], claims: usize| {
            let got = checked(text);
            assert_eq!(got.uncovered, uncovered, "{text}");
            assert_eq!(got.misquoted, misquoted, "{text}");
            assert_eq!(got.claims, claims, "{text}");
        };
        check(
            "The sky is blue at noon over there [1]. Pigs fly over green mountains.",
            &["Pigs fly over green mountains."],
            &[],
            2,
        );
        check(
            "The guide says \"the sky is pink\".",
            &["The guide says \"the sky is pink\"."],
            &["the sky is pink"],
            1,
        );
        // What the person said, and what the model was shown of a document's name, is no quotation of it.
        check(
            "You ask for \"ocean so deep\", see \"Colours of the port\".",
            &["You ask for \"ocean so deep\", see \"Colours of the port\"."],
            &[],
            1,
        );
        check("Yes.", &[], &[], 0);
        check("It says \"The sky is blue at noon. Grass is green\" [1].", &[], &[], 2);
    }

    #[test]
    fn a_document_that_changed_is_not_cited() {
        let stored = HashMap::from([(SourceId(1), DOCUMENT.replacen("sky", "sea", 1))]);
        let cx = CallContext::unrecorded();
        let got = check(&cx, "The sky is blue at noon [1].", &[hit(0, 60)], "", &stored);
        assert!(got.citations.is_empty() && got.dropped[0].contains("has changed"), "{got:?}");
        let got = check(&cx, "The sky is blue at noon [1].", &[hit(0, 60)], "", &HashMap::new());
        assert!(got.citations.is_empty(), "{got:?}");
    }

    #[test]
    fn one_letter_altered_is_no_quotation() {
        let words = "Records are kept for thirty days and then they are removed";
        for (at, letter) in words.char_indices() {
            for instead in ["", "x", "é", "  x"] {
                let altered = format!("{}{instead}{}", &words[..at], &words[at + letter.len_utf8()..]);
                // A space more or less is no letter.
                if altered.split_whitespace().eq(words.split_whitespace()) || words.contains(altered.trim()) {
                    continue;
                }
                let got = checked(&format!("It says \"{altered}\" [2]."));
                assert!(got.citations.is_empty(), "{altered}: {got:?}");
                assert_eq!(got.misquoted, [altered.trim()], "{altered}");
            }
        }
    }
}
