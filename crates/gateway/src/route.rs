//! A model as clients know it: its targets, and how one of them is chosen.

use crate::plan::Facts;
use crate::target::Target;
use hanok_base::{Dialect, Patience};
use std::time::Duration;

/// A model of the configuration, or a single target that was named directly.
#[derive(Clone)]
pub struct Model {
    /// Where its calls can go.
    pub entries: Vec<Entry>,
    /// How one is chosen.
    pub strategy: Strategy,
    /// Calls that share a beginning keep to one target.
    pub sticky: bool,
    /// How often the targets are gone through again after all of them failed.
    pub retries: u32,
    /// Refuse a call rather than leave out what its target cannot do.
    pub strict: bool,
    /// Most tokens of an answer where the client says none; only for calls that draw on a budget.
    pub max_tokens: Option<u64>,
    /// Most tokens of a prompt and its answer together, as the operator says; for clients that ask.
    pub context_length: Option<u64>,
    /// How long an answer may be given again for the very same request.
    pub cache: Option<Duration>,
}

impl Model {
    /// A model of these targets, in order, with the defaults of a new configuration.
    pub fn in_order(entries: Vec<Entry>) -> Self {
        Self {
            entries,
            strategy: Strategy::Order,
            sticky: true,
            retries: 1,
            strict: false,
            max_tokens: None,
            context_length: None,
            cache: None,
        }
    }
}

/// One of a model's targets.
#[derive(Clone)]
pub struct Entry {
    /// Where.
    pub target: Target,
    /// Its share of calls, for [`Strategy::Weighted`].
    pub weight: f64,
    /// For which calls it is meant.
    pub when: Rule,
    /// Most calls there at once.
    pub max_concurrent: Option<usize>,
    /// How long it may take.
    pub patience: Patience,
    /// It continues an answer whose beginning it is given, so that a stream that broke off can go on here.
    pub resumes: bool,
}

impl From<Target> for Entry {
    fn from(target: Target) -> Self {
        Self {
            target,
            weight: 1.0,
            when: Rule::default(),
            max_concurrent: None,
            patience: Patience::default(),
            resumes: false,
        }
    }
}

/// How a target is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The first that does, in the order written.
    #[default]
    Order,
    /// By chance, as often as its weight says.
    Weighted,
    /// The one with the shortest expected wait, of two taken by chance.
    Fastest,
    /// The one where the call costs least.
    Cheapest,
}

impl Strategy {
    /// Every strategy by its name in the configuration.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("order", Self::Order),
        ("weighted", Self::Weighted),
        ("fastest", Self::Fastest),
        ("cheapest", Self::Cheapest),
    ];

    /// The strategy of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, strategy)| *strategy)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(_, strategy)| *strategy == self).map_or("order", |(name, _)| name)
    }
}

/// Calls a target is meant for; every member that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Streamed answers, or whole ones.
    pub stream: Option<bool>,
    /// Requests of more than about so many tokens.
    pub input_over: Option<u64>,
    /// Requests of at most about so many tokens.
    pub input_under: Option<u64>,
    /// Calls with one of these keys, by name.
    pub keys: Vec<String>,
    /// Calls of one of these projects.
    pub projects: Vec<String>,
    /// Clients of this dialect.
    pub dialect: Option<Dialect>,
    /// Calls whose header `x-hanok-route` says this.
    pub tag: Option<String>,
}

impl Rule {
    pub(crate) fn fits(&self, facts: &Facts<'_>) -> bool {
        let among =
            |names: &[String], name: &str| names.is_empty() || names.iter().any(|known| known == name);
        self.stream.is_none_or(|stream| stream == facts.stream)
            && self.input_over.is_none_or(|tokens| facts.input_tokens > tokens)
            && self.input_under.is_none_or(|tokens| facts.input_tokens <= tokens)
            && among(&self.keys, facts.key)
            && among(&self.projects, facts.project)
            && self.dialect.is_none_or(|dialect| dialect == facts.dialect)
            && self.tag.as_deref().is_none_or(|tag| tag == facts.tag)
    }
}
