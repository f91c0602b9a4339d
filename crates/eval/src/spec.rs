//! An eval's file, `evals/NAME.toml`: which rows, what is tried on them, what scores it, and what must hold.

use crate::file::{self, FileError, line_of, suggested};
use hanok_base::{NanoDollars, Object};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// An eval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    /// Its name: the file's, without its ending, where it gives none.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Which rows.
    pub dataset: DatasetSpec,
    /// What is tried.
    pub task: TaskSpec,
    /// What scores it, each as its table has it.
    pub scorers: Vec<Object>,
    /// Whether rows bring scorers of their own (`metadata.scorers`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub row_scorers: bool,
    /// How often each row is tried.
    pub repeats: u32,
    /// Most calls of the task at once.
    pub concurrency: usize,
    /// How often a call is tried again that failed in a way that may pass.
    pub retries: u32,
    /// Most money of a run, scoring included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Dollars>,
    /// What must hold.
    #[serde(skip_serializing_if = "Gate::is_empty")]
    pub gate: Gate,
    /// The file of another program that it was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Where it was read from; empty where from no file.
    #[serde(skip)]
    pub path: PathBuf,
    /// The line at which each scorer's table begins.
    #[serde(skip)]
    pub scorer_lines: Vec<usize>,
}

impl Spec {
    /// Reads an eval's file.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Self::parse(path, &file::read(path)?)
    }

    /// Reads the text of an eval's file.
    pub fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        let raw: Raw = file::toml(path, text)?;
        let at = |span: std::ops::Range<usize>, message: String| {
            FileError::at(path, line_of(text, span.start), message)
        };
        let dataset_at = raw.dataset.span();
        let dataset = DatasetSpec::of(raw.dataset.into_inner())
            .map_err(|reason| at(dataset_at, format!("dataset: {reason}")))?;
        let task_at = raw.task.span();
        let task: TaskSpec = serde_json::from_value(raw.task.into_inner())
            .map_err(|error| at(task_at, format!("task: {}", of_task(&error.to_string()))))?;
        let (mut scorers, mut scorer_lines) = (Vec::new(), Vec::new());
        for scorer in raw.scorers {
            scorer_lines.push(line_of(text, scorer.span().start));
            scorers.push(scorer.into_inner());
        }
        let name = raw.name.unwrap_or_else(|| {
            path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
        });
        let spec = Self {
            name,
            description: raw.description,
            dataset,
            task,
            scorers,
            row_scorers: raw.row_scorers,
            repeats: raw.repeats.unwrap_or(1),
            concurrency: raw.concurrency.unwrap_or(16),
            retries: raw.retries.unwrap_or(2),
            budget: raw.budget,
            gate: raw.gate,
            source: raw.source,
            path: path.to_owned(),
            scorer_lines,
        };
        spec.check().map_err(|message| FileError::whole(path, message))?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), String> {
        if self.name.trim().is_empty() {
            return Err("the eval has no name".to_owned());
        }
        if self.repeats == 0 || self.repeats > 1000 {
            return Err(format!("repeats must be from 1 to 1000, not {}", self.repeats));
        }
        if self.concurrency == 0 || self.concurrency > 10_000 {
            return Err(format!("concurrency must be from 1 to 10000, not {}", self.concurrency));
        }
        self.gate.check()
    }

    /// The folder that paths of the file are relative to.
    pub fn base(&self) -> PathBuf {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        }
    }
}

/// A message about a task's table, with the likely spelling. Where tables are made of parts, serde lists no members.
fn of_task(message: &str) -> String {
    const OF_MODELS: [&str; 13] = [
        "model",
        "template",
        "system",
        "messages",
        "prompt",
        "variables",
        "temperature",
        "top_p",
        "max_tokens",
        "seed",
        "reasoning_effort",
        "schema",
        "tools",
    ];
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    match unknown.filter(|_| !message.contains("expected")).and_then(|name| file::nearest(name, OF_MODELS)) {
        Some(likely) => format!("{message}; did you mean `{likely}`?"),
        None => suggested(message),
    }
}

/// The file as it is written. Tables that are checked on their own keep their place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: String,
    dataset: Spanned<Value>,
    task: Spanned<Value>,
    #[serde(default)]
    scorers: Vec<Spanned<Object>>,
    #[serde(default)]
    row_scorers: bool,
    #[serde(default)]
    repeats: Option<u32>,
    #[serde(default)]
    concurrency: Option<usize>,
    #[serde(default)]
    retries: Option<u32>,
    #[serde(default)]
    budget: Option<Dollars>,
    #[serde(default)]
    gate: Gate,
    #[serde(default)]
    source: Option<Source>,
}

/// The file of another program that an eval was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Source {
    /// `promptfoo` or `openai`.
    pub format: String,
    /// Which of its prompts, from 0.
    pub prompt: usize,
    /// Which of its providers, from 0.
    pub provider: usize,
    /// The model that was given where the file names none of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// All of it, as JSON.
    pub document: String,
    /// What of it does not run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Hashes of what was made of it, so that what was changed since is told apart.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub made: BTreeMap<String, String>,
}

/// Which rows: a file's path, or a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatasetSpec {
    /// A file: `.jsonl`, `.json`, `.csv`, `.yaml` or `.toml`, relative to the eval's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// A dataset of the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version, by the beginning of its hash; the newest where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Recorded traces that this filter finds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces: Option<String>,
    /// Traces at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Rows in the file itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<Value>>,
    /// Only rows of this split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Which columns are the input; all that mean nothing else where none is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<String>,
    /// The column that says what would be right; `expected` or `ideal` where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The column that tells rows apart; `id` where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The column that says what a row belongs to; `cluster` where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

impl DatasetSpec {
    fn of(value: Value) -> Result<Self, String> {
        let spec = match value {
            Value::String(path) => Self { file: Some(path.into()), ..Self::default() },
            table => serde_json::from_value::<Self>(table).map_err(|error| suggested(&error.to_string()))?,
        };
        let sources = [spec.file.is_some(), spec.name.is_some(), spec.traces.is_some(), spec.rows.is_some()];
        match sources.iter().filter(|given| **given).count() {
            1 => Ok(spec),
            0 => Err("say where the rows are: `file`, `name`, `traces` or `rows`".to_owned()),
            _ => Err("rows come from one place: `file`, `name`, `traces` or `rows`".to_owned()),
        }
    }
}

/// What is tried on each row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TaskSpec {
    /// Gives back what it is given: for trying scorers.
    Echo(Echo),
    /// A model, an alias, a route or an agent of the gateway.
    Model(Box<ModelTask>),
    /// A prompt of the house.
    Prompt(Box<PromptTask>),
    /// A search.
    Retrieval(RetrievalTask),
    /// An endpoint.
    Http(HttpTask),
    /// A command.
    Command(CommandTask),
    /// What another program's file had and has no counterpart: it does not run.
    Unsupported(UnsupportedTask),
}

impl TaskSpec {
    /// The kind's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Echo(_) => "echo",
            Self::Model(_) => "model",
            Self::Prompt(_) => "prompt",
            Self::Retrieval(_) => "retrieval",
            Self::Http(_) => "http",
            Self::Command(_) => "command",
            Self::Unsupported(_) => "unsupported",
        }
    }
}

/// Members of `echo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Echo {
    /// A text with `{{variables}}`; the input's only value, or all of it as JSON, where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// A message with `{{variables}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateMessage {
    /// `system`, `developer`, `user` or `assistant`.
    pub role: hanok_base::Role,
    /// The text.
    pub content: String,
}

/// Members of `model`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelTask {
    /// `provider/model`, an alias, or `agent/NAME`.
    pub model: String,
    /// One user message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// A system message before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The whole conversation, in place of both. Without any of these, `input.messages` or `input.input` is sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<TemplateMessage>,
    /// How it answers.
    #[serde(flatten)]
    pub sampling: SamplingSpec,
}

/// Members of `prompt`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptTask {
    /// `NAME`, `NAME@LABEL` or `NAME@VERSION`.
    pub prompt: String,
    /// Variables beside those of each row; a row's own count more.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub variables: Object,
    /// How it answers, where that is not as the prompt says.
    #[serde(flatten)]
    pub sampling: SamplingSpec,
}

/// How a model answers; what is not given is left to the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SamplingSpec {
    /// Softmax temperature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus mass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Most tokens of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Seed of the first repeat; the others follow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// How hard to think.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    /// JSON Schema that the answer must fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Tools on offer, as OpenAI's chat completions write them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
}

/// Members of `retrieval`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrievalTask {
    /// Where to search.
    pub collection: String,
    /// How many hits.
    #[serde(default = "ten")]
    pub top_k: usize,
    /// What to search for; the input's only text where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Conditions on documents.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub filter: String,
    /// Which legs, where not as the collection is set up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legs: Option<hanok_base::Legs>,
    /// What a document is called in the output's data; its path where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// How a document that was found is shown in the output's text, once each; the chunks found where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show: Option<String>,
}

fn ten() -> usize {
    10
}

/// Members of `http`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTask {
    /// Where to; may hold `{{variables}}` after the host.
    pub url: String,
    /// How.
    #[serde(default = "post", skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// Headers; `env:NAME` takes the value from the environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body: JSON whose texts may hold `{{variables}}`; `{"input": …}` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Where in a JSON answer the output is, as a JSON pointer (`/choices/0/message/content`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Seconds to wait.
    #[serde(default = "minute")]
    pub timeout: f64,
}

fn post() -> String {
    "POST".to_owned()
}

fn minute() -> f64 {
    60.0
}

/// Members of `unsupported`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnsupportedTask {
    /// Why it does not run.
    pub why: String,
}

/// Members of `command`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandTask {
    /// The program and its arguments; gets `{"input": …, "repeat": …}` on its standard input.
    pub command: Vec<String>,
    /// Seconds it may take, before it is killed with all it started.
    #[serde(default = "minute")]
    pub timeout: f64,
}

/// US dollars, written `1.50` or `"1.50"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dollars(pub NanoDollars);

impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.dollars())
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            other => other.to_string(),
        };
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

pub use crate::gate::Gate;
