//! Pieces of a rendered template to who says what, and where the conversation so far goes in.

use crate::template::Piece;

/// Who speaks in a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    System,
    User,
    Model,
}

impl Speaker {
    fn of(role: &str) -> Self {
        match role {
            "system" => Self::System,
            "user" => Self::User,
            _ => Self::Model,
        }
    }
}

/// Something that a turn says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Text(String),
    Media {
        url: String,
        content_type: Option<String>,
    },
    /// Something of this purpose goes here later.
    Section(String),
}

impl Said {
    fn is_blank(&self) -> bool {
        matches!(self, Self::Text(text) if text.trim().is_empty())
    }
}

/// A turn of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) speaker: Speaker,
    pub(crate) said: Vec<Said>,
}

/// A turn, or the place of the conversation so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Slot {
    Turn(Turn),
    History,
}

/// The turns of a rendered template. White space between two marks says nothing.
pub(crate) fn slots(pieces: Vec<Piece>) -> Vec<Slot> {
    let mut slots = Vec::new();
    let mut turn = Turn { speaker: Speaker::User, said: Vec::new() };
    let mut run: Vec<Said> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => match run.last_mut() {
                Some(Said::Text(last)) => last.push_str(&text),
                _ => run.push(Said::Text(text)),
            },
            Piece::Media { url, content_type } => run.push(Said::Media { url, content_type }),
            Piece::Section(purpose) => run.push(Said::Section(purpose)),
            Piece::Role(role) => {
                end_run(&mut run, &mut turn);
                let speaker = Speaker::of(&role);
                if turn.said.is_empty() {
                    turn.speaker = speaker;
                } else {
                    end_turn(&mut slots, std::mem::replace(&mut turn, Turn { speaker, said: Vec::new() }));
                }
            }
            Piece::History => {
                end_run(&mut run, &mut turn);
                let next = Turn { speaker: Speaker::Model, said: Vec::new() };
                end_turn(&mut slots, std::mem::replace(&mut turn, next));
                slots.push(Slot::History);
            }
        }
    }
    end_run(&mut run, &mut turn);
    end_turn(&mut slots, turn);
    slots
}

/// What stands between two marks says something unless all of it is white space.
fn end_run(run: &mut Vec<Said>, turn: &mut Turn) {
    let run = std::mem::take(run);
    if run.iter().all(Said::is_blank) {
        return;
    }
    for said in run {
        match (turn.said.last_mut(), said) {
            (Some(Said::Text(last)), Said::Text(text)) => last.push_str(&text),
            (_, said) => turn.said.push(said),
        }
    }
}

fn end_turn(slots: &mut Vec<Slot>, mut turn: Turn) {
    turn.said.retain(|said| !said.is_blank());
    if !turn.said.is_empty() {
        slots.push(Slot::Turn(turn));
    }
}

/// Puts the conversation so far into a prompt's turns: where the template says, or else before a last turn of the
/// user's, or else at the end. `turn` makes a message of a turn, `marked` of one of the conversation at the place that
/// the template says.
pub(crate) fn assemble<M: Clone>(
    slots: Vec<Slot>,
    history: &[M],
    turn: impl Fn(Turn) -> M,
    marked: impl Fn(&M) -> M,
) -> Vec<M> {
    let placed = slots.iter().any(|slot| matches!(slot, Slot::History)) && !history.is_empty();
    let last_is_users = matches!(slots.last(), Some(Slot::Turn(Turn { speaker: Speaker::User, .. })));
    let mut messages = Vec::with_capacity(slots.len() + history.len());
    for slot in slots {
        match slot {
            Slot::Turn(said) => messages.push(turn(said)),
            Slot::History => messages.extend(history.iter().map(&marked)),
        }
    }
    if !placed {
        let at = messages.len() - usize::from(last_is_users && !messages.is_empty());
        messages.splice(at..at, history.iter().cloned());
    }
    messages
}
