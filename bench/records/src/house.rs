//! The program, with a data folder of its own.

use crate::client::Client;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_mins(10);

pub(crate) struct House {
    pub(crate) address: SocketAddr,
    process: Child,
    data: PathBuf,
}

impl House {
    pub(crate) fn start(program: &Path, folder: &Path) -> Result<Self> {
        let data = folder.join("data");
        let mut process = Command::new(program)
            .args(["up", "--bind", "127.0.0.1:0", "--data"])
            .arg(&data)
            .current_dir(folder)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let out = process.stdout.take().context("no stdout")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let Some((_, address)) = line.trim().rsplit_once("http://") else {
            bail!("{} did not become ready: {line:?}", program.display());
        };
        let address =
            address.trim_end_matches('/').parse().with_context(|| format!("the address of {line:?}"))?;
        Ok(Self { address, process, data })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Bytes of everything in the data folder.
    pub(crate) fn bytes(&self) -> Result<u64> {
        size(&self.data)
    }

    /// Waits until every message is in the full-text index; how long that took.
    pub(crate) async fn indexed(&self, client: &mut Client) -> Result<Duration> {
        let began = Instant::now();
        loop {
            let status: Value = serde_json::from_slice(&client.get("/api/status").await?.body)?;
            if status.pointer("/full_text/traces_behind") == Some(&0.into()) {
                return Ok(began.elapsed());
            }
            ensure!(began.elapsed() < PATIENCE, "the full-text index does not catch up: {status}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Asks it to end, and waits for that. Bytes of the data folder then, and of the indexes in it.
    pub(crate) fn stop(mut self) -> Result<(u64, u64)> {
        let pid = self.process.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &pid]).status()?.success(), "`kill -TERM {pid}` failed");
        let ended = self.process.wait()?;
        ensure!(ended.success(), "the program ended with {ended}");
        Ok((size(&self.data)?, size(&self.data.join("index"))?))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // Ended already, mostly.
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Files come and go while it runs.
        let Ok(about) = entry.metadata() else { continue };
        bytes += if about.is_dir() { size(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}
