//! `hanok trace rm`: through the server that runs on the data folder, or on the folder itself when none does.

use crate::cli::Rm;
use crate::config::Effective;
use crate::output;
use crate::ownership::{self, Owned};
use crate::remote::Remote;
use crate::wiring;
use anyhow::bail;
use hanok_base::Timestamp;
use hanok_server::api_removal::{Wanted, removed};
use hanok_store::{Options, Store};
use hanok_trace::TraceStore;
use http::Method;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;

/// Says how many would go, asks, and removes them.
pub(crate) async fn run(effective: Effective, rm: Rm) -> anyhow::Result<ExitCode> {
    let Rm { user, session, source, filter, responses, dry_run, yes, json } = rm;
    let wanted = Wanted { user, session, source, filter, responses, dry_run: true };
    if let Err(why) = wanted.target(Timestamp::now()) {
        bail!("{}", why.replace('`', ""));
    }
    let house = House::open(&effective)?;
    let done = house.clear(&wanted, dry_run, yes, json.json).await;
    house.close().await?;
    done
}

enum House {
    Running(Box<Remote>),
    Alone { traces: TraceStore, owned: Owned },
}

impl House {
    fn open(effective: &Effective) -> anyhow::Result<Self> {
        let data = &effective.data.value;
        if let Some(card) = ownership::running(data) {
            return Ok(Self::Running(Box::new(Remote::new(card, &effective.config)?)));
        }
        // There must be records, before a folder is made for them.
        wiring::store_to_read(effective)?.close();
        let owned = Owned::take(data)?;
        let store = Store::open(data, Options::default())?;
        Ok(Self::Alone { traces: TraceStore::new(store, Arc::default()), owned })
    }

    async fn clear(
        &self,
        wanted: &Wanted,
        dry_run: bool,
        yes: bool,
        as_json: bool,
    ) -> anyhow::Result<ExitCode> {
        let found = self.ask(wanted).await?;
        let count = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
        let told = |value: &Value| {
            let mut text = format!("{} traces with {} spans", count(value, "traces"), count(value, "spans"));
            if wanted.responses {
                // Writing to a string cannot fail.
                let _ = write!(text, ", {} kept responses", count(value, "responses"));
            }
            text
        };
        if dry_run {
            if as_json {
                output::json(&found)?;
            } else {
                output::line(format!("{} would be deleted", told(&found)))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        if !yes && !confirmed(&told(&found))? {
            output::note("nothing was deleted");
            return Ok(ExitCode::from(1));
        }
        let gone = self.ask(&Wanted { dry_run: false, ..wanted.clone() }).await?;
        if as_json {
            output::json(&gone)?;
        } else {
            output::line(format!("{} are deleted", told(&gone)))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn ask(&self, wanted: &Wanted) -> anyhow::Result<Value> {
        match self {
            Self::Running(remote) => {
                let mut path =
                    format!("/api/traces?responses={}&dry_run={}", wanted.responses, wanted.dry_run);
                let named = [
                    ("user", &wanted.user),
                    ("session", &wanted.session),
                    ("source", &wanted.source),
                    ("filter", &wanted.filter),
                ];
                for (name, value) in named {
                    if let Some(value) = value {
                        let value =
                            percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
                        // Writing to a string cannot fail.
                        let _ = write!(path, "&{name}={value}");
                    }
                }
                remote.json(Method::DELETE, &path, None).await
            }
            Self::Alone { traces, .. } => {
                let target = wanted.target(Timestamp::now()).map_err(anyhow::Error::msg)?;
                let gone = if wanted.dry_run {
                    traces.would_remove(&target, wanted.responses).await?
                } else {
                    traces.remove(&target, wanted.responses, "owner").await?
                };
                Ok(removed(gone, wanted.dry_run))
            }
        }
    }

    async fn close(self) -> anyhow::Result<()> {
        if let Self::Alone { traces, owned } = self {
            let store = traces.store().clone();
            drop(traces);
            store.flush().await?;
            tokio::task::spawn_blocking(move || store.close()).await?;
            drop(owned);
        }
        Ok(())
    }
}

fn confirmed(what: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("{what} would be deleted for good; say --yes to do it, or --dry-run to only look");
    }
    output::note(format!("delete {what} for good? [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
