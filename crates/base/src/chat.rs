//! A chat as every dialect means it. What we do not know survives in `extra`.

use crate::{Dialect, ModelName, Object, ResponseId, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A model call, free of any dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatRequest {
    /// The model asked for, as the client named it.
    pub model: ModelName,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Tools the model may call.
    pub tools: Vec<ToolSpec>,
    /// Whether and which tools must be called.
    pub tool_choice: ToolChoice,
    /// Whether several tools may be called in one answer; `None` leaves the provider's default.
    pub parallel_tool_calls: Option<bool>,
    /// Free text or JSON.
    pub output: OutputFormat,
    /// Sampling parameters and limits.
    pub sampling: Sampling,
    /// How much to think.
    pub reasoning: ReasoningOptions,
    /// The end user, as the application names it.
    pub user: Option<String>,
    /// What calls with the same beginning share, so that they meet the same prompt cache.
    pub cache_key: Option<String>,
    /// The dialect the request came in; `extra` members are under its names. `None`: none of ours holds any.
    pub dialect: Option<Dialect>,
    /// Members of the request that no field above stands for, under the dialect's own names. An encoder of
    /// another dialect writes none of them and names each as a [`Degradation`](crate::Degradation).
    pub extra: Object,
}

impl ChatRequest {
    /// A request that says nothing but this.
    pub fn new(model: ModelName, messages: Vec<Message>) -> Self {
        Self {
            model,
            messages,
            tools: Vec::new(),
            tool_choice: ToolChoice::Unset,
            parallel_tool_calls: None,
            output: OutputFormat::Unset,
            sampling: Sampling::default(),
            reasoning: ReasoningOptions::default(),
            user: None,
            cache_key: None,
            dialect: None,
            extra: Object::new(),
        }
    }
}

/// How much a model is to think before it answers; `None` leaves the provider's default. Dialects speak of an
/// effort or of a budget: `hanok-wire` has the one table between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasoningOptions {
    /// Whether to think at all, where the client said so.
    pub enabled: Option<bool>,
    /// `minimal`, `low`, `medium`, `high`, or what else the client wrote.
    pub effort: Option<String>,
    /// Most tokens of thinking.
    pub budget_tokens: Option<u64>,
    /// How the thoughts are to be shown: `auto`, `concise`, `detailed`, or what else the client wrote.
    pub summary: Option<String>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The operator's instructions.
    System,
    /// Instructions of the application, where a dialect tells them from the system's.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

impl Role {
    /// The role's name, as most dialects and OpenTelemetry write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// One turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
    /// Unknown members (`name` and the like).
    pub extra: Object,
}

impl Message {
    /// A message of one text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text(text.into())], extra: Object::new() }
    }
    /// All text parts, joined.
    pub fn plain_text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None })
            .collect()
    }
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text(String),
    /// An image, audio or a file.
    Media(Media),
    /// What the model thought before it answered.
    Reasoning(Reasoning),
    /// The model asks for a tool.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
    /// Where a stretch of the text comes from.
    Citation(Citation),
    /// The model declined, in its own words.
    Refusal(String),
    /// The prompt up to here is worth caching; the value is what the client said of it (`cache_control`).
    CacheBreak(Value),
    /// A part only this dialect knows; kept whole, given back to it, and left out of any other.
    Opaque {
        /// Whose part it is.
        dialect: Dialect,
        /// The part as it came.
        value: Value,
    },
}

/// An image, audio or a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// The MIME type, where known.
    pub mime: Option<String>,
    /// The file's name, where given.
    pub filename: Option<String>,
    /// Where the bytes are.
    pub source: MediaSource,
    /// Unknown members (`detail` and the like).
    pub extra: Object,
}

/// Where a medium's bytes are.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaSource {
    /// At a URL (not fetched by Hanok).
    Url(String),
    /// Inline, base64.
    Base64(String),
    /// A file id of the provider.
    FileId(String),
}

/// Reasoning, with the signature the provider wants back on the next turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasoning {
    /// The text, possibly empty where only the signature is shown.
    pub text: String,
    /// The provider's signature or encrypted content.
    pub signature: Option<Signature>,
    /// The provider hid the text and gave the signature only.
    pub redacted: bool,
    /// Unknown members (`id` and the like).
    pub extra: Object,
}

/// What a provider wants back, unchanged, on the next turn. Only an upstream of the same dialect may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The dialect of the provider that made it.
    pub of: Dialect,
    /// The signature as it came.
    pub value: String,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolCall {
    /// The call's id.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments, as the JSON text the model wrote (not always valid).
    pub arguments: String,
    /// The provider's signature of the thoughts behind the call.
    pub signature: Option<Signature>,
    /// Unknown members.
    pub extra: Object,
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The call that is answered.
    pub call_id: String,
    /// The answer.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// Where a stretch of an answer comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation {
    /// First code point of the answer's text that the citation covers.
    pub start_index: usize,
    /// One past the last code point.
    pub end_index: usize,
    /// Opens the source at the place.
    pub url: String,
    /// The source's title.
    pub title: String,
    /// The document quoted from, when the citation is Hanok's own and was checked verbatim.
    pub quote: Option<Quote>,
    /// Unknown members.
    pub extra: Object,
}

/// A stretch of a document's extracted text, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// The document, as the user knows it (a path).
    pub source: String,
    /// First byte in the source's extracted text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The bytes between, verbatim.
    pub text: String,
    /// Pages of the original it stands on, from 1, first and last; `None` where it has none.
    pub pages: Option<(u32, u32)>,
}

/// A tool the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// The tool's name.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// JSON Schema of its arguments.
    pub parameters: Option<Value>,
    /// Whether the provider must hold the model to the schema.
    pub strict: Option<bool>,
    /// Unknown members; a tool of a type we do not know is kept whole here, with an empty name.
    pub extra: Object,
}

/// Whether and which tools must be called.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ToolChoice {
    /// Not said.
    #[default]
    Unset,
    /// The model decides.
    Auto,
    /// No tool.
    None,
    /// Some tool.
    Required,
    /// This tool.
    Tool(String),
    /// A form of choice we do not know, as it came.
    Opaque(Value),
}

/// What the answer must be.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OutputFormat {
    /// Not said.
    #[default]
    Unset,
    /// Free text.
    Text,
    /// Any JSON object.
    Json,
    /// JSON that fits a schema.
    JsonSchema {
        /// The schema's name.
        name: String,
        /// The schema, where given.
        schema: Option<Value>,
        /// Whether the provider must hold the model to it.
        strict: Option<bool>,
        /// Unknown members (`description` and the like).
        extra: Object,
    },
    /// A form we do not know, as it came.
    Opaque(Value),
}

/// Sampling parameters and limits; `None` leaves the provider's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Softmax temperature.
    pub temperature: Option<f64>,
    /// Nucleus mass.
    pub top_p: Option<f64>,
    /// Number of likeliest tokens to choose from.
    pub top_k: Option<u64>,
    /// Penalty on tokens by how often they came.
    pub frequency_penalty: Option<f64>,
    /// Penalty on tokens that came at all.
    pub presence_penalty: Option<f64>,
    /// Most tokens of the answer, reasoning included.
    pub max_tokens: Option<u64>,
    /// Texts at which to stop.
    pub stop: Vec<String>,
    /// Seed, where a provider honours one.
    pub seed: Option<i64>,
    /// Number of choices.
    pub n: Option<u32>,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatResponse {
    /// The answer's id.
    pub id: ResponseId,
    /// The model that answered, in the provider's words.
    pub model: ModelName,
    /// Seconds since the epoch when it was made; 0 when not said.
    pub created: i64,
    /// The answers asked for, usually one.
    pub choices: Vec<Choice>,
    /// Tokens.
    pub usage: Usage,
    /// The dialect of the upstream; `extra` members, here and below, are under its names, and an encoder of
    /// another dialect leaves them out.
    pub dialect: Option<Dialect>,
    /// Unknown members.
    pub extra: Object,
}

/// One of the answers asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Its index.
    pub index: u32,
    /// The answer.
    pub message: Message,
    /// Why it ended.
    pub finish: FinishReason,
    /// Unknown members (`logprobs` and the like).
    pub extra: Object,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done, or reached a stop text that it does not name.
    Stop,
    /// This stop text was reached.
    StopText(String),
    /// The limit of tokens.
    Length,
    /// To call tools.
    ToolCalls,
    /// The provider's content filter.
    ContentFilter,
    /// A reason we do not know, as it came.
    Other(String),
}

impl FinishReason {
    /// OpenTelemetry's and OpenAI's name of the reason.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stop | Self::StopText(_) => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Other(other) => other,
        }
    }
}
