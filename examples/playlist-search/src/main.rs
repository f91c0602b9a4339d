//! The example `playlist-search`, run from end to end by Hanok's own commands: generates the data, stands in for the
//! models where none is configured, and runs what README.md describes. `cargo xtask example playlist-search` builds all
//! that is needed and runs this.
//!
//! Deliberately not here: any code of the product; it is asked by its commands and over HTTP, as a user asks it.
//!
//! Reading order: [`music`] (what there is), [`catalogue`] and [`files`] (what is generated); [`knowledge`], [`model`]
//! and [`serve`] (the scripted models); [`house`] (Hanok's commands), [`steps`] (what is done with them), [`told`] (what
//! is said of it), [`people`] (who labels).

#![allow(clippy::print_stdout, reason = "a command-line tool; its output is its product")]

mod catalogue;
mod chance;
mod files;
mod house;
mod knowledge;
mod model;
mod music;
mod people;
mod serve;
mod steps;
mod told;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use house::House;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

/// Where the example's own files are.
const HOME: &str = env!("CARGO_MANIFEST_DIR");

/// The example playlist-search
#[derive(Debug, Parser)]
#[command(name = "playlist-search")]
enum Command {
    /// Run everything, and serve what came of it
    Run(Run),
    /// Only generate the data
    Data(Made),
    /// Only be the scripted models, for trying commands by hand
    Models(Place),
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The folder to work in; the example's files are copied where it has none
    #[arg(long, value_name = "DIR", default_value = HOME)]
    folder: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Made {
    #[command(flatten)]
    place: Place,
    /// How much is generated: small is enough to look around
    #[arg(long, value_name = "SIZE", default_value = "full", value_parser = ["full", "small"])]
    size: String,
    /// Other seeds are other playlists
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
}

#[derive(Debug, clap::Args)]
struct Run {
    #[command(flatten)]
    made: Made,
    /// Hanok
    #[arg(long, value_name = "FILE")]
    hanok: PathBuf,
    /// Where it is served at the end
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4141")]
    bind: String,
    /// Do not serve at the end
    #[arg(long)]
    no_serve: bool,
}

impl Made {
    fn size(&self) -> catalogue::Size {
        if self.size == "small" { catalogue::Size::SMALL } else { catalogue::Size::FULL }
    }
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("playlist-search: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Data(made) => {
            lay_out(&made.place.folder)?;
            files::World::new(made.seed, made.size()).write(&made.place.folder)?;
            println!("{} is written", made.place.folder.join("data").display());
            Ok(())
        }
        Command::Models(place) => {
            lay_out(&place.folder)?;
            let Some(address) = scripted(&place.folder)? else {
                bail!("hanok.toml names no scripted model: there is nothing to stand in for");
            };
            let address = serve::start(address)?;
            println!("the scripted models are at http://{address}/v1; Ctrl-C ends them");
            loop {
                std::thread::park();
            }
        }
        Command::Run(wanted) => everything(&wanted),
    }
}

fn everything(wanted: &Run) -> Result<()> {
    let folder = &wanted.made.place.folder;
    lay_out(folder)?;
    let address = scripted(folder)?;
    match address {
        Some(address) => {
            serve::start(address)?;
            println!("{}", told::SCRIPTED);
        }
        None => println!("Written and judged by the models that hanok.toml names."),
    }
    let program = std::path::absolute(&wanted.hanok)?;
    let house = House { program, folder: folder.clone() };
    let world = files::World::new(wanted.made.seed, wanted.made.size());
    let report = steps::all(&house, &world, wanted.made.size(), address.is_some())?;
    house::write(&folder.join("data/report.md"), &report.markdown())?;
    println!("\n{}", report.text());
    if wanted.no_serve {
        println!(
            "To see it: `hanok up` in {}, then {}",
            folder.display(),
            report.links("http://127.0.0.1:4141")
        );
        return Ok(());
    }
    let log = std::fs::File::create(folder.join("data/server.log"))?;
    let server = house.up_at(&wanted.bind, Stdio::from(log))?;
    println!(
        "{}\nCtrl-C ends it; its log is data/server.log.",
        report.links(&format!("http://{}", wanted.bind))
    );
    server.wait()
}

/// Copies the example's files into a folder that has none, with a port of its own for the scripted models.
fn lay_out(folder: &Path) -> Result<()> {
    if folder.join("hanok.toml").exists() {
        return Ok(());
    }
    let home = Path::new(HOME);
    for below in ["prompts", "evals"] {
        for entry in std::fs::read_dir(home.join(below))? {
            let from = entry?.path();
            let name = from.file_name().unwrap_or_default();
            house::write(&folder.join(below).join(name), &std::fs::read_to_string(&from)?)?;
        }
    }
    let text = std::fs::read_to_string(home.join("hanok.toml"))?;
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    house::write(&folder.join("hanok.toml"), &text.replace("127.0.0.1:4199", &format!("127.0.0.1:{free}")))
}

/// Where the scripted models are to be; `None` where the configuration asks none of them.
fn scripted(folder: &Path) -> Result<Option<SocketAddr>> {
    let path = folder.join("hanok.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let config: toml::Table = toml::from_str(&text).with_context(|| path.display().to_string())?;
    let asks = |model: &str| {
        let targets = config.get("models")?.get(model)?.get("targets")?.as_array()?;
        Some(targets.iter().any(|target| target.to_string().contains("scripted/")))
    };
    if !["writer", "judge"].into_iter().any(|model| asks(model).unwrap_or_default()) {
        return Ok(None);
    }
    let url = config.get("providers").and_then(|all| all.get("scripted")?.get("base_url")?.as_str());
    let url =
        url.context("hanok.toml asks scripted models, and has no [providers.scripted] with a base_url")?;
    let address = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    Ok(Some(address.parse().with_context(|| format!("providers.scripted.base_url: {url}"))?))
}
