//! The indexes over a folder.

#[cfg(test)]
mod searching;
#[cfg(test)]
mod vectors;
