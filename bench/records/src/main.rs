//! Measures Hanok's records from outside, as exporters and people meet them: a corpus made by a script from real
//! text is sent by OTLP, then asked for. `cargo xtask bench records` builds the binary and this, and starts it.
//!
//! Deliberately not here: any code of the product.
//!
//! Reading order: [`plan`] (what is measured), [`backlog`] (what is seen behind much, and of one large trace),
//! [`report`] (what it is held to), [`chart`] (how it grows), [`corpus`] (the script), [`otlp`] (how spans are sent),
//! [`house`] (the program), [`client`], [`memory`], [`proc`].

#![allow(clippy::print_stdout, reason = "a command-line tool; its output is its product")]

mod backlog;
mod chart;
mod client;
mod corpus;
mod house;
mod memory;
mod otlp;
mod plan;
#[path = "../../gateway/src/proc.rs"]
#[allow(dead_code, reason = "of what the bench of the gateway looks at, some is not asked here")]
mod proc;
mod report;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;

#[derive(Debug, Parser)]
#[command(name = "records-bench")]
enum Command {
    /// Measure and print the table
    Run(plan::Options),
}

fn main() -> Result<()> {
    let Command::Run(options) = Command::parse();
    println!("{}\n", corpus::SCRIPT);
    let results = plan::run(&options)?;
    let rows = report::rows(&results);
    println!("{}", report::table(&results, &rows));
    if results.sizes.len() > 1 {
        println!("{}", chart::table(&results));
    }
    if let Some(path) = options.chart {
        std::fs::write(&path, chart::svg(&results)).with_context(|| format!("writing {}", path.display()))?;
    }
    if let Some(path) = options.json {
        let document = serde_json::to_vec_pretty(&json!({ "rows": rows, "results": results }))?;
        std::fs::write(&path, document).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
