//! Scorers: what says how good an output is.
//!
//! Deliberately not here: what a scorer's numbers are worth over many samples (`hanok-stats`), and how far a judge
//! can be trusted (`calibration`).
//!
//! Reading order: [`spec`] (as a file has it), `subject` (what is looked at), `texts`, `data`, `numbers`.

mod data;
mod numbers;
pub mod spec;
mod subject;
mod texts;

pub use spec::{Common, Kind, ScorerSpec, SpecError};
pub(crate) use subject::{Found, Frame, Rule};

use crate::Kit;
use hanok_base::{BoxFuture, CallContext, Output, Sample, SampleScore, Scorer};
use serde_json::Value;
use std::sync::Arc;

/// A scorer out of its table.
pub fn build(spec: &ScorerSpec, kit: &Kit) -> Result<Arc<dyn Scorer>, SpecError> {
    let frame = Frame::new(spec)?;
    let fault = |message: String| SpecError { name: spec.name.clone(), message };
    let rule: Box<dyn Rule> = match &spec.kind {
        Kind::Exact(spec) => Box::new(texts::Exact(spec.clone())),
        Kind::Contains(spec) => Box::new(texts::Holds(spec.clone())),
        Kind::Regex(spec) => Box::new(texts::Matches::new(spec).map_err(fault)?),
        Kind::JsonSchema(spec) => Box::new(data::Fits::new(spec, &kit.base).map_err(fault)?),
        Kind::JsonPath(spec) => Box::new(data::AtPath::new(spec).map_err(fault)?),
        Kind::Numeric(spec) => Box::new(numbers::Near::new(spec).map_err(fault)?),
        Kind::EditDistance(spec) => Box::new(texts::Distance(spec.clone())),
        Kind::ToolCalls(spec) => Box::new(data::Called(*spec)),
        Kind::Latency(spec) => Box::new(numbers::InTime::new(*spec)),
        Kind::Cost(spec) => Box::new(numbers::InBudget::new(*spec)),
        other => return Err(fault(format!("`{}` is not offered yet", other.name()))),
    };
    Ok(Arc::new(Ruled { identity: identity(spec), frame, rule }))
}

/// All of a table but its name: two scorers that differ in name only give the same scores.
fn identity(spec: &ScorerSpec) -> Value {
    let mut identity = serde_json::to_value(spec).unwrap_or_default();
    if let Value::Object(members) = &mut identity {
        members.shift_remove("name");
    }
    identity
}

/// A scorer that asks nobody.
struct Ruled {
    identity: Value,
    frame: Frame,
    rule: Box<dyn Rule>,
}

impl Scorer for Ruled {
    fn name(&self) -> &str {
        self.frame.name()
    }

    fn identity(&self) -> Value {
        self.identity.clone()
    }

    fn score<'a>(
        &'a self,
        _: &'a CallContext,
        sample: &'a Sample,
        output: &'a Output,
    ) -> BoxFuture<'a, Vec<SampleScore>> {
        Box::pin(async move {
            let found = match self.frame.subject(sample, output) {
                Ok(subject) => self.rule.check(&subject),
                Err(verdict) => Found::of(verdict, ""),
            };
            self.frame.scores(found)
        })
    }
}
