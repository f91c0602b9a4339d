//! The parts, in the order they run: what is quick and what breaks most often first.

use super::tally::{Runner, Tally};
use crate::process::{run, run_watching, spell};
use crate::workspace::Workspace;
use crate::{floors, tools};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something that is tested.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    /// The part that must have run before.
    pub(super) needs: Option<&'static str>,
    /// Gives the tests counted and, where some failed, what to say.
    pub(super) run: fn(&Workspace) -> Result<Counted>,
}

type Counted = (Tally, Option<String>);

/// All parts.
pub(super) static PARTS: &[Part] = &[
    Part { name: "floors", what: "crates depend strictly downward", needs: None, run: floors },
    Part { name: "fmt", what: "cargo fmt --check", needs: None, run: fmt },
    Part { name: "clippy", what: "cargo clippy, warnings denied", needs: None, run: clippy },
    Part { name: "rust", what: "cargo test of the workspace", needs: None, run: rust },
    Part { name: "build", what: "the binary for the black-box tests", needs: None, run: build },
    Part {
        name: "python",
        what: "the clients in Python, and the command line",
        needs: Some("build"),
        run: python,
    },
    Part { name: "node", what: "the clients in Node", needs: Some("build"), run: node },
    Part { name: "browser", what: "every page in Chromium", needs: Some("build"), run: browser },
];

fn floors(_: &Workspace) -> Result<Counted> {
    floors::check_workspace()?;
    Ok(Counted::default())
}

fn fmt(workspace: &Workspace) -> Result<Counted> {
    tools::rust_component("rustfmt", "fmt")?;
    run(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    Ok(Counted::default())
}

fn clippy(workspace: &Workspace) -> Result<Counted> {
    tools::rust_component("clippy", "clippy")?;
    run(workspace.cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(Counted::default())
}

fn rust(workspace: &Workspace) -> Result<Counted> {
    count(workspace, workspace.cargo().args(["test", "--workspace"]), Runner::Cargo)
}

fn build(workspace: &Workspace) -> Result<Counted> {
    run(workspace.cargo().args(["build", "--package", "hanok", "--bin", "hanok"]))?;
    run(workspace.cargo().args(["build", "--package", "playlist-search"]))?;
    Ok(Counted::default())
}

fn python(workspace: &Workspace) -> Result<Counted> {
    let tests = workspace.root.join("tests/python");
    let list = tests.join("requirements.txt");
    let requirements = fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
    let bin = tools::python(workspace, "venv", &requirements)?;
    let mut pytest = Command::new(bin.join("python"));
    pytest.args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "--durations=5"]).arg(&tests);
    pytest.env("PYTHONDONTWRITEBYTECODE", "1");
    count(workspace, black_box(workspace, &mut pytest), Runner::Pytest)
}

fn node(workspace: &Workspace) -> Result<Counted> {
    node_tests(workspace, "node", None)
}

fn browser(workspace: &Workspace) -> Result<Counted> {
    run(workspace.cargo().args(["build", "--package", "hanok-store", "--example", "sample_records"]))?;
    node_tests(workspace, "browser", Some(&tools::chromium()?))
}

fn node_tests(workspace: &Workspace, name: &str, chromium: Option<&Path>) -> Result<Counted> {
    let node = tools::node(workspace)?;
    let folder = tools::npm_package(workspace, name, node.as_deref())?;
    let mut command = tools::with_path("node", node.as_deref());
    // The spec reporter is named because the default differs between a terminal and a pipe.
    command.args(["--test", "--test-reporter=spec"]).args(test_files(&folder)?).current_dir(&folder);
    if let Some(chromium) = chromium {
        command.env("CHROMIUM", chromium).env("HANOK_SAMPLES", workspace.example("sample_records"));
    }
    count(workspace, black_box(workspace, &mut command), Runner::Node)
}

/// The `*.test.mjs` files of a folder. Named one by one: what `node --test` finds by itself differs
/// between versions.
fn test_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What black-box tests are told.
fn black_box<'a>(workspace: &Workspace, command: &'a mut Command) -> &'a mut Command {
    command.env("HANOK_BIN", workspace.binary()).env("HANOK_TESTS", workspace.root.join("tests"))
}

fn count(workspace: &Workspace, command: &mut Command, runner: Runner) -> Result<Counted> {
    let mut tally = Tally::default();
    let status = run_watching(command, |line| tally += runner.read(line))?;
    let fault = if !status.success() {
        Some(format!("`{}` failed ({status})", spell(command)))
    } else if tally == Tally::default() {
        Some(format!("`{}` ran no test", spell(command)))
    } else if workspace.ci && tally.skipped > 0 && matches!(runner, Runner::Node) {
        // What pytest may skip, tests/python/conftest.py says.
        Some(format!("`{}` skipped tests", spell(command)))
    } else {
        None
    };
    Ok((tally, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ci: bool, runner: Runner, script: &str, expect: (Tally, bool)) {
        let workspace = Workspace { root: ".".into(), target: ".".into(), ci };
        let (tally, fault) = count(&workspace, Command::new("sh").args(["-c", script]), runner).unwrap();
        assert_eq!((tally, fault.is_none()), expect, "{script}");
    }

    #[test]
    fn the_runners_exit_and_its_summary_both_count() {
        let two = Tally { passed: 2, ..Tally::default() };
        check(true, Runner::Pytest, "echo '2 passed in 0.1s'", (two, true));
        check(true, Runner::Pytest, "echo '2 passed in 0.1s'; exit 1", (two, false));
        check(true, Runner::Pytest, "echo 'nothing to do'", (Tally::default(), false));
        let skipped = Tally { passed: 1, skipped: 1, ..Tally::default() };
        check(false, Runner::Node, "echo 'ℹ pass 1'; echo 'ℹ skipped 1'", (skipped, true));
        check(true, Runner::Node, "echo 'ℹ pass 1'; echo 'ℹ skipped 1'", (skipped, false));
    }
}
