//! `hanok trace export`

use crate::cli::TraceExport;
use crate::output;
use anyhow::Context as _;
use hanok_base::{Timestamp, TraceId};
use hanok_trace::{TraceStore, parse_filter};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

/// Traces that are listed at once.
const PAGE: usize = 200;
/// After so many it is said how far it has come.
const TOLD: u64 = 10_000;

/// Writes every trace that fits as one line of JSON, newest first.
pub(crate) async fn run(traces: &TraceStore, options: TraceExport) -> anyhow::Result<ExitCode> {
    let filter = parse_filter(&options.filter, Timestamp::now())?;
    let mut out: Box<dyn Write> = match &options.output {
        // Never over a file that is there already: it may be the only copy of what was removed since.
        Some(path) => Box::new(BufWriter::new(
            File::create_new(path).with_context(|| format!("writing {}", path.display()))?,
        )),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    let (mut cursor, mut written): (Option<String>, u64) = (None, 0);
    loop {
        let page = traces.list(&filter, cursor.as_deref(), PAGE).await?;
        for row in &page.traces {
            let id: TraceId = row.trace_id.parse()?;
            let found = if options.no_content { traces.get_light(id).await? } else { traces.get(id).await? };
            // Removed since it was listed.
            let Some(trace) = found else { continue };
            serde_json::to_writer(&mut out, &trace)?;
            out.write_all(b"\n")?;
            written += 1;
            if written.is_multiple_of(TOLD) {
                output::note(format!("{written} traces"));
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    out.flush()?;
    output::note(format!("{written} traces exported"));
    Ok(ExitCode::SUCCESS)
}
