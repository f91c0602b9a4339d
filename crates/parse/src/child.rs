//! The child: takes its rights away, then parses what it is handed until its input ends.
//!
//! It needs no file, no network and no environment: documents come on its standard input, answers go to its
//! standard output. A document that makes it panic is answered as such, and the child ends; one that makes it
//! abort, or that takes too long, ends it without an answer. Its parent makes something of either.

use crate::frame::{Job, read_job, write_answer};
use crate::limits::size;
use crate::{Limits, Unfit, parse};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// Parses what comes in until there is no more; what `hanok parse-documents` does.
pub fn child(mut stdin: impl Read, mut stdout: impl Write) -> ExitCode {
    let message = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&message);
    std::panic::set_hook(Box::new(move |panic| {
        // Where in which file, without where that file lay when it was compiled.
        let place = panic.location().map(|at| {
            let file = at.file().rsplit(['/', '\\']).next().unwrap_or_default();
            format!("{file}:{}", at.line())
        });
        let place = place.unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("it panicked").to_owned();
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = format!("{text} ({place})");
    }));
    let mut is_confined = false;
    loop {
        let job = match read_job(&mut stdin) {
            Ok(Some(job)) => job,
            Ok(None) => return ExitCode::SUCCESS,
            Err(_) => return ExitCode::FAILURE,
        };
        if !is_confined {
            if let Err(error) = confine::for_good(&job.limits) {
                let refusal = Unfit::NoParser(format!("its limits cannot be set: {error}"));
                return match write_answer(&mut stdout, Err(refusal)) {
                    Ok(()) | Err(_) => ExitCode::FAILURE,
                };
            }
            is_confined = true;
        }
        confine::for_a_job(&job.limits);
        let mut bytes = Vec::new();
        let read = stdin.by_ref().take(job.bytes).read_to_end(&mut bytes);
        if read.is_err() || bytes.len() as u64 != job.bytes {
            return ExitCode::FAILURE;
        }
        let (outcome, is_sound) = work(&job, &bytes, &message);
        drop(bytes);
        if write_answer(&mut stdout, outcome).is_err() || !is_sound {
            return ExitCode::FAILURE;
        }
    }
}

/// Does one job, and says whether the child can do another.
fn work(job: &Job, bytes: &[u8], message: &Mutex<String>) -> (Result<crate::Parsed, Unfit>, bool) {
    // What a panic leaves half done is dropped with the job, and the child with it.
    let outcome = catch_unwind(AssertUnwindSafe(|| parse(job.format, bytes, &job.limits)));
    match outcome {
        Ok(outcome) => (outcome, true),
        Err(_) => {
            let message = message.lock().unwrap_or_else(PoisonError::into_inner).clone();
            (Err(Unfit::Crashed(message.chars().take(300).collect())), false)
        }
    }
}

/// What the limit on memory is called in a reason.
pub(crate) fn memory(limits: &Limits) -> Unfit {
    Unfit::Memory(size(limits.memory_bytes))
}

#[cfg(unix)]
mod confine {
    //! Limits that a process sets itself and cannot take back.

    use crate::Limits;
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// Takes away for good: memory beyond the limit, new files and sockets, files that grow, memory dumps, and
    /// (on Linux) rights beyond those of the parent.
    pub(super) fn for_good(limits: &Limits) -> std::io::Result<()> {
        set(Resource::Core, 0)?;
        set(Resource::Fsize, 0)?;
        // Those that are open stay open; there is room for no other.
        set(Resource::Nofile, 3)?;
        set(Resource::Data, limits.memory_bytes)?;
        // Addresses are cheap, and allocators reserve them in gigabytes; this only bounds what is mapped otherwise.
        #[cfg(target_os = "linux")]
        set(Resource::As, limits.memory_bytes.saturating_mul(2).saturating_add(4 << 30))?;
        #[cfg(target_os = "linux")]
        rustix::thread::set_no_new_privs(true)?;
        Ok(())
    }

    /// Bounds the processor time up to the end of this job. Where that cannot be said, the parent's clock bounds it.
    pub(super) fn for_a_job(limits: &Limits) {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let used = u64::try_from(used.tv_sec).unwrap_or(0);
        let until = used.saturating_add(limits.processor.as_secs()).saturating_add(1);
        let maximum = getrlimit(Resource::Cpu).maximum;
        let current = Some(maximum.map_or(until, |maximum| maximum.min(until)));
        // A limit that cannot be set leaves the one before, which is tighter.
        let _ = setrlimit(Resource::Cpu, Rlimit { current, maximum });
    }

    /// Sets a limit, or leaves a tighter one that is there.
    fn set(resource: Resource, limit: u64) -> std::io::Result<()> {
        let limit = getrlimit(resource).maximum.map_or(limit, |maximum| maximum.min(limit));
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
        Ok(())
    }
}

#[cfg(not(unix))]
mod confine {
    //! This system lets no process limit itself: the parent's clock and the sizes that parsers heed are what
    //! bounds a job.

    use crate::Limits;

    #[expect(clippy::unnecessary_wraps, reason = "other systems can refuse")]
    pub(super) fn for_good(_: &Limits) -> std::io::Result<()> {
        Ok(())
    }

    pub(super) fn for_a_job(_: &Limits) {}
}
