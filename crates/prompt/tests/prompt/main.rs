//! Prompts as their users meet them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test's helpers fail by panicking, and take what they are written with"
)]

mod answering;
mod files;
mod hostile;
mod keeping;
mod techniques;
mod templates;
