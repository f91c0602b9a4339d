//! What the page on settings shows.

use hanok_base::{Payloads, Timestamp};

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
    /// How long traces stay.
    pub retention: RetentionView,
    /// What of them is stored where a project has nothing of its own.
    pub kept: KeptView,
    /// By the name of the project that has something of its own.
    pub projects: Vec<(String, KeptView)>,
    /// Copies of the file.
    pub backup: BackupView,
}

/// How long traces stay; for ever where nothing says otherwise.
#[derive(Clone, Debug, Default)]
pub struct RetentionView {
    /// Days.
    pub days: Option<f64>,
    /// Projects with days of their own.
    pub projects: Vec<(String, f64)>,
    /// Bytes that the file may hold.
    pub most_bytes: Option<u64>,
    /// When traces last went because of it, and how many.
    pub last: Option<(Timestamp, u64)>,
}

/// What of traces is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptView {
    /// Whether secrets are replaced.
    pub secrets: bool,
    /// The kinds of personal data that are replaced, by their names in the configuration.
    pub pii: Vec<&'static str>,
    /// Whether what was said is stored.
    pub payloads: Payloads,
    /// How many of all traces are kept with their spans, from 0 to 1.
    pub rate: f64,
    /// Those kept in any case, as the configuration says it.
    pub always: Vec<String>,
}

/// Copies of the file.
#[derive(Clone, Debug, Default)]
pub struct BackupView {
    /// The last one: when, where to, how large.
    pub last: Option<(Timestamp, String, u64)>,
    /// The command that makes one.
    pub command: String,
}
