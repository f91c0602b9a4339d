//! The vendors known by name, as one table.
//!
//! A new OpenAI-compatible vendor is one entry here and one folder of recorded answers under
//! `tests/fixtures/`, which a test runs through the whole path.

use crate::face::Also;
use hanok_base::Dialect;
use hanok_wire::RerankForm;

/// A vendor of models, or a server people run themselves.
#[derive(Debug, PartialEq, Eq)]
pub struct Vendor {
    /// The name in configuration (`vendor = "openai"`) and, unless configured otherwise, of the provider.
    pub name: &'static str,
    /// The name for people.
    pub display_name: &'static str,
    /// What it speaks best: calls of other dialects are translated into this one.
    pub dialect: Dialect,
    /// What it speaks, too.
    pub also: &'static [Also],
    /// Where it is; empty where every customer has an address of their own.
    pub base_url: &'static str,
    /// The environment variable its users keep the key in; `None` for servers that want no key.
    pub key_env: Option<&'static str>,
    /// How the key is shown to it; `None` for the dialect's own way.
    pub auth: Option<Auth>,
    /// Where it differs from the dialect's letter.
    pub quirks: Quirks,
}

impl Vendor {
    /// Whether it runs on the user's own machine unless configured otherwise.
    pub fn is_local(&self) -> bool {
        self.key_env.is_none()
    }
}

/// How a key is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// The key alone in this header (lower case).
    Header(&'static str),
}

/// Where a vendor differs from the dialect's letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Whether a stream tells its usage.
    pub stream_usage: StreamUsage,
    /// The member that limits the answer's tokens.
    pub max_tokens: MaxTokens,
    /// Headers sent unless the configuration sets them otherwise (lower-case names).
    pub headers: &'static [(&'static str, &'static str)],
    /// The path of a base URL that names none, without slashes around it; `None` for the dialect's usual one.
    pub usual_path: Option<&'static str>,
    /// Where it lists its models.
    pub models: Models,
    /// Whether it tells the tokens of a request that is not made.
    pub count_tokens: bool,
    /// Whether it answers embeddings.
    pub embeddings: bool,
    /// What goes into one call for embeddings.
    pub embeds: Embeds,
    /// Where it reranks documents.
    pub rerank: Rerank,
    /// The shape it takes rerankings in.
    pub rerank_form: RerankForm,
    /// In which member it takes thoughts back that it told before; `None` where it refuses or ignores them.
    pub thoughts: Option<Thoughts>,
}

/// What goes into one call for embeddings, as the vendor documents it; a 0 is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embeds {
    /// Most texts.
    pub inputs: u32,
    /// Most tokens of all texts together.
    pub tokens: u32,
    /// How it is told what its vectors are for, where its dialect has no word for it.
    pub task: Option<Task>,
}

impl Embeds {
    const UNKNOWN: Self = Self { inputs: 0, tokens: 0, task: None };

    const fn of(inputs: u32, tokens: u32) -> Self {
        Self { inputs, tokens, task: None }
    }

    const fn told(self, member: &'static str, query: &'static str, document: &'static str) -> Self {
        Self { task: Some(Task { member, query, document }), ..self }
    }
}

/// The member that tells what vectors are for, and its two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// The member's name.
    pub member: &'static str,
    /// What is embedded is to find with.
    pub query: &'static str,
    /// What is embedded is to be found.
    pub document: &'static str,
}

/// The member of a message for its thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thoughts {
    /// `reasoning_content`.
    ReasoningContent,
    /// `reasoning`.
    Reasoning,
}

impl Thoughts {
    /// The member of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::ReasoningContent, Self::Reasoning].into_iter().find(|member| member.as_str() == name)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReasoningContent => "reasoning_content",
            Self::Reasoning => "reasoning",
        }
    }
}

/// Where a vendor lists its models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Models {
    /// Where its dialect does.
    Usual,
    /// Elsewhere, or in another form.
    At {
        /// The path below the base URL, without a leading slash.
        path: &'static str,
        /// The dialect whose list it looks like.
        form: Dialect,
    },
    /// Nowhere: its models are known from its documentation alone.
    Unlisted,
}

/// Where a vendor reranks documents. The body is passed on as it is: most take the shape of Cohere and Jina
/// (`query`, `documents`, `top_n`), and those with a shape of their own are to be asked in that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rerank {
    /// At `rerank` below the base URL.
    Beside,
    /// At `rerank` below the base URL with another end.
    Instead {
        /// The end of the base URL that gives way.
        of: &'static str,
        /// What takes its place.
        suffix: &'static str,
    },
    /// Nowhere.
    No,
}

/// Whether a stream tells its usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamUsage {
    /// When asked by `stream_options.include_usage`.
    Ask,
    /// Always; asking is needless, and some refuse to be asked.
    Always,
    /// Never; asking is refused.
    Never,
}

/// The member that limits the answer's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokens {
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

impl Quirks {
    /// What most servers that call themselves compatible with OpenAI understand.
    pub const COMPATIBLE: Self = Self {
        stream_usage: StreamUsage::Ask,
        max_tokens: MaxTokens::MaxTokens,
        headers: &[],
        usual_path: None,
        models: Models::Usual,
        count_tokens: false,
        embeddings: true,
        embeds: Embeds::UNKNOWN,
        rerank: Rerank::Beside,
        rerank_form: RerankForm::Documents,
        thoughts: None,
    };
    /// Of a vendor with chats and nothing else that is known of.
    const CHATS: Self = Self { embeddings: false, rerank: Rerank::No, ..Self::COMPATIBLE };
    /// The same, with usage in its streams unasked.
    const CHATS_USAGE_UNASKED: Self = Self { stream_usage: StreamUsage::Always, ..Self::CHATS };
    /// The same, limited by `max_completion_tokens`.
    const CHATS_COMPLETION_TOKENS: Self = Self { max_tokens: MaxTokens::MaxCompletionTokens, ..Self::CHATS };

    const fn embedding(self, embeds: Embeds) -> Self {
        Self { embeds, embeddings: true, ..self }
    }

    const fn taking(self, thoughts: Thoughts) -> Self {
        Self { thoughts: Some(thoughts), ..self }
    }
}

const fn hosted(
    name: &'static str,
    display_name: &'static str,
    base_url: &'static str,
    key_env: &'static str,
    quirks: Quirks,
) -> Vendor {
    let dialect = Dialect::OpenAiChat;
    Vendor { name, display_name, dialect, also: &[], base_url, key_env: Some(key_env), auth: None, quirks }
}

const fn local(name: &'static str, display_name: &'static str, base_url: &'static str) -> Vendor {
    let (dialect, quirks) = (Dialect::OpenAiChat, Quirks::COMPATIBLE);
    Vendor { name, display_name, dialect, also: &[], base_url, key_env: None, auth: None, quirks }
}

/// The Responses at the same base URL as the chats.
const RESPONSES: &[Also] = &[Also::new(Dialect::OpenAiResponses, "", "")];
/// Ollama's own API, and its forms of others' beside it.
const OLLAMA: &[Also] =
    &[Also::new(Dialect::OpenAiChat, "/api", "/v1"), Also::new(Dialect::Ollama, "/v1", "/api")];

/// OpenAI's own limits, which Azure has, too.
const OPENAI_EMBEDS: Embeds = Embeds::of(2_048, 300_000);

/// Every vendor known by name. Those with a key come first, in the order in which they are looked for.
pub const VENDORS: &[Vendor] =
    &[
        Vendor {
            also: RESPONSES,
            ..hosted(
                "openai",
                "OpenAI",
                "https://api.openai.com/v1",
                "OPENAI_API_KEY",
                Quirks { count_tokens: true, ..Quirks::CHATS_COMPLETION_TOKENS }.embedding(OPENAI_EMBEDS),
            )
        },
        Vendor {
            dialect: Dialect::AnthropicMessages,
            ..hosted(
                "anthropic",
                "Anthropic",
                "https://api.anthropic.com/v1",
                "ANTHROPIC_API_KEY",
                Quirks { count_tokens: true, ..Quirks::CHATS_USAGE_UNASKED },
            )
        },
        Vendor {
            dialect: Dialect::Gemini,
            also: &[Also::new(Dialect::OpenAiChat, "", "/openai")],
            ..hosted(
                "gemini",
                "Google Gemini",
                "https://generativelanguage.googleapis.com/v1beta",
                "GEMINI_API_KEY",
                Quirks { count_tokens: true, ..Quirks::CHATS }.embedding(Embeds::of(100, 20_000)),
            )
        },
        Vendor {
            also: RESPONSES,
            auth: Some(Auth::Header("api-key")),
            ..hosted(
                "azure",
                "Azure OpenAI",
                "",
                "AZURE_OPENAI_API_KEY",
                Quirks { usual_path: Some("openai/v1"), ..Quirks::CHATS_COMPLETION_TOKENS }
                    .embedding(OPENAI_EMBEDS),
            )
        },
        hosted(
            "openrouter",
            "OpenRouter",
            "https://openrouter.ai/api/v1",
            "OPENROUTER_API_KEY",
            Quirks { headers: &[("x-title", "Hanok")], embeddings: true, ..Quirks::CHATS_USAGE_UNASKED }
                .taking(Thoughts::Reasoning),
        ),
        // Answers 400 to `reasoning_content`.
        hosted(
            "groq",
            "Groq",
            "https://api.groq.com/openai/v1",
            "GROQ_API_KEY",
            Quirks::CHATS_COMPLETION_TOKENS.taking(Thoughts::Reasoning),
        ),
        // Answers 422 to `stream_options`.
        hosted(
            "mistral",
            "Mistral",
            "https://api.mistral.ai/v1",
            "MISTRAL_API_KEY",
            Quirks::CHATS_USAGE_UNASKED.embedding(Embeds::of(0, 16_384)),
        ),
        Vendor {
            also: &[Also::new(Dialect::AnthropicMessages, "/v1", "/anthropic/v1")],
            ..hosted(
                "deepseek",
                "DeepSeek",
                "https://api.deepseek.com/v1",
                "DEEPSEEK_API_KEY",
                Quirks::CHATS.taking(Thoughts::ReasoningContent),
            )
        },
        hosted("together", "Together", "https://api.together.xyz/v1", "TOGETHER_API_KEY", Quirks::COMPATIBLE),
        hosted("xai", "xAI", "https://api.x.ai/v1", "XAI_API_KEY", Quirks::CHATS_COMPLETION_TOKENS),
        // Answers 400 to `stream_options`.
        hosted(
            "fireworks",
            "Fireworks",
            "https://api.fireworks.ai/inference/v1",
            "FIREWORKS_API_KEY",
            Quirks { embeddings: true, rerank: Rerank::Beside, ..Quirks::CHATS_USAGE_UNASKED },
        ),
        // Refuses `stream_options`; lists models as its own API does, by `name`.
        hosted(
            "cohere",
            "Cohere",
            "https://api.cohere.ai/compatibility/v1",
            "COHERE_API_KEY",
            Quirks {
                usual_path: Some("compatibility/v1"),
                models: Models::At { path: "models?page_size=1000", form: Dialect::Ollama },
                rerank: Rerank::Instead { of: "/compatibility/v1", suffix: "/v2" },
                ..Quirks::CHATS_USAGE_UNASKED
            }
            .embedding(Embeds::of(96, 0)),
        ),
        // Embeddings and reranking only, as the next one.
        hosted(
            "jina",
            "Jina",
            "https://api.jina.ai/v1",
            "JINA_API_KEY",
            Quirks { models: Models::Unlisted, ..Quirks::COMPATIBLE }.embedding(Embeds::of(512, 0).told(
                "task",
                "retrieval.query",
                "retrieval.passage",
            )),
        ),
        // Its rerank has a shape of its own: `top_k` for `top_n`, `data` for `results`.
        hosted(
            "voyage",
            "Voyage",
            "https://api.voyageai.com/v1",
            "VOYAGE_API_KEY",
            Quirks { models: Models::Unlisted, ..Quirks::COMPATIBLE }
                .embedding(Embeds::of(1_000, 120_000).told("input_type", "query", "document")),
        ),
        hosted(
            "perplexity",
            "Perplexity",
            "https://api.perplexity.ai",
            "PERPLEXITY_API_KEY",
            Quirks { usual_path: Some(""), models: Models::Unlisted, ..Quirks::CHATS_USAGE_UNASKED },
        ),
        // Answers 400 to `reasoning_content`.
        hosted(
            "cerebras",
            "Cerebras",
            "https://api.cerebras.ai/v1",
            "CEREBRAS_API_KEY",
            Quirks::CHATS_COMPLETION_TOKENS.taking(Thoughts::Reasoning),
        ),
        Vendor {
            also: &[Also::new(Dialect::AnthropicMessages, "/v1", "/anthropic/v1")],
            // Its Anthropic form documents no other.
            auth: Some(Auth::Bearer),
            ..hosted(
                "moonshot",
                "Moonshot",
                "https://api.moonshot.ai/v1",
                "MOONSHOT_API_KEY",
                Quirks::CHATS.taking(Thoughts::ReasoningContent),
            )
        },
        hosted(
            "nvidia",
            "NVIDIA",
            "https://integrate.api.nvidia.com/v1",
            "NVIDIA_API_KEY",
            Quirks::CHATS.embedding(Embeds::of(50, 0).told("input_type", "query", "passage")),
        ),
        Vendor {
            also: OLLAMA,
            quirks: Quirks { rerank: Rerank::No, ..Quirks::COMPATIBLE }.taking(Thoughts::Reasoning),
            ..local("ollama", "Ollama", "http://127.0.0.1:11434/v1")
        },
        Vendor {
            quirks: Quirks::COMPATIBLE.taking(Thoughts::ReasoningContent),
            ..local("vllm", "vLLM", "http://127.0.0.1:8000/v1")
        },
        Vendor {
            quirks: Quirks::COMPATIBLE.taking(Thoughts::ReasoningContent),
            ..local("llamacpp", "llama.cpp", "http://127.0.0.1:8080/v1")
        },
    ];

/// The vendor of this name.
pub fn vendor(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_table_is_sound() {
        let names: HashSet<_> = VENDORS.iter().map(|vendor| vendor.name).collect();
        assert_eq!(names.len(), VENDORS.len(), "a name stands twice");
        for entry in VENDORS {
            assert_eq!(vendor(entry.name), Some(entry));
            assert!(entry.name.bytes().all(|b| b.is_ascii_lowercase()), "{}", entry.name);
            let scheme = if entry.is_local() { "http://127.0.0.1:" } else { "https://" };
            assert!(entry.base_url.is_empty() || entry.base_url.starts_with(scheme), "{}", entry.base_url);
            assert!(!entry.base_url.ends_with('/'), "{}", entry.base_url);
            assert!(entry.quirks.headers.iter().all(|(name, _)| *name == name.to_ascii_lowercase()));
            let speaks: HashSet<_> = entry.also.iter().map(|also| also.dialect).collect();
            assert_eq!(speaks.len(), entry.also.len(), "{}", entry.name);
            if !entry.base_url.is_empty() {
                let end = match entry.quirks.rerank {
                    Rerank::Instead { of, .. } => of,
                    Rerank::Beside | Rerank::No => "",
                };
                assert!(entry.base_url.ends_with(end), "{}", entry.base_url);
            }
        }
        assert_eq!(vendor("nobody"), None);
    }
}
