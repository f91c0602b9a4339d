//! The steps, and what a model says to each.

use serde::{Deserialize, Serialize};

/// Further queries of one step.
const MOST: usize = 4;
/// Characters of a query.
const LONGEST_QUERY: usize = 500;
/// Characters of an answer that is guessed.
const LONGEST_GUESS: usize = 2_000;

/// Something a model does with a question before it is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueryStep {
    /// Puts it so that it stands without the conversation before it.
    Rewrite,
    /// Asks it in other words, too.
    Multi,
    /// Guesses an answer, and looks for what is like it (Hypothetical Document Embeddings, arXiv 2212.10496).
    Hyde,
    /// Takes it apart into questions that can be answered one by one.
    Decompose,
}

impl QueryStep {
    /// Every step, in the order they are taken.
    pub const ALL: [Self; 4] = [Self::Rewrite, Self::Multi, Self::Hyde, Self::Decompose];

    /// Its name, as configuration and requests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rewrite => "rewrite",
            Self::Multi => "multi",
            Self::Hyde => "hyde",
            Self::Decompose => "decompose",
        }
    }

    /// The step of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }

    /// What the model is told.
    pub(super) fn instructions(self) -> &'static str {
        match self {
            Self::Rewrite => {
                "You prepare questions for a search engine. Write the last question of the conversation so that it can \
                 be understood without the conversation: put names in place of pronouns and of what is left out. \
                 Change nothing else, add nothing, answer nothing. If it stands by itself already, repeat it. Answer \
                 with the question alone, on one line, in its own language."
            }
            Self::Multi => {
                "You prepare questions for a search engine. Write three other ways to ask the question, in words that \
                 a document about it could use: synonyms, the technical term for an everyday word or the reverse, the \
                 written-out form of an abbreviation. Keep its meaning and its language. Answer with the three \
                 questions alone, one a line, without numbers."
            }
            Self::Hyde => {
                "Write the short passage of a document that would answer the question, as such a document would word \
                 it, in the language of the question. It is used to find documents that are like it, so that its facts \
                 need not be right, but its words must be those of the field. Answer with the passage alone, in at \
                 most five sentences."
            }
            Self::Decompose => {
                "You prepare questions for a search engine. If the question needs several facts that stand in \
                 different places, write the questions, four at most, whose answers together answer it, each so that \
                 it can be understood by itself. If it needs one fact only, repeat it. Answer with the questions \
                 alone, one a line, without numbers, in the language of the question."
            }
        }
    }

    /// The queries in a model's answer; `None` where it is none.
    pub(super) fn read(self, answer: &str) -> Option<Vec<String>> {
        let answer = answer.trim();
        let one = |longest: usize| {
            let fits = !answer.is_empty() && answer.chars().nth(longest).is_none();
            fits.then(|| vec![answer.split_whitespace().collect::<Vec<_>>().join(" ")])
        };
        match self {
            Self::Rewrite => one(LONGEST_QUERY).filter(|_| !answer.contains('\n')),
            Self::Hyde => one(LONGEST_GUESS),
            Self::Multi | Self::Decompose => {
                let lines: Vec<&str> = answer.lines().map(bare).filter(|line| !line.is_empty()).collect();
                let good = !lines.is_empty()
                    && lines.len() <= MOST
                    && lines.iter().all(|line| line.chars().nth(LONGEST_QUERY).is_none());
                good.then(|| lines.into_iter().map(str::to_owned).collect())
            }
        }
    }
}

/// A line without the number or the dash that models put before it all the same.
fn bare(line: &str) -> &str {
    let line = line.trim();
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = (digits.len() < line.len()).then(|| digits.strip_prefix(['.', ')'])).flatten();
    let listed = || line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
    numbered.filter(|rest| rest.starts_with(' ')).or_else(listed).unwrap_or(line).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let check = |step: QueryStep, answer: &str, expect: Option<&[&str]>| {
            let got = step.read(answer);
            let got: Option<Vec<&str>> = got.as_ref().map(|all| all.iter().map(String::as_str).collect());
            assert_eq!(got.as_deref(), expect, "{step:?} {answer:?}");
        };
        check(QueryStep::Rewrite, " Which port does Hanok use? \n", Some(&["Which port does Hanok use?"]));
        check(QueryStep::Rewrite, "", None);
        check(QueryStep::Rewrite, "Sure!\nWhich port?", None);
        check(QueryStep::Rewrite, &"x".repeat(501), None);
        check(QueryStep::Multi, "1. a b\n2) c\n- d\n", Some(&["a b", "c", "d"]));
        check(QueryStep::Multi, "2024년 예산은?\n3.5 version?", Some(&["2024년 예산은?", "3.5 version?"]));
        check(QueryStep::Multi, "a\nb\nc\nd\ne", None);
        check(QueryStep::Decompose, "\n\n", None);
        check(QueryStep::Hyde, "It is\n so.", Some(&["It is so."]));
    }
}
