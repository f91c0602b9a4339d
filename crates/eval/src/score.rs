//! Scores as an experiment keeps them: a JSON object by name, the value under `value`, and what is none under its kind.

use hanok_base::{NanoDollars, SampleScore, ScoreValue, Verdict};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// One score as it is kept. Exactly one of the first five members is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptScore {
    /// The value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<ScoreValue>,
    /// The judge declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The judge's answer could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unparsed: Option<String>,
    /// There was nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Scoring failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What the scoring cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<NanoDollars>,
}

impl From<SampleScore> for KeptScore {
    fn from(score: SampleScore) -> Self {
        let mut kept = Self { why: score.explanation, cost: score.cost, ..Self::default() };
        match score.verdict {
            // What is no number is not kept as one.
            Verdict::Value(ScoreValue::Number(number)) if !number.is_finite() => {
                kept.failed = Some(format!("the score is no number: {number}"));
            }
            Verdict::Value(value) => kept.value = Some(value),
            Verdict::Refused(why) => kept.refused = Some(why),
            Verdict::Unparsed(why) => kept.unparsed = Some(why),
            Verdict::Skipped(why) => kept.skipped = Some(why),
            Verdict::Failed(why) => kept.failed = Some(why),
        }
        kept
    }
}

/// The scores of one output, in the order they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptScores(pub Vec<(String, KeptScore)>);

impl KeptScores {
    /// From JSON.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// As JSON.
    pub fn json(&self) -> String {
        // Keys are text and numbers are finite: this cannot fail.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }

    /// Adds a score; a second one of a name is told apart by a number.
    pub fn push(&mut self, name: String, score: KeptScore) {
        let taken = |wanted: &str| self.0.iter().any(|(known, _)| known == wanted);
        let name = if taken(&name) {
            (2..1000).map(|number: u32| format!("{name}-{number}")).find(|name| !taken(name)).unwrap_or(name)
        } else {
            name
        };
        self.0.push((name, score));
    }

    /// The score of this name.
    pub fn get(&self, name: &str) -> Option<&KeptScore> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, score)| score)
    }
}

impl Serialize for KeptScores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, score) in &self.0 {
            map.serialize_entry(name, score)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for KeptScores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = KeptScores;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("scores by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KeptScores, A::Error> {
                let mut scores = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    scores.push(entry);
                }
                Ok(KeptScores(scores))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_value_is_never_a_number() {
        let check = |verdict: Verdict, expect: &str| {
            let score = SampleScore { name: "s".into(), verdict, explanation: String::new(), cost: None };
            let mut kept = KeptScores::default();
            kept.push("s".into(), score.into());
            assert_eq!(kept.json(), expect);
            assert_eq!(KeptScores::read(expect).unwrap(), kept);
        };
        check(Verdict::Value(ScoreValue::Truth(true)), r#"{"s":{"value":true}}"#);
        check(Verdict::Value(ScoreValue::Number(0.25)), r#"{"s":{"value":0.25}}"#);
        check(Verdict::Value(ScoreValue::Label("a".into())), r#"{"s":{"value":"a"}}"#);
        check(
            Verdict::Value(ScoreValue::Number(f64::NAN)),
            r#"{"s":{"failed":"the score is no number: NaN"}}"#,
        );
        check(Verdict::Refused("no".into()), r#"{"s":{"refused":"no"}}"#);
        check(Verdict::Unparsed("?".into()), r#"{"s":{"unparsed":"?"}}"#);
        check(Verdict::Skipped("-".into()), r#"{"s":{"skipped":"-"}}"#);
        check(Verdict::Failed("x".into()), r#"{"s":{"failed":"x"}}"#);
    }

    #[test]
    fn names_are_told_apart() {
        let mut kept = KeptScores::default();
        for _ in 0..3 {
            kept.push("s".into(), KeptScore::default());
        }
        let names: Vec<&str> = kept.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["s", "s-2", "s-3"]);
    }
}
