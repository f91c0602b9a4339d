//! Files that other programs made, files that mean harm, and the children that parse them.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests are tests")]

mod files;
mod hostile;
mod workshop;

use hanok_parse::{Limits, Workshop};
use std::path::PathBuf;
use std::sync::LazyLock;

/// One workshop for all tests, as a server has one.
static WORKSHOP: LazyLock<Workshop> = LazyLock::new(|| Workshop::new(child(), Limits::default()));

fn child() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_parse-child"))
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).expect("the file is there")
}
