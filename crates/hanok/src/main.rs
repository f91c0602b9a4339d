//! The binary: command line, configuration, wiring. It alone constructs concrete types; what they do is in
//! the rooms.

#[cfg(unix)]
mod allocator;
mod cli;
mod commands;
mod config;
mod logging;
mod output;
mod ownership;
mod progress;
mod remote;
mod wiring;

use clap::Parser as _;
use std::process::ExitCode;

// Many short calls on two cores: the system allocator's arenas cost memory and time here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    #[cfg(unix)]
    if matches!(cli.command, cli::Command::Up(_)) {
        allocator::give_back_soon();
    }
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => {
            if broken_pipe(&error) {
                // `hanok … | head` is no failure.
                return ExitCode::SUCCESS;
            }
            output::note(format!("error: {}", causes(&error)));
            ExitCode::from(1)
        }
    }
}

/// The error and its causes on one line, leaving out what only repeats.
fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

fn broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
