//! Changes to a collection are adopted where held-out questions prove them, and nowhere else.

use crate::house::{House, docs};
use hanok_base::{BoxFuture, CallContext, EmbedKind, Embedder, ProviderError};
use hanok_retrieval::{
    Cancel, Chunker, Chunking, Equipment, Fusion, Kind, Member, Question, Settings, TuneReport, tune,
};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

const COUNT: usize = 160;

/// Documents of which each is about one thing, told after much that all of them tell: a chunk of the whole is like any
/// other, a small one is about its thing.
fn write(house: &House) {
    for at in 0..COUNT {
        let same = "People meet at the gate and speak about the weather of the day. ".repeat(60);
        // The thing of the next one is named, too, but not told of.
        let next = (at + 1) % COUNT;
        house.write(
            &format!("d{at}.txt"),
            format!("See also gadget{next}, gadget{next} and gadget{next}. {same} The gadget{at} is painted bright blue."),
        );
    }
}

async fn questions(house: &House) -> Vec<Question> {
    let all = house.library.sources(&docs(), None, 1_000).await.unwrap();
    let number = |path: &str| -> String {
        path.rsplit('/').next().unwrap().chars().filter(char::is_ascii_digit).collect()
    };
    let asked = |path: &String| Question {
        query: format!("is the gadget{} painted bright blue", number(path)),
        relevant: vec![path.clone()],
    };
    all.iter().map(|source| asked(&source.path)).collect()
}

async fn tuned(house: &House, kinds: &[Kind]) -> (TuneReport, Vec<String>) {
    let told = Mutex::new(Vec::new());
    let tell = |what: &str| told.lock().push(what.to_owned());
    let questions = questions(house).await;
    let report = tune(&house.library, &docs(), &questions, None, kinds, &tell).await.unwrap();
    (report, told.into_inner())
}

#[tokio::test]
async fn a_cut_that_helps_is_proved_on_a_copy() {
    let house = House::new().await;
    write(&house);
    let large = Chunking { by: Chunker::Tokens, size: 4_000, ..Chunking::default() };
    house
        .library
        .configure(&docs(), Settings { chunking: large.clone(), ..Settings::default() })
        .await
        .unwrap();
    house.sync().await;
    let before = house.store.documents().collections().await.unwrap();
    let (report, told) = tuned(&house, &Kind::ALL).await;
    assert_eq!(report.train + report.held_out, COUNT);
    let adopted: HashMap<&str, &str> =
        report.adopted.iter().map(|member| (member.name, member.value.as_str())).collect();
    assert_eq!(adopted.len(), 1, "{report:?}");
    assert!(adopted["chunking"].contains("size = "), "{report:?}");
    assert!(!adopted["chunking"].contains("4000") || adopted["chunking"].contains("sentence"), "{report:?}");
    let proved = report.tried.iter().find(|tried| tried.adopted).unwrap();
    assert!(proved.train > report.before && proved.p_value.unwrap() < 0.05, "{report:?}");
    assert!(report.tried.iter().all(|tried| !tried.reason.is_empty()), "{report:?}");
    assert!(report.tried.len() > 5 && told.len() > 5, "{report:?} {told:?}");
    // What serves is as it was.
    assert_eq!(house.store.documents().collections().await.unwrap(), before);
    assert_eq!(house.library.settings(&docs()).unwrap().chunking, large);
}

/// Puts texts about one gadget near each other; counts what it is given.
struct Gadgets(Mutex<usize>);

impl Embedder for Gadgets {
    fn id(&self) -> &'static str {
        "gadgets"
    }
    fn dimensions(&self) -> Option<usize> {
        Some(64)
    }
    fn embed<'a>(
        &'a self,
        _: &'a CallContext,
        texts: &'a [&'a str],
        kind: EmbedKind,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, ProviderError>> {
        if kind == EmbedKind::Document {
            *self.0.lock() += texts.len();
        }
        let vector = |text: &&str| {
            let mut vector = vec![0.01_f32; 64];
            for word in text.split_whitespace() {
                vector[usize::from(blake3::hash(word.as_bytes()).as_bytes()[0]) % 64] += 1.0;
            }
            let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            vector.iter().map(|value| value / length).collect()
        };
        let vectors = texts.iter().map(vector).collect();
        Box::pin(async move { Ok(vectors) })
    }
}

#[tokio::test]
async fn nothing_is_adopted_without_proof() {
    let house = House::new().await;
    for at in 0..80 {
        house.write(
            &format!("d{at}.txt"),
            format!("The gadget{at} model{at} is kept in the hall. It is blue."),
        );
    }
    house.sync().await;
    let embedder = Arc::new(Gadgets(Mutex::default()));
    let equipment = Equipment { embedder: Some(embedder.clone()), ..Equipment::default() };
    house.library.equip(Some(&docs()), equipment).await.unwrap();
    house.library.embed(None, &docs(), &|_| {}, &Cancel::default()).await.unwrap();
    let (report, _) = tuned(&house, &[Kind::Fusion, Kind::Legs]).await;
    assert!(report.before > 0.9, "{report:?}");
    assert_eq!(report.adopted, Vec::<Member>::new(), "{report:?}");
    assert!(report.tried.iter().all(|tried| !tried.adopted && !tried.reason.is_empty()), "{report:?}");
    assert!(report.tried.iter().any(|tried| tried.change.starts_with("legs")), "{report:?}");
    assert_eq!(house.library.equipment(&docs()).fusion, Fusion::default(), "as it was");

    // Every one of these texts is one chunk, however it is cut: none is embedded again.
    let given = *embedder.0.lock();
    let (report, _) = tuned(&house, &[Kind::Chunker]).await;
    assert_eq!(report.tried.len(), 3, "{report:?}");
    let trials = 3 * 128;
    assert!(
        *embedder.0.lock() - given <= trials,
        "{} texts, beside those of trials",
        *embedder.0.lock() - given
    );
}
