//! What a judge, or a person, can say: labels from worst to best.

use super::spec::{Form, Level};
use hanok_base::ScoreValue;
use serde::{Deserialize, Serialize};

/// Labels in order, worst first. A label is spoken of by its place, its *level*.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// What is said.
    pub form: Form,
    /// The labels.
    pub labels: Vec<String>,
}

impl Scale {
    /// `fail` and `pass`.
    pub fn binary() -> Self {
        Self { form: Form::Binary, labels: vec!["fail".to_owned(), "pass".to_owned()] }
    }

    /// `loss`, `tie` and `win` of the answer that is judged against another one.
    pub fn pairwise() -> Self {
        Self { form: Form::Pairwise, labels: ["loss", "tie", "win"].map(ToOwned::to_owned).to_vec() }
    }

    /// These labels, worst first; at least two, none twice.
    pub fn ordinal(levels: &[Level]) -> Result<Self, String> {
        let labels: Vec<String> = levels.iter().map(|level| level.label.trim().to_owned()).collect();
        if labels.len() < 2 {
            return Err(
                "an ordinal judge needs `levels`, worst first, such as [\"poor\", \"fair\", \"good\"]"
                    .to_owned(),
            );
        }
        for (at, label) in labels.iter().enumerate() {
            if label.is_empty() {
                return Err("a level has no label".to_owned());
            }
            if labels.iter().take(at).any(|other| alike(other, label)) {
                return Err(format!("the level `{label}` is there twice"));
            }
        }
        Ok(Self { form: Form::Ordinal, labels })
    }

    /// The label of a level.
    pub fn label(&self, level: usize) -> &str {
        self.labels.get(level).map_or("", String::as_str)
    }

    /// The best level.
    pub fn best(&self) -> usize {
        self.labels.len().saturating_sub(1)
    }

    /// A level as a number: its label where all labels are numbers, otherwise from 0 for the worst to 1 for the best.
    #[expect(clippy::cast_precision_loss, reason = "there are few levels")]
    pub fn number(&self, level: usize) -> f64 {
        let numbers: Option<Vec<f64>> = self.labels.iter().map(|label| label.parse().ok()).collect();
        numbers
            .and_then(|numbers| numbers.get(level).copied())
            .unwrap_or_else(|| level as f64 / self.best().max(1) as f64)
    }

    /// A level as a score: yes or no of a binary judge, else [`Self::number`].
    pub fn value(&self, level: usize) -> ScoreValue {
        match self.form {
            Form::Binary => ScoreValue::Truth(level > 0),
            Form::Ordinal | Form::Pairwise => ScoreValue::Number(self.number(level)),
        }
    }

    /// The level that a value means: yes or no, a label (in any case, `yes` and `true` for the better of two), or a
    /// level's number.
    pub fn level(&self, value: &ScoreValue) -> Option<usize> {
        match value {
            ScoreValue::Truth(yes) => (self.labels.len() == 2).then_some(usize::from(*yes)),
            ScoreValue::Number(number) => {
                (0..self.labels.len()).find(|level| (self.number(*level) - number).abs() < 1e-9)
            }
            ScoreValue::Label(label) => self.of_label(label),
        }
    }

    fn of_label(&self, label: &str) -> Option<usize> {
        let label = label.trim();
        let named = self.labels.iter().position(|known| alike(known, label));
        named.or_else(|| match label.to_lowercase().as_str() {
            "yes" | "true" | "good" | "passed" if self.form == Form::Binary => Some(1),
            "no" | "false" | "bad" | "failed" if self.form == Form::Binary => Some(0),
            other => self.level(&ScoreValue::Number(other.parse().ok()?)),
        })
    }
}

fn alike(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_has_a_level() {
        let level = |label: &str| Level { label: label.to_owned(), means: String::new() };
        let words = Scale::ordinal(&["poor", "fair", "Good"].map(level)).unwrap();
        let stars = Scale::ordinal(&["1", "2", "3", "4", "5"].map(level)).unwrap();
        let check = |scale: &Scale, value: ScoreValue, expect: Option<usize>| {
            assert_eq!(scale.level(&value), expect, "{value:?}");
        };
        check(&Scale::binary(), ScoreValue::Truth(true), Some(1));
        check(&Scale::binary(), ScoreValue::Label("PASS ".into()), Some(1));
        check(&Scale::binary(), ScoreValue::Label("false".into()), Some(0));
        check(&Scale::binary(), ScoreValue::Number(1.0), Some(1));
        check(&Scale::binary(), ScoreValue::Number(0.5), None);
        check(&words, ScoreValue::Label("good".into()), Some(2));
        check(&words, ScoreValue::Number(0.5), Some(1));
        check(&words, ScoreValue::Truth(true), None);
        check(&stars, ScoreValue::Number(4.0), Some(3));
        check(&stars, ScoreValue::Label("4".into()), Some(3));
        check(&stars, ScoreValue::Number(0.0), None);
        check(&Scale::pairwise(), ScoreValue::Label("tie".into()), Some(1));
        assert_eq!(stars.value(3), ScoreValue::Number(4.0));
        assert_eq!(words.value(1), ScoreValue::Number(0.5));
        assert!(Scale::ordinal(&["a", "A"].map(level)).is_err());
    }
}
