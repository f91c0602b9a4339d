//! How answers to a prompt are read: the beginning that was given to the model joined to what it wrote, its thoughts
//! kept apart from the answer, and what is to fit a schema checked. Over streams and whole answers alike.

use crate::prompt::Prompt;
use crate::structured::Expected;
use crate::techniques::Checking;
use hanok_base::{
    ChatRequest, ChatResponse, Delta, FinishReason, Message, Part, Reasoning, Role, StreamEvent,
};
use std::collections::HashMap;
use std::sync::Arc;

/// How answers to a prompt are read.
#[derive(Clone, Debug)]
pub struct Reading {
    tag: Option<String>,
    prefill: String,
    expected: Option<Arc<Expected>>,
    checking: Checking,
}

/// An answer does not fit its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What is wrong with it.
    pub message: String,
    /// The answer as it was, to be shown to the model.
    pub answer: String,
    /// Whether asking again can help: an answer that was cut off would be cut off again.
    pub again: bool,
}

impl Reading {
    /// How answers to this prompt are read; `None` where they are taken as they come.
    pub(crate) fn of(prompt: &Prompt) -> Option<Self> {
        let techniques = prompt.techniques();
        let reading = Self {
            tag: techniques.reasoning.as_ref().map(|thinking| thinking.tag.clone()),
            prefill: techniques.prefill.clone().unwrap_or_default(),
            expected: prompt.expected().filter(|_| techniques.output.validate).cloned(),
            checking: techniques.output,
        };
        let plain = reading.tag.is_none() && reading.prefill.is_empty() && reading.expected.is_none();
        (!plain).then_some(reading)
    }

    /// Whether nothing of an answer may leave before all of it is there.
    pub fn needs_whole(&self) -> bool {
        self.expected.is_some()
    }

    /// The same without a check: for a request that says itself what the answer must be.
    #[must_use]
    pub fn unchecked(&self) -> Self {
        Self { expected: None, ..self.clone() }
    }

    /// How often an answer that does not fit is asked for again.
    pub fn retries(&self) -> u32 {
        self.checking.retries
    }

    /// Reads a stream.
    pub fn splitter(&self) -> Splitter {
        Splitter { tag: self.tag.clone(), prefill: self.prefill.clone(), choices: HashMap::new() }
    }

    /// Reads a whole answer in place.
    pub fn read(&self, response: &mut ChatResponse) {
        for choice in &mut response.choices {
            let mut parts = Vec::with_capacity(choice.message.parts.len() + 1);
            let mut text = Text::new(self.tag.as_deref(), &self.prefill);
            let put = |found: Vec<(Kind, String)>, parts: &mut Vec<Part>| {
                for (kind, text) in found {
                    append(parts, kind, text);
                }
            };
            for part in choice.message.parts.drain(..) {
                match part {
                    Part::Text(said) => put(text.feed(&said), &mut parts),
                    other => {
                        put(text.finish(), &mut parts);
                        parts.push(other);
                    }
                }
            }
            put(text.finish(), &mut parts);
            choice.message.parts = parts;
        }
    }

    /// Checks an answer that was read: it fits, possibly once it is mended, or why it does not. Answers that are no
    /// texts (a call of a tool, a refusal) are as they are.
    pub fn check(&self, response: &mut ChatResponse) -> Result<(), Misfit> {
        let Some(expected) = &self.expected else {
            return Ok(());
        };
        for choice in &mut response.choices {
            let other = |part: &Part| matches!(part, Part::ToolCall(_) | Part::Refusal(_));
            if choice.message.parts.iter().any(other) || choice.finish == FinishReason::ContentFilter {
                continue;
            }
            let answer = choice.message.plain_text();
            match expected.check(&answer, self.checking.repair) {
                Ok(None) => {}
                Ok(Some(mended)) => {
                    choice.message.parts.retain(|part| !matches!(part, Part::Text(_)));
                    choice.message.parts.push(Part::Text(mended));
                }
                Err(message) => {
                    let again = choice.finish != FinishReason::Length;
                    let message = if again {
                        format!("the answer does not fit the prompt's schema: {message}")
                    } else {
                        format!(
                            "the answer was cut off by the limit of tokens, so that {message}; raise maxOutputTokens"
                        )
                    };
                    return Err(Misfit { message, answer, again });
                }
            }
        }
        Ok(())
    }

    /// The request again, with the answer that did not fit and what is wrong with it.
    pub fn ask_again(&self, request: &mut ChatRequest, misfit: &Misfit) {
        let prefill = match request.messages.last() {
            Some(last) if !self.prefill.is_empty() && last.role == Role::Assistant => request.messages.pop(),
            _ => None,
        };
        if !misfit.answer.trim().is_empty() {
            request.messages.push(Message::text(Role::Assistant, misfit.answer.clone()));
        }
        let asked = format!(
            "That cannot be used: {}. Give the whole answer again, as one JSON value that fits the schema, and \
             nothing else.",
            misfit.message
        );
        request.messages.push(Message::text(Role::User, asked));
        request.messages.extend(prefill);
    }
}

fn append(parts: &mut Vec<Part>, kind: Kind, text: String) {
    match (kind, parts.last_mut()) {
        (Kind::Answer, Some(Part::Text(last))) => last.push_str(&text),
        (Kind::Thought, Some(Part::Reasoning(last))) if last.signature.is_none() => last.text.push_str(&text),
        (Kind::Answer, _) => parts.push(Part::Text(text)),
        (Kind::Thought, _) => parts.push(Part::Reasoning(Reasoning { text, ..Reasoning::default() })),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Thought,
    Answer,
}

/// The text of an answer, as it comes in.
#[derive(Debug)]
struct Text {
    open: String,
    close: String,
    prefill: String,
    state: State,
    /// What cannot be judged yet.
    held: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may repeat the beginning that it was given.
    Joining,
    /// Nothing came but white space and the beginning of a tag.
    Before,
    Thinking,
    /// The thoughts are over; white space before the answer goes.
    Behind,
    Answering,
}

impl Text {
    fn new(tag: Option<&str>, prefill: &str) -> Self {
        let state = match (prefill.is_empty(), tag) {
            (false, _) => State::Joining,
            (true, Some(_)) => State::Before,
            (true, None) => State::Answering,
        };
        let (open, close) =
            tag.map_or((String::new(), String::new()), |tag| (format!("<{tag}>"), format!("</{tag}>")));
        Self { open, close, prefill: prefill.to_owned(), state, held: String::new() }
    }

    fn feed(&mut self, text: &str) -> Vec<(Kind, String)> {
        self.held.push_str(text);
        let mut out = Vec::new();
        while self.step(false, &mut out) {}
        out
    }

    fn finish(&mut self) -> Vec<(Kind, String)> {
        let mut out = Vec::new();
        while self.step(true, &mut out) {}
        out
    }

    /// Judges what is held, all of it where nothing follows; whether there is more to judge.
    fn step(&mut self, last: bool, out: &mut Vec<(Kind, String)>) -> bool {
        match self.state {
            State::Joining => {
                let begun = self.held.trim_start();
                if !last && begun.len() < self.prefill.len() && self.prefill.starts_with(begun) {
                    return false;
                }
                let nothing = last && begun.is_empty();
                if !nothing && !begun.starts_with(&self.prefill) {
                    self.held.insert_str(0, &self.prefill);
                }
                self.state = if self.open.is_empty() { State::Answering } else { State::Before };
                true
            }
            State::Before => {
                let begun = self.held.trim_start();
                if let Some(rest) = begun.strip_prefix(&self.open) {
                    self.held = rest.to_owned();
                    self.state = State::Thinking;
                    return true;
                }
                if !last && self.open.starts_with(begun) {
                    return false;
                }
                self.state = State::Answering;
                true
            }
            State::Thinking => {
                if let Some(end) = self.held.find(&self.close) {
                    let rest = self.held.split_off(end);
                    let thought = std::mem::replace(
                        &mut self.held,
                        rest.get(self.close.len()..).unwrap_or_default().to_owned(),
                    );
                    push(out, Kind::Thought, thought);
                    self.state = State::Behind;
                    return true;
                }
                let keep = if last { 0 } else { overlap(&self.held, &self.close) };
                let rest = self.held.split_off(self.held.len() - keep);
                push(out, Kind::Thought, std::mem::replace(&mut self.held, rest));
                false
            }
            State::Behind => {
                let rest = self.held.trim_start().to_owned();
                let begun = !rest.is_empty();
                self.held = rest;
                if begun {
                    self.state = State::Answering;
                }
                begun
            }
            State::Answering => {
                push(out, Kind::Answer, std::mem::take(&mut self.held));
                false
            }
        }
    }
}

fn push(out: &mut Vec<(Kind, String)>, kind: Kind, text: String) {
    if !text.is_empty() {
        out.push((kind, text));
    }
}

/// How many bytes at the end of `text` may be the beginning of `mark`.
fn overlap(text: &str, mark: &str) -> usize {
    let most = mark.len().saturating_sub(1).min(text.len());
    let fits = |length: &usize| {
        text.is_char_boundary(text.len() - length)
            && mark.is_char_boundary(*length)
            && text.ends_with(mark.get(..*length).unwrap_or_default())
    };
    (1..=most).rev().find(fits).unwrap_or(0)
}

/// Reads a stream's events as [`Reading::read`] reads a whole answer. Law: collecting what comes out of it gives what
/// reading the collected answer gives.
#[derive(Debug)]
pub struct Splitter {
    tag: Option<String>,
    prefill: String,
    choices: HashMap<u32, Choice>,
}

#[derive(Debug)]
struct Choice {
    text: Text,
    /// The upstream's texts.
    texts: Vec<usize>,
    /// Its other parts, by their numbers there, and here.
    others: HashMap<usize, usize>,
    /// Parts begun here.
    parts: usize,
    /// What is open of what was read.
    open: Option<(Kind, usize)>,
}

impl Splitter {
    /// Takes an event; appends what is read of it.
    pub fn feed(&mut self, event: StreamEvent, out: &mut Vec<StreamEvent>) {
        match event {
            StreamEvent::PartStart { choice, part, value } => {
                let state = self.choice(choice);
                if let Part::Text(text) = value {
                    state.texts.push(part);
                    let read = state.text.feed(&text);
                    state.emit(choice, read, out);
                    return;
                }
                let read = state.text.finish();
                state.emit(choice, read, out);
                state.close(choice, out);
                let own = state.parts;
                state.parts += 1;
                state.others.insert(part, own);
                out.push(StreamEvent::PartStart { choice, part: own, value });
            }
            StreamEvent::PartDelta { choice, part, delta } => {
                let state = self.choice(choice);
                match (state.others.get(&part), delta) {
                    (Some(own), delta) => out.push(StreamEvent::PartDelta { choice, part: *own, delta }),
                    (None, Delta::Text(text)) => {
                        let read = state.text.feed(&text);
                        state.emit(choice, read, out);
                    }
                    (None, _) => {}
                }
            }
            StreamEvent::PartEnd { choice, part } => {
                let state = self.choice(choice);
                // A text goes on until something else begins.
                if let Some(own) = state.others.get(&part) {
                    out.push(StreamEvent::PartEnd { choice, part: *own });
                }
            }
            StreamEvent::Finish { choice, reason } => {
                let state = self.choice(choice);
                let read = state.text.finish();
                state.emit(choice, read, out);
                state.close(choice, out);
                out.push(StreamEvent::Finish { choice, reason });
            }
            other => out.push(other),
        }
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let (tag, prefill) = (self.tag.as_deref(), &self.prefill);
        self.choices.entry(index).or_insert_with(|| Choice {
            text: Text::new(tag, prefill),
            texts: Vec::new(),
            others: HashMap::new(),
            parts: 0,
            open: None,
        })
    }
}

impl Choice {
    fn emit(&mut self, choice: u32, read: Vec<(Kind, String)>, out: &mut Vec<StreamEvent>) {
        for (kind, text) in read {
            let part = match self.open {
                Some((open, part)) if open == kind => part,
                _ => {
                    self.close(choice, out);
                    let part = self.parts;
                    self.parts += 1;
                    self.open = Some((kind, part));
                    let value = match kind {
                        Kind::Answer => Part::Text(String::new()),
                        Kind::Thought => Part::Reasoning(Reasoning::default()),
                    };
                    out.push(StreamEvent::PartStart { choice, part, value });
                    part
                }
            };
            let delta = match kind {
                Kind::Answer => Delta::Text(text),
                Kind::Thought => Delta::Reasoning(text),
            };
            out.push(StreamEvent::PartDelta { choice, part, delta });
        }
    }

    fn close(&mut self, choice: u32, out: &mut Vec<StreamEvent>) {
        if let Some((_, part)) = self.open.take() {
            out.push(StreamEvent::PartEnd { choice, part });
        }
    }
}
