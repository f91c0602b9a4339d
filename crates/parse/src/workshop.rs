//! The parent's side: children kept ready, watched, and replaced.

use crate::child::memory;
use crate::frame::{Job, read_answer, write_job};
use crate::{Format, Limits, Parsed, Unfit, parse};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Cursor, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a child is kept without work.
const IDLE: Duration = Duration::from_secs(30);
/// A child that has had a file or a text of this size is not used again: what it holds of memory, it keeps.
const LARGE: usize = 8 << 20;
/// Jobs of one child.
const MOST_JOBS: usize = 1_000;
/// What a child may say on its standard error and be listened to.
const LAST_WORDS: u64 = 64 << 10;

/// Parses documents in children, from any thread, as many at a time as the limits say. A child is used for many
/// documents; one that dies, that takes too long or that talks nonsense costs the document it was given, and the
/// next one gets another.
#[derive(Debug)]
pub struct Workshop {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    program: PathBuf,
    limits: Limits,
    state: Mutex<State>,
    /// A child was given back, or the workshop closes.
    changed: Condvar,
    /// A deadline was set, or the workshop closes.
    watched: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<(Worker, Instant)>,
    busy: HashMap<u64, Watched>,
    /// Children that exist or are about to.
    children: usize,
    next: u64,
    is_closed: bool,
    has_watch: bool,
}

/// What the watch knows of a child at work.
#[derive(Debug)]
struct Watched {
    deadline: Instant,
    process: Arc<Mutex<Child>>,
    is_late: Arc<AtomicBool>,
}

/// A child and the ways to it.
#[derive(Debug)]
struct Worker {
    id: u64,
    process: Arc<Mutex<Child>>,
    stdin: ChildStdin,
    stdout: ChildStdout,
    is_late: Arc<AtomicBool>,
    jobs: usize,
}

/// How a job failed on the parent's side of it.
enum Fault {
    /// The file could not be read to its end.
    Source(Unfit),
    /// The child has gone, or makes no sense.
    Child,
}

/// Something a document can be read from, and read again.
trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

impl Workshop {
    /// A workshop whose children are `program parse-documents`, run with an empty environment. None is started
    /// before there is something to parse.
    pub fn new(program: PathBuf, limits: Limits) -> Self {
        let (state, changed, watched) = (Mutex::default(), Condvar::new(), Condvar::new());
        Self { shared: Arc::new(Shared { program, limits, state, changed, watched }) }
    }

    /// What documents may cost.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// What is in the file at `path`. Blocks: waits for a child when all are at work.
    ///
    /// # Errors
    ///
    /// Why there is no text to be had.
    pub fn parse(&self, path: &Path, format: Format) -> Result<Parsed, Unfit> {
        let (mut file, size) = open(path)?;
        let limits = &self.shared.limits;
        if size > limits.file_bytes {
            return Err(Unfit::too_large("the file", limits.file_bytes));
        }
        if format.is_plain() {
            let mut bytes = Vec::new();
            let read = file.take(limits.file_bytes + 1).read_to_end(&mut bytes);
            read.map_err(|error| Unfit::Unread(error.to_string()))?;
            return parse(format, &bytes, limits);
        }
        self.run(format, size, &mut file)
    }

    /// What is in `bytes`, as [`Self::parse`].
    ///
    /// # Errors
    ///
    /// Why there is no text to be had.
    pub fn parse_bytes(&self, bytes: &[u8], format: Format) -> Result<Parsed, Unfit> {
        let (size, limits) = (bytes.len() as u64, &self.shared.limits);
        if size > limits.file_bytes {
            return Err(Unfit::too_large("the file", limits.file_bytes));
        }
        if format.is_plain() {
            return parse(format, bytes, limits);
        }
        self.run(format, size, &mut Cursor::new(bytes))
    }

    fn run(&self, format: Format, bytes: u64, source: &mut dyn Source) -> Result<Parsed, Unfit> {
        let job = Job { format, limits: self.shared.limits, bytes };
        loop {
            let mut worker = self.shared.take()?;
            let is_fresh = worker.jobs == 0;
            self.shared.watch(&worker);
            let answer = worker.ask(&job, source);
            self.shared.unwatch(&worker);
            match answer {
                Ok(outcome) => {
                    let text = outcome.as_ref().map_or(0, |parsed| parsed.text.len());
                    let is_sound = !matches!(outcome, Err(Unfit::Crashed(_) | Unfit::NoParser(_)));
                    let is_small = bytes < LARGE as u64 && text < LARGE;
                    if is_sound && is_small && worker.jobs < MOST_JOBS {
                        self.shared.give_back(worker);
                    } else {
                        worker.end();
                        self.shared.lost();
                    }
                    return outcome;
                }
                Err(fault) => {
                    let is_late = worker.is_late.load(Ordering::Acquire);
                    let (status, words) = worker.end();
                    self.shared.lost();
                    match fault {
                        Fault::Source(unfit) => return Err(unfit),
                        Fault::Child if is_late => return Err(Unfit::TooLong(seconds(job.limits.time))),
                        // A child that has served others may have died of them, or while it was idle.
                        Fault::Child if !is_fresh => {
                            let again = source.seek(SeekFrom::Start(0));
                            again.map_err(|error| Unfit::Unread(error.to_string()))?;
                        }
                        Fault::Child => return Err(autopsy(status, &words, &job.limits)),
                    }
                }
            }
        }
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.is_closed = true;
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        self.shared.watched.notify_all();
        for (worker, _) in idle {
            worker.end();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A child to work with: an idle one, a new one, or the next that is given back.
    fn take(self: &Arc<Self>) -> Result<Worker, Unfit> {
        let mut state = self.state();
        loop {
            while let Some((worker, _)) = state.idle.pop() {
                if worker.is_alive() {
                    return Ok(worker);
                }
                worker.end();
                state.children -= 1;
            }
            if state.children < self.limits.children.max(1) {
                break;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.children += 1;
        state.next += 1;
        let id = state.next;
        if !state.has_watch {
            let shared = Arc::clone(self);
            let watch =
                std::thread::Builder::new().name("parse-watch".to_owned()).spawn(move || shared.keep_watch());
            if let Err(error) = watch {
                state.children -= 1;
                return Err(Unfit::NoParser(error.to_string()));
            }
            state.has_watch = true;
        }
        drop(state);
        Worker::start(&self.program, id).map_err(|error| {
            self.lost();
            Unfit::NoParser(format!("{}: {error}", self.program.display()))
        })
    }

    fn give_back(&self, worker: Worker) {
        let mut state = self.state();
        state.idle.push((worker, Instant::now()));
        drop(state);
        self.changed.notify_one();
    }

    /// A child is no more.
    fn lost(&self) {
        self.state().children -= 1;
        self.changed.notify_one();
    }

    fn watch(&self, worker: &Worker) {
        let deadline = Instant::now() + self.limits.time;
        let (process, is_late) = (Arc::clone(&worker.process), Arc::clone(&worker.is_late));
        self.state().busy.insert(worker.id, Watched { deadline, process, is_late });
        self.watched.notify_one();
    }

    fn unwatch(&self, worker: &Worker) {
        self.state().busy.remove(&worker.id);
    }

    /// Kills children that are late, and lets go those that nobody needs, until the workshop closes.
    fn keep_watch(&self) {
        let mut state = self.state();
        while !state.is_closed || !state.busy.is_empty() {
            let now = Instant::now();
            for watched in state.busy.values().filter(|watched| watched.deadline <= now) {
                watched.is_late.store(true, Ordering::Release);
                // Whoever waits for its answer sees the end of it, and buries it.
                let _ = lock(&watched.process).kill();
            }
            state.busy.retain(|_, watched| watched.deadline > now);
            let (kept, old) =
                std::mem::take(&mut state.idle).into_iter().partition(|(_, since)| now < *since + IDLE);
            state.idle = kept;
            let old: Vec<(Worker, Instant)> = old;
            state.children -= old.len();
            for (worker, _) in old {
                worker.end();
            }
            let ends = state.idle.iter().map(|(_, since)| *since + IDLE);
            let next = state.busy.values().map(|watched| watched.deadline).chain(ends).min();
            let wait = next.map_or(IDLE, |next| next.saturating_duration_since(Instant::now()));
            state = self.watched.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Worker {
    fn start(program: &Path, id: u64) -> std::io::Result<Self> {
        let mut child = Command::new(program)
            .arg("parse-documents")
            .env_clear()
            // The binary's allocator would set a gibibyte of addresses aside before the child limits itself.
            .env("MIMALLOC_ARENA_RESERVE", "65536")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ErrorKind::BrokenPipe.into());
        };
        let (process, is_late) = (Arc::new(Mutex::new(child)), Arc::new(AtomicBool::new(false)));
        Ok(Self { id, process, stdin, stdout, is_late, jobs: 0 })
    }

    fn is_alive(&self) -> bool {
        matches!(lock(&self.process).try_wait(), Ok(None))
    }

    fn ask(&mut self, job: &Job, source: &mut dyn Source) -> Result<Result<Parsed, Unfit>, Fault> {
        self.jobs += 1;
        write_job(&mut self.stdin, job).map_err(|_| Fault::Child)?;
        let mut left = job.bytes;
        let mut buffer = vec![0; 64 << 10];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let part = buffer.get_mut(..most).unwrap_or_default();
            let read = match source.read(part) {
                Ok(0) => return Err(Fault::Source(Unfit::Unread("it changed while it was read".to_owned()))),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::Source(Unfit::Unread(error.to_string()))),
            };
            self.stdin.write_all(part.get(..read).unwrap_or_default()).map_err(|_| Fault::Child)?;
            left -= read as u64;
        }
        self.stdin.flush().map_err(|_| Fault::Child)?;
        read_answer(&mut self.stdout, job.limits.text_bytes).map_err(|_| Fault::Child)
    }

    /// Ends the child and buries it; how it ended, and its last words.
    fn end(self) -> (Option<ExitStatus>, String) {
        let mut process = lock(&self.process);
        // It may have ended by itself already, and is then not killed again.
        let ended = match process.try_wait() {
            Ok(Some(status)) => Some(status),
            _ => None,
        };
        // A child that has just died takes a moment to be seen as dead: its end of the pipe closes first.
        let _ = ended.is_none().then(|| process.kill());
        let status = ended.or_else(|| process.wait().ok());
        let mut words = Vec::new();
        if let Some(stderr) = process.stderr.take() {
            // What cannot be read was not said.
            let _ = stderr.take(LAST_WORDS).read_to_end(&mut words);
        }
        (status, String::from_utf8_lossy(&words).into_owned())
    }
}

fn lock(process: &Mutex<Child>) -> MutexGuard<'_, Child> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens a regular file; anything else, such as a pipe that nobody writes to, is not waited for.
fn open(path: &Path) -> Result<(File, u64), Unfit> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    }
    let unread = |error: std::io::Error| Unfit::Unread(error.to_string());
    let file = options.open(path).map_err(unread)?;
    let metadata = file.metadata().map_err(unread)?;
    if !metadata.is_file() {
        return Err(Unfit::Unread("it is not a regular file".to_owned()));
    }
    Ok((file, metadata.len()))
}

fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

/// What a child died of.
fn autopsy(status: Option<ExitStatus>, words: &str, limits: &Limits) -> Unfit {
    if words.contains("memory allocation of") {
        return memory(limits);
    }
    if words.contains("overflowed its stack") {
        return Unfit::Crashed("it is nested too deep".to_owned());
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        let signal = status.and_then(|status| status.signal());
        if signal == Some(rustix::process::Signal::XCPU.as_raw()) {
            return Unfit::TooLong(format!("{} of processor time", seconds(limits.processor)));
        }
        // Whoever gives no proper answer is killed, and cannot be told from one that was killed by others.
        if signal == Some(rustix::process::Signal::KILL.as_raw()) {
            return Unfit::Crashed("it gave no proper answer, or was killed".to_owned());
        }
    }
    Unfit::Crashed(status.map_or_else(|| "it ended".to_owned(), |status| status.to_string()))
}
