//! What the pages on models, keys and signing in show: plain data, filled in by the handlers.

use super::view::PricesView;
use hanok_base::Timestamp;

/// Who is signed in, for the shell.
#[derive(Clone, Debug, Default)]
pub struct Viewer {
    /// The name of the key that was used.
    pub key: String,
    /// Its project.
    pub project: String,
    /// Whether it sees every project and may manage keys.
    pub admin: bool,
}

/// The page on models.
#[derive(Clone, Debug, Default)]
pub struct ModelsView {
    /// Why the file as it is now was not taken; the configuration before it holds.
    pub config_problem: Option<ConfigProblem>,
    /// Aliases first, then the targets that are called by their own name.
    pub routes: Vec<RouteView>,
    /// The providers configured.
    pub providers: Vec<ProviderView>,
    /// Calls of the last hour.
    pub calls: u64,
    /// Attempts of the last hour that failed.
    pub errors: u64,
    /// Of `errors`, those another attempt or target made good; `None` when not counted.
    pub recovered: Option<u64>,
    /// Calls a minute, over the last minutes.
    pub calls_per_min: f64,
    /// What "Try it" offers: aliases and models.
    pub models: Vec<String>,
    /// The model to put into the field of "Try it" (`?model=`); the first of `models` when `None`.
    pub chosen: Option<String>,
}

/// A configuration file that was not taken.
#[derive(Clone, Debug, Default)]
pub struct ConfigProblem {
    /// The file's name.
    pub file: String,
    /// What is wrong with it, with the line where known.
    pub message: String,
    /// When it was read.
    pub at: Option<Timestamp>,
}

/// A name that clients may call, and where its calls go.
#[derive(Clone, Debug, Default)]
pub struct RouteView {
    /// The alias; empty with [`Strategy::Direct`].
    pub name: String,
    /// How a target is chosen.
    pub strategy: Strategy,
    /// Whether a conversation stays with its target, for the sake of prompt caches.
    pub sticky: bool,
    /// In the order in which they are tried, or as configured.
    pub targets: Vec<TargetView>,
}

/// How a route chooses among its targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// No alias: the targets of this group are called as `provider/model`.
    #[default]
    Direct,
    /// The first that can, in order.
    Ordered,
    /// By weight.
    Weighted,
    /// The one with the lowest latency.
    Fastest,
    /// The one with the lowest price.
    Cheapest,
    /// By a rule on the request.
    Rule,
}

/// One provider's model in a route; figures are of the last hour.
#[derive(Clone, Debug, Default)]
pub struct TargetView {
    /// The provider's name.
    pub provider: String,
    /// The model's name at its provider.
    pub model: String,
    /// With [`Strategy::Weighted`]: its share of the calls, from 0 to 1.
    pub share: Option<f64>,
    /// With [`Strategy::Rule`]: when it is chosen, as the configuration says it.
    pub rule: Option<String>,
    /// Whether it takes calls.
    pub health: Health,
    /// The last failure, in words.
    pub last_error: Option<String>,
    /// Median time to the whole answer, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 95th percentile of the same.
    pub p95_ms: Option<f64>,
    /// Median time to the first token, in milliseconds.
    pub ttft_p50_ms: Option<f64>,
    /// 95th percentile of the same.
    pub ttft_p95_ms: Option<f64>,
    /// Attempts.
    pub calls: u64,
    /// Attempts that failed.
    pub errors: u64,
    /// Calls running now.
    pub running: u64,
    /// How many may run at once; `None` without a limit.
    pub limit: Option<u64>,
    /// US dollars per million tokens; `None` when unpriced.
    pub prices: Option<PricesView>,
    /// Whether it runs on this machine and so costs no money.
    pub local: bool,
    /// What it can do.
    pub capabilities: Vec<Capability>,
}

impl TargetView {
    /// Whether it answers chats, as far as is known.
    pub fn chats(&self) -> bool {
        let other = |one: &Capability| matches!(one, Capability::Embeddings | Capability::Rerank);
        self.capabilities.is_empty() || !self.capabilities.iter().all(other)
    }

    /// Whether its calls cannot be priced.
    pub fn unpriced(&self) -> bool {
        !self.local && self.prices.is_none_or(|prices| prices.input.is_none() && prices.output.is_none())
    }
}

/// Whether a target takes calls, its circuit breaker's state included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Breaker closed, but nothing was called yet.
    #[default]
    Untried,
    /// Breaker closed.
    Ok,
    /// Breaker closed, but the provider asked to wait.
    Cooling {
        /// Seconds until it takes calls again.
        seconds: u64,
    },
    /// Breaker half-open: a single call tries it.
    Probing,
    /// Breaker open.
    Open {
        /// Seconds until the probe.
        seconds: u64,
    },
    /// Its provider's key is missing.
    NoKey,
}

/// What a model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Chats.
    Chat,
    /// Calls tools.
    Tools,
    /// Reads images.
    Images,
    /// Reads files.
    Files,
    /// Hears or speaks.
    Audio,
    /// Answers to a JSON schema.
    Structured,
    /// Thinks before it answers.
    Reasoning,
    /// Makes embeddings.
    Embeddings,
    /// Ranks again.
    Rerank,
}

/// A provider as configured.
#[derive(Clone, Debug, Default)]
pub struct ProviderView {
    /// Its name.
    pub name: String,
    /// The dialects it speaks.
    pub dialects: Vec<String>,
    /// Where it answers; without user name and password.
    pub base_url: String,
    /// Its key.
    pub key: ProviderKey,
    /// How many models it listed; `None` when it did not answer or was not asked.
    pub models: Option<u64>,
    /// What went wrong last, in words, and when.
    pub last_error: Option<(String, Timestamp)>,
}

/// Whether a provider's key is there. The key itself never is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProviderKey {
    /// None is needed.
    #[default]
    NotNeeded,
    /// It is there; from this environment variable, where it comes from one.
    Present(Option<String>),
    /// It is missing; this environment variable would hold it, where one is named.
    Missing(Option<String>),
}

/// The page on keys.
#[derive(Clone, Debug, Default)]
pub struct KeysView {
    /// The keys this reader may see, in the order to show them.
    pub keys: Vec<KeyRow>,
    /// Whether this reader may make and revoke keys.
    pub may_manage: bool,
    /// The key made just now: its only appearance.
    pub created: Option<CreatedKey>,
    /// What was typed into the form, when it has to be mended.
    pub form: KeyForm,
    /// What is wrong with the form: the field's name (empty for the whole form) and words.
    pub problems: Vec<(String, String)>,
    /// The projects there are, to choose from.
    pub projects: Vec<String>,
    /// Aliases and models, to choose from.
    pub models: Vec<String>,
}

/// A key made just now.
#[derive(Clone, Default)]
pub struct CreatedKey {
    /// Its name.
    pub name: String,
    /// The key itself.
    pub secret: String,
    /// Whether it is the only one, so that the server asks for a key from now on.
    pub first: bool,
}

impl std::fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The form's fields as texts, under the names of its inputs.
#[derive(Clone, Debug, Default)]
pub struct KeyForm {
    /// `name`
    pub name: String,
    /// `project`
    pub project: String,
    /// `models`: names or patterns, separated by commas.
    pub models: String,
    /// `budget`: US dollars.
    pub budget: String,
    /// `period`: `day`, `month` or `total`.
    pub period: Period,
    /// `requests`: a minute.
    pub requests: String,
    /// `tokens`: a minute.
    pub tokens: String,
    /// `concurrent`
    pub concurrent: String,
    /// `expires`: in days.
    pub expires: String,
    /// `admin`: a checkbox, `1` when ticked.
    pub admin: bool,
}

/// How long a budget lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Period {
    /// A day, in UTC.
    Day,
    /// A calendar month, in UTC.
    #[default]
    Month,
    /// For ever.
    Total,
}

impl Period {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Month, Self::Total];

    /// The value in the form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// The period of this value.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.as_str() == name)
    }
}

/// One virtual key.
#[derive(Clone, Debug, Default)]
pub struct KeyRow {
    /// Its id, as `POST keys/{id}/revoke` takes it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its project.
    pub project: String,
    /// Enough to recognise it: `hk-…abcd`.
    pub hint: String,
    /// Whether it sees every project and may manage keys.
    pub admin: bool,
    /// The models it may call, as names or patterns; empty for all.
    pub models: Vec<String>,
    /// What bounds its spending: its own budgets, then those it shares.
    pub budgets: Vec<BudgetView>,
    /// Requests a minute.
    pub requests_per_min: Option<u64>,
    /// Tokens a minute.
    pub tokens_per_min: Option<u64>,
    /// Calls at once.
    pub concurrent: Option<u64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
    /// Whether it works.
    pub state: KeyState,
    /// What it used this month.
    pub usage: KeyUsage,
}

/// Money that may be spent.
#[derive(Clone, Debug, Default)]
pub struct BudgetView {
    /// What it is the budget of, when not of the key alone: a project's or a model's name.
    pub of: Option<String>,
    /// How long it lasts.
    pub period: Period,
    /// US dollars spent of it.
    pub spent_usd: f64,
    /// US dollars reserved for calls that run now.
    pub reserved_usd: f64,
    /// US dollars.
    pub limit_usd: f64,
}

/// Whether a key works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyState {
    /// It works.
    #[default]
    Active,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked {
        /// When, where known.
        at: Option<Timestamp>,
    },
}

/// What a key used this calendar month, in UTC.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyUsage {
    /// Calls.
    pub calls: u64,
    /// Of `calls`, those whose price is unknown; they are not in `cost_usd`.
    pub unpriced_calls: u64,
    /// Tokens of prompts and answers together.
    pub tokens: u64,
    /// US dollars, of the calls with a price.
    pub cost_usd: f64,
}

/// The page to sign in.
#[derive(Clone, Debug, Default)]
pub struct LoginView {
    /// Why the key given was not taken.
    pub error: Option<LoginError>,
    /// Where to go afterwards: a place of this server without a leading slash, sent back as `next`.
    pub next: Option<String>,
}

/// Why a key was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// No field was filled in.
    Empty,
    /// There is no such key.
    Wrong,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// Too many wrong ones.
    TooMany {
        /// Seconds until the next try counts.
        seconds: u64,
    },
}
