//! Models in this process: texts to vectors ([`TextEmbedder`]), question and text to a score ([`CrossEncoder`]), and the
//! folder they are kept in ([`Models`]), as a provider ([`LocalProvider`]).
//!
//! The encoders of the BERT family, computed on the processor by kernels of our own: chosen at run time by instruction
//! set, over texts of any lengths without padding, in floats or bytes. What a text becomes depends neither on the texts
//! beside it nor on the number of threads.
//!
//! Deliberately not here: HTTP. What is fetched comes as bytes ([`Models::pull`]).
//!
//! Reading order: `config` (what a folder says), `tensors`, `tokens`, `kernels` (arithmetic), `encoder`, `pool`
//! (threads), `model`, `register` (each is open once), [`TextEmbedder`], [`CrossEncoder`], [`models`], [`LocalProvider`].

mod config;
mod cross_encoder;
mod embedder;
mod encoder;
mod error;
mod kernels;
mod model;
pub mod models;
mod pool;
mod provider;
mod register;
mod tensors;
mod tokens;

pub use config::Family;
pub use cross_encoder::CrossEncoder;
pub use embedder::TextEmbedder;
pub use error::LocalError;
pub use kernels::{Isa, Precision};
pub use model::Options;
pub use models::Models;
pub use provider::LocalProvider;
pub use register::opened;
