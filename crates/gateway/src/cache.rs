//! Answers given again for the very same request. In memory, bounded, whole answers only as they were sent.

use bytes::Bytes;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Most bytes of all answers together.
const CAPACITY: usize = 64 << 20;
/// A larger answer is not kept.
const LARGEST: usize = 4 << 20;

/// Which request: whose, in which dialect, for which model, and its very bytes.
pub(crate) type CacheKey = [u8; 32];

/// A kept answer.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) content_type: Cow<'static, str>,
    /// The pieces as they were sent; one for a whole answer.
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) streamed: bool,
    /// The trace that made it.
    pub(crate) trace_id: String,
}

#[derive(Clone, Default)]
pub(crate) struct Cache {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<CacheKey, Entry>,
    /// In order of coming; an entry put again stands at its newer place, too.
    order: VecDeque<(CacheKey, Instant)>,
    bytes: usize,
}

struct Entry {
    kept: Kept,
    made: Instant,
    bytes: usize,
}

impl Cache {
    /// The answer to this request, if it is younger than `lifetime`.
    pub(crate) fn get(&self, key: &CacheKey, lifetime: Duration) -> Option<Kept> {
        let inner = self.inner.lock();
        inner.entries.get(key).filter(|entry| entry.made.elapsed() < lifetime).map(|entry| entry.kept.clone())
    }

    /// Keeps an answer; the oldest go when there is no room.
    pub(crate) fn put(&self, key: CacheKey, kept: Kept) {
        let bytes = kept.pieces.iter().map(Bytes::len).sum::<usize>() + 512;
        if bytes > LARGEST {
            return;
        }
        let made = Instant::now();
        let mut inner = self.inner.lock();
        inner.bytes += bytes;
        if let Some(old) = inner.entries.insert(key, Entry { kept, made, bytes }) {
            inner.bytes -= old.bytes;
        }
        inner.order.push_back((key, made));
        if inner.order.len() > inner.entries.len() * 2 + 64 {
            let Inner { entries, order, .. } = &mut *inner;
            order.retain(|(key, at)| entries.get(key).is_some_and(|entry| entry.made == *at));
        }
        while inner.bytes > CAPACITY
            && let Some((oldest, at)) = inner.order.pop_front()
        {
            if inner.entries.get(&oldest).is_some_and(|entry| entry.made == at)
                && let Some(gone) = inner.entries.remove(&oldest)
            {
                inner.bytes -= gone.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(size: usize) -> Kept {
        Kept {
            content_type: "application/json".into(),
            pieces: vec![Bytes::from(vec![b'x'; size])],
            streamed: false,
            trace_id: String::new(),
        }
    }

    #[test]
    fn the_oldest_go_first() {
        let cache = Cache::default();
        let key = |n: u8| [n; 32];
        for n in 0..20 {
            cache.put(key(n), kept(LARGEST - 600));
        }
        let hour = Duration::from_hours(1);
        assert!(cache.get(&key(0), hour).is_none() && cache.get(&key(19), hour).is_some());
        assert!(cache.inner.lock().bytes <= CAPACITY);
        cache.put(key(50), kept(LARGEST));
        assert!(cache.get(&key(50), hour).is_none(), "too large to keep");
        assert!(cache.get(&key(19), Duration::ZERO).is_none(), "too old");
    }
}
