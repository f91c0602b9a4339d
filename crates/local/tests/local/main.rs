//! Models of every family, made up here, against a forward pass in 64-bit floats; and a published one, where it is.

#![expect(clippy::cast_precision_loss, reason = "small numbers")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod reference;
mod sharing;
mod tiny;

use hanok_base::{
    CallContext, Caller, EmbedKind, Embedder, FinishedTrace, Place, Reranker, Span, SpanStatus,
};
use hanok_local::{CrossEncoder, Family, Isa, LocalError, Models, Options, Precision, TextEmbedder};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tiny::{Dtype, Tiny};

fn options(precision: Precision, threads: usize, isa: Option<Isa>) -> Options {
    Options { precision, threads, isa }
}

/// Sentences of 0 to 59 words of the little vocabulary.
fn texts(count: usize) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..count)
        .map(|number| {
            let words = (0..number * 13 % 60).map(|_| format!("w{}", random.usize(0..tiny::WORDS)));
            words.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

fn as_strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn cosine(a: &[f32], b: &[f64]) -> f64 {
    let norm = b.iter().map(|x| x * x).sum::<f64>().sqrt();
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * b).sum::<f64>() / norm
}

fn check_family(tiny: &Tiny) {
    let folder = tempfile::tempdir().unwrap();
    tiny.write(folder.path());
    let texts = texts(20);
    for isa in Isa::here() {
        for (precision, least) in [(Precision::F32, 0.999_999), (Precision::Int8, 0.998)] {
            let model = TextEmbedder::open(folder.path(), options(precision, 2, Some(isa))).unwrap();
            assert_eq!(model.width(), tiny.hidden);
            let vectors = model.embed_now(&as_strs(&texts), EmbedKind::Document).unwrap();
            for (text, vector) in texts.iter().zip(&vectors) {
                let right = reference::embed(tiny, text);
                let found = cosine(vector, &right);
                assert!(found > least, "{isa:?} {precision:?} {:?} {text:?}: {found}", tiny.family);
                let length: f32 = vector.iter().map(|x| x * x).sum();
                assert!((length - 1.0).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn bert_is_right() {
    check_family(&Tiny::default());
}

#[test]
fn widths_that_fit_no_register_are_right() {
    check_family(&Tiny { hidden: 39, heads: 3, inner: 50, ..Tiny::default() });
}

#[test]
fn roberta_is_right() {
    check_family(&Tiny { family: Family::Roberta, pooling: "cls_token", ..Tiny::default() });
}

#[test]
fn distilbert_is_right() {
    check_family(&Tiny { family: Family::DistilBert, pooling: "max_tokens", ..Tiny::default() });
}

#[test]
fn halves_and_prefixes_of_checkpoints_are_read() {
    check_family(&Tiny { dtype: Dtype::F16, prefix: "bert.", ..Tiny::default() });
    check_family(&Tiny { dtype: Dtype::Bf16, old_names: true, activation: "gelu_new", ..Tiny::default() });
}

#[test]
fn neither_neighbours_nor_threads_change_a_bit() {
    let folder = tempfile::tempdir().unwrap();
    Tiny { hidden: 96, heads: 4, inner: 200, ..Tiny::default() }.write(folder.path());
    let texts = texts(33);
    for isa in Isa::here() {
        for precision in [Precision::F32, Precision::Int8] {
            let one = TextEmbedder::open(folder.path(), options(precision, 1, Some(isa))).unwrap();
            let alone: Vec<Vec<f32>> = texts
                .iter()
                .map(|text| one.embed_now(&[text.as_str()], EmbedKind::Document).unwrap().remove(0))
                .collect();
            for threads in [1, 2, 3] {
                let model =
                    TextEmbedder::open(folder.path(), options(precision, threads, Some(isa))).unwrap();
                let together = model.embed_now(&as_strs(&texts), EmbedKind::Document).unwrap();
                assert_eq!(together, alone, "{isa:?} {precision:?} {threads}");
            }
        }
    }
}

#[test]
fn a_cross_encoder_is_right() {
    for (family, labels) in
        [(Family::Bert, 1), (Family::Bert, 2), (Family::Roberta, 1), (Family::DistilBert, 2)]
    {
        let tiny = Tiny { family, labels, ..Tiny::default() };
        let folder = tempfile::tempdir().unwrap();
        tiny.write(folder.path());
        let model = CrossEncoder::open(folder.path(), options(Precision::F32, 2, None)).unwrap();
        let texts = texts(9);
        let scores = model.rerank_now("w3 w5", &as_strs(&texts)).unwrap();
        for (text, score) in texts.iter().zip(scores) {
            let right = reference::score(&tiny, "w3 w5", text);
            assert!(
                (f64::from(score) - right).abs() < 1e-5,
                "{family:?} {labels} {text:?}: {score} for {right}"
            );
        }
    }
}

#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Vec<Span>>>);
impl Place for Keep {
    fn record(self: Box<Self>, trace: FinishedTrace) {
        self.0.lock().unwrap().extend(trace.spans);
    }
}

#[tokio::test]
async fn a_call_leaves_a_span_that_says_what_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    Tiny { labels: 1, ..Tiny::default() }.write(folder.path());
    let kept = Keep::default();
    let cx = CallContext::new(Box::new(kept.clone()), Arc::new(Caller::default()));
    let long = "w1 ".repeat(100_000);
    let embedder = TextEmbedder::open(folder.path(), options(Precision::F32, 2, None)).unwrap();
    let vectors = embedder.embed(&cx, &[long.as_str(), "w1 w2"], EmbedKind::Query).await.unwrap();
    assert_eq!(
        vectors[0],
        embedder.embed(&cx, &["w1 ".repeat(300).as_str()], EmbedKind::Query).await.unwrap()[0]
    );
    let reranker = CrossEncoder::open(folder.path(), options(Precision::F32, 2, None)).unwrap();
    assert_eq!(reranker.rerank(&cx, "w1", &["w2", "w3"]).await.unwrap().len(), 2);
    assert!(embedder.embed(&cx, &[], EmbedKind::Query).await.unwrap().is_empty());
    drop(cx);
    let spans = kept.0.lock().unwrap();
    let of = |span: &Span, name: &str| {
        span.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    };
    let first = &spans[0];
    assert!(first.name.starts_with("embeddings "), "{}", first.name);
    assert_eq!(first.status, SpanStatus::Ok);
    assert_eq!(of(first, "hanok.texts_cut"), Some(1.into()));
    assert_eq!(of(first, "gen_ai.usage.input_tokens"), Some((tiny::POSITIONS + 4).into()));
    assert_eq!(of(first, "gen_ai.provider.name"), Some("local".into()));
    assert!(
        spans
            .iter()
            .any(|span| span.name.starts_with("rerank ") && of(span, "hanok.texts") == Some(2.into()))
    );
}

#[test]
fn prompts_stand_before_texts() {
    let tiny = Tiny::default();
    let folder = tempfile::tempdir().unwrap();
    tiny.write(folder.path());
    let plain = TextEmbedder::open(folder.path(), Options::default()).unwrap();
    let prompts = r#"{"prompts":{"query":"w7 ","document":""}}"#;
    std::fs::write(folder.path().join("config_sentence_transformers.json"), prompts).unwrap();
    let prompted = TextEmbedder::open(folder.path(), Options::default()).unwrap();
    let of = |model: &TextEmbedder, text: &str, kind| model.embed_now(&[text], kind).unwrap();
    assert_eq!(of(&prompted, "w1", EmbedKind::Query), of(&plain, "w7 w1", EmbedKind::Query));
    assert_eq!(of(&prompted, "w1", EmbedKind::Document), of(&plain, "w1", EmbedKind::Document));
    assert_ne!(plain.id(), prompted.id(), "vectors under one name can be compared");
}

#[test]
fn what_does_not_fit_is_named() {
    let check = |change: &dyn Fn(&Path), expect: &str| {
        let folder = tempfile::tempdir().unwrap();
        Tiny::default().write(folder.path());
        change(folder.path());
        let error = TextEmbedder::open(folder.path(), Options::default()).err().expect(expect).to_string();
        assert!(error.contains(expect), "{error:?} does not say {expect:?}");
    };
    let edit = |folder: &Path, file: &str, from: &str, to: &str| {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    check(
        &|at| edit(at, "config.json", r#""bert""#, r#""llama""#),
        "the model type `llama` is not supported",
    );
    check(
        &|at| edit(at, "config.json", r#""num_hidden_layers":2"#, r#""num_hidden_layers":3"#),
        "model.safetensors: tensor `encoder.layer.2.attention.self.query.weight` is missing",
    );
    check(
        &|at| edit(at, "config.json", r#""intermediate_size":64"#, r#""intermediate_size":65"#),
        "has the shape [64, 32]",
    );
    check(
        &|at| edit(at, "config.json", r#""num_attention_heads":4"#, r#""num_attention_heads":5"#),
        "5 heads",
    );
    check(
        &|at| edit(at, "config.json", "{", r#"{"position_embedding_type":"relative_key","#),
        "relative_key",
    );
    check(&|at| std::fs::remove_file(at.join("tokenizer.json")).unwrap(), "tokenizer.json: cannot be read");
    check(&|at| std::fs::write(at.join("tokenizer.json"), "{}").unwrap(), "tokenizer.json: is no tokenizer");
    check(&|at| edit(at, "1_Pooling/config.json", "mean_tokens", "lasttoken"), "this pooling");
    check(
        &|at| {
            let path = at.join("model.safetensors");
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        },
        "model.safetensors: is no whole safetensors file",
    );
    check(
        &|at| std::fs::rename(at.join("model.safetensors"), at.join("pytorch_model.bin")).unwrap(),
        "pickled",
    );
    let folder = tempfile::tempdir().unwrap();
    Tiny::default().write(folder.path());
    let error = CrossEncoder::open(folder.path(), Options::default()).err().unwrap();
    assert!(matches!(error, LocalError::Unsupported { .. }), "{error}");
    let error = Models::at(folder.path()).folder_of("absent").unwrap_err().to_string();
    assert!(error.contains("hanok pull absent"), "{error}");
}

/// The published model, where this checkout has its data beside it.
fn minilm() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models/all-minilm-l6-v2");
    if folder.join("model.safetensors").is_file() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {} is not there", folder.display());
    None
}

#[test]
fn a_published_model_knows_what_is_alike() {
    let Some(folder) = minilm() else { return };
    let model = TextEmbedder::open(&folder, options(Precision::F32, 2, None)).unwrap();
    assert_eq!((model.width(), model.most_tokens()), (384, 256));
    let texts = [
        "That is a happy person",
        "That is a happy dog",
        "That is a very happy person",
        "Today is a sunny day",
    ];
    let vectors = model.embed_now(&texts, EmbedKind::Document).unwrap();
    let alike = |other: usize| vectors[0].iter().zip(&vectors[other]).map(|(a, b)| a * b).sum::<f32>();
    // As its card on the hub has them.
    for (other, right) in [(1, 0.695), (2, 0.943), (3, 0.257)] {
        assert!((alike(other) - right).abs() < 2e-3, "{other}: {} for {right}", alike(other));
    }
    let bytes = TextEmbedder::open(&folder, options(Precision::Int8, 2, None)).unwrap();
    for (a, b) in vectors.iter().zip(bytes.embed_now(&texts, EmbedKind::Document).unwrap()) {
        let cosine: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.998, "{cosine}");
    }
}
