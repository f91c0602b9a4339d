//! Connections that wait for their next request.

use crate::h1::connection::Connection;
use crate::h2::Shared;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The reaper comes no more often than this.
const SHORTEST_ROUND: Duration = Duration::from_millis(50);
/// The reaper comes at least as often as this, so that what a server closed is soon closed here.
const LONGEST_ROUND: Duration = Duration::from_secs(10);

/// What was not used for this long needs no buffers.
const RESTING: Duration = Duration::from_secs(5);

/// The kept connections of one client: those of HTTP/1.1 for one request each, those of HTTP/2 for many at
/// once. A client's proxy is always the same, so that it does not tell them apart.
#[derive(Debug)]
pub(crate) struct Pool {
    most_idle: usize,
    idle_timeout: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    plain: HashMap<Arc<str>, Host>,
    secure: HashMap<Arc<str>, Host>,
    /// A reaper is at work.
    reaped: bool,
}

#[derive(Debug, Default)]
struct Host {
    /// The last one in is the first one out: it is the least likely to have been closed.
    idle: Vec<Idle>,
    shared: Option<Shared>,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

/// A connection that was kept.
#[derive(Debug)]
pub(crate) enum Kept {
    Own(Box<Connection>),
    Shared(Shared),
}

/// Where in the pool a connection belongs.
#[derive(Debug)]
pub(crate) struct Place {
    pool: Arc<Pool>,
    secure: bool,
    target: Arc<str>,
}

impl Pool {
    pub(crate) fn new(most_idle: usize, idle_timeout: Duration) -> Self {
        Self { most_idle, idle_timeout, state: Mutex::default() }
    }

    /// The place of a server, which is `host:port`, with TLS or without.
    pub(crate) fn place(self: &Arc<Self>, secure: bool, target: &Arc<str>) -> Place {
        Place { pool: self.clone(), secure, target: target.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked with it held no half-done change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of what was not used for too long, and of what its server closed. Returns whether something
    /// is left.
    fn reap(&self) -> bool {
        let now = Instant::now();
        let mut gone = Vec::new();
        let mut state = self.lock();
        let State { plain, secure, .. } = &mut *state;
        for hosts in [plain, secure] {
            hosts.retain(|_, host| {
                let dead = |idle: &mut Idle| {
                    now.duration_since(idle.since) >= self.idle_timeout || !idle.connection.is_quiet()
                };
                gone.extend(host.idle.extract_if(.., dead));
                let resting = host.idle.iter_mut().filter(|idle| now.duration_since(idle.since) >= RESTING);
                resting.for_each(|idle| idle.connection.shrink());
                host.shared.take_if(|shared| shared.is_over(now, self.idle_timeout));
                !host.idle.is_empty() || host.shared.is_some()
            });
        }
        let left = !state.plain.is_empty() || !state.secure.is_empty();
        state.reaped = left;
        drop(state);
        // Closed only now, when nobody waits for it.
        drop(gone);
        left
    }
}

impl State {
    fn hosts(&mut self, secure: bool) -> &mut HashMap<Arc<str>, Host> {
        if secure { &mut self.secure } else { &mut self.plain }
    }
}

impl Place {
    /// A kept connection that is, as far as can be seen from here, still open.
    pub(crate) fn take(&self, now: Instant) -> Option<Kept> {
        loop {
            let mut state = self.pool.lock();
            let host = state.hosts(self.secure).get_mut(&*self.target)?;
            let timeout = self.pool.idle_timeout;
            if let Some(shared) = host.shared.take_if(|shared| shared.is_over(now, timeout)) {
                drop(state);
                drop(shared);
                continue;
            }
            if let Some(shared) = &mut host.shared {
                return Some(Kept::Shared(shared.used(now)));
            }
            let Idle { mut connection, since } = host.idle.pop()?;
            drop(state);
            if now.saturating_duration_since(since) < timeout && connection.is_quiet() {
                return Some(Kept::Own(connection));
            }
        }
    }

    /// Keeps a connection that waits for its next request.
    pub(crate) fn keep(self, connection: Box<Connection>) {
        if self.pool.most_idle == 0 || self.pool.idle_timeout.is_zero() {
            return;
        }
        let idle = Idle { connection, since: Instant::now() };
        let mut state = self.pool.lock();
        let hosts = state.hosts(self.secure);
        // The name is only counted up where the server is new.
        let host = match hosts.get_mut(&*self.target) {
            Some(host) => host,
            None => hosts.entry(self.target.clone()).or_default(),
        };
        if host.idle.len() >= self.pool.most_idle {
            drop(state);
            drop(idle);
            return;
        }
        host.idle.push(idle);
        self.have_reaped(state);
    }

    /// Shares a new connection with all who come; if there is one already, that one is taken.
    pub(crate) fn share(&self, new: Shared, now: Instant) -> Shared {
        let mut state = self.pool.lock();
        let host = state.hosts(self.secure).entry(self.target.clone()).or_default();
        host.shared.take_if(|shared| shared.is_over(now, self.pool.idle_timeout));
        let shared = host.shared.get_or_insert(new).used(now);
        self.have_reaped(state);
        shared
    }

    /// No longer shares this connection.
    pub(crate) fn unshare(&self, old: &Shared) {
        if let Some(host) = self.pool.lock().hosts(self.secure).get_mut(&*self.target) {
            host.shared.take_if(|shared| shared.is(old));
        }
    }

    /// Has a reaper come by, unless one does already.
    fn have_reaped(&self, mut state: MutexGuard<'_, State>) {
        if !state.reaped
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            state.reaped = true;
            let reaper = Reaper(Arc::downgrade(&self.pool));
            let round = (self.pool.idle_timeout / 2).clamp(SHORTEST_ROUND, LONGEST_ROUND);
            drop(state);
            runtime.spawn(reaper.work(round));
        }
    }
}

/// Goes through the pool as long as there is something in it.
struct Reaper(Weak<Pool>);

impl Reaper {
    async fn work(mut self, round: Duration) {
        loop {
            tokio::time::sleep(round).await;
            let Some(pool) = self.0.upgrade() else { return };
            if !pool.reap() {
                // From here on another may have been called.
                self.0 = Weak::new();
                return;
            }
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        // Its runtime ends before the pool does.
        if let Some(pool) = self.0.upgrade() {
            pool.lock().reaped = false;
        }
    }
}
