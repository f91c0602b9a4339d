//! Scorers: what says how good an output is.
//!
//! Deliberately not here: what a scorer's numbers are worth over many samples (`hanok-stats`), and how far a judge
//! can be trusted (`calibration`).
//!
//! Reading order: [`spec`] (as a file has it), `subject` (what is looked at), `texts`, `data`, `numbers`, `ranked`; `runs` under
//! `bleu`, `rouge` and `chrf`; `sources`, `hook`.

mod bleu;
mod chrf;
mod data;
mod hook;
mod numbers;
mod ranked;
mod rouge;
mod runs;
mod sources;
pub mod spec;
mod subject;
mod texts;

pub(crate) use hook::output_json;
pub use spec::{Common, Kind, ScorerSpec, SpecError};
pub(crate) use subject::{Ask, Found, Frame, Rule, Subject};
pub(crate) use texts::{short, told};

use crate::Kit;
use crate::judge::{self, Judge, Judging};
use crate::task::PromptVersions;
use hanok_base::{BoxFuture, CallContext, Output, Sample, SampleScore, Scorer};
use serde_json::Value;
use std::sync::Arc;

/// A scorer out of its table.
pub fn build(spec: &ScorerSpec, kit: &Kit) -> Result<Arc<dyn Scorer>, SpecError> {
    let frame = Frame::new(spec)?;
    let fault = |message: String| SpecError { name: spec.name.clone(), message };
    let work = match &spec.kind {
        Kind::Exact(spec) => rule(texts::Exact(spec.clone())),
        Kind::Contains(spec) => rule(texts::Holds(spec.clone())),
        Kind::Regex(spec) => rule(texts::Matches::new(spec).map_err(fault)?),
        Kind::JsonSchema(spec) => rule(data::Fits::new(spec, &kit.base).map_err(fault)?),
        Kind::JsonPath(spec) => rule(data::AtPath::new(spec).map_err(fault)?),
        Kind::Numeric(spec) => rule(numbers::Near::new(spec).map_err(fault)?),
        Kind::EditDistance(spec) => rule(texts::Distance(spec.clone())),
        Kind::Bleu(spec) => rule(bleu::BleuRule::new(spec).map_err(fault)?),
        Kind::Rouge(spec) => rule(rouge::RougeRule::new(spec).map_err(fault)?),
        Kind::ChrF(spec) => rule(chrf::ChrFRule::new(spec).map_err(fault)?),
        Kind::ToolCalls(spec) => rule(data::Called(*spec)),
        Kind::Ranking(spec) => rule(ranked::Ranked::new(*spec).map_err(fault)?),
        Kind::Latency(spec) => rule(numbers::InTime::new(*spec)),
        Kind::Cost(spec) => rule(numbers::InBudget::new(*spec)),
        Kind::Similarity(_) => {
            let why = "there is no embedder; set one up with `hanok pull all-minilm-l6-v2`";
            ask(sources::Similar(kit.embedder.clone().ok_or_else(|| fault(why.to_owned()))?))
        }
        Kind::Citations(spec) => ask(sources::Verbatim { sources: kit.sources.clone(), spec: *spec }),
        Kind::Command(spec) => ask(hook::Commanded::new(spec, kit.base.clone()).map_err(fault)?),
        Kind::Http(spec) => ask(hook::Posted::new(spec, &kit.network).map_err(fault)?),
        Kind::Judge(spec) => ask(Judge::new(spec, kit).and_then(Judging::new).map_err(fault)?),
    };
    Ok(Arc::new(Framed { identity: identity(spec, kit), frame, work }))
}

/// A table whose judge, where it is one, is asked by its prompt as that is now, see
/// [`JudgeSpec::pinned`](crate::judge::JudgeSpec::pinned).
pub async fn pinned(
    mut spec: ScorerSpec,
    prompts: Option<&dyn PromptVersions>,
) -> Result<ScorerSpec, SpecError> {
    if let Kind::Judge(judge) = spec.kind {
        let pinned = judge.pinned(prompts).await;
        let pinned = pinned.map_err(|message| SpecError { name: spec.name.clone(), message })?;
        spec.kind = Kind::Judge(Box::new(pinned));
    }
    Ok(spec)
}

fn rule(rule: impl Rule + 'static) -> Work {
    Work::Rule(Box::new(rule))
}

fn ask(ask: impl Ask + 'static) -> Work {
    Work::Ask(Box::new(ask))
}

/// All of a table but its name (two scorers that differ in name only give the same scores), and what it stands for
/// outside of it.
fn identity(spec: &ScorerSpec, kit: &Kit) -> Value {
    let mut identity = serde_json::to_value(spec).unwrap_or_default();
    if let Value::Object(members) = &mut identity {
        members.shift_remove("name");
        if let (Kind::Similarity(_), Some(embedder)) = (&spec.kind, &kit.embedder) {
            members.insert("embedder".to_owned(), embedder.id().into());
        }
        if let Kind::Judge(spec) = &spec.kind {
            members.insert("judge".to_owned(), judge::identity(spec));
        }
    }
    identity
}

/// How a scorer comes to its scores.
enum Work {
    Rule(Box<dyn Rule>),
    Ask(Box<dyn Ask>),
}

/// A scorer in its frame.
struct Framed {
    identity: Value,
    frame: Frame,
    work: Work,
}

impl Scorer for Framed {
    fn name(&self) -> &str {
        self.frame.name()
    }

    fn identity(&self) -> Value {
        self.identity.clone()
    }

    fn score<'a>(
        &'a self,
        cx: &'a CallContext,
        sample: &'a Sample,
        output: &'a Output,
    ) -> BoxFuture<'a, Vec<SampleScore>> {
        Box::pin(async move {
            let found = match (self.frame.subject(sample, output), &self.work) {
                (Err(verdict), _) => Found::of(verdict, ""),
                (Ok(subject), Work::Rule(rule)) => rule.check(&subject),
                (Ok(subject), Work::Ask(ask)) => ask.ask(cx, sample, subject).await,
            };
            self.frame.scores(found)
        })
    }
}
