//! One thing that people and a judge have labelled.

use hanok_base::Verdict;
use serde::{Deserialize, Serialize};

/// What one person said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HumanLabel {
    /// Who.
    pub who: String,
    /// The level, see [`Scale`](crate::judge::Scale).
    pub level: usize,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// How a judge's answer on an item ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgeSaid {
    /// This level.
    Level(usize),
    /// It declined.
    Refused,
    /// It could not be read.
    Unparsed,
    /// It failed, or had nothing to say.
    Failed,
}

impl JudgeSaid {
    /// Of a verdict whose level is known.
    pub fn of(verdict: &Verdict, level: Option<usize>) -> Self {
        match (verdict, level) {
            (Verdict::Value(_), Some(level)) => Self::Level(level),
            (Verdict::Refused(_), _) => Self::Refused,
            (Verdict::Unparsed(_) | Verdict::Value(_), _) => Self::Unparsed,
            (Verdict::Skipped(_) | Verdict::Failed(_), _) => Self::Failed,
        }
    }

    /// The level, where there is one.
    pub fn level(&self) -> Option<usize> {
        if let Self::Level(level) = self { Some(*level) } else { None }
    }
}

/// One thing that was labelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Tells items apart.
    pub id: String,
    /// What it belongs to, where items are not independent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The beginning of the answer, for people.
    #[serde(default)]
    pub answer: String,
    /// What people said, each on their own.
    pub people: Vec<HumanLabel>,
    /// What was settled where they differed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<usize>,
    /// What the judge said.
    pub judge: JudgeSaid,
    /// Its reasons.
    #[serde(default)]
    pub reasoning: String,
}

impl Item {
    /// What is held to be true: what was settled, else what more people than not said. `None` where nobody said
    /// anything, or as many said one thing as another.
    pub fn truth(&self) -> Option<usize> {
        if self.settled.is_some() {
            return self.settled;
        }
        let times = |level: usize| self.people.iter().filter(|label| label.level == level).count();
        let most = self.people.iter().map(|label| times(label.level)).max()?;
        let mut commonest = self.people.iter().map(|label| label.level).filter(|level| times(*level) == most);
        let first = commonest.next()?;
        commonest.all(|level| level == first).then_some(first)
    }

    /// Why people said what is held to be true.
    pub fn comment(&self) -> &str {
        let truth = self.truth();
        let said = |label: &&HumanLabel| Some(label.level) == truth && !label.comment.is_empty();
        self.people.iter().find(said).map_or("", |label| &label.comment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_what_most_say_or_what_was_settled() {
        let check = |levels: &[usize], settled: Option<usize>, expect: Option<usize>| {
            let people = levels.iter().map(|level| HumanLabel {
                who: String::new(),
                level: *level,
                comment: String::new(),
            });
            let item = Item {
                id: String::new(),
                cluster: None,
                answer: String::new(),
                people: people.collect(),
                settled,
                judge: JudgeSaid::Refused,
                reasoning: String::new(),
            };
            assert_eq!(item.truth(), expect, "{levels:?} {settled:?}");
        };
        check(&[], None, None);
        check(&[1], None, Some(1));
        check(&[1, 0], None, None);
        check(&[1, 0], Some(0), Some(0));
        check(&[1, 0, 1], None, Some(1));
        check(&[1, 0, 1, 0, 2], None, None);
    }
}
