//! Traffic recorded once, and replayed without a network.
//!
//! A cassette is one file of JSON lines that a person can read and compare. Recording lets real traffic
//! through and appends each exchange when its answer ended, however it ended, with secrets taken out;
//! replaying answers from the file alone. An exchange without the head of an answer (a refused connection,
//! a timeout) is not recorded. Writing blocks the task that reads the answer, for as long as an append
//! takes: a cassette is for tests, not for a server under load.
//!
//! Reading order: `format` (the lines), `content` (bytes in them), `redact` (secrets), `matching` (which
//! requests are the same), `record`, `replay`.

mod content;
mod format;
mod matching;
mod record;
mod redact;
mod replay;

pub(crate) use record::Tap;
pub(crate) use replay::Replayed;

use crate::{NetError, NetErrorKind, Request};
use content::Content;
use format::Asked;
use http::Method;
use record::Recorder;
use redact::Redactor;
use replay::Player;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a cassette is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CassetteMode {
    /// Real traffic goes through and is appended.
    Record,
    /// Answers come from the file; no connection is made.
    Replay,
}

/// How a cassette is recorded or replayed. `authorization`, `x-api-key` and their like, cookies, headers
/// marked as sensitive, and keys in queries are always taken out.
#[derive(Clone, Default)]
pub struct CassetteOptions {
    /// Texts to take out wherever they stand: in URLs, headers and bodies.
    pub secrets: Vec<String>,
    /// Members of JSON requests that do not count when requests are compared: a name (`user`) anywhere, or a
    /// JSON pointer (`/metadata/id`) in which `*` stands for any name or index. Only for replaying.
    pub ignore: Vec<String>,
    /// Whether replayed pieces come as far apart as they were recorded, instead of at once.
    pub delays: bool,
}

impl fmt::Debug for CassetteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CassetteOptions")
            .field("secrets", &self.secrets.len())
            .field("ignore", &self.ignore)
            .field("delays", &self.delays)
            .finish()
    }
}

/// A cassette in use. Cheap to clone; clones share the file and, replaying, the place in it.
#[derive(Clone)]
pub struct Cassette {
    path: Arc<Path>,
    redactor: Arc<Redactor>,
    deck: Deck,
}

#[derive(Clone)]
enum Deck {
    Record(Arc<Recorder>),
    Replay(Arc<Player>),
}

impl Cassette {
    /// Opens the file; to record, makes it where there is none.
    ///
    /// [`NetErrorKind::Cassette`] names the path, and the line where one is malformed. It is also given when
    /// another process, or another `Cassette` here, is recording to the file.
    pub fn open(
        path: impl Into<PathBuf>,
        mode: CassetteMode,
        options: &CassetteOptions,
    ) -> Result<Self, NetError> {
        let path: Arc<Path> = Arc::from(path.into());
        let redactor = Arc::new(Redactor::new(&options.secrets));
        let deck = match mode {
            CassetteMode::Record => Deck::Record(Arc::new(Recorder::open(path.clone(), redactor.clone())?)),
            CassetteMode::Replay => Deck::Replay(Arc::new(Player::open(&path, options)?)),
        };
        Ok(Self { path, redactor, deck })
    }

    /// What it is for.
    pub fn mode(&self) -> CassetteMode {
        match self.deck {
            Deck::Record(_) => CassetteMode::Record,
            Deck::Replay(_) => CassetteMode::Replay,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn asked(&self, method: &Method, request: &Request<'_>) -> Asked {
        Asked {
            method: method.to_string(),
            url: self.redactor.url(request.url),
            headers: self.redactor.headers(request.headers),
            body: Content::of_request(&self.redactor.bytes(&request.body)),
        }
    }

    /// What is to be done for a request.
    pub(crate) fn play(&self, method: &Method, request: &Request<'_>) -> Result<Play, NetError> {
        let asked = self.asked(method, request);
        match &self.deck {
            Deck::Record(recorder) => Ok(Play::Live(Box::new(Tap::new(recorder, asked)?))),
            Deck::Replay(player) => player.find(&asked, request.url.target()).map(Play::Recorded),
        }
    }
}

/// What a cassette makes of a request.
pub(crate) enum Play {
    /// It is sent, and its answer recorded with this.
    Live(Box<Tap>),
    /// This is its answer.
    Recorded(Replayed),
}

impl fmt::Debug for Cassette {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cassette")
            .field("path", &self.path)
            .field("mode", &self.mode())
            .finish_non_exhaustive()
    }
}

fn error(path: &Path, target: &str, why: impl fmt::Display) -> NetError {
    NetError::new(NetErrorKind::Cassette, target, format!("the cassette {} {why}", path.display()))
}
