//! The tables: what an attribute of a name means, and which convention says so.

use crate::attribute as name;
use hanok_base::Operation;
use std::collections::HashMap;
use std::sync::LazyLock;

/// How much a convention's word counts: the smaller, the more.
pub(super) type Rank = u8;

pub(super) const OWN: Rank = 0;
pub(super) const GEN_AI: Rank = 10;
pub(super) const GEN_AI_OLDER: Rank = 20;
pub(super) const OPEN_INFERENCE: Rank = 30;
pub(super) const LANGFUSE: Rank = 40;
pub(super) const TRACELOOP: Rank = 50;
pub(super) const AI_SDK: Rank = 60;
/// What stands behind all that has a name: resources, and what was made up.
pub(super) const BACKGROUND: Rank = 250;

/// Which way something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Input,
    Output,
}

/// A count of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Input,
    Output,
    Cached,
    CacheWrite,
    CacheWriteLong,
    Reasoning,
    InputAudio,
    InputImage,
    OutputAudio,
    OutputImage,
    Total,
}

/// Counts, [`Count::Total`] included.
pub(super) const COUNTS: usize = 11;

/// What an attribute means.
#[derive(Clone, Copy, Debug)]
pub(super) enum To {
    /// What was done, by a table.
    Operation(&'static [(&'static str, Operation)]),
    /// Whose model.
    Provider,
    /// The model asked for.
    Model,
    /// The model that answered.
    ResponseModel,
    /// A number of tokens.
    Tokens(Count),
    /// US dollars.
    Cost,
    /// US dollars by kind, as JSON, `total` among them.
    CostDetails,
    /// Tokens by kind, as JSON; cached ones are not in `input`.
    UsageDetails,
    /// The time to the first token; so many of it are a millisecond.
    FirstToken(f64),
    /// When the first token came, RFC 3339.
    FirstTokenAt,
    /// The same under another name (or its own).
    As(&'static str),
    /// The same as JSON where it is the text of some.
    Json(&'static str),
    /// One of what ours is a list of.
    OneOf(&'static str),
    /// Words to find it by.
    Tags,
    /// Messages in any form.
    Messages(Side),
    /// The system's instructions.
    System,
    /// The tools offered.
    Tools,
    /// What went in or came out, in whatever form.
    Value(Side),
    /// A text that came out, beside tool calls perhaps.
    Answer,
    /// Tool calls that came out.
    AnswerCalls,
    /// Sampling parameters as a JSON object.
    Parameters,
    /// The service tier that answered.
    Tier,
    /// `ERROR` is one.
    Level,
    /// What went wrong, in words.
    StatusMessage,
    /// Says nothing that is not said elsewhere.
    Nothing,
}

type Row = (&'static str, To);

/// OpenTelemetry's `gen_ai.operation.name`, where it is not ours.
const OPERATIONS: &[(&str, Operation)] = &[
    ("generate_content", Operation::Chat),
    ("text_completion", Operation::Chat),
    ("completion", Operation::Chat),
    ("llm_request", Operation::Chat),
    ("embedding", Operation::Embeddings),
    ("retrieve", Operation::Retrieval),
    ("vector_db_retrieve", Operation::Retrieval),
    ("search_memory", Operation::Retrieval),
    ("create_agent", Operation::Agent),
    ("plan", Operation::Agent),
];

const REQUEST_TYPES: &[(&str, Operation)] = &[
    ("chat", Operation::Chat),
    ("completion", Operation::Chat),
    ("embedding", Operation::Embeddings),
    ("rerank", Operation::Rerank),
];

const OPEN_INFERENCE_KINDS: &[(&str, Operation)] = &[
    ("llm", Operation::Chat),
    ("embedding", Operation::Embeddings),
    ("retriever", Operation::Retrieval),
    ("reranker", Operation::Rerank),
    ("tool", Operation::Tool),
    ("agent", Operation::Agent),
    ("chain", Operation::Workflow),
    ("guardrail", Operation::Other),
    ("evaluator", Operation::Other),
    ("prompt", Operation::Other),
];

const OBSERVATION_TYPES: &[(&str, Operation)] = &[
    ("generation", Operation::Chat),
    ("embedding", Operation::Embeddings),
    ("retriever", Operation::Retrieval),
    ("tool", Operation::Tool),
    ("agent", Operation::Agent),
    ("chain", Operation::Workflow),
    ("span", Operation::Other),
    ("event", Operation::Other),
    ("evaluator", Operation::Other),
    ("guardrail", Operation::Other),
];

const TRACELOOP_KINDS: &[(&str, Operation)] = &[
    ("workflow", Operation::Workflow),
    ("task", Operation::Other),
    ("agent", Operation::Agent),
    ("tool", Operation::Tool),
];

const AI_SDK_OPERATIONS: &[(&str, Operation)] = &[
    ("ai.generatetext", Operation::Agent),
    ("ai.streamtext", Operation::Agent),
    ("ai.generateobject", Operation::Agent),
    ("ai.streamobject", Operation::Agent),
    ("ai.generatetext.dogenerate", Operation::Chat),
    ("ai.streamtext.dostream", Operation::Chat),
    ("ai.generateobject.dogenerate", Operation::Chat),
    ("ai.streamobject.dostream", Operation::Chat),
    ("ai.embed.doembed", Operation::Embeddings),
    ("ai.embedmany.doembed", Operation::Embeddings),
    ("ai.toolcall", Operation::Tool),
];

const OWN_ROWS: &[Row] = &[
    (name::TAGS, To::Tags),
    (name::PROMPT_VERSION, To::As(name::PROMPT_VERSION)),
    (name::TIME_TO_FIRST_TOKEN, To::FirstToken(1.0)),
    (name::COST, To::Cost),
    (name::CACHE_WRITE_LONG_TOKENS, To::Tokens(Count::CacheWriteLong)),
    (name::INPUT_AUDIO_TOKENS, To::Tokens(Count::InputAudio)),
    (name::INPUT_IMAGE_TOKENS, To::Tokens(Count::InputImage)),
    (name::OUTPUT_AUDIO_TOKENS, To::Tokens(Count::OutputAudio)),
    (name::OUTPUT_IMAGE_TOKENS, To::Tokens(Count::OutputImage)),
    (name::SERVICE_TIER, To::Tier),
];

/// Source: `open-telemetry/semantic-conventions-genai`, `docs/registry/attributes/gen-ai.md`.
const GEN_AI_ROWS: &[Row] = &[
    (name::OPERATION, To::Operation(OPERATIONS)),
    (name::PROVIDER, To::Provider),
    (name::REQUEST_MODEL, To::Model),
    (name::RESPONSE_MODEL, To::ResponseModel),
    (name::INPUT_TOKENS, To::Tokens(Count::Input)),
    (name::OUTPUT_TOKENS, To::Tokens(Count::Output)),
    (name::CACHED_TOKENS, To::Tokens(Count::Cached)),
    (name::CACHE_WRITE_TOKENS, To::Tokens(Count::CacheWrite)),
    (name::REASONING_TOKENS, To::Tokens(Count::Reasoning)),
    ("gen_ai.usage.audio.input_tokens", To::Tokens(Count::InputAudio)),
    ("gen_ai.usage.image.input_tokens", To::Tokens(Count::InputImage)),
    ("gen_ai.usage.audio.output_tokens", To::Tokens(Count::OutputAudio)),
    ("gen_ai.usage.image.output_tokens", To::Tokens(Count::OutputImage)),
    ("gen_ai.response.time_to_first_chunk", To::FirstToken(1000.0)),
    (name::INPUT_MESSAGES, To::Messages(Side::Input)),
    (name::OUTPUT_MESSAGES, To::Messages(Side::Output)),
    ("gen_ai.system_instructions", To::System),
    (name::TOOL_DEFINITIONS, To::Tools),
    (name::FINISH_REASONS, To::As(name::FINISH_REASONS)),
    (name::RESPONSE_ID, To::As(name::RESPONSE_ID)),
    (name::TEMPERATURE, To::As(name::TEMPERATURE)),
    (name::TOP_P, To::As(name::TOP_P)),
    (name::MAX_TOKENS, To::As(name::MAX_TOKENS)),
    (name::SEED, To::As(name::SEED)),
    (name::STOP, To::As(name::STOP)),
    (name::CHOICES, To::As(name::CHOICES)),
    ("gen_ai.request.stream", To::As("gen_ai.request.stream")),
    ("gen_ai.output.type", To::As("gen_ai.output.type")),
    (name::CONVERSATION, To::As(name::CONVERSATION)),
    (name::USER, To::As(name::USER)),
    (name::PROMPT_NAME, To::As(name::PROMPT_NAME)),
    ("gen_ai.prompt.version", To::As(name::PROMPT_VERSION)),
    ("gen_ai.agent.name", To::As("gen_ai.agent.name")),
    ("gen_ai.agent.id", To::As("gen_ai.agent.id")),
    ("gen_ai.tool.name", To::As("gen_ai.tool.name")),
    ("gen_ai.tool.call.id", To::As("gen_ai.tool.call.id")),
    ("gen_ai.tool.call.arguments", To::Json("gen_ai.tool.call.arguments")),
    ("gen_ai.tool.call.result", To::Json("gen_ai.tool.call.result")),
    ("gen_ai.retrieval.documents", To::Json("gen_ai.retrieval.documents")),
    (name::ERROR_TYPE, To::As(name::ERROR_TYPE)),
    ("server.address", To::As("server.address")),
    ("server.port", To::As("server.port")),
];

/// What the same conventions said before, and what SDKs say in their name.
const GEN_AI_OLDER_ROWS: &[Row] = &[
    ("gen_ai.system", To::Provider),
    ("llm.request.type", To::Operation(REQUEST_TYPES)),
    ("gen_ai.usage.prompt_tokens", To::Tokens(Count::Input)),
    ("gen_ai.usage.completion_tokens", To::Tokens(Count::Output)),
    ("llm.usage.prompt_tokens", To::Tokens(Count::Input)),
    ("llm.usage.completion_tokens", To::Tokens(Count::Output)),
    ("gen_ai.usage.total_tokens", To::Tokens(Count::Total)),
    ("llm.usage.total_tokens", To::Tokens(Count::Total)),
    ("gen_ai.usage.cache_read_input_tokens", To::Tokens(Count::Cached)),
    ("gen_ai.usage.cached_tokens", To::Tokens(Count::Cached)),
    ("gen_ai.usage.input_cached_tokens", To::Tokens(Count::Cached)),
    ("gen_ai.usage.input_tokens.cached", To::Tokens(Count::Cached)),
    ("gen_ai.usage.cache_creation_input_tokens", To::Tokens(Count::CacheWrite)),
    ("gen_ai.usage.cache_write_input_tokens", To::Tokens(Count::CacheWrite)),
    ("gen_ai.usage.cache_write.input_tokens", To::Tokens(Count::CacheWrite)),
    ("gen_ai.usage.input_tokens.cache_write", To::Tokens(Count::CacheWrite)),
    ("gen_ai.usage.reasoning_tokens", To::Tokens(Count::Reasoning)),
    ("gen_ai.usage.reasoning_output_tokens", To::Tokens(Count::Reasoning)),
    ("gen_ai.usage.output_tokens.reasoning", To::Tokens(Count::Reasoning)),
    ("llm.usage.reasoning_tokens", To::Tokens(Count::Reasoning)),
    ("gen_ai.usage.details.cache_read_tokens", To::Tokens(Count::Cached)),
    ("gen_ai.usage.details.cache_write_tokens", To::Tokens(Count::CacheWrite)),
    ("gen_ai.usage.details.reasoning_tokens", To::Tokens(Count::Reasoning)),
    ("gen_ai.usage.cost", To::Cost),
    ("gen_ai.cost.total_cost", To::Cost),
    ("gen_ai.server.time_to_first_token", To::FirstToken(1000.0)),
    ("gen_ai.prompt", To::Messages(Side::Input)),
    ("gen_ai.completion", To::Messages(Side::Output)),
    ("gen_ai.response.finish_reason", To::OneOf(name::FINISH_REASONS)),
    ("llm.response.finish_reason", To::OneOf(name::FINISH_REASONS)),
    ("gen_ai.openai.request.seed", To::As(name::SEED)),
    ("gen_ai.request.n", To::As(name::CHOICES)),
    ("gen_ai.request.max_completion_tokens", To::As(name::MAX_TOKENS)),
    ("gen_ai.is_streaming", To::As("gen_ai.request.stream")),
    ("llm.is_streaming", To::As("gen_ai.request.stream")),
    ("llm.frequency_penalty", To::As("gen_ai.request.frequency_penalty")),
    ("llm.presence_penalty", To::As("gen_ai.request.presence_penalty")),
    ("llm.top_k", To::As("gen_ai.request.top_k")),
    ("llm.chat.stop_sequences", To::As(name::STOP)),
    ("gen_ai.openai.response.service_tier", To::Tier),
    ("gen_ai.response.service_tier", To::Tier),
    ("gen_ai.session.id", To::As(name::CONVERSATION)),
    ("gen_ai.user", To::As(name::USER)),
    ("llm.user", To::As(name::USER)),
    ("enduser.id", To::As(name::USER)),
];

/// Source: `Arize-ai/openinference`, `spec/semantic_conventions.md`.
const OPEN_INFERENCE_ROWS: &[Row] = &[
    ("openinference.span.kind", To::Operation(OPEN_INFERENCE_KINDS)),
    ("llm.provider", To::Provider),
    ("llm.model_name", To::Model),
    ("llm.request.model_name", To::Model),
    ("llm.response.model_name", To::ResponseModel),
    ("embedding.model_name", To::Model),
    ("reranker.model_name", To::Model),
    ("llm.token_count.prompt", To::Tokens(Count::Input)),
    ("llm.token_count.completion", To::Tokens(Count::Output)),
    ("llm.token_count.total", To::Tokens(Count::Total)),
    ("llm.token_count.prompt_details.cache_read", To::Tokens(Count::Cached)),
    ("llm.token_count.prompt_details.cache_input", To::Tokens(Count::Cached)),
    ("llm.token_count.prompt_details.cache_write", To::Tokens(Count::CacheWrite)),
    ("llm.token_count.prompt_details.audio", To::Tokens(Count::InputAudio)),
    ("llm.token_count.completion_details.reasoning", To::Tokens(Count::Reasoning)),
    ("llm.token_count.completion_details.audio", To::Tokens(Count::OutputAudio)),
    ("llm.cost.total", To::Cost),
    ("llm.invocation_parameters", To::Parameters),
    ("embedding.invocation_parameters", To::Parameters),
    ("llm.finish_reason", To::OneOf(name::FINISH_REASONS)),
    ("input.value", To::Value(Side::Input)),
    ("output.value", To::Value(Side::Output)),
    ("input.mime_type", To::Nothing),
    ("output.mime_type", To::Nothing),
    ("tool.name", To::As("gen_ai.tool.name")),
    ("tool.description", To::As("gen_ai.tool.description")),
    ("tool.id", To::As("gen_ai.tool.call.id")),
    ("agent.name", To::As("gen_ai.agent.name")),
    ("reranker.query", To::As("gen_ai.retrieval.query.text")),
    ("session.id", To::As(name::CONVERSATION)),
    ("tag.tags", To::Tags),
    ("metadata", To::Json("metadata")),
    ("prompt.id", To::As(name::PROMPT_NAME)),
    ("llm.prompt_template.version", To::As(name::PROMPT_VERSION)),
    ("llm.prompt_template.variables", To::Json("llm.prompt_template.variables")),
];

/// Of the same, what counts only where nothing better is said.
const OPEN_INFERENCE_WEAKER_ROWS: &[Row] = &[("llm.system", To::Provider)];

/// Source: `langfuse/langfuse`, `packages/shared/src/server/otel/attributes.ts`.
const LANGFUSE_ROWS: &[Row] = &[
    ("langfuse.observation.type", To::Operation(OBSERVATION_TYPES)),
    ("langfuse.observation.model.name", To::Model),
    ("langfuse.observation.model.parameters", To::Parameters),
    ("langfuse.observation.input", To::Value(Side::Input)),
    ("langfuse.observation.output", To::Value(Side::Output)),
    ("langfuse.observation.usage_details", To::UsageDetails),
    ("langfuse.observation.cost_details", To::CostDetails),
    ("langfuse.observation.completion_start_time", To::FirstTokenAt),
    ("langfuse.observation.prompt.name", To::As(name::PROMPT_NAME)),
    ("langfuse.observation.prompt.version", To::As(name::PROMPT_VERSION)),
    ("langfuse.observation.level", To::Level),
    ("langfuse.observation.status_message", To::StatusMessage),
    ("langfuse.observation.metadata", To::Json("langfuse.observation.metadata")),
    ("langfuse.trace.metadata", To::Json("langfuse.trace.metadata")),
    ("langfuse.trace.tags", To::Tags),
    ("langfuse.tags", To::Tags),
    ("langfuse.user.id", To::As(name::USER)),
    ("langfuse.trace.user_id", To::As(name::USER)),
    ("langfuse.session.id", To::As(name::CONVERSATION)),
    ("langfuse.trace.session_id", To::As(name::CONVERSATION)),
    ("langfuse.environment", To::As("deployment.environment.name")),
];

/// Of the same, what is said of the whole trace on its root.
const LANGFUSE_WEAKER_ROWS: &[Row] =
    &[("langfuse.trace.input", To::Value(Side::Input)), ("langfuse.trace.output", To::Value(Side::Output))];

/// Source: `traceloop/openllmetry`, `opentelemetry-semantic-conventions-ai`.
const TRACELOOP_ROWS: &[Row] = &[
    ("traceloop.span.kind", To::Operation(TRACELOOP_KINDS)),
    ("traceloop.entity.input", To::Value(Side::Input)),
    ("traceloop.entity.output", To::Value(Side::Output)),
    ("traceloop.prompt.key", To::As(name::PROMPT_NAME)),
    ("traceloop.prompt.version", To::As(name::PROMPT_VERSION)),
    ("traceloop.association.properties.session_id", To::As(name::CONVERSATION)),
    ("traceloop.association.properties.conversation_id", To::As(name::CONVERSATION)),
    ("traceloop.association.properties.chat_id", To::As(name::CONVERSATION)),
    ("traceloop.association.properties.user_id", To::As(name::USER)),
    ("traceloop.association.properties.tags", To::Tags),
];

/// Source: `vercel/ai`, its telemetry's `ai.*` attributes.
const AI_SDK_ROWS: &[Row] = &[
    ("ai.operationId", To::Operation(AI_SDK_OPERATIONS)),
    ("ai.model.id", To::Model),
    ("ai.model.provider", To::Provider),
    ("ai.response.model", To::ResponseModel),
    ("ai.response.id", To::As(name::RESPONSE_ID)),
    ("ai.response.finishReason", To::OneOf(name::FINISH_REASONS)),
    ("ai.response.msToFirstChunk", To::FirstToken(1.0)),
    ("ai.prompt.messages", To::Messages(Side::Input)),
    ("ai.prompt", To::Value(Side::Input)),
    ("ai.response.text", To::Answer),
    ("ai.response.toolCalls", To::AnswerCalls),
    ("ai.response.object", To::Value(Side::Output)),
    ("ai.usage.promptTokens", To::Tokens(Count::Input)),
    ("ai.usage.completionTokens", To::Tokens(Count::Output)),
    ("ai.usage.inputTokens", To::Tokens(Count::Input)),
    ("ai.usage.outputTokens", To::Tokens(Count::Output)),
    ("ai.usage.totalTokens", To::Tokens(Count::Total)),
    ("ai.usage.tokens", To::Tokens(Count::Input)),
    ("ai.usage.cachedInputTokens", To::Tokens(Count::Cached)),
    ("ai.usage.reasoningTokens", To::Tokens(Count::Reasoning)),
    ("ai.toolCall.name", To::As("gen_ai.tool.name")),
    ("ai.toolCall.id", To::As("gen_ai.tool.call.id")),
    ("ai.toolCall.args", To::Json("gen_ai.tool.call.arguments")),
    ("ai.toolCall.result", To::Json("gen_ai.tool.call.result")),
    ("ai.telemetry.metadata.userId", To::As(name::USER)),
    ("ai.telemetry.metadata.sessionId", To::As(name::CONVERSATION)),
    ("ai.telemetry.metadata.tags", To::Tags),
];

const TABLES: &[(Rank, &[Row])] = &[
    (OWN, OWN_ROWS),
    (GEN_AI, GEN_AI_ROWS),
    (GEN_AI_OLDER, GEN_AI_OLDER_ROWS),
    (OPEN_INFERENCE, OPEN_INFERENCE_ROWS),
    (OPEN_INFERENCE + 1, OPEN_INFERENCE_WEAKER_ROWS),
    (LANGFUSE, LANGFUSE_ROWS),
    (LANGFUSE + 1, LANGFUSE_WEAKER_ROWS),
    (TRACELOOP, TRACELOOP_ROWS),
    (AI_SDK, AI_SDK_ROWS),
];

static KNOWN: LazyLock<HashMap<&'static str, (Rank, To), foldhash::fast::RandomState>> =
    LazyLock::new(|| {
        TABLES.iter().flat_map(|(rank, rows)| rows.iter().map(|(key, to)| (*key, (*rank, *to)))).collect()
    });

/// What a name means; `None` where nobody says.
pub(super) fn meaning(key: &str) -> Option<(Rank, To)> {
    KNOWN.get(key).copied()
}

/// Attributes whose names go on with a number, such as `gen_ai.prompt.0.content`.
pub(super) const FAMILIES: &[(&str, Rank, Family)] = &[
    ("gen_ai.prompt.", GEN_AI_OLDER, Family::Flat(Side::Input)),
    ("gen_ai.completion.", GEN_AI_OLDER, Family::Flat(Side::Output)),
    ("llm.request.functions.", GEN_AI_OLDER, Family::Functions),
    ("llm.input_messages.", OPEN_INFERENCE, Family::Messages(Side::Input)),
    ("llm.output_messages.", OPEN_INFERENCE, Family::Messages(Side::Output)),
    ("llm.prompts.", OPEN_INFERENCE, Family::Texts(Side::Input, "prompt.text")),
    ("llm.choices.", OPEN_INFERENCE, Family::Texts(Side::Output, "completion.text")),
    ("llm.tools.", OPEN_INFERENCE, Family::Tools),
    ("embedding.embeddings.", OPEN_INFERENCE, Family::Texts(Side::Input, "embedding.text")),
    ("retrieval.documents.", OPEN_INFERENCE, Family::Documents),
    ("reranker.output_documents.", OPEN_INFERENCE, Family::Documents),
];

/// What the members of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Messages: `0.role`, `0.content`, `0.tool_calls.0.name`.
    Flat(Side),
    /// Messages: `0.message.role`, `0.message.contents.0.message_content.text`.
    Messages(Side),
    /// One text each.
    Texts(Side, &'static str),
    /// Tools: `0.tool.json_schema`.
    Tools,
    /// Tools: `0.name`, `0.description`, `0.parameters`.
    Functions,
    /// Documents found: `0.document.content`.
    Documents,
}

/// The family of a name, and the name without what they share.
pub(super) fn family(key: &str) -> Option<(usize, &str)> {
    FAMILIES.iter().enumerate().find_map(|(at, (prefix, ..))| Some((at, key.strip_prefix(prefix)?)))
}

/// Providers by the names that senders have for them, all in lower case, where those are not ours.
const PROVIDERS: &[(&str, &str)] = &[
    ("gcp.gemini", "gemini"),
    ("gcp.gen_ai", "gemini"),
    ("gcp.vertex_ai", "gemini"),
    ("google", "gemini"),
    ("google_genai", "gemini"),
    ("google_generativeai", "gemini"),
    ("vertexai", "gemini"),
    ("vertex_ai", "gemini"),
    ("google.generative-ai", "gemini"),
    ("google.vertex", "gemini"),
    ("azure.ai.openai", "azure"),
    ("az.ai.openai", "azure"),
    ("azure_openai", "azure"),
    ("mistral_ai", "mistral"),
    ("mistralai", "mistral"),
    ("x_ai", "xai"),
    ("together_ai", "together"),
    ("togetherai", "together"),
    ("fireworks_ai", "fireworks"),
    ("moonshot_ai", "moonshot"),
];

/// Names of frameworks that are told where a provider should be: they tell nothing.
const NO_PROVIDERS: [&str; 6] = ["langchain", "crewai", "llamaindex", "litellm", "_other", "unknown"];

/// Our name of a provider; `None` for what is none.
pub(super) fn provider(theirs: &str) -> Option<String> {
    let name = theirs.trim().to_ascii_lowercase();
    if name.is_empty() || NO_PROVIDERS.contains(&name.as_str()) {
        return None;
    }
    let known =
        |name: &str| PROVIDERS.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| (*ours).to_owned());
    if let Some(ours) = known(&name) {
        return Some(ours);
    }
    // The AI SDK says `openai.chat`, `google.generative-ai.chat`.
    for kind in [".chat", ".messages", ".responses", ".embedding", ".completion"] {
        if let Some(bare) = name.strip_suffix(kind) {
            return Some(known(bare).unwrap_or_else(|| bare.to_owned()));
        }
    }
    Some(name)
}

/// Whose model it is, where nobody says.
pub(super) fn provider_of_model(model: &str) -> Option<&'static str> {
    let of = [
        ("gpt-", "openai"),
        ("chatgpt-", "openai"),
        ("o1", "openai"),
        ("o3", "openai"),
        ("o4", "openai"),
        ("text-embedding-", "openai"),
        ("claude-", "anthropic"),
        ("gemini-", "gemini"),
        ("mistral-", "mistral"),
        ("grok-", "xai"),
        ("deepseek-", "deepseek"),
    ];
    of.iter().find(|(prefix, _)| model.starts_with(prefix)).map(|(_, provider)| *provider)
}

/// Members of a JSON object of sampling parameters, by the names SDKs have for them.
pub(super) const PARAMETERS: &[(&str, &str)] = &[
    ("temperature", name::TEMPERATURE),
    ("top_p", name::TOP_P),
    ("topP", name::TOP_P),
    ("top_k", "gen_ai.request.top_k"),
    ("max_tokens", name::MAX_TOKENS),
    ("max_completion_tokens", name::MAX_TOKENS),
    ("max_output_tokens", name::MAX_TOKENS),
    ("maxTokens", name::MAX_TOKENS),
    ("seed", name::SEED),
    ("stop", name::STOP),
    ("stop_sequences", name::STOP),
    ("n", name::CHOICES),
    ("frequency_penalty", "gen_ai.request.frequency_penalty"),
    ("presence_penalty", "gen_ai.request.presence_penalty"),
    ("stream", "gen_ai.request.stream"),
];

/// Members of a JSON object of tokens by kind; cached and reasoning ones are beside `input` and `output` where
/// the object is written in the sender's own words, and within them where it is a provider's usage as it came.
pub(super) const USAGE_DETAILS: &[(&str, Count)] = &[
    ("input", Count::Input),
    ("output", Count::Output),
    ("total", Count::Total),
    ("prompt_tokens", Count::Input),
    ("completion_tokens", Count::Output),
    ("total_tokens", Count::Total),
    ("input_tokens", Count::Input),
    ("output_tokens", Count::Output),
    ("promptTokens", Count::Input),
    ("completionTokens", Count::Output),
    ("totalTokens", Count::Total),
    ("input_cached_tokens", Count::Cached),
    ("cache_read_input_tokens", Count::Cached),
    ("input_cache_read", Count::Cached),
    ("cached_tokens", Count::Cached),
    ("prompt_tokens_details.cached_tokens", Count::Cached),
    ("input_tokens_details.cached_tokens", Count::Cached),
    ("cache_creation_input_tokens", Count::CacheWrite),
    ("input_cache_creation", Count::CacheWrite),
    ("output_reasoning_tokens", Count::Reasoning),
    ("output_reasoning", Count::Reasoning),
    ("reasoning_tokens", Count::Reasoning),
    ("completion_tokens_details.reasoning_tokens", Count::Reasoning),
    ("output_tokens_details.reasoning_tokens", Count::Reasoning),
    ("input_audio_tokens", Count::InputAudio),
    ("prompt_tokens_details.audio_tokens", Count::InputAudio),
    ("output_audio_tokens", Count::OutputAudio),
    ("completion_tokens_details.audio_tokens", Count::OutputAudio),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_name_means_two_things() {
        let mut names = HashSet::new();
        for (key, _) in TABLES.iter().flat_map(|(_, rows)| *rows) {
            assert!(names.insert(key), "{key} is there twice");
            assert!(family(key).is_none(), "{key} is of a family, too");
        }
    }

    #[test]
    fn providers() {
        for (theirs, ours) in [
            ("openai", Some("openai")),
            ("OpenAI", Some("openai")),
            ("gcp.gemini", Some("gemini")),
            ("openai.chat", Some("openai")),
            ("google.generative-ai.chat", Some("gemini")),
            ("aws.bedrock", Some("aws.bedrock")),
            ("Langchain", None),
            ("", None),
        ] {
            assert_eq!(provider(theirs).as_deref(), ours, "{theirs}");
        }
    }
}
