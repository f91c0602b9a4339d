//! `hanok eval`

use super::{eval_files, eval_run, eval_show};
use crate::cli::Eval;
use crate::config::Effective;
use crate::progress::Embedding;
use crate::{output, wiring};
use anyhow::bail;
use hanok_base::Legs;
use hanok_retrieval::{Equipment, EvalReport, Fusion};
use std::process::ExitCode;

/// Runs the command.
pub(crate) async fn run(effective: Effective, command: Eval) -> anyhow::Result<ExitCode> {
    match command {
        Eval::Retrieval { dir, legs, embedder, rrf, per_query, json } => {
            let legs = legs.map(wiring::legs);
            let embedder = match legs {
                Some(Legs::Bm25) => None,
                _ => wiring::local_embedder(&effective, embedder).await?,
            };
            if embedder.is_none() && matches!(legs, Some(Legs::Dense | Legs::Hybrid)) {
                bail!("there is no embedder: name a folder with --embedder, or pull one");
            }
            let fusion = if rrf { Fusion::Rrf { k: 60.0 } } else { Fusion::default() };
            let equipment = Equipment { embedder, legs, fusion, ..Equipment::default() };
            let shown = Embedding::new(&"eval".into());
            let mut report =
                hanok_retrieval::evaluate(&dir, equipment, &|embedded| shown.update(embedded)).await?;
            shown.end();
            if !per_query {
                report.per_query.clear();
            }
            if json.json {
                output::json(&report)?;
            } else {
                show(&report)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Eval::Run(command) => eval_run::run(effective, command).await,
        Eval::Import(command) => eval_files::import(&command),
        Eval::Export { file, output } => eval_files::export(&effective, &file, &output),
        other => eval_show::run(effective, other).await,
    }
}

fn show(report: &EvalReport) -> anyhow::Result<()> {
    output::line(format!("queries      {} over {} documents", report.queries, report.documents))?;
    let means = [report.ndcg_at_10, report.recall_at_10, report.recall_at_100, report.mrr, report.map];
    for (mean, named) in means.iter().zip(&report.intervals) {
        output::line(format!(
            "{:<12} {mean:.4}   95 % from {:.4} to {:.4}",
            named.measure, named.low, named.high
        ))?;
    }
    if let Some(trial) = &report.trial {
        output::line(format!("dense leg    trusted {:.2}: {}", trial.trust, trial.reason()))?;
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
