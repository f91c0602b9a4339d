//! `hanok eval`

use super::asking::Asking;
use super::{eval_files, eval_run, eval_show};
use crate::cli::{Eval, EvalRetrieval};
use crate::config::Effective;
use crate::progress::Embedding;
use crate::{output, wiring};
use anyhow::{Context as _, bail};
use hanok_base::Legs;
use hanok_retrieval::{
    Asked, Equipment, EvalReport, Expansion, Fusion, QueryExpander, QueryStep, Questionnaire, Trial,
    documents_of, evaluate_with, has_judgements, make_questions,
};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a line says how far the questions are.
const EVERY: Duration = Duration::from_secs(3);

/// Runs the command.
pub(crate) async fn run(effective: Effective, command: Eval) -> anyhow::Result<ExitCode> {
    match command {
        Eval::Retrieval(command) => {
            let mut asking = None;
            let done = retrieval(&effective, *command, &mut asking).await;
            if let Some(asking) = asking {
                asking.close().await?;
            }
            done
        }
        Eval::Run(command) => eval_run::run(effective, command).await,
        Eval::Import(command) => eval_files::import(&command),
        Eval::Export { file, output } => eval_files::export(&effective, &file, &output),
        other => eval_show::run(effective, other).await,
    }
}

/// Measures. Who is asked on the way is put into `asking`, to be let go of whatever comes of it.
async fn retrieval(
    effective: &Effective,
    command: EvalRetrieval,
    asking: &mut Option<Asking>,
) -> anyhow::Result<ExitCode> {
    let legs = command.legs.map(wiring::legs);
    let embedder = match legs {
        Some(Legs::Bm25) => None,
        _ => wiring::local_embedder(effective, command.embedder.clone()).await?,
    };
    if embedder.is_none() && matches!(legs, Some(Legs::Dense | Legs::Hybrid)) {
        bail!("there is no embedder: name a folder with --embedder, or pull one");
    }
    if command.model.is_some() {
        *asking = Some(Asking::open(effective).await?);
    }
    let (dir, _temporary) = if has_judgements(&command.dir) {
        (command.dir.clone(), None)
    } else {
        questioned(effective, &command, asking.as_ref()).await?
    };
    let fusion = if command.rrf { Fusion::Rrf { k: 60.0 } } else { Fusion::default() };
    let equipment = Equipment { embedder, legs, fusion, ..Equipment::default() };
    let steps: Vec<QueryStep> = command.query.iter().filter_map(|name| QueryStep::parse(name)).collect();
    let expander = match (&command.model, asking.as_ref(), steps.is_empty()) {
        (Some(model), Some(asking), false) => {
            Some(QueryExpander::new(asking.gateway(), model.as_str().into()))
        }
        _ => None,
    };
    let recorder = asking.as_ref().and_then(Asking::recorder);
    let expansion = expander.as_ref().map(|expander| Expansion { expander, steps: &steps, recorder });
    let shown = Embedding::new(&"eval".into());
    let mut report = evaluate_with(&dir, command.split.as_deref(), equipment, expansion, &|embedded| {
        shown.update(embedded);
    })
    .await?;
    shown.end();
    if !command.per_query {
        report.per_query.clear();
    }
    if command.json.json {
        output::json(&report)?;
    } else {
        show(&report)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes questions about a folder that has no judgements; gives the folder they are in, and what holds that.
async fn questioned(
    effective: &Effective,
    command: &EvalRetrieval,
    asking: Option<&Asking>,
) -> anyhow::Result<(PathBuf, Option<tempfile::TempDir>)> {
    let dir = &command.dir;
    if !dir.is_dir() {
        bail!("there is no folder {}", dir.display());
    }
    let (Some(model), Some(asking)) = (&command.model, asking) else {
        bail!(
            "{} holds no qrels.tsv and no qrels/test.tsv: name a model that makes questions about what is in it with --model",
            dir.display()
        );
    };
    if command.questions == 0 {
        bail!("--questions 0 asks nothing");
    }
    let (save, temporary) = if let Some(save) = &command.save {
        (save.clone(), None)
    } else {
        output::note("the questions are gone after this run; --save FOLDER keeps them");
        let folder = tempfile::tempdir()?;
        (folder.path().to_owned(), Some(folder))
    };
    let inside = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if inside(&save).starts_with(inside(dir)) {
        bail!("{} is in {}: the questions would be taken for documents", save.display(), dir.display());
    }
    let documents = documents_of(dir, wiring::intake(effective)?).await?;
    if documents.is_empty() {
        bail!("{} holds no document", dir.display());
    }
    let wanted = Questionnaire {
        gateway: asking.gateway(),
        model: model.as_str().into(),
        questions: command.questions,
        seed: command.seed,
    };
    let shown = Shown::new(effective, model);
    let made = make_questions(&documents, &save, &wanted, asking.recorder(), &|asked| shown.update(asked))
        .await
        .with_context(|| format!("making questions by {model}"))?;
    shown.end();
    output::note(format!(
        "{} questions by {model} about {} chunks; the others' answers were not found in their chunk",
        made.questions, made.tried
    ));
    if made.questions == 0 {
        bail!("{model} made no question whose answer is in its chunk");
    }
    Ok((save, temporary))
}

/// Says how far the questions are and what they cost.
struct Shown {
    price: Option<hanok_trace::Price>,
    last: Mutex<(Instant, Asked)>,
}

impl Shown {
    fn new(effective: &Effective, model: &str) -> Self {
        // An alias may lead to any of several models, and its calls are priced in the records.
        let price = model
            .split_once('/')
            .and_then(|(provider, model)| wiring::prices(effective).find(provider, Some(model), None));
        Self { price, last: Mutex::new((Instant::now(), Asked::default())) }
    }

    fn update(&self, asked: Asked) {
        let Ok(mut last) = self.last.lock() else { return };
        if last.0.elapsed() >= EVERY {
            *last = (Instant::now(), asked);
            output::note(self.line(asked));
        } else {
            last.1 = asked;
        }
    }

    fn end(&self) {
        if let Ok(last) = self.last.lock() {
            output::note(self.line(last.1));
        }
    }

    fn line(&self, asked: Asked) -> String {
        let tokens = match (asked.usage.input, asked.usage.output) {
            (Some(input), Some(output)) => format!("{input} tokens in and {output} out"),
            _ => "tokens not counted by the provider".to_owned(),
        };
        let cost = self.price.as_ref().and_then(|price| price.cost(&asked.usage));
        let cost = cost.map_or_else(String::new, |cost| format!(", {cost}"));
        format!(
            "{} of {} questions from {} chunks, {tokens}{cost} in this run",
            asked.questions, asked.wanted, asked.tried
        )
    }
}

fn show(report: &EvalReport) -> anyhow::Result<()> {
    output::line(format!("queries      {} over {} documents", report.queries, report.documents))?;
    if let Some(unknown) = report.unknown_documents {
        output::line(format!(
            "unknown      {unknown} relevant documents of {} are not in the corpus, and count as not found",
            output::safe(&report.judgements)
        ))?;
    }
    if let Some(made) = &report.synthetic {
        output::line(format!(
            "synthetic    the questions are made up by {}: good for comparing settings, not for saying how good a search \
             is",
            output::safe(&made.model)
        ))?;
    }
    if !report.query_steps.is_empty() {
        let steps: Vec<&str> = report.query_steps.iter().map(|step| step.as_str()).collect();
        let failed = report.query_steps_failed.unwrap_or_default();
        output::line(format!("steps        {}, which failed for {failed} queries", steps.join(", ")))?;
    }
    let means = [report.ndcg_at_10, report.recall_at_10, report.recall_at_100, report.mrr, report.map];
    for (mean, named) in means.iter().zip(&report.intervals) {
        output::line(format!(
            "{:<12} {mean:.4}   95 % from {:.4} to {:.4}",
            named.measure, named.low, named.high
        ))?;
    }
    if let Some(trials) = &report.trial {
        let line = |of: &str, trial: &Trial| {
            output::line(format!("dense leg    trusted {:.2}{of}: {}", trial.trust, trial.reason()))
        };
        match trials.scripts.as_ref().filter(|scripts| scripts.len() > 1) {
            None => line("", &trials.whole)?,
            Some(scripts) => {
                for (script, trial) in scripts {
                    line(&format!(" for questions in {} letters", script.as_str()), trial)?;
                }
            }
        }
    }
    output::line(format!(
        "index        {:.2} s, vectors {:.2} s",
        report.index_seconds, report.embed_seconds
    ))?;
    output::line(format!(
        "query        p50 {:.2} ms, p99 {:.2} ms",
        report.query_ms.p50, report.query_ms.p99
    ))?;
    for query in &report.per_query {
        output::line(format!("{:<12} {:.4}  {}", query.id, query.ndcg_at_10, query.found.join(" ")))?;
    }
    Ok(())
}
