//! Which sentences are quoted: the best, and those near as good that say something else.

use super::Pick;
use super::window::Candidate;
use crate::sentence::Unit;
use hanok_base::Hit;
use std::ops::Range;

/// Quotes in an answer at most, and bytes of quotes after which no more are added.
const MOST_QUOTES: usize = 4;
const ENOUGH_BYTES: usize = 900;
/// Bytes to which the best quote may grow by what follows it.
const FOLLOWING_BYTES: usize = 500;
/// The share of the best score that a sentence needs to be quoted beside it.
const NEAR_AS_GOOD: f64 = 0.78;

/// The best candidates that do not say the same, in reading order; neighbours become one stretch.
pub(super) fn choose(mut candidates: Vec<Candidate>, hits: &[Hit], steps: bool) -> Vec<Pick> {
    candidates.sort_by(|a, b| {
        b.says.cmp(&a.says).then(b.score.total_cmp(&a.score)).then((a.hit, a.at).cmp(&(b.hit, b.at)))
    });
    let Some(best) = candidates.first().map(|candidate| candidate.score) else {
        return Vec::new();
    };
    let mut chosen: Vec<&Candidate> = Vec::new();
    let mut bytes = 0;
    for candidate in candidates.iter().filter(|candidate| candidate.says) {
        if chosen.len() == MOST_QUOTES || bytes > ENOUGH_BYTES || candidate.score < NEAR_AS_GOOD * best {
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
    let best = candidates.first();
    let follows = belonging(&candidates, hits, steps);
    let mut belongs = follows.clone();
    // A row says what its columns are only with the header over it, whichever place it has in the answer.
    for row in chosen.iter().filter(|candidate| candidate.unit == Unit::Row) {
        belongs.extend(row.header.and_then(|header| find(&candidates, row.hit, header)));
    }
    // The best with what belongs to it comes first, the other rows of its table with it; then documents in the order of
    // their best sentence, and sentences in the order of the document.
    let order: Vec<u64> = chosen.iter().filter_map(|candidate| source_of(hits, candidate.hit)).collect();
    let of_best = |candidate: &Candidate| {
        best.is_some_and(|best| {
            best.hit == candidate.hit
                && (best.at == candidate.at || (best.table().is_some() && best.table() == candidate.table()))
        })
    };
    let leads = |candidate: &Candidate| {
        of_best(candidate) || follows.iter().any(|next| (next.hit, next.at) == (candidate.hit, candidate.at))
    };
    chosen.extend(belongs);
    chosen.sort_by_key(|candidate| {
        let source = source_of(hits, candidate.hit);
        (!leads(candidate), order.iter().position(|known| Some(*known) == source), candidate.span.start)
    });
    let mut picks: Vec<Pick> = Vec::new();
    let mut taken: Vec<&Candidate> = Vec::new();
    let mut table = None;
    for candidate in chosen {
        // Chunks overlap: one header, or what follows the best, may be there twice.
        let is_taken = |other: &&Candidate| {
            source_of(hits, other.hit) == source_of(hits, candidate.hit)
                && other.span.start < candidate.span.end
                && candidate.span.start < other.span.end
        };
        if taken.iter().any(is_taken) {
            continue;
        }
        taken.push(candidate);
        let of = candidate.table().map(|header| (candidate.hit, header));
        let joins = of.is_some() && of == table;
        table = of;
        match picks.last_mut() {
            Some(last) if last.hit == candidate.hit && parted_by_space(hits, last, &candidate.span) => {
                last.span.end = candidate.span.end;
            }
            _ => picks.push(Pick { hit: candidate.hit, span: candidate.span.clone(), joins }),
        }
    }
    picks
}

fn find(candidates: &[Candidate], hit: usize, at: usize) -> Option<&Candidate> {
    candidates.iter().find(|other| other.hit == hit && other.at == at)
}

/// What is read on from the best candidate, or leads to it: the line before code, what a colon leads to, the rest of
/// its paragraph, and, where steps are asked for, the next two.
fn belonging<'a>(candidates: &'a [Candidate], hits: &[Hit], steps: bool) -> Vec<&'a Candidate> {
    let Some(best) = candidates.first() else {
        return Vec::new();
    };
    let place = |at: usize| find(candidates, best.hit, at);
    let mut found: Vec<&Candidate> = best.lead.and_then(place).into_iter().collect();
    let text = hits
        .get(best.hit)
        .and_then(|hit| hit.text.get(best.span.start - hit.start..best.span.end - hit.start));
    let count = match text {
        Some(text) if text.ends_with([':', '：']) => 4,
        _ if best.unit == Unit::Row => return found,
        _ if steps => 2,
        _ if best.unit == Unit::Sentence || best.unit == Unit::Item => 1,
        _ => return found,
    };
    let mut bytes = best.span.len();
    for step in 1..=count {
        let Some(next) = place(best.at + step) else { break };
        // Code and prose are not read on into each other, except where a colon leads there.
        bytes += next.span.len();
        if bytes > FOLLOWING_BYTES
            || (count < 4 && next.unit != best.unit)
            || (count == 1 && !in_one_line(hits, best, next))
        {
            break;
        }
        found.push(next);
    }
    found
}

/// Whether two places are of one paragraph or item.
fn in_one_line(hits: &[Hit], one: &Candidate, next: &Candidate) -> bool {
    let Some(hit) = hits.get(one.hit) else { return false };
    let gap = one.span.end.checked_sub(hit.start).zip(next.span.start.checked_sub(hit.start));
    gap.and_then(|(from, to)| hit.text.get(from..to))
        .is_some_and(|gap| gap.len() < 3 && gap.trim().is_empty())
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
