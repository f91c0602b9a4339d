//! The configuration: one file, unknown keys refused, secrets only by the name of their variable.

mod documents;
mod edit;
mod effective;
mod governance;
mod load;
mod local;
mod model;
mod told;
mod units;

pub(crate) use documents::Documents;
pub(crate) use edit::with_members;
pub(crate) use effective::{Effective, Origin, Overrides, Setting};
pub(crate) use governance::{Days, Payloads, PiiKind, ProjectRetention, Redaction, Retention, Sampling};
pub(crate) use load::{ConfigError, parse};
pub(crate) use local::Local;
pub(crate) use model::{Model, Rule, Target};
pub(crate) use told::{Told, hide};
pub(crate) use units::{Dollars, Seconds, Size};

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
    /// What holds for the documents of all collections.
    pub(crate) documents: Documents,
    /// Answers from documents.
    pub(crate) answers: Answers,
    /// What applies to all model calls.
    pub(crate) gateway: Gateway,
    /// Models that run in this process.
    pub(crate) local: Local,
    /// The way out: proxy, certificates.
    pub(crate) network: Network,
    /// Spans of other programs.
    pub(crate) otlp: Otlp,
    /// Projects by name; keys belong to them.
    pub(crate) projects: BTreeMap<String, Project>,
    /// How long traces stay.
    pub(crate) retention: Retention,
    /// What is replaced in spans before they are stored.
    pub(crate) redaction: Redaction,
    /// Which traces are kept with their spans.
    pub(crate) sampling: Sampling,
    /// Admins' keys of the configuration; others are made by `hanok keys create`. With no key at all, anybody
    /// on this machine may call.
    pub(crate) keys: Vec<Key>,
    /// Recorded traces out to a collector.
    pub(crate) export: Export,
    /// Live traces that are scored as they come, by rule.
    pub(crate) scoring: Vec<Scoring>,
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
    /// Serve HTTPS with this certificate chain (PEM), relative to the configuration file; needs `tls_key`.
    pub(crate) tls_cert: Option<std::path::PathBuf>,
    /// The certificate's private key (PEM).
    pub(crate) tls_key: Option<std::path::PathBuf>,
}

/// `[gateway]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Gateway {
    /// Refuse a call rather than leave out what its target cannot do (default false: left out, and told in
    /// the header `x-hanok-warnings` and the trace).
    pub(crate) strict: Option<bool>,
    /// How often a model's targets are gone through again after all failed (default 1).
    pub(crate) retries: Option<u32>,
    /// Most tokens of an answer where nobody says any; only for calls under a budget (default 4096).
    pub(crate) max_output_tokens: Option<u64>,
    /// Money for all calls together.
    pub(crate) budgets: Vec<Budget>,
}

/// `[export]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Export {
    /// A collector that takes OTLP over HTTP, such as `http://localhost:4318`. Read when the server starts.
    pub(crate) otlp: Option<String>,
    /// Headers of every request to it; `env:NAME` takes the value from the environment.
    pub(crate) headers: BTreeMap<String, String>,
    /// Send messages and other large values too (default true).
    pub(crate) content: Option<bool>,
    /// How many traces the export may fall behind, before the oldest are left out (default 100000).
    pub(crate) most_behind: Option<u64>,
}

/// `[[scoring]]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Scoring {
    /// The rule's name, which its scores have; its scorer's by default.
    pub(crate) name: Option<String>,
    /// The eval's file whose scorer it is, or its name in `evals/`.
    pub(crate) eval: std::path::PathBuf,
    /// The scorer's name; the only one by default.
    pub(crate) scorer: Option<String>,
    /// Which traces, such as `model:gpt* -tag:test`; all by default.
    pub(crate) filter: String,
    /// The share of these that is scored, from 0 to 1 (the default). Which ones follows from their ids.
    pub(crate) sample: Option<f64>,
    /// Most US dollars a day (UTC).
    pub(crate) budget: Option<Dollars>,
    /// Most traces a day (default 1000).
    pub(crate) per_day: Option<u64>,
    /// The score of people or clients that says the same, such as `helpful`.
    pub(crate) feedback: Option<String>,
    /// The annotation queue where traces go on which the two differ; made where it is not there.
    pub(crate) queue: Option<String>,
}

/// `[projects.NAME]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Project {
    /// Money for the project's calls together.
    pub(crate) budgets: Vec<Budget>,
    /// Whether what is said in its calls is kept: `on` (the default), `errors` or `off`. A key may say otherwise.
    pub(crate) payloads: Payloads,
    /// How long its traces stay.
    pub(crate) retention: ProjectRetention,
    /// What is replaced in its spans; what is not said is as for all.
    pub(crate) redaction: Redaction,
    /// Which of its traces are kept; what is not said is as for all.
    pub(crate) sampling: Sampling,
}

/// Money for a period.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    /// US dollars.
    pub(crate) limit: Dollars,
    /// `day`, `month` (the default) or `total`, in UTC.
    #[serde(default)]
    pub(crate) period: Period,
    /// For models of this name only, as clients ask for them; `*` stands for any text.
    #[serde(default)]
    pub(crate) model: Option<String>,
}

/// How long a budget lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Period {
    /// A day.
    Day,
    /// A month.
    #[default]
    Month,
    /// For good.
    Total,
}

/// `[network]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Network {
    /// The way to providers: `http://host:port`, or `env:NAME` where it holds a password.
    pub(crate) proxy: Option<String>,
    /// Hosts that are reached without the proxy: `example.com`, `.example.com`, `10.0.0.0/8`.
    pub(crate) no_proxy: Vec<String>,
    /// Further certificate authorities to trust (PEM files, relative to the configuration file).
    pub(crate) ca: Vec<std::path::PathBuf>,
    /// A file to record upstream traffic into, or to replay it from; for tests.
    pub(crate) cassette: Option<std::path::PathBuf>,
    /// `record` or `replay` (the default).
    pub(crate) cassette_mode: CassetteMode,
}

/// What a cassette is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CassetteMode {
    /// Traffic is recorded.
    Record,
    /// Recorded traffic is answered from; the network is not used.
    #[default]
    Replay,
}

/// `[otlp]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Otlp {
    /// A second address and port for OpenTelemetry's exporters, such as `127.0.0.1:4318`, where they send to
    /// unless told otherwise. They may send to the server's own address, too.
    pub(crate) bind: Option<String>,
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
    /// The wire format: `openai-chat`, `openai-responses`, `anthropic-messages`, `gemini` or `ollama`.
    pub(crate) dialect: Option<String>,
    /// Where it is, with or without `/v1`.
    pub(crate) base_url: Option<String>,
    /// Its key, as `env:NAME`.
    pub(crate) key: Option<SecretRef>,
    /// The dated API of an Azure deployment, such as `2024-10-21`; leave it out for Azure's `/openai/v1`.
    pub(crate) api_version: Option<String>,
    /// The member in which an OpenAI-compatible server takes thoughts back, `reasoning_content` or `reasoning`;
    /// known for known vendors, and else they are left out.
    pub(crate) thoughts: Option<String>,
    /// Further headers for every request.
    pub(crate) headers: BTreeMap<String, String>,
    /// Seconds to wait for the connection (default 10).
    pub(crate) connect_timeout: Option<f64>,
    /// Seconds to wait for the answer's head (default 600; reasoning models may think long).
    pub(crate) response_timeout: Option<f64>,
    /// Seconds to wait between two pieces of a stream (default 120).
    pub(crate) idle_timeout: Option<f64>,
}

/// `[collections.NAME]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Collection {
    /// Folders, files and patterns, relative to the configuration file; `git+FOLDER` for the files of it that git
    /// tracks; URLs of single documents.
    pub(crate) paths: Vec<std::path::PathBuf>,
    /// Of all folders only the files that git tracks (default false).
    #[serde(default)]
    pub(crate) tracked: bool,
    /// How texts are cut.
    #[serde(default)]
    pub(crate) chunking: Option<hanok_retrieval::Chunking>,
    /// Whether words are found by their stems, so that `running` finds `runs` (default true).
    #[serde(default)]
    pub(crate) stemming: Option<bool>,
    /// What is said of which documents; a later rule counts more than an earlier one.
    #[serde(default)]
    pub(crate) metadata: Vec<hanok_retrieval::Rule>,
    /// What makes its vectors: a model of `hanok pull`, a folder with one (relative to the configuration file), or
    /// `provider/model`; `none` for words alone. The first pulled embedder when absent.
    #[serde(default)]
    pub(crate) embedder: Option<String>,
    /// What looks at the best hits once more: a cross-encoder as above, `provider/model` of a provider that reranks, or
    /// `chat:MODEL` for a chat model.
    #[serde(default)]
    pub(crate) rerank: Option<String>,
    /// How legs become one list.
    #[serde(default)]
    pub(crate) fusion: Option<Fusion>,
    /// Which legs are asked: `bm25`, `dense`, or `hybrid` (default).
    #[serde(default)]
    pub(crate) legs: Option<Legs>,
    /// Hits of one document at most.
    #[serde(default)]
    pub(crate) per_source: Option<usize>,
    /// What a model does with a question to `hanok/ask` before this collection is searched for it; as `[answers]`
    /// says when absent.
    #[serde(default)]
    pub(crate) query: Option<Vec<String>>,
    /// Chunks of this collection that are read for an answer, 1 to 50; as `[answers]` says when absent.
    #[serde(default)]
    pub(crate) top_k: Option<usize>,
}

/// How legs become one list.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Fusion {
    /// `"scores"` or `"rrf"`.
    Named(FusionName),
    /// `{ dense = 0.4 }`: by scores, the dense leg counting so much of 1.
    Weighted {
        /// 0 to 1.
        dense: f64,
    },
}

/// A way to fuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FusionName {
    /// By scores.
    Scores,
    /// By ranks.
    Rrf,
}

/// Which legs are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Legs {
    /// Words.
    Bm25,
    /// Vectors.
    Dense,
    /// Both.
    Hybrid,
}

/// `[answers]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Answers {
    /// The model behind `hanok/ask` where the request names none: an alias or `provider/model`.
    pub(crate) target: Option<String>,
    /// What a model does with a question before it is searched for, unless a request says otherwise: some of
    /// `rewrite`, `multi`, `hyde` and `decompose`.
    pub(crate) query: Vec<String>,
    /// The model that does so; the one that answers, where none is named.
    pub(crate) query_model: Option<String>,
    /// Chunks that are read for an answer, 1 to 50, unless a request says otherwise.
    pub(crate) top_k: Option<usize>,
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
