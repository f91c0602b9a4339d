//! What the pages on prompts show, as plain data.

use crate::prompt_scores::VersionScores;
use hanok_base::Timestamp;
use hanok_prompt::{Diff, Variable};

/// The figures of a version's calls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VersionFigures {
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// US dollars that the priced ones cost.
    pub cost_usd: f64,
    /// Calls without a price.
    pub unpriced: u64,
    /// Milliseconds that half of the calls and 95 % did not exceed; `None` without calls.
    pub latency_ms: Option<[f64; 2]>,
}

/// A version as lists show it.
#[derive(Clone, Debug, Default)]
pub struct VersionRow {
    /// Its first digits.
    pub version: String,
    /// Labels that stand at it, without `latest`.
    pub labels: Vec<String>,
    /// Whether the file is it.
    pub filed: bool,
    /// When it was seen first, and who wrote it; `None` where it was not recorded.
    pub made: Option<(Timestamp, String)>,
    /// Its calls.
    pub figures: VersionFigures,
    /// What it was scored.
    pub scores: VersionScores,
}

/// A prompt as the list shows it.
#[derive(Clone, Debug, Default)]
pub struct PromptRow {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The model it asks.
    pub model: Option<String>,
    /// What is wrong with its file.
    pub problem: Option<String>,
    /// The file's version and those that labels stand at.
    pub versions: Vec<VersionRow>,
}

/// All prompts.
#[derive(Clone, Debug, Default)]
pub struct PromptsView {
    /// Where the files are.
    pub folder: String,
    /// By name.
    pub prompts: Vec<PromptRow>,
    /// What was typed to make one, where that failed.
    pub draft: Option<PromptDraft>,
}

/// A text that could not be written to a file.
#[derive(Clone, Debug, Default)]
pub struct PromptDraft {
    /// The prompt's name.
    pub name: String,
    /// What was typed.
    pub source: String,
    /// The version that was edited; empty where there was none.
    pub expected: String,
    /// Why it was not written; empty while it was not tried.
    pub error: String,
}

/// Where a label stands.
#[derive(Clone, Debug, Default)]
pub struct LabelRow {
    /// The label.
    pub label: String,
    /// The version's first digits.
    pub version: String,
    /// Since when, and who moved it there; `None` where that was not recorded.
    pub moved: Option<(Timestamp, String)>,
    /// Where it stood before that.
    pub before: Option<String>,
}

/// A move of a label.
#[derive(Clone, Debug)]
pub struct MoveRow {
    /// The label.
    pub label: String,
    /// Where it stood.
    pub from: Option<String>,
    /// Where it stands since; `None` where it was removed.
    pub to: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Who moved it.
    pub author: String,
}

/// One prompt.
#[derive(Clone, Debug, Default)]
pub struct PromptPage {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What is wrong with its file.
    pub problem: Option<String>,
    /// The version that is shown: its first digits; empty where none can be.
    pub shown: String,
    /// Whether that is what the file says.
    pub filed: bool,
    /// Its text.
    pub source: String,
    /// The partials it uses: texts by name.
    pub partials: Vec<(String, String)>,
    /// The model it asks.
    pub model: Option<String>,
    /// Its variables.
    pub variables: Vec<Variable>,
    /// What a reader of its front matter should know.
    pub notes: Vec<String>,
    /// All versions that were seen, the newest first.
    pub versions: Vec<VersionRow>,
    /// Where labels stand.
    pub labels: Vec<LabelRow>,
    /// How labels moved, the newest move first.
    pub moves: Vec<MoveRow>,
    /// What differs between two versions, where that was asked.
    pub diff: Option<Diff>,
    /// The text that is being edited.
    pub draft: Option<PromptDraft>,
    /// The versions that were to be compared, where they cannot be.
    pub diff_error: Option<String>,
}

/// The playground.
#[derive(Clone, Debug, Default)]
pub struct PlaygroundView {
    /// Prompts: their names and what can be called of each (`latest`, labels, versions).
    pub prompts: Vec<(String, Vec<String>)>,
    /// Models.
    pub models: Vec<String>,
    /// The prompt and version that it opens with.
    pub chosen: Option<(String, String)>,
    /// The datasets that are known.
    pub datasets: Vec<String>,
}
