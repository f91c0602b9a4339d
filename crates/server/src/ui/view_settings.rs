//! What the page on settings shows.

use hanok_base::Timestamp;

/// The page on settings.
#[derive(Clone, Debug, Default)]
pub struct SettingsView {
    /// What the server keeps; `None` for who is no admin.
    pub records: Option<RecordsView>,
    /// The configuration file.
    pub file: String,
}

/// What the server keeps, for how long, and how.
#[derive(Clone, Debug, Default)]
pub struct RecordsView {
    /// Traces stored.
    pub traces: u64,
    /// Spans stored.
    pub spans: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Where the file is.
    pub folder: String,
    /// What is kept how long, a line each (`project shop: 90 days`); everything for ever where there is none.
    pub retention: Vec<String>,
    /// What is replaced before it is stored, a line each.
    pub redaction: Vec<String>,
    /// Whose messages are not stored, or only those of failed calls, a line each.
    pub payloads: Vec<String>,
    /// The last backup: when, and where to.
    pub backup: Option<(Timestamp, String)>,
}
