//! What an embedder knows of a collection, measured on the collection's own texts, without a question or a judgement.
//!
//! From some chunks a passage is taken out. The passage is the question, the rest of its chunk the answer to be found
//! among the rests of the others: by vectors, and by words. Texts of one chunk are about one thing, so that who
//! understands them finds the one by the other. An embedder of another language puts all of them in one place and finds
//! nothing; it is then not asked, or counts little.
//!
//! A collection may hold texts of several scripts, of which the embedder knows one: what it found is told for each script
//! that enough chunks are in, and a question goes by its own.

mod script;

pub use script::Script;

use crate::error::LibraryError;
use crate::sentence::{sentence_ends, width};
use crate::stretch::Stretches;
use hanok_base::{CallContext, EmbedKind, Embedder, ProviderError};
use hanok_index::analyze;
use hanok_stats::{mean, reciprocal_rank};
use hanok_store::Store;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Chunks that are tried: enough to tell a half from a third, few enough that it takes seconds.
const PROBES: usize = 128;
/// Chunks whose script is looked at.
const SEEN: usize = 4096;
/// Of those, read together.
const READ: usize = 256;
/// Chunks of each script that are tried, where there are as many.
const OF_SCRIPT: usize = 64;
/// Fewer say nothing.
const FEWEST: usize = 8;
/// Texts embedded together.
const BATCH: usize = 32;
/// How wide a sentence must be to be the passage; where none is, half of the chunk is.
const PASSAGE: usize = 40;
/// How wide a passage and the rest must be to be about something.
const LEAST: usize = 12;
/// How wide both are at most: what an embedder takes, and as much as it needs.
const WIDEST: usize = 700;
/// The share of what words find that vectors must find to count in full, and at which they count nothing.
const FULL: f64 = 0.75;
const NOTHING: f64 = 0.5;

/// How an embedder did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Passages whose chunk was to be found.
    pub probes: usize,
    /// Mean reciprocal rank of the right chunk by vectors.
    pub dense: f64,
    /// The same by words.
    pub words: f64,
    /// What the dense leg's weight is multiplied by, 0 to 1.
    pub trust: f64,
    /// How many chunks the collection had.
    pub chunks: u64,
}

impl Trial {
    /// Whether a collection that has `chunks` now is about what it was.
    pub(crate) fn still_holds(&self, chunks: u64) -> bool {
        let (less, more) = (self.chunks.min(chunks), self.chunks.max(chunks));
        more - less <= more / 4
    }

    /// In words, for those who ask why vectors count as they do.
    pub fn reason(&self) -> String {
        if self.probes < FEWEST {
            return "too few chunks to try the vectors on".to_owned();
        }
        format!(
            "of {} passages of this collection, vectors find the rest again with a mean reciprocal rank of {:.2}, \
             words with {:.2}",
            self.probes, self.dense, self.words
        )
    }

    /// What these places in two lists of reciprocal ranks say.
    fn of(places: &[usize], dense: &[f64], words: &[f64], chunks: u64) -> Self {
        let probes = places.len();
        if probes < FEWEST {
            return Self { probes, dense: 0.0, words: 0.0, trust: 1.0, chunks };
        }
        let of = |ranks: &[f64]| {
            let ranks: Vec<f64> = places.iter().filter_map(|at| ranks.get(*at).copied()).collect();
            mean(&ranks).unwrap_or(0.0)
        };
        let (dense, words) = (of(dense), of(words));
        Self { probes, dense, words, trust: trust(dense, words), chunks }
    }
}

/// How an embedder did on a collection, and on its texts of each script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    /// On all that was tried.
    #[serde(flatten)]
    pub whole: Trial,
    /// On the texts of each script that enough chunks are in; absent where that was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scripts: Option<BTreeMap<Script, Trial>>,
}

impl Trials {
    /// What counts for a question: how the embedder did on texts of its script, where that is known.
    pub fn of(&self, question: &str) -> &Trial {
        let own = |scripts| BTreeMap::get(scripts, &Script::of(question)?);
        self.scripts.as_ref().and_then(own).unwrap_or(&self.whole)
    }

    /// Whether a collection that has `chunks` now is about what it was.
    pub(crate) fn still_holds(&self, chunks: u64) -> bool {
        self.scripts.is_some() && self.whole.still_holds(chunks)
    }

    /// Tries an embedder on a collection.
    pub(crate) async fn hold(
        store: &Store,
        traces: &mut Stretches<'_>,
        collection: i64,
        embedder: &dyn Embedder,
        chunks: u64,
    ) -> Result<Self, LibraryError> {
        let seen = store.vectors().sample(collection, SEEN).await?;
        let mut scripts = Vec::with_capacity(seen.len());
        for ids in seen.chunks(READ) {
            let texts = store.documents().chunks(ids.to_vec()).await?;
            scripts.extend(texts.iter().map(|chunk| (chunk.id, Script::of(&chunk.text))));
        }
        let texts = store.documents().chunks(chosen(&scripts)).await?;
        let pairs: Vec<(Option<Script>, String, String)> = texts
            .iter()
            .filter_map(|chunk| {
                let (passage, rest) = parted(&chunk.text)?;
                Some((Script::of(&chunk.text), passage, rest))
            })
            .collect();
        let all: Vec<usize> = (0..pairs.len()).collect();
        if pairs.len() < FEWEST {
            let whole = Trial::of(&all, &[], &[], chunks);
            return Ok(Self { whole, scripts: Some(BTreeMap::new()) });
        }
        let passages: Vec<&str> = pairs.iter().map(|(_, passage, _)| passage.as_str()).collect();
        let rests: Vec<&str> = pairs.iter().map(|(.., rest)| rest.as_str()).collect();
        let cx = traces.context(passages.len() + rests.len()).await?;
        let asked = embed(embedder, &cx, &passages, EmbedKind::Query).await;
        let asked = asked.inspect_err(|error| traces.failed(error))?;
        let held = embed(embedder, &cx, &rests, EmbedKind::Document).await;
        let held = held.inspect_err(|error| traces.failed(error))?;
        let dense = asked.iter().enumerate().map(|(at, vector)| {
            reciprocal(
                at,
                held.iter().map(|other| vector.iter().zip(other).map(|(a, b)| f64::from(a * b)).sum()),
            )
        });
        let dense: Vec<f64> = dense.collect();
        let words = by_words(&passages, &rests);
        let mut places: BTreeMap<Script, Vec<usize>> = BTreeMap::new();
        for (at, (script, ..)) in pairs.iter().enumerate() {
            if let Some(script) = script {
                places.entry(*script).or_default().push(at);
            }
        }
        let of_script = |(script, places): (Script, Vec<usize>)| {
            (places.len() >= FEWEST).then(|| (script, Trial::of(&places, &dense, &words, chunks)))
        };
        let scripts = Some(places.into_iter().filter_map(of_script).collect());
        Ok(Self { whole: Trial::of(&all, &dense, &words, chunks), scripts })
    }
}

/// Which chunks are tried: some from everywhere, and of each script some.
fn chosen(seen: &[(u64, Option<Script>)]) -> Vec<u64> {
    let all: Vec<u64> = seen.iter().map(|(id, _)| *id).collect();
    let mut chosen: Vec<u64> = evenly(&all, PROBES).collect();
    let mut of: BTreeMap<Script, Vec<u64>> = BTreeMap::new();
    for (id, script) in seen {
        if let Some(script) = script {
            of.entry(*script).or_default().push(*id);
        }
    }
    let whole: HashSet<u64> = chosen.iter().copied().collect();
    for ids in of.into_values().filter(|ids| ids.len() >= FEWEST) {
        let (had, others): (Vec<u64>, Vec<u64>) = ids.into_iter().partition(|id| whole.contains(id));
        chosen.extend(evenly(&others, OF_SCRIPT.saturating_sub(had.len())));
    }
    chosen
}

/// Some of a list, from all of it.
fn evenly(ids: &[u64], limit: usize) -> impl Iterator<Item = u64> {
    let count = ids.len().min(limit);
    (0..count).filter_map(move |at| ids.get(at * ids.len() / count).copied())
}

/// How much of its weight a leg keeps that did so.
fn trust(dense: f64, words: f64) -> f64 {
    if words <= 0.0 {
        return 1.0;
    }
    ((dense / words - NOTHING) / (FULL - NOTHING)).clamp(0.0, 1.0)
}

async fn embed(
    embedder: &dyn Embedder,
    cx: &CallContext,
    texts: &[&str],
    kind: EmbedKind,
) -> Result<Vec<Vec<f32>>, ProviderError> {
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        vectors.extend(embedder.embed(cx, batch, kind).await?);
    }
    Ok(vectors)
}

/// A passage of a text, and the rest of it; `None` where it is too short to have both.
fn parted(text: &str) -> Option<(String, String)> {
    let text = text.trim();
    let mut starts: Vec<usize> = vec![0];
    starts.extend(sentence_ends(text).into_iter().filter(|end| *end < text.len()));
    let sentences: Vec<&str> = starts
        .iter()
        .zip(starts.iter().skip(1).chain([&text.len()]))
        .filter_map(|(start, end)| text.get(*start..*end))
        .collect();
    // The widest one from the middle on, as beginnings are often the same.
    let middle = sentences.len() / 2;
    let chosen =
        sentences.iter().enumerate().skip(middle).find(|(_, sentence)| width(sentence.trim()) >= PASSAGE);
    let (passage, rest) = match chosen {
        Some((at, sentence)) if sentences.len() > 1 => {
            let others = sentences.iter().enumerate().filter(|(other, _)| *other != at);
            (*sentence, others.map(|(_, sentence)| *sentence).collect::<String>())
        }
        // One long sentence, or lines without an end.
        _ => {
            let half = text.floor_char_boundary(text.len() / 2);
            let (rest, passage) = text.split_at_checked(half)?;
            (passage, rest.to_owned())
        }
    };
    let (passage, rest) = (beginning(passage.trim()), beginning(rest.trim()));
    (width(&passage) >= LEAST && width(&rest) >= LEAST).then_some((passage, rest))
}

fn beginning(text: &str) -> String {
    if width(text) <= WIDEST {
        return text.to_owned();
    }
    text.get(..crate::sentence::cut_before(text, WIDEST)).unwrap_or_default().to_owned()
}

/// One over the rank of the right one; equal scores share the middle of their ranks.
fn reciprocal(right: usize, scores: impl Iterator<Item = f64>) -> f64 {
    let scores: Vec<f64> = scores.collect();
    let Some(own) = scores.get(right).copied() else { return 0.0 };
    let better = scores.iter().filter(|score| **score > own).count();
    let equal = scores.iter().filter(|score| **score >= own).count() - better;
    let mut gains = vec![0.0; better + equal / 2];
    gains.push(1.0);
    reciprocal_rank(&gains)
}

/// How BM25 does on the same: as the index of words has it, over the rests alone.
fn by_words(passages: &[&str], rests: &[&str]) -> Vec<f64> {
    let counts: Vec<HashMap<String, f64>> = rests.iter().map(|rest| counted(rest)).collect();
    let mut with: HashMap<&str, f64> = HashMap::new();
    for term in counts.iter().flat_map(HashMap::keys) {
        *with.entry(term).or_default() += 1.0;
    }
    let lengths: Vec<f64> = counts.iter().map(|counts| counts.values().sum()).collect();
    let average = mean(&lengths).unwrap_or(1.0).max(1.0);
    let all: f64 = counts.iter().map(|_| 1.0).sum();
    passages
        .iter()
        .enumerate()
        .map(|(at, passage)| {
            let terms: Vec<(String, f64)> = counted(passage).into_iter().collect();
            let scores = counts.iter().zip(&lengths).map(|(counts, length)| {
                let of = |(term, weight): &(String, f64)| {
                    let count = counts.get(term)?;
                    let with = with.get(term.as_str())?;
                    let idf = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
                    Some(weight * idf * count * 2.5 / (count + 1.5 * (0.25 + 0.75 * length / average)))
                };
                terms.iter().filter_map(of).sum::<f64>()
            });
            reciprocal(at, scores)
        })
        .collect()
}

fn counted(text: &str) -> HashMap<String, f64> {
    let mut counts = HashMap::new();
    for token in analyze(text) {
        *counts.entry(token.text).or_default() += 1.0;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parted() {
        let check = |text: &str, expect: Option<(&str, &str)>| {
            let found = parted(text);
            let found = found.as_ref().map(|(passage, rest)| (passage.as_str(), rest.as_str()));
            assert_eq!(found, expect, "{text}");
        };
        check(
            "The first sentence says what the matter is. The second sentence tells a good deal more of it. The end.",
            Some((
                "The second sentence tells a good deal more of it.",
                "The first sentence says what the matter is. The end.",
            )),
        );
        check("Too short.", None);
        let (passage, rest) = parted(&"단어 ".repeat(100)).unwrap();
        assert!(width(&passage) > 200 && width(&rest) > 200);
    }

    #[test]
    fn ranks_are_reciprocal_and_equals_share() {
        let check = |right: usize, scores: &[f64], expect: f64| {
            assert!((reciprocal(right, scores.iter().copied()) - expect).abs() < 1e-9, "{scores:?}");
        };
        check(0, &[3.0, 1.0, 2.0], 1.0);
        check(1, &[3.0, 1.0, 2.0], 1.0 / 3.0);
        check(0, &[0.0, 0.0, 0.0, 0.0, 0.0], 1.0 / 3.0);
    }

    #[test]
    fn words_find_the_rest_of_a_text() {
        let passages = ["the forklift is inspected daily", "parcels are weighed at the gate"];
        let rests =
            ["a forklift that failed inspection stands still", "a parcel is weighed and its weight noted"];
        assert_eq!(by_words(&passages, &rests), [1.0, 1.0]);
    }

    #[test]
    fn trust_follows_what_is_found() {
        for (dense, words, expect) in [(0.9, 0.9, 1.0), (0.1, 0.9, 0.0), (0.625, 1.0, 0.5), (0.0, 0.0, 1.0)] {
            assert!((trust(dense, words) - expect).abs() < 1e-9, "{dense} {words}");
        }
        let trial = Trial { probes: 10, dense: 0.5, words: 0.5, trust: 1.0, chunks: 100 };
        assert!(trial.still_holds(120) && !trial.still_holds(140) && !trial.still_holds(10));
    }

    #[test]
    fn each_script_is_tried() {
        let script = |at: u64| match at {
            0..10 => Some(Script::Hangul),
            10..14 => Some(Script::Greek),
            14 => None,
            _ => Some(Script::Latin),
        };
        let count = |seen: u64| {
            let seen: Vec<_> = (0..seen).map(|at| (at, script(at))).collect();
            let chosen = chosen(&seen);
            let distinct: HashSet<u64> = chosen.iter().copied().collect();
            assert_eq!(distinct.len(), chosen.len(), "each once");
            let of = |wanted| chosen.iter().filter(|at| script(**at) == Some(wanted)).count();
            (of(Script::Latin), of(Script::Hangul), of(Script::Greek))
        };
        // Of many, all that are in a rare script; of too few, those that chance gives.
        assert_eq!(count(4000), (127, 10, 0));
        assert_eq!(count(100), (85, 10, 4));
        assert_eq!(count(0), (0, 0, 0));
    }

    #[test]
    fn a_question_goes_by_its_script() {
        let trial =
            |dense: f64| Trial { probes: 64, dense, words: 1.0, trust: trust(dense, 1.0), chunks: 100 };
        let scripts = [(Script::Latin, trial(0.9)), (Script::Hangul, trial(0.1))].into();
        let trials = Trials { whole: trial(0.6), scripts: Some(scripts) };
        let check = |question: &str, expect: f64| {
            assert!((trials.of(question).dense - expect).abs() < 1e-9, "{question}");
        };
        check("where is the parcel", 0.9);
        check("소포는 어디에 있나요", 0.1);
        check("где посылка", 0.6);
        check("42", 0.6);
        let text = serde_json::to_string(&trials).unwrap();
        assert_eq!(serde_json::from_str::<Trials>(&text).unwrap(), trials);
        // As it was kept before scripts were told apart: it serves until it is held again.
        let former = serde_json::from_str::<Trials>(&serde_json::to_string(&trial(0.5)).unwrap()).unwrap();
        assert_eq!(former, Trials { whole: trial(0.5), scripts: None });
        assert!(trials.still_holds(110) && !former.still_holds(100));
    }
}
