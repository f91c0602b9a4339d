//! All that holds, value by value, each with who set it.

use super::{Effective, Origin};
use hanok_net::Timeouts;
use hanok_parse::Limits;
use hanok_retrieval::{Chunking, Fusion};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What is printed on its own, since flags and the environment have a say in it, or secrets.
const APART: [&str; 5] = ["/server/bind", "/server/body_limit", "/otlp/bind", "/log", "/keys"];

/// One value of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Told {
    /// Its place, such as `documents.watch`.
    #[serde(skip)]
    pub(crate) path: String,
    /// What holds.
    pub(crate) value: Value,
    /// Who set it.
    pub(crate) origin: Origin,
}

impl Effective {
    /// The file's members in their order, with the defaults of those that it leaves out; what is neither set nor has a
    /// default is left out. `embedder` makes the vectors of a collection that names none.
    pub(crate) fn told(&self, embedder: Option<&str>) -> serde_json::Result<Vec<Told>> {
        let mut all = serde_json::to_value(&self.config)?;
        for pointer in APART {
            fill(&mut all, pointer, |slot| *slot = Value::Null);
        }
        hide(&mut all);
        complete(&mut all, embedder, &self.config)?;
        let mut told = Vec::new();
        self.walk(&mut Vec::new(), all, &mut told);
        Ok(told)
    }

    fn walk(&self, path: &mut Vec<String>, value: Value, told: &mut Vec<Told>) {
        match value {
            Value::Null => {}
            Value::Object(members) => {
                for (name, value) in members {
                    path.push(name);
                    self.walk(path, value, told);
                    path.pop();
                }
            }
            value => {
                let origin = match &self.file {
                    Some(file) if is_written(&self.written, path) => Origin::File(file.clone()),
                    _ => Origin::Default,
                };
                let path: Vec<String> = path.iter().map(|name| key(name)).collect();
                told.push(Told { path: path.join("."), value, origin });
            }
        }
    }
}

/// Replaces the values of headers, which may be secrets, by where they come from.
pub(crate) fn hide(config: &mut Value) {
    let hide = |holder: &mut Value| {
        for header in each(holder, "/headers") {
            if !header.as_str().is_some_and(|value| value.starts_with("env:")) {
                *header = json!("(not shown)");
            }
        }
    };
    config.get_mut("export").map(hide);
    each(config, "/providers").for_each(hide);
}

/// Says the defaults.
fn complete(all: &mut Value, embedder: Option<&str>, config: &super::Config) -> serde_json::Result<()> {
    let limits = Limits::default();
    let seconds = |time: Duration| json!(time.as_secs_f64());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    for (pointer, default) in [
        ("/documents/watch", json!(true)),
        ("/documents/largest_file", json!(limits.file_bytes)),
        ("/documents/parser_memory", json!(limits.memory_bytes)),
        ("/documents/parser_time", seconds(limits.time)),
        ("/documents/parsers", json!(limits.children)),
        ("/gateway/strict", json!(false)),
        ("/gateway/retries", json!(1)),
        ("/gateway/max_output_tokens", json!(4096)),
        ("/local/threads", json!(processors)),
        ("/redaction/secrets", json!(true)),
        ("/redaction/pii", json!([])),
        ("/sampling/rate", json!(1.0)),
    ] {
        fill(all, pointer, |slot| or(slot, default));
    }
    if config.export.otlp.is_some() {
        fill(all, "/export/content", |slot| or(slot, json!(true)));
        fill(all, "/export/most_behind", |slot| or(slot, json!(100_000)));
    }
    let timeouts = Timeouts::default();
    for provider in each(all, "/providers") {
        fill(provider, "/connect_timeout", |slot| or(slot, json!(10.0)));
        fill(provider, "/response_timeout", |slot| or(slot, seconds(timeouts.first_byte)));
        fill(provider, "/idle_timeout", |slot| or(slot, seconds(timeouts.idle)));
    }
    for model in each(all, "/models") {
        fill(model, "/strategy", |slot| or(slot, json!("order")));
        fill(model, "/sticky", |slot| or(slot, json!(true)));
    }
    for (name, collection) in &config.collections {
        let chunking = collection.chunking.as_ref().map_or_else(Chunking::default, Chunking::clone).filled();
        let chunking = serde_json::to_value(chunking)?;
        let Some(slot) = all.get_mut("collections").and_then(|all| all.get_mut(name)) else { continue };
        fill(slot, "/chunking", |slot| *slot = chunking);
        fill(slot, "/embedder", |slot| or(slot, json!(embedder.unwrap_or("none"))));
        fill(slot, "/rerank", |slot| or(slot, json!("none")));
        fill(slot, "/fusion", |slot| or(slot, json!({ "dense": Fusion::DENSE })));
        fill(slot, "/legs", |slot| or(slot, json!("hybrid")));
        fill(slot, "/stemming", |slot| or(slot, json!(true)));
    }
    Ok(())
}

fn fill(all: &mut Value, pointer: &str, put: impl FnOnce(&mut Value)) {
    if let Some(slot) = all.pointer_mut(pointer) {
        put(slot);
    }
}

fn or(slot: &mut Value, default: Value) {
    if slot.is_null() {
        *slot = default;
    }
}

/// The members of what stands at `pointer`.
fn each<'a>(all: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    let members = all.pointer_mut(pointer).and_then(Value::as_object_mut);
    members.map(Map::values_mut).into_iter().flatten()
}

/// Whether the file has a value at this place, or one around it.
fn is_written(file: &toml::Table, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    match file.get(first) {
        Some(toml::Value::Table(table)) => is_written(table, rest),
        Some(_) => true,
        None => false,
    }
}

/// A name as it stands in a dotted key.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { format!("{name:?}") }
}
