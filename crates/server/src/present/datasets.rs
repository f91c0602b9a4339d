//! Datasets as pages show them.

use super::evals::{READ, SAMPLES, aside, plain, view_of};
use crate::ui::view_evals::{AlikeView, DatasetRow, DatasetView, DatasetsView, RowView, VersionView};
use hanok_base::Sample;
use hanok_eval::dataset::duplicates::{Finder, Findings};
use hanok_eval::dataset::split_of;
use hanok_eval::{KeepError, Keeper};
use hanok_store::datasets::{DatasetInfo, DatasetVersion, StoredRow};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Rows up to which a page looks for like ones.
const LOOKED_AT: u64 = 5000;

/// The datasets.
pub(crate) async fn datasets(keeper: &Keeper) -> Result<DatasetsView, KeepError> {
    let row = |info: DatasetInfo| DatasetRow {
        name: info.name,
        versions: info.versions,
        newest: version(&info.newest),
    };
    Ok(DatasetsView { rows: keeper.datasets().await?.into_iter().map(row).collect() })
}

fn version(version: &DatasetVersion) -> VersionView {
    let source: Value = serde_json::from_str(&version.source).unwrap_or_default();
    let mut kinds = ["file", "traces", "queue", "split"].into_iter();
    let of = kinds.find_map(|kind| Some((kind.to_owned(), plain(source.get(kind)?))));
    VersionView {
        hash: version.short(),
        rows: version.rows,
        created: version.created,
        source: of.unwrap_or_default(),
    }
}

/// Which rows of a dataset are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct AskedRows {
    /// The beginning of the version's hash; the newest one where it is empty.
    pub(crate) version: String,
    /// The split; all where it is empty.
    pub(crate) split: String,
    /// `alike`, `open`, or all where it is empty.
    pub(crate) only: String,
    /// Text that is looked for.
    pub(crate) text: String,
    /// The place from which the page begins.
    pub(crate) from: i64,
}

/// A version of a dataset with a page of its rows; `None` where there is no such version.
pub(crate) async fn dataset(
    keeper: &Keeper,
    name: &str,
    asked: AskedRows,
) -> Result<Option<DatasetView>, KeepError> {
    let Some(known) = keeper.version(name.to_owned(), asked.version.clone()).await? else { return Ok(None) };
    let versions = keeper.versions(name.to_owned()).await?;
    let mut view = DatasetView {
        name: name.to_owned(),
        versions: versions.iter().map(version).collect(),
        version: version(&known),
        split: asked.split,
        only: asked.only,
        text: asked.text,
        ..DatasetView::default()
    };
    let mut alike = HashMap::new();
    if known.rows <= LOOKED_AT {
        let (splits, findings) = look_at(keeper, known.id).await?;
        alike = by_id(&findings);
        (view.splits, view.findings) = (splits, Some(findings));
    }
    rows(keeper, known.id, asked.from, &alike, &mut view).await?;
    Ok(Some(view))
}

/// Reads a version from its beginning: its splits, and what is wrong with it.
async fn look_at(keeper: &Keeper, version: i64) -> Result<(Vec<(String, u64)>, Findings), KeepError> {
    let mut samples = Vec::new();
    let mut from = 0;
    loop {
        let rows = keeper.rows(version, from, 1000).await?;
        let Some(last) = rows.last() else { break };
        from = last.position + 1;
        samples.extend(rows.iter().map(read));
    }
    let work = move || {
        let mut splits: BTreeMap<String, u64> = BTreeMap::new();
        let mut finder = Finder::default();
        for sample in &samples {
            *splits.entry(split_of(sample).unwrap_or_default().to_owned()).or_default() += 1;
            finder.push(sample);
        }
        (splits.into_iter().collect(), finder.findings())
    };
    Ok(aside(work).await.unwrap_or_default())
}

fn read(row: &StoredRow) -> Sample {
    serde_json::from_str(&row.body).unwrap_or_default()
}

/// The rows that each row is like.
fn by_id(findings: &Findings) -> HashMap<String, Vec<AlikeView>> {
    let mut found: HashMap<String, Vec<AlikeView>> = HashMap::new();
    for pair in &findings.pairs {
        for (one, other) in [(&pair.first, &pair.second), (&pair.second, &pair.first)] {
            found.entry(one.clone()).or_default().push(AlikeView {
                id: other.clone(),
                likeness: pair.likeness,
                leaks: pair.splits.is_some(),
                contradicts: pair.contradict,
            });
        }
    }
    found
}

/// Fills in a page of the rows that are asked for.
async fn rows(
    keeper: &Keeper,
    version: i64,
    mut from: i64,
    alike: &HashMap<String, Vec<AlikeView>>,
    view: &mut DatasetView,
) -> Result<(), KeepError> {
    let wanted = view.text.to_lowercase();
    let is_wanted = |row: &StoredRow, sample: &Sample, view: &DatasetView| {
        let of_split = view.split.is_empty() || split_of(sample) == Some(view.split.as_str());
        let of_kind = match view.only.as_str() {
            "alike" => alike.contains_key(&sample.id),
            "open" => sample.expected.is_none(),
            _ => true,
        };
        of_split && of_kind && (wanted.is_empty() || row.body.to_lowercase().contains(&wanted))
    };
    loop {
        let read_rows = keeper.rows(version, from, READ).await?;
        let Some(last) = read_rows.last() else { return Ok(()) };
        from = last.position.saturating_add(1);
        for row in &read_rows {
            let sample = read(row);
            if !is_wanted(row, &sample, view) {
                continue;
            }
            if view.rows.len() == SAMPLES {
                view.next = Some(row.position);
                return Ok(());
            }
            view.rows.push(row_view(row, &sample, alike));
        }
    }
}

fn row_view(row: &StoredRow, sample: &Sample, alike: &HashMap<String, Vec<AlikeView>>) -> RowView {
    RowView {
        place: u64::try_from(row.position).unwrap_or(0).saturating_add(1),
        sample: view_of(sample),
        split: split_of(sample).unwrap_or_default().to_owned(),
        cluster: sample.cluster.clone(),
        metadata: sample
            .metadata
            .iter()
            .filter(|(name, _)| *name != "split")
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        alike: alike.get(&sample.id).cloned().unwrap_or_default(),
    }
}
