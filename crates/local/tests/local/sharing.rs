//! A model is in memory once, whoever uses it.

use crate::options;
use crate::tiny::Tiny;
use hanok_base::EmbedKind;
use hanok_local::{CrossEncoder, LocalProvider, Options, Precision, TextEmbedder, opened};
use std::path::Path;
use std::time::{Duration, Instant};

fn open(folder: &Path, precision: Precision) -> TextEmbedder {
    TextEmbedder::open(folder, options(precision, 2, None)).unwrap()
}

/// That so many are open once the threads that computed have let go of what they computed with, which they do a moment
/// after their answer.
fn check_open(folder: &Path, count: usize, why: &str) {
    let begun = Instant::now();
    while opened(folder) != count {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} are open: {why}", opened(folder));
        std::thread::yield_now();
    }
}

#[test]
fn whoever_opens_what_is_open_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    Tiny { labels: 1, ..Tiny::default() }.write(folder.path());
    assert_eq!(opened(folder.path()), 0);
    let one = open(folder.path(), Precision::F32);
    // By another way to the same folder, and as something else.
    let roundabout = folder.path().join("1_Pooling").join("..");
    let two = open(&roundabout, Precision::F32);
    let scorer = CrossEncoder::open(folder.path(), options(Precision::F32, 2, None)).unwrap();
    assert_eq!((opened(folder.path()), opened(&roundabout)), (1, 1));
    let of = |model: &TextEmbedder| model.embed_now(&["w1 w2"], EmbedKind::Query).unwrap();
    assert_eq!(of(&one), of(&two));
    let bytes = open(folder.path(), Precision::Int8);
    assert_eq!(opened(folder.path()), 2, "bytes are other weights than floats");
    drop((one, bytes));
    check_open(folder.path(), 1, "two of three let go");
    drop(two);
    check_open(folder.path(), 1, "the cross-encoder has it still");
    drop(scorer);
    check_open(folder.path(), 0, "all let go");
    assert_eq!(of(&open(folder.path(), Precision::F32)).len(), 1);
}

#[test]
fn those_that_come_at_once_wait_for_one_opening() {
    let folder = tempfile::tempdir().unwrap();
    Tiny { layers: 8, hidden: 64, ..Tiny::default() }.write(folder.path());
    let gate = std::sync::Barrier::new(4);
    let models: Vec<TextEmbedder> = std::thread::scope(|scope| {
        let opening = || {
            gate.wait();
            open(folder.path(), Precision::F32)
        };
        let all: Vec<_> = (0..4).map(|_| scope.spawn(opening)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(models.windows(2).all(|pair| pair[0].shares(&pair[1])));
}

#[test]
fn what_was_exchanged_or_did_not_open_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    Tiny::default().write(folder.path());
    let before = open(folder.path(), Precision::F32);
    Tiny { layers: 1, ..Tiny::default() }.write(folder.path());
    let after = open(folder.path(), Precision::F32);
    assert!(!before.shares(&after));
    assert!(after.shares(&open(folder.path(), Precision::F32)));
    let weights = folder.path().join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    let fails = || TextEmbedder::open(folder.path(), options(Precision::F32, 2, None)).is_err();
    assert!(fails() && fails());
    std::fs::write(&weights, whole).unwrap();
    assert!(!fails());
}

#[tokio::test]
async fn a_provider_uses_the_model_that_is_open() {
    use hanok_base::{CallContext, EmbedInput, EmbedRequest, Provider as _};
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("models").join("tiny");
    std::fs::create_dir_all(&folder).unwrap();
    Tiny::default().write(&folder);
    let asked = Options { threads: 2, ..Options::default() };
    let held = TextEmbedder::open(&folder, asked).unwrap();
    let provider = LocalProvider::at(data.path(), asked);
    let request = EmbedRequest {
        model: "tiny".into(),
        inputs: vec![EmbedInput::Text("w1".into())],
        dimensions: None,
        task: None,
        user: None,
        dialect: None,
        extra: hanok_base::Object::new(),
    };
    let cx = CallContext::unrecorded();
    let (one, again) = (provider.embed(&cx, &request).await.unwrap(), provider.embed(&cx, &request).await);
    assert_eq!(one.vectors, again.unwrap().vectors);
    assert_eq!(opened(&folder), 1);
    drop(held);
    assert_eq!(opened(&folder), 1, "the provider keeps what it was asked for");
    drop(provider);
    check_open(&folder, 0, "all let go");
}
