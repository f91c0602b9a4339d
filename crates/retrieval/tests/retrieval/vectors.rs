//! The dense leg over a real store and index, with embedders whose every vector is known.

use crate::house::{House, attribute, docs, recorded};
use crate::scripted::Scripted;
use hanok_base::{
    BoxFuture, CallContext, EmbedKind, Embedder, FinishedTrace, Legs, Operation, Place, ProviderError,
    ProviderErrorKind, Readers, Recorder, Reranker, RetrievalError, Retriever as _, SearchQuery, Span,
    SpanStatus, StoreUnavailable,
};
use hanok_retrieval::{Cancel, Equipment, Library, ProviderEmbedder, Readiness, Serving};
use hanok_store::{Options, Store};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;

/// Puts texts that share words near each other, or all in one place; remembers what it was given.
struct Words {
    id: &'static str,
    blind: bool,
    given: Mutex<Vec<String>>,
}

impl Words {
    fn new(id: &'static str, blind: bool) -> Arc<Self> {
        Arc::new(Self { id, blind, given: Mutex::default() })
    }
    fn vector(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![if self.blind { 100.0 } else { 0.01 }; 64];
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let hash = blake3::hash(word.to_lowercase().as_bytes());
            let at = usize::from(hash.as_bytes()[0]) % 64;
            vector[at] += 1.0;
        }
        if self.blind {
            // What little it says is of the text's length, not of its words.
            vector[text.len() % 64] += 60.0;
        }
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.iter().map(|value| value / length).collect()
    }
}

impl Embedder for Words {
    fn id(&self) -> &str {
        self.id
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
            self.given.lock().extend(texts.iter().map(|text| (*text).to_owned()));
        }
        Box::pin(async move { Ok(texts.iter().map(|text| self.vector(text)).collect()) })
    }
}

fn data(house: &House) -> PathBuf {
    house.folder.path().join("data")
}

/// Documents about different things, each of two sentences that share words.
fn write(house: &House, count: usize) {
    for at in 0..count {
        let (thing, place) = (format!("gadget{at} model{at} series{at}"), format!("warehouse{at} gate{at}"));
        let text = format!(
            "The {thing} is kept in {place} where people look after it. Every morning the {thing} leaves {place} on a cart."
        );
        house.write(&format!("d{at}.txt"), text);
    }
}

async fn equip(library: &Library, embedder: Arc<Words>) {
    let embedder_from = Some(format!("from {}", embedder.id));
    let embedder: Arc<dyn Embedder> = embedder;
    library
        .equip(Some(&docs()), Equipment { embedder: Some(embedder), embedder_from, ..Equipment::default() })
        .await
        .unwrap();
}

async fn embed(library: &Library) {
    library.embed(None, &docs(), &|_| {}, &Cancel::default()).await.unwrap();
}

async fn search(library: &Library, text: &str) -> hanok_base::SearchResult {
    library.search(&CallContext::unrecorded(), &SearchQuery::new(text, docs(), 5)).await.unwrap()
}

fn legs_of(hit: &hanok_base::Hit) -> Vec<&str> {
    hit.about.votes.iter().map(|vote| vote.leg.as_str()).collect()
}

#[tokio::test]
async fn vectors_follow_the_documents_and_no_text_is_embedded_twice() {
    let house = House::new().await;
    write(&house, 40);
    house.sync().await;
    let embedder = Words::new("words", false);
    equip(&house.library, embedder.clone()).await;
    let found = search(&house.library, "gadget7").await;
    assert_eq!(legs_of(&found.hits[0]), ["bm25"], "words are searchable before there are vectors");

    embed(&house.library).await;
    let embedded = house.library.embedded(&docs()).await.unwrap().unwrap();
    assert_eq!((embedded.embedded, embedded.chunks), (40, 40));
    let found = search(&house.library, "gadget7 warehouse7").await;
    assert!(found.hits[0].source.ends_with("d7.txt"), "{found:?}");
    assert!(legs_of(&found.hits[0]).contains(&"dense"), "{found:?}");
    assert!(found.hits[0].about.votes.iter().all(|vote| !vote.reason.is_empty()), "{found:?}");

    embedder.given.lock().clear();
    house.write("d7.txt", "The umbrella is new here and nobody knows it.");
    std::fs::remove_file(house.docs().join("d8.txt")).unwrap();
    house.sync().await;
    embed(&house.library).await;
    assert_eq!(embedder.given.lock().len(), 1, "one text is new");
    let embedded = house.library.embedded(&docs()).await.unwrap().unwrap();
    assert_eq!((embedded.embedded, embedded.chunks), (39, 39));
    let found = search(&house.library, "gadget8 model8 warehouse8").await;
    assert!(found.hits.iter().all(|hit| !hit.source.ends_with("d8.txt")), "{found:?}");

    embedder.given.lock().clear();
    embed(&house.library).await;
    assert!(embedder.given.lock().is_empty(), "nothing is new");
}

#[tokio::test]
async fn a_lost_index_is_filled_from_the_store_and_a_new_embedder_takes_over_when_it_is_done() {
    let house = House::new().await;
    write(&house, 30);
    house.sync().await;
    let embedder = Words::new("words", false);
    equip(&house.library, embedder.clone()).await;
    embed(&house.library).await;

    // Another process over the same folder, whose vector index is gone.
    std::fs::remove_dir_all(data(&house).join("index").join("vectors")).unwrap();
    let store = Store::open(&data(&house), Options { read_only: true, ..Options::default() }).unwrap();
    let other = Library::open(store, &data(&house)).await.unwrap();
    equip(&other, embedder.clone()).await;
    assert_eq!(legs_of(&search(&other, "gadget3").await.hits[0]), ["bm25"]);
    drop(other);
    embedder.given.lock().clear();
    embed(&house.library).await;
    assert!(embedder.given.lock().is_empty(), "vectors are kept in the store");
    assert!(legs_of(&search(&house.library, "gadget3").await.hits[0]).contains(&"dense"));

    let next = Words::new("words 2", false);
    equip(&house.library, next.clone()).await;
    assert!(
        legs_of(&search(&house.library, "gadget3").await.hits[0]).contains(&"dense"),
        "the old ones serve"
    );
    embed(&house.library).await;
    assert_eq!(next.given.lock().iter().filter(|text| text.contains("Every morning")).count() / 30, 1);
    assert!(legs_of(&search(&house.library, "gadget3").await.hits[0]).contains(&"dense"));
    let folders = std::fs::read_dir(data(&house).join("index").join("vectors")).unwrap().flatten();
    let of_collection: Vec<_> = folders.flat_map(|entry| std::fs::read_dir(entry.path()).unwrap()).collect();
    assert_eq!(of_collection.len(), 1, "the old ones are gone");
}

#[tokio::test]
async fn the_vectors_of_the_embedder_before_serve_after_a_restart_in_the_middle() {
    let house = House::new().await;
    write(&house, 30);
    house.sync().await;
    let (old, new) = (Words::new("words", false), Words::new("words 2", false));
    equip(&house.library, old.clone()).await;
    embed(&house.library).await;
    assert_eq!(house.library.former(&docs()).await.unwrap(), None);
    equip(&house.library, new.clone()).await;
    let stopped = Cancel::default();
    stopped.cancel();
    house.library.embed(None, &docs(), &|_| {}, &stopped).await.unwrap();

    let house = house.reopened().await;
    equip(&house.library, new.clone()).await;
    assert_eq!(legs_of(&search(&house.library, "gadget3").await.hits[0]), ["bm25"]);
    let former = house.library.former(&docs()).await.unwrap().expect("the one before is known");
    assert_eq!(former, Serving { id: "words".into(), from: "from words".into() });
    assert!(!house.library.serve(&docs(), new.clone()).await.unwrap(), "its vectors are not complete");
    assert!(house.library.serve(&docs(), old.clone()).await.unwrap());
    assert!(legs_of(&search(&house.library, "gadget3").await.hits[0]).contains(&"dense"));
    assert_eq!(house.library.former(&docs()).await.unwrap(), None, "one serves");

    embed(&house.library).await;
    assert!(legs_of(&search(&house.library, "gadget3").await.hits[0]).contains(&"dense"));
    let house = house.reopened().await;
    equip(&house.library, old).await;
    let former = house.library.former(&docs()).await.unwrap().expect("another one by now");
    assert_eq!(former.id, "words 2");

    // Where nothing that is wanted can be opened, what there is serves; not while it is being opened.
    let house = house.reopened().await;
    house.library.set_readiness(Some(&docs()), Readiness::Opening);
    assert_eq!(house.library.former(&docs()).await.unwrap(), None);
    house.library.set_readiness(Some(&docs()), Readiness::Failed("no weights".into()));
    assert_eq!(house.library.former(&docs()).await.unwrap(), Some(former));
    assert!(house.library.serve(&docs(), new).await.unwrap());
    assert!(legs_of(&search(&house.library, "gadget3").await.hits[0]).contains(&"dense"));
}

/// Keeps every trace that is recorded.
#[derive(Default)]
struct Traces(Arc<Mutex<Vec<Vec<Span>>>>);

impl Recorder for Traces {
    fn admit(&self) -> BoxFuture<'_, Result<Box<dyn Place>, StoreUnavailable>> {
        struct Kept(Arc<Mutex<Vec<Vec<Span>>>>);
        impl Place for Kept {
            fn record(self: Box<Self>, trace: FinishedTrace) {
                self.0.lock().push(trace.spans);
            }
        }
        Box::pin(async { Ok(Box::new(Kept(self.0.clone())) as Box<dyn Place>) })
    }
}

#[tokio::test]
async fn what_is_embedded_by_a_provider_is_recorded() {
    let house = House::new().await;
    write(&house, 600);
    house.sync().await;
    let gateway = Scripted::new("");
    let embedder = ProviderEmbedder::new(gateway.gateway(), "p/e".into(), None);
    let equipment = Equipment { embedder: Some(Arc::new(embedder)), ..Equipment::default() };
    house.library.equip(Some(&docs()), equipment).await.unwrap();
    let traces = Traces::default();
    house.library.embed(Some(&traces), &docs(), &|_| {}, &Cancel::default()).await.unwrap();
    let kept = std::mem::take(&mut *traces.0.lock());
    let texts = |spans: &Vec<Span>| attribute(&spans[0], "hanok.texts").and_then(|texts| texts.as_u64());
    let sizes: Vec<Option<u64>> = kept.iter().map(texts).collect();
    assert_eq!(sizes, [Some(512), Some(88 + 256)], "600 texts, and those of the trial, none held for long");
    assert!(kept.iter().all(|spans| spans[0].name == "embed docs" && spans[0].status == SpanStatus::Ok));
    house.library.embed(Some(&traces), &docs(), &|_| {}, &Cancel::default()).await.unwrap();
    assert!(traces.0.lock().is_empty(), "nothing was embedded");

    let gone = Scripted::new("").gateway();
    let embedder = ProviderEmbedder::new(gone, "p/f".into(), None);
    let equipment = Equipment { embedder: Some(Arc::new(embedder)), ..Equipment::default() };
    house.library.equip(Some(&docs()), equipment).await.unwrap();
    house.library.embed(Some(&traces), &docs(), &|_| {}, &Cancel::default()).await.unwrap_err();
    let failed = traces.0.lock()[0][0].status.clone();
    assert!(matches!(&failed, SpanStatus::Error(why) if why.contains("shutting down")), "{failed:?}");
}

#[tokio::test]
async fn words_serve_while_an_embedder_is_opened_and_where_it_cannot_be() {
    let house = House::new().await;
    write(&house, 30);
    house.sync().await;
    let dense = SearchQuery { legs: Some(Legs::Dense), ..SearchQuery::new("gadget7", docs(), 5) };
    for (readiness, says) in [
        (Readiness::Opening, "is being opened"),
        (Readiness::Failed("no such folder".into()), "no such folder"),
    ] {
        house.library.set_readiness(Some(&docs()), readiness);
        embed(&house.library).await;
        let found = search(&house.library, "gadget7").await;
        assert_eq!(legs_of(&found.hits[0]), ["bm25"]);
        let error = house.library.search(&CallContext::unrecorded(), &dense).await.unwrap_err();
        let reason = match error {
            RetrievalError::NoVectors(reason) => reason,
            RetrievalError::Failed(source) => source.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(reason.contains(says), "{reason}");
    }
    let embedder = Words::new("words", false);
    equip(&house.library, embedder.clone()).await;
    assert_eq!(house.library.equipment(&docs()).readiness, Readiness::Ready);
    embed(&house.library).await;
    assert!(legs_of(&search(&house.library, "gadget7").await.hits[0]).contains(&"dense"));

    // What it has serves on while another one is opened, and nothing is embedded that nobody asked for.
    embedder.given.lock().clear();
    house.write("d7.txt", "The umbrella is new here and nobody knows it.");
    house.sync().await;
    house.library.set_readiness(Some(&docs()), Readiness::Opening);
    embed(&house.library).await;
    assert!(embedder.given.lock().is_empty());
    assert!(legs_of(&search(&house.library, "gadget8").await.hits[0]).contains(&"dense"));
}

#[tokio::test]
async fn an_embedder_that_knows_nothing_is_not_asked() {
    let house = House::new().await;
    write(&house, 60);
    house.sync().await;
    equip(&house.library, Words::new("blind", true)).await;
    embed(&house.library).await;
    let found = search(&house.library, "gadget7 warehouse7").await;
    assert!(found.hits[0].source.ends_with("d7.txt"));
    assert_eq!(legs_of(&found.hits[0]), ["bm25"], "{:?}", found.hits[0].about.votes);
    let [left_out] = found.left_out.as_slice() else { panic!("{:?}", found.left_out) };
    assert!(left_out.leg == "dense" && left_out.reason.starts_with("of 60 passages"), "{left_out:?}");
    // Asked for by name it answers all the same.
    let query = SearchQuery { legs: Some(Legs::Dense), ..SearchQuery::new("gadget7", docs(), 5) };
    let found = house.library.search(&CallContext::unrecorded(), &query).await.unwrap();
    assert_eq!(legs_of(&found.hits[0]), ["dense"]);
    assert_eq!(found.left_out, []);
}

/// Fails, or scores by length.
struct Fickle(bool);

impl Reranker for Fickle {
    fn id(&self) -> &'static str {
        "fickle"
    }
    fn rerank<'a>(
        &'a self,
        _: &'a CallContext,
        _: &'a str,
        texts: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Vec<f32>, ProviderError>> {
        let error = ProviderError::new(ProviderErrorKind::Overloaded, &"mock".into(), "too many calls");
        let scores = || texts.iter().map(|text| f32::from(u16::try_from(text.len()).unwrap())).collect();
        let said = if self.0 { Err(error) } else { Ok(scores()) };
        Box::pin(async { said })
    }
}

#[tokio::test]
async fn what_fails_is_told_and_the_rest_is_found_without_it() {
    let house = House::new().await;
    write(&house, 12);
    house.sync().await;
    for fails in [true, false] {
        let reranker: Option<Arc<dyn Reranker>> = Some(Arc::new(Fickle(fails)));
        let equipment = Equipment { reranker, ..Equipment::default() };
        house.library.equip(Some(&docs()), equipment).await.unwrap();
        let (cx, spans) = recorded();
        let query = SearchQuery::new("gadget7", docs(), 3);
        let found = house.library.search(&cx, &query).await.unwrap();
        drop(cx);
        let left_out: Vec<&str> = found.left_out.iter().map(|left| left.leg.as_str()).collect();
        assert_eq!(left_out, if fails { vec!["rerank"] } else { vec![] });
        assert_eq!(legs_of(&found.hits[0]).contains(&"rerank"), !fails);
        let spans = spans.lock();
        let span = spans.iter().find(|span| span.operation == Operation::Retrieval).unwrap();
        let kept = |name: &str| attribute(span, name).map(|value| value.to_string());
        assert_eq!(kept("hanok.left_out").is_some_and(|told| told.contains("too many calls")), fails);
        assert!(kept("hanok.hits").unwrap().contains(r#""leg":"bm25""#), "the trace has the votes");
    }
}

/// Knows texts without Hangul, and nothing of the others.
struct English {
    known: Arc<Words>,
    unknown: Arc<Words>,
}

impl Embedder for English {
    fn id(&self) -> &'static str {
        "english"
    }
    fn dimensions(&self) -> Option<usize> {
        Some(64)
    }
    fn embed<'a>(
        &'a self,
        _: &'a CallContext,
        texts: &'a [&'a str],
        _: EmbedKind,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, ProviderError>> {
        let of = |text: &&str| {
            let korean = text.chars().any(|c| ('가'..='힣').contains(&c));
            if korean { self.unknown.vector(text) } else { self.known.vector(text) }
        };
        let vectors = texts.iter().map(of).collect();
        Box::pin(async move { Ok(vectors) })
    }
}

#[tokio::test]
async fn an_embedder_is_asked_in_the_languages_that_it_knows() {
    let house = House::new().await;
    write(&house, 60);
    for at in 0..60 {
        let (thing, place) = (format!("장비{at} 모형{at}"), format!("창고{at} 정문{at}"));
        let text = format!(
            "{thing} 하나를 {place} 안에 두고 여러 사람이 함께 돌보며 살핀다. 매일 아침 {thing} 하나를 {place} 밖으로 수레에 실어 옮긴다."
        );
        house.write(&format!("k{at}.txt"), text);
    }
    house.sync().await;
    let embedder = English { known: Words::new("known", false), unknown: Words::new("unknown", true) };
    let equipment = Equipment { embedder: Some(Arc::new(embedder)), ..Equipment::default() };
    house.library.equip(Some(&docs()), equipment).await.unwrap();
    embed(&house.library).await;
    let check = |found: &hanok_base::SearchResult, file: &str, asked: bool| {
        let first = &found.hits[0];
        assert!(first.source.ends_with(file), "{}", first.source);
        assert_eq!(legs_of(first).contains(&"dense"), asked, "{:?}", first.about.votes);
    };
    check(&search(&house.library, "gadget7 warehouse7").await, "/d7.txt", true);
    check(&search(&house.library, "장비7 창고7").await, "/k7.txt", false);
}

#[tokio::test]
async fn conditions_hold_before_ranking() {
    let house = House::new().await;
    write(&house, 30);
    house.sync().await;
    equip(&house.library, Words::new("words", false)).await;
    embed(&house.library).await;
    let cx = CallContext::unrecorded();
    let ask = |filter: &str, readers: Readers| SearchQuery {
        filter: filter.to_owned(),
        readers,
        ..SearchQuery::new("people look after the gadget7 cart", docs(), 50)
    };
    let found = house.library.search(&cx, &ask("path:*d2?.txt path:*d21.txt", Readers::All)).await.unwrap();
    assert_eq!(found.hits.len(), 1, "{found:?}");
    let found =
        house.library.search(&cx, &ask("-path:*/d1*", Readers::Of(vec!["ann".into()]))).await.unwrap();
    assert_eq!(found.hits.len(), 19, "no readers named: everybody's");
    let none = house.library.search(&cx, &ask("team:legal", Readers::All)).await.unwrap();
    assert!(none.hits.is_empty());
    let wrong = house.library.search(&cx, &ask("legal", Readers::All)).await;
    assert!(matches!(wrong, Err(RetrievalError::BadFilter(_))), "{wrong:?}");
}
