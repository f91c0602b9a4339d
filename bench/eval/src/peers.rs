//! The same rows through other programs, where they are installed.

use crate::run::{Took, timed};
use anyhow::Result;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// What each installed peer takes for so many echoed rows with one assertion; one that does not run is named and left
/// out.
pub(crate) fn measure(
    promptfoo: Option<&Path>,
    inspect: Option<&Path>,
    rows: usize,
) -> Vec<(&'static str, Took)> {
    type Peer<'a> = (&'static str, Option<&'a Path>, fn(&Path, usize) -> Result<Took>);
    let peers: [Peer<'_>; 2] = [("promptfoo", promptfoo, of_promptfoo), ("Inspect", inspect, of_inspect)];
    let mut measured = Vec::new();
    for (name, program, run) in peers {
        match program.map(|program| run(program, rows)) {
            Some(Ok(took)) => measured.push((name, took)),
            Some(Err(error)) => eprintln!("without {name}: {error:#}"),
            None => {}
        }
    }
    measured
}

fn of_promptfoo(program: &Path, rows: usize) -> Result<Took> {
    let folder = tempfile::tempdir()?;
    let mut config = String::from("prompts: ['{{q}}']\nproviders: [echo]\ntests:\n");
    for n in 0..rows {
        let row = format!(
            "- vars: {{q: 'question number {n}'}}\n  assert: [{{type: equals, value: 'question number {n}'}}]"
        );
        writeln!(config, "{row}")?;
    }
    std::fs::write(folder.path().join("promptfooconfig.yaml"), config)?;
    timed(
        Command::new(program)
            .current_dir(folder.path())
            .env("PROMPTFOO_DISABLE_TELEMETRY", "1")
            .env("PROMPTFOO_DISABLE_UPDATE", "1")
            .env("PROMPTFOO_CONFIG_DIR", folder.path())
            .args(["eval", "--no-cache", "--no-progress-bar", "--no-table", "-j", "16"]),
    )
}

fn of_inspect(program: &Path, rows: usize) -> Result<Took> {
    let folder = tempfile::tempdir()?;
    let task = format!(
        "from inspect_ai import Task, task\n\
         from inspect_ai.dataset import Sample\n\
         from inspect_ai.scorer import includes\n\
         from inspect_ai.solver import generate\n\n\
         @task\n\
         def echo():\n    \
             return Task(dataset=[Sample(input=f'question number {{n}}', target='Default') for n in range({rows})],\n        \
                 solver=generate(), scorer=includes())\n"
    );
    std::fs::write(folder.path().join("echo.py"), task)?;
    timed(Command::new(program).current_dir(folder.path()).args([
        "eval",
        "echo.py",
        "--model",
        "mockllm/model",
        "--display",
        "none",
        "--log-dir",
        "logs",
    ]))
}
