//! Hanok, run as a user runs it: by its commands, and by HTTP while it serves.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The exit status of a gate that does not let pass.
const GATE_FAILED: i32 = 100;
/// That of a run that was interrupted.
const INTERRUPTED: i32 = 130;

/// The program and the folder it works in.
pub(crate) struct House {
    pub(crate) program: PathBuf,
    pub(crate) folder: PathBuf,
}

impl House {
    /// Runs a command, shows it as one would type it, and gives the JSON that it prints. A gate that failed is an
    /// answer, too.
    pub(crate) fn json(&self, args: &[&str]) -> Result<Value> {
        let mut all = args.to_vec();
        all.push("--json");
        let text = self.text(&all)?;
        serde_json::from_str(&text)
            .with_context(|| format!("what `hanok {}` printed is no JSON", args.join(" ")))
    }

    /// Runs a command and gives what it prints.
    pub(crate) fn text(&self, args: &[&str]) -> Result<String> {
        let shown: Vec<String> = args.iter().filter(|arg| **arg != "--json").map(|arg| quoted(arg)).collect();
        println!("$ hanok {}", shown.join(" "));
        // Lines of ours must not come after the child's.
        let _ = std::io::stdout().flush();
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        let ran = command.spawn().and_then(Child::wait_with_output);
        let ran = ran.with_context(|| format!("starting {}", self.program.display()))?;
        match ran.status.code() {
            Some(0 | GATE_FAILED) => Ok(String::from_utf8(ran.stdout)?),
            Some(INTERRUPTED) => bail!("interrupted; the same command goes on from there"),
            _ => bail!("`hanok {}` ended with {}", shown.join(" "), ran.status),
        }
    }

    /// Starts `hanok up` on a free port, and waits until it answers.
    pub(crate) fn up(&self) -> Result<Server> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        self.up_at(&format!("127.0.0.1:{port}"), Stdio::null())
    }

    /// The same at this address; its log goes to `log`.
    pub(crate) fn up_at(&self, address: &str, log: Stdio) -> Result<Server> {
        println!("$ hanok up --bind {address}");
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).args(["up", "--bind", address]).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn()?;
        let mut line = String::new();
        if let Some(said) = child.stdout.take() {
            BufReader::new(said).read_line(&mut line)?;
        }
        if line.is_empty() {
            let ended = child.wait()?;
            bail!("`hanok up --bind {address}` ended with {ended}; run it by itself to see why");
        }
        Ok(Server { child, address: address.to_owned() })
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    if word.contains([' ', '<', '>', '*', '&']) { format!("\"{word}\"") } else { word.to_owned() }
}

/// A server that runs until it is let go of.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.ask("GET", path, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask("POST", path, Some(body))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8(answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        if !head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')) {
            bail!("{method} {path}: {}: {body}", head.lines().next().unwrap_or_default());
        }
        Ok(serde_json::from_str(body).unwrap_or_default())
    }

    /// Waits until every collection is searchable as a whole, by vectors too where there is an embedder.
    pub(crate) fn indexed(&self) -> Result<()> {
        let until = Instant::now() + Duration::from_mins(10);
        loop {
            let known = self.get("/api/collections")?;
            let collections = known.get("collections").and_then(Value::as_array);
            let is_ready = |collection: &Value| {
                let number = |at: &str| collection.pointer(at).and_then(Value::as_u64);
                let indexing = collection.get("indexing").and_then(Value::as_bool).unwrap_or_default();
                let opening = collection.get("opening").and_then(Value::as_bool).unwrap_or_default();
                let embedded = number("/embedder/embedded") == number("/embedder/chunks");
                number("/indexed") > Some(0) && !indexing && !opening && embedded
            };
            if collections
                .is_some_and(|collections| collections.len() >= 3 && collections.iter().all(is_ready))
            {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("the collections were not indexed within ten minutes: {known}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it as a service manager does, and waits.
    pub(crate) fn stop(mut self) -> Result<()> {
        let ended = Command::new("kill").arg(self.child.id().to_string()).status();
        if !ended.is_ok_and(|ended| ended.success()) {
            self.child.kill()?;
        }
        self.child.wait()?;
        Ok(())
    }

    /// Waits until somebody ends it.
    pub(crate) fn wait(mut self) -> Result<()> {
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Where a step failed nothing may be left behind; after `stop` it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a file, its folder too where that is not there, and only where something changed.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::write(path, text).with_context(|| path.display().to_string())
}
