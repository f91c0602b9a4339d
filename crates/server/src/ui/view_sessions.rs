//! What the pages on sessions show: conversations, and one of them turn by turn.

use super::view::{MessageView, ScoreView, TraceRow};
use hanok_base::Timestamp;

/// The list of sessions.
#[derive(Clone, Debug, Default)]
pub struct SessionsView {
    /// The filter as the user wrote it.
    pub filter: String,
    /// What is wrong with it.
    pub error: Option<String>,
    /// The one with the latest turn first.
    pub rows: Vec<SessionRow>,
    /// The cursor of the next, older page.
    pub next: Option<String>,
}

/// One session in the list, or at the head of its page.
#[derive(Clone, Debug, Default)]
pub struct SessionRow {
    /// Its id, as its callers gave it.
    pub id: String,
    /// How its first known turn began.
    pub title: Option<String>,
    /// Whom it was with.
    pub user: Option<String>,
    /// How many turns are known.
    pub turns: u64,
    /// How many of them failed.
    pub errors: u64,
    /// When its last turn began.
    pub last_at: Timestamp,
    /// Tokens of all prompts.
    pub input_tokens: u64,
    /// Tokens of all answers.
    pub output_tokens: u64,
    /// US dollars; `None` where nothing was priced.
    pub cost_usd: Option<f64>,
    /// What people, clients and judges said of it.
    pub scores: Vec<ScoreView>,
}

/// One session as a conversation.
#[derive(Clone, Debug, Default)]
pub struct SessionView {
    /// Its sums.
    pub summary: SessionRow,
    /// Number of the first turn shown, from 1.
    pub from: u64,
    /// Oldest first.
    pub turns: Vec<TurnView>,
    /// The cursor of the turns before.
    pub earlier: Option<String>,
}

/// One turn of a conversation: what was new in it.
#[derive(Clone, Debug, Default)]
pub struct TurnView {
    /// Its trace.
    pub trace: TraceRow,
    /// What was asked, done and answered.
    pub messages: Vec<MessageView>,
    /// What people, clients and judges said of it.
    pub scores: Vec<ScoreView>,
}
