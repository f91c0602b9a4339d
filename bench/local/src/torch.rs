//! Torch in a process of its own, a round at a time.

use crate::{Took, aside};
use anyhow::{Context as _, Result, bail};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(crate) struct Torch {
    child: Child,
    asks: ChildStdin,
    says: BufReader<ChildStdout>,
    files: Vec<PathBuf>,
    pub(crate) version: String,
    pub(crate) vectors: Vec<Vec<f32>>,
}

impl Torch {
    /// Starts it and has it embed the texts once.
    pub(crate) fn start(
        python: &Path,
        model: &Path,
        texts: &[&str],
        batch: usize,
        threads: usize,
        most: usize,
    ) -> Result<Self> {
        let (list, vectors) = (aside("texts.json"), aside("vectors"));
        std::fs::write(&list, serde_json::to_vec(texts)?)?;
        let mut child = Command::new(python)
            .args(["-c", include_str!("torch_peer.py")])
            .args([model, &list, &vectors])
            .args([batch, threads, most].map(|number| number.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| python.display().to_string())?;
        let (Some(asks), Some(says)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("no pipes to torch")
        };
        let files = vec![list, vectors.clone()];
        let mut torch = Self {
            child,
            asks,
            says: BufReader::new(says),
            files,
            version: String::new(),
            vectors: Vec::new(),
        };
        torch.version = torch.line()?;
        let floats: Vec<f32> =
            std::fs::read(&vectors)?.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let width = floats.len() / texts.len().max(1);
        torch.vectors = floats.chunks(width.max(1)).map(<[f32]>::to_vec).collect();
        Ok(torch)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.says.read_line(&mut line)? == 0 {
            bail!("torch ended early");
        }
        Ok(line.trim().to_owned())
    }

    /// One round.
    pub(crate) fn round(&mut self) -> Result<Took> {
        self.asks.write_all(b"\n")?;
        let line = self.line()?;
        let (wall, busy) = line.split_once(' ').context("torch said no two numbers")?;
        Ok(Took { wall: wall.parse()?, busy: busy.parse()? })
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        // It ends with its input; what is left of it is of no use.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        for file in &self.files {
            let _gone = std::fs::remove_file(file);
        }
    }
}
