//! What the pages on judges show.

use hanok_base::Timestamp;
use hanok_eval::lab::Report;
use hanok_store::ScoringDay;

/// The list of judges.
#[derive(Clone, Debug, Default)]
pub struct JudgesView {
    /// Those that were checked by name, then those that never were.
    pub rows: Vec<JudgeRow>,
}

/// One judge.
#[derive(Clone, Debug, Default)]
pub struct JudgeRow {
    /// Its name.
    pub name: String,
    /// The project that it was checked in; empty for none.
    pub project: String,
    /// What its newest check found; `None` where there is none, or none that can be read.
    pub report: Option<Box<Report>>,
    /// When that was.
    pub checked: Option<Timestamp>,
    /// Whether that still holds.
    pub state: CheckState,
    /// The evals that use a judge of this name, each with the file it stands in.
    pub evals: Vec<(String, String)>,
    /// The models as they are now, or were when it was checked.
    pub model: String,
}

/// Whether a check is of the judge as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CheckState {
    /// There is none.
    #[default]
    Never,
    /// It is.
    Fresh,
    /// It is not, and what has changed.
    Stale(Vec<Change>),
    /// It was checked; no eval here says what it is now.
    Known,
    /// The check was kept by another version of this program.
    Foreign,
}

impl CheckState {
    /// Its name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Fresh => "fresh",
            Self::Stale(_) => "stale",
            Self::Known => "known",
            Self::Foreign => "foreign",
        }
    }
}

/// What has changed of a judge since it was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The member of its table; `wording` for the built-in words.
    pub member: &'static str,
    /// As it was; empty where it was not given.
    pub before: String,
    /// As it is; empty where it is not given.
    pub now: String,
}

/// One judge with all that is known of it.
#[derive(Clone, Debug, Default)]
pub struct JudgeView {
    /// Its row in the list.
    pub row: JudgeRow,
    /// Its checks, newest first.
    pub checks: Vec<CheckRow>,
    /// Whether the queue of its labels is there to be labelled further.
    pub queue: Option<String>,
    /// What scoring by rules of its name did, newest first.
    pub days: Vec<ScoringDay>,
}

/// One check in a judge's history.
#[derive(Clone, Debug)]
pub struct CheckRow {
    /// When.
    pub created: Timestamp,
    /// What it found; `None` where that cannot be read.
    pub report: Option<Box<Report>>,
    /// The identity that it is of.
    pub identity: String,
}
