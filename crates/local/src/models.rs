//! The folder of models.

/// What pulling notes down of a model, beside its files.
pub(crate) const NOTE: &str = "hanok.json";

/// The models of a data folder.
pub struct Models {}
