//! Measures Hanok as a gateway against a mock upstream, beside a bare hyper proxy and haproxy, all in one run.
//! `cargo xtask bench gateway` builds both programs and starts this one.
//!
//! Deliberately not here: any code of the product. Hanok is measured from outside, as its clients meet it.
//!
//! Reading order: [`plan`] (what is measured), [`report`] (what it is held to), [`target`] (the programs),
//! [`load`] (the clients), [`prompt`], [`mock`] (the upstream), [`floor`], [`serve`], [`proc`].

#![allow(clippy::print_stdout, reason = "a command-line tool; its output is its product")]

mod floor;
mod load;
mod mock;
mod plan;
mod proc;
mod prompt;
mod report;
mod serve;
mod target;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use serde_json::json;

#[derive(Debug, Parser)]
#[command(name = "gateway-bench")]
enum Command {
    /// Measure and print the table
    Run(plan::Options),
    #[command(flatten)]
    Part(Part),
}

/// What runs as a process of its own.
#[derive(Debug, Subcommand)]
enum Part {
    /// An upstream that answers at once
    Mock,
    /// A bare proxy
    Floor {
        /// The upstream's host and port
        upstream: String,
    },
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Part(Part::Mock) => mock::run(),
        Command::Part(Part::Floor { upstream }) => floor::run(&upstream),
        Command::Run(options) => {
            let results = plan::run(&options)?;
            let rows = report::rows(&results);
            println!("{}", report::table(&results, &rows));
            if let Some(path) = options.json {
                let document = serde_json::to_vec_pretty(&json!({ "rows": rows, "results": results }))?;
                std::fs::write(&path, document).with_context(|| format!("writing {}", path.display()))?;
            }
            Ok(())
        }
    }
}
