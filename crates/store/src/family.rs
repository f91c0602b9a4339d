//! A trace's spans as a family: who its root is, whose tokens count, who speaks for the call. It depends on the
//! spans alone and not on the order they came in, so that a trace that comes in pieces ends as one that came whole.

use hanok_base::{SpanId, Timestamp};
use std::cmp::Reverse;
use std::collections::HashMap;

/// A span, as far as its family is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Kin {
    /// Its id.
    pub span_id: SpanId,
    /// The span it is part of.
    pub parent_id: Option<SpanId>,
    /// When it began.
    pub start: Timestamp,
    /// Whether it failed.
    pub failed: bool,
    /// Whether it is a chat.
    pub chat: bool,
    /// Whether it is a call whose tokens and cost are the trace's, as far as is known.
    pub counted: bool,
}

/// The spans of one trace, in the order they came.
#[derive(Debug, Default)]
pub struct Family {
    kin: Vec<Kin>,
    at: HashMap<SpanId, usize, foldhash::fast::RandomState>,
}

impl Family {
    /// Adds a span; `false` where its id is known already.
    pub fn push(&mut self, kin: Kin) -> bool {
        // Nobody is their own parent.
        let kin = Kin { parent_id: kin.parent_id.filter(|parent| *parent != kin.span_id), ..kin };
        let next = self.kin.len();
        let new = *self.at.entry(kin.span_id).or_insert(next) == next;
        if new {
            self.kin.push(kin);
        }
        new
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.kin.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kin.is_empty()
    }

    /// The span of this number.
    pub fn get(&self, number: usize) -> Option<&Kin> {
        self.kin.get(number)
    }

    /// Whether the span of this number counts.
    pub fn counts(&self, number: usize) -> bool {
        self.get(number).is_some_and(|kin| kin.counted)
    }

    /// Takes the count from every call that is made of other calls, as it repeats what they used; their numbers.
    ///
    /// Only calls may be counted before. What is added later can take a count and never gives one back, so that
    /// calls which lost theirs need not be known any more: among their descendants is one that has it.
    pub fn recount(&mut self) -> Vec<usize> {
        let mut taken = Vec::new();
        if self.kin.iter().filter(|kin| kin.counted).count() < 2 {
            return taken;
        }
        let mut above = vec![false; self.kin.len()];
        for kin in self.kin.iter().filter(|kin| kin.counted) {
            let mut parent = kin.parent_id;
            while let Some(at) = parent.and_then(|parent| self.at.get(&parent).copied()) {
                match above.get_mut(at) {
                    // Where it is known, so is all that is above it. That ends a circle of ids, too.
                    Some(above) if !*above => *above = true,
                    _ => break,
                }
                parent = self.kin.get(at).and_then(|kin| kin.parent_id);
            }
        }
        for (number, (kin, above)) in self.kin.iter_mut().zip(above).enumerate() {
            if kin.counted && above {
                kin.counted = false;
                taken.push(number);
            }
        }
        taken
    }

    /// The root: a span without a parent, or else one whose parent is not here; of several the first to begin.
    pub fn root(&self) -> Option<usize> {
        self.numbered()
            .min_by_key(|(_, kin)| (self.depth(kin), kin.start, kin.span_id))
            .map(|(number, _)| number)
    }

    /// The span whose end is the trace's: the root; while none without a parent is here, a failure of any that
    /// stands at the top.
    pub fn verdict(&self) -> Option<usize> {
        let root = self.root()?;
        if self.get(root).is_none_or(|root| root.parent_id.is_none()) {
            return Some(root);
        }
        let failed = self.numbered().filter(|(_, kin)| kin.failed && self.depth(kin) < 2);
        failed.min_by_key(|(_, kin)| (kin.start, kin.span_id)).map(|(number, _)| number).or(Some(root))
    }

    /// The call that speaks for the trace where its root is silent: of a chat and the embeddings before it, the
    /// chat; of several, the last.
    pub fn speaker(&self) -> Option<usize> {
        let calls = self.numbered().filter(|(_, kin)| kin.counted);
        calls.min_by_key(|(_, kin)| Reverse((kin.chat, kin.start, kin.span_id))).map(|(number, _)| number)
    }

    fn numbered(&self) -> impl Iterator<Item = (usize, &Kin)> {
        self.kin.iter().enumerate()
    }

    fn depth(&self, kin: &Kin) -> u8 {
        match kin.parent_id {
            None => 0,
            Some(parent) if !self.at.contains_key(&parent) => 1,
            Some(_) => 2,
        }
    }
}

impl Extend<Kin> for Family {
    fn extend<T: IntoIterator<Item = Kin>>(&mut self, kin: T) {
        for kin in kin {
            self.push(kin);
        }
    }
}
