//! The seams of evals: what is tried ([`Task`]) on which rows ([`Sample`]), and what says how good the result is
//! ([`Scorer`]). Whoever runs experiments knows neither agents nor retrieval; whoever has those knows no experiments.

use crate::{
    BoxFuture, CallContext, Citation, Message, NanoDollars, Object, ProviderError, SpanId, ToolCall, TraceId,
    Usage,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// One row of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Tells the rows of a dataset apart; stable over its versions.
    pub id: String,
    /// What a task is given: variables by name, or `{"input": …}` where the row has one value only.
    pub input: Object,
    /// What would be right, where somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What else is known: split, tags, labels of people.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub metadata: Object,
    /// What the row belongs to, where rows are not independent (a conversation, a document): errors are clustered by
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The span it was made of, as `TRACE_ID` or `TRACE_ID/SPAN_ID` in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl Sample {
    /// The id of a span as [`Self::origin`] writes it.
    pub fn origin_of(trace: TraceId, span: Option<SpanId>) -> String {
        span.map_or_else(|| trace.to_string(), |span| format!("{trace}/{span}"))
    }

    /// The trace of the span it was made of.
    pub fn origin_trace(&self) -> Option<TraceId> {
        let origin = self.origin.as_deref()?;
        origin.split_once('/').map_or(origin, |(trace, _)| trace).parse().ok()
    }
}

/// What a task made of a sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// The answer's text, without reasoning.
    pub text: String,
    /// What was thought before, where it was shown.
    pub reasoning: String,
    /// The answer as data, where the task yields some (structured output, ids of documents found).
    pub value: Option<Value>,
    /// The tools that were called, in order.
    pub tool_calls: Vec<ToolCall>,
    /// The sources that were named.
    pub citations: Vec<Citation>,
    /// What was asked, as it was sent; for judges and people. Empty where the task does not say.
    pub messages: Vec<Message>,
    /// Tokens.
    pub usage: Usage,
    /// Money; `None` where no price is known.
    pub cost: Option<NanoDollars>,
    /// How long it took.
    pub latency: Duration,
    /// The trace of the work.
    pub trace: Option<TraceId>,
}

/// What an experiment runs: a prompt, a model, a route, a pipeline of retrieval, an agent, an endpoint, a command.
pub trait Task: Send + Sync {
    /// Its name, for people.
    fn name(&self) -> &str;

    /// Everything that makes its outputs what they are (model, prompt's version, parameters), as JSON: answers are
    /// kept by its hash. Two tasks of one identity answer alike.
    fn identity(&self) -> Value;

    /// Works on a sample, for the `repeat`th time from 0; its spans go under `cx`.
    fn run<'a>(
        &'a self,
        cx: &'a CallContext,
        sample: &'a Sample,
        repeat: u32,
    ) -> BoxFuture<'a, Result<Output, TaskError>>;
}

/// A task did not yield an output.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The model or what is behind it failed.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The sample lacks what the task needs, or the task is set up wrongly; lower case, with the way out.
    #[error("{0}")]
    Invalid(String),
    /// It failed otherwise (a command's exit status, an endpoint's answer).
    #[error("{0}")]
    Failed(String),
}

/// What a score says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ScoreValue {
    /// Yes or no.
    Truth(bool),
    /// How much.
    Number(f64),
    /// In a word.
    Label(String),
}

impl ScoreValue {
    /// As a number: yes is 1, no is 0, a word is none.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Truth(yes) => Some(f64::from(u8::from(*yes))),
            Self::Number(number) => Some(*number),
            Self::Label(_) => None,
        }
    }
}

/// How scoring ended. What is no value is never a number: it lowers the coverage instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// With a value.
    Value(ScoreValue),
    /// The judge declined, in these words.
    Refused(String),
    /// The judge's answer could not be read, even after it was asked again; why.
    Unparsed(String),
    /// The scorer has nothing to say of this sample (no expected value, no citation); why.
    Skipped(String),
    /// Scoring failed; why.
    Failed(String),
}

impl Verdict {
    /// The value, where there is one.
    pub fn value(&self) -> Option<&ScoreValue> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }
}

/// A scorer's result for one output.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleScore {
    /// What was asked; the scorer's name, or one of its parts (`rouge.l`).
    pub name: String,
    /// The answer.
    pub verdict: Verdict,
    /// Why, for people; may be empty.
    pub explanation: String,
    /// What the scoring cost; `None` where no price is known or nothing was called.
    pub cost: Option<NanoDollars>,
}

impl SampleScore {
    /// A value and why.
    pub fn value(name: impl Into<String>, value: ScoreValue, explanation: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            verdict: Verdict::Value(value),
            explanation: explanation.into(),
            cost: None,
        }
    }
}

/// Says how good an output is.
pub trait Scorer: Send + Sync {
    /// Its name, unique in an eval.
    fn name(&self) -> &str;

    /// Everything that makes its scores what they are (kind, parameters; of a judge its model, prompt and rubric), as
    /// JSON: scores are kept by its hash, and what was said of a judge is stale once it differs.
    fn identity(&self) -> Value;

    /// Scores an output; one scorer may give several scores. Never fails: what went wrong is a [`Verdict`]. Spans of
    /// judges go under `cx`.
    fn score<'a>(
        &'a self,
        cx: &'a CallContext,
        sample: &'a Sample,
        output: &'a Output,
    ) -> BoxFuture<'a, Vec<SampleScore>>;
}

/// Where a prompt's examples come from.
pub trait ExampleSource: Send + Sync {
    /// At most `count` rows of a dataset: the first ones, or those nearest to `near`. The row that `near` itself is
    /// of (same text) is never among them.
    fn examples<'a>(
        &'a self,
        cx: &'a CallContext,
        dataset: &'a str,
        count: usize,
        near: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Sample>, TaskError>>;
}
