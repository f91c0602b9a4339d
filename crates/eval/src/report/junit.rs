//! A report in `JUnit`'s XML: a suite of the gate's checks and one of the samples, written one after the other.

use crate::experiment::{EvalError, Ran};
use crate::gate::Outcome;
use crate::keeper::Keeper;
use crate::score::KeptScores;
use hanok_base::{Sample, ScoreValue};
use hanok_store::evals::{ResultFilter, ResultRow};
use std::io::{self, Write};

/// Results read at once.
const PAGE: usize = 500;

/// Writes the report. A sample fails where the task gave no output or a score is no.
pub async fn write(keeper: &Keeper, ran: &Ran, out: &mut (impl Write + Send)) -> Result<(), EvalError> {
    let failed = |error: io::Error| EvalError::Invalid(format!("the report cannot be written: {error}"));
    out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n").map_err(failed)?;
    if let Some(gate) = &ran.gate {
        writeln!(out, "<testsuite name=\"{} gate\" tests=\"{}\">", escaped(&ran.name), gate.checks.len())
            .map_err(failed)?;
        for checked in &gate.checks {
            let (name, because) = (escaped(&checked.check), escaped(&checked.because));
            let inner = match checked.outcome {
                Outcome::Passed => format!("<system-out>{because}</system-out>"),
                Outcome::Failed => format!("<failure message=\"{because}\"/>"),
                Outcome::Undecided => format!("<failure type=\"undecided\" message=\"{because}\"/>"),
            };
            writeln!(out, "<testcase classname=\"gate\" name=\"{name}\">{inner}</testcase>")
                .map_err(failed)?;
        }
        out.write_all(b"</testsuite>\n").map_err(failed)?;
    }
    writeln!(out, "<testsuite name=\"{}\" tests=\"{}\">", escaped(&ran.name), ran.report.tries)
        .map_err(failed)?;
    let mut after = None;
    loop {
        let page = keeper.results(ran.experiment, ResultFilter::All, after, PAGE).await?;
        for row in &page.rows {
            out.write_all(case(&ran.name, row).as_bytes()).map_err(failed)?;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    out.write_all(b"</testsuite>\n</testsuites>\n").map_err(failed)?;
    out.flush().map_err(failed)
}

fn case(suite: &str, row: &ResultRow) -> String {
    let id = serde_json::from_str::<Sample>(&row.sample).map(|sample| sample.id).unwrap_or_default();
    let name = if row.repeat == 0 { id } else { format!("{id} (repeat {})", row.repeat + 1) };
    #[expect(clippy::cast_precision_loss, reason = "a latency is far below 2^53 nanoseconds")]
    let time = row.latency_ns.unwrap_or(0) as f64 / 1e9;
    let mut inner = String::new();
    if let Some(error) = &row.error {
        inner = format!("<error message=\"{}\"/>", escaped(error));
    } else {
        let scores = KeptScores::read(&row.scores).unwrap_or_default();
        let wrong: Vec<String> = scores
            .0
            .iter()
            .filter(|(_, score)| score.value == Some(ScoreValue::Truth(false)))
            .map(|(name, score)| format!("{name}: {}", if score.why.is_empty() { "no" } else { &score.why }))
            .collect();
        if !wrong.is_empty() {
            inner = format!("<failure message=\"{}\"/>", escaped(&wrong.join("; ")));
        }
    }
    let (suite, name) = (escaped(suite), escaped(&name));
    format!("<testcase classname=\"{suite}\" name=\"{name}\" time=\"{time:.6}\">{inner}</testcase>\n")
}

/// Text for XML: what no document may hold is shown as a replacement character.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            '\t' => safe.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
