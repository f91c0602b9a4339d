//! Sessions as what pages show: the list, and one as a conversation.

use super::{pane, row, trace};
use crate::ui::view::{MessageView, ScoreView, TraceRow};
use crate::ui::view_sessions::{SessionRow, SessionView, SessionsView, TurnView};
use hanok_base::{SpanId, Timestamp, TraceId};
use hanok_trace::{ScoreFilter, TraceError, TraceStore, parse_filter};

/// Sessions on one page of the list.
const SESSIONS: usize = 50;
/// Turns on one page of a conversation.
const TURNS: usize = 30;
/// Most scores of one trace that are shown.
const SCORES: usize = 100;

/// The list of sessions.
pub(crate) async fn sessions(
    traces: &TraceStore,
    filter: String,
    cursor: Option<&str>,
) -> Result<SessionsView, TraceError> {
    let mut view = SessionsView { filter, ..SessionsView::default() };
    let parsed = match parse_filter(&view.filter, Timestamp::now()) {
        Ok(parsed) => parsed,
        Err(error) => {
            view.error = Some(error.to_string());
            return Ok(view);
        }
    };
    match traces.sessions(&parsed, cursor, SESSIONS).await {
        Ok(page) => {
            view.rows = page.sessions.iter().map(summary).collect();
            view.next = page.next;
        }
        Err(error @ TraceError::BadCursor(_)) => view.error = Some(error.to_string()),
        Err(error) => return Err(error),
    }
    Ok(view)
}

fn summary(session: &hanok_trace::SessionView) -> SessionRow {
    SessionRow {
        id: session.session_id.clone(),
        title: session.input.clone(),
        user: session.user.clone(),
        turns: session.traces,
        errors: session.errors,
        last_at: session.last,
        input_tokens: session.input_tokens.unwrap_or(0),
        output_tokens: session.output_tokens.unwrap_or(0),
        cost_usd: session.cost_usd,
        scores: Vec::new(),
    }
}

/// A session as a conversation: the turns up to the `before`th, the last ones when `None`.
pub(crate) async fn session(
    traces: &TraceStore,
    id: &str,
    before: Option<usize>,
) -> Result<Option<SessionView>, TraceError> {
    let Some(found) = traces.session(id).await? else {
        return Ok(None);
    };
    let end = before.unwrap_or(found.turns.len()).min(found.turns.len());
    let from = end.saturating_sub(TURNS);
    // A session of very many turns is read from the newest on.
    let unread = found.session.traces.saturating_sub(found.turns.len() as u64);
    let mut turns = Vec::with_capacity(end - from);
    for turn in found.turns.iter().skip(from).take(end - from) {
        let messages = match turn.trace_id.parse() {
            Ok(id) => new_in_turn(traces, id).await?,
            Err(_) => Vec::new(),
        };
        let scores = scores(traces, &turn.trace_id).await?;
        turns.push(TurnView { trace: row(turn), messages, scores: whole(scores) });
    }
    let mut summary = summary(&found.session);
    summary.scores = found.scores.iter().map(score).collect();
    Ok(Some(SessionView {
        summary,
        from: unread + from as u64 + 1,
        turns,
        earlier: (from > 0).then(|| from.to_string()),
    }))
}

/// What was new in a turn: from the last thing a person said on, and what was answered. A conversation sends all
/// that was said before again with every turn.
async fn new_in_turn(traces: &TraceStore, id: TraceId) -> Result<Vec<MessageView>, TraceError> {
    let Some(outline) = traces.outline(id).await? else {
        return Ok(Vec::new());
    };
    let Some(span) = trace::most_telling(&outline.lines) else {
        return Ok(Vec::new());
    };
    let Some(span) = traces.span(id, span).await? else {
        return Ok(Vec::new());
    };
    let (mut messages, _) = pane::messages(&span.attributes);
    let said = messages.iter().rposition(|message| message.role == "user");
    Ok(messages.split_off(said.unwrap_or(0)))
}

/// What is said of a trace and of its spans.
pub(super) async fn scores(traces: &TraceStore, trace_id: &str) -> Result<Vec<ScoreView>, TraceError> {
    let filter = ScoreFilter { trace_id: Some(trace_id), ..ScoreFilter::default() };
    match traces.list_scores(filter, None, SCORES).await {
        Ok(page) => Ok(page.scores.iter().map(score).collect()),
        Err(hanok_trace::ScoreError::Trace(error)) => Err(error),
        // An id that is none has no scores.
        Err(_) => Ok(Vec::new()),
    }
}

/// Those of the trace as a whole.
pub(super) fn whole(scores: Vec<ScoreView>) -> Vec<ScoreView> {
    scores.into_iter().filter(|score| score.span_id.is_none()).collect()
}

/// Those of this span.
pub(super) fn of_span(scores: &[ScoreView], span: SpanId) -> Vec<ScoreView> {
    let span = span.to_string();
    scores.iter().filter(|score| score.span_id.as_ref() == Some(&span)).cloned().collect()
}

/// Puts beside each trace of a list what is said of it.
pub(crate) async fn judge(traces: &TraceStore, rows: &mut [TraceRow]) -> Result<(), TraceError> {
    // In most houses nobody judges anything.
    let any = match traces.list_scores(ScoreFilter::default(), None, 1).await {
        Ok(page) => !page.scores.is_empty(),
        Err(hanok_trace::ScoreError::Trace(error)) => return Err(error),
        Err(_) => false,
    };
    if any {
        for row in rows {
            row.scores = whole(scores(traces, &row.trace_id).await?);
        }
    }
    Ok(())
}

fn score(score: &hanok_trace::ScoreView) -> ScoreView {
    ScoreView {
        name: score.name.clone(),
        value: score.value.as_f64().or_else(|| score.value.as_bool().map(|yes| if yes { 1.0 } else { 0.0 })),
        label: score.value.as_str().map(str::to_owned),
        text: score.comment.clone(),
        by: score.author.clone().unwrap_or_else(|| score.source.clone()),
        span_id: score.span_id.clone(),
    }
}
