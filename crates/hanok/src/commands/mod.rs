//! One file a command.

mod ask;
mod asking;
mod audit;
mod chat;
mod config;
mod dataset;
mod db;
mod doctor;
mod eval;
mod eval_files;
mod eval_run;
mod eval_show;
mod index;
mod init;
mod judge;
mod judge_labels;
mod judge_show;
mod keys;
mod models;
mod prompt;
mod prompt_test;
mod pull;
mod reload;
mod removing;
mod search;
mod trace;
mod trace_export;
mod trace_stats;
mod tune;
mod up;

use crate::cli::{Cli, Command};
use crate::config::Effective;
use crate::logging;
use clap::CommandFactory as _;
use std::process::ExitCode;

/// Runs the command.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let overrides = cli.overrides();
    match cli.command {
        Command::ParseDocuments => {
            return Ok(hanok_parse::child(std::io::stdin().lock(), std::io::stdout().lock()));
        }
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "hanok", &mut out);
            crate::output::text(&String::from_utf8(out)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Config(command) => return config::run(&command, &overrides),
        Command::Init(init) => return init::run(&init, &overrides),
        _ => {}
    }
    let effective = match (Effective::load(&overrides), &cli.command) {
        (Err(error), Command::Doctor(json)) => {
            let rest = Effective::without_file(&overrides)?;
            return block_on(doctor::run(rest, *json, Some(error)));
        }
        (loaded, _) => loaded?,
    };
    logging::start(&effective)?;
    match cli.command {
        Command::Up(up) => block_on(up::run(effective, up)),
        Command::Index(index) => block_on(index::run(effective, index)),
        Command::Search(search) => block_on(search::run(effective, search)),
        Command::Ask(ask) => block_on(ask::run(effective, ask)),
        Command::Chat(chat) => block_on(chat::run(effective, chat)),
        Command::Trace(crate::cli::Trace::Rm(rm)) => block_on(removing::run(effective, rm)),
        Command::Trace(trace) => block_on(trace::run(effective, trace)),
        Command::Prompt(command) => block_on(prompt::run(effective, command)),
        Command::Keys(keys) => block_on(keys::run(effective, keys)),
        Command::Audit { limit, json } => block_on(audit::run(effective, limit, json.json)),
        Command::Db(db) => block_on(db::run(effective, db)),
        Command::Doctor(json) => block_on(doctor::run(effective, json, None)),
        Command::Eval(eval) => block_on(eval::run(effective, eval)),
        Command::Dataset(command) => block_on(dataset::run(effective, command)),
        Command::Judge(command) => block_on(judge::run(effective, command)),
        Command::Pull(pull) => block_on(pull::run(effective, pull)),
        Command::List(json) => models::list(&effective, json.json),
        Command::Rm { name } => models::rm(&effective, &name),
        Command::Tune(command) => block_on(tune::run(effective, command)),
        Command::Completions { .. } | Command::Config(_) | Command::Init(_) | Command::ParseDocuments => {
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn block_on(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("hanok").build()?;
    let done = runtime.block_on(work);
    // A file that is being read must not hold up the end; what it would have given is read again next time.
    runtime.shutdown_background();
    done
}
