//! Datasets: rows out of files, traces and queues, versions by content, splits, and what is wrong with them.
//!
//! A version is the hash of its rows in their order: the same rows are the same version, wherever they come from. A
//! row without an id of its own gets one by its content, so that rows that stay keep theirs when others come or go.

pub mod duplicates;
pub mod export;
pub mod from_queue;
pub mod from_traces;
mod row;
mod source;
pub mod split;
mod table;

pub use row::Columns;
pub use source::{Rows, of_file, of_values};
pub(crate) use table::Records;

use crate::file::FileError;
use crate::keeper::{KeepError, Keeper};
use hanok_base::Sample;
use hanok_store::datasets::{ContentHash, DatasetVersion, NewRow, content_hash, to_hex};
use serde_json::Value;
use std::collections::HashMap;

/// Rows kept at once.
const BATCH: usize = 1000;

/// A dataset could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// Its file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Where it is kept.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// It is not what it must be; with the way out.
    #[error("{0}")]
    Invalid(String),
}

/// Makes a version of a dataset out of rows. `open` gives the rows, and again where they are not known yet: they are
/// never held all at once.
pub async fn make(
    keeper: &Keeper,
    name: &str,
    source: &Value,
    open: impl Fn() -> Result<Rows, FileError>,
) -> Result<DatasetVersion, DatasetError> {
    let mut hashes: Vec<ContentHash> = Vec::new();
    let mut ids = Ids::default();
    for sample in open()? {
        hashes.push(new_row(&ids.give(sample?)?)?.hash);
    }
    if hashes.is_empty() {
        return Err(DatasetError::Invalid(format!("the dataset `{name}` has no rows")));
    }
    let hash = to_hex(&content_hash(hashes.as_flattened()));
    if let Some(known) = keeper.version(name.to_owned(), hash).await?.filter(|known| known.lost == 0) {
        return Ok(known);
    }
    let mut ids = Ids::default();
    let mut batch = Vec::with_capacity(BATCH);
    for sample in open()? {
        batch.push(new_row(&ids.give(sample?)?)?);
        if batch.len() == BATCH {
            keeper.keep_rows(std::mem::take(&mut batch)).await?;
        }
    }
    keeper.keep_rows(batch).await?;
    Ok(keeper.make_version(name.to_owned(), hashes, source.to_string()).await?)
}

/// A sample as it is kept.
fn new_row(sample: &Sample) -> Result<NewRow, DatasetError> {
    let body = serde_json::to_string(sample).map_err(KeepError::from)?;
    Ok(NewRow { hash: content_hash(body.as_bytes()), cluster: sample.cluster.clone(), body })
}

/// Gives ids to rows that have none, and sees that no two rows have one.
#[derive(Default)]
struct Ids {
    known: HashMap<ContentHash, u32>,
}

impl Ids {
    fn give(&mut self, mut sample: Sample) -> Result<Sample, DatasetError> {
        let is_own = !sample.id.is_empty();
        if !is_own {
            let input = serde_json::to_vec(&sample.input).map_err(KeepError::from)?;
            sample.id = to_hex(&content_hash(&input)).chars().take(12).collect();
        }
        let count = self.known.entry(content_hash(sample.id.as_bytes())).or_insert(0);
        *count += 1;
        match (*count, is_own) {
            (1, _) => Ok(sample),
            (_, true) => Err(DatasetError::Invalid(format!(
                "two rows have the id `{}`: give each its own, or none",
                sample.id
            ))),
            (nth, false) => {
                sample.id = format!("{}-{nth}", sample.id);
                Ok(sample)
            }
        }
    }
}

/// Calls `each` with every row of a version, in order.
pub async fn each_row(
    keeper: &Keeper,
    version: i64,
    mut each: impl FnMut(Sample),
) -> Result<(), DatasetError> {
    let mut from = 0;
    loop {
        let rows = keeper.rows(version, from, BATCH).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        from = last.position + 1;
        for row in rows {
            each(serde_json::from_str(&row.body).map_err(KeepError::from)?);
        }
    }
}

/// The split a row is in, where it says so.
pub fn split_of(sample: &Sample) -> Option<&str> {
    sample.metadata.get("split").and_then(Value::as_str)
}
