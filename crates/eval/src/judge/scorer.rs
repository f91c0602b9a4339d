//! A judge as a scorer.

use super::judge::{Judge, Judgement};
use super::prompt::Case;
use super::spec::Form;
use crate::json;
use crate::scorer::{Ask, Found, Subject};
use hanok_base::{BoxFuture, CallContext, Object, Role, Sample, ScoreValue, Verdict};
use serde_json::Value;
use serde_json_path::JsonPath;

/// A judge of outputs. Beside its verdict it gives, of a panel, `agreement` and each member's verdict by its model's
/// name; of an ordinal judge the `level` as a word; of a pairwise one whether it was `consistent` over both orders.
pub(crate) struct Judging {
    judge: Judge,
    question: Option<JsonPath>,
    against: JsonPath,
}

impl Judging {
    pub(crate) fn new(judge: Judge) -> Result<Self, String> {
        let spec = judge.spec();
        let question = spec.question.as_deref().map(json::path).transpose()?;
        let against = json::path(&spec.against)?;
        Ok(Self { judge, question, against })
    }

    fn found(&self, judgement: Judgement) -> Found {
        let mut found = Found::of(judgement.verdict, judgement.reasoning);
        found.cost = judgement.cost;
        if let (Form::Ordinal, Some(level)) = (self.judge.spec().form, judgement.level) {
            let label = ScoreValue::Label(self.judge.scale().label(level).to_owned());
            found.parts.push(("level".to_owned(), Verdict::Value(label)));
        }
        if let Some(consistent) = judgement.consistent {
            found.parts.push(("consistent".to_owned(), Verdict::Value(ScoreValue::Truth(consistent))));
        }
        if let Some(agreement) = judgement.agreement {
            found.parts.push(("agreement".to_owned(), Verdict::Value(ScoreValue::Number(agreement))));
            let members = judgement.opinions.into_iter();
            found.parts.extend(members.map(|opinion| (opinion.model.as_str().to_owned(), opinion.verdict)));
        }
        found
    }
}

impl Ask for Judging {
    fn ask<'a>(
        &'a self,
        cx: &'a CallContext,
        sample: &'a Sample,
        subject: Subject<'a>,
    ) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            let spec = self.judge.spec();
            let question = match &self.question {
                Some(path) => match json::at(path, &Value::Object(sample.input.clone())) {
                    Some(value) => text_of(&value),
                    None => return Found::skipped(format!("nothing is at {path} of the sample's input")),
                },
                None => question(&sample.input, &subject),
            };
            let reference = subject.expected.as_deref().filter(|_| spec.reference).map(text_of);
            if spec.reference && reference.is_none() {
                return Found::skipped(
                    "the judge needs a reference, and the sample says nothing of what is expected",
                );
            }
            let other = if spec.form == Form::Pairwise {
                let row = serde_json::to_value(sample).unwrap_or_default();
                match json::at(&self.against, &row) {
                    Some(value) => Some(text_of(&value)),
                    None => {
                        return Found::skipped(format!(
                            "nothing to compare with is at {} of the sample",
                            self.against
                        ));
                    }
                }
            } else {
                None
            };
            let case = Case {
                question: &question,
                reference: reference.as_deref(),
                answer: &subject.text,
                other: other.as_deref(),
                origin: None,
            };
            self.found(self.judge.judge(cx, &case, 0).await)
        })
    }
}

/// What was asked, for a judge: the only member of the input as text (messages as a conversation), or all of them as
/// JSON.
pub fn question_of(input: &Object) -> String {
    let mut members = input.values();
    match (members.next(), members.next()) {
        (None, _) => String::new(),
        (Some(Value::Array(list)), None) => match list.iter().map(turn).collect::<Option<Vec<String>>>() {
            Some(turns) if !turns.is_empty() => turns.join("\n\n"),
            _ => text_of(&Value::Array(list.clone())),
        },
        (Some(only), None) => text_of(only),
        _ => text_of(&Value::Object(input.clone())),
    }
}

fn question(input: &Object, subject: &Subject<'_>) -> String {
    let question = question_of(input);
    if !question.is_empty() {
        return question;
    }
    let asked = subject.output.messages.iter().rev().find(|message| message.role == Role::User);
    asked.map(hanok_base::Message::plain_text).unwrap_or_default()
}

/// A message as `role: text`.
fn turn(message: &Value) -> Option<String> {
    let text = message.get("content")?.as_str()?;
    Some(format!("{}: {text}", message.get("role")?.as_str()?))
}

/// A text as it is, data as JSON that people can read.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}
