//! The store: one SQLite file, one writer thread that commits in groups, and a few reader threads behind an
//! async face. All SQL of the product lives here.
//!
//! Deliberately not here: business rules. What a trace's model is, what a call costs, what a filter's words
//! mean is decided above; the store keeps rows and answers typed queries.
//!
//! Reading order: `schema` (the file), [`store`] (the face), `admission` (places reserved before work
//! starts), `writer` (group commits), `readers`, [`row`] (what a trace is made of), `varint`, `packing`, `blobs` and `names` (text
//! stored once), `labels` (sessions, users, tags), `spans` (those of small traces, packed), [`family`] (whose
//! tokens count), `insert` (traces in), [`query`] (which ones), [`traces`] (traces out), [`outline`] (large traces,
//! in part), [`messages`] (texts for an index), [`sessions`], [`scores`], `facts` and `fact_columns` (what calls
//! were, in columns), [`stats`] (sums over them), [`removal`] (traces that go), [`keys`] (who may call),
//! [`ledger`] (what was spent), [`responses`] (what clients may ask back), [`cursors`] (how far a follower is),
//! [`backup`], `last_backup` and [`check`] (the file as a whole), [`documents`], [`metadata`], [`vectors`], [`prompts`], [`datasets`],
//! [`evals`], [`annotations`] (what people say of outputs), [`judgements`] (what judges do, and what that is worth).
//!
//! No future of this crate needs a particular runtime, except [`Store::admit`] while it has to wait.

mod admission;
pub mod annotations;
pub mod backup;
mod blobs;
pub mod check;
pub mod cursors;
pub mod datasets;
pub mod documents;
mod error;
pub mod evals;
mod fact_columns;
mod facts;
pub mod family;
mod insert;
pub mod judgements;
pub mod keys;
mod labels;
mod last_backup;
pub mod ledger;
pub mod messages;
pub mod metadata;
mod names;
pub mod outline;
mod packing;
mod prompt_scores;
pub mod prompts;
pub mod query;
mod readers;
pub mod removal;
pub mod responses;
pub mod row;
mod schema;
pub mod scores;
pub mod sessions;
mod spans;
pub mod stats;
pub mod store;
mod tallies;
#[cfg(test)]
mod tests;
mod tokens;
pub mod traces;
mod varint;
pub mod vectors;
mod writer;

pub use admission::{Place, Unavailable};
pub use annotations::{
    AnnotationItem, AnnotationLabel, Annotations, Eyes, ItemState, NewItem, NewQueue, Queue, QueueCounts,
};
pub use backup::{BackupError, Progress, backup, restore};
pub use check::{Checked, check};
pub use cursors::Cursors;
pub use datasets::{
    ContentHash, DatasetInfo, DatasetVersion, Datasets, NewRow, StoredRow, content_hash, to_hex,
};
pub use error::StoreError;
pub use evals::{
    ComparedPage, ComparedRow, Evals, Experiment, ExperimentState, Kept, NewExperiment, NewResult,
    ResultFilter, ResultPage, ResultRow, StoredAnswer,
};
pub use family::{Family, Kin};
pub use judgements::{JudgeCheck, JudgeOpinion, Judgements, NewCheck, ScoringDay};
pub use keys::{Budget, BudgetPeriod, Key, Keys, Limits, NewKey, Secret, hash_secret};
pub use last_backup::LastBackup;
pub use ledger::{Balance, Ledger};
pub use messages::{FoundTexts, NewTexts, TextMark};
pub use outline::{Outline, SpanLine};
pub use prompt_scores::{PromptExperiment, PromptScores};
pub use prompts::{PromptLabel, PromptMove, PromptVersion, Prompts};
pub use query::{Comparison, Has, Measure, Measured, ScoreTest, Scored, TraceQuery};
pub use removal::{Aged, AuditLine, Removals, Removed, Size, Target};
pub use responses::{LIFETIME, NewResponse, Responses, StoredResponse, Turn};
pub use row::{Bodies, Slot, SpanRow, StoredSpan, StoredTrace, Summary, TraceBatch, TraceRow};
pub use scores::{SavedView, Score, ScoreQuery, ScoreTarget, ScoreValue, Scores};
pub use sessions::{SessionRow, SessionRows};
pub use stats::{CallStats, Dear, Dimension, GroupStats, Rank, Stats, StatsQuery};
pub use store::{Health, HealthState, Options, Store, make_folder};
pub use tallies::Tally;
pub use traces::{Bucket, Counts, TraceRows, Traces};
