//! Scorers that a row brings itself, in its metadata under `scorers`: tables as an eval's file has them, whose texts
//! may hold `{{variables}}` of the row.

use crate::Kit;
use crate::scorer::{self, ScorerSpec};
use crate::template::fill_value;
use hanok_base::{BoxFuture, CallContext, Output, Sample, SampleScore, ScoreValue, Scorer, Verdict};
use serde_json::{Value, json};

/// Scores by what the row asks for, and says whether all of it holds.
pub struct RowScorers {
    kit: Kit,
}

impl RowScorers {
    /// With what scorers are made with.
    pub fn new(kit: Kit) -> Self {
        Self { kit }
    }

    async fn one(
        &self,
        cx: &CallContext,
        sample: &Sample,
        output: &Output,
        table: &Value,
    ) -> Vec<SampleScore> {
        let text = |name: &str| table.get(name).and_then(Value::as_str).map(str::to_owned);
        let name = text("name").or_else(|| text("kind")).unwrap_or_else(|| "scorer".to_owned());
        let failed = |why: String| {
            vec![SampleScore {
                name: name.clone(),
                verdict: Verdict::Failed(why),
                explanation: String::new(),
                cost: None,
            }]
        };
        if text("kind").as_deref() == Some("unsupported") {
            return failed(format!("not supported: {}", text("why").unwrap_or_default()));
        }
        let filled = match fill_value(table, &sample.input) {
            Ok(filled) => filled,
            Err(reason) => return failed(reason),
        };
        let built = serde_json::from_value::<ScorerSpec>(filled)
            .map_err(|error| error.to_string())
            .and_then(|spec| scorer::build(&spec, &self.kit).map_err(|error| error.to_string()));
        match built {
            Ok(scorer) => scorer.score(cx, sample, output).await,
            Err(reason) => failed(reason),
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
                let verdict = Verdict::Skipped("the row brings no scorers".to_owned());
                return vec![SampleScore {
                    name: "pass".to_owned(),
                    verdict,
                    explanation: String::new(),
                    cost: None,
                }];
            };
            let mut scores = Vec::new();
            for table in tables {
                scores.extend(self.one(cx, sample, output, table).await);
            }
            let lacking = scores.iter().find(|score| score.verdict.value().is_none());
            let wrong: Vec<&str> = scores
                .iter()
                .filter(|score| score.verdict == Verdict::Value(ScoreValue::Truth(false)))
                .map(|score| score.name.as_str())
                .collect();
            // What is known to be wrong is wrong, whatever else could not be told.
            let verdict = match (wrong.is_empty(), lacking) {
                (false, _) => Verdict::Value(ScoreValue::Truth(false)),
                (true, None) => Verdict::Value(ScoreValue::Truth(true)),
                (true, Some(score)) => Verdict::Failed(format!("`{}` has no value", score.name)),
            };
            let explanation = wrong.join(", ");
            scores.insert(0, SampleScore { name: "pass".to_owned(), verdict, explanation, cost: None });
            scores
        })
    }
}
