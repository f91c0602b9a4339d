//! `hanok config`

use crate::cli::ConfigCommand;
use crate::config::{Config, Effective, Overrides};
use crate::{output, wiring};
use serde_json::json;
use std::process::ExitCode;

/// Runs the command.
pub(crate) fn run(command: &ConfigCommand, overrides: &Overrides) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Schema => output::json(&schemars::schema_for!(Config))?,
        ConfigCommand::Check(flag) => return check(flag.json, overrides),
        ConfigCommand::Show { origin, json } => show(*origin, json.json, &Effective::load(overrides)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(as_json: bool, overrides: &Overrides) -> anyhow::Result<ExitCode> {
    let checked = Effective::load(overrides)
        .map_err(anyhow::Error::from)
        .and_then(|effective| wiring::check(&effective).map(|notes| (effective, notes)));
    match checked {
        Ok((effective, notes)) => {
            if as_json {
                output::json(&json!({ "ok": true, "file": effective.file, "notes": notes }))?;
            } else {
                for note in notes {
                    output::note(format!("note: {note}"));
                }
                output::line(match &effective.file {
                    Some(path) => format!("{} is good", path.display()),
                    None => "there is no hanok.toml; the defaults hold".to_owned(),
                })?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if as_json => {
            output::json(&json!({ "ok": false, "error": format!("{error:#}") }))?;
            Ok(ExitCode::from(1))
        }
        Err(error) => Err(error),
    }
}

fn show(origin: bool, as_json: bool, effective: &Effective) -> anyhow::Result<()> {
    if as_json {
        return output::json(effective);
    }
    let line = |name: &str, value: String, from: String| {
        let from = if origin { format!("  # {from}") } else { String::new() };
        output::line(format!("{name} = {value}{from}"))
    };
    line("data", format!("\"{}\"", effective.data.value.display()), effective.data.origin.to_string())?;
    line("bind", format!("{:?}", effective.bind.value), effective.bind.origin.to_string())?;
    if let Some(otlp) = &effective.otlp {
        line("otlp.bind", format!("{:?}", otlp.value), otlp.origin.to_string())?;
    }
    line("body_limit", effective.body_limit.value.0.to_string(), effective.body_limit.origin.to_string())?;
    line("log.level", format!("{:?}", effective.log_level.value), effective.log_level.origin.to_string())?;
    line(
        "log.format",
        format!("{:?}", format!("{:?}", effective.log_format.value).to_lowercase()),
        effective.log_format.origin.to_string(),
    )?;
    for (name, provider) in wiring::provider_summaries(effective) {
        line(&format!("providers.{name}"), provider.what, provider.origin)?;
    }
    let file = effective
        .file
        .as_ref()
        .map_or_else(|| "default".to_owned(), |path| format!("file {}", path.display()));
    let Config { retention, redaction, sampling, .. } = &effective.config;
    let said = |set: bool| if set { file.clone() } else { "default".to_owned() };
    if let Some(days) = retention.days {
        line("retention.days", days.0.to_string(), file.clone())?;
    }
    if let Some(size) = retention.max_size {
        line("retention.max_size", size.0.to_string(), file.clone())?;
    }
    line(
        "redaction.secrets",
        redaction.secrets.unwrap_or(true).to_string(),
        said(redaction.secrets.is_some()),
    )?;
    let pii = redaction.pii.clone().unwrap_or_default();
    line("redaction.pii", serde_json::to_string(&pii)?, said(redaction.pii.is_some()))?;
    line("sampling.rate", sampling.rate.unwrap_or(1.0).to_string(), said(sampling.rate.is_some()))?;
    if let Some(keep) = &sampling.keep {
        line("sampling.keep", serde_json::to_string(keep)?, file.clone())?;
    }
    for (name, project) in &effective.config.projects {
        line(&format!("projects.{name}"), serde_json::to_string(project)?, file.clone())?;
    }
    for (name, model) in &effective.config.models {
        line(&format!("models.{name}.targets"), format!("{:?}", model.targets), file.clone())?;
    }
    for (name, collection) in &effective.config.collections {
        line(&format!("collections.{name}.paths"), format!("{:?}", collection.paths), file.clone())?;
    }
    for key in &effective.config.keys {
        let state = if key.key.read().is_some() { "set" } else { "not set" };
        line(
            &format!("keys.{}", key.name),
            format!("\"env:{}\" ({state})", key.key.variable()),
            file.clone(),
        )?;
    }
    Ok(())
}
