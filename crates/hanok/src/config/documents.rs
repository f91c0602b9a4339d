//! What holds for documents, of whichever collection.

use super::units::{Seconds, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[documents]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Documents {
    /// Whether a running server follows changes of files (default true).
    pub(crate) watch: Option<bool>,
    /// The largest file that is taken, and the largest document at a URL, such as `"64MiB"` (the default).
    pub(crate) largest_file: Option<Size>,
    /// The memory of a process that parses documents (default `"512MiB"`).
    pub(crate) parser_memory: Option<Size>,
    /// How long parsing one document may take (default `"30s"`).
    pub(crate) parser_time: Option<Seconds>,
    /// How many documents are parsed at a time (default: one for each processor).
    pub(crate) parsers: Option<u16>,
    /// Hosts that documents are fetched from though their address is private or this machine's: `host` or
    /// `host:port`.
    pub(crate) private_hosts: Vec<String>,
}
