//! A model, an alias, a route, an agent or a prompt of the house: all of them names that the gateway knows.

use super::Bench;
use crate::kit::told_cost;
use crate::spec::{ModelTask, PromptTask, SamplingSpec, TemplateMessage};
use crate::template::{fill, only_text, text};
use hanok_base::{
    BoxFuture, CallContext, ChatRequest, ChatResponse, Dialect, Message, ModelName, Object, Output,
    OutputFormat, Part, Provider, Role, Sample, Task, TaskError, ToolSpec,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// Asks the gateway for an answer.
pub(super) struct ChatTask {
    models: Arc<dyn Provider>,
    model: ModelName,
    asks: Asks,
    sampling: SamplingSpec,
    tools: Vec<ToolSpec>,
    identity: Value,
}

/// What is sent.
enum Asks {
    /// These messages, filled in; none: what the row itself has of messages.
    Messages(Vec<TemplateMessage>),
    /// Variables for a prompt.
    Variables(Object),
}

fn no_models() -> TaskError {
    TaskError::Invalid("there are no models here: configure a provider in hanok.toml".to_owned())
}

impl ChatTask {
    pub(super) fn of_model(spec: &ModelTask, bench: &Bench) -> Result<Self, TaskError> {
        let mut messages = spec.messages.clone();
        if !messages.is_empty() && (spec.template.is_some() || spec.system.is_some()) {
            return Err(TaskError::Invalid(
                "task: give either `messages`, or `template` and `system`".to_owned(),
            ));
        }
        let system = spec.system.iter().map(|text| (Role::System, text));
        let user = spec.template.iter().map(|text| (Role::User, text));
        let made = |(role, text): (Role, &String)| TemplateMessage { role, content: text.clone() };
        messages.extend(system.chain(user).map(made));
        let identity = json!({
            "kind": "model", "model": spec.model, "stands_for": bench.aliases.get(&spec.model),
            "messages": messages, "sampling": spec.sampling,
        });
        Ok(Self {
            models: bench.kit.models.clone().ok_or_else(no_models)?,
            model: spec.model.as_str().into(),
            asks: Asks::Messages(messages),
            tools: tools(&spec.sampling)?,
            sampling: spec.sampling.clone(),
            identity,
        })
    }

    pub(super) async fn of_prompt(spec: &PromptTask, bench: &Bench) -> Result<Self, TaskError> {
        let version = match &bench.prompts {
            Some(prompts) => Some(prompts.version(&spec.prompt).await.map_err(TaskError::Invalid)?),
            None => None,
        };
        let identity = json!({
            "kind": "prompt", "prompt": spec.prompt, "version": version, "variables": spec.variables,
            "sampling": spec.sampling,
        });
        Ok(Self {
            models: bench.kit.models.clone().ok_or_else(no_models)?,
            model: format!("prompt/{}", spec.prompt).into(),
            asks: Asks::Variables(spec.variables.clone()),
            tools: tools(&spec.sampling)?,
            sampling: spec.sampling.clone(),
            identity,
        })
    }

    fn request(&self, sample: &Sample, repeat: u32) -> Result<ChatRequest, TaskError> {
        let mut request = ChatRequest::new(self.model.clone(), Vec::new());
        match &self.asks {
            Asks::Messages(templates) => {
                let mut messages = Vec::with_capacity(templates.len() + 1);
                for template in templates {
                    let text = fill(&template.content, &sample.input).map_err(TaskError::Invalid)?;
                    messages.push(Message::text(template.role, text));
                }
                // A system message alone asks nothing: the row does.
                if !templates.iter().any(|template| template.role == Role::User) {
                    messages.extend(own_messages(&sample.input)?);
                }
                request.messages = messages;
            }
            Asks::Variables(defaults) => {
                let mut variables = defaults.clone();
                variables.extend(sample.input.clone());
                request.dialect = Some(Dialect::OpenAiChat);
                request.extra.insert("metadata".to_owned(), Value::Object(variables));
            }
        }
        let sampling = &self.sampling;
        request.sampling.temperature = sampling.temperature;
        request.sampling.top_p = sampling.top_p;
        request.sampling.max_tokens = sampling.max_tokens;
        request.sampling.seed = sampling.seed.map(|seed| seed.saturating_add(i64::from(repeat)));
        request.reasoning.effort.clone_from(&sampling.reasoning_effort);
        if let Some(schema) = &sampling.schema {
            request.output = OutputFormat::JsonSchema {
                name: "answer".to_owned(),
                schema: Some(schema.clone()),
                strict: Some(true),
                extra: Object::new(),
            };
        }
        request.tools.clone_from(&self.tools);
        Ok(request)
    }
}

impl Task for ChatTask {
    fn name(&self) -> &str {
        self.model.as_str()
    }

    fn identity(&self) -> Value {
        self.identity.clone()
    }

    fn run<'a>(
        &'a self,
        cx: &'a CallContext,
        sample: &'a Sample,
        repeat: u32,
    ) -> BoxFuture<'a, Result<Output, TaskError>> {
        Box::pin(async move {
            let request = self.request(sample, repeat)?;
            let started = Instant::now();
            let response = self.models.chat(cx, &request).await?;
            let mut output = output(response, self.sampling.schema.is_some());
            output.latency = started.elapsed();
            output.messages = request.messages;
            Ok(output)
        })
    }
}

/// What an answer is as an output. Whoever asked through another process says under `hanok_call` what it cost there.
fn output(response: ChatResponse, is_structured: bool) -> Output {
    let mut output = Output { usage: response.usage, ..Output::default() };
    if let Some(call) = response.extra.get("hanok_call") {
        output.trace = call.get("trace_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    }
    output.cost = told_cost(&response);
    let mut refusal = String::new();
    for part in response.choices.into_iter().next().map(|choice| choice.message.parts).unwrap_or_default() {
        match part {
            Part::Text(text) => output.text.push_str(&text),
            Part::Reasoning(reasoning) => output.reasoning.push_str(&reasoning.text),
            Part::ToolCall(call) => output.tool_calls.push(call),
            Part::Citation(citation) => output.citations.push(citation),
            Part::Refusal(text) => refusal.push_str(&text),
            _ => {}
        }
    }
    if output.text.is_empty() {
        output.text = refusal;
    }
    if is_structured {
        output.value = serde_json::from_str(&output.text).ok();
    }
    output
}

/// The messages that a row has of its own: `messages` or `input` where that is a list of them, or its only text.
fn own_messages(input: &Object) -> Result<Vec<Message>, TaskError> {
    let list = ["messages", "input"].into_iter().find_map(|name| input.get(name)?.as_array());
    let Some(list) = list else {
        return Ok(vec![Message::text(Role::User, only_text(input))]);
    };
    list.iter()
        .enumerate()
        .map(|(at, message)| {
            let invalid = |what: &str| TaskError::Invalid(format!("message {} of the row {what}", at + 1));
            let role = message.get("role").cloned().unwrap_or_default();
            let role: Role = serde_json::from_value(role)
                .map_err(|_| invalid("has no role (`system`, `user`, `assistant`, …)"))?;
            let content = match message.get("content") {
                Some(Value::Array(parts)) => {
                    parts.iter().filter_map(|part| part.get("text")).map(text).collect::<String>()
                }
                Some(content) => text(content),
                None => return Err(invalid("has no content")),
            };
            Ok(Message::text(role, content))
        })
        .collect()
}

/// Tools as OpenAI's chat completions write them, with or without `function` around.
fn tools(sampling: &SamplingSpec) -> Result<Vec<ToolSpec>, TaskError> {
    sampling
        .tools
        .iter()
        .map(|tool| {
            let function = tool.get("function").unwrap_or(tool);
            let member = |name: &str| function.get(name).and_then(Value::as_str).map(str::to_owned);
            let name = member("name")
                .ok_or_else(|| TaskError::Invalid(format!("task.tools: a tool has no name: {tool}")))?;
            Ok(ToolSpec {
                name,
                description: member("description"),
                parameters: function.get("parameters").cloned(),
                strict: function.get("strict").and_then(Value::as_bool),
                extra: Object::new(),
            })
        })
        .collect()
}
