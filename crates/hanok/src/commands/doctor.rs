//! `hanok doctor`

use crate::cli::Json;
use crate::config::{ConfigError, Effective};
use crate::output;
use crate::ownership;
use crate::remote::Remote;
use crate::wiring;
use hanok_gateway::{Catalog, ProviderHealth};
use http::Method;
use serde::Serialize;
use std::process::ExitCode;

/// One thing looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// `ok`, `note` or `problem`.
    state: &'static str,
    /// What was looked at.
    what: String,
    /// What was found.
    found: String,
    /// What to do about it.
    advice: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { state: "ok", what: what.into(), found: found.into(), advice: None }
    }
    fn note(what: impl Into<String>, found: impl Into<String>, advice: &str) -> Self {
        Self { state: "note", what: what.into(), found: found.into(), advice: Some(advice.to_owned()) }
    }
    fn problem(what: impl Into<String>, found: impl Into<String>, advice: &str) -> Self {
        Self { state: "problem", what: what.into(), found: found.into(), advice: Some(advice.to_owned()) }
    }
}

/// Looks at everything; exits 1 when there is a problem.
pub(crate) async fn run(
    effective: Effective,
    json: Json,
    bad_file: Option<ConfigError>,
) -> anyhow::Result<ExitCode> {
    let mut findings = Vec::new();
    match bad_file {
        Some(error) => findings.push(Finding::problem(
            "configuration",
            error.to_string(),
            "mend the file; `hanok config check` looks at it again. What follows is without it",
        )),
        None => configuration(&effective, &mut findings),
    }
    server(&effective, &mut findings).await;
    records(&effective, &mut findings).await;
    providers(&effective, &mut findings).await;
    let sick = findings.iter().any(|finding| finding.state == "problem");
    if json.json {
        output::json(&serde_json::json!({ "ok": !sick, "findings": findings }))?;
    } else {
        for finding in &findings {
            let sign = match finding.state {
                "ok" => output::styled("32", "ok      "),
                "note" => output::styled("33", "note    "),
                _ => output::styled("31", "problem "),
            };
            output::line(format!("{sign} {:<14} {}", finding.what, output::safe(&finding.found)))?;
            if let Some(advice) = &finding.advice {
                output::line(format!("{:24}{advice}", ""))?;
            }
        }
    }
    Ok(if sick { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn configuration(effective: &Effective, findings: &mut Vec<Finding>) {
    let file = effective
        .file
        .as_ref()
        .map_or_else(|| "no hanok.toml; defaults".to_owned(), |f| f.display().to_string());
    match wiring::check(effective) {
        Ok(notes) => {
            findings.push(Finding::ok("configuration", file));
            for note in notes {
                findings.push(Finding::problem("configuration", note, "set it, or take the entry out"));
            }
        }
        Err(error) => {
            findings.push(Finding::problem(
                "configuration",
                format!("{error:#}"),
                "see `hanok config check`",
            ));
        }
    }
}

async fn server(effective: &Effective, findings: &mut Vec<Finding>) {
    let Some(card) = ownership::running(&effective.data.value) else {
        findings.push(Finding::note("server", "none runs on this data folder", "start one: hanok up PATH"));
        return;
    };
    let at = format!("pid {} at {}", card.pid, card.url);
    let status = match Remote::new(card, &effective.config) {
        Ok(remote) => remote.json(Method::GET, "/api/status", None).await,
        Err(error) => Err(error),
    };
    match status {
        Ok(status) => {
            findings.push(Finding::ok("server", at));
            let store = status.get("store").and_then(serde_json::Value::as_str).unwrap_or("ok");
            if let Some(message) =
                status.pointer("/config_problem/message").and_then(serde_json::Value::as_str)
            {
                findings.push(Finding::problem(
                    "reload",
                    format!("the server keeps the configuration from before: {message}"),
                    "mend the file; the server takes it by itself then",
                ));
            }
            if store != "ok" {
                findings.push(Finding::problem("store", store, "free some space for the data folder"));
            }
        }
        Err(error) => {
            findings.push(Finding::problem("server", format!("{at}: {error:#}"), "look at its log"));
        }
    }
}

async fn records(effective: &Effective, findings: &mut Vec<Finding>) {
    let folder = effective.data.value.display().to_string();
    let store = match wiring::store_to_read(effective) {
        Ok(store) => store,
        Err(_) if !effective.data.value.join("hanok.db").exists() => {
            findings.push(Finding::note(
                "data",
                format!("{folder} holds nothing yet"),
                "it is made by `hanok up`",
            ));
            return;
        }
        Err(error) => {
            findings.push(Finding::problem("data", format!("{error:#}"), "give another folder with --data"));
            return;
        }
    };
    match hanok_retrieval::Library::open(store, &effective.data.value).await {
        Ok(library) => {
            findings.push(Finding::ok("data", folder));
            for info in library.collections() {
                let found = format!("{}: {} documents", info.name, info.coverage.indexed);
                findings.push(Finding::ok("collection", found));
            }
        }
        Err(error) => {
            findings.push(Finding::problem("documents", error.to_string(), "index them anew: hanok index"));
        }
    }
}

async fn providers(effective: &Effective, findings: &mut Vec<Finding>) {
    let Ok(routes) = wiring::provider_routes(effective) else {
        return;
    };
    if routes.providers().is_empty() {
        let advice = "set a key such as OPENAI_API_KEY, or add [providers.ollama] with vendor = \"ollama\"; \
                      hanok/extract answers without any";
        findings.push(Finding::note("providers", "none is configured", advice));
        return;
    }
    let catalog = Catalog::default();
    catalog.refresh_all(routes.providers()).await;
    for provider in routes.providers() {
        let name = provider.name();
        findings.push(match catalog.health(name) {
            ProviderHealth::Listed(models) => Finding::ok("provider", format!("{name}: {models} models")),
            ProviderHealth::Failed(error) => Finding::problem(
                "provider",
                format!("{name}: {error}"),
                "check its key, its base_url, and that it runs",
            ),
            ProviderHealth::Unknown => {
                Finding::problem("provider", format!("{name}: did not answer"), "try again")
            }
        });
    }
}
