//! Scorers that a row brings itself, in its metadata under `scorers`: tables as an eval's file has them, whose texts
//! may hold `{{variables}}` of the row.
//!
//! Beside the kinds of an eval's file there are two: `code` runs an expression or a file in JavaScript or Python, and
//! `set` holds others and says whether enough of them do. A table may have a `weight` (1), and a `transform`: code that
//! makes what is scored of the output; a row may have one, too. `pass` says whether all of a row's scorers hold, or,
//! where the row has a `threshold`, whether the mean of their points by weight reaches it. A yes is one point and a no
//! none, a number is as many points; what weighs nothing decides nothing.

use super::code;
use crate::Kit;
use crate::scorer::{self, ScorerSpec};
use crate::template::fill_value;
use hanok_base::{BoxFuture, CallContext, Object, Output, Sample, SampleScore, ScoreValue, Scorer, Verdict};
use serde_json::{Value, json};
use std::borrow::Cow;

/// Members of a table that are not its scorer's own.
const AROUND: [&str; 3] = ["assertion", "weight", "transform"];

/// Scores by what the row asks for, and says whether all of it holds.
pub struct RowScorers {
    kit: Kit,
}

/// What one table came to.
struct Part {
    name: String,
    /// Whether it holds; `None` where that is not known.
    holds: Option<bool>,
    /// How many points; `None` where that is not known.
    points: Option<f64>,
    weight: f64,
    /// Whether it decides anything: labels, and numbers without a limit, do not.
    counts: bool,
}

impl RowScorers {
    /// With what scorers are made with.
    pub fn new(kit: Kit) -> Self {
        Self { kit }
    }

    /// What a table says; its scores go to `scores`.
    fn part<'a>(
        &'a self,
        cx: &'a CallContext,
        sample: &'a Sample,
        output: &'a Output,
        table: &'a Value,
        scores: &'a mut Vec<SampleScore>,
    ) -> BoxFuture<'a, Part> {
        Box::pin(async move {
            let text = |name: &str| table.get(name).and_then(Value::as_str).map(str::to_owned);
            let name = text("name").or_else(|| text("kind")).unwrap_or_else(|| "scorer".to_owned());
            let weight = table.get("weight").and_then(Value::as_f64).unwrap_or(1.0);
            let transformed = match table.get("transform") {
                None => Ok(Cow::Borrowed(output)),
                Some(transform) => self.transformed(transform, sample, output).await.map(Cow::Owned),
            };
            let (holds, points, counts) = match (transformed, text("kind").as_deref()) {
                (Err(why), _) => {
                    scores.push(score(&name, Verdict::Failed(why), ""));
                    (None, None, true)
                }
                (Ok(_), Some("unsupported")) => {
                    let why = format!("not supported: {}", text("why").unwrap_or_default());
                    scores.push(score(&name, Verdict::Failed(why), ""));
                    (None, None, true)
                }
                (Ok(output), Some("set")) => {
                    let verdict = self.set(cx, sample, &output, table, scores).await;
                    let (holds, points) = (verdict.holds, verdict.points);
                    scores.push(score(&name, verdict.verdict(), &verdict.why));
                    (holds, points, true)
                }
                (Ok(output), Some("code")) => {
                    let (verdict, why, points) = self.code(sample, &output, table).await;
                    let holds = match &verdict {
                        Verdict::Value(ScoreValue::Truth(holds)) => Some(*holds),
                        Verdict::Value(ScoreValue::Number(number)) => Some(*number > 0.0),
                        _ => None,
                    };
                    scores.push(score(&name, verdict, &why));
                    (holds, points, true)
                }
                (Ok(output), _) => {
                    let found = self.plain(cx, sample, &output, table, &name).await;
                    let told = summed(&found);
                    scores.extend(found);
                    told
                }
            };
            Part { name, holds, points, weight, counts }
        })
    }

    /// An output after code was run over it.
    async fn transformed(
        &self,
        transform: &Value,
        sample: &Sample,
        output: &Output,
    ) -> Result<Output, String> {
        let made = code::run(transform, "get_transform", sample, output, &self.kit.base).await;
        let made = made.map_err(|why| format!("the transform: {why}"))?;
        let (text, value) = match made {
            Value::Null => return Err("the transform: it made nothing".to_owned()),
            Value::String(text) => (text, None),
            other => (other.to_string(), Some(other)),
        };
        Ok(Output { text, value, ..output.clone() })
    }

    /// A scorer of a kind that an eval's file has.
    async fn plain(
        &self,
        cx: &CallContext,
        sample: &Sample,
        output: &Output,
        table: &Value,
        name: &str,
    ) -> Vec<SampleScore> {
        let own = table.as_object().into_iter().flatten();
        let own: Object = own
            .filter(|(name, _)| !AROUND.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let built = fill_value(&Value::Object(own), &sample.input).and_then(|filled| {
            let spec = serde_json::from_value::<ScorerSpec>(filled).map_err(|error| error.to_string())?;
            scorer::build(&spec, &self.kit).map_err(|error| error.to_string())
        });
        match built {
            Ok(scorer) => scorer.score(cx, sample, output).await,
            Err(reason) => vec![score(name, Verdict::Failed(reason), "")],
        }
    }

    /// What code says: a verdict, why, and its points.
    async fn code(&self, sample: &Sample, output: &Output, table: &Value) -> (Verdict, String, Option<f64>) {
        let failed = |why: String| (Verdict::Failed(why), String::new(), None);
        let mut filled = table.clone();
        if let Some(code) = filled.get_mut("code") {
            match fill_value(code, &sample.input) {
                Ok(text) => *code = text,
                Err(why) => return failed(why),
            }
        }
        let not = table.get("not").and_then(Value::as_bool).unwrap_or(false);
        let limit = table.get("threshold").and_then(Value::as_f64);
        let result = match code::run(&filled, "get_assert", sample, output, &self.kit.base).await {
            Ok(result) => result,
            Err(why) => return failed(why),
        };
        let truth = |holds: bool| {
            (Verdict::Value(ScoreValue::Truth(holds)), String::new(), Some(f64::from(u8::from(holds))))
        };
        let number = |number: f64| match limit {
            Some(limit) => {
                (Verdict::Value(ScoreValue::Truth(number >= limit)), number.to_string(), Some(number))
            }
            None => (Verdict::Value(ScoreValue::Number(number)), String::new(), Some(number)),
        };
        let said = match &result {
            Value::String(text) => serde_json::from_str(&text.trim().to_lowercase()).unwrap_or_default(),
            other => other.clone(),
        };
        match (&said, &result) {
            (Value::Bool(holds), _) => truth(*holds != not),
            (Value::Number(said), _) => number(said.as_f64().unwrap_or_default()),
            (_, Value::Object(members)) => {
                let why = members.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned();
                let points = members.get("score").and_then(Value::as_f64);
                match (members.get("pass").or_else(|| members.get("pass_")).and_then(Value::as_bool), points)
                {
                    (Some(holds), points) => {
                        let points = points.or_else(|| Some(f64::from(u8::from(holds))));
                        (Verdict::Value(ScoreValue::Truth(holds)), why, points)
                    }
                    (None, Some(points)) => {
                        let (verdict, _, points) = number(points);
                        (verdict, why, points)
                    }
                    (None, None) => failed("the code answered with neither `pass` nor `score`".to_owned()),
                }
            }
            _ => failed(format!("the code answered with what is no score: {}", scorer::told(&result))),
        }
    }

    async fn set(
        &self,
        cx: &CallContext,
        sample: &Sample,
        output: &Output,
        table: &Value,
        scores: &mut Vec<SampleScore>,
    ) -> Whole {
        let mut parts = Vec::new();
        for inner in table.get("scorers").and_then(Value::as_array).into_iter().flatten() {
            parts.push(self.part(cx, sample, output, inner, scores).await);
        }
        Whole::of(&parts, table.get("threshold").and_then(Value::as_f64))
    }
}

fn score(name: &str, verdict: Verdict, why: &str) -> SampleScore {
    SampleScore { name: name.to_owned(), verdict, explanation: why.to_owned(), cost: None }
}

/// What the scores of one scorer say together: whether all hold, the mean of their points, whether that counts.
fn summed(scores: &[SampleScore]) -> (Option<bool>, Option<f64>, bool) {
    let truths: Vec<Option<bool>> = scores
        .iter()
        .filter_map(|score| match score.verdict.value() {
            None => Some(None),
            Some(ScoreValue::Truth(holds)) => Some(Some(*holds)),
            Some(_) => None,
        })
        .collect();
    if truths.is_empty() {
        return (None, None, false);
    }
    if truths.contains(&Some(false)) {
        return (Some(false), Some(0.0), true);
    }
    let holds = (!truths.contains(&None)).then_some(true);
    (holds, holds.map(|_| 1.0), true)
}

/// What parts say together.
struct Whole {
    holds: Option<bool>,
    /// Their points' mean by weight.
    points: Option<f64>,
    why: String,
    lacking: String,
}

impl Whole {
    fn of(parts: &[Part], threshold: Option<f64>) -> Self {
        let counted = || parts.iter().filter(|part| part.counts && part.weight > 0.0);
        let weights: f64 = counted().map(|part| part.weight).sum();
        let known: f64 = counted().filter_map(|part| Some(part.points? * part.weight)).sum();
        let unknown: f64 = counted().filter(|part| part.points.is_none()).map(|part| part.weight).sum();
        let wrong: Vec<&str> =
            counted().filter(|part| part.holds == Some(false)).map(|part| part.name.as_str()).collect();
        let lacking = counted().find(|part| part.holds.is_none()).map(|part| part.name.clone());
        // Sums differ in their last digits by the order of their terms.
        let mean = |sum: f64| if weights > 0.0 { (sum / weights * 1e12).round() / 1e12 } else { 0.0 };
        let holds = match threshold {
            // What is not known may still not matter.
            Some(threshold) if mean(known) >= threshold => Some(true),
            Some(threshold) if mean(known + unknown) < threshold => Some(false),
            Some(_) => None,
            // What is known to be wrong is wrong, whatever else could not be told.
            None if !wrong.is_empty() => Some(false),
            None => lacking.is_none().then_some(true),
        };
        let points = (unknown <= 0.0).then(|| mean(known));
        let why = match (threshold, points) {
            (Some(threshold), Some(points)) => format!("{points:.3} of {threshold}"),
            _ => wrong.join(", "),
        };
        Self { holds, points, why, lacking: lacking.unwrap_or_default() }
    }

    fn verdict(&self) -> Verdict {
        match self.holds {
            Some(holds) => Verdict::Value(ScoreValue::Truth(holds)),
            None => Verdict::Failed(format!("`{}` has no value", self.lacking)),
        }
    }
}

impl Scorer for RowScorers {
    fn name(&self) -> &'static str {
        "row"
    }

    fn identity(&self) -> Value {
        json!({ "kind": "row" })
    }

    fn score<'a>(
        &'a self,
        cx: &'a CallContext,
        sample: &'a Sample,
        output: &'a Output,
    ) -> BoxFuture<'a, Vec<SampleScore>> {
        Box::pin(async move {
            let Some(tables) = sample.metadata.get("scorers").and_then(Value::as_array) else {
                let why = "the row brings no scorers".to_owned();
                return vec![score("pass", Verdict::Skipped(why), "")];
            };
            let output = match sample.metadata.get("transform") {
                None => Cow::Borrowed(output),
                Some(transform) => match self.transformed(transform, sample, output).await {
                    Ok(made) => Cow::Owned(made),
                    Err(why) => return vec![score("pass", Verdict::Failed(why), "")],
                },
            };
            let (mut scores, mut parts) = (Vec::new(), Vec::new());
            for table in tables {
                parts.push(self.part(cx, sample, &output, table, &mut scores).await);
            }
            let whole = Whole::of(&parts, sample.metadata.get("threshold").and_then(Value::as_f64));
            scores.insert(0, score("pass", whole.verdict(), &whole.why));
            scores
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_a_whole() {
        let part = |holds: Option<bool>, weight: f64| Part {
            name: "p".to_owned(),
            holds,
            points: holds.map(|holds| f64::from(u8::from(holds))),
            weight,
            counts: true,
        };
        let (yes, no, lost) = (Some(true), Some(false), None);
        let check = |parts: &[(Option<bool>, f64)], threshold: Option<f64>, expect: Option<bool>| {
            let made: Vec<Part> = parts.iter().map(|(holds, weight)| part(*holds, *weight)).collect();
            assert_eq!(Whole::of(&made, threshold).holds, expect, "{parts:?} {threshold:?}");
        };
        check(&[(yes, 1.0), (yes, 1.0)], None, yes);
        check(&[(yes, 1.0), (no, 1.0)], None, no);
        check(&[(yes, 1.0), (lost, 1.0)], None, lost);
        check(&[(no, 1.0), (lost, 1.0)], None, no);
        check(&[(yes, 1.0), (no, 0.0), (lost, 0.0)], None, yes);
        check(&[(yes, 1.0), (no, 1.0)], Some(0.5), yes);
        check(&[(yes, 1.0), (no, 2.0)], Some(0.5), no);
        check(&[(yes, 3.0), (lost, 1.0)], Some(0.7), yes);
        check(&[(yes, 1.0), (lost, 1.0)], Some(0.7), lost);
        check(&[(no, 3.0), (lost, 1.0)], Some(0.5), no);
        check(&[(yes, 0.1), (yes, 0.1), (yes, 0.1)], Some(1.0), yes);
        check(&[], None, yes);
    }
}
