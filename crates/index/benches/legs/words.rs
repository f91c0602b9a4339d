//! The index of words over a folder in BEIR's format.

use crate::measure::{Watch, memory, quantile};
use hanok_index::SearchIndex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Rounds over all queries; of each query the quickest counts beside all of them.
const ROUNDS: usize = 30;

pub(crate) fn run(folder: &Path, copies: u64) {
    let texts = lines(&folder.join("corpus.jsonl"));
    let folder_of = tempfile::tempdir().expect("a folder for the index");
    let index = SearchIndex::open(folder_of.path());
    let watch = Watch::start();
    let mut writer = index.writer().expect("a writer");
    let mut key = 0;
    for _ in 0..copies {
        for (_, title, text) in &texts {
            writer.add(key, key, &[title, text]).expect("a text is added");
            key += 1;
        }
    }
    writer.commit("1").expect("a commit");
    let (wall, processor) = (watch.wall(), watch.processor());
    writer.finish().expect("merges end");
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let count = key as f64;
    println!(
        "{}",
        json!({
            "measure": "words.index", "texts": key, "seconds": wall, "texts_per_s": count / wall,
            "processor_s": processor, "texts_per_processor_s": count / processor,
            "finished_s": watch.wall(), "finished_processor_s": watch.processor(),
            "bytes": size(folder_of.path()), "peak_mb": memory().1,
        })
    );
    queries(folder, &texts);
}

fn queries(folder: &Path, texts: &[(String, String, String)]) {
    let folder_of = tempfile::tempdir().expect("a folder for the index");
    let index = SearchIndex::open(folder_of.path());
    let mut writer = index.writer().expect("a writer");
    for (key, (_, title, text)) in (0..).zip(texts) {
        writer.add(key, key, &[title, text]).expect("a text is added");
    }
    writer.commit("1").expect("a commit");
    writer.finish().expect("merges end");
    let judged = judgements(&folder.join("qrels.tsv"));
    let queries: Vec<(String, String)> = lines(&folder.join("queries.jsonl"))
        .into_iter()
        .filter(|(id, ..)| judged.contains_key(id))
        .map(|(id, _, text)| (id, text))
        .collect();
    let (mut gains, mut all) = (Vec::new(), Vec::new());
    let mut quickest = vec![Duration::MAX; queries.len()];
    for round in 0..=ROUNDS {
        for ((id, text), quickest) in queries.iter().zip(&mut quickest) {
            let begin = Instant::now();
            let terms = index.terms_of(text).expect("terms");
            let found = index.search(&terms, 10).expect("a search");
            let took = begin.elapsed();
            if round == 0 {
                let ids = found.iter().filter_map(|found| texts.get(usize::try_from(found.key).ok()?));
                gains.push(gain(ids.map(|(id, ..)| id.as_str()), judged.get(id)));
            } else {
                all.push(took);
                *quickest = took.min(*quickest);
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let ndcg = gains.iter().sum::<f64>() / gains.len().max(1) as f64;
    println!(
        "{}",
        json!({
            "measure": "words.query", "texts": texts.len(), "queries": queries.len(), "ndcg_at_10": ndcg,
            "p50_ms": quantile(&mut all, 0.5), "p99_ms": quantile(&mut all, 0.99),
            "quickest_p50_ms": quantile(&mut quickest, 0.5), "quickest_p99_ms": quantile(&mut quickest, 0.99),
        })
    );
}

type Judgements = HashMap<String, HashMap<String, f64>>;

fn judgements(path: &Path) -> Judgements {
    let mut judged = Judgements::new();
    for line in std::fs::read_to_string(path).expect("judgements").lines().skip(1) {
        let mut fields = line.split('\t');
        if let (Some(query), Some(text), Some(Ok(grade))) =
            (fields.next(), fields.next(), fields.next().map(str::parse))
        {
            judged.entry(query.to_owned()).or_default().insert(text.to_owned(), grade);
        }
    }
    judged
}

/// nDCG at 10.
fn gain<'a>(ids: impl Iterator<Item = &'a str>, judged: Option<&HashMap<String, f64>>) -> f64 {
    let Some(judged) = judged else { return 0.0 };
    let discounted = |grades: &mut dyn Iterator<Item = f64>| -> f64 {
        (2..12_u32).zip(grades).map(|(rank, grade)| grade / f64::from(rank).log2()).sum()
    };
    let mut ideal: Vec<f64> = judged.values().copied().collect();
    ideal.sort_by(|a, b| b.total_cmp(a));
    let got = discounted(&mut ids.map(|id| judged.get(id).copied().unwrap_or_default()));
    got / discounted(&mut ideal.into_iter()).max(f64::MIN_POSITIVE)
}

fn lines(path: &Path) -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(path).expect("a file of JSON lines");
    let field =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"))
        .map(|value| (field(&value, "_id"), field(&value, "title"), field(&value, "text")))
        .collect()
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("the index's folder");
    entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum()
}
