//! Rows out of files: JSON Lines and tables one at a time, JSON, YAML and TOML whole.

use super::row::Columns;
use super::table::Records;
use crate::file::{self, FileError};
use hanok_base::Sample;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Rows, one after the other; those without an id of their own have an empty one.
pub type Rows = Box<dyn Iterator<Item = Result<Sample, FileError>> + Send>;

/// The rows of a file, read by its ending.
pub fn of_file(path: &Path, columns: &Columns) -> Result<Rows, FileError> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let open = || {
        let file = File::open(path).map_err(|error| FileError::whole(path, error.to_string()))?;
        Ok::<_, FileError>(BufReader::with_capacity(1 << 16, file))
    };
    let (path, columns) = (path.to_owned(), columns.clone());
    match ending.as_str() {
        "jsonl" | "ndjson" => {
            Ok(Box::new(Lines { reader: open()?, path, columns, line: 0, text: String::new() }))
        }
        "csv" | "tsv" => {
            let separator = if ending == "csv" { b',' } else { b'\t' };
            let mut records = Records::new(open()?, separator);
            let header = records.next_record().map_err(|error| FileError::whole(&path, error.to_string()))?;
            let (_, header) = header.ok_or_else(|| FileError::whole(&path, "the table has no header"))?;
            Ok(Box::new(Table { records, header, path, columns }))
        }
        "json" => {
            let text = file::read(&path)?;
            let value = serde_json::from_str(&text)
                .map_err(|error| FileError::at(&path, error.line(), error.to_string()))?;
            whole(&path, value, &columns)
        }
        "yaml" | "yml" => {
            let text = file::read(&path)?;
            let value =
                serde_saphyr::from_str(&text).map_err(|error| FileError::whole(&path, error.to_string()))?;
            whole(&path, value, &columns)
        }
        "toml" => {
            let text = file::read(&path)?;
            let value = file::toml(&path, &text)?;
            whole(&path, value, &columns)
        }
        _ => Err(FileError::whole(
            &path,
            "rows are read from .jsonl, .csv, .tsv, .json, .yaml and .toml; this is none of them",
        )),
    }
}

/// Rows of values that are there already; `path` is for errors.
pub fn of_values(path: &Path, values: Vec<Value>, columns: &Columns) -> Rows {
    let (path, columns) = (path.to_owned(), columns.clone());
    Box::new(values.into_iter().enumerate().map(move |(at, value)| {
        columns.row(value).map_err(|reason| FileError::whole(&path, format!("row {}: {reason}", at + 1)))
    }))
}

/// A list of rows, or an object with one under `rows`, `samples`, `tests` or `data`.
fn whole(path: &Path, value: Value, columns: &Columns) -> Result<Rows, FileError> {
    let list = match value {
        Value::Array(list) => Some(list),
        Value::Object(mut members) => ["rows", "samples", "tests", "data"].into_iter().find_map(|name| {
            match members.shift_remove(name) {
                Some(Value::Array(list)) => Some(list),
                _ => None,
            }
        }),
        _ => None,
    };
    let list = list.ok_or_else(|| FileError::whole(path, "there is no list of rows in it (`rows`)"))?;
    Ok(of_values(path, list, columns))
}

struct Lines<R> {
    reader: R,
    path: PathBuf,
    columns: Columns,
    line: usize,
    text: String,
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Sample, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.text.clear();
            self.line += 1;
            let at = |reason: String| FileError::at(&self.path, self.line, reason);
            match self.reader.read_line(&mut self.text) {
                Ok(0) => return None,
                Err(error) => return Some(Err(at(error.to_string()))),
                Ok(_) => {}
            }
            let text = self.text.trim_start_matches('\u{feff}').trim();
            if text.is_empty() {
                continue;
            }
            let value = serde_json::from_str(text).map_err(|error| at(format!("it is not JSON: {error}")));
            return Some(value.and_then(|value| self.columns.row(value).map_err(at)));
        }
    }
}

struct Table<R> {
    records: Records<R>,
    header: Vec<String>,
    path: PathBuf,
    columns: Columns,
}

impl<R: BufRead> Iterator for Table<R> {
    type Item = Result<Sample, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (line, fields) = match self.records.next_record() {
            Ok(record) => record?,
            Err(error) => return Some(Err(FileError::whole(&self.path, error.to_string()))),
        };
        let at = |reason: String| FileError::at(&self.path, line, reason);
        if fields.len() != self.header.len() {
            let (found, wanted) = (fields.len(), self.header.len());
            return Some(Err(at(format!("the row has {found} fields, the header {wanted}"))));
        }
        // An empty field of a table says nothing.
        let members = self.header.iter().zip(fields).map(|(name, field)| {
            (name.trim().to_owned(), if field.is_empty() { Value::Null } else { field.into() })
        });
        Some(self.columns.row(Value::Object(members.collect())).map_err(at))
    }
}
