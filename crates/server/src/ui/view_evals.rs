//! What the pages on experiments and datasets show.

use hanok_base::Timestamp;
use hanok_eval::dataset::duplicates::Findings;
use hanok_eval::gate::{Gate, GateReport};
use hanok_eval::report::{Comparison, Report, ScoreComparison, ScoreReport};
use hanok_eval::score::KeptScore;

/// The list of experiments.
#[derive(Clone, Debug, Default)]
pub struct ExperimentsView {
    /// Only those of this eval; empty for all.
    pub name: String,
    /// The evals that have an experiment.
    pub names: Vec<String>,
    /// Newest first.
    pub rows: Vec<ExperimentRow>,
    /// Where the next, older page begins.
    pub next: Option<i64>,
}

/// How far an experiment is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// At work, or its process died.
    #[default]
    Running,
    /// Stopped before its end.
    Stopped,
    /// All of it was tried.
    Done,
}

/// One experiment in a list, or at the head of its page.
#[derive(Clone, Debug, Default)]
pub struct ExperimentRow {
    /// Its number.
    pub id: i64,
    /// Its eval.
    pub name: String,
    /// Its dataset.
    pub dataset: String,
    /// What was tried, in a few words.
    pub task: String,
    /// How far it is.
    pub state: Progress,
    /// When it began.
    pub created: Timestamp,
    /// Tries that were to be made.
    pub planned: u64,
    /// Tries that were made.
    pub done: u64,
    /// Of these, those without an output.
    pub failed: u64,
    /// US dollars.
    pub cost_usd: f64,
    /// Whether the gate let it pass; `None` without one.
    pub passed: Option<bool>,
    /// Its first score.
    pub lead: Option<ScoreReport>,
}

/// One experiment.
#[derive(Clone, Debug, Default)]
pub struct ExperimentView {
    /// Its sums.
    pub row: ExperimentRow,
    /// The file it was read from; may be empty.
    pub file: String,
    /// How often each row is tried.
    pub repeats: u32,
    /// The beginning of its dataset's version; `None` where that is gone.
    pub version: Option<String>,
    /// The numbers.
    pub report: Report,
    /// Why it did not come to its end.
    pub stopped: Option<String>,
    /// What its gate said.
    pub gate: Option<GateReport>,
    /// What that was asked.
    pub asked: Option<Gate>,
    /// Beside its baseline.
    pub against: Option<Comparison>,
    /// What it can be compared with, those of its eval first.
    pub others: Vec<ExperimentRow>,
    /// Which results are shown.
    pub filter: ResultsFilter,
    /// A page of them.
    pub results: Vec<ResultView>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// Which results are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultsFilter {
    /// `failed`, `low`, `uncovered`, or empty for all.
    pub only: String,
    /// The score that `low` and `uncovered` are about.
    pub score: String,
    /// Text that is looked for.
    pub text: String,
}

/// What was asked in a sample.
#[derive(Clone, Debug, Default)]
pub struct SampleView {
    /// Its id.
    pub id: String,
    /// All of it in one text.
    pub title: String,
    /// Its variables.
    pub input: Vec<(String, String)>,
    /// What would be right.
    pub expected: Option<String>,
    /// The trace it was made of.
    pub origin: Option<String>,
}

/// What a task made of a sample.
#[derive(Clone, Debug, Default)]
pub struct AnswerView {
    /// The answer; as data where there is no text.
    pub text: Option<String>,
    /// The tools that were called, with their arguments.
    pub tools: Vec<(String, String)>,
    /// Why there is none.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub latency_ms: Option<f64>,
    /// What it cost in US dollars, whoever paid.
    pub cost_usd: Option<f64>,
    /// The trace of the work.
    pub trace: Option<String>,
    /// What was said of it.
    pub scores: Vec<(String, KeptScore)>,
}

/// One try of a sample.
#[derive(Clone, Debug, Default)]
pub struct ResultView {
    /// Names it in the page.
    pub key: String,
    /// The sample.
    pub sample: SampleView,
    /// Which time, from 1; 0 where there is only one.
    pub repeat: u32,
    /// What came of it.
    pub answer: AnswerView,
    /// Whether the answer was known before.
    pub cached: bool,
    /// The trace of what scorers called.
    pub scoring_trace: Option<String>,
}

/// Two experiments beside each other.
#[derive(Clone, Debug, Default)]
pub struct CompareView {
    /// A, the baseline.
    pub first: ExperimentRow,
    /// B.
    pub second: ExperimentRow,
    /// Rows that both have.
    pub paired: usize,
    /// Rows of only one.
    pub unpaired: usize,
    /// Confidence of the intervals.
    pub confidence: f64,
    /// Each score that both have.
    pub effects: Vec<EffectView>,
    /// B's gate, where it was held against A.
    pub gate: Option<GateReport>,
    /// What that was asked.
    pub asked: Option<Gate>,
    /// The score by which samples are told apart.
    pub score: String,
    /// Which of them are shown.
    pub which: Which,
    /// How many regressions there are.
    pub worse: u64,
    /// How many got better.
    pub better: u64,
    /// All of them.
    pub total: u64,
    /// A page of them.
    pub pairs: Vec<PairView>,
    /// Where the next page begins.
    pub next: Option<u64>,
    /// What may stand in the place of A and B.
    pub choices: Vec<ExperimentRow>,
}

/// Which samples a comparison shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// Those that got worse.
    #[default]
    Worse,
    /// Those that got better.
    Better,
    /// All, in this order, then those that stayed.
    All,
}

impl Which {
    /// Its name in an address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::All => "all",
        }
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Worse, Self::Better, Self::All].into_iter().find(|which| which.as_str() == name)
    }
}

/// What B did to a score.
#[derive(Clone, Debug, Default)]
pub struct EffectView {
    /// The numbers, B less A.
    pub compared: ScoreComparison,
    /// Whether less of it is better.
    pub less_is_better: bool,
    /// Whether it is a share: of yes among yes and no.
    pub is_share: bool,
}

/// One sample in two experiments.
#[derive(Clone, Debug, Default)]
pub struct PairView {
    /// Names it in the page.
    pub key: String,
    /// The sample.
    pub sample: SampleView,
    /// Which time, from 1; 0 where there is only one.
    pub repeat: u32,
    /// What A made of it.
    pub before: AnswerView,
    /// What B made of it.
    pub after: AnswerView,
}

/// The datasets.
#[derive(Clone, Debug, Default)]
pub struct DatasetsView {
    /// By name.
    pub rows: Vec<DatasetRow>,
}

/// One dataset in the list.
#[derive(Clone, Debug, Default)]
pub struct DatasetRow {
    /// Its name.
    pub name: String,
    /// How many versions it has.
    pub versions: u64,
    /// The newest one.
    pub newest: VersionView,
}

/// One version of a dataset.
#[derive(Clone, Debug, Default)]
pub struct VersionView {
    /// The beginning of its hash.
    pub hash: String,
    /// How many rows.
    pub rows: u64,
    /// When it was made first.
    pub created: Timestamp,
    /// What it was made of: `file`, `traces`, `queue` or `split`, and which.
    pub source: (String, String),
}

/// One dataset, in one version.
#[derive(Clone, Debug, Default)]
pub struct DatasetView {
    /// Its name.
    pub name: String,
    /// All versions, newest first.
    pub versions: Vec<VersionView>,
    /// The one that is shown.
    pub version: VersionView,
    /// The splits and how many rows each has; the empty name for rows of none.
    pub splits: Vec<(String, u64)>,
    /// What is wrong with it; `None` where it is too large to look at for a page.
    pub findings: Option<Findings>,
    /// The split that is shown; empty for all.
    pub split: String,
    /// `alike` or `open` (does not say what would be right), or empty for all.
    pub only: String,
    /// Text that is looked for.
    pub text: String,
    /// A page of rows.
    pub rows: Vec<RowView>,
    /// Where the next page begins.
    pub next: Option<i64>,
}

/// One row of a dataset.
#[derive(Clone, Debug, Default)]
pub struct RowView {
    /// Its place, from 1.
    pub place: u64,
    /// What it holds.
    pub sample: SampleView,
    /// The split it is in; may be empty.
    pub split: String,
    /// What it belongs to.
    pub cluster: Option<String>,
    /// What else is known of it.
    pub metadata: Vec<(String, String)>,
    /// Rows that are like it.
    pub alike: Vec<AlikeView>,
}

/// A row that another is like.
#[derive(Clone, Debug, Default)]
pub struct AlikeView {
    /// Its id.
    pub id: String,
    /// How alike, from 0 to 1.
    pub likeness: f64,
    /// Whether it is in another split.
    pub leaks: bool,
    /// Whether it says that something else would be right.
    pub contradicts: bool,
}
