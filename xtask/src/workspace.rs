//! Where things are.

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;
use std::path::PathBuf;
use std::process::Command;

/// The checkout, and where its build products go.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Cargo's target directory.
    pub(crate) target: PathBuf,
    /// Whether `CI=true`: nothing may be skipped.
    pub(crate) ci: bool,
}

impl Workspace {
    /// The workspace that this program was built from.
    pub(crate) fn find() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .no_deps()
            .exec()
            .context("reading `cargo metadata`")?;
        Ok(Self {
            root: metadata.workspace_root.into_std_path_buf(),
            target: metadata.target_directory.into_std_path_buf(),
            ci: std::env::var("CI").is_ok_and(|value| value == "true" || value == "1"),
        })
    }

    /// A folder of xtask's own, below the target directory.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.target.join("xtask").join(name)
    }

    /// Cargo, in the checkout.
    pub(crate) fn cargo(&self) -> Command {
        // Cargo names itself to what it runs; otherwise the one on the path will do.
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        if self.ci {
            // A clean clone is compiled anew anyway; what would be kept for the next time only fills the disk.
            command.env("CARGO_INCREMENTAL", "0");
        }
        command
    }

    /// The binary that black-box tests run.
    pub(crate) fn binary(&self) -> PathBuf {
        self.target.join("debug").join("hanok")
    }

    pub(crate) fn example(&self, name: &str) -> PathBuf {
        self.target.join("debug").join("examples").join(name)
    }
}
