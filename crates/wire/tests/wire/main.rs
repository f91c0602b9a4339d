//! The dialects against what vendors send, and against laws.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops on what is wrong"
)]

mod anthropic_messages;
mod clients;
mod corpus;
mod deep;
mod embeddings;
mod encoding;
mod fixtures;
mod foreign;
mod gemini;
mod generate;
mod laws;
mod matrix;
mod ollama;
mod ollama_streams;
mod openai_responses;
mod orders;
mod short;
mod streams;

use hanok_base::Dialect;
use hanok_wire::Codec;

/// The dialect most is asked in.
const OPENAI: Dialect = Dialect::OpenAiChat;

fn wire(dialect: Dialect) -> &'static dyn Codec {
    hanok_wire::codec(dialect)
}
