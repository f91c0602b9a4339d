//! A command that is given bytes and answers with some, and is gone afterwards with all that it started.
//!
//! Deliberately not here: limits on what it may do. It runs with the rights of whoever runs the eval.

use std::path::Path;
use std::time::Duration;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its exit status; `None` where a signal ended it.
    pub status: Option<i32>,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// The beginning of what it wrote to its standard error.
    pub stderr: String,
}

/// A command did not end by itself, or never began.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no program to run.
    #[error("the command is empty")]
    Empty,
    /// It could not be started.
    #[error("`{program}` cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// It took too long and was killed.
    #[error("`{program}` took longer than {timeout:?} and was killed")]
    Timeout {
        /// The program.
        program: String,
        /// How long it had.
        timeout: Duration,
    },
    /// It wrote too much and was killed.
    #[error("`{program}` wrote more than {limit} bytes and was killed")]
    TooMuch {
        /// The program.
        program: String,
        /// How much it might have written.
        limit: usize,
    },
    /// Its pipes failed.
    #[error("`{program}`: {source}")]
    Pipe {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Bytes of the standard error that are kept.
const STDERR: usize = 4_096;

/// Runs `command` (the program and its arguments) in `folder` with `input` on its standard input, in a process group
/// of its own. However this ends (dropped, too), the group is killed: nothing that the command started stays behind
/// unless it made a group of its own.
///
/// Runs on a tokio runtime with I/O and time. At most `limit` bytes of output are taken.
#[cfg(unix)]
pub async fn run(
    command: &[String],
    folder: &Path,
    input: &[u8],
    timeout: Duration,
    limit: usize,
) -> Result<Finished, CommandError> {
    use std::os::unix::process::CommandExt as _;
    use std::pin::pin;
    use std::process::{Command, Stdio};
    use tokio::signal::unix::{SignalKind, signal};

    let (program, arguments) = command.split_first().ok_or(CommandError::Empty)?;
    let pipe = |source| CommandError::Pipe { program: program.clone(), source };
    let mut plan = Command::new(program);
    plan.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    if !folder.as_os_str().is_empty() {
        plan.current_dir(folder);
    }
    // Before it starts, so that its end cannot be missed.
    let mut ends = signal(SignalKind::child()).map_err(pipe)?;
    let child = plan.spawn().map_err(|source| CommandError::Start { program: program.clone(), source })?;
    let mut group = unix::Group::new(child);
    let (stdin, stdout, stderr) = group.pipes().map_err(pipe)?;
    let work = async {
        let end = async {
            while !group.has_ended()? {
                ends.recv().await;
            }
            // What it left running holds its pipes open, and would be waited for.
            group.kill();
            Ok::<_, std::io::Error>(())
        };
        let talk = async {
            tokio::join!(
                unix::write_all(stdin, input),
                unix::read_up_to(stdout, limit.saturating_add(1), true),
                unix::read_up_to(stderr, STDERR, false),
            )
        };
        // Too much output ends the talk before the command; otherwise its end ends the talk.
        let mut end = pin!(end);
        let mut talk = pin!(talk);
        let mut ended = false;
        let (written, out, err) = loop {
            tokio::select! {
                told = &mut talk => break told,
                end = &mut end, if !ended => {
                    end?;
                    ended = true;
                }
            }
        };
        // A command that does not read all of its input is right to do so.
        if let Err(error) = written
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            return Err(error);
        }
        let (stdout, stderr) = (out?, err?);
        if stdout.len() > limit {
            return Ok((None, stdout, stderr));
        }
        if !ended {
            end.await?;
        }
        Ok((Some(()), stdout, stderr))
    };
    let (stdout, stderr) = match tokio::time::timeout(timeout, work).await {
        Err(_) => return Err(CommandError::Timeout { program: program.clone(), timeout }),
        Ok(Err(source)) => return Err(pipe(source)),
        Ok(Ok((None, ..))) => return Err(CommandError::TooMuch { program: program.clone(), limit }),
        Ok(Ok((Some(()), stdout, stderr))) => (stdout, String::from_utf8_lossy(&stderr).into_owned()),
    };
    Ok(Finished { status: group.reap().map_err(pipe)?.code(), stdout, stderr })
}

/// Commands need process groups, which this system lacks.
#[cfg(not(unix))]
pub async fn run(
    command: &[String],
    _: &Path,
    _: &[u8],
    _: Duration,
    _: usize,
) -> Result<Finished, CommandError> {
    let program = command.first().ok_or(CommandError::Empty)?.clone();
    let source = std::io::Error::from(std::io::ErrorKind::Unsupported);
    Err(CommandError::Start { program, source })
}

#[cfg(unix)]
mod unix {
    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
    use std::io;
    use std::os::fd::OwnedFd;
    use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::unix::pipe::{Receiver, Sender};

    /// A child that leads a process group.
    pub(super) struct Group {
        child: Option<Child>,
    }

    impl Group {
        pub(super) fn new(child: Child) -> Self {
            Self { child: Some(child) }
        }

        pub(super) fn pipes(&mut self) -> io::Result<(ChildStdin, ChildStdout, ChildStderr)> {
            let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
            let child = self.child.as_mut().ok_or_else(gone)?;
            let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            Ok((stdin.ok_or_else(gone)?, stdout.ok_or_else(gone)?, stderr.ok_or_else(gone)?))
        }

        /// Whether it has ended; it stays to be reaped, so that its number is still its own.
        pub(super) fn has_ended(&self) -> io::Result<bool> {
            let Some(pid) = self.child.as_ref().and_then(pid) else {
                return Ok(true);
            };
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            Ok(waitid(WaitId::Pid(pid), options)?.is_some())
        }

        /// Kills what is left of it.
        pub(super) fn kill(&self) {
            self.child.as_ref().into_iter().for_each(kill);
        }

        /// Its status, once it has ended.
        pub(super) fn reap(mut self) -> io::Result<ExitStatus> {
            let mut child = self.child.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            child.wait()
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            if let Some(mut child) = self.child.take() {
                kill(&child);
                // It is dead but may take a moment to go; whoever let go of it must not wait.
                let _detached =
                    std::thread::Builder::new().name("reap".to_owned()).spawn(move || child.wait());
            }
        }
    }

    fn pid(child: &Child) -> Option<Pid> {
        i32::try_from(child.id()).ok().and_then(Pid::from_raw)
    }

    fn kill(child: &Child) {
        if let Some(pid) = pid(child) {
            // Nothing is left to kill where this fails.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    pub(super) async fn write_all(pipe: ChildStdin, bytes: &[u8]) -> io::Result<()> {
        let mut pipe = Sender::from_owned_fd(OwnedFd::from(pipe))?;
        pipe.write_all(bytes).await
    }

    /// At most `limit` bytes; what comes beyond is let go of, or closes the pipe.
    pub(super) async fn read_up_to(
        pipe: impl Into<OwnedFd>,
        limit: usize,
        closes: bool,
    ) -> io::Result<Vec<u8>> {
        let mut pipe = Receiver::from_owned_fd(pipe.into())?;
        let mut kept = Vec::new();
        let mut piece = vec![0; 16 << 10];
        loop {
            let count = pipe.read(&mut piece).await?;
            let room = limit.saturating_sub(kept.len());
            kept.extend(piece.iter().take(count.min(room)));
            if count == 0 || closes && kept.len() >= limit {
                return Ok(kept);
            }
        }
    }
}
