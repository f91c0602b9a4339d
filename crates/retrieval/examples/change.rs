//! What a change of 1 % of a collection's documents costs, in processor time of the whole process, against taking in all
//! of them: by words, and with vectors of an embedder that costs nothing (so that what is left is all but the model).
//!
//! `cargo run --release -p hanok-retrieval --example change -- CORPUS.jsonl [DOCUMENTS [TIMES]]`; each line of the corpus has a
//! `text` and may have a `title`. Documents are Markdown files, the lines of the corpus one after the other; the change is
//! made so many times, and its median told.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "its output is its product"
)]

use hanok_base::{CollectionName, Embedder, embedder_fn};
use hanok_retrieval::{Cancel, Equipment, Library};
use hanok_store::{Options, Store};
use rustix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::sync::Arc;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let corpus = arguments.next().expect("a corpus: lines of JSON, each with a text");
    let mut number = |otherwise| arguments.next().map_or(otherwise, |number| number.parse().unwrap());
    let (count, times): (usize, usize) = (number(5_000), number(9));
    let texts: Vec<String> = std::fs::read_to_string(corpus)
        .unwrap()
        .lines()
        .map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            format!(
                "# {}\n\n{}\n",
                entry["title"].as_str().unwrap_or_default(),
                entry["text"].as_str().unwrap()
            )
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let docs = folder.path().join("docs");
    std::fs::create_dir(&docs).unwrap();
    for at in 0..count {
        std::fs::write(docs.join(format!("d{at}.md")), &texts[at % texts.len()]).unwrap();
    }
    for legs in ["words", "words and vectors"] {
        let data = folder.path().join(legs);
        let store = Store::open(&data, Options::default()).unwrap();
        let library = Library::open(store, &data).await.unwrap();
        if legs != "words" {
            let equipment = Equipment { embedder: Some(Arc::new(letters())), ..Equipment::default() };
            library.equip(None, equipment).await.unwrap();
        }
        let whole = run(&library, &docs).await;
        let idle = run(&library, &docs).await;
        let mut changed = Vec::new();
        for time in 0..times {
            for at in (time % 100..count).step_by(100) {
                let text = format!("{}\nChanged for {legs}, {time}.\n", texts[at % texts.len()]);
                std::fs::write(docs.join(format!("d{at}.md")), text).unwrap();
            }
            changed.push(run(&library, &docs).await);
        }
        let changed = hanok_stats::percentile(&changed, 50.0).unwrap();
        println!(
            "{count} documents, {legs}: all {whole:.3} s; 1 % {changed:.3} s, {:.2} % of it; nothing {idle:.3} s",
            changed / whole * 100.0
        );
    }
}

/// Seconds of processor time until the collection is as its files are.
async fn run(library: &Library, docs: &Path) -> f64 {
    let name = CollectionName::from("docs");
    let begun = processor();
    library.sync(&name, &[docs.to_owned()], &(), &Cancel::default()).await.unwrap();
    library.embed(None, &name, &|_| {}, &Cancel::default()).await.unwrap();
    processor() - begun
}

fn processor() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    std::time::Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap()).as_secs_f64()
}

/// Vectors of how often each letter stands in a text.
fn letters() -> impl Embedder {
    embedder_fn("letters", 384, |text| {
        let mut vector = vec![0.01_f32; 384];
        for pair in text.as_bytes().windows(2) {
            vector[(usize::from(pair[0]) * 31 + usize::from(pair[1])) % 384] += 1.0;
        }
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.iter().map(|value| value / length).collect()
    })
}
