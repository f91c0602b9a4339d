//! Rankings: `ranking`.

use super::spec::{Measure, Ranking};
use super::subject::{Found, Rule, Subject, as_text};
use hanok_stats::{average_precision, ndcg_at, recall_at, reciprocal_rank};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;

/// `ranking`.
pub(crate) struct Ranked(Ranking);

impl Ranked {
    pub(crate) fn new(spec: Ranking) -> Result<Self, String> {
        if spec.k == 0 {
            return Err("`k` is how many of the first count, from 1".to_owned());
        }
        Ok(Self(spec))
    }
}

impl Rule for Ranked {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let Some(expected) = subject.expected.as_deref() else {
            return Found::skipped("the sample does not say which are relevant");
        };
        let gains = match gains(expected) {
            Ok(gains) => gains,
            Err(why) => return Found::failed(why),
        };
        let judged: Vec<f64> = gains.values().copied().filter(|gain| *gain > 0.0).collect();
        if judged.is_empty() {
            return Found::skipped("nothing is relevant to this sample");
        }
        let found = match subject.json(true) {
            Ok(found) => found,
            Err(why) => return Found::failed(format!("the output is no list of names: {why}")),
        };
        let Value::Array(found) = found.as_ref() else {
            return Found::failed("the output is no list of names");
        };
        // What stands in the list twice is found once.
        let mut left = gains.clone();
        let ranked: Vec<f64> = found
            .iter()
            .take(self.0.k)
            .map(|name| left.remove(as_text(name).as_ref()).unwrap_or(0.0))
            .collect();
        let hits = ranked.iter().filter(|gain| **gain > 0.0).count();
        let why = format!("{hits} of the first {} are relevant, of {}", ranked.len(), judged.len());
        match self.0.measure {
            Measure::Ndcg => Found::number(ndcg_at(&ranked, &judged, self.0.k), why),
            Measure::Recall => Found::number(recall_at(&ranked, judged.len(), self.0.k), why),
            Measure::Precision => Found::number(share(hits, self.0.k), why),
            Measure::Mrr => Found::number(reciprocal_rank(&ranked), why),
            Measure::Map => Found::number(average_precision(&ranked, judged.len()), why),
            Measure::Success => Found::truth(hits > 0, why),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of hits are far below 2^53")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// How much each relevant one is worth: 1 for those of a list, what it says for those of an object.
fn gains(expected: &Value) -> Result<HashMap<Cow<'_, str>, f64>, String> {
    match expected {
        Value::Array(names) => Ok(names.iter().map(|name| (as_text(name), 1.0)).collect()),
        Value::Object(grades) => grades
            .iter()
            .map(|(name, grade)| match grade.as_f64() {
                Some(grade) => Ok((Cow::Borrowed(name.as_str()), grade)),
                None => Err(format!("the grade of `{name}` is no number: {grade}")),
            })
            .collect(),
        one => Ok(HashMap::from([(as_text(one), 1.0)])),
    }
}
