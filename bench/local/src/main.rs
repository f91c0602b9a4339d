//! Sentences a second, beside others.

fn main() {}
