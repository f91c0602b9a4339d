//! What is done with a question before it is searched for: a model puts it so that it stands by itself, asks it in
//! other words, guesses its answer, or takes it apart. Each step is optional and a span of its own; one that fails
//! leaves the question as it was, and says so.
//!
//! Deliberately not here: the search itself, and any wish which steps to take.
//!
//! Reading order: [`step`] (the steps, and what a model says to each), [`expand`] (taking them), [`several`] (what
//! several queries found, as one result).

pub mod expand;
pub mod several;
pub mod step;

pub use expand::{Expanded, QueryExpander, Turn};
pub use several::search_all;
pub use step::QueryStep;
