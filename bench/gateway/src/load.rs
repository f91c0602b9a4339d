//! Closed-loop load: so many connections, each with one request under way at any time. Every answer is checked
//! to be whole and to be the answer to its own request.

use crate::mock::{CHUNKS, stamp};
use crate::prompt::{MODEL, PACED, number, request};
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

/// Longer between two pieces of an answer than this, and something waits for a timer of the kernel's.
pub(crate) const STALL: Duration = Duration::from_millis(40);

/// An answer that takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whole answers.
    Json,
    /// Streams that come as fast as they can.
    Stream,
    /// Streams with so many milliseconds between chunks.
    Paced(u64),
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// Requests begun within this time are finished, no others begun.
    Time(Duration),
    /// So many requests over all connections.
    Requests(u64),
}

/// Whom to ask, and with which key.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) authorization: HeaderValue,
}

/// What was seen. Times are microseconds.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Good answers.
    pub(crate) requests: u64,
    /// From the first request to the end of the last answer.
    pub(crate) seconds: f64,
    /// From the request to the answer's last byte.
    pub(crate) whole: Vec<f64>,
    /// From the request to the body's first byte; streams only.
    pub(crate) first: Vec<f64>,
    /// From a chunk's writing to its arrival; paced streams only.
    pub(crate) late: Vec<f64>,
    /// Between the arrivals of two chunks that did not come at once; paced streams only.
    pub(crate) gaps: Vec<f64>,
    /// The longest wait for a piece of an answer.
    pub(crate) longest: f64,
    /// Waits of [`STALL`] or longer.
    pub(crate) stalls: u64,
}

/// Open connections to one door.
pub(crate) struct Load {
    door: Door,
    open: Vec<SendRequest<Full<Bytes>>>,
}

/// Numbers for requests, no two alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(Rc<Cell<u64>>);

impl Numbers {
    /// How many were given.
    pub(crate) fn given(&self) -> u64 {
        self.0.get()
    }

    fn next(&self) -> u64 {
        self.0.replace(self.0.get() + 1)
    }
}

impl Load {
    /// Opens `connections`; must run inside a [`LocalSet`].
    pub(crate) async fn open(door: &Door, connections: usize) -> Result<Self> {
        let mut open = Vec::with_capacity(connections);
        for _ in 0..connections {
            let socket = TcpStream::connect(door.address).await.context("connecting")?;
            socket.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
            tokio::task::spawn_local(async move { drop(connection.await) });
            open.push(sender);
        }
        Ok(Self { door: door.clone(), open })
    }

    /// Puts load on until it is enough. An answer that is not good is an error, since what follows would
    /// measure something else.
    pub(crate) async fn put(&mut self, kind: Kind, until: Until, numbers: &Numbers) -> Result<Seen> {
        let begun = Instant::now();
        let left = Rc::new(Cell::new(match until {
            Until::Time(_) => u64::MAX,
            Until::Requests(count) => count,
        }));
        let mut callers = JoinSet::new();
        for sender in self.open.drain(..) {
            let caller = Caller {
                sender,
                door: self.door.clone(),
                kind,
                numbers: numbers.clone(),
                seen: Seen::default(),
            };
            let left = Rc::clone(&left);
            callers.spawn_local(caller.run(begun, until, left));
        }
        let mut all = Seen::default();
        while let Some(done) = callers.join_next().await {
            let (sender, seen) = done??;
            self.open.push(sender);
            all.add(seen);
        }
        all.seconds = begun.elapsed().as_secs_f64();
        Ok(all)
    }
}

impl Seen {
    fn add(&mut self, mut other: Self) {
        self.requests += other.requests;
        self.whole.append(&mut other.whole);
        self.first.append(&mut other.first);
        self.late.append(&mut other.late);
        self.gaps.append(&mut other.gaps);
        self.longest = self.longest.max(other.longest);
        self.stalls += other.stalls;
    }

    fn waited(&mut self, time: Duration) {
        self.longest = self.longest.max(micros(time));
        self.stalls += u64::from(time >= STALL);
    }
}

/// One connection's side.
struct Caller {
    sender: SendRequest<Full<Bytes>>,
    door: Door,
    kind: Kind,
    numbers: Numbers,
    seen: Seen,
}

impl Caller {
    async fn run(
        mut self,
        begun: Instant,
        until: Until,
        left: Rc<Cell<u64>>,
    ) -> Result<(SendRequest<Full<Bytes>>, Seen)> {
        let model = match self.kind {
            Kind::Paced(delay) => format!("{PACED}{delay}"),
            Kind::Json | Kind::Stream => MODEL.to_owned(),
        };
        loop {
            if left.get() == 0 || matches!(until, Until::Time(time) if begun.elapsed() >= time) {
                break;
            }
            left.set(left.get() - 1);
            let at = self.numbers.next();
            let asked = self.ask(request(&model, self.kind != Kind::Json, at));
            tokio::time::timeout(PATIENCE, asked)
                .await
                .map_err(|_| anyhow::anyhow!("no whole answer within {PATIENCE:?}"))
                .flatten()
                .with_context(|| format!("request {at} to {}", self.door.address))?;
        }
        Ok((self.sender, self.seen))
    }

    async fn ask(&mut self, body: Bytes) -> Result<()> {
        let request = Request::post("/v1/chat/completions")
            .header(http::header::HOST, "127.0.0.1")
            .header(http::header::AUTHORIZATION, self.door.authorization.clone())
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.clone()))?;
        self.sender.ready().await?;
        let begun = Instant::now();
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        if status != StatusCode::OK {
            let said = response.into_body().collect().await?.to_bytes();
            bail!("the answer is {status}: {}", String::from_utf8_lossy(&said));
        }
        match self.kind {
            Kind::Json => {
                let answer = response.into_body().collect().await?.to_bytes();
                self.seen.waited(begun.elapsed());
                ensure!(answer.ends_with(b"}"), "the answer is cut");
                ensure!(
                    number(&answer).is_some() && number(&answer) == number(&body),
                    "the answer is another's"
                );
            }
            Kind::Stream | Kind::Paced(_) => self.read(begun, response.into_body(), number(&body)).await?,
        }
        self.seen.whole.push(micros(begun.elapsed()));
        self.seen.requests += 1;
        Ok(())
    }

    async fn read(&mut self, begun: Instant, mut body: Incoming, case: Option<&[u8]>) -> Result<()> {
        let paced = matches!(self.kind, Kind::Paced(_));
        let mut text = Vec::with_capacity(16 << 10);
        let (mut read, mut events) = (0, 0);
        let mut last = begun;
        let mut answers_its_own = false;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            let now = Instant::now();
            if text.is_empty() {
                self.seen.first.push(micros(now - begun));
            } else if paced {
                self.seen.gaps.push(micros(now - last));
            }
            if !paced {
                self.seen.waited(now - last);
            }
            last = now;
            let clock = SystemTime::now();
            text.extend_from_slice(&data);
            while let Some(rest) = text.get(read..)
                && let Some(end) = memmem::find(rest, b"\n\n")
            {
                let event = rest.get(..end).unwrap_or_default();
                events += 1;
                answers_its_own |= events == 2 && number(event).is_some() && number(event) == case;
                if paced && let Some(written) = stamp(event) {
                    let arrived = clock.duration_since(UNIX_EPOCH)?;
                    self.seen.late.push(micros(arrived.saturating_sub(Duration::from_nanos(written))));
                }
                read += end + 2;
            }
        }
        ensure!(text.ends_with(b"data: [DONE]\n\n"), "the stream ended without its end mark");
        ensure!(events == CHUNKS + 1, "the stream had {events} events, not {}", CHUNKS + 1);
        ensure!(answers_its_own, "the stream is another's");
        Ok(())
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Runs `work` where load can be put.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    // One thread: the load is to take as little as it can from what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work)
}
