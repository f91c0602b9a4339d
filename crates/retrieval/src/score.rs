//! The best sentences for a question, and whether they answer it.
//!
//! A place is judged by four things: the share of the question that it speaks of with what stands around it, each
//! concept weighed by how rare it is in the collection; the share it says itself; whether it has the kind of
//! answer that is sought; and the heaviest noun it leaves out, as a question is about all of its nouns. The best
//! place's sum decides whether anything is quoted.

mod choose;
mod window;

use crate::question::{Bag, Concept, Kind, Question};
use crate::sentence::Unit;
use choose::choose;
use hanok_base::Hit;
use hanok_index::{IndexError, SearchIndex};
use std::ops::Range;
use window::{Candidate, places};

/// Idf beyond which rarity tells no more.
const RAREST: f64 = 4.0;
/// Words of which a sentence says little by itself.
const FRAGMENT: usize = 4;
/// What such a sentence, a line of code and a row of a table count: where prose says as much, it is quoted.
const SHORT: f64 = 0.9;
const CODE: f64 = 0.85;
const ROW: f64 = 0.95;
/// The same of a heading without markup: what it speaks of is said below it.
const TITLE: f64 = 0.6;
/// The same of a row that says nothing of the question but by its header: which row is meant is a guess then.
const ANY_ROW: f64 = 0.7;
const UNKNOWN_VERB: f64 = 0.6;

/// A stretch of a hit, chosen to be quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    /// Which hit.
    pub(crate) hit: usize,
    /// Bytes of the document.
    pub(crate) span: Range<usize>,
    /// Whether it is of the same table as the one before, under which it stands.
    pub(crate) joins: bool,
}

/// What the hits hold for a question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// What to quote, in reading order; empty when the documents do not hold the answer.
    pub(crate) picks: Vec<Pick>,
    /// What the best place has.
    pub(crate) evidence: Evidence,
    /// Words of the question that no document has.
    pub(crate) missing: Vec<String>,
    /// Words of the question that the best place hardly speaks of.
    pub(crate) lacking: Vec<String>,
}

/// How well a place answers a question; all in 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Evidence {
    /// The share of the question that it speaks of, with what stands around it.
    pub(crate) window: f64,
    /// The share that it says itself.
    pub(crate) own: f64,
    /// How far it has the kind of answer that is sought.
    pub(crate) fits: f64,
    /// The share of the question's heaviest noun that it leaves out.
    pub(crate) lacks: f64,
    /// A name that it leaves out.
    pub(crate) lacks_name: f64,
}

impl Evidence {
    fn of(question: &Question, weights: &[f64], place: &Candidate) -> Self {
        let total: f64 = weights.iter().sum();
        let share = |credits: &[f64]| {
            credits.iter().zip(weights).map(|(credit, weight)| credit * weight).sum::<f64>() / total
        };
        let mut evidence = Self {
            window: share(&place.window),
            own: share(&place.own),
            fits: place.fits,
            ..Self::default()
        };
        for ((concept, credit), weight) in question.concepts.iter().zip(&place.window).zip(weights) {
            let lacks = (1.0 - credit) * weight / (1.0 + RAREST);
            match concept.kind {
                Kind::Name => evidence.lacks_name = evidence.lacks_name.max(1.0 - credit),
                Kind::Noun | Kind::Verb => {}
                Kind::Little => continue,
            }
            evidence.lacks = evidence.lacks.max(lacks);
        }
        evidence.lacks *= 1.0 - question.long();
        evidence
    }

    /// One number, that decides.
    fn sum(&self) -> f64 {
        let unfit = if self.fits < 0.1 { UNFIT } else { 0.0 };
        self.window - unfit + 0.3 * self.own + 0.7 * self.fits - 0.4 * self.lacks - 0.3 * self.lacks_name
    }
}

/// What a place without any answer of the kind that is sought loses.
const UNFIT: f64 = 0.2;
/// What the best place's sum must reach, and how much more where the question is long: by chance something speaks
/// of many of its words.
const ENOUGH: f64 = 1.2;
const ENOUGH_KOREAN: f64 = 1.12;
const ENOUGH_LONG: f64 = 0.1;

/// Chooses what to quote from `hits`, best first.
pub(crate) fn judge(index: &SearchIndex, question: &Question, hits: &[Hit]) -> Result<Verdict, IndexError> {
    let mut verdict = Verdict::default();
    let mut weights = Vec::with_capacity(question.concepts.len());
    let mut unknown_name = false;
    for concept in &question.concepts {
        let (weight, known) = weigh(index, concept)?;
        if !known {
            verdict.missing.push(concept.word.clone());
            unknown_name |= concept.kind == Kind::Name;
        }
        weights.push(weight);
    }
    if weights.iter().sum::<f64>() <= 0.0 {
        return Ok(verdict);
    }
    let top = hits.first().map_or(1.0, |hit| hit.score.max(f64::MIN_POSITIVE));
    let asked = Bag::of(&question.text);
    let mut candidates = Vec::new();
    let mut best: Option<(f64, Evidence, Vec<f64>)> = None;
    for (at, hit) in hits.iter().enumerate() {
        for mut place in places(question, &asked, at, hit) {
            let evidence = Evidence::of(question, &weights, &place);
            let mut score = evidence.sum() + 0.1 * hit.score / top;
            let is_fragment = place.bag.len() < FRAGMENT && matches!(place.unit, Unit::Sentence | Unit::Item);
            score *= match place.unit {
                Unit::Code if !question.sought.code() => CODE,
                Unit::Row if place.own.iter().all(|credit| *credit < 0.5) => ANY_ROW,
                Unit::Row => ROW,
                Unit::Title => TITLE,
                _ if is_fragment => SHORT,
                _ => 1.0,
            };
            if !place.says {
                score *= 0.5;
            } else if best.as_ref().is_none_or(|(best, ..)| score > *best) {
                best = Some((score, evidence, place.window.clone()));
            }
            place.score = score;
            candidates.push(place);
        }
    }
    let Some((_, evidence, window)) = best else { return Ok(verdict) };
    let lacking = question.concepts.iter().zip(&window).filter(|(_, credit)| **credit < 0.5);
    verdict.lacking = lacking.map(|(concept, _)| concept.word.clone()).collect();
    verdict.evidence = evidence;
    let enough = if question.korean { ENOUGH_KOREAN } else { ENOUGH } + ENOUGH_LONG * question.long();
    if evidence.sum() >= enough && !unknown_name {
        verdict.picks = choose(candidates, hits, question.sought.steps);
    }
    Ok(verdict)
}

/// How much a concept counts, and whether the collection knows it.
fn weigh(index: &SearchIndex, concept: &Concept) -> Result<(f64, bool), IndexError> {
    // As rare as the rarest term of the commonest way it may be written.
    let mut rarest = if concept.alone.is_some() { 0.0 } else { f64::INFINITY };
    let mut known = concept.alone.is_some();
    for way in &concept.ways {
        let (mut rarest_here, mut known_here): (f64, bool) = (0.0, true);
        for term in way {
            rarest_here = rarest_here.max(index.idf(term)?);
            known_here &= index.doc_freq(term)? > 0;
        }
        rarest = rarest_here.min(rarest);
        known |= known_here;
    }
    // A verb that no document has is likely said in another way.
    let unknown = if !known && concept.kind == Kind::Verb { UNKNOWN_VERB } else { 1.0 };
    // In a collection of a few chunks a word's rareness tells little, so each counts something by itself.
    Ok((unknown * concept.factor * (1.0 + rarest.min(RAREST)), known))
}
