//! Rows as lines of a file.

use super::table;
use hanok_base::{Object, Sample};
use serde_json::{Value, json};

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON Lines with everything in them.
    #[default]
    Jsonl,
    /// A table: one column for each member of the input, and those that have a meaning.
    Csv,
    /// `OpenAI`'s evals: `{"input", "ideal"}`; everything else of the row stands beside them.
    OpenAi,
}

impl Format {
    /// The format of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "jsonl" => Self::Jsonl,
            "csv" => Self::Csv,
            "openai" => Self::OpenAi,
            _ => return None,
        })
    }
}

/// Writes rows, one after the other, each as a line without its end.
pub struct Lines {
    format: Format,
    /// Of a table.
    columns: Vec<String>,
}

impl Lines {
    /// Lines of a format. A table has the columns of all rows, which `inputs` are the members of.
    pub fn new(format: Format, inputs: Vec<String>) -> Self {
        Self { format, columns: inputs }
    }

    /// What stands before all rows.
    pub fn header(&self) -> Option<String> {
        (self.format == Format::Csv).then(|| {
            let fixed = ["id", "expected", "cluster", "origin", "metadata"].map(str::to_owned);
            table::line(&[fixed.as_slice(), &self.columns].concat())
        })
    }

    /// A row.
    pub fn line(&self, sample: &Sample) -> String {
        match self.format {
            Format::Jsonl => json!(sample).to_string(),
            Format::OpenAi => open_ai(sample).to_string(),
            Format::Csv => {
                let text = crate::template::text;
                let metadata = if sample.metadata.is_empty() {
                    String::new()
                } else {
                    json!(sample.metadata).to_string()
                };
                let fixed = [
                    sample.id.clone(),
                    sample.expected.as_ref().map(text).unwrap_or_default(),
                    sample.cluster.clone().unwrap_or_default(),
                    sample.origin.clone().unwrap_or_default(),
                    metadata,
                ];
                let inputs =
                    self.columns.iter().map(|name| sample.input.get(name).map(text).unwrap_or_default());
                table::line(&fixed.into_iter().chain(inputs).collect::<Vec<String>>())
            }
        }
    }
}

/// A row as `OpenAI`'s evals have it, with what they have no member for under `hanok`.
fn open_ai(sample: &Sample) -> Value {
    let only = sample.input.values().next().filter(|_| sample.input.len() == 1);
    let input = sample.input.get("messages").or(only).filter(|input| input.is_array() || input.is_string());
    let mut row = Object::new();
    row.insert("input".to_owned(), input.cloned().unwrap_or_else(|| json!(sample.input)));
    if let Some(expected) = &sample.expected {
        row.insert("ideal".to_owned(), expected.clone());
    }
    row.insert("id".to_owned(), sample.id.clone().into());
    if let Some(cluster) = &sample.cluster {
        row.insert("cluster".to_owned(), cluster.clone().into());
    }
    if let Some(origin) = &sample.origin {
        row.insert("origin".to_owned(), origin.clone().into());
    }
    for (name, value) in &sample.metadata {
        row.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(row)
}
