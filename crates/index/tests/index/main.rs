//! The index over a folder.

#[cfg(test)]
mod searching;
