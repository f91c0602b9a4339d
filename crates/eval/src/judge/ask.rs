//! Asking one model for one verdict.

use super::prompt::{self, Case};
use super::reading::{Said, Told, read};
use super::scale::Scale;
use super::spec::JudgeSpec;
use crate::Kit;
use crate::scorer::short;
use hanok_base::{
    CallContext, ChatRequest, Dialect, Message, ModelName, NanoDollars, Operation, Provider, ProviderError,
    ProviderErrorKind, Role, Sampling, SpanScope,
};
use serde_json::Value;
use std::sync::Arc;

/// What one model said of one case in one order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answered {
    pub(super) said: Answer,
    pub(super) reasoning: String,
    pub(super) cost: Option<NanoDollars>,
}

/// How asking ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Verdict(Told),
    Refused(String),
    Unparsed(String),
    Failed(String),
}

/// One model of a judge.
pub(super) struct Member {
    pub(super) model: ModelName,
    models: Arc<dyn Provider>,
    kit: Kit,
}

impl Member {
    pub(super) fn new(model: &str, kit: &Kit) -> Result<Self, String> {
        let models = kit.models.clone().ok_or("there is no model to ask: no provider is configured")?;
        Ok(Self { model: model.into(), models, kit: kit.clone() })
    }

    /// Asks; once more where the answer cannot be read. `repeat` changes the seed.
    pub(super) async fn ask(
        &self,
        cx: &CallContext,
        spec: &JudgeSpec,
        scale: &Scale,
        case: &Case<'_>,
        swapped: bool,
        repeat: u32,
    ) -> Answered {
        let mut span = cx.span(Operation::Other, format!("judge {}", self.model));
        span.set("hanok.judge.model", self.model.as_str());
        if swapped {
            span.set("hanok.judge.swapped", true);
        }
        let request = self.request(spec, scale, case, swapped, repeat);
        let answered = self.asked(span.context(), request, scale, case).await;
        told_in(&mut span, scale, &answered);
        span.finish();
        answered
    }

    async fn asked(
        &self,
        cx: &CallContext,
        mut request: ChatRequest,
        scale: &Scale,
        case: &Case<'_>,
    ) -> Answered {
        let mut cost = None;
        let mut first_fault = None;
        loop {
            let response = match self.models.chat(cx, &request).await {
                Ok(response) => response,
                Err(error) => return Answered { said: failed(&error), reasoning: String::new(), cost },
            };
            cost = add(cost, self.kit.cost(&self.model, &response));
            let why = match read(&response, scale, case) {
                Said::Verdict { told, reasoning } => {
                    return Answered { said: Answer::Verdict(told), reasoning, cost };
                }
                Said::Refusal(words) => {
                    return Answered { said: Answer::Refused(words), reasoning: String::new(), cost };
                }
                Said::Unreadable(why) => why,
            };
            // Asked again once, with its own words before it.
            if let Some(first) = first_fault {
                let said = Answer::Unparsed(format!("{why}; at first: {first}"));
                return Answered { said, reasoning: String::new(), cost };
            }
            let text = response.choices.first().map(|choice| choice.message.plain_text()).unwrap_or_default();
            let verdicts = prompt::verdicts(scale).0.join("`, `");
            let repair = format!(
                "That cannot be read: {why}. Answer again with the JSON object alone; its `verdict` is one of \
                 `{verdicts}`."
            );
            // Some providers refuse an empty turn.
            let text = if text.trim().is_empty() { "(nothing)".to_owned() } else { text };
            request
                .messages
                .extend([Message::text(Role::Assistant, text), Message::text(Role::User, repair)]);
            first_fault = Some(why);
        }
    }

    fn request(
        &self,
        spec: &JudgeSpec,
        scale: &Scale,
        case: &Case<'_>,
        swapped: bool,
        repeat: u32,
    ) -> ChatRequest {
        let asked = prompt::asked(spec, scale, case, swapped);
        let mut request = match &spec.prompt {
            None => {
                let messages =
                    vec![Message::text(Role::System, asked.system), Message::text(Role::User, asked.user)];
                ChatRequest::new(self.model.clone(), messages)
            }
            Some(name) => {
                // The prompt says how it is asked, and the gateway finds it by its name.
                let mut request = ChatRequest::new(format!("prompt/{name}").into(), Vec::new());
                let mut variables = asked.variables;
                variables.insert("model".to_owned(), self.model.as_str().into());
                request.dialect = Some(Dialect::OpenAiChat);
                request.extra.insert("metadata".to_owned(), Value::Object(variables));
                request
            }
        };
        request.output = prompt::schema(spec, scale);
        request.sampling = Sampling {
            temperature: spec.temperature.0,
            seed: Some(spec.seed.saturating_add(i64::from(repeat))),
            max_tokens: spec.max_tokens,
            ..Sampling::default()
        };
        request
    }
}

fn failed(error: &ProviderError) -> Answer {
    if error.kind == ProviderErrorKind::ContentFilter {
        Answer::Refused(error.message.clone())
    } else {
        Answer::Failed(error.to_string())
    }
}

fn told_in(span: &mut SpanScope, scale: &Scale, answered: &Answered) {
    let (state, words) = match &answered.said {
        Answer::Verdict(told) => {
            let verdict = match told {
                Told::Level(level) => scale.label(*level),
                Told::First => "A",
                Told::Second => "B",
                Told::Tie => "tie",
            };
            span.set("hanok.judge.verdict", verdict);
            return;
        }
        Answer::Refused(words) => ("judge_refused", words),
        Answer::Unparsed(words) => ("judge_unparsed", words),
        Answer::Failed(words) => ("judge_failed", words),
    };
    span.fail(state, short(words));
}

/// Two costs together; unknown only where both are.
pub(crate) fn add(a: Option<NanoDollars>, b: Option<NanoDollars>) -> Option<NanoDollars> {
    match (a, b) {
        (Some(a), Some(b)) => Some(NanoDollars(a.0.saturating_add(b.0))),
        (one, None) | (None, one) => one,
    }
}
