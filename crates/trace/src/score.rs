//! Scores as people and programs give and get them, and the filters that people keep.

use crate::filter::parse_filter;
use crate::read::{TraceError, before};
use crate::recorder::TraceStore;
use hanok_base::{SpanId, Timestamp, TraceId};
use hanok_store::{SavedView, Score, ScoreQuery, ScoreTarget, ScoreValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const SOURCES: [&str; 3] = ["person", "client", "judge"];
const LONGEST_NAME: usize = 64;
const LONGEST_LABEL: usize = 200;
const LONGEST_ID: usize = 200;
const LONGEST_COMMENT: usize = 10_000;

/// A score to be given, as the API takes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewScore {
    /// Another score of this id is overwritten; made up when absent.
    pub id: Option<String>,
    /// The trace it is of, 32 hex digits.
    pub trace_id: Option<String>,
    /// The span of that trace it is of, 16 hex digits.
    pub span_id: Option<String>,
    /// The session it is of, when of no trace.
    pub session_id: Option<String>,
    /// What is judged: `quality`, `correct`.
    #[serde(default)]
    pub name: String,
    /// A number, a truth or a label.
    #[serde(default)]
    pub value: Value,
    /// Why.
    pub comment: Option<String>,
    /// `person`, `client` (when absent) or `judge`.
    pub source: Option<String>,
    /// The project it is for; only who sees every project may say. The trace's when absent.
    pub project: Option<String>,
    /// Who gives it: the name of their key.
    #[serde(skip)]
    pub author: Option<String>,
}

/// Which scores are wanted.
#[derive(Clone, Debug, Default)]
pub struct ScoreFilter<'a> {
    /// Of this trace and its spans.
    pub trace_id: Option<&'a str>,
    /// Of this session.
    pub session_id: Option<&'a str>,
    /// Of this name.
    pub name: Option<&'a str>,
    /// From this source.
    pub source: Option<&'a str>,
}

/// A page of scores.
#[derive(Clone, Debug, Serialize)]
pub struct ScorePage {
    /// Newest first.
    pub scores: Vec<ScoreView>,
    /// The cursor of the next, older page.
    pub next: Option<String>,
}

/// A score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreView {
    /// Its id.
    pub id: String,
    /// The trace it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The span it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// The session it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// What is judged.
    pub name: String,
    /// A number, a truth or a label.
    pub value: Value,
    /// Why.
    pub comment: Option<String>,
    /// `person`, `client` or `judge`.
    pub source: String,
    /// The name of the key it was given with.
    pub author: Option<String>,
    /// The project it was given in.
    pub project: Option<String>,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// A filter that somebody keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SavedFilter {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The filter.
    pub filter: String,
    /// The project it is kept in.
    pub project: Option<String>,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// A score or a saved view that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// One of its members.
    #[error("{message}")]
    Invalid {
        /// Which.
        member: &'static str,
        /// What is wrong with it, and what would be right.
        message: String,
    },
    /// Its trace is not one that its giver may see.
    #[error("there is no trace `{0}`")]
    NoTrace(String),
    /// The records failed.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

fn invalid(member: &'static str, message: impl Into<String>) -> ScoreError {
    ScoreError::Invalid { member, message: message.into() }
}

impl TraceStore {
    /// Keeps a score; it is on the disk when this returns.
    pub async fn score(&self, new: NewScore) -> Result<ScoreView, ScoreError> {
        let score = checked(new)?;
        let trace = match &score.target {
            ScoreTarget::Trace(id) | ScoreTarget::Span(id, _) => id.to_string(),
            ScoreTarget::Session(_) => String::new(),
        };
        let kept = self.scores().put(score).await.map_err(TraceError::from)?;
        kept.map(ScoreView::from).ok_or(ScoreError::NoTrace(trace))
    }

    /// A page of at most `limit` scores, newest first.
    pub async fn list_scores(
        &self,
        filter: ScoreFilter<'_>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ScorePage, ScoreError> {
        let query = ScoreQuery {
            trace_id: filter.trace_id.map(trace_id).transpose()?,
            session: filter.session_id.map(ToOwned::to_owned),
            name: filter.name.map(ToOwned::to_owned),
            source: filter.source.map(source).transpose()?,
        };
        let found = self.scores().list(query, before(cursor)?, limit).await;
        let (scores, next) = found.map_err(TraceError::from)?;
        let scores = scores.into_iter().map(ScoreView::from).collect();
        Ok(ScorePage { scores, next: next.map(|next| next.to_string()) })
    }

    /// Deletes the score of this id; whether there was one.
    pub async fn remove_score(&self, id: &str) -> Result<bool, TraceError> {
        Ok(self.scores().remove(id.to_owned()).await?)
    }

    /// Keeps a filter under a name, in place of another one of that name.
    pub async fn save_filter(
        &self,
        name: &str,
        filter: &str,
        project: Option<String>,
    ) -> Result<SavedFilter, ScoreError> {
        let name = name.trim();
        if name.is_empty() || name.len() > LONGEST_LABEL {
            return Err(invalid("name", format!("`name` must have 1 to {LONGEST_LABEL} bytes")));
        }
        // As it was written: `since:7d` is to mean the week before the day it is opened.
        let understood = parse_filter(filter, Timestamp::now());
        let filter = understood.map_err(|error| invalid("filter", error.to_string()))?.to_string();
        if filter.is_empty() {
            return Err(invalid("filter", "`filter` is empty: a view that shows everything needs no name"));
        }
        let view = SavedView { id: 0, project, name: name.to_owned(), filter, created: Timestamp::now() };
        Ok(self.scores().keep_view(view).await.map_err(TraceError::from)?.into())
    }

    /// The kept filters, by name.
    pub async fn saved_filters(&self) -> Result<Vec<SavedFilter>, TraceError> {
        Ok(self.scores().views().await?.into_iter().map(SavedFilter::from).collect())
    }

    /// Forgets a kept filter; whether there was one.
    pub async fn remove_filter(&self, id: &str) -> Result<bool, TraceError> {
        let Ok(id) = id.parse() else { return Ok(false) };
        Ok(self.scores().remove_view(id).await?)
    }
}

fn checked(new: NewScore) -> Result<Score, ScoreError> {
    let target = target(&new)?;
    if new.name.is_empty() || new.name.len() > LONGEST_NAME || !new.name.chars().all(is_plain) {
        let message = format!(
            "`name` must have 1 to {LONGEST_NAME} bytes, without spaces and any of \" \\ : < > *, not `{}`",
            new.name
        );
        return Err(invalid("name", message));
    }
    let within = |member: &'static str, text: Option<String>, longest: usize| match text {
        Some(text) if text.len() > longest => {
            Err(invalid(member, format!("`{member}` has {} bytes; at most {longest} are kept", text.len())))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    };
    let id = match within("id", new.id, LONGEST_ID)? {
        Some(id) => id,
        None => format!("score_{}", TraceId::timely()),
    };
    Ok(Score {
        id,
        project: new.project.filter(|project| !project.is_empty()),
        target,
        value: value(new.value)?,
        name: new.name,
        comment: within("comment", new.comment, LONGEST_COMMENT)?,
        source: source(new.source.as_deref().unwrap_or("client"))?,
        author: new.author,
        created: Timestamp::now(),
    })
}

fn is_plain(char: char) -> bool {
    !char.is_whitespace() && !char.is_control() && !"\"\\:<>*".contains(char)
}

fn target(new: &NewScore) -> Result<ScoreTarget, ScoreError> {
    match (new.trace_id.as_deref(), new.span_id.as_deref(), new.session_id.as_deref()) {
        (Some(_), _, Some(_)) => Err(invalid(
            "session_id",
            "a score is of a trace or of a session: leave out `trace_id` or `session_id`",
        )),
        (Some(trace), None, None) => Ok(ScoreTarget::Trace(trace_id(trace)?)),
        (Some(trace), Some(span), None) => {
            let span: SpanId = span
                .parse()
                .map_err(|_| invalid("span_id", format!("`span_id` must be 16 hex digits, not `{span}`")))?;
            Ok(ScoreTarget::Span(trace_id(trace)?, span))
        }
        (None, Some(_), _) => {
            Err(invalid("span_id", "a span is scored with its `trace_id` beside `span_id`"))
        }
        (None, None, Some("")) => Err(invalid("session_id", "`session_id` is empty")),
        (None, None, Some(session)) => Ok(ScoreTarget::Session(session.to_owned())),
        (None, None, None) => Err(invalid(
            "trace_id",
            "say what is scored: `trace_id`, `trace_id` and `span_id`, or `session_id`",
        )),
    }
}

fn trace_id(text: &str) -> Result<TraceId, ScoreError> {
    text.parse().map_err(|_| invalid("trace_id", format!("`trace_id` must be 32 hex digits, not `{text}`")))
}

fn source(text: &str) -> Result<String, ScoreError> {
    if SOURCES.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(invalid("source", format!("`source` must be one of {}, not `{text}`", SOURCES.join(", "))))
}

fn value(value: Value) -> Result<ScoreValue, ScoreError> {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| number.is_finite());
            number.map(ScoreValue::Number).ok_or_else(|| invalid("value", "`value` is too large"))
        }
        Value::Bool(yes) => Ok(ScoreValue::Truth(yes)),
        Value::String(label) if (1..=LONGEST_LABEL).contains(&label.len()) => Ok(ScoreValue::Label(label)),
        Value::String(_) => Err(invalid(
            "value",
            format!("a label must have 1 to {LONGEST_LABEL} bytes; what is longer is for `comment`"),
        )),
        _ => Err(invalid("value", "`value` must be a number, true or false, or a label")),
    }
}

impl From<Score> for ScoreView {
    fn from(score: Score) -> Self {
        let (trace_id, span_id, session_id) = match score.target {
            ScoreTarget::Trace(trace) => (Some(trace.to_string()), None, None),
            ScoreTarget::Span(trace, span) => (Some(trace.to_string()), Some(span.to_string()), None),
            ScoreTarget::Session(session) => (None, None, Some(session)),
        };
        Self {
            id: score.id,
            trace_id,
            span_id,
            session_id,
            name: score.name,
            value: match score.value {
                ScoreValue::Number(number) => number.into(),
                ScoreValue::Truth(yes) => yes.into(),
                ScoreValue::Label(label) => label.into(),
            },
            comment: score.comment,
            source: score.source,
            author: score.author,
            project: score.project,
            created_at: score.created.rfc3339(),
        }
    }
}

impl From<SavedView> for SavedFilter {
    fn from(view: SavedView) -> Self {
        Self {
            id: view.id.to_string(),
            name: view.name,
            filter: view.filter,
            project: view.project,
            created_at: view.created.rfc3339(),
        }
    }
}
