//! The filter language, shared by API, command line and pages:
//! `model:gpt* status:error provider:openai key:ci project:shop since:7d until:2026-11-01 refund "two words"`.
//!
//! Terms are joined by *and*; several models (or providers, keys, projects) by *or*. Times without an offset are UTC.

use hanok_base::Timestamp;
use hanok_store::TraceQuery;
use std::fmt;
use std::time::Duration;

/// A filter that was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFilter {
    /// Its terms, in the order they were written.
    pub terms: Vec<FilterTerm>,
}

/// One term of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterTerm {
    /// The model asked for; `*` stands for any text.
    Model(String),
    /// The provider that answered; likewise.
    Provider(String),
    /// The key it was called with, by name or by id; likewise.
    Key(String),
    /// The project it belongs to; likewise.
    Project(String),
    /// How it ended.
    Status {
        /// Whether failed ones are wanted.
        failed: bool,
    },
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
    /// A text that must occur.
    Word(String),
}

/// A filter that was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {at} of the filter: {problem}")]
pub struct FilterError {
    /// The character it is about, counted from 1.
    pub at: usize,
    /// What is wrong, and what would be right.
    pub problem: String,
}

const KEYS: &str = "model, provider, key, project, status, since, until";

/// Reads a filter. `now` is what `since:7d` counts from.
pub fn parse_filter(text: &str, now: Timestamp) -> Result<TraceFilter, FilterError> {
    let mut terms = Vec::new();
    for Token { at, key, value } in tokens(text)? {
        let wrong = |problem: String| FilterError { at, problem };
        let once = |same: fn(&FilterTerm) -> bool| match terms.iter().find(|term| same(term)) {
            Some(term) => Err(FilterError { at, problem: format!("there is `{term}` already") }),
            None => Ok(()),
        };
        let Some(key) = key else {
            terms.push(FilterTerm::Word(value));
            continue;
        };
        if value.is_empty() {
            return Err(wrong(format!("`{key}:` has no value")));
        }
        let term = match key.as_str() {
            "model" => FilterTerm::Model(value),
            "provider" => FilterTerm::Provider(value),
            "key" => FilterTerm::Key(value),
            "project" => FilterTerm::Project(value),
            "status" => {
                once(|term| matches!(term, FilterTerm::Status { .. }))?;
                match value.as_str() {
                    "ok" => FilterTerm::Status { failed: false },
                    "error" => FilterTerm::Status { failed: true },
                    _ => {
                        return Err(wrong(format!(
                            "`status:{value}` is neither `status:ok` nor `status:error`"
                        )));
                    }
                }
            }
            "since" => {
                once(|term| matches!(term, FilterTerm::Since { .. }))?;
                FilterTerm::Since { at: moment(&value, now).map_err(wrong)?, text: value }
            }
            "until" => {
                once(|term| matches!(term, FilterTerm::Until { .. }))?;
                FilterTerm::Until { at: moment(&value, now).map_err(wrong)?, text: value }
            }
            _ => {
                return Err(wrong(format!(
                    "`{key}:` is not known; known are {KEYS} (to search for the text itself, quote it)"
                )));
            }
        };
        terms.push(term);
    }
    Ok(TraceFilter { terms })
}

impl TraceFilter {
    /// Whether it lets everything pass.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The store's query for it.
    pub fn query(&self) -> TraceQuery {
        let mut query = TraceQuery::default();
        for term in &self.terms {
            match term {
                FilterTerm::Model(model) => query.models.push(model.clone()),
                FilterTerm::Provider(provider) => query.providers.push(provider.clone()),
                FilterTerm::Key(key) => query.keys.push(key.clone()),
                FilterTerm::Project(project) => query.projects.push(project.clone()),
                FilterTerm::Status { failed } => query.failed = Some(*failed),
                FilterTerm::Since { at, .. } => query.since = Some(*at),
                FilterTerm::Until { at, .. } => query.until = Some(*at),
                FilterTerm::Word(word) => query.words.push(word.clone()),
            }
        }
        query
    }
}

impl fmt::Display for TraceFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, term) in self.terms.iter().enumerate() {
            if number > 0 {
                f.write_str(" ")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for FilterTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(model) => write!(f, "model:{}", Quoted(model)),
            Self::Provider(provider) => write!(f, "provider:{}", Quoted(provider)),
            Self::Key(key) => write!(f, "key:{}", Quoted(key)),
            Self::Project(project) => write!(f, "project:{}", Quoted(project)),
            Self::Status { failed: true } => f.write_str("status:error"),
            Self::Status { failed: false } => f.write_str("status:ok"),
            Self::Since { text, .. } => write!(f, "since:{}", Quoted(text)),
            Self::Until { text, .. } => write!(f, "until:{}", Quoted(text)),
            Self::Word(word) if word.contains(':') => write!(f, "\"{}\"", Escaped(word)),
            Self::Word(word) => Quoted(word).fmt(f),
        }
    }
}

/// Text, in quotes where it needs them.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.0.is_empty()
            && !self.0.contains(|char: char| char.is_whitespace() || "\"\\".contains(char));
        if plain { f.write_str(self.0) } else { write!(f, "\"{}\"", Escaped(self.0)) }
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            if char == '"' || char == '\\' {
                f.write_str("\\")?;
            }
            write!(f, "{char}")?;
        }
        Ok(())
    }
}

struct Token {
    /// The first character, counted from 1.
    at: usize,
    key: Option<String>,
    value: String,
}

/// Splits at spaces outside quotes. A backslash inside quotes takes the next character as it is.
fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().zip(1..).peekable();
    while let Some(&(first, at)) = chars.peek() {
        if first.is_whitespace() {
            chars.next();
            continue;
        }
        let mut token = Token { at, key: None, value: String::new() };
        let mut quoted = false;
        while let Some((char, here)) = chars.next_if(|(char, _)| !char.is_whitespace()) {
            match char {
                '"' => {
                    quoted = true;
                    quote(&mut chars, here, &mut token.value)?;
                }
                ':' if token.key.is_none() && !quoted && is_key(&token.value) => {
                    token.key = Some(std::mem::take(&mut token.value));
                }
                char => token.value.push(char),
            }
        }
        if token.key.is_some() || !token.value.is_empty() {
            tokens.push(token);
        }
    }
    Ok(tokens)
}

fn quote(
    chars: &mut impl Iterator<Item = (char, usize)>,
    at: usize,
    value: &mut String,
) -> Result<(), FilterError> {
    while let Some((char, _)) = chars.next() {
        match char {
            '"' => return Ok(()),
            '\\' => value.extend(chars.next().map(|(char, _)| char)),
            char => value.push(char),
        }
    }
    Err(FilterError { at, problem: "this quote is not closed".to_owned() })
}

/// What could be a key: `12:30` is not.
fn is_key(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphabetic())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.'))
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_763_634_427_000_000_000);

    #[test]
    fn terms() {
        let word = |text: &str| FilterTerm::Word(text.to_owned());
        for (text, expect) in [
            ("", vec![]),
            ("refund", vec![word("refund")]),
            ("\"two words\"  환불", vec![word("two words"), word("환불")]),
            ("model:gpt*", vec![FilterTerm::Model("gpt*".into())]),
            ("model:\"a b\"", vec![FilterTerm::Model("a b".into())]),
            ("model:openai/gpt-5:free", vec![FilterTerm::Model("openai/gpt-5:free".into())]),
            (
                "key:\"my key\" project:shop*",
                vec![FilterTerm::Key("my key".into()), FilterTerm::Project("shop*".into())],
            ),
            ("status:error", vec![FilterTerm::Status { failed: true }]),
            ("12:30", vec![word("12:30")]),
            ("\"a:b\"", vec![word("a:b")]),
            ("\"say \\\"hi\\\"\"", vec![word("say \"hi\"")]),
            (
                "since:7d",
                vec![FilterTerm::Since { text: "7d".into(), at: Timestamp(NOW.0 - 7 * 86_400_000_000_000) }],
            ),
            (
                "until:2025-11-01",
                vec![FilterTerm::Until {
                    text: "2025-11-01".into(),
                    at: Timestamp(1_761_955_200_000_000_000),
                }],
            ),
        ] {
            let filter = parse_filter(text, NOW).unwrap();
            assert_eq!(filter.terms, expect, "{text}");
            assert_eq!(parse_filter(&filter.to_string(), NOW).unwrap(), filter, "{text} as {filter}");
        }
    }

    #[test]
    fn errors_say_where() {
        for (text, at, says) in [
            ("ok modle:x", 4, "`modle:` is not known; known are model"),
            ("환불 user:alice", 4, "`user:` is not known"),
            ("a \"b", 3, "not closed"),
            ("status:bad", 1, "neither"),
            ("since:yesterday", 1, "no time"),
            ("since:9999999999999999999d", 1, "no time"),
            ("model:", 1, "no value"),
            ("status:ok status:error", 11, "already"),
        ] {
            let error = parse_filter(text, NOW).unwrap_err();
            assert_eq!(error.at, at, "{text}");
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
    }
}
