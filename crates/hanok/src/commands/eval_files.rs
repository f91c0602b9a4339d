//! `hanok eval import` and `export`: other programs' files.

use crate::cli::EvalImport;
use crate::config::Effective;
use crate::output;
use crate::wiring;
use anyhow::Context as _;
use hanok_eval::Spec;
use hanok_eval::import::{self, Choice, Imported, Wanted};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Makes an eval of a file.
pub(crate) fn import(command: &EvalImport) -> anyhow::Result<ExitCode> {
    let chosen =
        Choice { prompt: command.prompt.saturating_sub(1), provider: command.provider.saturating_sub(1) };
    let choices = if command.all { import::choices(&command.file)? } else { vec![chosen] };
    for choice in choices {
        let wanted = Wanted { model: command.model.as_deref(), judge: command.judge.as_deref(), choice };
        let Imported { toml, notes } = import::read(&command.file, wanted)?;
        let into = if command.all { of_choice(&command.output, choice) } else { command.output.clone() };
        write_new(&into, &toml)?;
        for note in &notes {
            output::note(output::safe(&format!("note: {note}")));
        }
        output::line(format!("{} is written; `hanok eval run {0}` runs it", into.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The file of one of several: `NAME-p1-m2.toml`.
fn of_choice(path: &Path, choice: Choice) -> PathBuf {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!("{stem}-p{}-m{}.toml", choice.prompt + 1, choice.provider + 1))
}

/// Writes an eval as another program has it.
pub(crate) fn export(effective: &Effective, file: &Path, into: &Path) -> anyhow::Result<ExitCode> {
    let spec = Spec::read(&wiring::eval_file(effective, file))?;
    let exported = import::write(&spec, into)?;
    write_new(into, &exported.text)?;
    for note in &exported.notes {
        output::note(output::safe(&format!("note: {note}")));
    }
    output::line(format!("{} is written", into.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.with_context(|| path.display().to_string())?;
    Ok(file.write_all(text.as_bytes())?)
}
