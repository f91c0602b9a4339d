//! `hanok ask`

use super::chat::Door;
use crate::cli::Ask;
use crate::config::Effective;
use crate::output;
use hanok_base::{Message, Role};
use std::process::ExitCode;

/// Asks one question.
pub(crate) async fn run(effective: Effective, ask: Ask) -> anyhow::Result<ExitCode> {
    let door = Door::open(&effective).await?;
    let turns = [Message::text(Role::User, ask.question)];
    if ask.json.json {
        output::json(&door.whole(&ask.model, &turns).await?)?;
    } else {
        let answer = door.streamed(&ask.model, &turns).await?;
        for (number, citation) in answer.citations.iter().enumerate() {
            let Some(quote) = &citation.quote else { continue };
            let place = format!("[{}] {}, bytes {} to {}", number + 1, quote.source, quote.start, quote.end);
            output::line(output::styled("2", &output::safe(&place)))?;
        }
        if let Some(trace) = &answer.trace_id {
            output::note(format!("trace: hanok trace show {trace}"));
        }
    }
    door.close().await?;
    Ok(ExitCode::SUCCESS)
}
