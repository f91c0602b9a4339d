//! `cargo xtask bench eval|gateway|records|retrieval|local`: builds the release binary and the bench, one after the other,
//! so that neither gets features for the other's sake, and measures. `bench vectors` embeds texts and measures the index over
//! them.

use crate::process::run;
use crate::tools;
use crate::workspace::Workspace;
use anyhow::Result;
use std::ffi::OsString;
use std::process::Command;

/// What evals are measured beside.
const INSPECT: &str = "inspect-ai==0.3.285\n";
const PROMPTFOO: (&str, &str) = ("promptfoo", "0.123.1");
const PROMPTFOO_NODE: u32 = 23;

/// Measures with the package of this name; `options` go to the bench as they are. With `--hanok FILE` among them,
/// that binary is measured and none is built.
pub(crate) fn run_bench(workspace: &Workspace, package: &str, options: &[&str]) -> Result<()> {
    let mut bench = built(workspace, package, options)?;
    run(&mut bench)
}

/// Measures evals with their peers beside them, which are installed below the target directory; without those that
/// cannot be, and with `--no-peers` without any.
pub(crate) fn run_eval(workspace: &Workspace, options: &[&str]) -> Result<()> {
    let is_alone = options.iter().any(|option| ["--no-peers", "--help", "-h"].contains(option));
    let options: Vec<&str> = options.iter().filter(|option| **option != "--no-peers").copied().collect();
    let mut bench = built(workspace, "eval-bench", &options)?;
    if !is_alone {
        match tools::python(workspace, "peer-inspect", INSPECT) {
            Ok(bin) => drop(bench.arg("--inspect").arg(bin.join("inspect"))),
            Err(why) => println!("without Inspect: {why:#}"),
        }
        match tools::npm_program(workspace, PROMPTFOO.0, PROMPTFOO.1, PROMPTFOO_NODE) {
            Ok((program, node)) => {
                bench.arg("--promptfoo").arg(program);
                if let Some(node) = node {
                    let path = std::env::var_os("PATH").unwrap_or_default();
                    let paths = std::iter::once(node).chain(std::env::split_paths(&path));
                    bench.env("PATH", std::env::join_paths(paths).unwrap_or_else(|_| OsString::from(&path)));
                }
            }
            Err(why) => println!("without promptfoo: {why:#}"),
        }
    }
    run(&mut bench)
}

/// Builds the binary, unless `options` name one, and a bench; gives the bench's command.
fn built(workspace: &Workspace, package: &str, options: &[&str]) -> Result<Command> {
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
    Ok(bench)
}

/// Measures the index by itself: over the vectors of real texts, over as many made ones as `options` say (a million
/// without), and over words.
pub(crate) fn run_vectors(workspace: &Workspace, options: &[&str]) -> Result<()> {
    for package in ["local-bench", "retrieval-bench"] {
        run(workspace.cargo().args(["build", "--release", "--package", package]))?;
    }
    let (release, folder) = (workspace.target.join("release"), workspace.scratch("vectors"));
    std::fs::create_dir_all(&folder)?;
    let [texts, questions, text_vectors, question_vectors] =
        ["texts.jsonl", "questions.jsonl", "texts.f32", "questions.f32"].map(|name| folder.join(name));
    let mut pieces = Command::new(release.join("retrieval-bench"));
    run(pieces.arg("pieces").arg("--texts").arg(&texts).arg("--questions").arg(&questions))?;
    for (from, to) in [(&texts, &text_vectors), (&questions, &question_vectors)] {
        let mut embed = Command::new(release.join("local-bench"));
        run(embed.args(["--most", "1000000", "--texts"]).arg(from).arg("--write").arg(to))?;
    }
    let legs = |args: &[&std::ffi::OsStr]| {
        let mut bench = workspace.cargo();
        run(bench.args(["bench", "--package", "hanok-index", "--bench", "legs", "--"]).args(args))
    };
    legs(&["vectors".as_ref(), text_vectors.as_ref(), question_vectors.as_ref()])?;
    legs(&["synthetic".as_ref(), options.first().unwrap_or(&"1000000").as_ref()])?;
    let words = workspace.root.join("../shared/data/retrieval/scifact");
    legs(&["words".as_ref(), words.as_ref(), "20".as_ref()])
}

/// Measures with a package that has the crates in itself that it measures.
pub(crate) fn run_alone(workspace: &Workspace, package: &str, options: &[&str]) -> Result<()> {
    run(workspace.cargo().args(["build", "--release", "--package", package]))?;
    run(Command::new(workspace.target.join("release").join(package)).args(options))
}
