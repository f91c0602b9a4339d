//! What the pages show: plain data, filled in by the handlers. Nothing here reads or writes anything.

use super::view_knowledge::DocumentAbout;
use hanok_base::{Timestamp, Vote};
use serde_json::Value;

/// The state of a fresh house, for the steps of the first run.
#[derive(Clone, Debug, Default)]
pub struct StartView {
    /// The collections and how much of each is searchable.
    pub collections: Vec<CollectionView>,
    /// Whether any call was ever recorded.
    pub has_calls: bool,
    /// Whether a provider is configured.
    pub has_provider: bool,
    /// A question the documents can answer, for the lines to try; a plain one stands in when `None`.
    pub example: Option<String>,
}

impl StartView {
    /// Documents indexed in all collections together.
    pub fn indexed(&self) -> u64 {
        self.collections.iter().map(|collection| collection.indexed).sum()
    }
}

/// How much of a collection is searchable.
#[derive(Clone, Debug, Default)]
pub struct CollectionView {
    /// Its name.
    pub name: String,
    /// Documents indexed.
    pub indexed: u64,
    /// Documents found so far.
    pub found: u64,
    /// Whether indexing still runs.
    pub indexing: bool,
}

/// The Ask page.
#[derive(Clone, Debug, Default)]
pub struct AskView {
    /// The state of the house; its collections are the ones to ask.
    pub start: StartView,
    /// Model ids as `/v1/models` lists them; of `hanok/…` only `hanok/extract` is offered as such, the page
    /// composes `hanok/extract@COLLECTION` and `hanok/ask@COLLECTION:MODEL` from the two choices.
    pub models: Vec<String>,
    /// A question to put into the field (`?q=`); it is not sent by itself.
    pub question: Option<String>,
    /// Titles of documents to try a question about, or questions that are titles.
    pub examples: Vec<String>,
}

/// The list of traces.
#[derive(Clone, Debug, Default)]
pub struct TracesView {
    /// The state of the house; shown instead of the list while nothing was ever recorded.
    pub start: StartView,
    /// The filter as the user wrote it.
    pub filter: String,
    /// What is wrong with the filter.
    pub error: Option<String>,
    /// Newest first.
    pub rows: Vec<TraceRow>,
    /// The cursor of the next, older page.
    pub next: Option<String>,
    /// How many traces match, where counted.
    pub total: Option<u64>,
    /// How long the query took, in milliseconds.
    pub took_ms: Option<f64>,
    /// Traces over time; nothing is drawn when it has no bucket.
    pub chart: RateChart,
}

/// Traces over time, in buckets of equal length.
#[derive(Clone, Debug, Default)]
pub struct RateChart {
    /// The first bucket's start.
    pub from: Timestamp,
    /// The last bucket's end.
    pub to: Timestamp,
    /// Oldest first.
    pub buckets: Vec<Bucket>,
}

/// Traces that began within one stretch of time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// How many.
    pub count: u64,
    /// How many of them failed.
    pub errors: u64,
}

/// One trace in the list.
#[derive(Clone, Debug, Default)]
pub struct TraceRow {
    /// 32 hex digits.
    pub trace_id: String,
    /// The root span's name, or a shorter word for what was done.
    pub name: String,
    /// What it was about: the start of the question or query.
    pub title: Option<String>,
    /// The root span's kind.
    pub kind: Kind,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: f64,
    /// In words, when it failed.
    pub error: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// The provider that answered.
    pub provider: Option<String>,
    /// Tokens of the prompt.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer.
    pub output_tokens: Option<u64>,
    /// US dollars; `None` when unpriced.
    pub cost_usd: Option<f64>,
    /// The session it is a turn of.
    pub session: Option<String>,
    /// Whom it was for.
    pub user: Option<String>,
    /// The prompt it was made from, `name@version`.
    pub prompt: Option<String>,
    /// The program that sent its spans; `None` for calls of this gateway.
    pub source: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// What people, clients and judges said of it, where a list shows that.
    pub scores: Vec<ScoreView>,
}

/// What a span did, as far as colour and sign go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// The server or gateway itself.
    #[default]
    Http,
    /// An answerer, agent or flow.
    Agent,
    /// A chat.
    Chat,
    /// A retrieval or one leg of it.
    Search,
    /// Embeddings.
    Embed,
    /// Ranking hits again.
    Rerank,
    /// A tool.
    Tool,
    /// A check of input or output.
    Guard,
    /// Verifying or scoring.
    Eval,
}

impl Kind {
    /// The kind of an operation (`gen_ai.operation.name` and Hanok's own names).
    pub fn of(operation: &str) -> Self {
        match operation {
            "chat" | "text_completion" | "generate_content" => Self::Chat,
            "retrieval" | "search" => Self::Search,
            "embeddings" => Self::Embed,
            "rerank" => Self::Rerank,
            "execute_tool" => Self::Tool,
            "invoke_agent" | "create_agent" | "ask" | "extract" => Self::Agent,
            "guard" => Self::Guard,
            "verify" | "evaluate" => Self::Eval,
            _ => Self::Http,
        }
    }
}

/// One trace.
#[derive(Clone, Debug, Default)]
pub struct TraceView {
    /// The same as its row in the list.
    pub summary: TraceRow,
    /// Milliseconds to the first token of the answer.
    pub ttft_ms: Option<f64>,
    /// The name of the key it was called with.
    pub key: Option<String>,
    /// The session it is a turn of.
    pub session: Option<SessionPlace>,
    /// Its spans.
    pub tree: TreeView,
    /// The id of the next newer trace.
    pub newer: Option<String>,
    /// The id of the next older trace.
    pub older: Option<String>,
    /// The selected span.
    pub selected: Option<SpanPane>,
    /// What people, clients and judges said of it.
    pub scores: Vec<ScoreView>,
}

/// Where a trace stands in its session.
#[derive(Clone, Debug, Default)]
pub struct SessionPlace {
    /// The session's id.
    pub id: String,
    /// Which turn it is, from 1, and of how many; `None` where that was not looked up.
    pub turn: Option<(u64, u64)>,
    /// The trace of the turn before.
    pub previous: Option<String>,
    /// The trace of the turn after.
    pub next: Option<String>,
}

/// What somebody said of a trace, a span or a session.
#[derive(Clone, Debug, Default)]
pub struct ScoreView {
    /// What was judged.
    pub name: String,
    /// A number.
    pub value: Option<f64>,
    /// A word.
    pub label: Option<String>,
    /// In their own words.
    pub text: Option<String>,
    /// `person`, `client` or `judge`, and who.
    pub by: String,
    /// The span it is about, 16 hex digits; `None` for the whole trace.
    pub span_id: Option<String>,
}

/// The spans of a trace, or a stretch of them: a page holds no more than it can show at once.
#[derive(Clone, Debug, Default)]
pub struct TreeView {
    /// How many spans the trace has.
    pub total: usize,
    /// Where `rows` begins, in tree order.
    pub from: usize,
    /// In tree order, parents before children.
    pub rows: Vec<SpanRow>,
    /// How many spans failed.
    pub failed: u64,
    /// Milliseconds from the start of the first span to the end of the last: the axis.
    pub duration_ms: f64,
    /// What the time was spent on, most first.
    pub spent: Vec<Share>,
}

impl TreeView {
    /// A tree that is all there.
    pub fn whole(mut rows: Vec<SpanRow>) -> Self {
        let depths: Vec<usize> = rows.iter().map(|row| row.depth).collect();
        for (row, guides) in rows.iter_mut().zip(super::tree::guides(&depths, 0..depths.len())) {
            row.guides = guides;
        }
        let below = depths.iter().skip(1).copied().chain([0]);
        for (row, below) in rows.iter_mut().zip(below) {
            row.parent = below > row.depth;
        }
        Self {
            total: rows.len(),
            from: 0,
            failed: rows.iter().filter(|row| row.error.is_some()).count() as u64,
            duration_ms: rows.iter().map(|row| row.start_ms + row.duration_ms).fold(0.0, f64::max),
            spent: super::tree::spent(rows.iter().map(|row| super::tree::Stretch {
                depth: row.depth,
                kind: row.kind,
                failed: row.error.is_some(),
                start_ms: row.start_ms,
                duration_ms: row.duration_ms,
            })),
            rows,
        }
    }
}

/// Time spent on one kind of work itself, without the work inside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The kind.
    pub kind: Kind,
    /// Model calls that failed are counted apart.
    pub failed: bool,
    /// How long.
    pub ms: f64,
}

/// A line left of a span's name, for one level above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guide {
    /// The level goes on below.
    Through,
    /// The level has ended.
    Gap,
    /// It turns to this span and goes on.
    Turn,
    /// It turns to this span and ends.
    Last,
}

/// One span in the tree.
#[derive(Clone, Debug, Default)]
pub struct SpanRow {
    /// 16 hex digits.
    pub span_id: String,
    /// 0 for a root.
    pub depth: usize,
    /// The lines left of its name: one for each level above it, or for the nearest of many.
    pub guides: Vec<Guide>,
    /// Whether spans are within it.
    pub parent: bool,
    /// Its name.
    pub name: String,
    /// How many hits it found, when it searched.
    pub hits: Option<u64>,
    /// A word on its result (`4/4`).
    pub detail: Option<String>,
    /// Its kind.
    pub kind: Kind,
    /// Milliseconds from the trace's start.
    pub start_ms: f64,
    /// How long it took.
    pub duration_ms: f64,
    /// Milliseconds from its own start to its first token.
    pub ttft_ms: Option<f64>,
    /// A short word, when it failed (`429`, `timeout`).
    pub error: Option<String>,
}

/// The pane of the selected span.
#[derive(Clone, Debug, Default)]
pub struct SpanPane {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// In words, when it failed.
    pub error: Option<String>,
    /// The tab asked for; another one is shown when the span has nothing for it.
    pub tab: Option<Tab>,
    /// The chat, oldest first, the answer last.
    pub messages: Vec<MessageView>,
    /// How many messages before those are not shown.
    pub left_out: u64,
    /// Retrieval hits, best first.
    pub hits: Vec<HitView>,
    /// Tokens and money.
    pub usage: Option<UsageView>,
    /// What the guard decided here.
    pub guard: Vec<(String, Value)>,
    /// The tools that were offered, by name, with what each is for.
    pub tools: Vec<(String, String)>,
    /// What people, clients and judges said of this span.
    pub scores: Vec<ScoreView>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: f64,
    /// Milliseconds from its own start to its first token.
    pub ttft_ms: Option<f64>,
    /// The model that answered.
    pub model: Option<String>,
    /// The provider that answered.
    pub provider: Option<String>,
    /// All attributes.
    pub attributes: Vec<(String, Value)>,
    /// The whole span, for the JSON tab.
    pub json: Value,
    /// The request's body (OpenAI chat), for "copy as curl".
    pub request: Option<String>,
}

/// The tabs of the span pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// The chat, with the first hits and the usage below it.
    Messages,
    /// Retrieval hits.
    Hits,
    /// Tokens and money.
    Usage,
    /// Attributes.
    Attributes,
    /// The span as JSON.
    Json,
}

impl Tab {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Messages, Self::Hits, Self::Usage, Self::Attributes, Self::Json];

    /// The name in `?tab=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Hits => "hits",
            Self::Usage => "usage",
            Self::Attributes => "attributes",
            Self::Json => "json",
        }
    }

    /// The tab of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.as_str() == name)
    }
}

/// One message of a chat.
#[derive(Clone, Debug, Default)]
pub struct MessageView {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    pub role: String,
    /// Its parts, in order.
    pub parts: Vec<PartView>,
    /// The sources its text cites; a marker `[n]` in the text links to the nth, counted from 1.
    pub citations: Vec<CitationView>,
    /// Why the answer ended.
    pub finish: Option<String>,
    /// Tokens, where known.
    pub tokens: Option<u64>,
}

/// A piece of a message.
#[derive(Clone, Debug)]
pub enum PartView {
    /// Text.
    Text(String),
    /// What the model thought before it answered.
    Reasoning(String),
    /// The model declined.
    Refusal(String),
    /// The model asks for a tool.
    ToolCall {
        /// The call's id.
        id: String,
        /// The tool's name.
        name: String,
        /// JSON text.
        arguments: String,
    },
    /// What a tool answered; shown with its call where both are there.
    ToolResult {
        /// The call that is answered.
        call_id: String,
        /// The answer.
        text: String,
        /// Whether the tool failed.
        is_error: bool,
    },
    /// A picture that came with the message, as a `data:` address.
    Image(String),
    /// A medium that is elsewhere: its kind in a word, and its address or file id. It is never loaded.
    Link {
        /// `image/png`, `file`.
        kind: String,
        /// Where it is.
        place: String,
    },
    /// A medium or a part nobody knows, in a word (`audio/wav`).
    Other(String),
}

/// A cited source.
#[derive(Clone, Debug, Default)]
pub struct CitationView {
    /// The source's title.
    pub title: String,
    /// Opens the source at the place; a Hanok source page is linked relative to this server.
    pub url: String,
    /// The quoted words.
    pub quote: Option<String>,
}

/// A chunk that matched.
#[derive(Clone, Debug, Default)]
pub struct HitView {
    /// The document's id.
    pub source_id: String,
    /// The document's path.
    pub source: String,
    /// The headings above the chunk.
    pub heading: String,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The chunk, or its beginning; empty when it was not kept.
    pub text: String,
    /// Greater is better.
    pub score: f64,
    /// Why it has its rank, leg by leg.
    pub votes: Vec<Vote>,
}

/// Tokens and money of one chat.
#[derive(Clone, Debug, Default)]
pub struct UsageView {
    /// By kind, in the order they are to be read.
    pub lines: Vec<UsageLine>,
    /// Tokens of prompt and answer together.
    pub total: Option<u64>,
    /// What it cost in US dollars, as recorded.
    pub cost_usd: Option<f64>,
    /// Whether counts are estimates: the provider did not say.
    pub estimated: bool,
}

/// Tokens of one kind.
#[derive(Clone, Copy, Debug)]
pub struct UsageLine {
    /// Which.
    pub kind: TokenKind,
    /// How many.
    pub count: u64,
    /// US dollars per million and for these; `None` where today's prices are not those it was charged at.
    pub price: Option<(f64, f64)>,
}

/// What tokens are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Input that no cache held.
    Input,
    /// Input read from the provider's cache.
    Cached,
    /// Input written to it.
    Written,
    /// Input that is audio.
    InputAudio,
    /// Input that is pictures.
    InputImage,
    /// What was answered.
    Output,
    /// What was thought before.
    Reasoning,
    /// Answers that are audio.
    OutputAudio,
    /// Answers that are pictures.
    OutputImage,
}

/// US dollars per million tokens.
#[derive(Clone, Copy, Debug, Default)]
pub struct PricesView {
    /// Of input that no cache held.
    pub input: Option<f64>,
    /// Of output.
    pub output: Option<f64>,
}

/// One document.
#[derive(Clone, Debug, Default)]
pub struct SourceView {
    /// Its id.
    pub id: String,
    /// Its path, as the user knows it.
    pub path: String,
    /// Its title.
    pub title: String,
    /// Its collection.
    pub collection: String,
    /// What is known of it beside its text.
    pub about: DocumentAbout,
    /// Whether the visitor may change it.
    pub may_manage: bool,
    /// The extracted text, whole.
    pub text: String,
    /// First byte of the quoted place.
    pub start: Option<usize>,
    /// One past its last byte.
    pub end: Option<usize>,
    /// The headings above the quoted place.
    pub heading: String,
    /// First byte of the part of a long document to show (`?from=`); around the quote when `None`.
    pub from: Option<usize>,
}
