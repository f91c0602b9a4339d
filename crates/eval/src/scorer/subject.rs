//! What a scorer looks at, once the paths of its table are followed.

use super::spec::{Common, ScorerSpec, SpecError};
use crate::json;
use hanok_base::{BoxFuture, CallContext, NanoDollars, Output, Sample, SampleScore, ScoreValue, Verdict};
use serde_json::Value;
use serde_json_path::JsonPath;
use std::borrow::Cow;

/// An output beside what is expected.
pub(crate) struct Subject<'a> {
    /// All of what the task made.
    pub(crate) output: &'a Output,
    /// The text that is scored.
    pub(crate) text: Cow<'a, str>,
    /// The data that is scored, where the output has some of its own or a path led to it.
    pub(crate) value: Option<Cow<'a, Value>>,
    /// What is right.
    pub(crate) expected: Option<Cow<'a, Value>>,
}

impl Subject<'_> {
    /// The texts of which one is right.
    pub(crate) fn expected_texts(&self) -> Vec<Cow<'_, str>> {
        match self.expected.as_deref() {
            None => Vec::new(),
            Some(Value::Array(list)) => list.iter().map(as_text).collect(),
            Some(value) => vec![as_text(value)],
        }
    }

    /// The data that is scored: the output's own, or its text read as JSON.
    pub(crate) fn json(&self, lenient: bool) -> Result<Cow<'_, Value>, String> {
        match &self.value {
            Some(value) => Ok(Cow::Borrowed(value.as_ref())),
            None => json::read(&self.text, lenient).map(Cow::Owned),
        }
    }
}

/// A text as it is, anything else as JSON.
pub(crate) fn as_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// What a rule found.
pub(crate) struct Found {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// Why, for people.
    pub(crate) explanation: String,
    /// Further scores, by the names that follow the scorer's and a dot.
    pub(crate) parts: Vec<(String, Verdict)>,
    /// What it cost to find out.
    pub(crate) cost: Option<NanoDollars>,
}

impl Found {
    /// Yes or no, and why.
    pub(crate) fn truth(yes: bool, explanation: impl Into<String>) -> Self {
        Self::of(Verdict::Value(ScoreValue::Truth(yes)), explanation)
    }
    /// How much, and why.
    pub(crate) fn number(number: f64, explanation: impl Into<String>) -> Self {
        Self::of(Verdict::Value(ScoreValue::Number(number)), explanation)
    }
    /// The scorer has nothing to say.
    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self::of(Verdict::Skipped(why.into()), "")
    }
    /// Scoring failed.
    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self::of(Verdict::Failed(why.into()), "")
    }
    /// Any verdict.
    pub(crate) fn of(verdict: Verdict, explanation: impl Into<String>) -> Self {
        Self { verdict, explanation: explanation.into(), parts: Vec::new(), cost: None }
    }
}

/// Scores without asking anybody.
pub(crate) trait Rule: Send + Sync {
    /// What it finds.
    fn check(&self, subject: &Subject<'_>) -> Found;
}

/// Scores by asking somebody else.
pub(crate) trait Ask: Send + Sync {
    /// What it finds; spans go under `cx`.
    fn ask<'a>(
        &'a self,
        cx: &'a CallContext,
        sample: &'a Sample,
        subject: Subject<'a>,
    ) -> BoxFuture<'a, Found>;
}

/// [`Common`], made ready.
pub(crate) struct Frame {
    name: String,
    value: Option<Value>,
    expected: Option<JsonPath>,
    output: Option<JsonPath>,
    not: bool,
    threshold: Option<f64>,
}

impl Frame {
    pub(crate) fn new(spec: &ScorerSpec) -> Result<Self, SpecError> {
        let fault = |message: String| SpecError { name: spec.name.clone(), message };
        let Common { value, expected, output, not, threshold } = spec.common.clone();
        if value.is_some() && expected.is_some() {
            return Err(fault(
                "`value` says what is right, and `expected` where it is: one of them is too much".to_owned(),
            ));
        }
        if not && threshold.is_none() && spec.kind.is_measure() {
            return Err(fault("`not` of a number needs a `threshold`".to_owned()));
        }
        let path = |path: Option<String>| path.map(|path| json::path(&path)).transpose();
        Ok(Self {
            name: spec.name.clone(),
            value,
            expected: path(expected).map_err(fault)?,
            output: path(output).map_err(fault)?,
            not,
            threshold,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What there is to look at; why not, where a path leads nowhere.
    pub(crate) fn subject<'a>(
        &'a self,
        sample: &'a Sample,
        output: &'a Output,
    ) -> Result<Subject<'a>, Verdict> {
        let expected = match (&self.value, &self.expected, &sample.expected) {
            (Some(value), ..) => Some(Cow::Borrowed(value)),
            (None, None, expected) => expected.as_ref().map(Cow::Borrowed),
            (None, Some(_), None) => None,
            (None, Some(path), Some(expected)) => json::at(path, expected).map(Cow::Owned),
        };
        let mut subject = Subject {
            output,
            text: Cow::Borrowed(&output.text),
            value: output.value.as_ref().map(Cow::Borrowed),
            expected,
        };
        if let Some(path) = &self.output {
            let found = match subject.json(true) {
                Ok(value) => json::at(path, &value),
                // The task did answer, and not with what it should have.
                Err(why) => {
                    return Err(Verdict::Failed(format!(
                        "the output has no data to follow a path in: {why}"
                    )));
                }
            };
            let Some(found) = found else {
                return Err(Verdict::Failed(format!("nothing is at {path} of the output")));
            };
            subject.text = Cow::Owned(as_text(&found).into_owned());
            subject.value = Some(Cow::Owned(found));
        }
        Ok(subject)
    }

    /// The scores of a finding, under the scorer's name.
    pub(crate) fn scores(&self, found: Found) -> Vec<SampleScore> {
        let mut scores = Vec::with_capacity(1 + found.parts.len());
        scores.push(SampleScore {
            name: self.name.clone(),
            verdict: self.decided(found.verdict),
            explanation: found.explanation,
            cost: found.cost,
        });
        scores.extend(found.parts.into_iter().map(|(part, verdict)| SampleScore {
            name: format!("{}.{part}", self.name),
            verdict,
            explanation: String::new(),
            cost: None,
        }));
        scores
    }

    /// A verdict after threshold and `not`.
    pub(crate) fn decided(&self, verdict: Verdict) -> Verdict {
        let Verdict::Value(mut value) = verdict else {
            return verdict;
        };
        if let (Some(least), Some(number)) = (self.threshold, value.number()) {
            value = ScoreValue::Truth(number >= least);
        }
        if let (true, ScoreValue::Truth(yes)) = (self.not, &value) {
            value = ScoreValue::Truth(!yes);
        }
        Verdict::Value(value)
    }
}
