//! What several queries found, as one result.

use futures_util::future::join_all;
use hanok_base::{
    CallContext, Hit, LeftOut, RetrievalError, Retriever, SearchQuery, SearchResult, SourceId, Vote,
};
use std::collections::HashMap;

/// The constant of reciprocal rank fusion: how little the first ranks differ (Cormack and others, 2009).
const K: f64 = 60.0;

/// Searches for each of `queries` as `query` says, all at once, and fuses what is found by reciprocal rank. A query
/// that holds nothing to search for is passed over where another does. Of one document there are `per_source` hits at
/// most, as in a single search.
pub async fn search_all(
    retriever: &dyn Retriever,
    cx: &CallContext,
    query: &SearchQuery,
    queries: &[String],
    per_source: Option<usize>,
) -> Result<SearchResult, RetrievalError> {
    let asked: Vec<SearchQuery> =
        queries.iter().map(|text| SearchQuery { text: text.clone(), ..query.clone() }).collect();
    if let [only] = asked.as_slice() {
        return retriever.search(cx, only).await;
    }
    let mut results = Vec::with_capacity(asked.len());
    let mut empty = None;
    let found = join_all(asked.iter().map(|query| retriever.search(cx, query))).await;
    for (query, found) in asked.iter().zip(found) {
        match found {
            Ok(found) => results.push((query.text.as_str(), found)),
            Err(error @ RetrievalError::EmptyQuery(_)) => empty = Some(error),
            Err(error) => return Err(error),
        }
    }
    match (results.is_empty(), empty) {
        (true, Some(error)) => Err(error),
        (true, None) => retriever.search(cx, query).await,
        _ => Ok(fused(results, query.top_k, per_source)),
    }
}

/// The hits of all results by the sum of 1 / (60 + rank).
fn fused(results: Vec<(&str, SearchResult)>, top_k: usize, per_source: Option<usize>) -> SearchResult {
    let coverage = results.first().map(|(_, result)| result.coverage).unwrap_or_default();
    let mut left_out: Vec<LeftOut> = Vec::new();
    for what in results.iter().flat_map(|(_, result)| &result.left_out) {
        if !left_out.contains(what) {
            left_out.push(what.clone());
        }
    }
    let mut hits: Vec<(f64, Hit)> = Vec::new();
    let mut places: HashMap<(SourceId, usize, usize), usize> = HashMap::new();
    for (number, (query, result)) in (1..).zip(results) {
        for (rank, mut hit) in (1_u32..).zip(result.hits) {
            let score = 1.0 / (K + f64::from(rank));
            let vote = Vote {
                leg: format!("query {number}"),
                rank: usize::try_from(rank).unwrap_or(usize::MAX),
                score: hit.score,
                weight: 1.0,
                reason: query.to_owned(),
            };
            let key = (hit.source_id, hit.start, hit.end);
            if let Some((sum, known)) = places.get(&key).and_then(|at| hits.get_mut(*at)) {
                *sum += score;
                known.about.votes.push(vote);
            } else {
                places.insert(key, hits.len());
                hit.about.votes.push(vote);
                hits.push((score, hit));
            }
        }
    }
    // Stable: equals keep the order of the first query that found them.
    hits.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut taken: HashMap<SourceId, usize> = HashMap::new();
    let within = |(_, hit): &(f64, Hit)| {
        let of_source = taken.entry(hit.source_id).or_default();
        *of_source += 1;
        per_source.is_none_or(|most| *of_source <= most)
    };
    let hits = hits.into_iter().filter(within).take(top_k).map(|(score, hit)| Hit { score, ..hit }).collect();
    SearchResult { hits, coverage, left_out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::About;

    fn hit(number: u64, score: f64) -> Hit {
        Hit {
            source_id: SourceId(number),
            source: format!("{number}.md"),
            heading: String::new(),
            start: 0,
            end: 1,
            text: "x".into(),
            score,
            about: About::default(),
        }
    }

    #[test]
    fn what_several_find_comes_first() {
        let result = |numbers: &[u64]| SearchResult {
            hits: numbers.iter().map(|number| hit(*number, 9.0)).collect(),
            ..SearchResult::default()
        };
        let fused =
            fused(vec![("a", result(&[1, 2, 3])), ("b", result(&[3, 4])), ("c", result(&[]))], 3, None);
        let got: Vec<u64> = fused.hits.iter().map(|hit| hit.source_id.0).collect();
        assert_eq!(got, [3, 1, 2]);
        assert!((fused.hits[0].score - (1.0 / 63.0 + 1.0 / 61.0)).abs() < 1e-12);
        let votes: Vec<(&str, usize)> =
            fused.hits[0].about.votes.iter().map(|vote| (vote.leg.as_str(), vote.rank)).collect();
        assert_eq!(votes, [("query 1", 3), ("query 2", 1)]);
        assert_eq!(fused.hits[0].about.votes[1].reason, "b");
    }

    #[test]
    fn quotas_hold_for_all_queries_together() {
        let result = |places: &[(u64, usize)]| SearchResult {
            hits: places.iter().map(|(number, start)| Hit { start: *start, ..hit(*number, 9.0) }).collect(),
            ..SearchResult::default()
        };
        let results = || vec![("a", result(&[(1, 0), (2, 0)])), ("b", result(&[(1, 1), (1, 2), (3, 0)]))];
        let check = |per_source, expect: &[u64]| {
            let got: Vec<u64> =
                fused(results(), 3, per_source).hits.iter().map(|hit| hit.source_id.0).collect();
            assert_eq!(got, expect, "{per_source:?}");
        };
        check(None, &[1, 1, 2]);
        check(Some(2), &[1, 1, 2]);
        check(Some(1), &[1, 2, 3]);
    }
}
