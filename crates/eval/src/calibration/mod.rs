//! Who judges the judge: how far its verdicts are those of people, and what its rates are worth.
//!
//! Deliberately not here: the formulas (`hanok-stats`), where labels are kept (`hanok-store`), and what a judge can be
//! led astray by (`probe`).
//!
//! Reading order: [`item`] (what people and the judge said of one thing), [`measure`] (agreement in figures),
//! [`report`] (all that is known of a judge), [`corrected`] (its rates, with its errors taken out).

pub mod corrected;
pub mod item;
pub mod measure;
pub mod report;

pub use corrected::{Corrected, Judged, correct};
pub use item::{HumanLabel, Item, JudgeSaid};
pub use measure::{Figure, Measure, Method};
pub use report::{Calibration, Coverage, Disagreement, Options, Standing, Tendency, calibrate};
