//! The analyzer as tantivy calls it.

use crate::analyze::{Analysis, Analyzer};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tantivy::tokenizer::{Token as TantivyToken, TokenStream, Tokenizer};

const PATIENCE: Duration = Duration::from_secs(5);

/// How many bytes of text the writer's thread has split: tantivy takes ten thousand packets of texts before it lets
/// anybody wait, which may be any number of bytes.
#[derive(Default)]
pub(crate) struct Progress {
    state: Mutex<State>,
    reached: Condvar,
}

#[derive(Default)]
struct State {
    split: u64,
    /// What somebody waits for; nobody is woken before.
    wanted: u64,
}

impl Progress {
    fn add(&self, bytes: usize) {
        let mut state = self.state.lock();
        let before = state.split;
        state.split += bytes as u64;
        if before < state.wanted && state.split >= state.wanted {
            self.reached.notify_all();
        }
    }

    /// Bytes split so far.
    pub(crate) fn split(&self) -> u64 {
        self.state.lock().split
    }

    /// Waits until so many bytes are split, but no longer than it takes to write a large segment: a thread that is
    /// stuck or gone is told by the next call to it.
    pub(crate) fn wait_for(&self, bytes: u64) {
        let patience = Instant::now() + PATIENCE;
        let mut state = self.state.lock();
        state.wanted = bytes;
        while state.split < bytes && !self.reached.wait_until(&mut state, patience).timed_out() {}
    }
}

/// Splits a text at once and hands its terms out one by one.
#[derive(Clone, Default)]
pub(crate) struct Splitter {
    analyzer: Analyzer,
    progress: Arc<Progress>,
    terms: String,
    tokens: Vec<(usize, usize, usize)>,
}

impl Splitter {
    pub(crate) fn new(analysis: Analysis, progress: Arc<Progress>) -> Self {
        Self { analyzer: Analyzer::new(analysis), progress, ..Self::default() }
    }
}

/// The terms of one text.
pub(crate) struct Splits<'a> {
    terms: &'a str,
    tokens: std::slice::Iter<'a, (usize, usize, usize)>,
    from: usize,
    token: TantivyToken,
}

impl Tokenizer for Splitter {
    type TokenStream<'a> = Splits<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Splits<'a> {
        let Self { analyzer, progress, terms, tokens } = self;
        progress.add(text.len());
        terms.clear();
        tokens.clear();
        analyzer.scan(text, |term, start, end| {
            terms.push_str(term);
            tokens.push((terms.len(), start, end));
        });
        Splits { terms, tokens: tokens.iter(), from: 0, token: TantivyToken::default() }
    }
}

impl TokenStream for Splits<'_> {
    fn advance(&mut self) -> bool {
        let Some((to, start, end)) = self.tokens.next() else {
            return false;
        };
        self.token.text.clear();
        self.token.text.push_str(self.terms.get(self.from..*to).unwrap_or_default());
        self.from = *to;
        self.token.position = self.token.position.wrapping_add(1);
        self.token.offset_from = *start;
        self.token.offset_to = *end;
        true
    }
    fn token(&self) -> &TantivyToken {
        &self.token
    }
    fn token_mut(&mut self) -> &mut TantivyToken {
        &mut self.token
    }
}
