//! One fact, and its form in a tail.

use crate::fact_columns::{unzigzag, zigzag};
use crate::varint::{pop_varint, push_varint};
use hanok_base::Usage;

/// What a fact refers to, by number; 0 is nothing. All are rows of `names` but `User` and `Session`. The order is
/// that of columns on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Project,
    /// The model that was called.
    Model,
    /// The model that the trace asked for.
    Asked,
    Provider,
    Key,
    /// The id of the key.
    KeyRow,
    User,
    Session,
    Prompt,
    Source,
    /// The kind of failure; 0 where there was none.
    Error,
}

/// What a fact counts. The order is that of columns on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Input,
    Output,
    Cached,
    CacheWrite,
    Reasoning,
    /// Nano-dollars; missing where the call is unpriced.
    Cost,
    /// Microseconds.
    Duration,
    /// Microseconds to the first token.
    FirstToken,
}

impl Id {
    pub(crate) const ALL: [Self; 11] = [
        Self::Project,
        Self::Model,
        Self::Asked,
        Self::Provider,
        Self::Key,
        Self::KeyRow,
        Self::User,
        Self::Session,
        Self::Prompt,
        Self::Source,
        Self::Error,
    ];
}

impl Count {
    pub(crate) const ALL: [Self; 8] = [
        Self::Input,
        Self::Output,
        Self::Cached,
        Self::CacheWrite,
        Self::Reasoning,
        Self::Cost,
        Self::Duration,
        Self::FirstToken,
    ];
}

/// One counted call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Fact {
    pub(crate) seq: i64,
    pub(crate) start_ms: i64,
    pub(crate) taken_back: bool,
    /// By [`Id`].
    pub(crate) ids: [i64; Id::ALL.len()],
    /// By [`Count`], one more than it is, so that 0 is missing.
    pub(crate) counts: [u64; Count::ALL.len()],
    /// Ascending, each once.
    pub(crate) tags: Vec<i64>,
}

impl Fact {
    pub(crate) fn id(&self, id: Id) -> i64 {
        self.ids.get(id as usize).copied().unwrap_or(0)
    }

    pub(crate) fn set_id(&mut self, id: Id, number: i64) {
        if let Some(place) = self.ids.get_mut(id as usize) {
            *place = number;
        }
    }

    /// One more than it is; 0 is missing.
    pub(crate) fn stored_count(&self, count: Count) -> u64 {
        self.counts.get(count as usize).copied().unwrap_or(0)
    }

    pub(crate) fn set_count(&mut self, count: Count, number: Option<u64>) {
        if let Some(place) = self.counts.get_mut(count as usize) {
            *place = number.map_or(0, |number| number.saturating_add(1));
        }
    }

    pub(super) fn measure(
        &mut self,
        usage: &Usage,
        cost: Option<i64>,
        duration_ns: i64,
        ttft_ns: Option<i64>,
    ) {
        let micros = |nanos: i64| u64::try_from(nanos / 1_000).unwrap_or(0);
        self.set_count(Count::Input, usage.input);
        self.set_count(Count::Output, usage.output);
        self.set_count(Count::Cached, usage.cached_input);
        self.set_count(Count::CacheWrite, usage.cache_write);
        self.set_count(Count::Reasoning, usage.reasoning);
        self.set_count(Count::Cost, cost.and_then(|cost| u64::try_from(cost).ok()));
        self.set_count(Count::Duration, Some(micros(duration_ns)));
        self.set_count(Count::FirstToken, ttft_ns.map(micros));
    }

    pub(super) fn push(&self, bytes: &mut Vec<u8>) {
        push_varint(bytes, self.seq.cast_unsigned());
        push_varint(bytes, zigzag(self.start_ms));
        let ids = self.ids.iter().map(|id| id.cast_unsigned());
        let present = ids.chain(self.counts.iter().copied());
        let flags = present.clone().map(|number| number != 0);
        let flags = flags.chain([self.taken_back, !self.tags.is_empty()]);
        push_varint(bytes, flags.zip(0..).fold(0, |all, (set, bit)| all | u64::from(set) << bit));
        for number in present.filter(|number| *number != 0) {
            push_varint(bytes, number);
        }
        if !self.tags.is_empty() {
            push_varint(bytes, self.tags.len() as u64);
            for tag in &self.tags {
                push_varint(bytes, tag.cast_unsigned());
            }
        }
    }

    pub(super) fn pop(bytes: &mut std::slice::Iter<'_, u8>) -> Option<Self> {
        let mut fact = Self {
            seq: pop_varint(bytes)?.cast_signed(),
            start_ms: unzigzag(pop_varint(bytes)?),
            ..Self::default()
        };
        let mut flags = pop_varint(bytes)?;
        let mut next = || {
            let set = flags & 1 != 0;
            flags >>= 1;
            set
        };
        for id in &mut fact.ids {
            if next() {
                *id = pop_varint(bytes)?.cast_signed();
            }
        }
        for count in &mut fact.counts {
            if next() {
                *count = pop_varint(bytes)?;
            }
        }
        fact.taken_back = next();
        if next() {
            for _ in 0..pop_varint(bytes)? {
                fact.tags.push(pop_varint(bytes)?.cast_signed());
            }
        }
        Some(fact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(seq: i64) -> Fact {
        let mut fact = Fact { seq, start_ms: seq - 500, ..Fact::default() };
        for (at, id) in (0..).zip(Id::ALL) {
            fact.set_id(id, (seq + at) % 5);
        }
        for (at, count) in (0..).zip(Count::ALL) {
            fact.set_count(count, (seq % 3 != at % 3).then_some((seq * at).unsigned_abs()));
        }
        fact.tags = (0..seq % 3).collect();
        fact
    }

    #[test]
    fn facts_come_back() {
        let facts: Vec<Fact> = (0..1000).map(|seq| Fact { taken_back: seq % 7 == 1, ..fact(seq) }).collect();
        let mut bytes = Vec::new();
        for fact in &facts {
            fact.push(&mut bytes);
        }
        let mut found = bytes.iter();
        for fact in &facts {
            assert_eq!(Fact::pop(&mut found).as_ref(), Some(fact));
        }
        assert_eq!(Fact::pop(&mut found), None);
        assert!(bytes.len() < 40 * facts.len(), "{}", bytes.len());
    }
}
