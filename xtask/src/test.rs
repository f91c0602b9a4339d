//! `cargo xtask test`: everything that is tested, in order, stopping at the first part that fails.

mod parts;
mod tally;

use crate::tools::Missing;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use parts::{PARTS, Part};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tally::Tally;

/// What became of a part.
struct Outcome {
    part: &'static str,
    took: Duration,
    tally: Tally,
    verdict: Verdict,
}

enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Runs the parts named in `only`, or all, and prints the sum as the last line.
pub(crate) fn run(workspace: &Workspace, only: &[&str]) -> Result<ExitCode> {
    let mut outcomes = Vec::new();
    for part in chosen(only)? {
        println!("\n== {}: {}", part.name, part.what);
        let outcome = run_part(part, workspace);
        let failed = matches!(outcome.verdict, Verdict::Failed(_));
        outcomes.push(outcome);
        if failed {
            break;
        }
    }
    println!();
    let mut sum = Tally::default();
    for outcome in &outcomes {
        sum += outcome.tally;
        println!("{}", outcome.line());
    }
    println!("{sum}");
    let failed = outcomes.iter().any(|outcome| matches!(outcome.verdict, Verdict::Failed(_)));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The parts and what they do, one a line.
pub(crate) fn list_of_parts() -> String {
    let lines: Vec<_> = PARTS.iter().map(|part| format!("  {:<10}{}\n", part.name, part.what)).collect();
    lines.concat()
}

/// The parts to run, in their order, each with those it needs before it.
fn chosen(only: &[&str]) -> Result<Vec<&'static Part>> {
    if let Some(unknown) = only.iter().find(|name| PARTS.iter().all(|part| part.name != **name)) {
        let names: Vec<_> = PARTS.iter().map(|part| part.name).collect();
        bail!("there is no part `{unknown}`; there are: {}", names.join(", "));
    }
    let wanted = |part: &Part| only.is_empty() || only.contains(&part.name);
    let needed = |name: &str| PARTS.iter().any(|part| wanted(part) && part.needs == Some(name));
    Ok(PARTS.iter().filter(|part| wanted(part) || needed(part.name)).collect())
}

fn run_part(part: &'static Part, workspace: &Workspace) -> Outcome {
    let start = Instant::now();
    let (mut tally, verdict) = match (part.run)(workspace) {
        Ok((tally, None)) => (tally, Verdict::Passed),
        Ok((tally, Some(fault))) => (tally, Verdict::Failed(fault)),
        Err(error) if !workspace.ci && error.downcast_ref::<Missing>().is_some() => {
            (Tally::default(), Verdict::Skipped(format!("{error:#}")))
        }
        Err(error) => (Tally::default(), Verdict::Failed(format!("{error:#}"))),
    };
    // A part that has no tests of its own counts as one, and no failure goes uncounted.
    match &verdict {
        Verdict::Passed if tally == Tally::default() => tally.passed = 1,
        Verdict::Failed(_) if tally.failed == 0 => tally.failed = 1,
        Verdict::Skipped(_) => tally.skipped = 1,
        _ => {}
    }
    Outcome { part: part.name, took: start.elapsed(), tally, verdict }
}

impl Outcome {
    fn line(&self) -> String {
        let verdict = match &self.verdict {
            Verdict::Passed => format!("ok       {}", self.tally),
            Verdict::Failed(fault) => format!("FAILED   {}; {fault}", self.tally),
            Verdict::Skipped(why) => format!("SKIPPED  {why}"),
        };
        format!("{:<10}{:>7.1} s  {verdict}", self.part, self.took.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str]) -> Vec<&'static str> {
        chosen(only).unwrap().iter().map(|part| part.name).collect()
    }

    fn workspace(ci: bool) -> Workspace {
        Workspace { root: ".".into(), target: ".".into(), ci }
    }

    #[test]
    fn a_part_brings_what_it_needs() {
        assert_eq!(names(&[]).len(), PARTS.len());
        assert_eq!(names(&["floors"]), ["floors"]);
        assert_eq!(names(&["node", "python"]), ["build", "python", "node"]);
        assert!(chosen(&["pyton"]).is_err());
    }

    #[test]
    fn what_is_needed_comes_before() {
        for part in PARTS {
            let Some(needs) = part.needs else { continue };
            let at = |name| PARTS.iter().position(|other| other.name == name);
            assert!(at(needs).unwrap() < at(part.name).unwrap(), "{}", part.name);
        }
    }

    #[test]
    fn a_missing_tool_skips_but_fails_in_ci() {
        static PART: Part =
            Part { name: "x", what: "", needs: None, run: |_| Err(Missing("no tool".to_owned()).into()) };
        let skipped = run_part(&PART, &workspace(false));
        assert!(skipped.line().contains("SKIPPED  no tool"), "{}", skipped.line());
        assert_eq!(skipped.tally, Tally { skipped: 1, ..Tally::default() });
        let failed = run_part(&PART, &workspace(true));
        assert!(failed.line().contains("FAILED"), "{}", failed.line());
        assert_eq!(failed.tally, Tally { failed: 1, ..Tally::default() });
    }

    #[test]
    fn a_part_without_tests_counts_as_one() {
        static PART: Part = Part { name: "x", what: "", needs: None, run: |_| Ok((Tally::default(), None)) };
        assert_eq!(run_part(&PART, &workspace(true)).tally, Tally { passed: 1, ..Tally::default() });
    }
}
