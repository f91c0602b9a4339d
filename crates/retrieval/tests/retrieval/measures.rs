//! The search and the decision "nothing found" on public collections, where they are at hand.

use crate::house::House;
use hanok_retrieval::{Equipment, evaluate};
use serde_json::Value;
use std::path::PathBuf;

/// The folder of a collection, unless this machine has none.
fn collection(name: &str) -> Option<PathBuf> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/retrieval").join(name);
    if !dir.exists() {
        println!("skipped: there is no {}", dir.display());
        return None;
    }
    Some(dir)
}

fn lines(dir: &std::path::Path, file: &str) -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(dir.join(file)).unwrap();
    let field = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|value| (field(&value, "_id"), field(&value, "title"), field(&value, "text")))
        .collect()
}

#[tokio::test]
async fn the_ranking_is_that_of_a_strong_bm25() {
    for (name, bar) in [("cranfield", 0.382), ("ko-autorag", 0.920)] {
        let Some(dir) = collection(name) else { return };
        let report = evaluate(&dir, Equipment::default(), &|_| {}).await.unwrap();
        println!("{name}: {}", serde_json::to_string(&report).unwrap());
        assert!(report.ndcg_at_10 > bar - 0.01, "{name}: {report:?}");
    }
}

/// How many of the questions find something in the documents.
async fn found(documents: &[(String, String, String)], questions: &[&str]) -> usize {
    let house = House::new().await;
    for (at, (_, title, text)) in documents.iter().enumerate() {
        house.write(
            &format!("d{at}.txt"),
            if title.is_empty() { text.clone() } else { format!("{title}\n\n{text}") },
        );
    }
    house.sync().await;
    let mut count = 0;
    for question in questions {
        let response = house.extract(question).await.unwrap();
        count += usize::from(response.extra["hanok"]["found"].as_bool().unwrap());
    }
    count
}

#[tokio::test]
async fn questions_find_their_own_documents_and_no_others() {
    let Some(korean) = collection("ko-autorag") else {
        return;
    };
    let Some(cranfield) = collection("cranfield") else {
        return;
    };
    let documents = lines(&korean, "corpus.jsonl");
    let queries = lines(&korean, "queries.jsonl");
    let questions: Vec<&str> = queries.iter().map(|(_, _, text)| text.as_str()).collect();
    let own = found(&documents, &questions).await;
    let mut elsewhere = 0;
    let mut asked = 0;
    for domain in ["finance", "commerce", "public", "law"] {
        let others: Vec<_> = documents.iter().filter(|(id, ..)| !id.starts_with(domain)).cloned().collect();
        let theirs: Vec<&str> = queries
            .iter()
            .filter(|(id, ..)| id.ends_with(domain))
            .map(|(_, _, text)| text.as_str())
            .collect();
        asked += theirs.len();
        elsewhere += found(&others, &theirs).await;
    }
    let english = found(&lines(&cranfield, "corpus.jsonl"), &questions).await;
    println!(
        "Korean questions: {own} of {} found in their documents, {elsewhere} of {asked} in those of the other \
         domains, {english} in English ones",
        questions.len()
    );
    assert!(own >= 95 && elsewhere <= 5 && english == 0);
}
