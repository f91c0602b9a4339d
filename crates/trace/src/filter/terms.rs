//! The words of the filter language: what may stand before a `:` or a comparison, and what it means.

use super::text::{Quoted, Word, split_comparison};
use hanok_base::{Timestamp, TraceId};
use hanok_store::{Comparison, Has, Measure, Measured, ScoreTest, Scored, TraceQuery};
use std::fmt;
use std::time::Duration;

/// One term of a filter.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterTerm {
    /// Whether what it says must not be so.
    pub not: bool,
    /// What it says.
    pub what: Criterion,
}

/// What a term says.
#[derive(Clone, Debug, PartialEq)]
pub enum Criterion {
    /// A text that a trace is found by; `*` stands for any text.
    Label(Label, String),
    /// How it ended.
    Status {
        /// Whether failed ones are wanted.
        failed: bool,
    },
    /// What went wrong: a text in it, or with `*` all of it.
    Error(String),
    /// Begun at this time or later.
    Since {
        /// As it was written (`7d`, `2026-11-01`).
        text: String,
        /// The moment meant.
        at: Timestamp,
    },
    /// Begun before this time.
    Until {
        /// As it was written.
        text: String,
        /// The moment meant.
        at: Timestamp,
    },
    /// A number, compared.
    Number {
        /// Which, how, and with what.
        measured: Measured,
        /// The number as it was written (`0.01`, `2s`, `1k`).
        text: String,
    },
    /// What a score of it is.
    Score(Scored),
    /// Its id, or the beginning of it and a `*`.
    Id(String),
    /// Something it has.
    Has(Has),
    /// A text that must occur.
    Word(String),
}

/// The texts that a trace is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The model asked for.
    Model,
    /// The provider that answered.
    Provider,
    /// The key it was called with, by name or by id.
    Key,
    /// The project it belongs to.
    Project,
    /// The conversation it is a turn of.
    Session,
    /// The person it was made for.
    User,
    /// A word to find it by.
    Tag,
    /// The prompt it used.
    Prompt,
    /// The program that sent it.
    Source,
    /// What its root did.
    Operation,
    /// Its name.
    Name,
}

const LABELS: [(&str, Label); 11] = [
    ("model", Label::Model),
    ("provider", Label::Provider),
    ("key", Label::Key),
    ("project", Label::Project),
    ("session", Label::Session),
    ("user", Label::User),
    ("tag", Label::Tag),
    ("prompt", Label::Prompt),
    ("source", Label::Source),
    ("operation", Label::Operation),
    ("name", Label::Name),
];

/// The first of several names is the one that is written.
const MEASURES: [(&str, Measure); 8] = [
    ("cost", Measure::Cost),
    ("tokens", Measure::Tokens),
    ("input", Measure::Input),
    ("output", Measure::Output),
    ("latency", Measure::Duration),
    ("duration", Measure::Duration),
    ("ttft", Measure::FirstToken),
    ("spans", Measure::Spans),
];

const HAS: [(&str, Has); 6] = [
    ("error", Has::Error),
    ("cost", Has::Cost),
    ("session", Has::Session),
    ("user", Has::User),
    ("tag", Has::Tag),
    ("score", Has::Score),
];

const KNOWN: &str = "model, provider, key, project, session, user, tag, prompt, source, operation, name, status, \
    error, since, until, cost, tokens, input, output, latency, ttft, spans, score.NAME, id, has";

fn find<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, what)| *what)
}

fn name_of<T: Copy + PartialEq>(table: &[(&'static str, T)], what: T) -> &'static str {
    table.iter().find(|(_, known)| *known == what).map_or("", |(name, _)| name)
}

/// What `key:value` means, or why it means nothing.
pub(super) fn named(key: &str, value: String, now: Timestamp) -> Result<Criterion, String> {
    if value.is_empty() {
        return Err(format!("`{key}:` has no value"));
    }
    if let Some((comparison, number)) = split_comparison(&value)
        && (find(&MEASURES, key).is_some() || key.starts_with("score."))
    {
        return compared(key, comparison, number);
    }
    if let Some(label) = find(&LABELS, key) {
        return Ok(Criterion::Label(label, value));
    }
    if find(&MEASURES, key).is_some() {
        return Err(format!("`{key}` is compared: write `{key}>{value}` or `{key}<{value}`"));
    }
    if let Some(name) = key.strip_prefix("score.") {
        return score(name, ScoreTest::Label(value));
    }
    match key {
        "status" => match value.as_str() {
            "ok" => Ok(Criterion::Status { failed: false }),
            "error" => Ok(Criterion::Status { failed: true }),
            _ => Err(format!("`status:{value}` is neither `status:ok` nor `status:error`")),
        },
        "error" => Ok(Criterion::Error(value)),
        "since" => Ok(Criterion::Since { at: moment(&value, now)?, text: value }),
        "until" => Ok(Criterion::Until { at: moment(&value, now)?, text: value }),
        "id" => {
            let digits = value.strip_suffix('*').unwrap_or(&value);
            let begins = digits.len() < value.len() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            if begins || value.parse::<TraceId>().is_ok() {
                return Ok(Criterion::Id(value.to_ascii_lowercase()));
            }
            Err(format!("`{value}` is no trace id: write its 32 hex digits, or the first of them and a `*`"))
        }
        "has" => find(&HAS, &value).map(Criterion::Has).ok_or_else(|| {
            let known: Vec<&str> = HAS.iter().map(|(name, _)| *name).collect();
            format!("`has:{value}` is not known; known are {}", known.join(", "))
        }),
        _ => {
            Err(format!("`{key}:` is not known; known are {KNOWN} (to search for the text itself, quote it)"))
        }
    }
}

/// What a key compared with a number means, or why it means nothing.
pub(super) fn compared(key: &str, comparison: Comparison, text: &str) -> Result<Criterion, String> {
    let is = comparison.as_str();
    if let Some(name) = key.strip_prefix("score.") {
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        let number = number.ok_or_else(|| format!("`{text}` is no number: write `score.{name}:{is}0.5`"))?;
        return score(name, ScoreTest::Number(comparison, number));
    }
    let Some(measure) = find(&MEASURES, key) else {
        return Err(if KNOWN.split(", ").any(|known| known == key) {
            format!("`{key}` is not compared: write `{key}:{text}`")
        } else {
            format!(
                "`{key}{is}` is not known; what can be compared: cost, tokens, input, output, latency, ttft, \
                 spans, score.NAME (to search for the text itself, quote it)"
            )
        });
    };
    let value = quantity(measure, text).ok_or_else(|| {
        let example = match measure {
            Measure::Cost => "dollars, as in `cost>0.01`".to_owned(),
            Measure::Duration | Measure::FirstToken => format!("a time, as in `{key}>2s` or `{key}>300ms`"),
            _ => format!("a number, as in `{key}>500` or `{key}>1k`"),
        };
        if text.is_empty() {
            format!("`{key}{is}` has no value: write {example}")
        } else {
            format!("`{text}` is not {example}")
        }
    })?;
    Ok(Criterion::Number { measured: Measured { measure, comparison, value }, text: text.to_owned() })
}

fn score(name: &str, value: ScoreTest) -> Result<Criterion, String> {
    if name.is_empty() {
        return Err("`score.` has no name: write `score.NAME:>0.5` or `score.NAME:label`".to_owned());
    }
    Ok(Criterion::Score(Scored { name: name.to_owned(), value }))
}

/// A number with its unit, in the measure's own.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn quantity(measure: Measure, text: &str) -> Option<i64> {
    let digits = text.find(|char: char| char.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match measure {
        Measure::Cost => (unit.is_empty()).then_some(1e9),
        Measure::Duration | Measure::FirstToken => match unit {
            "us" => Some(1e3),
            "ms" => Some(1e6),
            "s" => Some(1e9),
            "m" => Some(60e9),
            "h" => Some(3_600e9),
            _ => None,
        },
        _ => match unit {
            "" => Some(1.0),
            "k" | "K" => Some(1e3),
            "m" | "M" => Some(1e6),
            _ => None,
        },
    }?;
    let number = if measure == Measure::Cost { number.strip_prefix('$').unwrap_or(number) } else { number };
    let number: f64 = number.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)?;
    Some((number * factor).round() as i64)
}

/// `7d`, a date, or a time in RFC 3339.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let ago = || -> Option<Timestamp> {
        let unit = text.chars().last()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(now.before(Duration::from_secs(count.checked_mul(seconds)?)))
    };
    ago()
        .or_else(|| Timestamp::parse_rfc3339(text))
        .or_else(|| Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| {
            format!("`{text}` is no time: write `30m`, `7d`, `2026-11-01` or `2026-11-01T09:30:00+09:00`")
        })
}

impl FilterTerm {
    /// Whether another term cannot stand beside it.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        use Criterion::{Since, Status, Until};
        let both = (&self.what, &other.what);
        !self.not
            && !other.not
            && matches!(
                both,
                (Status { .. }, Status { .. }) | (Since { .. }, Since { .. }) | (Until { .. }, Until { .. })
            )
    }
}

impl Criterion {
    /// Whether it is a moment, after or before which a trace began.
    pub(super) fn is_moment(&self) -> bool {
        matches!(self, Self::Since { .. } | Self::Until { .. })
    }

    /// Puts it to a query.
    pub(super) fn ask(&self, query: &mut TraceQuery) {
        match self {
            Self::Label(label, text) => label.of(query).push(text.clone()),
            Self::Status { failed } => query.failed = Some(*failed),
            Self::Error(text) => query.errors.push(text.clone()),
            Self::Since { at, .. } => query.since = Some(*at),
            Self::Until { at, .. } => query.until = Some(*at),
            Self::Number { measured, .. } => query.measures.push(*measured),
            Self::Score(scored) => query.scores.push(scored.clone()),
            Self::Id(id) => query.ids.push(id.clone()),
            Self::Has(has) => query.has.push(*has),
            Self::Word(word) => query.words.push(word.clone()),
        }
    }
}

impl Label {
    fn of(self, query: &mut TraceQuery) -> &mut Vec<String> {
        match self {
            Self::Model => &mut query.models,
            Self::Provider => &mut query.providers,
            Self::Key => &mut query.keys,
            Self::Project => &mut query.projects,
            Self::Session => &mut query.sessions,
            Self::User => &mut query.users,
            Self::Tag => &mut query.tags,
            Self::Prompt => &mut query.prompts,
            Self::Source => &mut query.sources,
            Self::Operation => &mut query.operations,
            Self::Name => &mut query.names,
        }
    }
}

impl fmt::Display for FilterTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.not {
            f.write_str("-")?;
        }
        self.what.fmt(f)
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label, text) => write!(f, "{}:{}", name_of(&LABELS, *label), Quoted(text)),
            Self::Status { failed: true } => f.write_str("status:error"),
            Self::Status { failed: false } => f.write_str("status:ok"),
            Self::Error(text) => write!(f, "error:{}", Quoted(text)),
            Self::Since { text, .. } => write!(f, "since:{}", Quoted(text)),
            Self::Until { text, .. } => write!(f, "until:{}", Quoted(text)),
            Self::Number { measured, text } => {
                write!(f, "{}{}{text}", name_of(&MEASURES, measured.measure), measured.comparison.as_str())
            }
            Self::Score(Scored { name, value: ScoreTest::Number(comparison, number) }) => {
                write!(f, "score.{name}:{}{number}", comparison.as_str())
            }
            Self::Score(Scored { name, value: ScoreTest::Label(label) }) => {
                write!(f, "score.{name}:{}", Quoted(label))
            }
            Self::Id(id) => write!(f, "id:{id}"),
            Self::Has(has) => write!(f, "has:{}", name_of(&HAS, *has)),
            Self::Word(word) => Word(word).fmt(f),
        }
    }
}
