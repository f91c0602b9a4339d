//! Judges: models that say how good an answer is.
//!
//! Deliberately not here: how far a judge can be trusted (`calibration`, `probe`). A judge that refuses, or whose
//! answer cannot be read, gives no number: that is a state of its own, and lowers the coverage.
//!
//! Reading order: [`spec`] (as a file has it), [`scale`] (what may be said), `prompt` (how it is asked), `reading`
//! (what it said), `ask` (one model), [`judge`] (a judge, or a panel), `scorer`,
//! `records`.

mod ask;
#[expect(clippy::module_inception, reason = "the judge is what judges are about")]
pub mod judge;
mod prompt;
mod reading;
mod records;
pub mod scale;
mod scorer;
pub mod spec;

pub(crate) use ask::add as add_cost;
pub use judge::{Judge, Judgement, Opinion, fingerprint, identity};
pub use prompt::Case;
pub use records::Records;
pub use scale::Scale;
pub(crate) use scorer::Judging;
pub use scorer::question_of;
pub use spec::{Aggregate, Form, JudgeSpec, Level, OneOrMore, Temperature};
