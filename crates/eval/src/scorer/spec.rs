//! One `[[scorers]]` table of an eval's file.

use crate::judge::JudgeSpec;
use hanok_base::Object;
use hanok_base::names::meant;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// A scorer cannot be built as it is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scorer `{name}`: {message}")]
pub struct SpecError {
    /// The scorer's name.
    pub name: String,
    /// What is wrong, with the way out.
    pub message: String,
}

/// A scorer, as an eval's file has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScorerSpec {
    /// Its name; the kind's where none is given.
    pub name: String,
    /// What every kind takes.
    #[serde(flatten)]
    pub common: Common,
    /// The kind, with its own members.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What every kind of scorer takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Common {
    /// What is right, for every sample; otherwise the sample's own `expected` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// `JSONPath` (RFC 9535) into the sample's `expected`, where that holds more than one thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// `JSONPath` into the output's data (or its text read as JSON): the part that is scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Turns yes into no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not: bool,
    /// Makes yes of a number that is at least this, and no of a lesser one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// The members of [`Common`], and `name`.
const COMMON: [&str; 6] = ["name", "value", "expected", "output", "not", "threshold"];

/// The kinds of scorer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Kind {
    /// The text is one of the expected ones; data is equal.
    Exact(Text),
    /// The text has the expected ones in it.
    Contains(Contains),
    /// The text matches a regular expression.
    Regex(Pattern),
    /// The output is JSON that fits a schema, or any JSON.
    JsonSchema(JsonSchema),
    /// Something is at a place in the output's JSON, and is what is expected.
    JsonPath(JsonPath),
    /// The number in the text is near the expected one.
    Numeric(Numeric),
    /// Levenshtein's distance as a likeness from 0 to 1.
    EditDistance(EditDistance),
    /// BLEU of the sentence, from 0 to 1.
    Bleu(Bleu),
    /// ROUGE.
    Rouge(Rouge),
    /// chrF, from 0 to 1.
    #[serde(rename = "chrf")]
    ChrF(ChrF),
    /// The cosine of the vectors of output and expected text.
    Similarity(Plain),
    /// The share of citations that are verbatim in their source.
    Citations(Citations),
    /// The tools that were called are the expected ones.
    ToolCalls(ToolCalls),
    /// How well a list of names ranks what is relevant.
    Ranking(Ranking),
    /// How long the task took, in seconds, or whether it kept a limit.
    Latency(Latency),
    /// What the task cost, in US dollars, or whether it kept a limit.
    Cost(Cost),
    /// A command says.
    Command(Command),
    /// An endpoint says.
    Http(Http),
    /// A model says.
    Judge(Box<JudgeSpec>),
}

impl Kind {
    /// The kind's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Exact(_) => "exact",
            Self::Contains(_) => "contains",
            Self::Regex(_) => "regex",
            Self::JsonSchema(_) => "json-schema",
            Self::JsonPath(_) => "json-path",
            Self::Numeric(_) => "numeric",
            Self::EditDistance(_) => "edit-distance",
            Self::Bleu(_) => "bleu",
            Self::Rouge(_) => "rouge",
            Self::ChrF(_) => "chrf",
            Self::Similarity(_) => "similarity",
            Self::Citations(_) => "citations",
            Self::ToolCalls(_) => "tool-calls",
            Self::Ranking(_) => "ranking",
            Self::Latency(_) => "latency",
            Self::Cost(_) => "cost",
            Self::Command(_) => "command",
            Self::Http(_) => "http",
            Self::Judge(_) => "judge",
        }
    }

    /// Whether it measures rather than decides.
    pub fn is_measure(&self) -> bool {
        matches!(self, Self::Ranking(ranking) if ranking.measure != Measure::Success)
            || matches!(
                self,
                Self::EditDistance(_)
                    | Self::Bleu(_)
                    | Self::Rouge(_)
                    | Self::ChrF(_)
                    | Self::Similarity(_)
                    | Self::Citations(_)
            )
    }
}

/// A kind without members of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plain {}

/// What does not count where texts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ignore {
    /// How characters are composed, and their compatible forms (Unicode's NFKC).
    Form,
    /// Upper and lower case.
    Case,
    /// Characters that are neither letters, marks, digits nor space.
    Punctuation,
    /// The English articles `a`, `an` and `the`, as `SQuAD`'s measure leaves them out.
    Articles,
    /// How much space is between words, and any around them.
    Space,
}

/// Members of `exact`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Text {
    /// What does not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Ignore>,
}

/// Where a text must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum At {
    /// In any place.
    #[default]
    Anywhere,
    /// At the beginning.
    Start,
    /// At the end.
    End,
}

/// Members of `contains`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contains {
    /// What does not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Ignore>,
    /// Whether all of several texts must be there; otherwise one is enough.
    pub all: bool,
    /// Where.
    pub at: At,
}

/// Members of `regex`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pattern {
    /// The expression, of Rust's `regex` crate: no look-around, no back reference, linear time. What is expected where
    /// it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Whether the whole text must match.
    pub whole: bool,
}

/// Members of `json-schema`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JsonSchema {
    /// The schema; any JSON will do without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// The file that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Whether JSON in a fence, or with text around it, will do.
    pub lenient: bool,
}

/// Members of `json-path`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonPath {
    /// The place (RFC 9535).
    pub path: String,
    /// Whether it is enough that something is there.
    #[serde(default)]
    pub exists: bool,
    /// Whether JSON in a fence, or with text around it, will do.
    #[serde(default)]
    pub lenient: bool,
}

/// Which of several numbers in a text counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pick {
    /// The last one: models think first and conclude at the end.
    #[default]
    Last,
    /// The first one.
    First,
    /// The only one; of several none.
    Only,
    /// Any of them.
    Any,
}

/// Members of `numeric`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Numeric {
    /// How far it may be off.
    pub absolute: f64,
    /// How far it may be off, as a share of the expected number. The wider of the two counts.
    pub relative: f64,
    /// Which number counts.
    pub pick: Pick,
    /// The mark before the fraction; the other one of `.` and `,` separates thousands.
    pub decimal: char,
}

impl Default for Numeric {
    fn default() -> Self {
        Self { absolute: 0.0, relative: 1e-9, pick: Pick::Last, decimal: '.' }
    }
}

/// What a distance counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Characters (Unicode scalar values).
    #[default]
    Character,
    /// Words, separated by space.
    Word,
}

/// Members of `edit-distance`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EditDistance {
    /// What does not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Ignore>,
    /// What is counted.
    pub unit: Unit,
}

/// How BLEU cuts a text into tokens; names and rules are sacrebleu's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BleuTokens {
    /// `mteval-v13a`'s.
    #[default]
    #[serde(rename = "13a")]
    Mteval13a,
    /// Every character.
    #[serde(rename = "char")]
    Characters,
    /// What space separates.
    #[serde(rename = "none")]
    Space,
}

/// Members of `bleu`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bleu {
    /// How texts are cut.
    pub tokens: BleuTokens,
    /// Whether case does not count.
    pub lowercase: bool,
    /// The longest run of tokens that is compared.
    pub order: usize,
}

impl Default for Bleu {
    fn default() -> Self {
        Self { tokens: BleuTokens::default(), lowercase: false, order: 4 }
    }
}

/// How ROUGE cuts a text into tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RougeTokens {
    /// Runs of letters, marks and digits of any script, in lower case; on ASCII texts the same as `ascii`.
    #[default]
    Words,
    /// Runs of `a` to `z` and `0` to `9`, in lower case, as rouge-score has it: whatever else there is counts for
    /// nothing, all Korean included.
    Ascii,
}

/// Members of `rouge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rouge {
    /// Which ones: `1` to `9` for runs of so many tokens, `l` for the longest common subsequence, `lsum` for that of
    /// texts of several lines.
    pub of: Vec<String>,
    /// How texts are cut.
    pub tokens: RougeTokens,
}

impl Default for Rouge {
    fn default() -> Self {
        Self { of: vec!["l".to_owned()], tokens: RougeTokens::default() }
    }
}

/// Members of `chrf`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChrF {
    /// The longest run of characters that is compared.
    pub characters: usize,
    /// The longest run of words; 2 is chrF++.
    pub words: usize,
    /// How many times as much recall counts as precision.
    pub beta: u32,
    /// Whether case does not count.
    pub lowercase: bool,
}

impl Default for ChrF {
    fn default() -> Self {
        Self { characters: 6, words: 0, beta: 2, lowercase: false }
    }
}

/// Members of `citations`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Citations {
    /// Whether an answer without a citation scores 0; otherwise it is skipped.
    pub required: bool,
}

/// How arguments are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arguments {
    /// What is expected is there; there may be more.
    #[default]
    Subset,
    /// Nothing else is there.
    Equal,
    /// Not at all.
    Ignore,
}

/// Members of `tool-calls`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToolCalls {
    /// How arguments are compared.
    pub arguments: Arguments,
    /// Whether the calls must come in the expected order.
    pub ordered: bool,
    /// Whether there may be calls that nobody expected.
    pub extra: bool,
}

/// How a ranking is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Normalised discounted cumulative gain, grades counting as they are.
    #[default]
    Ndcg,
    /// The share of what is relevant that was found.
    Recall,
    /// The share of the first `k` places that hold something relevant.
    Precision,
    /// One over the rank of the first relevant one.
    Mrr,
    /// Average precision.
    Map,
    /// Whether anything relevant was found.
    Success,
}

/// Members of `ranking`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ranking {
    /// Which measure.
    pub measure: Measure,
    /// How many of the first count.
    pub k: usize,
}

impl Default for Ranking {
    fn default() -> Self {
        Self { measure: Measure::default(), k: 10 }
    }
}

/// Members of `latency`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Latency {
    /// Most seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// Members of `cost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cost {
    /// Most US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dollars: Option<f64>,
}

/// Members of `command`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments; no shell reads them.
    pub command: Vec<String>,
    /// How long it may take.
    #[serde(default = "half_a_minute")]
    pub timeout_seconds: f64,
}

/// Members of `http`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where to POST to.
    pub url: String,
    /// Headers; a value `env:NAME` is read from the environment.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub headers: Object,
    /// How long it may take.
    #[serde(default = "half_a_minute")]
    pub timeout_seconds: f64,
}

fn half_a_minute() -> f64 {
    30.0
}

impl<'de> Deserialize<'de> for ScorerSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut rest = Object::deserialize(deserializer)?;
        let kind_name = rest.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if kind_name.is_empty() {
            return Err(D::Error::custom("a scorer has no `kind`, such as kind = \"exact\""));
        }
        let named =
            rest.get("name").and_then(Value::as_str).map_or_else(|| kind_name.clone(), ToOwned::to_owned);
        if named.trim().is_empty() {
            return Err(D::Error::custom("a scorer's name is empty"));
        }
        let explain = |error: &serde_json::Error| {
            let message = error.to_string();
            let hint = likely(&message).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            D::Error::custom(format!("scorer `{named}`: {message}{hint}"))
        };
        let common: Object = COMMON
            .iter()
            .filter_map(|key| rest.shift_remove(*key).map(|value| ((*key).to_owned(), value)))
            .collect();
        let common = Common::deserialize(Value::Object(common)).map_err(|error| explain(&error))?;
        let kind = Kind::deserialize(Value::Object(rest)).map_err(|error| explain(&error))?;
        Ok(Self { name: named, common, kind })
    }
}

/// From "unknown field `x`, expected one of `a`, `b`": the expected name most like the unknown one, the members of
/// every kind among them.
fn likely(message: &str) -> Option<String> {
    let common = COMMON.into_iter().filter(|_| message.starts_with("unknown field"));
    meant(message, common).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<ScorerSpec, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_is_read_and_written() {
        let spec =
            read(json!({"kind": "contains", "value": ["a", "b"], "all": true, "threshold": 0.5})).unwrap();
        assert_eq!(spec.name, "contains");
        assert_eq!(spec.common.threshold, Some(0.5));
        assert!(matches!(&spec.kind, Kind::Contains(contains) if contains.all));
        let written = serde_json::to_value(&spec).unwrap();
        assert_eq!(read(written).unwrap(), spec);
    }

    #[test]
    fn what_is_unknown_is_named_with_the_likely_spelling() {
        let check = |value: Value, expect: &str| {
            let error = read(value).unwrap_err();
            assert!(error.contains(expect), "{error}");
        };
        check(json!({"kind": "numerc"}), "did you mean `numeric`?");
        check(json!({"kind": "numeric", "abslute": 1}), "did you mean `absolute`?");
        check(json!({"kind": "bleu", "treshold": 1}), "did you mean `threshold`?");
        check(
            json!({"kind": "exact", "name": "right", "ignore": ["cas"]}),
            "scorer `right`: unknown variant `cas`",
        );
        check(json!({"name": "x"}), "no `kind`");
    }
}
