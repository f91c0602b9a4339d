//! `hanok dataset`

use crate::cli::{Dataset, DatasetAdd};
use crate::config::Effective;
use crate::output;
use crate::wiring::{EvalHouse, evals_to_read};
use anyhow::{Context as _, bail};
use hanok_base::Sample;
use hanok_eval::Keeper;
use hanok_eval::dataset::duplicates::{Finder, Findings};
use hanok_eval::dataset::export::{Format, Lines};
use hanok_eval::dataset::split::Parts;
use hanok_eval::dataset::{self, Columns, Rows, each_row, from_queue, from_traces, split_of};
use hanok_store::datasets::DatasetVersion;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs the command.
pub(crate) async fn run(effective: Effective, command: Dataset) -> anyhow::Result<ExitCode> {
    match command {
        Dataset::Ls(json) => ls(&evals_to_read(&effective)?.runner.keeper, json.json).await?,
        Dataset::Show { name, at, limit, json } => {
            show(&evals_to_read(&effective)?.runner.keeper, name, at, limit, json.json).await?;
        }
        Dataset::Check { name, at, json } => {
            return check(&effective, name, at, json.json).await;
        }
        Dataset::Export { name, at, split, format, output } => {
            let format = Format::parse(&format)
                .with_context(|| format!("--format: `{format}` is none of jsonl, csv and openai"))?;
            let keeper = evals_to_read(&effective)?.runner.keeper;
            let version = wanted(&keeper, name, at).await?;
            export(&keeper, &version, split, format, output).await?;
        }
        Dataset::Add(add) => {
            let house = EvalHouse::open(&effective, false).await?;
            let made = self::add(&house, &add).await;
            house.close().await?;
            say(&made?, add.json.json)?;
        }
        Dataset::Split { name, into, seed, json } => {
            let parts = Parts::read(&into).map_err(anyhow::Error::msg).context("--into")?;
            let house = EvalHouse::open(&effective, false).await?;
            let made = split(&house.experiments.runner.keeper, name, &into, &parts, seed).await;
            house.close().await?;
            let (version, counts) = made?;
            if json.json {
                output::json(&json!({ "version": version, "splits": counts }))?;
            } else {
                say(&version, false)?;
                for (part, count) in counts {
                    output::line(output::safe(&format!("{part:<12} {count} rows")))?;
                }
            }
        }
        Dataset::Rm { name } => {
            let house = EvalHouse::open(&effective, false).await?;
            let gone = house.experiments.runner.keeper.remove_dataset(name.clone()).await;
            house.close().await?;
            if !gone? {
                bail!("there is no dataset `{name}`; `hanok dataset ls` lists them");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn ls(keeper: &Keeper, as_json: bool) -> anyhow::Result<()> {
    let found = keeper.datasets().await?;
    if as_json {
        return output::json(&json!({ "datasets": found }));
    }
    if found.is_empty() {
        output::note("there is no dataset yet; try `hanok dataset add NAME --file FILE`");
    }
    for dataset in found {
        output::line(output::safe(&format!(
            "{:<28} {:>8} rows  version {}  {} in all{}",
            dataset.name,
            dataset.newest.rows,
            dataset.newest.short(),
            dataset.versions,
            lost(&dataset.newest)
        )))?;
    }
    Ok(())
}

async fn wanted(keeper: &Keeper, name: String, hash: String) -> anyhow::Result<DatasetVersion> {
    let found = keeper.version(name.clone(), hash.clone()).await?;
    found.with_context(|| {
        let version = if hash.is_empty() { String::new() } else { format!(" in version {hash}") };
        format!("there is no dataset `{name}`{version}; `hanok dataset ls` lists them")
    })
}

async fn show(
    keeper: &Keeper,
    name: String,
    hash: String,
    limit: usize,
    as_json: bool,
) -> anyhow::Result<()> {
    let version = wanted(keeper, name.clone(), hash).await?;
    let rows = keeper.rows(version.id, 0, limit).await?;
    let versions = keeper.versions(name).await?;
    if as_json {
        let rows: Vec<Value> =
            rows.iter().map(|row| serde_json::from_str(&row.body).unwrap_or_default()).collect();
        return output::json(&json!({ "version": version, "versions": versions, "rows": rows }));
    }
    for known in &versions {
        let mark = if known.id == version.id { "*" } else { " " };
        output::line(output::safe(&format!(
            "{mark} {}  {}  {} rows{}  {}",
            known.short(),
            known.created.rfc3339(),
            known.rows,
            lost(known),
            known.source
        )))?;
    }
    for row in &rows {
        output::line(output::safe(&row.body))?;
    }
    Ok(())
}

async fn add(house: &EvalHouse, add: &DatasetAdd) -> anyhow::Result<DatasetVersion> {
    let keeper = &house.experiments.runner.keeper;
    let columns = Columns {
        input: add.input.clone(),
        expected: add.expected.clone(),
        id: add.id.clone(),
        cluster: add.cluster.clone(),
    };
    let mut before = Vec::new();
    if add.append
        && let Some(version) = keeper.version(add.name.clone(), String::new()).await?
    {
        each_row(keeper, version.id, |sample| before.push(sample)).await?;
    }
    let known = |sample: &Sample| before.iter().any(|row| row.id == sample.id && !row.id.is_empty());
    let merged = |found: Vec<Sample>| -> Vec<Sample> {
        before.iter().cloned().chain(found.into_iter().filter(|row| !known(row))).collect()
    };
    let records = || house.experiments.traces.as_ref().context("there are no records to take rows from");
    if let Some(queue) = &add.queue {
        let rows = merged(from_queue::rows(records()?.store(), queue).await?);
        let open = || Ok(Box::new(rows.clone().into_iter().map(Ok)) as Rows);
        return Ok(dataset::make(keeper, &add.name, &json!({ "queue": queue }), open).await?);
    }
    if let Some(filter) = &add.traces {
        let traces = records()?;
        let taken = from_traces::Taken { limit: add.limit, answers_are_right: add.answers_are_right };
        let found = from_traces::rows(traces, filter, taken).await?;
        let rows = merged(found);
        let open = || Ok(Box::new(rows.clone().into_iter().map(Ok)) as Rows);
        return Ok(dataset::make(keeper, &add.name, &json!({ "traces": filter }), open).await?);
    }
    let file = add.file.clone().unwrap_or_default();
    let path = std::path::absolute(&file)?;
    let open = || {
        let rows = dataset::of_file(&file, &columns)?;
        Ok(Box::new(before.clone().into_iter().map(Ok).chain(rows)) as Rows)
    };
    Ok(dataset::make(keeper, &add.name, &json!({ "file": path }), open).await?)
}

/// What a version has no longer.
fn lost(version: &DatasetVersion) -> String {
    match version.lost {
        0 => String::new(),
        lost => format!(", {lost} more went with their traces"),
    }
}

fn say(version: &DatasetVersion, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return output::json(version);
    }
    let (rows, lost) = (version.rows, lost(version));
    let text = format!("{}: {rows} rows, version {}{lost}", version.dataset, version.short());
    Ok(output::line(output::safe(&text))?)
}

async fn split(
    keeper: &Keeper,
    name: String,
    into: &str,
    parts: &Parts,
    seed: u64,
) -> anyhow::Result<(DatasetVersion, BTreeMap<String, u64>)> {
    let version = wanted(keeper, name.clone(), String::new()).await?;
    let (mut rows, mut counts) = (Vec::new(), BTreeMap::new());
    each_row(keeper, version.id, |mut sample| {
        let part = parts.of(&sample, seed).to_owned();
        *counts.entry(part.clone()).or_insert(0) += 1;
        sample.metadata.insert("split".to_owned(), part.into());
        rows.push(sample);
    })
    .await?;
    let source = json!({ "split": into, "seed": seed, "of": version.short() });
    let open = || Ok(Box::new(rows.clone().into_iter().map(Ok)) as Rows);
    Ok((dataset::make(keeper, &name, &source, open).await?, counts))
}

async fn check(effective: &Effective, name: String, hash: String, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut finder = Finder::default();
    let file = Path::new(&name);
    if file.is_file() {
        for (at, row) in dataset::of_file(file, &Columns::default())?.enumerate() {
            let mut row = row?;
            if row.id.is_empty() {
                row.id = format!("row {}", at + 1);
            }
            finder.push(&row);
        }
    } else {
        let keeper = evals_to_read(effective)?.runner.keeper;
        let version = wanted(&keeper, name, hash).await?;
        each_row(&keeper, version.id, |row| finder.push(&row)).await?;
    }
    let findings = finder.findings();
    if as_json {
        output::json(&findings)?;
    } else {
        tell(&findings)?;
    }
    Ok(if findings.leaks > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn tell(findings: &Findings) -> anyhow::Result<()> {
    let counts = [
        (findings.rows, "rows"),
        (findings.without_expected, "say not what would be right"),
        (findings.same, "pairs with the same input"),
        (findings.near, "pairs with nearly the same input"),
        (findings.contradictions, "pairs that contradict each other"),
        (findings.leaks, "pairs over two splits"),
    ];
    for (count, what) in counts {
        output::line(format!("{count:>8} {what}"))?;
    }
    for pair in findings.pairs.iter().take(20) {
        let splits = pair.splits.as_ref().map(|(a, b)| format!("  {a} and {b}")).unwrap_or_default();
        let contradict = if pair.contradict { "  contradict each other" } else { "" };
        output::line(output::safe(&format!(
            "{:.2}  {}  {}{splits}{contradict}",
            pair.likeness, pair.first, pair.second
        )))?;
    }
    Ok(())
}

async fn export(
    keeper: &Keeper,
    version: &DatasetVersion,
    split: Option<String>,
    format: Format,
    into: Option<PathBuf>,
) -> anyhow::Result<()> {
    let is_wanted = |sample: &Sample| split.is_none() || split_of(sample) == split.as_deref();
    let mut inputs: Vec<String> = Vec::new();
    if format == Format::Csv {
        each_row(keeper, version.id, |sample| {
            for name in sample.input.keys() {
                if !inputs.contains(name) {
                    inputs.push(name.clone());
                }
            }
        })
        .await?;
    }
    let lines = Lines::new(format, inputs);
    let mut out: Box<dyn std::io::Write> = match &into {
        Some(path) => {
            let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
            Box::new(std::io::BufWriter::new(file.with_context(|| path.display().to_string())?))
        }
        None => Box::new(std::io::BufWriter::new(std::io::stdout())),
    };
    if let Some(header) = lines.header() {
        writeln!(out, "{header}")?;
    }
    let mut failed = None;
    each_row(keeper, version.id, |sample| {
        if failed.is_none() && is_wanted(&sample) {
            failed = writeln!(out, "{}", lines.line(&sample)).err();
        }
    })
    .await?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(out.flush()?),
    }
}
