//! Evals: datasets, scorers, judges, experiments, and what their numbers are worth.
//!
//! Deliberately not here: what agents are (a [`Task`](hanok_base::Task) hides them), the formulas (`hanok-stats`),
//! SQL, pages.
//!
//! Reading order: [`file`] (files people write), [`spec`] (an eval's file), `template`, [`dataset`] (rows), [`task`]
//! (what is tried), [`output`] and [`score`] (as they are kept), [`keeper`] (where), [`run`] (the runner), [`report`]
//! (what came out), [`shown`] (as JSON), [`gate`] (whether it passes), [`experiment`] (all of it in order), [`import`] (other programs'
//! files); [`scorer`], [`process`] (commands), [`judge`], [`calibration`] and [`probe`] (what a judge is worth),
//! [`labels`] (what people say), [`lab`] (a judge held against them),
//! [`online`] (live traces, scored by rule).

pub mod calibration;
pub mod dataset;
pub mod experiment;
pub mod file;
pub mod gate;
pub mod import;
mod json;
pub mod judge;
pub mod keeper;
pub mod kit;
pub mod lab;
pub mod labels;
pub mod online;
pub mod output;
pub mod probe;
pub mod process;
pub mod report;
pub mod run;
pub mod score;
pub mod scorer;
pub mod shown;
pub mod spec;
pub mod task;
mod template;

pub use experiment::{Experiments, Options, Ran};
pub use file::FileError;
pub use keeper::{KeepError, Keeper};
pub use kit::{Kit, Prices, SourceTexts};
pub use run::{Cancel, Plan, Progress, Runner, Status};
pub use spec::Spec;
pub use task::Bench;
