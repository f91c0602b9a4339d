//! What must not be kept: secrets and personal data, found in text by their own formats and replaced.
//!
//! Pure decisions over bytes: no files, no clock, no settings. Deliberately not here: models that guess at names
//! and addresses. What is found follows a format with a check (a checksum, a date, a length, enough entropy), so
//! that it can be said why, and so that near misses stay.
//!
//! Reading order: [`redact`] (the face), `secrets` (their formats), `pii` (numbers and addresses of people),
//! `korea` (those that are Korea's), `edge` (where a word begins and ends).

mod edge;
mod korea;
mod pii;
pub mod redact;
mod secrets;

pub use pii::Pii;
pub use redact::{Finding, Redacted, Redactor};
