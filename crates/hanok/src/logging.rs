//! The process log, to stderr.

use crate::config::{Effective, LogFormat};
use anyhow::{Context as _, bail};
use std::io::{self, IsTerminal as _};
use tracing_subscriber::EnvFilter;

/// Starts logging. A level alone speaks of Hanok's own crates; the libraries below stay at `warn`.
pub(crate) fn start(effective: &Effective) -> anyhow::Result<()> {
    let level = effective.log_level.value.trim();
    let plain = ["off", "error", "warn", "info", "debug", "trace"].contains(&level);
    let directives = if plain { own_crates(level) } else { level.to_owned() };
    if !plain && level.chars().all(char::is_alphabetic) {
        bail!(
            "log level `{level}` ({}) is none; use off, error, warn, info, debug, trace, or a filter such as hanok_gateway=debug",
            effective.log_level.origin
        );
    }
    let filter = EnvFilter::try_new(&directives)
        .with_context(|| format!("log level `{level}` ({}) is not understood", effective.log_level.origin))?;
    // A log line that cannot be written is lost; saying so on the same stderr would panic.
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false).with_writer(io::stderr);
    match effective.log_format.value {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Text => {
            let colour =
                io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            log.with_ansi(colour).with_target(false).init();
        }
    }
    Ok(())
}

fn own_crates(level: &str) -> String {
    let crates = ["", "_gateway", "_index", "_net", "_provider", "_retrieval", "_server", "_store", "_trace"];
    let below = if level == "off" { "off" } else { "warn" };
    let own = crates.map(|name| format!("hanok{name}={level}"));
    format!("{below},{}", own.join(","))
}
