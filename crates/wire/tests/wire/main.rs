//! The dialects against what vendors send, and against laws.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops on what is wrong")]

mod encoding;
mod fixtures;
mod gemini;
mod generate;
mod laws;
mod streams;

use hanok_base::Dialect;
use hanok_wire::Codec;

fn wire() -> &'static dyn Codec {
    hanok_wire::codec(Dialect::OpenAiChat)
}
