//! Judges: models that say how good an answer is.
//!
//! Deliberately not here: how far a judge can be trusted (`calibration`, `probe`).
//!
//! Reading order: [`spec`] (as a file has it).

pub mod spec;

pub use spec::{Aggregate, Form, JudgeSpec, Level, OneOrMore, Temperature};
