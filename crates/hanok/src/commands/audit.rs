//! `hanok audit`

use crate::config::Effective;
use crate::ownership;
use crate::remote::Remote;
use crate::{output, wiring};
use hanok_server::api_removal::audit_lines;
use http::Method;
use serde_json::Value;
use std::process::ExitCode;

/// Prints who removed what, newest first.
pub(crate) async fn run(effective: Effective, limit: usize, as_json: bool) -> anyhow::Result<ExitCode> {
    let audit = match ownership::running(&effective.data.value) {
        Some(card) => {
            let remote = Remote::new(card, &effective.config)?;
            remote.json(Method::GET, &format!("/api/audit?limit={limit}"), None).await?
        }
        None => audit_lines(&wiring::records_to_read(&effective)?.audit(limit).await?),
    };
    if as_json {
        output::json(&audit)?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines = audit.get("audit").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if lines.is_empty() {
        output::note("nothing was ever removed");
    }
    for line in lines {
        let text = |name: &str| output::safe(line.get(name).and_then(Value::as_str).unwrap_or_default());
        let number = |name: &str| line.get(name).and_then(Value::as_u64).unwrap_or_default();
        let open = if line.get("ended").is_some_and(Value::is_null) { "  (not ended)" } else { "" };
        output::line(format!(
            "{}  {:<20}  {}: {}  {} traces, {} spans, {} responses{open}",
            text("at"),
            text("who"),
            text("what"),
            text("criterion"),
            number("traces"),
            number("spans"),
            number("responses")
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
