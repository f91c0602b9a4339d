//! Two experiments beside each other, as pages show them.

use super::evals::{
    SAMPLES, answer, aside, choices, confidence, gate_of, less_is_better, ran, row, sample, time,
};
use crate::ui::view_evals::{CompareView, EffectView, PairView, Which};
use hanok_base::Timestamp;
use hanok_eval::gate::Adjust;
use hanok_eval::report::{Collected, Comparison, ScoreComparison, ScoreKind, compare};
use hanok_eval::{KeepError, Keeper};
use hanok_store::evals::{ComparedRow, Experiment, ExperimentState};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// What a comparison is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// The score by which samples are told apart; the first one where it is empty.
    pub(crate) score: String,
    /// Which samples.
    pub(crate) which: Which,
    /// How many of them stand before the page.
    pub(crate) from: u64,
}

/// Two experiments beside each other, `first` the baseline.
pub(crate) async fn compared(
    keeper: &Keeper,
    first: &Experiment,
    second: &Experiment,
    asked: Asked,
) -> Result<CompareView, KeepError> {
    let confidence = confidence(second);
    let comparison = numbers_beside(keeper, first, second, confidence).await?;
    let (ran_first, ran_second) = (ran(first), ran(second));
    let kind = |name: &str| {
        let reports = [&ran_second, &ran_first].into_iter().flatten();
        reports.flat_map(|ran| &ran.report.scores).find(|score| score.name == name).map(|score| score.kind)
    };
    let effect = |compared: ScoreComparison| EffectView {
        less_is_better: less_is_better(second, &compared.name),
        is_share: kind(&compared.name).map_or(compared.method == "mcnemar", |kind| kind == ScoreKind::Truth),
        compared,
    };
    let effects: Vec<EffectView> = comparison.scores.into_iter().map(effect).collect();
    let wanted = effects.iter().find(|effect| effect.compared.name == asked.score).or(effects.first());
    let (score, less) =
        wanted.map(|effect| (effect.compared.name.clone(), effect.less_is_better)).unwrap_or_default();
    let against = ran_second.filter(|ran| ran.comparison.as_ref().is_some_and(|c| c.baseline == first.id));
    let mut view = CompareView {
        first: row(first),
        second: row(second),
        paired: comparison.paired,
        unpaired: comparison.unpaired,
        confidence,
        effects,
        gate: against.and_then(|ran| ran.gate),
        asked: gate_of(second),
        score,
        which: asked.which,
        choices: choices(keeper).await?,
        ..CompareView::default()
    };
    let repeated = first.repeats > 1 || second.repeats > 1;
    pairs(keeper, &mut view, less, asked.from, repeated).await?;
    Ok(view)
}

/// The numbers of two experiments beside each other. Those of experiments that have ended are kept for the next look.
pub(crate) async fn numbers_beside(
    keeper: &Keeper,
    first: &Experiment,
    second: &Experiment,
    confidence: f64,
) -> Result<Comparison, KeepError> {
    let wish = Wish { experiments: [first, second].map(Ended::of), confidence: confidence.to_bits() };
    let has_ended = [first, second].iter().all(|experiment| experiment.state == ExperimentState::Done);
    if has_ended && let Some((_, known)) = BESIDE.lock().iter().find(|(known, _)| *known == wish) {
        return Ok(known.clone());
    }
    let (before, after) = (Collected::of(keeper, first.id).await?, Collected::of(keeper, second.id).await?);
    let baseline = first.id;
    let work = move || compare(baseline, &before, &after, confidence, Adjust::default());
    let Some(found) = aside(work).await else { return Ok(Comparison::default()) };
    if has_ended {
        let mut kept = BESIDE.lock();
        if kept.len() >= MOST_BESIDE {
            kept.pop_front();
        }
        kept.push_back((wish, found.clone()));
    }
    Ok(found)
}

/// Comparisons that were asked for last, oldest first: a bootstrap of every score is not made anew with every page.
static BESIDE: Mutex<VecDeque<(Wish, Comparison)>> = Mutex::new(VecDeque::new());
const MOST_BESIDE: usize = 32;

/// Which two experiments, and how sure.
#[derive(PartialEq, Eq)]
struct Wish {
    experiments: [Ended; 2],
    confidence: u64,
}

/// An experiment as it ended: a number may be given again once its experiment was removed.
#[derive(PartialEq, Eq)]
struct Ended(i64, Timestamp, Option<Timestamp>, u64);

impl Ended {
    fn of(experiment: &Experiment) -> Self {
        Self(experiment.id, experiment.created, experiment.finished, experiment.done)
    }
}

/// Fills in a page of samples. All of them stand in one order, so those that got worse or better are a stretch of it.
async fn pairs(
    keeper: &Keeper,
    view: &mut CompareView,
    less: bool,
    from: u64,
    repeated: bool,
) -> Result<(), KeepError> {
    let page = async |offset: u64, limit: usize| {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        keeper.compare_by(view.first.id, view.second.id, view.score.clone(), less, offset, limit).await
    };
    let counts = page(0, 0).await?;
    let (begin, end) = match view.which {
        Which::Worse => (0, counts.worse),
        Which::Better => (counts.worse, counts.worse + counts.better),
        Which::All => (0, counts.total),
    };
    let at = begin.saturating_add(from);
    let limit = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(SAMPLES);
    let rows = if limit > 0 { page(at, limit).await?.rows } else { Vec::new() };
    let shown = at.saturating_add(rows.len() as u64);
    view.next = (!rows.is_empty() && shown < end).then(|| shown - begin);
    view.pairs = rows.iter().map(|row| pair(row, repeated)).collect();
    (view.worse, view.better, view.total) = (counts.worse, counts.better, counts.total);
    Ok(())
}

fn pair(row: &ComparedRow, repeated: bool) -> PairView {
    PairView {
        key: format!("{}-{}", row.row, row.repeat),
        sample: sample(&row.sample),
        repeat: time(row.repeat, repeated),
        before: answer(
            row.output_before.as_deref(),
            row.error_before.as_deref(),
            &row.scores_before,
            &row.work_before,
        ),
        after: answer(
            row.output_after.as_deref(),
            row.error_after.as_deref(),
            &row.scores_after,
            &row.work_after,
        ),
    }
}
