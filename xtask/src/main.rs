//! `cargo xtask`: the chores of this repository, as plain Rust instead of shell.
//!
//! Deliberately not here: anything the product does. No crate may depend on this one.
//!
//! Reading order: [`floors`] (which crate may depend on which), [`test`] (everything that is
//! tested, in order), [`bench`], [`fuzz`], [`workspace`], [`process`], [`tools`].

// A command-line tool speaks on stdout.
#![allow(clippy::print_stdout, reason = "a command-line tool; its output is its product")]

mod bench;
mod floors;
mod fuzz;
mod process;
mod test;
mod tools;
mod workspace;

use anyhow::{Result, bail};
use std::process::ExitCode;
use workspace::Workspace;

const HELP: &str = "\
cargo xtask COMMAND

  test [--only PART]...   run all tests, or only these parts; see below
  floors                  check that crates depend strictly downward
  bench eval              measure evals beside promptfoo and Inspect, which it installs; --help tells the flags,
                          --no-peers leaves them out
  bench gateway           measure the gateway against a mock upstream; --help tells the flags
  bench local             sentences a second of local models, beside torch; --help tells the flags
  bench records           measure records: spans taken in, asked for, on disk; --help tells the flags
  bench retrieval         measure search: quality on collections with judgements, speed, memory, growth
  bench vectors [N]       measure the index by itself: 100,000 real vectors, N made ones, and words
  example playlist-search run the example with the release binary; --help tells the flags
  fuzz [--seconds N]      run every decoder on mutated bytes, so many seconds each (120);
       [--only NAME]...   only these decoders; --help tells the other flags
  help                    this text

parts of `test`, in order:
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<ExitCode> {
    match args {
        ["test", options @ ..] => test::run(&Workspace::find()?, &only(options)?),
        ["floors"] => {
            let edges = floors::check_workspace()?;
            println!("floors: {edges} edges, all strictly downward");
            Ok(ExitCode::SUCCESS)
        }
        ["bench", "eval", options @ ..] => {
            bench::run_eval(&Workspace::find()?, options).map(|()| ExitCode::SUCCESS)
        }
        ["bench", "gateway", options @ ..] => {
            bench::run_bench(&Workspace::find()?, "gateway-bench", options).map(|()| ExitCode::SUCCESS)
        }
        ["bench", "local", options @ ..] => {
            bench::run_alone(&Workspace::find()?, "local-bench", options).map(|()| ExitCode::SUCCESS)
        }
        ["bench", "records", options @ ..] => {
            bench::run_bench(&Workspace::find()?, "records-bench", options).map(|()| ExitCode::SUCCESS)
        }
        ["bench", "retrieval", options @ ..] => {
            bench::run_bench(&Workspace::find()?, "retrieval-bench", options).map(|()| ExitCode::SUCCESS)
        }
        ["bench", "vectors", options @ ..] => {
            bench::run_vectors(&Workspace::find()?, options).map(|()| ExitCode::SUCCESS)
        }
        ["example", "playlist-search", options @ ..] => {
            bench::run_bench(&Workspace::find()?, "playlist-search", options).map(|()| ExitCode::SUCCESS)
        }
        ["fuzz", options @ ..] => fuzz::run(&Workspace::find()?, options).map(|()| ExitCode::SUCCESS),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}{}", test::list_of_parts());
            Ok(ExitCode::SUCCESS)
        }
        [other, ..] => bail!("there is no command `{other}`; see `cargo xtask help`"),
    }
}

/// The parts named by `--only PART` and `--only=PART`; empty means all.
fn only<'a>(options: &[&'a str]) -> Result<Vec<&'a str>> {
    let mut parts = Vec::new();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        if let Some(part) = option.strip_prefix("--only=") {
            parts.push(part);
        } else if *option == "--only" {
            let Some(part) = options.next() else { bail!("--only wants the name of a part") };
            parts.push(part);
        } else {
            bail!("`test` does not know `{option}`; see `cargo xtask help`");
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::only;

    #[test]
    fn only_is_read_in_both_spellings() {
        assert_eq!(only(&["--only", "python", "--only=node"]).unwrap(), ["python", "node"]);
        assert!(only(&[]).unwrap().is_empty());
        assert!(only(&["--only"]).is_err());
        assert!(only(&["python"]).is_err());
    }
}
