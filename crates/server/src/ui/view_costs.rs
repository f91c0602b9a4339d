//! What the page on costs shows: calls summed up, by group and over time.

use super::view::TraceRow;
use hanok_base::Timestamp;

/// The page on costs.
#[derive(Clone, Debug, Default)]
pub struct CostsView {
    /// How far it looks back.
    pub range: Range,
    /// By what calls are grouped.
    pub by: GroupBy,
    /// What is drawn over time.
    pub measure: Measure,
    /// The filter as the user wrote it; groups and stretches of time are added to it in links.
    pub filter: String,
    /// What is wrong with the filter.
    pub error: Option<String>,
    /// When the first stretch begins.
    pub since: Timestamp,
    /// How long each stretch is, in milliseconds.
    pub bucket_ms: i64,
    /// All calls.
    pub total: GroupView,
    /// The sums of the range before this one; `None` where nothing was then.
    pub before: Option<Sums>,
    /// The greatest groups, greatest first.
    pub groups: Vec<GroupView>,
    /// All other groups together.
    pub others: Option<GroupView>,
    /// Kinds of failure and how many calls they ended, most first.
    pub failures: Vec<(Option<String>, u64)>,
    /// The traces whose calls cost most, dearest first; `cost_usd` is that of the calls meant here.
    pub dearest: Vec<TraceRow>,
    /// Traces of an earlier version that are still being counted.
    pub to_come: u64,
}

/// Calls that have something in common.
#[derive(Clone, Debug, Default)]
pub struct GroupView {
    /// What; `None` where they have nothing of the kind.
    pub name: Option<String>,
    /// All of them.
    pub sums: Sums,
    /// By stretch of time, oldest first.
    pub buckets: Vec<Sums>,
}

/// Calls summed up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// How many.
    pub calls: u64,
    /// Of those, failed ones.
    pub errors: u64,
    /// Tokens of prompts, cached ones included.
    pub input: u64,
    /// Of the prompts, tokens read from a provider's cache.
    pub cached: u64,
    /// Of the prompts, tokens written to it.
    pub written: u64,
    /// Tokens of answers, reasoning included.
    pub output: u64,
    /// Of the answers, tokens spent on reasoning.
    pub reasoning: u64,
    /// US dollars of the priced ones.
    pub cost_usd: f64,
    /// Calls without a price.
    pub unpriced: u64,
    /// Milliseconds that half of the calls, 95 % and 99 % did not exceed.
    pub latency_ms: Option<[f64; 3]>,
    /// Milliseconds to the first token that half of the streamed calls and 95 % did not exceed.
    pub first_token_ms: Option<[f64; 2]>,
}

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $choice:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name { $($(#[$about])* $choice),+ }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$choice),+];

            /// The name in an address.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$choice => $text),+ }
            }

            /// The one of this name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.as_str() == name)
            }
        }
    };
}

choices! {
    /// How far a page looks back.
    Range {
        /// An hour.
        Hour = "1h",
        /// A day.
        #[default]
        Day = "24h",
        /// A week.
        Week = "7d",
        /// Thirty days.
        Month = "30d",
    }
}

choices! {
    /// By what calls are grouped.
    GroupBy {
        /// The model that was asked for, by which traces are found.
        #[default]
        Asked = "asked",
        /// The model that was called, behind whatever name.
        Model = "model",
        /// The provider.
        Provider = "provider",
        /// The key they came with.
        Key = "key",
        /// The person they were made for.
        User = "user",
        /// The prompt they used.
        Prompt = "prompt",
        /// Each of their tags.
        Tag = "tag",
        /// The program that sent them.
        Source = "source",
    }
}

choices! {
    /// What is drawn over time.
    Measure {
        /// US dollars.
        #[default]
        Cost = "cost",
        /// Calls.
        Calls = "calls",
        /// Tokens of prompts and answers.
        Tokens = "tokens",
        /// Calls that failed.
        Errors = "errors",
    }
}

impl Range {
    /// Its length in seconds.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
            Self::Month => 30 * 86_400,
        }
    }

    /// Into how many stretches its chart falls: whole hours or days, of which the first and the last are in part.
    pub fn buckets(self) -> usize {
        match self {
            Self::Day => 25,
            Self::Week => 29,
            Self::Hour | Self::Month => 31,
        }
    }
}

impl GroupBy {
    /// The word of the filters that finds the traces of a group; `None` where traces are not found by it.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Asked => Some("model"),
            Self::Model => None,
            other => Some(other.as_str()),
        }
    }
}

impl Measure {
    /// How much of it calls make up.
    #[expect(clippy::cast_precision_loss, reason = "drawn, or rounded to a few digits")]
    pub fn of(self, sums: &Sums) -> f64 {
        match self {
            Self::Cost => sums.cost_usd,
            Self::Calls => sums.calls as f64,
            Self::Tokens => sums.input.saturating_add(sums.output) as f64,
            Self::Errors => sums.errors as f64,
        }
    }
}
