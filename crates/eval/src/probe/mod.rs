//! Probes: what leads a judge astray. The same content is shown in other ways, and what changes its mind is counted.
//!
//! Deliberately not here: whether its verdicts are right (`calibration`).
//!
//! Reading order: [`result`] (what a probe found), `shapes` (how content is changed), [`run`] (the asking), `own` (whose
//! answers a judge prefers).

mod own;
pub mod result;
pub mod run;
mod shapes;

pub use own::family;
pub use result::{Change, Kind, Probe, State};
pub use run::{Options, ProbeCase, probe};
