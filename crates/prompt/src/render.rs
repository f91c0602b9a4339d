//! A prompt with its variables to what a model is asked.

use crate::error::PromptError;
use crate::prompt::Prompt;
use crate::settings;
use crate::turns::{Said, Slot, Speaker, Turn, assemble};
use crate::variables::Variables;
use hanok_base::{
    ChatRequest, Media, MediaSource, Message, ModelName, Object, OutputFormat, Part, Role, Sample, ToolSpec,
};
use serde_json::Value;

/// What a prompt is rendered in, beside its variables.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The conversation so far.
    pub history: Vec<Message>,
    /// The `@` variables (`@state`, `@auth`…).
    pub locals: Object,
    /// Rows that [`Prompt::wish`] asked for.
    pub examples: Vec<Sample>,
}

/// The examples that a prompt wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Of this dataset.
    pub dataset: String,
    /// How many.
    pub count: usize,
    /// Those nearest to this text, rather than the first ones.
    pub near: Option<String>,
}

/// What a model is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The conversation.
    pub messages: Vec<Message>,
    /// The model that the prompt names.
    pub model: Option<ModelName>,
    /// Settings of the model, as the front matter has them.
    pub config: Object,
    /// What the answer must be.
    pub output: OutputFormat,
    /// Tools that the prompt defines.
    pub tools: Vec<ToolSpec>,
    /// Tools that it names, for the request to bring.
    pub wanted_tools: Vec<String>,
    /// The variables, with defaults, as the template saw them.
    pub variables: Variables,
    prompt: String,
}

impl Prompt {
    /// The examples it wants with these variables; of the conversation, where it has none of its own, what the user
    /// said last is near.
    pub fn wish(&self, variables: &Variables, history: &[Message]) -> Option<Wish> {
        let examples = self.techniques().examples.as_ref()?;
        let text = || {
            let own = match &examples.near {
                Some(name) => variables.get(name).map(as_text),
                None => Some(variables.values().map(as_text).collect::<Vec<_>>().join("\n")),
            };
            let said =
                || history.iter().rev().find(|message| message.role == Role::User).map(Message::plain_text);
            own.filter(|text| !text.is_empty()).or_else(said).unwrap_or_default()
        };
        Some(Wish {
            dataset: examples.dataset.clone(),
            count: examples.count,
            near: examples.nearest.then(text),
        })
    }

    /// What a model is asked with these variables.
    pub fn render(&self, variables: &Variables, context: &Context) -> Result<Rendered, PromptError> {
        let variables = self.prepared(variables)?;
        let mut locals = context.locals.clone();
        let placed = self.places_examples();
        if placed {
            locals.insert("examples".to_owned(), context.examples.iter().map(as_value).collect());
        }
        let mut slots = self.turns(variables.clone(), &locals)?;
        if !placed && !context.examples.is_empty() {
            let turns = self.example_turns(&context.examples, &locals)?;
            let first = |slot: &Slot| !matches!(slot, Slot::Turn(Turn { speaker: Speaker::System, .. }));
            let at = slots.iter().position(first).unwrap_or(slots.len());
            slots.splice(at..at, turns.into_iter().map(Slot::Turn));
        }
        let (instructions, history) = split_instructions(&context.history);
        let mut messages = assemble(slots, &history, message, Message::clone);
        let asked = self.instructions();
        if !instructions.is_empty() || !asked.is_empty() {
            instruct(&mut messages, instructions, &asked);
        }
        if let Some(prefill) = &self.techniques().prefill {
            messages.push(Message::text(Role::Assistant, prefill.clone()));
        }
        let data = self.metadata();
        Ok(Rendered {
            messages,
            model: data.model.as_deref().map(ModelName::from),
            config: data.config.clone(),
            output: self.output_format(),
            tools: data.tool_defs.clone(),
            wanted_tools: data.tools.clone(),
            variables,
            prompt: self.name().to_owned(),
        })
    }

    /// What is said to the model beside the template.
    fn instructions(&self) -> Vec<String> {
        let Some(thinking) = &self.techniques().reasoning else {
            return Vec::new();
        };
        let mut said: Vec<String> = thinking.ask.iter().cloned().collect();
        // No model that is held to a schema can think aloud first, so that it is told the schema instead.
        if let Some(expected) = self.expected() {
            said.push(format!(
                "The answer is one JSON value that fits this JSON Schema, without any other text:\n{}",
                expected.schema
            ));
        }
        said
    }

    fn output_format(&self) -> OutputFormat {
        if self.techniques().reasoning.is_some() {
            return OutputFormat::Unset;
        }
        match (self.expected(), self.metadata().output_format.as_deref()) {
            (Some(expected), _) => OutputFormat::JsonSchema {
                name: schema_name(self.name()),
                schema: Some(expected.schema.clone()),
                strict: None,
                extra: Object::new(),
            },
            (None, Some("json")) => OutputFormat::Json,
            (None, _) => OutputFormat::Unset,
        }
    }

    /// Examples as turns: what the prompt's last turn of the user's would be with the example's input, and what is
    /// right.
    fn example_turns(&self, examples: &[Sample], locals: &Object) -> Result<Vec<Turn>, PromptError> {
        let mut turns = Vec::with_capacity(examples.len() * 2);
        for sample in examples {
            let mut variables = self.metadata().input_default.clone();
            variables.extend(sample.input.iter().map(|(name, value)| (name.clone(), value.clone())));
            let asked = self.turns(variables, locals)?.into_iter().rev().find_map(|slot| match slot {
                Slot::Turn(turn) if turn.speaker == Speaker::User => Some(turn.said),
                _ => None,
            });
            let asked = asked.unwrap_or_else(|| vec![Said::Text(only_text(&sample.input))]);
            let right = sample.expected.as_ref().map(as_text).unwrap_or_default();
            turns.push(Turn { speaker: Speaker::User, said: asked });
            turns.push(Turn { speaker: Speaker::Model, said: vec![Said::Text(right)] });
        }
        Ok(turns)
    }
}

impl Rendered {
    /// Puts what the prompt says into a request: its messages in place of those of the request, which went into them
    /// as the conversation so far; all else where the request itself says nothing.
    pub fn fill(self, request: &mut ChatRequest) -> Result<(), PromptError> {
        let brought = |name: &String| request.tools.iter().any(|tool| tool.name == *name);
        if let Some(missing) = self.wanted_tools.iter().find(|name| !brought(name)) {
            let message = format!(
                "names the tool `{missing}`, which the request does not bring; send its definition, or write it under \
                 `toolDefs` in the front matter"
            );
            return Err(PromptError::Unmet { prompt: self.prompt, message });
        }
        let new: Vec<ToolSpec> = self.tools.into_iter().filter(|tool| !brought(&tool.name)).collect();
        request.tools.extend(new);
        request.messages = self.messages;
        if request.output == OutputFormat::Unset {
            request.output = self.output;
        }
        settings::fill(&self.config, request);
        Ok(())
    }
}

/// A request's instructions, which go beside those of the prompt, and the rest of its conversation. What says
/// nothing (some clients must send a message) is left out.
fn split_instructions(history: &[Message]) -> (Vec<Message>, Vec<Message>) {
    let says = |message: &&Message| {
        message.parts.iter().any(|part| !matches!(part, Part::Text(text) if text.trim().is_empty()))
    };
    let begin =
        history.iter().take_while(|message| matches!(message.role, Role::System | Role::Developer)).count();
    let (instructions, rest) = history.split_at_checked(begin).unwrap_or((&[], history));
    (instructions.iter().filter(says).cloned().collect(), rest.iter().filter(says).cloned().collect())
}

/// Puts instructions behind those that the messages begin with.
fn instruct(messages: &mut Vec<Message>, instructions: Vec<Message>, asked: &[String]) {
    let at = messages.iter().take_while(|message| message.role == Role::System).count();
    messages.splice(at..at, instructions);
    if asked.is_empty() {
        return;
    }
    let text = asked.join("\n\n");
    match at.checked_sub(1).and_then(|last| messages.get_mut(last)) {
        Some(message) => match message.parts.last_mut() {
            Some(Part::Text(said)) => {
                let end = said.trim_end().len();
                said.truncate(end);
                said.push_str("\n\n");
                said.push_str(&text);
            }
            _ => message.parts.push(Part::Text(text)),
        },
        None => messages.insert(0, Message::text(Role::System, text)),
    }
}

fn message(turn: Turn) -> Message {
    let role = match turn.speaker {
        Speaker::System => Role::System,
        Speaker::User => Role::User,
        Speaker::Model => Role::Assistant,
    };
    let parts = turn.said.into_iter().filter_map(|said| match said {
        Said::Text(text) => Some(Part::Text(text)),
        Said::Media { url, content_type } => Some(Part::Media(media(url, content_type))),
        // Nobody put anything into it.
        Said::Section(_) => None,
    });
    Message { role, parts: parts.collect(), extra: Object::new() }
}

/// What an address names; one that holds the bytes itself (`data:image/png;base64,…`) gives them.
fn media(url: String, content_type: Option<String>) -> Media {
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let (mime, source) = match inline {
        Some((mime, bytes)) => {
            let mime = mime.split(';').next().filter(|mime| !mime.is_empty()).map(str::to_owned);
            (content_type.or(mime), MediaSource::Base64(bytes.to_owned()))
        }
        None => (content_type, MediaSource::Url(url)),
    };
    Media { mime, filename: None, source, extra: Object::new() }
}

/// A prompt's name as that of a schema: letters, digits, `_` and `-`, 64 at most.
fn schema_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    name.chars().map(plain).take(64).collect()
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The one value there is, or all of them as JSON.
fn only_text(input: &Object) -> String {
    let mut values = input.values();
    match (values.next(), values.next()) {
        (Some(only), None) => as_text(only),
        _ => Value::Object(input.clone()).to_string(),
    }
}

/// An example for a template that places them itself: its input's members, and `input` and `output`.
fn as_value(sample: &Sample) -> Value {
    let mut object = sample.input.clone();
    object.insert("input".to_owned(), Value::String(only_text(&sample.input)));
    object.insert("output".to_owned(), sample.expected.clone().unwrap_or_default());
    Value::Object(object)
}
