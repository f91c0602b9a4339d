//! Documents cut by meaning: with the embedder of their collection, by words without one, and never in two ways.

use crate::house::{House, docs};
use hanok_base::{BoxFuture, CallContext, EmbedKind, Embedder, ProviderError, ProviderErrorKind};
use hanok_retrieval::{Chunker, Chunking, Comparison, Equipment, Settings};
use hanok_store::documents::Source;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Says that a text's subject changes at sentence `at`; counts what it is asked, and fails when told to.
struct Turning {
    id: &'static str,
    at: usize,
    fails: AtomicBool,
    calls: AtomicUsize,
    most: AtomicUsize,
}

impl Turning {
    fn new(id: &'static str, at: usize) -> Arc<Self> {
        let (fails, calls, most) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { id, at, fails, calls, most })
    }
}

impl Embedder for Turning {
    fn id(&self) -> &str {
        self.id
    }
    fn dimensions(&self) -> Option<usize> {
        Some(2)
    }
    fn embed<'a>(
        &'a self,
        _: &'a CallContext,
        texts: &'a [&'a str],
        _: EmbedKind,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, ProviderError>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.most.fetch_max(texts.len(), Ordering::Relaxed);
        Box::pin(async move {
            if self.fails.load(Ordering::Relaxed) {
                let provider = "test".into();
                return Err(ProviderError::new(ProviderErrorKind::Overloaded, &provider, "not now"));
            }
            let number =
                |text: &str| text.split(' ').find_map(|word| word.parse::<usize>().ok()).unwrap_or(0);
            let vector = |text: &&str| if number(text) < self.at { vec![1.0, 0.0] } else { vec![0.0, 1.0] };
            Ok(texts.iter().map(vector).collect())
        })
    }
}

fn text(sentences: usize) -> String {
    let said: Vec<String> =
        (0..sentences).map(|at| format!("The heron number {at} waits by the river. ")).collect();
    said.concat()
}

async fn equip(house: &House, embedder: Option<Arc<Turning>>) {
    let embedder = embedder.map(|embedder| embedder as Arc<dyn Embedder>);
    let equipment = Equipment { embedder, ..Equipment::default() };
    house.library.equip(Some(&docs()), equipment).await.unwrap();
}

async fn house(files: &[(&str, usize)]) -> House {
    let house = House::new().await;
    for (name, sentences) in files {
        house.write(name, text(*sentences));
    }
    let chunking = Chunking { by: Chunker::Semantic, size: 100, overlap: Some(0), ..Chunking::default() };
    house.library.configure(&docs(), Settings { chunking, ..Settings::default() }).await.unwrap();
    house
}

/// How many sentences the first chunk of a document has, and what they were compared by.
async fn first(house: &House, name: &str) -> (usize, Comparison) {
    let all = house.library.sources(&docs(), None, 100).await.unwrap();
    let one = all.iter().find(|source| source.path.ends_with(name)).unwrap();
    let Source { summary, text } = house.library.source(one.id).await.unwrap().unwrap();
    let chunks = house.library.chunks_of(one.id).await.unwrap();
    let first = &text[chunks[0].start..chunks[0].end];
    (first.matches("heron").count(), house.library.comparison(&summary).unwrap())
}

fn vectors(id: &str) -> Comparison {
    Comparison::Vectors(id.to_owned())
}

#[tokio::test]
async fn the_embedder_of_the_collection_says_where_the_subject_changes() {
    let house = house(&[("a.txt", 8), ("one.txt", 1)]).await;
    house.sync().await;
    assert_eq!(first(&house, "a.txt").await, (8, Comparison::Words), "the words are all alike");

    let (one, two) = (Turning::new("one", 5), Turning::new("two", 3));
    equip(&house, Some(one.clone())).await;
    assert_eq!(first(&house, "a.txt").await, (8, Comparison::Words), "till the next run all is as it was");
    assert_eq!(house.sync().await.recut, 2);
    assert_eq!(first(&house, "a.txt").await, (5, vectors("one")));
    assert_eq!(first(&house, "one.txt").await, (1, vectors("one")));
    assert_eq!(
        one.calls.load(Ordering::Relaxed),
        1,
        "a document's sentences go together, a single one not at all"
    );
    assert_eq!(house.sync().await.recut, 0);

    equip(&house, Some(two.clone())).await;
    assert_eq!(first(&house, "a.txt").await.1, Comparison::Former);
    house.write("b.txt", text(8));
    let report = house.sync().await;
    assert_eq!((report.added, report.recut, report.read), (1, 2, 1), "the old ones are cut again, unread");
    for name in ["a.txt", "b.txt"] {
        assert_eq!(first(&house, name).await, (3, vectors("two")), "no chunks of two kinds");
    }
    equip(&house, None).await;
    assert_eq!(house.sync().await.recut, 3);
    assert_eq!(first(&house, "a.txt").await, (8, Comparison::Words));
}

#[tokio::test]
async fn an_embedder_that_fails_is_asked_again_by_the_next_run() {
    let house = house(&[("a.txt", 8), ("b.txt", 8), ("c.txt", 8)]).await;
    let one = Turning::new("one", 5);
    one.fails.store(true, Ordering::Relaxed);
    equip(&house, Some(one.clone())).await;
    assert_eq!(house.sync().await.added, 3);
    let asked = one.calls.load(Ordering::Relaxed);
    assert!(asked <= 3, "{asked} calls of an embedder that is down");
    assert_eq!(first(&house, "a.txt").await, (8, Comparison::Words));
    assert_eq!(house.sync().await.recut, 0, "words cut no other way than before");
    one.fails.store(false, Ordering::Relaxed);
    assert_eq!(house.sync().await.recut, 3);
    for name in ["a.txt", "b.txt", "c.txt"] {
        assert_eq!(first(&house, name).await, (5, vectors("one")));
    }
}

#[tokio::test]
async fn the_cost_of_a_document_has_a_bound() {
    let house = house(&[("long.txt", 2100), ("fits.txt", 2000)]).await;
    let one = Turning::new("one", 5);
    equip(&house, Some(one.clone())).await;
    house.sync().await;
    assert_eq!(first(&house, "long.txt").await.1, Comparison::Words);
    assert_eq!(first(&house, "fits.txt").await.1, vectors("one"));
    assert_eq!(one.calls.load(Ordering::Relaxed), 2000_usize.div_ceil(32));
    assert_eq!(one.most.load(Ordering::Relaxed), 32);
    assert_eq!(house.sync().await.recut, 0, "what is too long stays so");
}
