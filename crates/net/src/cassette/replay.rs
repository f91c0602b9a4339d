//! Replaying.

use super::format::{Asked, Break, End, Exchange, head, read};
use super::matching::Ignore;
use super::{CassetteOptions, error};
use crate::body::Source;
use crate::client::late;
use crate::idle::Timer;
use crate::{Body, HeaderMap, NetError, NetErrorKind, Request, Response, StatusCode, header};
use bytes::Bytes;
use std::collections::HashMap;
use std::fmt;
use std::fs::{File, TryLockError};
use std::future::Future as _;
use std::io::Read as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// A cassette that was read.
pub(super) struct Player {
    path: Arc<Path>,
    ignore: Ignore,
    delays: bool,
    takes: HashMap<String, Takes>,
    /// What was asked, with the line of it.
    asked: Vec<(usize, Asked)>,
}

/// The answers to one request, in the order they were recorded.
#[derive(Default)]
struct Takes {
    all: Vec<Arc<Take>>,
    next: AtomicUsize,
}

/// A recorded answer.
struct Take {
    status: StatusCode,
    headers: HeaderMap,
    /// How long after the request the head comes.
    after: Duration,
    pieces: Vec<(Duration, Bytes)>,
    end: End,
}

impl Player {
    pub(super) fn open(path: &Arc<Path>, options: &CassetteOptions) -> Result<Self, NetError> {
        let failed = |why: &dyn fmt::Display| error(path, "", format!("cannot be read: {why}"));
        let mut file = File::open(path).map_err(|why| {
            let hint = if why.kind() == std::io::ErrorKind::NotFound { "; record it first" } else { "" };
            error(path, "", format!("cannot be read: {why}{hint}"))
        })?;
        // Held only while reading: a recorder that is at work would be read in the middle of an exchange.
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(error(path, "", "is being recorded; replay it afterwards"));
            }
            Err(TryLockError::Error(why)) => return Err(failed(&why)),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|why| failed(&why))?;
        let malformed =
            |line: usize, why: &str| error(path, "", format!("is malformed in line {line}: {why}"));
        let tape = read(&text).map_err(|bad| malformed(bad.line, &bad.why))?;
        if let Some(line) = tape.torn {
            return Err(malformed(line, "the exchange that begins here has no end; delete it or record on"));
        }
        let ignore = Ignore::new(&options.ignore);
        let mut takes: HashMap<String, Takes> = HashMap::new();
        let mut asked = Vec::with_capacity(tape.exchanges.len());
        for (line, exchange) in tape.exchanges {
            let take = Take::of(&exchange).map_err(|why| malformed(line, &why))?;
            takes.entry(exchange.asked.key(&ignore)).or_default().all.push(Arc::new(take));
            asked.push((line, exchange.asked));
        }
        Ok(Self { path: path.clone(), ignore, delays: options.delays, takes, asked })
    }

    /// The answer to a request: the next of those recorded for it, or the last again.
    pub(super) fn find(&self, asked: &Asked, target: &str) -> Result<Replayed, NetError> {
        let found = self.takes.get(&asked.key(&self.ignore)).and_then(|takes| {
            let turn = takes.next.fetch_add(1, Ordering::Relaxed);
            takes.all.get(turn).or(takes.all.last())
        });
        match found {
            Some(take) => Ok(Replayed { take: take.clone(), delays: self.delays, next: 0, wait: None }),
            None => Err(self.unmatched(asked, target)),
        }
    }

    fn unmatched(&self, asked: &Asked, target: &str) -> NetError {
        let what = format!("{} {}", asked.method, asked.url);
        let nearest = self.asked.iter().min_by_key(|(_, recorded)| recorded.distance(asked, &self.ignore));
        let why = match nearest {
            None => "it is empty".to_owned(),
            Some((line, recorded)) => {
                format!(
                    "the closest request, in line {line}, differs: {}",
                    recorded.why_not(asked, &self.ignore)
                )
            }
        };
        error(&self.path, target, format!("holds no answer to {what}: {why}"))
    }
}

impl Take {
    fn of(exchange: &Exchange) -> Result<Self, String> {
        let (status, mut headers) = head(&exchange.answered)?;
        let mut pieces = Vec::with_capacity(exchange.pieces.len());
        for piece in &exchange.pieces {
            let data = piece.data.bytes()?;
            if !data.is_empty() {
                pieces.push((Duration::from_millis(piece.after_ms), data));
            }
        }
        // Taking a secret out may have changed the length.
        if exchange.end == End::Complete && headers.contains_key(header::CONTENT_LENGTH) {
            let len: usize = pieces.iter().map(|(_, data)| data.len()).sum();
            headers.insert(header::CONTENT_LENGTH, len.into());
        }
        let after = Duration::from_millis(exchange.answered.after_ms);
        Ok(Self { status, headers, after, pieces, end: exchange.end })
    }
}

/// A recorded answer on its way out.
pub(crate) struct Replayed {
    take: Arc<Take>,
    delays: bool,
    next: usize,
    /// Until the next piece is due.
    wait: Option<Pin<Box<Sleep>>>,
}

impl Replayed {
    /// The answer, its body to come piece by piece.
    pub(crate) async fn respond(self, request: &Request<'_>) -> Result<Response, NetError> {
        let timeouts = request.timeouts;
        if self.delays {
            tokio::time::sleep(self.take.after.min(timeouts.first_byte)).await;
            if self.take.after > timeouts.first_byte {
                return Err(late(request.url, timeouts));
            }
        }
        let (status, headers) = (self.take.status, self.take.headers.clone());
        let timer = Timer::new(timeouts.first_byte, timeouts.idle);
        let body = Body::new(
            Source::Cassette(Box::new(self)),
            timer,
            timeouts.idle,
            request.url.shared_target().clone(),
        );
        Ok(Response { status, headers, body })
    }

    pub(crate) fn announced_len(&self) -> Option<u64> {
        self.take.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// The next piece; nothing more is asked for behind an error or the end.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        target: &Arc<str>,
    ) -> Poll<Option<Result<Bytes, NetError>>> {
        let Some((after, data)) = self.take.pieces.get(self.next) else {
            return Poll::Ready(match self.take.end {
                End::Complete => None,
                End::Broken(by) => Some(Err(broken(by, target))),
            });
        };
        if self.delays && !after.is_zero() {
            let wait = self.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep(*after)));
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        self.next += 1;
        Poll::Ready(Some(Ok(data.clone())))
    }
}

fn broken(by: Break, target: &Arc<str>) -> NetError {
    let (kind, what) = match by {
        Break::Cut => (NetErrorKind::Cut, "was cut here"),
        Break::Stalled => (NetErrorKind::IdleTimeout, "came to a halt here"),
        Break::Malformed => (NetErrorKind::Protocol, "went on with something that is not HTTP"),
        Break::LetGo => (NetErrorKind::Cut, "was recorded only this far: whoever had asked let go"),
    };
    NetError::new(kind, target.clone(), format!("the recorded answer of {target} {what}"))
}

impl fmt::Debug for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replayed").field("next", &self.next).finish_non_exhaustive()
    }
}
