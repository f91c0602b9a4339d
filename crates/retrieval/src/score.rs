//! The best sentences for a question, and whether they answer it.
//!
//! A sentence is judged by the share of the question it speaks of, each concept weighed by how rare it is in
//! the collection; what stands above it (headings, the line before) counts in part. The documents hold the
//! answer when one chunk speaks of enough of the question, and one place in it of enough at once.

use crate::question::{Bag, Concept, Question};
use crate::sentence::{Unit, units};
use hanok_base::Hit;
use hanok_index::{IndexError, SearchIndex};
use std::ops::Range;

/// Of the question's weight, how much one chunk must speak of, one place in it (headings included), and both
/// together: for a question of a few words, and for one of many, of which half say the same in other words.
const SHORT: [f64; 3] = [0.62, 0.45, 1.08];
const LONG: [f64; 3] = [0.48, 0.3, 0.92];
/// How many words are few, and how many are many.
const FEW: f64 = 4.0;
const MANY: f64 = 9.0;
/// Idf beyond which rarity tells no more.
const RAREST: f64 = 4.0;
/// Quotes in an answer at most, and bytes of quotes after which no more are added.
const MOST_QUOTES: usize = 4;
const ENOUGH_BYTES: usize = 900;
/// Bytes to which the best quote may grow by what follows it.
const FOLLOWING_BYTES: usize = 500;

/// A stretch of a hit, chosen to be quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    /// Which hit.
    pub(crate) hit: usize,
    /// Bytes of the document.
    pub(crate) span: Range<usize>,
}

/// What the hits hold for a question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// What to quote, in reading order; empty when the documents do not hold the answer.
    pub(crate) picks: Vec<Pick>,
    /// The best chunk's share of the question, and the best place's.
    pub(crate) covers: (f64, f64),
    /// Words of the question that no document has.
    pub(crate) missing: Vec<String>,
}

/// Whether a chunk and a place that speak of so much of a question of so many words hold its answer.
fn is_enough((chunk, place): (f64, f64), words: usize) -> bool {
    let words = u32::try_from(words).map_or(MANY, f64::from);
    let long = ((words - FEW) / (MANY - FEW)).clamp(0.0, 1.0);
    let needed = SHORT.iter().zip(LONG).map(|(short, long_needs)| short + (long_needs - short) * long);
    [chunk, place, chunk + place].iter().zip(needed).all(|(has, needs)| *has >= needs)
}

struct Candidate {
    hit: usize,
    /// Its place among the hit's units.
    at: usize,
    unit: Unit,
    span: Range<usize>,
    bag: Bag,
    covers: f64,
    score: f64,
}

/// Chooses what to quote from `hits`, best first.
pub(crate) fn judge(index: &SearchIndex, question: &Question, hits: &[Hit]) -> Result<Verdict, IndexError> {
    let mut verdict = Verdict::default();
    let mut weights = Vec::with_capacity(question.concepts.len());
    let mut unknown_name = false;
    for concept in &question.concepts {
        let (weight, known) = weigh(index, concept)?;
        if !known {
            verdict.missing.push(concept.word.clone());
            unknown_name |= concept.named;
        }
        weights.push(weight);
    }
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return Ok(verdict);
    }
    let share = |credits: &[f64]| {
        credits.iter().zip(&weights).map(|(credit, weight)| credit * weight).sum::<f64>() / total
    };
    let top = hits.first().map_or(1.0, |hit| hit.score.max(f64::MIN_POSITIVE));

    let mut candidates = Vec::new();
    for (at, hit) in hits.iter().enumerate() {
        let above = Bag::of(&format!("{} {}", hit.source, hit.heading));
        let credits =
            |bag: &Bag| -> Vec<f64> { question.concepts.iter().map(|concept| bag.holds(concept)).collect() };
        let heading = credits(&above);
        let chunk = greater(&credits(&Bag::of(&hit.text)), &heading, 1.0);
        let chunk_covers = share(&chunk);
        verdict.covers.0 = verdict.covers.0.max(chunk_covers);
        candidates.extend(rate(question, at, hit, &heading, &credits, &share, chunk_covers, hit.score / top));
    }
    let Some(best) = candidates.iter().map(|candidate| candidate.covers).max_by(f64::total_cmp) else {
        return Ok(verdict);
    };
    verdict.covers.1 = best;
    if is_enough(verdict.covers, weights.len()) && !unknown_name {
        verdict.picks = choose(candidates, hits, question.wanted.steps);
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
    // In a collection of a few chunks a word's rareness tells little, so each counts something by itself.
    Ok((concept.factor * (1.0 + rarest.min(RAREST)), known))
}

#[expect(clippy::too_many_arguments, reason = "one loop's body, taken out to be read by itself")]
fn rate(
    question: &Question,
    at: usize,
    hit: &Hit,
    heading: &[f64],
    credits: &dyn Fn(&Bag) -> Vec<f64>,
    share: &dyn Fn(&[f64]) -> f64,
    chunk_covers: f64,
    standing: f64,
) -> Vec<Candidate> {
    let mut rated = Vec::new();
    // What the unit before says, and how much of it belongs to the next.
    let mut before: (Vec<f64>, f64) = (Vec::new(), 0.0);
    for (place, (unit, span)) in units(&hit.text, hit.start).into_iter().enumerate() {
        let Some(text) = hit.text.get(span.start - hit.start..span.end - hit.start) else {
            continue;
        };
        let bag = Bag::of(text);
        let own = credits(&bag);
        let with_heading = greater(&own, heading, 0.7);
        let around = greater(&with_heading, &before.0, before.1);
        let covers = share(&around);
        let asks = text.trim_end().ends_with(['?', '？']);
        let mut score = covers + 0.5 * share(&own) + 0.2 * chunk_covers + 0.25 * standing;
        if question.wanted.number && text.chars().any(|c| c.is_ascii_digit()) {
            score += 0.12;
        }
        if question.wanted.reason
            && ["because", "due to", "때문", "위해", "이므로", "위하여"].iter().any(|cue| text.contains(cue))
        {
            score += 0.12;
        }
        if asks {
            score *= 0.5;
        }
        if unit == Unit::Code {
            score *= 0.8;
        }
        if bag.len() < 3 {
            score *= 0.8;
        }
        let leads_on = asks || text.trim_end().ends_with(':');
        before = (own, if leads_on { 0.95 } else { 0.4 });
        rated.push(Candidate { hit: at, at: place, unit, span, bag, covers, score });
    }
    rated
}

fn greater(one: &[f64], other: &[f64], factor: f64) -> Vec<f64> {
    let other = other.iter().copied().chain(std::iter::repeat(0.0));
    one.iter().zip(other).map(|(one, other)| one.max(other * factor)).collect()
}

/// The best candidates that do not say the same, in reading order; neighbours become one stretch.
fn choose(mut candidates: Vec<Candidate>, hits: &[Hit], steps: bool) -> Vec<Pick> {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then((a.hit, a.at).cmp(&(b.hit, b.at))));
    let Some(best) = candidates.first().map(|candidate| candidate.score) else {
        return Vec::new();
    };
    let mut chosen: Vec<&Candidate> = Vec::new();
    let mut bytes = 0;
    for candidate in &candidates {
        if chosen.len() == MOST_QUOTES || bytes > ENOUGH_BYTES || candidate.score < 0.78 * best {
            break;
        }
        let says_the_same = |other: &&Candidate| {
            other.bag.likeness(&candidate.bag) > 0.5
                || candidate.bag.share_in(&other.bag) > 0.8
                || (source_of(hits, other.hit) == source_of(hits, candidate.hit)
                    && other.span.start < candidate.span.end
                    && candidate.span.start < other.span.end)
        };
        if !chosen.iter().any(says_the_same) {
            bytes += candidate.span.len();
            chosen.push(candidate);
        }
    }
    let led_to = following(&candidates, hits, steps);
    chosen
        .retain(|candidate| !led_to.iter().any(|next| next.hit == candidate.hit && next.at == candidate.at));
    chosen.extend(led_to);

    // Documents in the order of their best sentence, sentences in the order of the document.
    let order: Vec<u64> = chosen.iter().filter_map(|candidate| source_of(hits, candidate.hit)).collect();
    chosen.sort_by_key(|candidate| {
        let source = source_of(hits, candidate.hit);
        (order.iter().position(|known| Some(*known) == source), candidate.span.start)
    });
    let mut picks: Vec<Pick> = Vec::new();
    for candidate in chosen {
        match picks.last_mut() {
            Some(last) if last.hit == candidate.hit && parted_by_space(hits, last, &candidate.span) => {
                last.span.end = candidate.span.end;
            }
            _ => picks.push(Pick { hit: candidate.hit, span: candidate.span.clone() }),
        }
    }
    picks
}

/// What belongs to the best candidate: what a colon leads to, and, where steps are asked for, the next two.
fn following<'a>(candidates: &'a [Candidate], hits: &[Hit], steps: bool) -> Vec<&'a Candidate> {
    let Some(best) = candidates.first() else {
        return Vec::new();
    };
    let text = hits
        .get(best.hit)
        .and_then(|hit| hit.text.get(best.span.start - hit.start..best.span.end - hit.start));
    let count = match text {
        Some(text) if text.ends_with([':', '：']) => 4,
        _ if steps => 2,
        _ => return Vec::new(),
    };
    let mut bytes = best.span.len();
    let mut found: Vec<&Candidate> = Vec::new();
    for step in 1..=count {
        let next = candidates.iter().find(|next| next.hit == best.hit && next.at == best.at + step);
        let Some(next) = next else { break };
        // Code and prose are not read on into each other, except where a colon leads there.
        bytes += next.span.len();
        if bytes > FOLLOWING_BYTES || (count == 2 && next.unit != best.unit) {
            break;
        }
        found.push(next);
    }
    found
}

fn source_of(hits: &[Hit], at: usize) -> Option<u64> {
    hits.get(at).map(|hit| hit.source_id.0)
}

fn parted_by_space(hits: &[Hit], pick: &Pick, next: &Range<usize>) -> bool {
    let Some(hit) = hits.get(pick.hit) else {
        return false;
    };
    let gap = pick.span.end.checked_sub(hit.start).zip(next.start.checked_sub(hit.start));
    gap.and_then(|(from, to)| hit.text.get(from..to))
        .is_some_and(|gap| !gap.is_empty() && gap.len() < 4 && gap.trim().is_empty())
}
