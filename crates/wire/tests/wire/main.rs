//! The dialects against what vendors send, and against laws.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops on what is wrong")]

mod anthropic_messages;
mod encoding;
mod fixtures;
mod generate;
mod laws;
mod ollama;
mod ollama_streams;
mod streams;

use hanok_base::Dialect;
use hanok_wire::Codec;

fn wire() -> &'static dyn Codec {
    hanok_wire::codec(Dialect::OpenAiChat)
}
