//! The filter language, shared by API, command line and pages:
//! `model:gpt* cost>0.01 latency>2s -status:error user:alice score.quality:<0.5 since:7d "two words"`.
//!
//! Terms are joined by *and*; several of one word (two models, say) by *or*, except for tags, of which all are meant.
//! A `-` before a term wants what it does not. Times without an offset are UTC.

mod terms;
mod text;

use hanok_base::Timestamp;
use hanok_store::TraceQuery;
use std::fmt;
pub use terms::{Criterion, FilterTerm, Label};
use text::{Separator, Token, tokens};

/// A filter that was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceFilter {
    /// Its terms, in the order they were written.
    pub terms: Vec<FilterTerm>,
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

/// Reads a filter. `now` is what `since:7d` counts from.
pub fn parse_filter(text: &str, now: Timestamp) -> Result<TraceFilter, FilterError> {
    let mut terms: Vec<FilterTerm> = Vec::new();
    for Token { at, not, key, value } in tokens(text)? {
        let wrong = |problem: String| FilterError { at, problem };
        let what = match key {
            None => Criterion::Word(value),
            Some((key, Separator::Colon)) => terms::named(&key, value, now).map_err(wrong)?,
            Some((key, Separator::Comparison(comparison))) => {
                terms::compared(&key, comparison, &value).map_err(wrong)?
            }
        };
        let term = FilterTerm { not, what };
        if not && term.what.is_moment() {
            return Err(wrong(format!("`{term}` cannot be turned round: write `since:` or `until:`")));
        }
        if let Some(same) = terms.iter().find(|known| known.excludes(&term)) {
            return Err(wrong(format!("there is `{same}` already")));
        }
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
            if term.not {
                let mut not = TraceQuery::default();
                term.what.ask(&mut not);
                query.not.push(not);
            } else {
                term.what.ask(&mut query);
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

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_store::{Comparison, Has, Measure, Measured, ScoreTest, Scored};

    const NOW: Timestamp = Timestamp(1_763_634_427_000_000_000);

    fn number(measure: Measure, comparison: Comparison, value: i64, text: &str) -> Criterion {
        Criterion::Number { measured: Measured { measure, comparison, value }, text: text.to_owned() }
    }

    #[test]
    fn terms() {
        let word = |text: &str| Criterion::Word(text.to_owned());
        let label = |label: Label, text: &str| Criterion::Label(label, text.to_owned());
        let score = |name: &str, value: ScoreTest| Criterion::Score(Scored { name: name.to_owned(), value });
        for (text, expect) in [
            ("", vec![]),
            ("refund", vec![word("refund")]),
            ("\"two words\"  환불", vec![word("two words"), word("환불")]),
            ("model:gpt*", vec![label(Label::Model, "gpt*")]),
            ("model:\"a b\"", vec![label(Label::Model, "a b")]),
            ("model:openai/gpt-5:free", vec![label(Label::Model, "openai/gpt-5:free")]),
            (
                "key:\"my key\" project:shop* provider:openai",
                vec![
                    label(Label::Key, "my key"),
                    label(Label::Project, "shop*"),
                    label(Label::Provider, "openai"),
                ],
            ),
            (
                "session:c-1 user:앨리스 tag:beta prompt:greet@3 source:shop operation:chat name:\"a b\"",
                vec![
                    label(Label::Session, "c-1"),
                    label(Label::User, "앨리스"),
                    label(Label::Tag, "beta"),
                    label(Label::Prompt, "greet@3"),
                    label(Label::Source, "shop"),
                    label(Label::Operation, "chat"),
                    label(Label::Name, "a b"),
                ],
            ),
            ("status:error", vec![Criterion::Status { failed: true }]),
            ("error:timeout", vec![Criterion::Error("timeout".into())]),
            ("12:30", vec![word("12:30")]),
            ("3<4", vec![word("3<4")]),
            ("\"a:b\" \"a>b\" \"-a\" -- - --x", ["a:b", "a>b", "-a", "--", "-", "--x"].map(word).to_vec()),
            ("\"say \\\"hi\\\"\"", vec![word("say \"hi\"")]),
            (
                "since:7d",
                vec![Criterion::Since { text: "7d".into(), at: Timestamp(NOW.0 - 7 * 86_400_000_000_000) }],
            ),
            (
                "until:2025-11-01",
                vec![Criterion::Until {
                    text: "2025-11-01".into(),
                    at: Timestamp(1_761_955_200_000_000_000),
                }],
            ),
            (
                "cost>0.01 cost<=$2 tokens>=1.5k input<2M output>7",
                vec![
                    number(Measure::Cost, Comparison::More, 10_000_000, "0.01"),
                    number(Measure::Cost, Comparison::AtMost, 2_000_000_000, "$2"),
                    number(Measure::Tokens, Comparison::AtLeast, 1_500, "1.5k"),
                    number(Measure::Input, Comparison::Less, 2_000_000, "2M"),
                    number(Measure::Output, Comparison::More, 7, "7"),
                ],
            ),
            (
                "latency>2s duration:<1.5m ttft>300ms spans>10",
                vec![
                    number(Measure::Duration, Comparison::More, 2_000_000_000, "2s"),
                    number(Measure::Duration, Comparison::Less, 90_000_000_000, "1.5m"),
                    number(Measure::FirstToken, Comparison::More, 300_000_000, "300ms"),
                    number(Measure::Spans, Comparison::More, 10, "10"),
                ],
            ),
            (
                "score.quality:>0.5 score.품질<=-1 score.tone:\"very rude\"",
                vec![
                    score("quality", ScoreTest::Number(Comparison::More, 0.5)),
                    score("품질", ScoreTest::Number(Comparison::AtMost, -1.0)),
                    score("tone", ScoreTest::Label("very rude".into())),
                ],
            ),
            (
                "id:4BF92f3577b34da6a3ce929d0e0e4736 id:4bf9*",
                vec![Criterion::Id("4bf92f3577b34da6a3ce929d0e0e4736".into()), Criterion::Id("4bf9*".into())],
            ),
            ("has:score has:error", vec![Criterion::Has(Has::Score), Criterion::Has(Has::Error)]),
        ] {
            let filter = parse_filter(text, NOW).unwrap();
            let found: Vec<Criterion> = filter.terms.iter().map(|term| term.what.clone()).collect();
            assert_eq!(found, expect, "{text}");
            assert!(filter.terms.iter().all(|term| !term.not), "{text}");
            assert_eq!(parse_filter(&filter.to_string(), NOW).unwrap(), filter, "{text} as {filter}");

            let turned = TraceFilter {
                terms: filter
                    .terms
                    .into_iter()
                    .map(|term| FilterTerm { not: !term.what.is_moment(), ..term })
                    .collect(),
            };
            assert_eq!(parse_filter(&turned.to_string(), NOW).unwrap(), turned, "{text} as {turned}");
        }
    }

    #[test]
    fn errors_say_where() {
        for (text, at, says) in [
            ("ok modle:x", 4, "`modle:` is not known; known are model"),
            ("환불 usr:alice", 4, "`usr:` is not known"),
            ("a \"b", 3, "not closed"),
            ("status:bad", 1, "neither"),
            ("since:yesterday", 1, "no time"),
            ("since:9999999999999999999d", 1, "no time"),
            ("model:", 1, "no value"),
            ("status:ok status:error", 11, "already"),
            ("a -since:7d", 3, "cannot be turned round"),
            ("cost:0.01", 1, "write `cost>0.01`"),
            ("cost>cheap", 1, "`cheap` is not dollars, as in `cost>0.01`"),
            ("cost>", 1, "`cost>` has no value"),
            ("latency>2", 1, "`2` is not a time, as in `latency>2s`"),
            ("ttft<2parsecs", 1, "as in `ttft>2s`"),
            ("tokens>-1", 1, "not a number"),
            ("model>gpt", 1, "`model` is not compared: write `model:gpt`"),
            ("speed>9", 1, "`speed>` is not known"),
            ("score.:x", 1, "no name"),
            ("score.q>high", 1, "`high` is no number"),
            ("id:xyz", 1, "no trace id"),
            ("has:luck", 1, "known are error, cost"),
        ] {
            let error = parse_filter(text, NOW).unwrap_err();
            assert_eq!(error.at, at, "{text}");
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
    }
}
