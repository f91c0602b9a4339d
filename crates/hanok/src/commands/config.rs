//! `hanok config`

use crate::cli::ConfigCommand;
use crate::config::{Config, Effective, Overrides, Told, hide};
use crate::{output, wiring};
use serde_json::{Map, Value, json};
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
    let embedder = wiring::default_embedder(effective);
    let told = effective.told(embedder.as_deref())?;
    if as_json {
        let mut all = serde_json::to_value(effective)?;
        all.get_mut("config").map(hide);
        let settings: Map<String, Value> = told
            .into_iter()
            .map(|told| Ok((told.path.clone(), serde_json::to_value(told)?)))
            .collect::<serde_json::Result<_>>()?;
        if let Some(all) = all.as_object_mut() {
            all.insert("settings".to_owned(), settings.into());
        }
        return output::json(&all);
    }
    let line = |name: &str, value: String, from: String| {
        let from = if origin { format!("  # {from}") } else { String::new() };
        output::line(output::safe(&format!("{name} = {value}{from}")))
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
    for Told { path, value, origin } in told {
        line(&path, value.to_string(), origin.to_string())?;
    }
    let file = effective
        .file
        .as_ref()
        .map_or_else(|| "default".to_owned(), |path| format!("file {}", path.display()));
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
