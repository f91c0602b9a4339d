//! Prompts as pages show them.

use crate::House;
use crate::prompt_scores::{self, AllScores, VersionScores};
use crate::ui::view_prompts::{
    LabelRow, MoveRow, PlaygroundView, PromptPage, PromptRow, PromptsView, VersionFigures, VersionRow,
};
use hanok_base::{ErrorKind, Problem, Timestamp};
use hanok_prompt::{LibraryError, Listed, Prompt};
use hanok_store::prompts::LATEST;
use hanok_store::{CallStats, Dimension, PromptMove, PromptVersion, StatsQuery};
use hanok_trace::{TraceStore, parse_filter, stats_query};
use std::collections::HashMap;
use std::time::Duration;

/// How far the figures of versions look back.
const WINDOW: Duration = Duration::from_hours(30 * 24);
/// Versions whose calls are summed up.
const COUNTED: usize = 1_000;
/// Moves of labels that are shown.
const MOVES: usize = 200;
/// Versions of each prompt that the playground offers.
const OFFERED: usize = 8;

/// The calls of the last days, by `name@version`.
type Figures = HashMap<String, VersionFigures>;

/// What is known of versions, by `name@version`.
struct Known {
    figures: Figures,
    scores: AllScores,
}

impl Known {
    async fn read(house: &House, of: Option<&str>) -> Result<Self, Problem> {
        let figures = figures(&house.traces, of).await?;
        let scores = prompt_scores::told(house.traces.store(), of, None).await?;
        Ok(Self { figures, scores })
    }

    fn figures(&self, name: &str, version: &str) -> VersionFigures {
        self.figures.get(&format!("{name}@{version}")).copied().unwrap_or_default()
    }

    fn scores(&self, name: &str, version: &str) -> VersionScores {
        self.scores.get(&format!("{name}@{version}")).cloned().unwrap_or_default()
    }
}

async fn figures(traces: &TraceStore, of: Option<&str>) -> Result<Figures, Problem> {
    let now = Timestamp::now();
    let wrong = |error| crate::api::trace_problem(&error);
    let words = of.map(|name| format!("prompt:\"{name}@*\"")).unwrap_or_default();
    let filter = parse_filter(&words, now)
        .map_err(|error| Problem::new(ErrorKind::InvalidRequest, "invalid_filter", error.to_string()))?;
    let mut query = StatsQuery { group_by: vec![Dimension::Prompt], limit: COUNTED, ..stats_query(&filter) };
    query.filter.since = Some(now.before(WINDOW));
    let found = traces.stats(query).await.map_err(wrong)?;
    let named = |group: hanok_store::GroupStats| {
        let name = group.values.into_iter().next().flatten()?;
        Some((name, summed(&group.sums)))
    };
    Ok(found.groups.into_iter().filter_map(named).collect())
}

fn summed(sums: &CallStats) -> VersionFigures {
    VersionFigures {
        calls: sums.calls,
        errors: sums.errors,
        cost_usd: sums.cost.dollars(),
        unpriced: sums.unpriced,
        latency_ms: sums.latency_ms.map(|[middle, high, _]| [middle, high]),
    }
}

/// The first digits of a hash, as they are shown.
fn short(hash: &str) -> String {
    hash.get(..10).unwrap_or(hash).to_owned()
}

fn told(error: &LibraryError) -> Problem {
    crate::prompts::problem_of(error)
}

/// All prompts.
pub(crate) async fn prompts(house: &House) -> Result<PromptsView, Problem> {
    let known = Known::read(house, None).await?;
    let listed = house.prompts.list();
    Ok(PromptsView {
        folder: house.prompts.folder().display().to_string(),
        prompts: listed.into_iter().map(|listed| row(listed, &known)).collect(),
        draft: None,
    })
}

fn row(listed: Listed, known: &Known) -> PromptRow {
    let filed = listed.version.as_ref().map(|version| version.short().to_owned());
    let mut versions: Vec<VersionRow> = Vec::new();
    let labelled = listed.labels.iter().map(|(label, version)| (version.short().to_owned(), Some(label)));
    for (version, label) in filed.iter().map(|version| (version.clone(), None)).chain(labelled) {
        let at = versions.iter().position(|row| row.version == version);
        let label = label.cloned();
        if let Some(row) = at.and_then(|at| versions.get_mut(at)) {
            row.labels.extend(label);
            continue;
        }
        versions.push(VersionRow {
            figures: known.figures(&listed.name, &version),
            scores: known.scores(&listed.name, &version),
            filed: Some(&version) == filed.as_ref(),
            labels: label.into_iter().collect(),
            made: None,
            version,
        });
    }
    let data = listed.prompt.as_ref().map(|prompt| prompt.metadata());
    PromptRow {
        description: data.and_then(|data| data.description.clone()),
        model: data.and_then(|data| data.model.clone()),
        problem: listed.problem,
        name: listed.name,
        versions,
    }
}

/// One prompt, as its file is or at a label or version.
pub(crate) async fn prompt(house: &House, name: &str, at: Option<&str>) -> Result<PromptPage, Problem> {
    let library = &house.prompts;
    let listed = library.list().into_iter().find(|listed| listed.name == name);
    // A file that cannot be parsed still has a page: that is where it is mended.
    let broken = listed.as_ref().is_some_and(|listed| listed.prompt.is_none());
    let found = match library.resolve(name, at).await {
        Ok(found) => Some(found.prompt),
        Err(_) if broken && at.is_none() => None,
        Err(error) => return Err(told(&error)),
    };
    let versions = none_without_records(library.versions(name).await)?;
    let moves = none_without_records(library.moves(name, MOVES).await)?;
    let known = Known::read(house, Some(name)).await?;
    let filed = listed.as_ref().and_then(|listed| listed.version.as_ref()).map(|at| at.short().to_owned());
    let mut page = PromptPage {
        name: name.to_owned(),
        problem: listed.as_ref().and_then(|listed| listed.problem.clone()),
        labels: listed.as_ref().map(|listed| labels(listed, &moves)).unwrap_or_default(),
        versions: versions.iter().map(|seen| version(seen, listed.as_ref(), &known)).collect(),
        // Where `latest` went is what the versions say.
        moves: moves.into_iter().filter(|one| one.label != LATEST).map(moved).collect(),
        ..PromptPage::default()
    };
    // A version that nobody recorded is there all the same.
    if let Some(filed) = &filed
        && !page.versions.iter().any(|row| row.version == *filed)
    {
        let row = VersionRow {
            version: filed.clone(),
            filed: true,
            figures: known.figures(name, filed),
            scores: known.scores(name, filed),
            ..VersionRow::default()
        };
        page.versions.insert(0, row);
    }
    if let Some(prompt) = found {
        page.filed = filed.as_deref() == Some(prompt.version().short());
        fill(&mut page, &prompt);
    } else {
        page.source = text_of_file(house, name).await.unwrap_or_default();
    }
    Ok(page)
}

fn fill(page: &mut PromptPage, prompt: &Prompt) {
    let data = prompt.metadata();
    prompt.version().short().clone_into(&mut page.shown);
    page.description.clone_from(&data.description);
    page.model.clone_from(&data.model);
    page.source = prompt.source().to_string();
    page.partials = prompt.partials().iter().map(|(name, text)| (name.clone(), text.clone())).collect();
    page.variables = prompt.variables();
    page.notes = prompt.notes().to_vec();
}

/// The text of a file that is no prompt.
async fn text_of_file(house: &House, name: &str) -> Option<String> {
    let path = house.prompts.folder().join(format!("{name}.prompt"));
    tokio::fs::read_to_string(path).await.ok()
}

/// A house without records has no history, which is no failure of its pages.
fn none_without_records<T>(found: Result<Vec<T>, LibraryError>) -> Result<Vec<T>, Problem> {
    match found {
        Err(LibraryError::NoRecords) => Ok(Vec::new()),
        found => found.map_err(|error| told(&error)),
    }
}

fn version(seen: &PromptVersion, listed: Option<&Listed>, known: &Known) -> VersionRow {
    let digits = short(&seen.hash);
    let labels = listed.into_iter().flat_map(|listed| &listed.labels);
    VersionRow {
        labels: labels.filter(|(_, at)| at.as_str() == seen.hash).map(|(label, _)| label.clone()).collect(),
        filed: listed
            .and_then(|listed| listed.version.as_ref())
            .is_some_and(|filed| filed.as_str() == seen.hash),
        made: Some((seen.created, seen.author.clone())),
        figures: known.figures(&seen.name, &digits),
        scores: known.scores(&seen.name, &digits),
        version: digits,
    }
}

fn labels(listed: &Listed, moves: &[PromptMove]) -> Vec<LabelRow> {
    let rows = listed.labels.iter().map(|(label, version)| {
        let last = moves.iter().find(|one| one.label == *label);
        LabelRow {
            label: label.clone(),
            version: version.short().to_owned(),
            moved: last.map(|one| (one.moved, one.author.clone())),
            before: last.and_then(|one| one.before.as_deref()).map(short),
        }
    });
    rows.collect()
}

fn moved(one: PromptMove) -> MoveRow {
    MoveRow {
        label: one.label,
        from: one.before.as_deref().map(short),
        to: one.after.as_deref().map(short),
        at: one.moved,
        author: one.author,
    }
}

/// The playground, opened with a prompt where one is named.
pub(crate) async fn playground(
    house: &House,
    chosen: Option<&str>,
    at: Option<&str>,
) -> Result<PlaygroundView, Problem> {
    let mut prompts = Vec::new();
    for listed in house.prompts.list() {
        let latest = listed.version.is_some().then(|| LATEST.to_owned());
        let mut offered: Vec<String> = latest.into_iter().chain(listed.labels.keys().cloned()).collect();
        let versions = none_without_records(house.prompts.versions(&listed.name).await)?;
        offered.extend(versions.iter().take(OFFERED).map(|seen| short(&seen.hash)));
        // What was asked for by its digits is offered however old it is.
        if let Some(at) =
            at.filter(|at| chosen == Some(&*listed.name) && !offered.iter().any(|one| one == at))
        {
            offered.push(at.to_owned());
        }
        if !offered.is_empty() {
            prompts.push((listed.name, offered));
        }
    }
    let chosen = chosen.and_then(|name| prompts.iter().find(|(known, _)| known == name));
    let chosen = chosen.and_then(|(name, offered)| {
        let at = at.map(str::to_owned).or_else(|| offered.first().cloned())?;
        Some((name.clone(), at))
    });
    let models = house.gateway.model_list().await.into_iter().map(|(id, _)| id);
    let models = models.filter(|id| !id.starts_with("prompt/") && !id.starts_with("hanok/")).collect();
    Ok(PlaygroundView { prompts, models, chosen, datasets: datasets(house).await? })
}

/// Datasets that rows can be had of: files below the folder of the configuration, and those of the store.
async fn datasets(house: &House) -> Result<Vec<String>, Problem> {
    let stored = house.traces.store().datasets().list().await;
    let stored = stored.map_err(|error| crate::api::trace_problem(&error.into()))?;
    let mut names = files(house).await;
    names.extend(stored.into_iter().map(|dataset| dataset.name));
    names.sort();
    names.dedup();
    Ok(names)
}

async fn files(house: &House) -> Vec<String> {
    let folder = house.prompts.folder().parent().map(|folder| folder.join("datasets"));
    let Some(Ok(mut entries)) = (match folder {
        Some(folder) => Some(tokio::fs::read_dir(folder).await),
        None => None,
    }) else {
        // A house without the folder has no such datasets.
        return Vec::new();
    };
    let mut names = Vec::new();
    while let Ok(Some(entry)) = entries.next_entry().await {
        let name = entry.file_name();
        names.extend(name.to_str().and_then(|name| name.strip_suffix(".jsonl")).map(str::to_owned));
    }
    names
}
