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
    /// What is kept how long; everything for ever where it names nothing. A setting that is `None` is not shown.
    pub retention: Option<Setting>,
    /// What is replaced before it is stored.
    pub redaction: Option<Setting>,
    /// Whose messages are not stored, or only those of failed calls.
    pub payloads: Option<Setting>,
    /// Copies of the file.
    pub backup: Option<Backup>,
}

/// Copies of the file.
#[derive(Clone, Debug, Default)]
pub struct Backup {
    /// The last one: when, and where to.
    pub last: Option<(Timestamp, String)>,
    /// The command that makes one.
    pub command: String,
}

/// What holds, and the way to change it.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// A line each (`project shop: 90 days`).
    pub now: Vec<String>,
    /// Lines for the configuration file, to copy; none are offered when empty.
    pub change: String,
}
