//! What editors ask before they chat: what a model can do (`/api/show`), what is loaded (`/api/ps`), and of
//! which version the server is (`/api/version`).

use super::models::{details, modified_at};
use super::stamp;
use crate::error::WireError;
use crate::take;
use hanok_base::{Object, Timestamp};
use serde_json::{Value, json};

/// What is known of a model; nothing is said of what is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShowInfo {
    /// Most tokens of prompt and answer together.
    pub context_length: Option<u64>,
    /// Length of its vectors.
    pub embedding_length: Option<u64>,
    /// Its architecture or family (`llama`).
    pub family: Option<String>,
    /// How large it is, in words (`8.0B`).
    pub parameter_size: Option<String>,
    /// How it is quantised (`Q4_K_M`).
    pub quantization_level: Option<String>,
    /// Seconds since the epoch when it was last changed; 0 when not said.
    pub modified: i64,
    /// What it can do.
    pub capabilities: Vec<Capability>,
}

/// What a model can do, as editors ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Answer chats.
    Completion,
    /// Call tools.
    Tools,
    /// See images.
    Vision,
    /// Think before it answers.
    Thinking,
    /// Make embeddings.
    Embedding,
}

impl Capability {
    fn as_str(self) -> &'static str {
        match self {
            Self::Completion => "completion",
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::Thinking => "thinking",
            Self::Embedding => "embedding",
        }
    }
}

/// The model that a request for `/api/show` asks about: `model`, or `name` of older clients.
pub fn show_request(body: &[u8]) -> Result<String, WireError> {
    let mut object = take::object(body)?;
    let model = take::string(&mut object, "model")?.filter(|name| !name.is_empty());
    let name = model.or(take::string(&mut object, "name")?).filter(|name| !name.is_empty());
    name.ok_or_else(|| WireError::member("model", "is required"))
}

/// The answer of `/api/show`. Editors read `capabilities` and, in `model_info`, the context's length under the
/// architecture's name; some need the texts to be there, be they empty.
pub fn show(name: &str, info: &ShowInfo) -> Vec<u8> {
    let capabilities: Vec<&str> = info.capabilities.iter().map(|can| can.as_str()).collect();
    // The lengths stand under a name even where nobody knows the architecture.
    let architecture = info.family.as_deref().unwrap_or("model");
    let mut model_info = Object::new();
    model_info.insert("general.architecture".into(), architecture.into());
    model_info.insert("general.basename".into(), name.into());
    let lengths = [("context_length", info.context_length), ("embedding_length", info.embedding_length)];
    for (length, value) in lengths {
        if let Some(value) = value {
            model_info.insert(format!("{architecture}.{length}"), value.into());
        }
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let details = details(&text(&info.family), &text(&info.parameter_size), &text(&info.quantization_level));
    json!({
        "license": "",
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": details,
        "model_info": model_info,
        "capabilities": capabilities,
        "modified_at": modified_at(info.modified),
    })
    .to_string()
    .into_bytes()
}

/// A model that is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// Its name.
    pub name: String,
    /// Bytes of memory.
    pub size: u64,
    /// Of these, bytes on a graphics processor.
    pub size_vram: u64,
    /// Most tokens of prompt and answer together.
    pub context_length: Option<u64>,
    /// When it leaves memory.
    pub expires_at: Timestamp,
}

/// The answer of `/api/ps`.
pub fn ps(running: &[Running]) -> Vec<u8> {
    let models: Vec<Value> = running
        .iter()
        .map(|model| {
            json!({
                "name": model.name,
                "model": model.name,
                "size": model.size,
                "digest": stamp::digest(&model.name),
                "details": details("", "", ""),
                "expires_at": stamp::text(model.expires_at),
                "size_vram": model.size_vram,
                "context_length": model.context_length.unwrap_or(0),
            })
        })
        .collect();
    json!({ "models": models }).to_string().into_bytes()
}

/// The answer of `/api/version`. Editors refuse servers older than they know (0.6.4 for one).
pub fn version(version: &str) -> Vec<u8> {
    json!({ "version": version }).to_string().into_bytes()
}
