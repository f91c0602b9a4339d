//! `cargo xtask bench local`: sentences a second of an embedder, in floats and in bytes, beside torch (`--python`) and
//! candle (built with the feature `candle`) over the same texts in turns; and how near their vectors are.
//!
//! A machine that others use, too, slows whoever computes at the moment: rounds take turns, the best of each counts,
//! and beside the time on the clock stands that of the processor, which others hardly change.

#[cfg(feature = "candle")]
mod candle;
mod torch;

use anyhow::{Context as _, Result};
use clap::Parser;
use hanok_base::EmbedKind;
use hanok_local::{Options, Precision, TextEmbedder};
use serde::Deserialize;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Debug, Parser)]
#[command(name = "local-bench")]
struct Flags {
    /// The model's folder.
    #[arg(long, default_value = "../shared/models/all-minilm-l6-v2")]
    model: PathBuf,
    /// Lines of JSON with a member `text`.
    #[arg(long, default_value = "../shared/data/retrieval/scifact/queries.jsonl")]
    texts: PathBuf,
    /// At most so many of them.
    #[arg(long, default_value_t = 300)]
    most: usize,
    #[arg(long, default_value_t = 32)]
    batch: usize,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// A Python with torch and transformers; without it ours are measured alone.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Measure nothing: write the vectors of the texts, in bytes' precision, as 32-bit floats into this file.
    #[arg(long)]
    write: Option<PathBuf>,
}

/// What a round took.
#[derive(Clone, Copy)]
struct Took {
    /// Seconds on the clock.
    wall: f64,
    /// Seconds of the processor, all threads together.
    busy: f64,
}

impl Took {
    const NEVER: Self = Self { wall: f64::INFINITY, busy: f64::INFINITY };

    fn best(self, other: Self) -> Self {
        Self { wall: self.wall.min(other.wall), busy: self.busy.min(other.busy) }
    }
}

fn main() -> Result<()> {
    let flags = Flags::parse();
    let texts = texts(&flags)?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    if let Some(path) = &flags.write {
        return write(&flags, &texts, path);
    }
    let mut ours = Vec::new();
    for precision in [Precision::F32, Precision::Int8] {
        let options = Options { precision, threads: flags.threads, isa: None };
        let model = TextEmbedder::open(&flags.model, options)?;
        let vectors = embed(&model, &texts, flags.batch)?;
        ours.push((precision, model, vectors, Took::NEVER));
    }
    let most = ours.first().map_or(0, |(_, model, ..)| model.most_tokens());
    let mut torch = match &flags.python {
        Some(python) => {
            Some(torch::Torch::start(python, &flags.model, &texts, flags.batch, flags.threads, most)?)
        }
        None => None,
    };
    #[cfg(feature = "candle")]
    let (candle, mut candle_took) = (candle::Candle::open(&flags.model, most)?, Took::NEVER);
    let mut peer = Took::NEVER;
    for _ in 0..flags.rounds {
        for (_, model, _, best) in &mut ours {
            let (start, busy) = (Instant::now(), processor()?);
            embed(model, &texts, flags.batch)?;
            *best = best.best(Took { wall: start.elapsed().as_secs_f64(), busy: processor()? - busy });
        }
        if let Some(torch) = &mut torch {
            peer = peer.best(torch.round()?);
        }
        #[cfg(feature = "candle")]
        {
            let (start, busy) = (Instant::now(), processor()?);
            candle.embed(&texts, flags.batch)?;
            candle_took =
                candle_took.best(Took { wall: start.elapsed().as_secs_f64(), busy: processor()? - busy });
        }
    }
    let mut out = std::io::stdout().lock();
    let reference =
        torch.as_ref().map(|torch| &torch.vectors).or(ours.first().map(|(_, _, vectors, _)| vectors));
    let count = texts.len();
    writeln!(
        out,
        "{count} texts, batches of {}, {} threads, best of {} rounds",
        flags.batch, flags.threads, flags.rounds
    )?;
    writeln!(out, "| | texts/s | x torch | texts/s of processor time | x torch | cosine mean | least |")?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    if let Some(torch) = &torch {
        line(&mut out, &torch.version, count, peer, peer, (1.0, 1.0))?;
    }
    #[cfg(feature = "candle")]
    {
        let vectors = candle.embed(&texts, flags.batch)?;
        let near = reference.map_or((1.0, 1.0), |reference| near(&vectors, reference));
        line(&mut out, "candle", count, candle_took, peer, near)?;
    }
    for (precision, model, vectors, took) in &ours {
        let near = reference.map_or((1.0, 1.0), |reference| near(vectors, reference));
        let name = format!("hanok {} ({})", precision.as_str(), model.isa());
        line(&mut out, &name, count, *took, peer, near)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a count of texts")]
fn line(
    out: &mut impl std::io::Write,
    name: &str,
    count: usize,
    took: Took,
    peer: Took,
    near: (f64, f64),
) -> Result<()> {
    let times = |by: f64| if by.is_finite() { format!("{by:.2}") } else { "-".to_owned() };
    writeln!(
        out,
        "| {name} | {:.0} | {} | {:.0} | {} | {:.6} | {:.6} |",
        count as f64 / took.wall,
        times(peer.wall / took.wall),
        count as f64 / took.busy,
        times(peer.busy / took.busy),
        near.0,
        near.1
    )?;
    Ok(())
}

fn texts(flags: &Flags) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Line {
        text: String,
    }
    let file = std::fs::read_to_string(&flags.texts).with_context(|| flags.texts.display().to_string())?;
    let lines = file.lines().take(flags.most).map(|line| Ok(serde_json::from_str::<Line>(line)?.text));
    lines.collect()
}

fn embed(model: &TextEmbedder, texts: &[&str], batch: usize) -> Result<Vec<Vec<f32>>> {
    let mut vectors = Vec::with_capacity(texts.len());
    for some in texts.chunks(batch.max(1)) {
        vectors.extend(model.embed_now(some, EmbedKind::Document)?);
    }
    Ok(vectors)
}

fn write(flags: &Flags, texts: &[&str], path: &Path) -> Result<()> {
    let options = Options { precision: Precision::Int8, threads: flags.threads, isa: None };
    let model = TextEmbedder::open(&flags.model, options)?;
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    for some in texts.chunks(1024) {
        for number in embed(&model, some, flags.batch)?.iter().flatten() {
            out.write_all(&number.to_le_bytes())?;
        }
    }
    Ok(out.flush()?)
}

/// Cosines with the other's vectors: their mean, and the least.
#[expect(clippy::cast_precision_loss, reason = "a count of texts")]
fn near(ours: &[Vec<f32>], others: &[Vec<f32>]) -> (f64, f64) {
    let cosines = ours.iter().zip(others).map(|(ours, others)| {
        ours.iter().zip(others).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    });
    let (sum, least) =
        cosines.fold((0.0, f64::INFINITY), |(sum, least), cosine| (sum + cosine, least.min(cosine)));
    (sum / ours.len().max(1) as f64, least)
}

/// Seconds of the processor that this process has used.
fn processor() -> Result<f64> {
    // Nanoseconds that each thread ran are the first number of its file.
    let mut nanoseconds = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let file = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        nanoseconds +=
            file.split(' ').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(std::time::Duration::from_nanos(nanoseconds).as_secs_f64())
}

/// A path for the peer's files.
fn aside(name: &str) -> PathBuf {
    Path::new(&std::env::temp_dir()).join(format!("hanok-local-bench-{}-{name}", std::process::id()))
}
