//! Sessions as people meet them: conversations in the list, and one of them turn by turn.

use crate::filter::TraceFilter;
use crate::read::{TraceError, before};
use crate::recorder::TraceStore;
use crate::score::ScoreView;
use crate::view::TraceSummary;
use hanok_base::{NanoDollars, Timestamp};
use hanok_store::SessionRow;
use serde::Serialize;

/// Most turns of a session that are read at once; all of them are in the list of traces.
const TURNS: usize = 1000;

/// A page of sessions.
#[derive(Clone, Debug, Serialize)]
pub struct SessionPage {
    /// The one with the newest trace first.
    pub sessions: Vec<SessionView>,
    /// The cursor of the next, older page. With a filter that page may hold nothing more.
    pub next: Option<String>,
}

/// One session in the list.
#[derive(Clone, Debug, Serialize)]
pub struct SessionView {
    /// The name its callers gave it.
    pub session_id: String,
    /// The project it belongs to.
    pub project: Option<String>,
    /// When its first trace began; RFC 3339, UTC.
    pub first_at: String,
    /// When its last trace ended.
    pub last_at: String,
    /// Traces.
    pub traces: u64,
    /// Traces that failed.
    pub errors: u64,
    /// Tokens of all prompts.
    pub input_tokens: Option<u64>,
    /// Tokens of all answers.
    pub output_tokens: Option<u64>,
    /// US dollars; `None` when unpriced.
    pub cost_usd: Option<f64>,
    /// The person its last trace was made for.
    pub user: Option<String>,
    /// The beginning of what was asked last, on one line.
    pub input: Option<String>,
    /// The beginning of what was answered last.
    pub output: Option<String>,
    /// The same as `first_at`.
    #[serde(skip)]
    pub first: Timestamp,
    /// The same as `last_at`.
    #[serde(skip)]
    pub last: Timestamp,
    /// The same as `cost_usd`, exactly.
    #[serde(skip)]
    pub cost: Option<NanoDollars>,
}

/// One session with its turns.
#[derive(Clone, Debug, Serialize)]
pub struct SessionDetail {
    /// The same as in the list.
    #[serde(flatten)]
    pub session: SessionView,
    /// Its traces in the order they began; the newest 1,000 of more.
    pub turns: Vec<TraceSummary>,
    /// What people, clients and judges think of it, oldest first; not what they think of its traces.
    pub scores: Vec<ScoreView>,
}

impl From<SessionRow> for SessionView {
    fn from(row: SessionRow) -> Self {
        Self {
            session_id: row.name,
            project: row.project,
            first_at: row.first.rfc3339(),
            last_at: row.last.rfc3339(),
            traces: row.traces,
            errors: row.errors,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            cost_usd: row.cost.map(NanoDollars::dollars),
            user: row.user,
            input: row.input_preview,
            output: row.output_preview,
            first: row.first,
            last: row.last,
            cost: row.cost,
        }
    }
}

impl TraceStore {
    /// A page of at most `limit` sessions of which some trace passes the filter; `cursor` is `next` of the page
    /// before.
    pub async fn sessions(
        &self,
        filter: &TraceFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<SessionPage, TraceError> {
        let page = self.rows().sessions(filter.query(), before(cursor)?, limit).await?;
        let sessions = page.rows.into_iter().map(SessionView::from).collect();
        Ok(SessionPage { sessions, next: page.next.map(|next| next.to_string()) })
    }

    /// A session with its turns. Where several projects have one of this name, that with the newest trace.
    pub async fn session(&self, id: &str) -> Result<Option<SessionDetail>, TraceError> {
        let found = self.rows().session(id.to_owned(), TURNS).await?;
        let newest = |turns: &[hanok_store::TraceRow]| turns.iter().map(|turn| turn.seq).max();
        let Some((row, turns)) = found.into_iter().max_by_key(|(_, turns)| newest(turns)) else {
            return Ok(None);
        };
        let scores = self.scores().of_session(id.to_owned(), row.project.clone()).await?;
        Ok(Some(SessionDetail {
            session: row.into(),
            turns: turns.into_iter().map(TraceSummary::from).collect(),
            scores: scores.into_iter().map(ScoreView::from).collect(),
        }))
    }
}
