//! The names of attributes: OpenTelemetry's for GenAI (`open-telemetry/semantic-conventions-genai`), and ours
//! under `hanok.`.

/// What was done.
pub const OPERATION: &str = "gen_ai.operation.name";
/// Who answered.
pub const PROVIDER: &str = "gen_ai.provider.name";
/// The model asked for.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// Softmax temperature.
pub const TEMPERATURE: &str = "gen_ai.request.temperature";
/// Nucleus mass.
pub const TOP_P: &str = "gen_ai.request.top_p";
/// Most tokens of the answer.
pub const MAX_TOKENS: &str = "gen_ai.request.max_tokens";
/// Seed.
pub const SEED: &str = "gen_ai.request.seed";
/// Texts at which to stop.
pub const STOP: &str = "gen_ai.request.stop_sequences";
/// Number of choices asked for, when not one.
pub const CHOICES: &str = "gen_ai.request.choice.count";
/// The model that answered.
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
/// The answer's id.
pub const RESPONSE_ID: &str = "gen_ai.response.id";
/// Why each choice ended.
pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// Tokens of the prompt, cached ones included.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Tokens of the answer, reasoning included.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Of the input, tokens read from the provider's cache.
pub const CACHED_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
/// Of the input, tokens written to the provider's cache.
pub const CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
/// Of the output, tokens spent on reasoning.
pub const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
/// Of the tokens written to the provider's cache, those kept for an hour.
pub const CACHE_WRITE_LONG_TOKENS: &str = "hanok.usage.cache_creation_1h.input_tokens";
/// Of the input, tokens of audio.
pub const INPUT_AUDIO_TOKENS: &str = "hanok.usage.audio.input_tokens";
/// Of the input, tokens of images.
pub const INPUT_IMAGE_TOKENS: &str = "hanok.usage.image.input_tokens";
/// Of the output, tokens of audio.
pub const OUTPUT_AUDIO_TOKENS: &str = "hanok.usage.audio.output_tokens";
/// Of the output, tokens of images.
pub const OUTPUT_IMAGE_TOKENS: &str = "hanok.usage.image.output_tokens";
/// A trace whose words this one holds: it goes with that one.
pub const MADE_OF: &str = "hanok.made_of";
/// True where some of the counts of tokens are estimated.
pub const USAGE_ESTIMATED: &str = "hanok.usage_estimated";
/// The service tier that answered, where it is not the standard one.
pub const SERVICE_TIER: &str = "openai.response.service_tier";
/// The conversation sent.
pub const INPUT_MESSAGES: &str = "gen_ai.input.messages";
/// The answers that came.
pub const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
/// The tools offered.
pub const TOOL_DEFINITIONS: &str = "gen_ai.tool.definitions";
/// The session a call belongs to.
pub const CONVERSATION: &str = "gen_ai.conversation.id";
/// The person a call was made for.
pub const USER: &str = "user.id";
/// Words to find a call by, an array.
pub const TAGS: &str = "hanok.tags";
/// The prompt's name.
pub const PROMPT_NAME: &str = "gen_ai.prompt.name";
/// The prompt's version.
pub const PROMPT_VERSION: &str = "hanok.prompt.version";
/// The program that sent a span.
pub const SOURCE: &str = "service.name";
/// What kind of failure it was.
pub const ERROR_TYPE: &str = "error.type";
/// US dollars; absent when unpriced.
pub const COST: &str = "hanok.cost_usd";
/// Milliseconds from the span's start to the first token.
pub const TIME_TO_FIRST_TOKEN: &str = "hanok.time_to_first_token_ms";
/// The name of the key a call came with.
pub const KEY: &str = "hanok.key";
/// A request that could not be read, as text.
pub const RAW_REQUEST: &str = "hanok.request.body";
/// An answer that could not be read, as text.
pub const RAW_RESPONSE: &str = "hanok.response.body";
/// How many secrets and personal data were replaced before the span was stored.
pub const REDACTIONS: &str = "hanok.redactions";
/// Why the request or the answer could not be read.
pub const UNREADABLE: &str = "hanok.exchange.unreadable";
/// Bytes that went over the wire and are not kept: files rather than words.
pub const BYTES_NOT_KEPT: &str = "hanok.exchange.bytes_not_kept";
/// The chunks that a retrieval found.
pub const HITS: &str = "hanok.hits";
/// What was looked for.
pub const QUERY: &str = "hanok.query";
/// What happened while a span was open, as others tell: an array of `{name, at_ms, attributes}`.
pub const EVENTS: &str = "hanok.events";
/// Other spans that a span has to do with: an array of `{trace_id, span_id, attributes}`.
pub const LINKS: &str = "hanok.links";
/// What went into a step that is no call of a model.
pub const INPUT: &str = "hanok.input";
/// What came out of it.
pub const OUTPUT: &str = "hanok.output";
/// US dollars, as the sender of a span reckoned; the cost itself where we have no price.
pub const SENDER_COST: &str = "hanok.sender_cost_usd";
/// `gen_ai.operation.name` as the sender of a span wrote it, where we call it otherwise.
pub const SENDER_OPERATION: &str = "hanok.sender_operation";
