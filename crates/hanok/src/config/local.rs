//! `[local]`: models that run in this process.

use hanok_local::{Options, Precision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[local]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Local {
    /// `f32` or `int8` (the default: about twice as fast, with vectors that differ by about 0.001 of cosine).
    pub(crate) precision: LocalPrecision,
    /// How many threads compute (default: one for each processor). Results do not depend on it.
    pub(crate) threads: Option<usize>,
}

/// How exactly a local model computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LocalPrecision {
    /// In 32-bit floats.
    F32,
    /// In bytes, where it counts.
    #[default]
    Int8,
}

impl Local {
    /// How models are to be run.
    pub(crate) fn options(&self) -> Options {
        let precision = match self.precision {
            LocalPrecision::F32 => Precision::F32,
            LocalPrecision::Int8 => Precision::Int8,
        };
        Options { precision, threads: self.threads.unwrap_or(0), isa: None }
    }
}
