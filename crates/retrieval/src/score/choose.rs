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
    let belongs = belonging(&candidates, hits, steps);
    chosen
        .retain(|candidate| !belongs.iter().any(|next| next.hit == candidate.hit && next.at == candidate.at));
    // The best with what belongs to it comes first; then documents in the order of their best sentence, and
    // sentences in the order of the document.
    let order: Vec<u64> = chosen.iter().filter_map(|candidate| source_of(hits, candidate.hit)).collect();
    let leading: Vec<(usize, usize)> = belongs.iter().chain(chosen.first()).map(|c| (c.hit, c.at)).collect();
    chosen.extend(belongs);
    chosen.sort_by_key(|candidate| {
        let source = source_of(hits, candidate.hit);
        let leads = leading.contains(&(candidate.hit, candidate.at));
        (!leads, order.iter().position(|known| Some(*known) == source), candidate.span.start)
    });
    chosen.dedup_by_key(|candidate| (candidate.hit, candidate.at));
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

/// What belongs to the best candidate: the header of its table, what a colon leads to, the rest of its paragraph,
/// and, where steps are asked for, the next two.
fn belonging<'a>(candidates: &'a [Candidate], hits: &[Hit], steps: bool) -> Vec<&'a Candidate> {
    let Some(best) = candidates.first() else {
        return Vec::new();
    };
    let place = |at: usize| candidates.iter().find(|other| other.hit == best.hit && other.at == at);
    if let Some(header) = best.header {
        return place(header).into_iter().collect();
    }
    let text = hits
        .get(best.hit)
        .and_then(|hit| hit.text.get(best.span.start - hit.start..best.span.end - hit.start));
    let count = match text {
        Some(text) if text.ends_with([':', '：']) => 4,
        _ if steps => 2,
        _ if best.unit == Unit::Sentence || best.unit == Unit::Item => 1,
        _ => return Vec::new(),
    };
    let mut bytes = best.span.len();
    let mut found: Vec<&Candidate> = Vec::new();
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
