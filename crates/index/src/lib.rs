//! The search indexes: words (an analyzer for every script, tantivy's postings, and BM25 over them) and vectors.
//!
//! An index of words holds texts under a `key` (what a hit names) and a `group` (what is deleted together), and knows
//! nothing else of them. What is searched together is one index, so that word statistics are of what is
//! searched. Every commit carries a mark of the caller's; the caller holds the truth, and an index that is
//! missing, broken or of another format is an empty one without a mark, to be filled again.
//!
//! Deliberately not here: where texts come from, and any store of them.
//!
//! Reading order: [`analyze`] (text to terms), `script`, `stem`, `empty` (words nobody searches for), `terms` (of a query),
//! [`index`] (the face: opening, searching), `open` (one index in its folder), `places` (one index takes another's place),
//! `writer`, `rank` (BM25), `explain` (why), [`all`] (sets without a score); [`vectors`] stands by itself.

pub mod all;
pub mod analyze;
mod empty;
mod explain;
pub mod index;
mod open;
mod places;
mod rank;
mod script;
mod stem;
mod terms;
mod tokenizer;
pub mod vectors;
mod writer;

pub use all::Groups;
pub use analyze::{Analysis, Analyzer, Token, analyze};
pub use explain::Known;
pub use index::{Detail, Found, IndexError, SearchIndex};
pub use rank::Admit;
pub use terms::Terms;
pub use vectors::{VectorIndex, VectorWriter};
pub use writer::Writer;
