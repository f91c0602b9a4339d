//! Models: asking them, talking with them, having them in this process.

use super::Json;
use clap::Args;

/// `hanok ask`
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// The question
    pub(crate) question: String,
    /// The model: hanok/extract[@COLLECTION], hanok/ask[@COLLECTION[:TARGET]], an alias, or provider/model
    #[arg(long, value_name = "MODEL", default_value = "hanok/extract")]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok chat`
#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// The model
    #[arg(long, value_name = "MODEL", default_value = "hanok/extract")]
    pub(crate) model: String,
    /// Instructions to begin with
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
}

/// `hanok pull`
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// A known name, OWNER/REPOSITORY on the hub, or a folder with config.json, tokenizer.json and model.safetensors
    #[arg(required_unless_present = "known")]
    pub(crate) model: Option<String>,
    /// The name it gets here [default: the last part of its own]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Only say which names are known
    #[arg(long)]
    pub(crate) known: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}
