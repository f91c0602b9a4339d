//! Models of the configuration: targets, and how one of them is chosen.

use super::units::Seconds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[models.NAME]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Model {
    /// `provider/model` each, or a table with more to say of it.
    pub(crate) targets: Vec<Target>,
    /// `order` (the default), `weighted`, `fastest` or `cheapest`.
    pub(crate) strategy: Option<String>,
    /// Calls that share a prompt cache key keep to one target (default true).
    pub(crate) sticky: Option<bool>,
    /// How often the targets are gone through again after all failed.
    pub(crate) retries: Option<u32>,
    /// Refuse a call rather than leave out what its target cannot do.
    pub(crate) strict: Option<bool>,
    /// Most tokens of an answer where the client says none; only for calls under a budget.
    pub(crate) max_tokens: Option<u64>,
    /// Most tokens of a prompt and its answer together, told to editors that ask (`/api/show`).
    pub(crate) context_length: Option<u64>,
    /// Give the same answer to the very same request for so long, such as `"10m"`.
    pub(crate) cache: Option<Seconds>,
}

/// One target of a model.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Target {
    /// `provider/model`.
    Name(String),
    /// The same with more to say.
    Table(Box<TargetTable>),
}

/// A target with more to say of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TargetTable {
    /// `provider/model`.
    pub(crate) model: String,
    /// Its share of calls under `weighted` (default 1; 0: only when all others fail).
    pub(crate) weight: Option<f64>,
    /// Most calls there at once.
    pub(crate) max_concurrent: Option<usize>,
    /// Time until the connection stands.
    pub(crate) connect_timeout: Option<Seconds>,
    /// Time until the first token, or the whole answer, is here.
    pub(crate) first_token_timeout: Option<Seconds>,
    /// Time between two pieces of a stream.
    pub(crate) idle_timeout: Option<Seconds>,
    /// It continues an answer whose beginning it is given (as an assistant's last message): a stream that broke
    /// off at another target may go on here.
    pub(crate) resumes: bool,
    /// For which calls it is meant; all when absent.
    pub(crate) when: Rule,
}

/// Calls a target is meant for; all that is given must fit.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rule {
    /// Streamed answers, or whole ones.
    pub(crate) stream: Option<bool>,
    /// Requests of more than about so many tokens.
    pub(crate) input_over: Option<u64>,
    /// Requests of at most about so many tokens.
    pub(crate) input_under: Option<u64>,
    /// Calls with one of these keys, by name.
    pub(crate) keys: Vec<String>,
    /// Calls of one of these projects.
    pub(crate) projects: Vec<String>,
    /// Clients of this dialect.
    pub(crate) dialect: Option<String>,
    /// Calls whose header `x-hanok-route` says this.
    pub(crate) tag: Option<String>,
}

impl Target {
    /// All there is to say of it.
    pub(crate) fn table(&self) -> TargetTable {
        match self {
            Self::Name(name) => TargetTable { model: name.clone(), ..TargetTable::default() },
            Self::Table(table) => (**table).clone(),
        }
    }
}
