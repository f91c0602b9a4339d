//! The places of a hit that can be quoted, each with what it says and what is said around it.
//!
//! A sentence is read with what stands over it: the headings, the header of its table, the line that leads to its
//! list, the sentences next to it. Another row of the table is no part of it.

use crate::question::{Bag, Kind, Question, number_is_near};
use crate::sentence::{Unit, units};
use hanok_base::Hit;
use std::ops::Range;

/// How far what stands around a place counts as said in it.
const HEADER: f64 = 0.95;
const HEADING: f64 = 0.9;
const LEAD: f64 = 0.95;
const CAPTION: f64 = 0.7;
const BEFORE: f64 = 0.6;
const AFTER: f64 = 0.4;
const CODE_BEFORE: f64 = 0.4;
/// A verb may stand anywhere in the chunk, a noun hardly.
const CHUNK_VERB: f64 = 0.5;
const CHUNK_NOUN: f64 = 0.2;
/// A question of many words asks several things, which no one sentence answers.
const CHUNK_LONG: f64 = 0.85;
/// How far a number fits that does not count what `how many` asks for.
const UNCOUNTED: f64 = 0.3;
/// The share of a question that a place must hold to be a mere repetition of it.
const REPEATS: f64 = 0.8;

/// A place that may be quoted.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) hit: usize,
    /// Its place among the hit's units.
    pub(super) at: usize,
    pub(super) unit: Unit,
    pub(super) span: Range<usize>,
    pub(super) bag: Bag,
    /// Of each concept, how far the place itself speaks of it.
    pub(super) own: Vec<f64>,
    /// And how far with what stands around.
    pub(super) window: Vec<f64>,
    /// How far it has the kind of answer that is sought.
    pub(super) fits: f64,
    /// The header of its table, as a place among the hit's units.
    pub(super) header: Option<usize>,
    /// The line that leads to it where it is code: `Run this:`.
    pub(super) lead: Option<usize>,
    /// Whether it can be quoted by itself: it is no question, no repetition of this one, no header.
    pub(super) says: bool,
    pub(super) score: f64,
}

impl Candidate {
    /// The table it is of, as its header's place among the hit's units.
    pub(super) fn table(&self) -> Option<usize> {
        if self.unit == Unit::Header { Some(self.at) } else { self.header }
    }
}

/// The places of one hit, in order.
pub(super) fn places(question: &Question, asked: &Bag, at: usize, hit: &Hit) -> Vec<Candidate> {
    let page = Page::of(question, hit);
    let mut found = Vec::with_capacity(page.units.len());
    let mut header = None;
    let mut lead = None;
    let mut title = None;
    for (place, (unit, span, text)) in page.units.iter().enumerate() {
        match unit {
            Unit::Header => header = Some(place),
            Unit::Row => {}
            Unit::Title => (header, title) = (None, Some(place)),
            Unit::Sentence | Unit::Item | Unit::Code => header = None,
        }
        if *unit == Unit::Sentence {
            lead = Some(place);
        }
        let over = if matches!(unit, Unit::Header | Unit::Row) { header } else { lead };
        let around = page.around(*unit, place, over);
        let own = page.own.get(place).cloned().unwrap_or_default();
        let mut window = own.clone();
        let mut near = String::new();
        for (other, share) in around {
            raise(&mut window, page.own.get(other), share);
            near.push_str(page.text(other));
            near.push('\n');
        }
        raise(&mut window, Some(&page.heading), HEADING);
        raise(&mut window, title.and_then(|at| page.own.get(at)), HEADING);
        page.raise_by_chunk(&mut window);
        let mut fits = question.sought.fits(text, &near, *unit == Unit::Code);
        if page.counts_something_else(text, header) {
            fits *= UNCOUNTED;
        }
        let bag = Bag::of(text);
        let repeats = asked.share_in(&bag) > REPEATS
            && asked.len() > 2
            && (*unit == Unit::Code || text.contains(['"', '“', '`']));
        found.push(Candidate {
            hit: at,
            at: place,
            unit: *unit,
            span: span.clone(),
            bag,
            own,
            window,
            fits,
            header: header.filter(|header| *header != place),
            lead: lead.filter(|_| *unit == Unit::Code).filter(|at| is_lead(page.text(*at))),
            says: !is_question(text) && !repeats && *unit != Unit::Header,
            score: 0.0,
        });
    }
    found
}

/// A hit, taken apart for one question.
struct Page<'a> {
    question: &'a Question,
    hit: &'a Hit,
    units: Vec<(Unit, Range<usize>, &'a str)>,
    /// How far each unit, what stands over all, and the whole speak of each concept.
    own: Vec<Vec<f64>>,
    heading: Vec<f64>,
    chunk: Vec<f64>,
}

impl<'a> Page<'a> {
    fn of(question: &'a Question, hit: &'a Hit) -> Self {
        let credits = |text: &str| -> Vec<f64> {
            let bag = Bag::of(text);
            question.concepts.iter().map(|concept| bag.holds(concept)).collect()
        };
        let units: Vec<(Unit, Range<usize>, &str)> = units(&hit.text, hit.start)
            .into_iter()
            .filter_map(|(unit, span)| {
                let text = hit.text.get(span.start - hit.start..span.end - hit.start)?;
                Some((unit, span, text))
            })
            .collect();
        // A text without headings has its subject in its first line.
        let is_bare = hit.heading.is_empty() && hit.start == 0;
        let title = units.first().filter(|_| is_bare).map_or("", |(_, _, text)| *text);
        Self {
            own: units.iter().map(|(_, _, text)| credits(text)).collect(),
            heading: credits(&format!("{} {} {title}", hit.source, hit.heading)),
            chunk: credits(&hit.text),
            question,
            hit,
            units,
        }
    }

    fn unit(&self, at: usize) -> Option<Unit> {
        self.units.get(at).map(|(unit, ..)| *unit)
    }

    fn text(&self, at: usize) -> &'a str {
        self.units.get(at).map_or("", |(_, _, text)| *text)
    }

    /// The units a place is read with, and how far each counts. `over` is the header of its table, or the sentence
    /// before its list.
    fn around(&self, unit: Unit, place: usize, over: Option<usize>) -> Vec<(usize, f64)> {
        let before = place.checked_sub(1);
        let leads = |at: usize| is_lead(self.text(at));
        let is = |unit: Unit| move |at: &usize| self.unit(*at) == Some(unit);
        let lead = over.map(|at| (at, if leads(at) { LEAD } else { CAPTION }));
        let found = match unit {
            Unit::Header | Unit::Row => {
                let caption = over.unwrap_or(place).checked_sub(1).filter(is(Unit::Sentence));
                [over.map(|at| (at, HEADER)), caption.map(|at| (at, CAPTION)), None]
            }
            Unit::Item => {
                let one = before.filter(is(Unit::Item)).filter(|at| self.follows_on(*at));
                let next = Some(place + 1).filter(is(Unit::Item)).filter(|_| self.follows_on(place));
                [lead, one.map(|at| (at, BEFORE)), next.map(|at| (at, AFTER))]
            }
            Unit::Title => [None, None, None],
            Unit::Code => [lead, before.map(|at| (at, CODE_BEFORE)), None],
            Unit::Sentence => {
                let one = before.filter(is(Unit::Sentence));
                let next = Some(place + 1).filter(is(Unit::Sentence));
                let share = |at: usize| if leads(at) { LEAD } else { BEFORE };
                [one.map(|at| (at, share(at))), next.map(|at| (at, AFTER)), None]
            }
        };
        found.into_iter().flatten().filter(|(at, _)| *at != place).collect()
    }

    /// What the chunk says elsewhere counts a little; more where the question is long.
    fn raise_by_chunk(&self, window: &mut [f64]) {
        let long = self.question.long();
        for ((credit, concept), chunk) in window.iter_mut().zip(&self.question.concepts).zip(&self.chunk) {
            let short =
                if matches!(concept.kind, Kind::Verb | Kind::Little) { CHUNK_VERB } else { CHUNK_NOUN };
            *credit = credit.max(chunk * (short + (CHUNK_LONG - short) * long));
        }
    }

    /// Whether `how many` asks for a count that neither the text nor the header of its table gives.
    fn counts_something_else(&self, text: &str, header: Option<usize>) -> bool {
        let Some(at) = self.question.concepts.iter().position(|concept| concept.counted) else {
            return false;
        };
        let in_header =
            header.and_then(|header| self.own.get(header)?.get(at)).is_some_and(|credit| *credit > 0.5);
        let terms = self.question.concepts.get(at).map(|concept| {
            concept.ways.iter().chain(&concept.synonyms).flatten().cloned().collect::<Vec<_>>()
        });
        !in_header && !number_is_near(text, &terms.unwrap_or_default())
    }

    /// Whether the unit after `at` goes on in the same line: a second sentence of an item.
    fn follows_on(&self, at: usize) -> bool {
        let (Some((_, one, _)), Some((_, next, _))) = (self.units.get(at), self.units.get(at + 1)) else {
            return false;
        };
        let start = self.hit.start;
        let gap = one.end.checked_sub(start).zip(next.start.checked_sub(start));
        gap.and_then(|(from, to)| self.hit.text.get(from..to))
            .is_some_and(|gap| gap.trim().is_empty() && !gap.contains('\n'))
    }
}

fn is_lead(text: &str) -> bool {
    text.trim_end().ends_with([':', '：', '?', '？'])
}

fn is_question(text: &str) -> bool {
    text.trim_end().ends_with(['?', '？'])
}

/// Raises each credit to that of `other` in part.
fn raise(credits: &mut [f64], other: Option<&Vec<f64>>, share: f64) {
    for (credit, other) in credits.iter_mut().zip(other.into_iter().flatten()) {
        *credit = credit.max(other * share);
    }
}
