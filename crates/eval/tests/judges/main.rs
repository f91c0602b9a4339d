//! Evals, scorers and judges through their public face, with scripted models.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    clippy::cast_precision_loss,
    clippy::unnecessary_wraps,
    reason = "a test's helpers fail by panicking, and compare what is exact"
)]

mod budgets;
mod calibration;
mod datasets;
mod experiments;
mod house;
mod imports;
mod judges;
mod lab;
mod online;
mod probes;
mod runs;
mod scorers;
mod scripted;
