//! Few-shot examples from files of JSON lines: the first ones, or those nearest to a text.
//!
//! Nearness is that of words' pieces (runs of three characters, weighed by how rare they are among the rows), so that
//! it needs no model and is the same on every machine.

use hanok_base::{BoxFuture, CallContext, ExampleSource, Object, Sample, TaskError};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Larger files are no few examples.
const LARGEST: u64 = 64 << 20;
/// Where datasets are that are named without a path.
const FOLDER: &str = "datasets";

/// Datasets that are files of JSON lines below a folder: `{"input": …, "expected": …}`, `input` being an object of
/// variables or one value.
pub struct FileExamples {
    folder: PathBuf,
    /// What was read, and when it had been written.
    read: Mutex<HashMap<PathBuf, Known>>,
}

type Known = (Option<SystemTime>, Arc<Rows>);

impl FileExamples {
    /// Datasets below a folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), read: Mutex::default() }
    }

    fn rows(&self, dataset: &str) -> Result<Arc<Rows>, TaskError> {
        let path = self.path(dataset)?;
        let wrong = |error: &dyn std::fmt::Display| {
            TaskError::Invalid(format!("the examples {}: {error}", path.display()))
        };
        let data = std::fs::metadata(&path).map_err(|error| wrong(&error))?;
        if data.len() > LARGEST {
            return Err(wrong(&format!("larger than {LARGEST} bytes")));
        }
        let modified = data.modified().ok();
        if let Some((known, rows)) = self.read.lock().get(&path)
            && *known == modified
        {
            return Ok(rows.clone());
        }
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(&error))?;
        let rows = Arc::new(Rows::read(&text).map_err(|error| wrong(&error))?);
        self.read.lock().insert(path, (modified, rows.clone()));
        Ok(rows)
    }

    /// The file of a dataset, which must be below the folder: prompts can be edited from afar.
    fn path(&self, dataset: &str) -> Result<PathBuf, TaskError> {
        let named = self.folder.join(FOLDER).join(format!("{dataset}.jsonl"));
        let tried = [self.folder.join(dataset), named];
        let found = tried.iter().find(|path| path.is_file()).ok_or_else(|| {
            let tried = tried.each_ref().map(|path| path.display().to_string());
            TaskError::Invalid(format!("there is no dataset `{dataset}`; looked for {}", tried.join(" and ")))
        })?;
        let real = |path: &Path| std::fs::canonicalize(path);
        match (real(found), real(&self.folder)) {
            (Ok(found), Ok(folder)) if found.starts_with(&folder) => Ok(found),
            _ => Err(TaskError::Invalid(format!(
                "the dataset `{dataset}` is not below {}; put its file there",
                self.folder.display()
            ))),
        }
    }
}

impl ExampleSource for FileExamples {
    fn examples<'a>(
        &'a self,
        _: &'a CallContext,
        dataset: &'a str,
        count: usize,
        near: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Sample>, TaskError>> {
        Box::pin(async move {
            let rows = self.rows(dataset)?;
            Ok(match near {
                None => rows.samples.iter().take(count).cloned().collect(),
                Some(text) => rows.nearest(text, count),
            })
        })
    }
}

/// The rows of a dataset, and the pieces of their texts.
struct Rows {
    samples: Vec<Sample>,
    texts: Vec<String>,
    /// Each row's pieces with their weights, of length 1 as a vector.
    vectors: Vec<HashMap<[char; 3], f64>>,
    rarity: HashMap<[char; 3], f64>,
}

impl Rows {
    fn read(text: &str) -> Result<Self, String> {
        let mut samples = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let at = |error: &dyn std::fmt::Display| format!("line {}: {error}", number + 1);
            let row: Object = serde_json::from_str(line).map_err(|error| at(&error))?;
            samples.push(sample(row, number).map_err(|error| at(&error))?);
        }
        let texts: Vec<String> = samples.iter().map(|sample| text_of(&sample.input)).collect();
        let counted: Vec<HashMap<[char; 3], f64>> = texts.iter().map(|text| pieces(text)).collect();
        let mut rarity: HashMap<[char; 3], f64> = HashMap::new();
        for piece in counted.iter().flat_map(HashMap::keys) {
            *rarity.entry(*piece).or_default() += 1.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "rows are far fewer than 2^52")]
        let all = samples.len() as f64;
        for count in rarity.values_mut() {
            *count = (1.0 + all / *count).ln();
        }
        let vectors = counted.into_iter().map(|counts| weighed(counts, &rarity)).collect();
        Ok(Self { samples, texts, vectors, rarity })
    }

    /// The rows nearest to a text, the nearest last: what stands closest to the question counts most. The row of the
    /// text itself is not among them.
    fn nearest(&self, text: &str, count: usize) -> Vec<Sample> {
        let wanted = weighed(pieces(text), &self.rarity);
        let mut near: Vec<(f64, usize)> = self
            .vectors
            .iter()
            .enumerate()
            .filter(|(at, _)| self.texts.get(*at).is_none_or(|own| own.trim() != text.trim()))
            .map(|(at, vector)| {
                let shared = vector.iter().filter_map(|(piece, weight)| Some(weight * wanted.get(piece)?));
                (shared.sum(), at)
            })
            .collect();
        // Sums differ in their last digits by the order of their terms.
        near.sort_by(|a, b| (b.0 * 1e9).round().total_cmp(&(a.0 * 1e9).round()).then(a.1.cmp(&b.1)));
        near.truncate(count);
        near.iter().rev().filter_map(|(_, at)| self.samples.get(*at).cloned()).collect()
    }
}

/// A row: one of a dataset's as Hanok writes it, or with one value as its input, or with `output` for `expected`.
fn sample(mut row: Object, number: usize) -> Result<Sample, String> {
    let expected = ["expected", "output", "answer"].into_iter().find_map(|name| row.shift_remove(name));
    let id = match row.shift_remove("id") {
        Some(Value::String(id)) => id,
        Some(id) => id.to_string(),
        None => (number + 1).to_string(),
    };
    let input = match row.shift_remove("input") {
        Some(Value::Object(input)) => input,
        Some(value) => Object::from_iter([("input".to_owned(), value)]),
        None => return Err("a row needs `input` and `expected`".to_owned()),
    };
    Ok(Sample { id, input, expected, ..Sample::default() })
}

fn text_of(input: &Object) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    input.values().map(text).collect::<Vec<_>>().join("\n")
}

fn pieces(text: &str) -> HashMap<[char; 3], f64> {
    let mut counts = HashMap::new();
    let chars: Vec<char> = text
        .split_whitespace()
        .flat_map(|word| std::iter::once(' ').chain(word.chars().flat_map(char::to_lowercase)))
        .chain([' '])
        .collect();
    for window in chars.windows(3) {
        if let [a, b, c] = window {
            *counts.entry([*a, *b, *c]).or_default() += 1.0;
        }
    }
    counts
}

fn weighed(mut counts: HashMap<[char; 3], f64>, rarity: &HashMap<[char; 3], f64>) -> HashMap<[char; 3], f64> {
    let mut square = 0.0;
    for (piece, count) in &mut counts {
        *count = (1.0 + *count).ln() * rarity.get(piece).copied().unwrap_or(1.0);
        square += *count * *count;
    }
    let length = f64::sqrt(square);
    if length > 0.0 {
        for weight in counts.values_mut() {
            *weight /= length;
        }
    }
    counts
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
        let source = FileExamples::new(folder.path());
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
}
