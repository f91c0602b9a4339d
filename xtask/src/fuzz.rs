//! `cargo xtask fuzz`: builds the fuzzer, optimised but with every check on, and runs it.

use crate::process;
use crate::workspace::Workspace;
use anyhow::Result;
use std::process::Command;

/// Fuzzes; `options` go to the fuzzer as they are.
pub(crate) fn run(workspace: &Workspace, options: &[&str]) -> Result<()> {
    process::run(workspace.cargo().args(["build", "--profile", "fuzz", "--package", "wire-fuzz"]))?;
    process::run(Command::new(workspace.target.join("fuzz").join("wire-fuzz")).args(options))
}
