//! Changes to how a collection is cut and searched, each tried on questions with known answers, and adopted only on proof.
//!
//! Half of the questions choose, the other half judge. The first half puts changes in an order: the one that helps most,
//! then the one that helps most on top of it, as long as what it adds is more than chance would. The second half tests
//! them in that order, each on top of those before it, and stops at the first that is not proved. Testing in an order
//! that the judging half had no part in keeps the probability of any wrong adoption below the level, however many changes
//! were tried (fixed-sequence testing: Maurer, Hothorn and Lehmacher 1995).
//!
//! Other ways to cut are tried on copies in a temporary folder; what serves is not touched.
//!
//! Reading order: `change` (what is tried), `bench` (measuring it).

mod bench;
mod change;

pub use change::{Kind, Named};

use crate::error::LibraryError;
use crate::library::Library;
use crate::sync::source_id;
use bench::Bench;
use change::{Change, Setup, changes, left_out};
use hanok_base::CollectionName;
use hanok_stats::{PairedDifference, mean, paired_bootstrap};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// How seldom chance may do as well for a change to be adopted.
const LEVEL: f64 = 0.05;
/// How seldom it may on the questions that choose, for a change to be put to the test at all.
const WORTH_A_TEST: f64 = 0.1;
/// Questions each half must have for its word to count.
const FEWEST: usize = 20;
/// The rule, for people.
const RULE: &str = "half of the questions put changes in an order, each on top of those before it; the other half tests \
                    them in that order by a paired bootstrap, and stops at the first with p >= 0.05, so that the \
                    probability of any wrong adoption is at most 0.05 however many were tried";

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
    /// By which rule changes are adopted.
    pub rule: &'static str,
    /// Each change: those that were put to the test in its order, then the others as they were tried.
    pub tried: Vec<Tried>,
    /// What was not tried, and why.
    pub left_out: Vec<LeftOut>,
    /// What should be in use now, as members of the collection's table in the configuration; empty where nothing is
    /// proved to be better.
    pub adopted: Vec<Member>,
}

/// A change that was not tried.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// As a line of the configuration.
    pub change: String,
    /// Why, and what has it tried.
    pub reason: String,
}

/// A member of a collection's table in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its name: `fusion`.
    pub name: &'static str,
    /// Its value, as TOML writes it.
    pub value: String,
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {}", self.name, self.value)
    }
}

/// One change.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    /// As a line of the configuration.
    pub change: String,
    /// Mean nDCG@10 on the questions that chose: with this change and those put to the test before it.
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

impl Tried {
    fn refused(change: &Change, train: f64, reason: String) -> Self {
        let change = change.member.to_string();
        Self { change, train, held_out: None, p_value: None, adopted: false, reason }
    }
}

/// Tries changes of these kinds to a collection with these questions. `reranker` is one that could be used and is not.
/// `tell` hears what is being done. The library's equipment of the collection is as before afterwards.
pub async fn tune(
    library: &Library,
    collection: &CollectionName,
    questions: &[Question],
    reranker: Option<Named>,
    kinds: &[Kind],
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<TuneReport, LibraryError> {
    unknown(library, collection, questions, tell).await?;
    let in_use = library.equipment(collection);
    let mut bench = Bench::new(library, collection, tell);
    let report = tried(&mut bench, questions, reranker.as_ref(), kinds).await;
    library.equip(Some(collection), in_use).await?;
    report
}

/// Tells of documents that questions name and the collection does not have: no setting finds those. Where there is none
/// of all that are named, the names are wrong.
async fn unknown(
    library: &Library,
    collection: &CollectionName,
    questions: &[Question],
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), LibraryError> {
    let Some(shelf) = library.shelf(collection) else { return Ok(()) };
    let named: BTreeSet<&str> =
        questions.iter().flat_map(|question| question.relevant.iter().map(String::as_str)).collect();
    let documents = library.store.documents();
    let mut missing = Vec::new();
    for name in &named {
        if documents.collection_of(source_id(collection, name)).await? != Some(shelf.id) {
            missing.push(*name);
        }
    }
    let Some(first) = missing.first() else { return Ok(()) };
    let (count, all) = (missing.len(), named.len());
    let reason =
        format!("{count} of the {all} documents that the questions name are not in it, such as {first}");
    if count == all {
        let path = PathBuf::from(collection.as_str());
        return Err(LibraryError::BadCollection { path, reason });
    }
    tell(&format!("{collection}: {reason}"));
    Ok(())
}

async fn tried(
    bench: &mut Bench<'_>,
    questions: &[Question],
    reranker: Option<&Named>,
    kinds: &[Kind],
) -> Result<TuneReport, LibraryError> {
    // By the question's own text, so that the halves stay the same when questions are added.
    let (train, held): (Vec<&Question>, Vec<&Question>) = questions.iter().partition(|question| {
        blake3::hash(question.query.as_bytes()).as_bytes().first().is_some_and(|b| b % 2 == 0)
    });
    let start = bench.in_use();
    let scores = bench.measure(&start, &train).await?;
    let mut report = TuneReport {
        train: train.len(),
        held_out: held.len(),
        before: mean(&scores).unwrap_or(0.0),
        rule: RULE,
        tried: Vec::new(),
        left_out: left_out(&start, kinds).into_iter().collect(),
        adopted: Vec::new(),
    };
    let Ordered { sequence, refused } = order(bench, &start, scores, &train, reranker, kinds).await?;
    if train.len() < FEWEST || held.len() < FEWEST {
        let reason = format!("too few questions to prove it: each half needs {FEWEST}");
        report
            .tried
            .extend(sequence.iter().map(|(change, train)| Tried::refused(change, *train, reason.clone())));
    } else {
        let mut old = None;
        let mut unproved: Option<String> = None;
        for (change, train) in &sequence {
            let mut tried = Tried::refused(change, *train, String::new());
            if let Some(before) = &unproved {
                tried.reason = format!("it was chosen on top of `{before}`, which is not proved");
            } else {
                let before = match old.take() {
                    Some(before) => before,
                    None => bench.measure(&start, &held).await?,
                };
                let after = bench.measure(&change.setup, &held).await?;
                decide(&mut tried, paired_bootstrap(&before, &after));
                if tried.adopted {
                    report.adopted.retain(|member| member.name != change.member.name);
                    report.adopted.push(change.member.clone());
                } else {
                    unproved = Some(tried.change.clone());
                }
                old = Some(after);
            }
            report.tried.push(tried);
        }
    }
    report.tried.extend(refused);
    // What failed was measured as if it were not there, and is not to be taken for useless.
    report.left_out.extend(bench.failed.take().map(|(times, what)| LeftOut {
        change: what.leg,
        reason: format!("it failed on {times} rankings, which were measured without it: {}", what.reason),
    }));
    Ok(report)
}

/// What the questions that choose say.
struct Ordered {
    /// What is put to the test, each on top of those before it, with its mean.
    sequence: Vec<(Change, f64)>,
    refused: Vec<Tried>,
}

async fn order(
    bench: &mut Bench<'_>,
    start: &Setup,
    mut scores: Vec<f64>,
    train: &[&Question],
    reranker: Option<&Named>,
    kinds: &[Kind],
) -> Result<Ordered, LibraryError> {
    let mut base = start.clone();
    let mut left: Vec<Kind> = kinds.to_vec();
    let mut ordered = Ordered { sequence: Vec::new(), refused: Vec::new() };
    loop {
        let now = mean(&scores).unwrap_or(0.0);
        let mut best: Option<(Change, Vec<f64>, f64)> = None;
        let mut others = Vec::new();
        for change in changes(&base, reranker).into_iter().filter(|change| left.contains(&change.kind)) {
            let found = bench.measure(&change.setup, train).await?;
            let value = mean(&found).unwrap_or(0.0);
            bench.tell(&format!("{}: nDCG@10 {value:.4}, now {now:.4}", change.member));
            let better = value > best.as_ref().map_or(now, |(.., value)| *value);
            let aside =
                if better { best.replace((change, found, value)) } else { Some((change, found, value)) };
            others.extend(aside.map(|(change, _, value)| (change, value)));
        }
        let chosen = best.filter(|(.., found, _)| {
            paired_bootstrap(&scores, found).is_some_and(|compared| compared.p_value < WORTH_A_TEST)
                || train.len() < FEWEST
        });
        let Some((change, found, value)) = chosen else {
            // Of what is left nothing is worth a test any more.
            ordered.refused.extend(others.into_iter().map(|(change, value)| no_better(&change, value, now)));
            return Ok(ordered);
        };
        left.retain(|kind| *kind != change.kind);
        let of_kind = others.into_iter().filter(|(other, _)| other.kind == change.kind);
        ordered.refused.extend(of_kind.map(|(other, value)| {
            Tried::refused(
                &other,
                value,
                format!("`{}` does better on the questions that choose", change.member),
            )
        }));
        (base, scores) = (change.setup.clone(), found);
        ordered.sequence.push((change, value));
    }
}

fn no_better(change: &Change, value: f64, now: f64) -> Tried {
    let reason = if value > now {
        format!("no more than chance on the questions that choose, which give {now:.4} without it")
    } else {
        format!("no better on the questions that choose, which give {now:.4} without it")
    };
    Tried::refused(change, value, reason)
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
        "no better on the held-out questions".to_owned()
    };
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
        check(before.iter().map(|score| score - 0.1).collect(), false, "no better");
        let one_lucky =
            before.iter().enumerate().map(|(at, score)| if at == 6 { score + 0.2 } else { *score });
        check(one_lucky.collect(), false, "by chance");
    }
}
