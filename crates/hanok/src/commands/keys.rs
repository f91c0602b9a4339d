//! `hanok keys`: through the server that runs on the data folder, or on the folder itself when none does.

use crate::cli::{Keys, NewKey};
use crate::config::{Effective, Period};
use crate::output;
use crate::ownership::{self, Owned};
use crate::remote::Remote;
use anyhow::Context as _;
use hanok_base::Timestamp;
use hanok_server::keys::{self, KeyRequest};
use hanok_store::{Options, Store};
use http::Method;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Makes, lists, revokes or reconciles keys.
pub(crate) async fn run(effective: Effective, command: Keys) -> anyhow::Result<ExitCode> {
    match command {
        Keys::Create(new) => {
            let as_json = new.json.json;
            let wish = serde_json::to_value(wish(new))?;
            let made = ask(&effective, Method::POST, "", Some(wish)).await?;
            if as_json {
                output::json(&made)?;
            } else {
                output::note("this key is shown once; keep it now:");
                output::line(text(&made, "secret"))?;
                output::note(format!(
                    "`{}` of project `{}`, id {}",
                    text(&made, "name"),
                    text(&made, "project"),
                    text(&made, "id")
                ));
            }
        }
        Keys::Ls(as_json) => {
            let list = ask(&effective, Method::GET, "", None).await?;
            if as_json.json {
                output::json(&list)?;
            } else {
                table(&list)?;
            }
        }
        Keys::Revoke { key, json: as_json } => {
            let revoked = ask(&effective, Method::DELETE, &format!("/{}", encoded(&key)), None).await?;
            if as_json.json {
                output::json(&revoked)?;
            } else {
                output::note(format!("`{}` is revoked", text(&revoked, "name")));
            }
        }
        Keys::Reconcile { key, json: as_json } => {
            let path = format!("/{}/reconcile", encoded(&key));
            let done = ask(&effective, Method::POST, &path, None).await?;
            if as_json.json {
                output::json(&done)?;
            } else {
                let given_back = done.get("given_back_usd").and_then(Value::as_f64).unwrap_or_default();
                output::note(format!("${given_back} of `{}` counts as spent no longer", text(&done, "name")));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn wish(new: NewKey) -> KeyRequest {
    let NewKey { name, project, models, budget, period, expires, admin, .. } = new;
    KeyRequest {
        name,
        project,
        models,
        budget_usd: budget.map(|dollars| decimal(dollars.0.0)),
        period: Some(match period {
            Period::Day => "day".to_owned(),
            Period::Month => "month".to_owned(),
            Period::Total => "total".to_owned(),
        }),
        requests_per_minute: new.requests_per_minute,
        tokens_per_minute: new.tokens_per_minute,
        concurrent: new.concurrent,
        max_output_tokens: new.max_output_tokens,
        expires_in: expires.map(|time| time.duration().as_secs()),
        admin,
        payloads: new.payloads,
    }
}

/// Nano-dollars as dollars, every digit of them.
fn decimal(nano: i64) -> String {
    format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000)
}

/// One path for both ways: what the API would do is done here where no server runs.
async fn ask(
    effective: &Effective,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> anyhow::Result<Value> {
    if let Some(card) = ownership::running(&effective.data.value) {
        let remote = Remote::new(card, &effective.config)?;
        return remote.json(method, &format!("/api/keys{path}"), body.as_ref()).await;
    }
    let data = &effective.data.value;
    let owned = Owned::take(data)?;
    let store = Store::open(data, Options::default())?;
    let done = alone(&store, &method, path, body).await;
    store.flush().await?;
    let closing = store.clone();
    tokio::task::spawn_blocking(move || closing.close()).await?;
    drop(owned);
    done
}

async fn alone(store: &Store, method: &Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
    let named = path.trim_start_matches('/').trim_end_matches("/reconcile");
    let name = percent_encoding::percent_decode_str(named).decode_utf8()?;
    match (method.as_str(), body) {
        ("GET", _) => Ok(json!({ "keys": keys::list(store, None, None).await? })),
        ("POST", Some(body)) => {
            let (key, secret) = keys::create(store, serde_json::from_value(body)?).await?;
            let mut listed = keys::list(store, None, None).await?;
            listed.retain(|known| known.get("id").and_then(Value::as_str) == Some(&*key.id));
            let mut made = listed.pop().context("the key that was made is not there")?;
            if let Some(object) = made.as_object_mut() {
                object.insert("secret".into(), secret.reveal().into());
            }
            Ok(made)
        }
        ("DELETE", _) => {
            let key = keys::revoke(store, &name).await?;
            let revoked = key.revoked.map(Timestamp::rfc3339);
            Ok(
                json!({ "id": key.id, "name": key.name, "project": key.project, "state": "revoked", "revoked": revoked }),
            )
        }
        _ => {
            let (key, given_back) = keys::reconcile(store, &name).await?;
            Ok(json!({ "id": key.id, "name": key.name, "given_back_usd": given_back.dollars() }))
        }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn table(list: &Value) -> anyhow::Result<()> {
    let keys = list.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if keys.is_empty() {
        output::note("there are no keys; anybody on this machine may call. Make one: hanok keys create NAME");
        return Ok(());
    }
    output::line(format!(
        "{:<20} {:<14} {:<10} {:<12} {:>8} {:>10} {:>12}  budget",
        "name", "project", "state", "key", "calls", "tokens", "spent"
    ))?;
    for key in keys {
        let usage = |name: &str| key.pointer(&format!("/usage/{name}")).cloned().unwrap_or_default();
        let budgets = key.get("budgets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let budgets: Vec<String> = budgets
            .iter()
            .map(|budget| {
                let number = |name: &str| budget.get(name).and_then(Value::as_f64).unwrap_or_default();
                let spent = number("spent_usd") + number("written_off_usd");
                format!("${spent:.4} of ${} a {}", number("limit_usd"), text(budget, "period"))
            })
            .collect();
        output::line(format!(
            "{:<20} {:<14} {:<10} {:<12} {:>8} {:>10} {:>12}  {}",
            output::safe(text(key, "name")),
            output::safe(text(key, "project")),
            text(key, "state"),
            text(key, "hint"),
            usage("calls"),
            usage("tokens"),
            format!("${:.4}", usage("spent_usd").as_f64().unwrap_or_default()),
            budgets.join(", ")
        ))?;
    }
    Ok(())
}
