//! Where people and a judge differ on a trace.

use super::{Online, OnlineError, Rule};
use crate::dataset::from_traces::{Taken, row};
use crate::judge::Scale;
use crate::labels::of_trace_sample;
use hanok_base::{ScoreValue, Timestamp, TraceId};
use hanok_store::{NewQueue, Score, ScoreTarget, ScoringDay};

/// Under this name the cursor over scores stands in the store.
const CURSOR: &str = "scoring.feedback";
/// Scores looked at together.
const BATCH: usize = 500;
/// How urgent a disagreement is beside what was only sampled.
const URGENCY: u32 = 10;

impl Online {
    /// Looks at scores that came since the last time: where one of people differs from the judge's of the same trace,
    /// whichever came first, the trace goes to the rule's queue.
    pub async fn feedback(&self) -> Result<(), OnlineError> {
        let rules = self.rules.load_full();
        if rules.iter().all(|rule| rule.feedback.is_none() || rule.queue.is_none()) {
            return Ok(());
        }
        let store = self.traces.store();
        let scores = store.scores(None);
        let newest = scores.newest().await?;
        let begun = store.cursors().get(CURSOR).await?;
        if begun.is_none() {
            store.cursors().set(CURSOR, newest).await?;
        }
        let mut done = begun.unwrap_or(newest);
        while done < newest {
            let found = scores.after(done, BATCH).await?;
            let Some((last, _)) = found.last() else { return Ok(()) };
            done = *last;
            for (_, score) in &found {
                let (ScoreTarget::Trace(id) | ScoreTarget::Span(id, _)) = score.target else { continue };
                for rule in rules.iter() {
                    if score.name == rule.name || rule.feedback.as_ref() == Some(&score.name) {
                        self.compare(rule, id).await?;
                    }
                }
            }
            store.cursors().set(CURSOR, done).await?;
        }
        Ok(())
    }

    /// Sends a trace to the rule's queue where its judge and people differ.
    async fn compare(&self, rule: &Rule, id: TraceId) -> Result<(), OnlineError> {
        let (Some(feedback), Some(queue)) = (&rule.feedback, &rule.queue) else { return Ok(()) };
        let Some(trace) = self.traces.get(id).await? else { return Ok(()) };
        let store = self.traces.store();
        let scores = store.scores(None).of_trace(id, trace.summary.project.clone()).await?;
        let of = |name: &str, is_judge: bool| {
            let wanted = |score: &&Score| score.name == name && (score.source == "judge") == is_judge;
            scores.iter().rev().find(wanted)
        };
        let (Some(judge), Some(people)) = (of(&rule.name, true), of(feedback, false)) else { return Ok(()) };
        let (Some(one), Some(other)) = (said_yes(&judge.value), said_yes(&people.value)) else {
            return Ok(());
        };
        if one == other {
            return Ok(());
        }
        let Some(sample) = row(id, trace, Taken::default()) else { return Ok(()) };
        let Some(item) = of_trace_sample(&sample, "disagreement", URGENCY) else { return Ok(()) };
        let annotations = store.annotations(None);
        let known = annotations.queue(queue).await?;
        let queue = if known.is_some() {
            known
        } else {
            let new = NewQueue {
                project: String::new(),
                name: queue.clone(),
                instructions: format!("`{}` and people's `{feedback}` differ: who is right?", rule.name),
                scale: serde_json::to_value(Scale::binary()).unwrap_or_default(),
                wanted: 1,
            };
            annotations.put_queue(new).await?
        };
        let Some(queue) = queue else { return Ok(()) };
        if annotations.add(queue.id, vec![item]).await? > 0 {
            let day = ScoringDay {
                rule: rule.name.clone(),
                identity: rule.identity.clone(),
                day: Timestamp::now().day(),
                queued: 1,
                ..ScoringDay::default()
            };
            store.judgements(None).count(vec![day]).await?;
        }
        Ok(())
    }
}

/// Whether a score says yes: it is true, above one half of a share, or a label that means so. `None` of what is neither.
pub fn said_yes(value: &ScoreValue) -> Option<bool> {
    match value {
        ScoreValue::Number(number) if (0.0..=1.0).contains(number) => Some(*number > 0.5),
        // Thumbs are also counted as 1 and -1.
        ScoreValue::Number(number) if (number.abs() - 1.0).abs() < 1e-9 => Some(*number > 0.0),
        ScoreValue::Number(_) => None,
        value => Scale::binary().level(value).map(|level| level > 0),
    }
}
