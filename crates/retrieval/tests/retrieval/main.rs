//! Documents in, answers out, over a real store and index.

mod answers;
mod asking;
mod house;
mod measures;
mod syncing;
