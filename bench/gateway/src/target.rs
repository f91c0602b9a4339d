//! The programs that are measured, and the mock behind them: started, asked once, stopped.

use crate::load::Door;
use crate::prompt::{MODEL, PACED, request};
use anyhow::{Context, Result, bail, ensure};
use http::HeaderValue;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// No program takes longer to start or to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// What stands between client and mock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Nothing.
    Direct,
    /// A bare hyper proxy.
    Floor,
    /// haproxy.
    Haproxy,
    /// Hanok; with all that it does, or with neither key nor budget.
    Hanok { program: PathBuf, full: bool },
}

impl What {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Floor => "floor",
            Self::Haproxy => "haproxy",
            Self::Hanok { full: true, .. } => "hanok",
            Self::Hanok { full: false, .. } => "hanok, bare",
        }
    }
}

/// What all targets have in common.
pub(crate) struct Setup {
    /// The upstream.
    pub(crate) mock: SocketAddr,
    /// For files of the targets.
    pub(crate) folder: PathBuf,
    /// How often each is started, to see how long that takes.
    pub(crate) starts: usize,
    /// Milliseconds between the chunks of paced streams.
    pub(crate) chunk_delay: u64,
}

/// A running program.
pub(crate) struct Target {
    pub(crate) what: What,
    pub(crate) door: Door,
    /// Whether `door` has a key with a budget.
    pub(crate) has_key: bool,
    /// From the start of the process to its first good answer; median of several starts.
    pub(crate) start: Option<Duration>,
    /// `None` where nothing stands between.
    process: Option<Process>,
}

impl Target {
    /// Starts `what` as often as `setup` says and leaves the last one running.
    pub(crate) fn start(what: What, setup: &Setup) -> Result<Self> {
        let mock = setup.mock;
        let no_key = HeaderValue::from_static("Bearer none");
        if what == What::Direct {
            let door = Door { address: mock, authorization: no_key };
            return Ok(Self { what, door, has_key: false, start: None, process: None });
        }
        let folder = setup.folder.join(what.name().replace(", ", "-"));
        fs::create_dir_all(&folder)?;
        let key = match &what {
            What::Hanok { program, full } => hanok::prepare(program, *full, setup, &folder)?,
            _ => None,
        };
        let has_key = key.is_some();
        let authorization = key.unwrap_or(no_key);
        let mut took = Vec::new();
        loop {
            let begun = Instant::now();
            let (mut process, address) =
                launch(&what, mock, &folder).with_context(|| format!("starting {}", what.name()))?;
            let door = Door { address, authorization: authorization.clone() };
            if let Err(error) = first_answer(&door, begun, &mut process) {
                let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
                return Err(error.context(format!("{} does not answer; its log:\n{log}", what.name())));
            }
            took.push(begun.elapsed());
            if took.len() >= setup.starts {
                took.sort();
                let start = took.get(took.len() / 2).copied();
                return Ok(Self { what, door, has_key, start, process: Some(process) });
            }
        }
    }

    /// The process, where there is one.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.0.id())
    }
}

/// A child that does not outlive its bench.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first, so that what it writes is whole; there is no signal but by the command `kill`.
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the mock; gives its address.
pub(crate) fn mock() -> Result<(Process, SocketAddr)> {
    ourselves(&["mock"], Stdio::inherit())
}

/// The mock's count of chats it was asked.
pub(crate) fn count(mock: SocketAddr) -> Result<u64> {
    let head = "GET /count HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
    let (_, body) = exchange(mock, head.as_bytes())?;
    Ok(String::from_utf8(body)?.trim().parse()?)
}

fn launch(what: &What, mock: SocketAddr, folder: &Path) -> Result<(Process, SocketAddr)> {
    let log = File::create(folder.join("log"))?;
    match what {
        What::Direct => bail!("there is nothing to start"),
        What::Floor => ourselves(&["floor", &mock.to_string()], log.into()),
        What::Haproxy => {
            let address = free()?;
            let file = folder.join("haproxy.cfg");
            fs::write(&file, haproxy(address, mock))?;
            spawn(Command::new("haproxy").arg("-db").arg("-f").arg(file), log).map(|it| (it, address))
        }
        What::Hanok { program, .. } => {
            let address = free()?;
            let mut command = hanok::command(program, folder);
            command.args(["up", "--bind", &address.to_string(), "--log", "warn"]);
            spawn(&mut command, log).map(|it| (it, address))
        }
    }
}

fn ourselves(args: &[&str], log: Stdio) -> Result<(Process, SocketAddr)> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let mut process = Process(command.spawn()?);
    let stdout = process.0.stdout.take().context("the child has no stdout")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let address = line.trim().parse().with_context(|| format!("`{}` gave no address", args.join(" ")))?;
    Ok((process, address))
}

fn spawn(command: &mut Command, log: File) -> Result<Process> {
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    Ok(Process(child))
}

/// A port nobody listens on. Another program could take it meanwhile; then the start fails and says so.
fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// As plain as it goes: one hop, connections kept on both sides, each piece passed on at once.
fn haproxy(address: SocketAddr, mock: SocketAddr) -> String {
    format!(
        "global\n    maxconn 4096\n\
         defaults\n    mode http\n    option http-no-delay\n    http-reuse always\n    \
         timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n\
         listen bench\n    bind {address}\n    server mock {mock}\n"
    )
}

/// Asks until the first good answer.
fn first_answer(door: &Door, begun: Instant, process: &mut Process) -> Result<()> {
    let body = request(MODEL, false, 0);
    let key = door.authorization.to_str()?;
    let mut bytes = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        door.address,
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(&body);
    loop {
        let failed = match exchange(door.address, &bytes) {
            Ok((200, _)) => return Ok(()),
            Ok((status, said)) => anyhow::anyhow!("{status}: {}", String::from_utf8_lossy(&said)),
            Err(error) => error,
        };
        if let Some(status) = process.0.try_wait()? {
            return Err(failed.context(format!("it ended with {status}")));
        }
        if begun.elapsed() > PATIENCE {
            return Err(failed.context(format!("no good answer within {PATIENCE:?} of the start")));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// One exchange over a connection of its own: the status and what stands behind the head.
fn exchange(address: SocketAddr, request: &[u8]) -> Result<(u16, Vec<u8>)> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(request)?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    let head = memchr::memmem::find(&answer, b"\r\n\r\n").context("the answer has no end of its head")?;
    let body = answer.split_off(head + 4);
    let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    let status = status.and_then(|digits| digits.parse().ok()).context("the answer has no status")?;
    Ok((status, body))
}

mod hanok {
    use super::{Command, Context, HeaderValue, MODEL, PACED, Path, Result, Setup, ensure, fs};

    pub(super) fn command(program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        // The operator's own settings are none of the bench's.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("HANOK_") || name.ends_with("_API_KEY") {
                command.env_remove(name.as_ref());
            }
        }
        command.arg("--data").arg(folder.join("data")).arg("--config").arg(folder.join("hanok.toml"));
        command.current_dir(folder);
        command
    }

    /// Writes the configuration and, for all that Hanok does, makes a key with a budget; gives the header
    /// that carries it.
    pub(super) fn prepare(
        program: &Path,
        full: bool,
        setup: &Setup,
        folder: &Path,
    ) -> Result<Option<HeaderValue>> {
        fs::write(folder.join("hanok.toml"), configuration(full, setup))?;
        if !full {
            return Ok(None);
        }
        let made = command(program, folder)
            .args(["keys", "create", "bench", "--budget", "1000", "--period", "month", "--json"])
            .output()
            .with_context(|| format!("starting {}", program.display()))?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            let said = said.lines().next().unwrap_or_default();
            eprintln!("WARNING: measured WITHOUT key and budget: `hanok keys create` failed: {said}");
            return Ok(None);
        }
        let key: serde_json::Value = serde_json::from_slice(&made.stdout).context("`hanok keys create`")?;
        let secret = key.get("secret").and_then(serde_json::Value::as_str).unwrap_or_default();
        ensure!(!secret.is_empty(), "`hanok keys create --json` tells no `secret`");
        let mut header = HeaderValue::try_from(format!("Bearer {secret}"))?;
        header.set_sensitive(true);
        Ok(Some(header))
    }

    fn configuration(full: bool, setup: &Setup) -> String {
        let Setup { mock, chunk_delay, .. } = setup;
        let paced = format!("{PACED}{chunk_delay}");
        let mut text = format!(
            "[providers.mock]\ndialect = \"openai-chat\"\nbase_url = \"http://{mock}/v1\"\n\n\
             [models.{MODEL}]\ntargets = [\"mock/{MODEL}\"]\n\n\
             [models.{paced}]\ntargets = [\"mock/{paced}\"]\n"
        );
        if full {
            // Priced, so that the budget is really reserved and settled.
            text.push_str("\n[prices.\"mock/*\"]\ninput = 0.10\noutput = 0.40\n");
        }
        text
    }
}
