//! `cargo xtask bench eval|gateway|records|retrieval|local`: builds the release binary and the bench, one after the other, so that
//! neither gets features for the other's sake, and measures.

use crate::process::run;
use crate::workspace::Workspace;
use anyhow::Result;
use std::process::Command;

/// Measures with the package of this name; `options` go to the bench as they are. With `--hanok FILE` among them,
/// that binary is measured and none is built.
pub(crate) fn run_bench(workspace: &Workspace, package: &str, options: &[&str]) -> Result<()> {
    let given = options.iter().any(|option| *option == "--hanok" || option.starts_with("--hanok="));
    let asks = options.iter().any(|option| ["--help", "-h"].contains(option));
    if !given && !asks {
        run(workspace.cargo().args(["build", "--release", "--package", "hanok", "--bin", "hanok"]))?;
    }
    run(workspace.cargo().args(["build", "--release", "--package", package]))?;
    let release = workspace.target.join("release");
    let mut bench = Command::new(release.join(package));
    bench.arg("run").args(options);
    if !given {
        bench.arg("--hanok").arg(release.join("hanok"));
    }
    run(&mut bench)
}

/// Measures with a package that has the crates in itself that it measures.
pub(crate) fn run_alone(workspace: &Workspace, package: &str, options: &[&str]) -> Result<()> {
    run(workspace.cargo().args(["build", "--release", "--package", package]))?;
    run(Command::new(workspace.target.join("release").join(package)).args(options))
}
