//! `hanok eval`

use crate::cli::Eval;
use crate::output;
use std::process::ExitCode;

/// Runs the command.
pub(crate) async fn run(command: Eval) -> anyhow::Result<ExitCode> {
    match command {
        Eval::Retrieval { dir, json } => {
            let report = hanok_retrieval::evaluate(&dir).await?;
            if json.json {
                output::json(&report)?;
            } else {
                output::line(format!("queries      {}", report.queries))?;
                output::line(format!("nDCG@10      {:.4}", report.ndcg_at_10))?;
                output::line(format!("recall@10    {:.4}", report.recall_at_10))?;
                output::line(format!("recall@100   {:.4}", report.recall_at_100))?;
                output::line(format!("index        {:.2} s", report.index_seconds))?;
                output::line(format!(
                    "query        p50 {:.2} ms, p99 {:.2} ms",
                    report.query_ms.p50, report.query_ms.p99
                ))?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}
