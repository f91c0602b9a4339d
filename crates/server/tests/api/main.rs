//! The API as clients meet it: a whole house behind its doors, without a socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail by panicking"
)]

mod annotations;
mod documents;
mod evals;
mod judges;
mod world;
