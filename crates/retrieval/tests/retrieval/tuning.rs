//! Changes to a collection are adopted where held-out questions prove them, and nowhere else.

use crate::house::{House, docs};
use hanok_base::{BoxFuture, CallContext, EmbedKind, Embedder, ProviderError, ProviderErrorKind, Reranker};
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
    // A cut by meaning is dear: it is named with what has it tried.
    let [left] = report.left_out.as_slice() else { panic!("{report:?}") };
    assert!(left.change.contains("semantic") && left.reason.contains("--try"), "{left:?}");
    let trials = 3 * 128;
    assert!(
        *embedder.0.lock() - given <= trials,
        "{} texts, beside those of trials",
        *embedder.0.lock() - given
    );
}

/// Two things told of one after the other in each document: a cut between them tells them apart.
#[tokio::test]
async fn a_cut_by_meaning_is_tried_where_it_is_asked_for() {
    let house = House::new().await;
    for at in 0..40 {
        let one = format!("The gadget{at} hums and the gadget{at} shines. ").repeat(4);
        let other = format!("Bread{at} is baked, bread{at} is eaten. ").repeat(4);
        house.write(&format!("d{at}.txt"), format!("{one}{other}"));
    }
    house.sync().await;
    let (report, _) = tuned(&house, &[Kind::Semantic]).await;
    assert!(report.tried.is_empty(), "{report:?}");
    assert!(report.left_out[0].reason.contains("has none"), "{report:?}");

    let embedder = Arc::new(Gadgets(Mutex::default()));
    let equipment = Equipment { embedder: Some(embedder.clone()), ..Equipment::default() };
    house.library.equip(Some(&docs()), equipment).await.unwrap();
    house.library.embed(None, &docs(), &|_| {}, &Cancel::default()).await.unwrap();
    let given = *embedder.0.lock();
    let (report, told) = tuned(&house, &[Kind::Semantic]).await;
    let [tried] = report.tried.as_slice() else { panic!("{report:?}") };
    assert!(tried.change.contains("by = \"semantic\"") && report.left_out.is_empty(), "{report:?}");
    assert!(told.iter().any(|told| told.starts_with("cutting by semantic")), "{told:?}");
    // Sentences were compared by the embedder, not by their words: eight to a document.
    assert!(*embedder.0.lock() - given >= 40 * 8, "{}", *embedder.0.lock() - given);
    let (report, _) = tuned(&house, &[Kind::Fusion]).await;
    assert!(report.left_out.is_empty(), "cuts were not asked for: {report:?}");
}

/// Fails, whatever it is asked.
struct Broken;

impl Reranker for Broken {
    fn id(&self) -> &'static str {
        "broken"
    }
    fn rerank<'a>(
        &'a self,
        _: &'a CallContext,
        _: &'a str,
        _: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Vec<f32>, ProviderError>> {
        Box::pin(async {
            Err(ProviderError::new(ProviderErrorKind::Overloaded, &"p".into(), "out of order"))
        })
    }
}

#[tokio::test]
async fn a_reranker_that_fails_is_not_taken_for_a_useless_one() {
    let house = House::new().await;
    write(&house);
    house.sync().await;
    let questions = questions(&house).await;
    let broken = Some(("broken".to_owned(), Arc::new(Broken) as Arc<dyn Reranker>));
    let report = tune(&house.library, &docs(), &questions, broken, &[Kind::Rerank], &|_| {}).await.unwrap();
    let said = report.left_out.iter().find(|out| out.change == "rerank").unwrap();
    assert!(said.reason.contains("out of order"), "{said:?}");
    assert!(report.adopted.is_empty(), "{report:?}");
}

#[tokio::test]
async fn documents_that_are_not_there_are_told_of() {
    let house = House::new().await;
    house.write("a.txt", "The anchor.");
    house.sync().await;
    let known = house.library.sources(&docs(), None, 1).await.unwrap()[0].path.clone();
    let check = async |relevant: Vec<String>, fails: bool, says: &str| {
        let told = Mutex::new(String::new());
        let tell = |what: &str| told.lock().push_str(what);
        let questions = [Question { query: "the anchor".into(), relevant }];
        match tune(&house.library, &docs(), &questions, None, &[Kind::Fusion], &tell).await {
            Ok(_) => assert!(!fails && told.lock().contains(says), "{told:?}"),
            Err(error) => assert!(fails && error.to_string().contains(says), "{error}"),
        }
    };
    check(vec![known.clone()], false, "").await;
    check(vec![known, "wrong.txt".into()], false, "1 of the 2 documents").await;
    check(vec!["wrong.txt".into()], true, "such as wrong.txt").await;
}
