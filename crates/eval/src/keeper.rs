//! Where datasets and experiments are kept: in a store of this process, or in that of a running server, which owns its
//! data folder alone.
//!
//! What is asked of the server are the same calls as JSON, so that both ways are one.

use hanok_base::{BoxFuture, Timestamp};
use hanok_store::datasets::{ContentHash, DatasetInfo, DatasetVersion, NewRow, StoredRow};
use hanok_store::evals::{
    ComparedPage, Experiment, ExperimentState, Kept, Measured, NewExperiment, ResultFilter, ResultPage,
    StoredAnswer,
};
use hanok_store::{
    AnnotationItem, AnnotationLabel, Eyes, ItemState, JudgeCheck, JudgeOpinion, NewCheck, NewItem, NewQueue,
    Queue, QueueCounts, ScoringDay, Store, StoreError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// What is kept could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server could not be asked, or declined; why.
    #[error("{0}")]
    Server(String),
    /// One of the two does not understand the other.
    #[error("what the server says of evals is not understood, as it is of another version: {0}")]
    Version(#[from] serde_json::Error),
}

/// The way to a running server.
pub trait Wire: Send + Sync {
    /// Takes a call to it and gives its answer; an error in words.
    fn call(&self, call: Value) -> BoxFuture<'_, Result<Value, String>>;
}

/// Keeps datasets and experiments. Cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    at: Place,
}

#[derive(Clone)]
enum Place {
    Here(Store),
    There(Arc<dyn Wire>),
}

impl Keeper {
    /// In this store.
    pub fn here(store: Store) -> Self {
        Self { at: Place::Here(store) }
    }

    /// In a server's.
    pub fn there(wire: Arc<dyn Wire>) -> Self {
        Self { at: Place::There(wire) }
    }
}

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident / $variant:ident ($($arg:ident: $type:ty),*) -> $out:ty = $store:ident => $do:expr;)*) => {
        #[derive(Serialize, Deserialize)]
        enum Call {
            $($variant { $($arg: $type),* },)*
        }

        impl Keeper {
            $($(#[$doc])* pub async fn $name(&self, $($arg: $type),*) -> Result<$out, KeepError> {
                match &self.at {
                    Place::Here($store) => Ok($do.await?),
                    Place::There(wire) => {
                        let call = serde_json::to_value(Call::$variant { $($arg),* })?;
                        Ok(serde_json::from_value(wire.call(call).await.map_err(KeepError::Server)?)?)
                    }
                }
            })*
        }

        /// Answers a call of a [`Keeper`] from elsewhere.
        pub async fn serve(store: &Store, call: Value) -> Result<Value, KeepError> {
            let $crate::keeper::Here(here) = $crate::keeper::Here(store);
            Ok(match serde_json::from_value::<Call>(call)? {
                $(Call::$variant { $($arg),* } => {
                    let $store = here;
                    serde_json::to_value($do.await?)?
                })*
            })
        }
    };
}

struct Here<'a>(&'a Store);

calls! {
    /// All datasets.
    datasets / Datasets() -> Vec<DatasetInfo> = store => store.datasets().list();
    /// The versions of a dataset, newest first.
    versions / Versions(name: String) -> Vec<DatasetVersion> = store => store.datasets().versions(&name);
    /// A version by the beginning of its hash; the newest one where that is empty.
    version / Version(name: String, hash: String) -> Option<DatasetVersion> = store => store.datasets().version(&name, &hash);
    /// The version of this id.
    version_by_id / VersionById(id: i64) -> Option<DatasetVersion> = store => store.datasets().by_id(id);
    /// Keeps rows.
    keep_rows / KeepRows(rows: Vec<NewRow>) -> () = store => store.datasets().keep_rows(rows);
    /// Makes a version of kept rows.
    make_version / MakeVersion(name: String, rows: Vec<ContentHash>, source: String) -> DatasetVersion
        = store => store.datasets().make_version(&name, rows, &source, Timestamp::now());
    /// Rows of a version.
    rows / Rows(version: i64, from: i64, limit: usize) -> Vec<StoredRow> = store => store.datasets().rows(version, from, limit);
    /// Forgets a dataset.
    remove_dataset / RemoveDataset(name: String) -> bool = store => store.datasets().remove(&name);
    /// Begins an experiment.
    begin / Begin(new: NewExperiment) -> i64 = store => store.evals().begin(new);
    /// The newest experiment of a name, if it is of this wish and did not come to its end.
    unfinished / Unfinished(name: String, wish: ContentHash) -> Option<Experiment> = store => store.evals().unfinished(&name, wish);
    /// Experiments, newest first.
    experiments / Experiments(name: String, before: Option<i64>, limit: usize) -> Vec<Experiment>
        = store => store.evals().experiments(&name, before, limit);
    /// An experiment.
    experiment / Experiment(id: i64) -> Option<Experiment> = store => store.evals().experiment(id);
    /// The newest finished one of a name before another.
    finished_before / FinishedBefore(name: String, before: i64) -> Option<Experiment> = store => store.evals().finished_before(&name, before);
    /// Known answers.
    answers / Answers(keys: Vec<ContentHash>) -> Vec<Option<StoredAnswer>> = store => store.evals().answers(keys);
    /// Known scores.
    scores / Scores(keys: Vec<ContentHash>) -> Vec<Option<String>> = store => store.evals().scores(keys);
    /// Keeps answers, scores and results.
    keep / Keep(experiment: i64, kept: Vec<Kept>) -> () = store => store.evals().keep(experiment, kept);
    /// What has a result.
    done / Done(experiment: i64) -> Vec<(i64, u32)> = store => store.evals().done(experiment);
    /// Takes away results without an output.
    forget_failed / ForgetFailed(experiment: i64) -> u64 = store => store.evals().forget_failed(experiment);
    /// Says how an experiment ended.
    finish / Finish(experiment: i64, state: ExperimentState, report: Option<String>) -> ()
        = store => store.evals().finish(experiment, state, report, Timestamp::now());
    /// Forgets an experiment.
    remove / Remove(experiment: i64) -> bool = store => store.evals().remove(experiment);
    /// A page of results.
    results / Results(experiment: i64, filter: ResultFilter, after: Option<(i64, u32)>, limit: usize) -> ResultPage
        = store => store.evals().results(experiment, filter, after, limit);
    /// What statistics need.
    measured / Measured(experiment: i64, after: Option<(i64, u32)>, limit: usize) -> Vec<Measured>
        = store => store.evals().measured(experiment, after, limit);
    /// Two experiments, row by row.
    compare / Compare(first: i64, second: i64, score: String, offset: usize, limit: usize) -> ComparedPage
        = store => store.evals().compare(first, second, &score, offset, limit);
    /// The same; where less is better, a row got worse whose score rose.
    compare_by / CompareBy(first: i64, second: i64, score: String, less_is_better: bool, offset: usize, limit: usize) -> ComparedPage
        = store => store.evals().compare_by(first, second, &score, less_is_better, offset, limit);
    /// Makes a queue of things to label, or changes it.
    put_queue / PutQueue(new: NewQueue) -> Option<Queue> = store => store.annotations(None).put_queue(new);
    /// The queue of this name.
    queue / QueueOf(name: String) -> Option<Queue> = store => store.annotations(None).queue(&name);
    /// All queues.
    queues / Queues() -> Vec<(Queue, QueueCounts)> = store => store.annotations(None).queues();
    /// Forgets a queue.
    remove_queue / RemoveQueue(name: String) -> bool = store => store.annotations(None).remove_queue(&name);
    /// Adds items to a queue; how many were not there.
    add_items / AddItems(queue: i64, items: Vec<NewItem>) -> usize = store => store.annotations(None).add(queue, items);
    /// Adds items with labels; how many labels were kept.
    import_labels / ImportLabels(queue: i64, rows: Vec<(NewItem, Vec<AnnotationLabel>)>) -> usize
        = store => store.annotations(None).import(queue, rows);
    /// What somebody should label next.
    next_item / NextItem(queue: i64, who: String) -> Option<AnnotationItem> = store => store.annotations(None).next(queue, &who);
    /// What somebody should settle next.
    next_differing / NextDiffering(queue: i64) -> Option<AnnotationItem> = store => store.annotations(None).next_differing(queue);
    /// Keeps a label.
    label / Label(item: i64, who: String, level: u32, comment: String) -> Option<ItemState>
        = store => store.annotations(None).label(item, &who, level, &comment);
    /// Settles an item.
    settle / Settle(item: i64, who: String, level: u32, comment: String) -> Option<ItemState>
        = store => store.annotations(None).settle(item, &who, level, &comment);
    /// An item as somebody may see it who labels; all of it for nobody.
    item / Item(id: i64, who: Option<String>) -> Option<AnnotationItem>
        = store => store.annotations(None).item(id, who.as_deref().map_or(Eyes::All, Eyes::Of));
    /// Items with people's labels, and what the judge of an identity said.
    pairs / Pairs(queue: i64, identity: String) -> Vec<(AnnotationItem, Option<JudgeOpinion>)>
        = store => store.judgements(None).pairs(queue, &identity);
    /// Keeps what a judge said.
    keep_opinions / KeepOpinions(identity: String, opinions: Vec<JudgeOpinion>) -> ()
        = store => store.judgements(None).keep(&identity, opinions);
    /// Keeps what was found out about a judge.
    keep_check / KeepCheck(new: NewCheck) -> i64 = store => store.judgements(None).keep_check(new);
    /// The newest check of each judge.
    judges / Judges() -> Vec<JudgeCheck> = store => store.judgements(None).judges();
    /// The checks of a judge, newest first.
    checks / Checks(judge: String, limit: usize) -> Vec<JudgeCheck> = store => store.judgements(None).checks(&judge, limit);
    /// What scoring by rule did since a day.
    scoring_days / ScoringDays(since: String) -> Vec<ScoringDay> = store => store.judgements(None).days(&since);
}
