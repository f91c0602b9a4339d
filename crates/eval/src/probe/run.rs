//! Asking a judge about the same content in other ways.

use super::own::own;
use super::result::{Kind, Probe, Try};
use super::shapes::{attacked, padded};
use crate::judge::{Case, Form, Judge, Judgement, Records};
use futures_util::StreamExt as _;
use hanok_base::TraceId;

/// How probes are made.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Which ones.
    pub kinds: Vec<Kind>,
    /// Most cases of `order`, `rerun` and `length`.
    pub cases: usize,
    /// Most tries of `injection`; each case is attacked in another shape.
    pub injections: usize,
    /// Questions at once.
    pub concurrency: usize,
    /// The share of intervals that hold the true value.
    pub confidence: f64,
    /// Draws of the bootstrap.
    pub rounds: usize,
    /// Its seed.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            kinds: Kind::ALL.to_vec(),
            cases: 200,
            injections: 40,
            concurrency: 8,
            confidence: 0.95,
            rounds: 10_000,
            seed: 42,
        }
    }
}

/// Something to probe with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeCase {
    /// Tells cases apart.
    pub id: String,
    /// What it belongs to, where cases are not independent.
    pub cluster: Option<String>,
    /// What was asked; may be empty.
    pub question: String,
    /// What would be right, where the judge is to see it.
    pub reference: Option<String>,
    /// The answer.
    pub answer: String,
    /// Another answer to the same question, for pairs.
    pub other: Option<String>,
    /// The model that wrote the answer.
    pub author: Option<String>,
    /// The trace it comes from.
    pub origin: Option<TraceId>,
    /// What people say of it.
    pub truth: Option<usize>,
    /// What the judge said of it, where it was asked before; it is asked again where not.
    pub said: Option<usize>,
}

impl ProbeCase {
    fn case<'a>(&'a self, answer: &'a str) -> Case<'a> {
        Case {
            question: &self.question,
            reference: self.reference.as_deref(),
            answer,
            other: self.other.as_deref(),
            origin: self.origin,
        }
    }
}

/// Probes a judge with these cases; `step` hears of each question that was answered.
pub async fn probe(
    judge: &Judge,
    records: &Records,
    cases: &[ProbeCase],
    options: &Options,
    step: &(dyn Fn() + Sync),
) -> Vec<Probe> {
    let probing = Probing { judge, records, options, step };
    let mut cases = cases.to_vec();
    let is_pair = judge.scale().form == Form::Pairwise;
    if is_pair {
        cases.retain(|case| case.other.is_some());
    }
    if options.kinds.iter().any(|kind| *kind != Kind::Order) {
        probing.know(&mut cases).await;
    }
    let mut probes = Vec::with_capacity(options.kinds.len());
    for kind in &options.kinds {
        probes.push(if cases.is_empty() {
            Probe::skipped(*kind, "there are no cases to probe with")
        } else {
            match kind {
                Kind::Order => probing.order(&cases).await,
                Kind::Rerun => probing.rerun(&cases).await,
                Kind::Length => probing.length(&cases).await,
                Kind::Injection => probing.injection(&cases).await,
                Kind::Own => own(&judge.spec().model.0, judge.scale(), &cases, options),
            }
        });
    }
    probes
}

struct Probing<'a> {
    judge: &'a Judge,
    records: &'a Records,
    options: &'a Options,
    step: &'a (dyn Fn() + Sync),
}

impl Probing<'_> {
    /// Finds out what the judge says of cases that it was not asked about yet, as many as probes need.
    async fn know(&self, cases: &mut [ProbeCase]) {
        let unknown = cases.iter_mut().take(self.options.cases).filter(|case| case.said.is_none());
        futures_util::stream::iter(unknown)
            .for_each_concurrent(self.options.concurrency.max(1), |case| async move {
                let said = self.records.judged(self.judge, &case.case(&case.answer), 0).await;
                (self.step)();
                case.said = said.level;
            })
            .await;
    }

    async fn tries<'a, F>(&self, asked: impl Iterator<Item = F>) -> Vec<Try>
    where
        F: Future<Output = Try> + 'a,
    {
        futures_util::stream::iter(asked).buffered(self.options.concurrency.max(1)).collect().await
    }

    fn label(&self, level: Option<usize>) -> String {
        level.map_or_else(String::new, |level| self.judge.scale().label(level).to_owned())
    }

    fn tried(
        &self,
        case: &ProbeCase,
        shape: &'static str,
        after: &Judgement,
        is_hit: impl Fn(usize, usize) -> bool,
    ) -> Try {
        (self.step)();
        Try {
            item: case.id.clone(),
            cluster: case.cluster.clone(),
            shape,
            hit: case.said.zip(after.level).map(|(before, after)| is_hit(before, after)),
            before: self.label(case.said),
            after: self.label(after.level),
            cost: after.cost,
        }
    }

    async fn order(&self, cases: &[ProbeCase]) -> Probe {
        let pairs: Vec<&ProbeCase> =
            cases.iter().filter(|case| case.other.is_some()).take(self.options.cases).collect();
        if pairs.is_empty() {
            let why = "it takes two answers to the same question";
            return Probe::skipped(Kind::Order, why);
        }
        // A judge of single answers is asked as one of pairs by the same rubric.
        let paired;
        let judge = if self.judge.scale().form == Form::Pairwise {
            self.judge
        } else {
            match self.judge.paired() {
                Ok(judge) => {
                    paired = judge;
                    &paired
                }
                Err(why) => return Probe::skipped(Kind::Order, why),
            }
        };
        let asked = pairs.into_iter().map(|case| async move {
            let said = self.records.judged(judge, &case.case(&case.answer), 0).await;
            (self.step)();
            let leaning = said.opinions.iter().filter_map(|opinion| opinion.leaning).sum::<f64>();
            let preferred = if leaning > 0.0 { "the first" } else { "the second" };
            Try {
                item: case.id.clone(),
                cluster: case.cluster.clone(),
                shape: "swapped",
                hit: said.consistent.map(|consistent| !consistent),
                before: "depends on the order".to_owned(),
                after: format!("leans to {preferred}"),
                cost: said.cost,
            }
        });
        let tries = self.tries(asked).await;
        Probe::of(Kind::Order, tries, self.options.confidence)
    }

    async fn rerun(&self, cases: &[ProbeCase]) -> Probe {
        let asked = cases.iter().take(self.options.cases).map(|case| async move {
            let said = self.records.judged(self.judge, &case.case(&case.answer), 1).await;
            self.tried(case, "again", &said, |before, after| before != after)
        });
        let tries = self.tries(asked).await;
        Probe::of(Kind::Rerun, tries, self.options.confidence)
    }

    /// Only what can gain is padded.
    async fn length(&self, cases: &[ProbeCase]) -> Probe {
        let best = self.judge.scale().best();
        let poor: Vec<&ProbeCase> = cases
            .iter()
            .filter(|case| case.said.is_some_and(|said| said < best))
            .take(self.options.cases)
            .collect();
        if poor.is_empty() {
            return Probe::skipped(
                Kind::Length,
                "the judge gives every answer the best verdict, so that none can gain",
            );
        }
        let asked = poor.into_iter().map(|case| async move {
            let answer = padded(&case.answer);
            let said = self.records.judged(self.judge, &case.case(&answer), 0).await;
            self.tried(case, "padded", &said, |before, after| after > before)
        });
        let tries = self.tries(asked).await;
        Probe::of(Kind::Length, tries, self.options.confidence)
    }

    /// Each case that can gain is attacked in the next shape, and again in others as long as tries are left.
    async fn injection(&self, cases: &[ProbeCase]) -> Probe {
        let scale = self.judge.scale();
        let poor: Vec<&ProbeCase> =
            cases.iter().filter(|case| case.said.is_some_and(|said| said < scale.best())).collect();
        if poor.is_empty() {
            let why = "the judge gives every answer the best verdict, so that none can gain";
            return Probe::skipped(Kind::Injection, why);
        }
        // As many rounds over the cases as there are shapes, no case twice in one shape.
        let rounds = (0..super::shapes::ATTACKS.len())
            .flat_map(|round| poor.iter().enumerate().map(move |(at, case)| (at + round, *case)));
        let asked = rounds.take(self.options.injections).map(|(shape, case)| async move {
            let (name, answer) = attacked(&case.answer, shape, scale);
            let said = self.records.judged(self.judge, &case.case(&answer), 0).await;
            self.tried(case, name, &said, |before, after| after > before)
        });
        let tries = self.tries(asked).await;
        Probe::of(Kind::Injection, tries, self.options.confidence)
    }
}
