//! What is known of a document beside its text: what its front matter says, what the rules of its collection and
//! the `_meta.toml` of its folders say, its language.
//!
//! Invariant: trust and readers come from rules only; a document cannot make itself trusted.

mod front;
mod language;
mod rules;

pub use rules::Rule;

pub(crate) use front::front_matter;
pub(crate) use language::language;
pub(crate) use rules::{META_FILE, Ruled, Rules, UrlRules};
