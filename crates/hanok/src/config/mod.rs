//! The configuration: one file, unknown keys refused, secrets only by the name of their variable.

mod effective;
mod load;

pub(crate) use effective::{Effective, Origin, Overrides};
pub(crate) use load::{ConfigError, parse};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `hanok.toml`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The server: address, limits, names it answers to.
    pub(crate) server: Server,
    /// The process log on stderr.
    pub(crate) log: Log,
    /// Model providers by name. Known vendors with a key in the environment need no entry.
    pub(crate) providers: BTreeMap<String, Provider>,
    /// Aliases: a model name of your own for one or more targets.
    pub(crate) models: BTreeMap<String, Model>,
    /// Collections of documents by name.
    pub(crate) collections: BTreeMap<String, Collection>,
    /// Answers from documents.
    pub(crate) answers: Answers,
    /// API keys that may call this server. With none, anybody on this machine may.
    pub(crate) keys: Vec<Key>,
    /// Prices in US dollars per million tokens, by `provider/model`; `*` matches any rest.
    pub(crate) prices: BTreeMap<String, Price>,
}

/// `[server]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    /// Address and port, `127.0.0.1:4141` by default. Any address beyond loopback needs a key.
    pub(crate) bind: Option<String>,
    /// Largest request body, such as `"100MB"` (the default).
    pub(crate) body_limit: Option<Size>,
    /// The URL clients reach the server by, when it stands behind a proxy.
    pub(crate) public_url: Option<String>,
    /// Host names the server answers to beside loopback names and IP addresses.
    pub(crate) hosts: Vec<String>,
    /// Origins of web pages that may call the server.
    pub(crate) allowed_origins: Vec<String>,
}

/// `[log]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `error`, `warn`, `info` (the default), `debug`, `trace`, or a filter such as `hanok_gateway=debug`.
    pub(crate) level: Option<String>,
    /// `text` (the default) or `json`.
    pub(crate) format: Option<LogFormat>,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[providers.NAME]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Provider {
    /// A known vendor (`openai`, `openrouter`, `ollama`, …), in place of dialect and URL.
    pub(crate) vendor: Option<String>,
    /// The wire format: `openai-chat`.
    pub(crate) dialect: Option<String>,
    /// Where it is, with or without `/v1`.
    pub(crate) base_url: Option<String>,
    /// Its key, as `env:NAME`.
    pub(crate) key: Option<SecretRef>,
    /// Further headers for every request.
    pub(crate) headers: BTreeMap<String, String>,
    /// Seconds to wait for the connection (default 10).
    pub(crate) connect_timeout: Option<f64>,
    /// Seconds to wait for the answer's head (default 600; reasoning models may think long).
    pub(crate) response_timeout: Option<f64>,
    /// Seconds to wait between two pieces of a stream (default 120).
    pub(crate) idle_timeout: Option<f64>,
}

/// `[models.NAME]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    /// `provider/model`, tried in order.
    pub(crate) targets: Vec<String>,
}

/// `[collections.NAME]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Collection {
    /// Folders and files, relative to the configuration file.
    pub(crate) paths: Vec<std::path::PathBuf>,
}

/// `[answers]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Answers {
    /// The model behind `hanok/ask` where the request names none: an alias or `provider/model`.
    pub(crate) target: Option<String>,
}

/// `[[keys]]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    /// The name that spans show.
    pub(crate) name: String,
    /// The key, as `env:NAME`.
    pub(crate) key: SecretRef,
}

/// `[prices."provider/model"]`, US dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    /// Input tokens.
    pub(crate) input: f64,
    /// Output tokens.
    pub(crate) output: f64,
    /// Input tokens read from a cache; as `input` when absent.
    pub(crate) cached_input: Option<f64>,
    /// Input tokens written to a cache; as `input` when absent.
    pub(crate) cache_write: Option<f64>,
}

/// The name of the environment variable that holds a secret: `env:NAME`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct SecretRef(String);

impl SecretRef {
    /// The variable's name.
    pub(crate) fn variable(&self) -> &str {
        self.0.strip_prefix("env:").unwrap_or(&self.0)
    }
    /// The secret, if the variable is set and not empty.
    pub(crate) fn read(&self) -> Option<String> {
        std::env::var(self.variable())
            .ok()
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix("env:") {
            Some(name) if !name.is_empty() => Ok(Self(text)),
            // The value may be the secret itself, so it is not repeated.
            _ => Err(serde::de::Error::custom(
                "a secret is given by the name of its environment variable, such as key = \"env:OPENAI_API_KEY\"",
            )),
        }
    }
}

/// A size in bytes: a number, or text such as `"1MB"`, `"512KiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "String")]
pub(crate) struct Size(pub(crate) usize);

impl std::str::FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a size; write a number with B, KB, MB, GB, KiB, MiB or GiB");
        let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(at);
        let number: usize = number.parse().map_err(|_| bad())?;
        let factor = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return Err(bad()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(bad)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(usize),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(bytes) => Ok(Self(bytes)),
            Form::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}
