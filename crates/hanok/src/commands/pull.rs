//! `hanok pull`: a model from a folder or from a hub.

use super::models::{line, size};
use crate::cli::Pull;
use crate::config::Effective;
use crate::{output, wiring};
use anyhow::{Context as _, bail};
use bytes::Bytes;
use hanok_local::models::{FILES, Installed, Needed, Part, Staged, known, repository};
use hanok_local::{Models, Options};
use hanok_net::{
    Client, Egress, HeaderMap, HeaderValue, NetError, NetErrorKind, Request, Response, StatusCode, Timeouts,
    Url, header,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Where models come from unless `HF_ENDPOINT` says otherwise.
const HUB: &str = "https://huggingface.co";
/// How often a file is asked for again where the connection broke, without anything having come in between.
const RETRIES: u32 = 4;
/// How many redirections one file may take.
const HOPS: usize = 5;
/// How often a plain line tells how far it is.
const EVERY: Duration = Duration::from_secs(5);

/// Takes the model in.
pub(crate) async fn run(effective: Effective, pull: Pull) -> anyhow::Result<ExitCode> {
    let Some(wanted) = pull.model.filter(|_| !pull.known) else {
        for (name, repository) in known() {
            output::line(format!("{name:<38}  {repository}"))?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let models = Models::at(&effective.data.value);
    let from = Path::new(&wanted);
    let model = if from.join("config.json").is_file() {
        models.adopt(from, pull.name.as_deref(), effective.config.local.options())?
    } else if let Some(repository) = repository(&wanted) {
        let last = wanted.rsplit('/').next().unwrap_or(&wanted);
        let staged = models.stage(pull.name.as_deref().unwrap_or(last))?;
        Hub::new(&effective)?.pull(&repository, staged, RETRIES).await?
    } else if from.is_dir() {
        bail!("{wanted} holds no config.json: it is no folder of a model");
    } else {
        bail!(
            "no model `{wanted}` is known; `hanok pull --known` lists names, OWNER/REPOSITORY names any on the hub"
        );
    };
    if pull.json.json {
        output::json(&json!({ "model": model }))?;
    } else {
        output::line(line(&model, model.name.len()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A server that keeps models as the Hugging Face hub does.
struct Hub {
    client: Client,
    endpoint: String,
    host: String,
    token: Option<HeaderValue>,
    options: Options,
}

/// What the hub says of a file before it comes.
#[derive(Debug, Default)]
struct Told {
    /// In hexadecimal, of files that are kept by it.
    sha256: Option<String>,
    size: Option<u64>,
    commit: Option<String>,
}

impl Hub {
    fn new(effective: &Effective) -> anyhow::Result<Self> {
        let said = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let endpoint = said("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned());
        Self::at(effective, endpoint.trim(), said("HF_TOKEN").as_deref().map(str::trim))
    }

    fn at(effective: &Effective, endpoint: &str, token: Option<&str>) -> anyhow::Result<Self> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let url = Url::parse(&endpoint).context("HF_ENDPOINT")?;
        let host = url.host().to_owned();
        let mut options = wiring::network_options(effective, &[&host])?;
        // Files are kept on other servers, which the hub names; it may not name one of the inner network.
        options.egress = Some(Egress::default().refuse_private().allow_private(&host)?);
        let token = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}"))).transpose();
        let mut token = token.context("HF_TOKEN cannot be sent")?;
        if let Some(token) = &mut token {
            token.set_sensitive(true);
        }
        Ok(Self {
            client: Client::new(options)?,
            endpoint,
            host,
            token,
            options: effective.config.local.options(),
        })
    }

    /// All files of a model, the large one last.
    async fn pull(&self, repository: &str, staged: Staged, retries: u32) -> anyhow::Result<Installed> {
        let mut revision = "main".to_owned();
        for (file, needed) in FILES {
            if staged.has(file) {
                continue;
            }
            let got = self.file(repository, &revision, file, &staged, retries).await;
            match got.with_context(|| format!("{repository}: {file}"))? {
                // Later files are of the same commit as the first one.
                Some(told) => revision = told.commit.unwrap_or(revision),
                None if *needed == Needed::WhereThere => {}
                None if *file == "model.safetensors" => {
                    bail!("{repository} has no model.safetensors; take a repository that has one")
                }
                None => bail!("{repository} has no {file}; is it a model of the BERT family?"),
            }
        }
        let source = format!("{}/{repository}@{revision}", self.endpoint);
        let options = self.options;
        Ok(tokio::task::spawn_blocking(move || staged.finish(&source, options)).await??)
    }

    /// One file; goes on where a connection broke. `None` where the repository has it not.
    async fn file(
        &self,
        repository: &str,
        revision: &str,
        file: &str,
        staged: &Staged,
        retries: u32,
    ) -> anyhow::Result<Option<Told>> {
        let mut part = staged.part(file)?;
        let mut left = retries;
        loop {
            let before = part.len();
            match self.rest(repository, revision, file, &mut part).await {
                Ok(None) => {
                    part.discard()?;
                    return Ok(None);
                }
                Ok(Some(told)) => {
                    if told.size.is_some_and(|size| size != part.len()) {
                        part.clear()?;
                        bail!("came with another size than announced; pull it again");
                    }
                    let sha256 = told.sha256.clone();
                    tokio::task::spawn_blocking(move || part.finish(sha256.as_deref())).await??;
                    return Ok(Some(told));
                }
                Err(error) if left == 0 || !error.downcast_ref::<NetError>().is_some_and(broke) => {
                    return Err(error);
                }
                Err(error) => {
                    // As long as something comes, there is no end to it.
                    left = if part.len() > before { retries } else { left - 1 };
                    output::note(format!("{file}: {error:#}; going on at {}", size(part.len())));
                    tokio::time::sleep(Duration::from_millis(if part.len() > before { 50 } else { 1000 }))
                        .await;
                }
            }
        }
    }

    /// What is still missing of a file, in one request.
    async fn rest(
        &self,
        repository: &str,
        revision: &str,
        file: &str,
        part: &mut Part,
    ) -> anyhow::Result<Option<Told>> {
        let first = format!("{}/{repository}/resolve/{revision}/{file}", self.endpoint);
        let (mut response, told) = self.ask(first, part.len()).await?;
        match response.status {
            StatusCode::NOT_FOUND => return Ok(None),
            // All of it is there already.
            StatusCode::RANGE_NOT_SATISFIABLE if told.size == Some(part.len()) => return Ok(Some(told)),
            StatusCode::RANGE_NOT_SATISFIABLE => {
                part.clear()?;
                bail!("what came before does not fit; pull it again");
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                bail!(
                    "{} refuses it ({}); does it need HF_TOKEN, or terms accepted?",
                    self.host,
                    response.status
                )
            }
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::OK => part.clear()?,
            other => bail!("{} answered {other}", self.host),
        }
        let shown = Shown::new(file, told.size);
        while let Some(piece) = response.body.next().await {
            let piece: Bytes = piece?;
            part.write(&piece)?;
            shown.at(part.len());
        }
        Ok(Some(told))
    }

    /// Asks, and asks again where it is sent to. The token is for the hub only.
    async fn ask(&self, first: String, from: u64) -> anyhow::Result<(Response, Told)> {
        let mut url = Url::parse(&first)?;
        let mut told = Told::default();
        for _ in 0..HOPS {
            let mut headers = HeaderMap::new();
            if let Some(token) = self.token.as_ref().filter(|_| url.host() == self.host) {
                headers.insert(header::AUTHORIZATION, token.clone());
            }
            if from > 0 {
                headers.insert(header::RANGE, HeaderValue::from_str(&format!("bytes={from}-"))?);
            }
            let timeouts =
                Timeouts { connect: None, first_byte: Duration::from_mins(1), idle: Duration::from_mins(1) };
            let request = Request { url: &url, headers: &headers, body: Bytes::new(), timeouts };
            let response = self.client.get(request).await?;
            told.learn(&response.headers);
            if !response.status.is_redirection() {
                return Ok((response, told));
            }
            let location = response.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
            let location = location.context("redirected to nowhere")?;
            let next = match location.strip_prefix('/') {
                Some(path) if !path.starts_with('/') => format!("{}/{path}", origin(&url)),
                _ => location.to_owned(),
            };
            let next = Url::parse(&next)?;
            if url.to_string().starts_with("https:") && !next.to_string().starts_with("https:") {
                bail!("{} redirects to {}, away from TLS", url.target(), next.target());
            }
            url = next;
        }
        bail!("redirected more than {HOPS} times")
    }
}

impl Told {
    /// The first answer that says a thing is right: the hub's own, of whose files others only have copies.
    fn learn(&mut self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let hash =
            |name: &str| text(name).map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned());
        let sha256 = hash("x-linked-etag").or_else(|| hash("etag"));
        let fits = |hash: &String| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.sha256 = self.sha256.take().or_else(|| sha256.filter(fits));
        self.size = self.size.or_else(|| text("x-linked-size").and_then(|size| size.parse().ok()));
        let is_commit =
            |commit: &&str| commit.bytes().all(|byte| byte.is_ascii_hexdigit()) && commit.len() == 40;
        self.commit =
            self.commit.take().or_else(|| text("x-repo-commit").filter(is_commit).map(str::to_owned));
    }
}

/// Scheme, host and port of an address.
fn origin(url: &Url) -> String {
    let scheme = if url.to_string().starts_with("https:") { "https" } else { "http" };
    format!("{scheme}://{}:{}", url.host(), url.port())
}

/// Whether asking again may help.
fn broke(error: &NetError) -> bool {
    !matches!(error.kind(), NetErrorKind::Forbidden | NetErrorKind::BadUrl)
}

/// How far a file is, on stderr.
struct Shown {
    file: String,
    size: Option<u64>,
    bar: Option<ProgressBar>,
    last: std::cell::Cell<Instant>,
}

impl Shown {
    fn new(file: &str, size: Option<u64>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}");
            let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr_with_hz(8));
            bar.set_message(file.to_owned());
            style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
        });
        Self { file: file.to_owned(), size, bar, last: Instant::now().into() }
    }

    fn at(&self, len: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(len);
        } else if self.last.get().elapsed() >= EVERY {
            self.last.set(Instant::now());
            let of = self.size.map(|total| format!(" of {}", size(total))).unwrap_or_default();
            output::note(format!("{}: {}{of}", self.file, size(len)));
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
#[path = "pull_tests.rs"]
mod tests;
