//! Recording.

use super::content::Content;
use super::error;
use super::format::{Answered, Asked, Break, End, Exchange, FIRST_LINE, Piece, read};
use super::redact::Redactor;
use crate::{NetError, Response};
use bytes::Bytes;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A file that is recorded to. While it is open, nobody else can record to it.
pub(super) struct Recorder {
    path: Arc<Path>,
    redactor: Arc<Redactor>,
    state: Mutex<State>,
}

struct State {
    /// Open for appending, and locked.
    file: File,
    /// Up to here all is whole.
    len: u64,
    /// Why writing failed once; from then on it is not tried again.
    fault: Option<String>,
}

impl Recorder {
    /// Opens or makes the file. What a killed writer left of an exchange is cut off.
    pub(super) fn open(path: Arc<Path>, redactor: Arc<Redactor>) -> Result<Self, NetError> {
        let failed =
            |doing: &str, why: &dyn fmt::Display| error(&path, "", format!("cannot be {doing}: {why}"));
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(|why| failed("opened for recording", &why))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(error(&path, "", "is in use elsewhere; record to another file, or wait"));
            }
            Err(TryLockError::Error(why)) => return Err(failed("locked", &why)),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|why| failed("read", &why))?;
        let tape = read(&text)
            .map_err(|bad| error(&path, "", format!("is malformed in line {}: {}", bad.line, bad.why)))?;
        let mut len = u64::try_from(tape.whole).unwrap_or(u64::MAX);
        if let Some(line) = tape.torn {
            tracing::warn!(path = %path.display(), line, "an exchange that was not recorded to its end is left out");
            file.set_len(len).map_err(|why| failed("shortened", &why))?;
        }
        if len == 0 {
            file.write_all(FIRST_LINE.as_bytes()).map_err(|why| failed("written", &why))?;
            len = u64::try_from(FIRST_LINE.len()).unwrap_or(u64::MAX);
        }
        Ok(Self { path, redactor, state: Mutex::new(State { file, len, fault: None }) })
    }

    fn check(&self) -> Result<(), NetError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.fault.as_ref().map_or(Ok(()), |why| Err(error(&self.path, "", why)))
    }

    /// Appends an exchange in one write, wholly or not at all.
    fn append(&self, exchange: Exchange) -> Result<(), NetError> {
        let text =
            exchange.write().map_err(|why| error(&self.path, "", format!("cannot hold this: {why}")))?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &state.fault {
            return Err(error(&self.path, "", why));
        }
        match state.file.write_all(text.as_bytes()) {
            Ok(()) => {
                state.len += u64::try_from(text.len()).unwrap_or_default();
                Ok(())
            }
            Err(why) => {
                let undone = state.file.set_len(state.len);
                let rest = undone.err().map(|why| format!("; what was written of it stays: {why}"));
                let why = format!("cannot be written: {why}{}", rest.unwrap_or_default());
                let told = error(&self.path, "", &why);
                state.fault = Some(why);
                Err(told)
            }
        }
    }
}

/// Watches one answer go by and records it when it ends, or when it is let go.
pub(crate) struct Tap {
    recorder: Arc<Recorder>,
    /// `None` once recorded, and before the head is there.
    taken: Option<Taken>,
    asked: Option<Asked>,
    last: Instant,
    fault: Option<NetError>,
}

struct Taken {
    asked: Asked,
    answered: Answered,
    pieces: Vec<(u64, Bytes)>,
}

impl Tap {
    /// For the answer to this request. An error where recording has failed before.
    pub(super) fn new(recorder: &Arc<Recorder>, asked: Asked) -> Result<Self, NetError> {
        recorder.check()?;
        let recorder = recorder.clone();
        Ok(Self { recorder, taken: None, asked: Some(asked), last: Instant::now(), fault: None })
    }

    /// Records this answer.
    pub(crate) fn onto(mut self: Box<Self>, response: Response) -> Response {
        let answered = Answered {
            status: response.status.as_u16(),
            after_ms: self.lap(),
            headers: self.recorder.redactor.headers(&response.headers),
        };
        self.taken = self.asked.take().map(|asked| Taken { asked, answered, pieces: Vec::new() });
        Response { body: response.body.tapped(self), ..response }
    }

    /// Takes note of what the body gave, and gives it on; `ended` says that nothing follows. Where the
    /// record could not be written, the body ends with that error.
    pub(crate) fn see(
        &mut self,
        item: Option<Result<Bytes, NetError>>,
        ended: bool,
    ) -> Option<Result<Bytes, NetError>> {
        match &item {
            Some(Ok(piece)) => {
                let after = self.lap();
                if let Some(taken) = &mut self.taken {
                    taken.pieces.push((after, piece.clone()));
                }
                if ended {
                    self.end();
                }
            }
            Some(Err(error)) => self.finish(End::Broken(Break::of(error.kind()))),
            None => {
                self.end();
                return self.fault.take().map(Err);
            }
        }
        item
    }

    /// The body is whole.
    pub(crate) fn end(&mut self) {
        self.finish(End::Complete);
    }

    fn finish(&mut self, end: End) {
        let Some(Taken { asked, answered, pieces }) = self.taken.take() else {
            return;
        };
        let (delays, pieces): (Vec<u64>, Vec<Bytes>) = pieces.into_iter().unzip();
        let clean = self.recorder.redactor.pieces(&pieces);
        let mut pieces = Vec::with_capacity(clean.len());
        let mut after_ms = 0;
        for (delay, data) in delays.into_iter().zip(clean) {
            after_ms += delay;
            // One that was the rest of a secret; what follows it comes as much later.
            if !data.is_empty() {
                pieces.push(Piece { after_ms, data: Content::of(&data) });
                after_ms = 0;
            }
        }
        self.fault = self.recorder.append(Exchange { asked, answered, pieces, end }).err();
    }

    /// The milliseconds since this was last asked.
    fn lap(&mut self) -> u64 {
        let now = Instant::now();
        let lap = now.saturating_duration_since(self.last);
        let whole = u64::try_from(lap.as_millis()).unwrap_or(u64::MAX);
        // What is less than a millisecond counts towards the next lap.
        self.last = now.checked_sub(lap.saturating_sub(Duration::from_millis(whole))).unwrap_or(now);
        whole
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.finish(End::Broken(Break::LetGo));
        if let Some(fault) = &self.fault {
            tracing::warn!("an exchange is not recorded: {fault}");
        }
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HeaderMap, NetErrorKind};

    fn asked() -> Asked {
        Asked { method: "GET".into(), url: "http://h/".into(), headers: Vec::new(), body: Content::of(b"") }
    }

    fn tap(recorder: &Arc<Recorder>) -> Result<Tap, NetError> {
        let mut tap = Tap::new(recorder, asked())?;
        let answered = Answered { status: 200, after_ms: 0, headers: Vec::new() };
        tap.taken = Some(Taken { asked: asked(), answered, pieces: Vec::new() });
        Ok(tap)
    }

    #[test]
    fn a_record_that_cannot_be_written_ends_the_answer_and_stops_recording() {
        let folder = tempfile::tempdir().unwrap();
        let path: Arc<Path> = folder.path().join("tape").into();
        let mut recorder = Recorder::open(path.clone(), Arc::default()).unwrap();
        // A file that takes no more.
        recorder.state.get_mut().unwrap().file = File::open(&path).unwrap();
        let recorder = Arc::new(recorder);
        let (mut one, mut other) = (tap(&recorder).unwrap(), tap(&recorder).unwrap());
        assert_eq!(one.see(Some(Ok(Bytes::from_static(b"x"))), true).unwrap().unwrap(), "x");
        for tap in [&mut one, &mut other] {
            let error = tap.see(None, true).unwrap().unwrap_err();
            assert_eq!(error.kind(), NetErrorKind::Cassette);
            assert!(error.to_string().contains("tape cannot be written"), "{error}");
            assert!(tap.see(None, true).is_none(), "said once");
        }
        assert!(tap(&recorder).err().unwrap().to_string().contains("cannot be written"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), FIRST_LINE);
    }

    #[test]
    fn a_piece_that_was_all_secret_leaves_only_its_delay() {
        let folder = tempfile::tempdir().unwrap();
        let path: Arc<Path> = folder.path().join("tape").into();
        let redactor = Arc::new(Redactor::new(&["secret".to_owned()]));
        let recorder = Arc::new(Recorder::open(path.clone(), redactor).unwrap());
        let mut tap = tap(&recorder).unwrap();
        let pieces = [(1, "a se"), (2, "cr"), (3, "et"), (4, " b")];
        tap.taken.as_mut().unwrap().pieces = pieces.map(|(ms, text)| (ms, text.into())).to_vec();
        tap.end();
        let tape = read(&std::fs::read(&path).unwrap()).unwrap();
        let got: Vec<_> = tape.exchanges[0].1.pieces.iter().map(|p| (p.after_ms, p.data.clone())).collect();
        assert_eq!(got, [(1, Content::of(b"a REDACTED")), (9, Content::of(b" b"))]);
        assert!(recorder.redactor.headers(&HeaderMap::new()).is_empty());
    }
}
