//! Few-shot examples: from files of JSON lines and from the datasets of the store, the first ones or those nearest to a
//! text.

mod rows;

use hanok_base::{BoxFuture, CallContext, EmbedKind, Embedder, ExampleSource, Sample, TaskError};
use hanok_store::vectors::{PackedVector, TextHash};
use hanok_store::{Store, StoreError};
use parking_lot::Mutex;
use rows::Rows;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::OnceCell;

/// Larger files are no few examples.
const LARGEST: u64 = 64 << 20;
/// Rows of a dataset of the store that are looked at.
const MOST: usize = 50_000;
/// Rows of the store that are read at once.
const PAGE: usize = 1_000;
/// Datasets of the store whose rows are kept in memory.
const KEPT: usize = 32;
/// Texts that are embedded at once.
const EMBEDDED: usize = 256;
/// Where datasets are that are named without a path.
const FOLDER: &str = "datasets";

/// Opens the embedder that says what is near, when it is asked for first; `None` where there is none.
pub type OpenEmbedder = dyn Fn() -> BoxFuture<'static, Option<Arc<dyn Embedder>>> + Send + Sync;

/// Datasets that are files of JSON lines below a folder, `{"input": …, "expected": …}`, `input` being an object of
/// variables or one value; and those of a store: `NAME`, `NAME@VERSION`, either with `#SPLIT` behind. A file counts more.
pub struct Examples {
    folder: PathBuf,
    store: Option<Store>,
    open: Option<Box<OpenEmbedder>>,
    embedder: OnceCell<Option<Arc<dyn Embedder>>>,
    /// What was read of files, and when it had been written.
    files: Mutex<HashMap<PathBuf, Known>>,
    /// What was read of the store, by version and split.
    versions: Mutex<HashMap<(i64, String), Arc<Rows>>>,
}

type Known = (Option<SystemTime>, Arc<Rows>);

impl Examples {
    /// Datasets below a folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            store: None,
            open: None,
            embedder: OnceCell::new(),
            files: Mutex::default(),
            versions: Mutex::default(),
        }
    }

    /// Those of a store, too. Vectors of rows are kept there.
    #[must_use]
    pub fn with_store(self, store: Store) -> Self {
        Self { store: Some(store), ..self }
    }

    /// What is near is said by an embedder; by words where there is none.
    #[must_use]
    pub fn with_embedder(self, open: Box<OpenEmbedder>) -> Self {
        Self { open: Some(open), ..self }
    }

    /// The rows of a dataset; of the store's, `enough` of them will do.
    async fn rows(&self, dataset: &str, enough: usize) -> Result<Arc<Rows>, TaskError> {
        let tried = [self.folder.join(dataset), self.folder.join(FOLDER).join(format!("{dataset}.jsonl"))];
        if let Some(found) = tried.iter().find(|path| path.is_file()) {
            return self.of_file(dataset, found);
        }
        if let Some(rows) = self.of_store(dataset, enough).await? {
            return Ok(rows);
        }
        let tried = tried.each_ref().map(|path| path.display().to_string());
        Err(TaskError::Invalid(format!(
            "there is no dataset `{dataset}`; looked for {} and in the store (`hanok dataset ls`)",
            tried.join(" and ")
        )))
    }

    fn of_file(&self, dataset: &str, path: &Path) -> Result<Arc<Rows>, TaskError> {
        let real = |path: &Path| std::fs::canonicalize(path);
        // Prompts can be edited from afar.
        let path = match (real(path), real(&self.folder)) {
            (Ok(found), Ok(folder)) if found.starts_with(&folder) => found,
            _ => {
                return Err(TaskError::Invalid(format!(
                    "the dataset `{dataset}` is not below {}; put its file there",
                    self.folder.display()
                )));
            }
        };
        let wrong = |error: &dyn std::fmt::Display| {
            TaskError::Invalid(format!("the examples {}: {error}", path.display()))
        };
        let data = std::fs::metadata(&path).map_err(|error| wrong(&error))?;
        if data.len() > LARGEST {
            return Err(wrong(&format!("larger than {LARGEST} bytes")));
        }
        let modified = data.modified().ok();
        if let Some((known, rows)) = self.files.lock().get(&path)
            && *known == modified
        {
            return Ok(rows.clone());
        }
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(&error))?;
        let rows = Arc::new(Rows::read(&text).map_err(|error| wrong(&error))?);
        self.files.lock().insert(path, (modified, rows.clone()));
        Ok(rows)
    }

    /// The rows of a version in the store; `None` where there is no such dataset.
    async fn of_store(&self, dataset: &str, enough: usize) -> Result<Option<Arc<Rows>>, TaskError> {
        let Some(store) = &self.store else { return Ok(None) };
        let wrong =
            |error: &dyn std::fmt::Display| TaskError::Failed(format!("the dataset `{dataset}`: {error}"));
        let (named, split) = dataset.split_once('#').unwrap_or((dataset, ""));
        let (name, hash) = named.split_once('@').unwrap_or((named, ""));
        let found = store.datasets().version(name, hash).await;
        let Some(version) = found.map_err(|error| wrong(&error))? else { return Ok(None) };
        let key = (version.id, split.to_owned());
        if let Some(rows) = self.versions.lock().get(&key) {
            return Ok(Some(rows.clone()));
        }
        let (mut samples, mut from) = (Vec::new(), 0);
        let enough = enough.min(MOST);
        while samples.len() < enough {
            let page = store.datasets().rows(version.id, from, PAGE).await.map_err(|error| wrong(&error))?;
            let Some(last) = page.last() else { break };
            from = last.position + 1;
            for row in page {
                let sample: Sample = serde_json::from_str(&row.body).map_err(|error| wrong(&error))?;
                let own =
                    sample.metadata.get("split").and_then(serde_json::Value::as_str).unwrap_or_default();
                if split.is_empty() || own == split {
                    samples.push(sample);
                }
            }
        }
        let is_whole = samples.len() < enough || enough == MOST;
        if samples.is_empty() && !split.is_empty() {
            return Err(TaskError::Invalid(format!(
                "the dataset `{named}` has no rows of the split `{split}`"
            )));
        }
        samples.truncate(enough);
        let rows = Arc::new(Rows::of(samples));
        if is_whole {
            let mut known = self.versions.lock();
            if known.len() >= KEPT {
                known.clear();
            }
            known.insert(key, rows.clone());
        }
        Ok(Some(rows))
    }

    async fn embedder(&self) -> Option<&Arc<dyn Embedder>> {
        let open = self.open.as_ref()?;
        self.embedder.get_or_init(open).await.as_ref()
    }

    /// The rows nearest to a text: by vectors, or by words where no embedder says.
    async fn nearest(&self, cx: &CallContext, rows: &Rows, text: &str, count: usize) -> Vec<Sample> {
        if let Some(embedder) = self.embedder().await {
            match self.by_vectors(cx, &**embedder, rows, text, count).await {
                Ok(near) => return near,
                Err(error) => {
                    tracing::warn!(error, "examples are chosen by words: the embedder does not answer");
                }
            }
        }
        rows.near_words(text, count)
    }

    async fn by_vectors(
        &self,
        cx: &CallContext,
        embedder: &dyn Embedder,
        rows: &Rows,
        text: &str,
        count: usize,
    ) -> Result<Vec<Sample>, String> {
        let vectors = rows.embedded.get_or_try_init(|| async {
            let vectors = self.vectors(cx, embedder, &rows.texts).await?;
            Ok::<_, String>((embedder.id().to_owned(), vectors))
        });
        let (_, vectors) = vectors.await?;
        // A question is compared with questions, so that both are embedded alike.
        let wanted =
            embedder.embed(cx, &[text], EmbedKind::Document).await.map_err(|error| error.to_string())?;
        let wanted = wanted.first().ok_or("the embedder made no vector")?;
        Ok(rows.near_vector(text, wanted, vectors, count))
    }

    /// The vectors of texts: those that are kept, and new ones of the others, which are kept then.
    async fn vectors(
        &self,
        cx: &CallContext,
        embedder: &dyn Embedder,
        texts: &[String],
    ) -> Result<Vec<Vec<f32>>, String> {
        let told = |error: StoreError| error.to_string();
        let hashes: Vec<TextHash> = texts.iter().map(|text| hash(text)).collect();
        let mut known: HashMap<TextHash, Vec<f32>> = HashMap::new();
        if let Some(store) = &self.store {
            let kept = store.vectors().of_texts(embedder.id(), hashes.clone()).await.map_err(told)?;
            known.extend(kept.into_iter().map(|(hash, vector)| (hash, vector.unpack())));
        }
        let mut missing: Vec<(TextHash, &str)> = Vec::new();
        for (hash, text) in hashes.iter().zip(texts) {
            if !known.contains_key(hash) && !missing.iter().any(|(other, _)| other == hash) {
                missing.push((*hash, text));
            }
        }
        for some in missing.chunks(EMBEDDED) {
            let texts: Vec<&str> = some.iter().map(|(_, text)| *text).collect();
            let made =
                embedder.embed(cx, &texts, EmbedKind::Document).await.map_err(|error| error.to_string())?;
            let made: Vec<(TextHash, Vec<f32>)> = some.iter().map(|(hash, _)| *hash).zip(made).collect();
            if let Some(store) = &self.store {
                let packed = made.iter().map(|(hash, vector)| (*hash, PackedVector::new(vector))).collect();
                // Without them they are made again the next time.
                if let Err(error) = store.vectors().keep(embedder.id(), packed, Vec::new()).await {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "vectors of examples are not kept"
                    );
                }
            }
            known.extend(made);
        }
        let vector =
            |hash| known.get(hash).cloned().ok_or_else(|| "the embedder made too few vectors".to_owned());
        hashes.iter().map(vector).collect()
    }
}

/// The hash of a text by which its vector is kept.
fn hash(text: &str) -> TextHash {
    let mut short = TextHash::default();
    short.iter_mut().zip(blake3::hash(text.as_bytes()).as_bytes()).for_each(|(byte, own)| *byte = *own);
    short
}

impl ExampleSource for Examples {
    fn examples<'a>(
        &'a self,
        cx: &'a CallContext,
        dataset: &'a str,
        count: usize,
        near: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Sample>, TaskError>> {
        Box::pin(async move {
            Ok(match near {
                None => self.rows(dataset, count).await?.samples.iter().take(count).cloned().collect(),
                Some(text) => {
                    let rows = self.rows(dataset, MOST).await?;
                    self.nearest(cx, &rows, text, count).await
                }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_by_order_and_by_nearness() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
        let rows = r#"{"input": {"text": "the parcel is late"}, "expected": "shipping"}
{"input": "my card was charged twice", "expected": "billing"}

{"input": {"text": "where is my parcel"}, "output": "shipping"}"#;
        std::fs::write(folder.path().join(FOLDER).join("tickets.jsonl"), rows).unwrap();
        let source = Examples::new(folder.path());
        let cx = CallContext::unrecorded();
        let check = |count: usize, near: Option<&str>, expect: &[&str]| {
            let found = futures_util::FutureExt::now_or_never(source.examples(&cx, "tickets", count, near));
            let ids: Vec<String> = found.unwrap().unwrap().into_iter().map(|sample| sample.id).collect();
            assert_eq!(ids, expect, "{near:?}");
        };
        check(2, None, &["1", "2"]);
        check(9, None, &["1", "2", "4"]);
        check(1, Some("a charge on my card"), &["2"]);
        check(2, Some("where did the parcel go"), &["1", "4"]);
        check(1, Some("where is my parcel"), &["1"]);
        let missing = futures_util::FutureExt::now_or_never(source.examples(&cx, "../etc/passwd", 1, None));
        assert!(missing.unwrap().unwrap_err().to_string().contains("no dataset"));
    }

    #[tokio::test]
    async fn examples_of_the_store_and_what_is_meant() {
        use hanok_base::embedder_fn;
        use hanok_store::datasets::{NewRow, content_hash};
        use std::sync::atomic::{AtomicUsize, Ordering};
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), hanok_store::Options::default()).unwrap();
        let bodies = [
            r#"{"id":"a","input":{"text":"the parcel is late"},"expected":"shipping","metadata":{"split":"train"}}"#,
            r#"{"id":"b","input":{"text":"my card was charged twice"},"expected":"billing","metadata":{"split":"train"}}"#,
            r#"{"id":"c","input":{"text":"give my money back: a refund"},"expected":"billing","metadata":{"split":"test"}}"#,
        ];
        let rows = |bodies: &[&str]| -> Vec<NewRow> {
            bodies
                .iter()
                .map(|body| NewRow {
                    hash: content_hash(body.as_bytes()),
                    cluster: None,
                    body: (*body).to_owned(),
                })
                .collect()
        };
        let hashes =
            |bodies: &[&str]| bodies.iter().map(|body| content_hash(body.as_bytes())).collect::<Vec<_>>();
        store.datasets().keep_rows(rows(&bodies)).await.unwrap();
        let now = hanok_base::Timestamp::now();
        let first = store.datasets().make_version("tickets", hashes(&bodies[..1]), "{}", now).await.unwrap();
        store.datasets().make_version("tickets", hashes(&bodies), "{}", now).await.unwrap();
        // Finds what is meant, whatever the words: everything about money is one way, everything else the other.
        let (count, counted) = (Arc::new(AtomicUsize::new(0)), Ordering::Relaxed);
        let asked = count.clone();
        let embedder: Arc<dyn Embedder> = Arc::new(embedder_fn("meaning", 2, move |text| {
            asked.fetch_add(1, counted);
            let money = ["card", "refund", "환불", "돈"].iter().any(|word| text.contains(word));
            if money { vec![1.0, 0.0] } else { vec![0.0, 1.0] }
        }));
        let source = |with_embedder: bool| {
            let source = Examples::new(folder.path()).with_store(store.clone());
            let open = embedder.clone();
            let open = move || -> BoxFuture<'static, Option<Arc<dyn Embedder>>> {
                let open = open.clone();
                Box::pin(async move { Some(open) })
            };
            if with_embedder { source.with_embedder(Box::new(open)) } else { source }
        };
        let cx = CallContext::unrecorded();
        let ids = |found: Result<Vec<Sample>, TaskError>| -> Vec<String> {
            found.unwrap().into_iter().map(|sample| sample.id).collect()
        };
        let (words, meant) = (source(false), source(true));
        assert_eq!(ids(words.examples(&cx, "tickets", 2, None).await), ["a", "b"]);
        assert_eq!(ids(words.examples(&cx, "tickets#test", 9, None).await), ["c"]);
        let by_version = format!("tickets@{}", first.short());
        assert_eq!(ids(words.examples(&cx, &by_version, 9, None).await), ["a"]);
        assert_eq!(ids(words.examples(&cx, "tickets", 1, Some("late refund parcel is")).await), ["a"]);
        assert_eq!(ids(meant.examples(&cx, "tickets", 2, Some("late refund parcel is")).await), ["c", "b"]);
        assert_eq!(ids(meant.examples(&cx, "tickets#train", 1, Some("환불 parcel")).await), ["b"]);
        let count = || count.load(counted);
        assert_eq!(count(), 3 + 2, "rows once, however many datasets have them; and each question");
        // Vectors are kept by their texts: whoever comes next embeds the question alone.
        assert_eq!(ids(source(true).examples(&cx, "tickets", 1, Some("돈 주세요")).await), ["b"]);
        assert_eq!(count(), 6);
        for (dataset, part) in
            [("nothing", "hanok dataset ls"), ("tickets#dev", "no rows of the split `dev`")]
        {
            let error = words.examples(&cx, dataset, 1, None).await.unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
        std::fs::write(folder.path().join(FOLDER).join("tickets.jsonl"), r#"{"id":"f","input":"x"}"#)
            .unwrap();
        assert_eq!(ids(words.examples(&cx, "tickets", 1, None).await), ["f"], "a file counts more");
    }
}
