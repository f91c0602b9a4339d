//! Changes to how a collection is searched, each tried on questions with known answers, and adopted only on proof.
//!
//! Half of the questions choose, the other half judge: what looks best on the first half is compared with what is in use on
//! the second, question by question. Only an improvement that chance seldom makes is adopted.

use crate::equipment::{Equipment, Fusion};
use crate::error::LibraryError;
use crate::eval::{best_sources, judge};
use crate::library::Library;
use crate::sync::source_id;
use hanok_base::{CollectionName, Legs, Reranker, Retriever as _, SearchQuery, SourceId};
use hanok_stats::{PairedDifference, mean, paired_bootstrap};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How seldom chance may do as well for a change to be adopted.
const LEVEL: f64 = 0.05;
/// Questions each half must have for its word to count.
const FEWEST: usize = 20;

/// A question with the documents that answer it.
#[derive(Clone, Debug, Deserialize)]
pub struct Question {
    /// The question.
    #[serde(alias = "text", alias = "question")]
    pub query: String,
    /// The documents' paths.
    pub relevant: Vec<String>,
}

/// What was tried and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct TuneReport {
    /// Questions that chose.
    pub train: usize,
    /// Questions that judged.
    pub held_out: usize,
    /// Mean nDCG@10 of what was in use, on the questions that chose.
    pub before: f64,
    /// Each change in the order it was tried.
    pub tried: Vec<Tried>,
    /// What should be in use now, as lines of the configuration; empty where nothing is better.
    pub adopted: Vec<String>,
}

/// One change.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    /// As a line of the configuration.
    pub change: String,
    /// Mean nDCG@10 on the questions that chose.
    pub train: f64,
    /// Mean difference on the held-out questions with its 95 % interval: mean, low, high.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<(f64, f64, f64)>,
    /// How probable so great a difference is by chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Whether it was adopted.
    pub adopted: bool,
    /// Why, or why not.
    pub reason: String,
}

/// Something to change: its kind (of which one at most is adopted), its line, and what it does.
struct Change {
    kind: &'static str,
    line: String,
    equipment: Equipment,
}

/// Tries changes to a collection with these questions. `reranker` is one that could be used and is not.
pub async fn tune(
    library: &Library,
    collection: &CollectionName,
    questions: &[Question],
    reranker: Option<Arc<dyn Reranker>>,
) -> Result<TuneReport, LibraryError> {
    // By the question's own text, so that the halves stay the same when questions are added.
    let (train, held): (Vec<&Question>, Vec<&Question>) = questions.iter().partition(|question| {
        blake3::hash(question.query.as_bytes()).as_bytes().first().is_some_and(|b| b % 2 == 0)
    });
    let in_use = library.equipment(collection);
    let mut best = in_use.clone();
    let mut scores = measure(library, collection, &best, &train).await?;
    let before = mean(&scores).unwrap_or(0.0);
    let mut report = TuneReport {
        train: train.len(),
        held_out: held.len(),
        before,
        tried: Vec::new(),
        adopted: Vec::new(),
    };
    for kind in ["fusion", "legs", "rerank"] {
        let mut choices: Vec<(Change, Vec<f64>)> = Vec::new();
        for change in changes(&best, reranker.as_ref()).into_iter().filter(|change| change.kind == kind) {
            let found = measure(library, collection, &change.equipment, &train).await?;
            choices.push((change, found));
        }
        let now = mean(&scores).unwrap_or(0.0);
        let winner = choices.iter().map(|(_, found)| mean(found).unwrap_or(0.0)).fold(now, f64::max);
        for (change, found) in choices {
            let train_mean = mean(&found).unwrap_or(0.0);
            let mut tried = Tried {
                change: change.line,
                train: train_mean,
                held_out: None,
                p_value: None,
                adopted: false,
                reason: String::new(),
            };
            if train_mean <= now {
                tried.reason =
                    format!("no better than what is in use ({now:.4}) on the questions that choose");
            } else if train_mean < winner {
                "another change of its kind is better".clone_into(&mut tried.reason);
            } else if train.len() < FEWEST || held.len() < FEWEST {
                tried.reason = format!("too few questions to prove it: each half needs {FEWEST}");
            } else {
                let old = measure(library, collection, &best, &held).await?;
                let new = measure(library, collection, &change.equipment, &held).await?;
                decide(&mut tried, paired_bootstrap(&old, &new));
                if tried.adopted {
                    report.adopted.push(tried.change.clone());
                    best = change.equipment;
                    scores = found;
                }
            }
            report.tried.push(tried);
        }
    }
    library.equip(Some(collection), in_use).await?;
    Ok(report)
}

fn decide(tried: &mut Tried, compared: Option<PairedDifference>) {
    let Some(compared) = compared else {
        "the held-out questions say nothing".clone_into(&mut tried.reason);
        return;
    };
    let difference = compared.difference;
    tried.held_out = Some((difference.mean, difference.low, difference.high));
    tried.p_value = Some(compared.p_value);
    tried.adopted = difference.mean > 0.0 && compared.p_value < LEVEL;
    tried.reason = if tried.adopted {
        "the held-out questions prove it".to_owned()
    } else if difference.mean > 0.0 {
        format!("better by chance, for all the held-out questions can say (p = {:.3})", compared.p_value)
    } else {
        "worse on the held-out questions".to_owned()
    };
}

fn changes(now: &Equipment, reranker: Option<&Arc<dyn Reranker>>) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |kind: &'static str, line: String, equipment: Equipment| {
        changes.push(Change { kind, line, equipment });
    };
    if now.embedder.is_some() {
        for dense in [0.3, 0.45, 0.55, 0.7] {
            let fusion = Fusion::Scores { dense };
            if fusion != now.fusion {
                add("fusion", format!("fusion = {{ dense = {dense} }}"), Equipment { fusion, ..now.clone() });
            }
        }
        let rrf = Fusion::Rrf { k: 60.0 };
        if now.fusion != rrf {
            add("fusion", "fusion = \"rrf\"".to_owned(), Equipment { fusion: rrf, ..now.clone() });
        }
        for (legs, name) in [(Legs::Bm25, "bm25"), (Legs::Dense, "dense"), (Legs::Hybrid, "hybrid")] {
            if now.legs.unwrap_or(Legs::Hybrid) != legs {
                add("legs", format!("legs = \"{name}\""), Equipment { legs: Some(legs), ..now.clone() });
            }
        }
    }
    match (&now.reranker, reranker) {
        (Some(_), _) => {
            add("rerank", "rerank = \"none\"".to_owned(), Equipment { reranker: None, ..now.clone() });
        }
        (None, Some(reranker)) => {
            let line = format!("rerank = \"{}\"", reranker.id());
            add("rerank", line, Equipment { reranker: Some(reranker.clone()), ..now.clone() });
        }
        (None, None) => {}
    }
    changes
}

/// nDCG@10 of each question over documents, searched with `equipment`.
async fn measure(
    library: &Library,
    collection: &CollectionName,
    equipment: &Equipment,
    questions: &[&Question],
) -> Result<Vec<f64>, LibraryError> {
    let shelf = library.ensure_shelf(collection).await?;
    library.equip(Some(collection), equipment.clone()).await?;
    let mut scores = Vec::with_capacity(questions.len());
    for question in questions {
        let gains: HashMap<SourceId, f64> =
            question.relevant.iter().map(|path| (source_id(collection, path), 1.0)).collect();
        // Without a reranker the ranking of documents says all, and costs less than whole hits.
        let best = if equipment.reranker.is_none() {
            best_sources(&library.store, &shelf, equipment, &question.query).await?
        } else {
            hits_of(library, collection, &question.query).await?
        };
        scores.push(judge(&best, &gains, &HashMap::new()).ndcg_at_10);
    }
    Ok(scores)
}

async fn hits_of(
    library: &Library,
    collection: &CollectionName,
    query: &str,
) -> Result<Vec<SourceId>, LibraryError> {
    let query = SearchQuery::new(query, collection.clone(), 50);
    let found = match library.search(&hanok_base::CallContext::unrecorded(), &query).await {
        Ok(found) => found.hits,
        Err(hanok_base::RetrievalError::EmptyQuery(_)) => Vec::new(),
        Err(error) => return Err(LibraryError::Worker(error.into())),
    };
    let mut seen = HashSet::new();
    Ok(found.into_iter().map(|hit| hit.source_id).filter(|id| seen.insert(*id)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried() -> Tried {
        Tried {
            change: String::new(),
            train: 0.0,
            held_out: None,
            p_value: None,
            adopted: false,
            reason: String::new(),
        }
    }

    #[test]
    fn only_what_is_proved_is_adopted() {
        let before: Vec<f64> = (0..60).map(|at| f64::from(at % 7) / 7.0).collect();
        let check = |after: Vec<f64>, adopted: bool, says: &str| {
            let mut tried = tried();
            decide(&mut tried, paired_bootstrap(&before, &after));
            assert_eq!(tried.adopted, adopted, "{tried:?}");
            assert!(tried.reason.contains(says), "{tried:?}");
        };
        check(before.iter().map(|score| score + 0.1).collect(), true, "prove");
        check(before.iter().map(|score| score - 0.1).collect(), false, "worse");
        let one_lucky =
            before.iter().enumerate().map(|(at, score)| if at == 6 { score + 0.2 } else { *score });
        check(one_lucky.collect(), false, "by chance");
    }

    #[test]
    fn without_models_there_is_nothing_to_try() {
        assert!(changes(&Equipment::default(), None).is_empty());
    }
}
