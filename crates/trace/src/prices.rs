//! The built-in price list: US dollars per million tokens of input, cached input and output, at the
//! standard tier, as of the date above each block. A model that is not listed is unpriced.
//!
//! Only rows that are known for sure are here: no price is better than a wrong one. Where a vendor gives no
//! discount for cached input, its price is the input's.

use crate::price::Listed;

const fn dated(provider: &'static str, model: &'static str, dollars: (f64, f64, f64)) -> Listed {
    Listed { provider, model, dated: true, dollars, up_to: None }
}

const fn row(provider: &'static str, model: &'static str, input: f64, output: f64) -> Listed {
    Listed { provider, model, dated: false, dollars: (input, input, output), up_to: None }
}

const fn cached(provider: &'static str, model: &'static str, dollars: (f64, f64, f64)) -> Listed {
    Listed { provider, model, dated: false, dollars, up_to: None }
}

const fn up_to(provider: &'static str, model: &'static str, dollars: (f64, f64, f64), tokens: u64) -> Listed {
    Listed { provider, model, dated: false, dollars, up_to: Some(tokens) }
}

/// Exact names stand before the families whose dates would match them too.
pub(crate) const BUILTIN: &[Listed] = &[
    // OpenAI, 2025-12-11.
    dated("openai", "gpt-5.2", (1.75, 0.175, 14.0)),
    dated("openai", "gpt-5.1", (1.25, 0.125, 10.0)),
    dated("openai", "gpt-5.1-codex", (1.25, 0.125, 10.0)),
    dated("openai", "gpt-5.1-codex-mini", (0.25, 0.025, 2.0)),
    dated("openai", "gpt-5", (1.25, 0.125, 10.0)),
    dated("openai", "gpt-5-chat-latest", (1.25, 0.125, 10.0)),
    dated("openai", "gpt-5-codex", (1.25, 0.125, 10.0)),
    dated("openai", "gpt-5-mini", (0.25, 0.025, 2.0)),
    dated("openai", "gpt-5-nano", (0.05, 0.005, 0.4)),
    dated("openai", "gpt-5-pro", (15.0, 15.0, 120.0)),
    dated("openai", "gpt-4.1", (2.0, 0.5, 8.0)),
    dated("openai", "gpt-4.1-mini", (0.4, 0.1, 1.6)),
    dated("openai", "gpt-4.1-nano", (0.1, 0.025, 0.4)),
    row("openai", "gpt-4o-2024-05-13", 5.0, 15.0),
    dated("openai", "gpt-4o", (2.5, 1.25, 10.0)),
    dated("openai", "gpt-4o-mini", (0.15, 0.075, 0.6)),
    dated("openai", "o4-mini", (1.1, 0.275, 4.4)),
    dated("openai", "o3", (2.0, 0.5, 8.0)),
    dated("openai", "o3-mini", (1.1, 0.55, 4.4)),
    dated("openai", "o3-pro", (20.0, 20.0, 80.0)),
    dated("openai", "o1", (15.0, 7.5, 60.0)),
    dated("openai", "gpt-4-turbo", (10.0, 10.0, 30.0)),
    row("openai", "gpt-4", 30.0, 60.0),
    row("openai", "gpt-4-0613", 30.0, 60.0),
    row("openai", "gpt-3.5-turbo", 0.5, 1.5),
    row("openai", "gpt-3.5-turbo-0125", 0.5, 1.5),
    row("openai", "text-embedding-3-small", 0.02, 0.0),
    row("openai", "text-embedding-3-large", 0.13, 0.0),
    row("openai", "text-embedding-ada-002", 0.1, 0.0),
    // Groq, 2025-09-01.
    row("groq", "llama-3.3-70b-versatile", 0.59, 0.79),
    row("groq", "llama-3.1-8b-instant", 0.05, 0.08),
    row("groq", "meta-llama/llama-4-scout-17b-16e-instruct", 0.11, 0.34),
    row("groq", "meta-llama/llama-4-maverick-17b-128e-instruct", 0.2, 0.6),
    row("groq", "qwen/qwen3-32b", 0.29, 0.59),
    // Mistral, 2025-12-02.
    row("mistral", "mistral-large-2512", 0.5, 1.5),
    row("mistral", "mistral-large-2411", 2.0, 6.0),
    row("mistral", "mistral-medium-2505", 0.4, 2.0),
    row("mistral", "mistral-medium-2508", 0.4, 2.0),
    row("mistral", "mistral-small-2503", 0.1, 0.3),
    row("mistral", "mistral-small-2506", 0.1, 0.3),
    row("mistral", "codestral-2501", 0.3, 0.9),
    row("mistral", "codestral-2508", 0.3, 0.9),
    row("mistral", "magistral-medium-2507", 2.0, 5.0),
    row("mistral", "magistral-medium-2509", 2.0, 5.0),
    row("mistral", "magistral-small-2507", 0.5, 1.5),
    row("mistral", "magistral-small-2509", 0.5, 1.5),
    row("mistral", "pixtral-large-2411", 2.0, 6.0),
    row("mistral", "open-mistral-nemo", 0.15, 0.15),
    row("mistral", "mistral-embed", 0.1, 0.0),
    // DeepSeek, 2025-09-29.
    cached("deepseek", "deepseek-chat", (0.28, 0.028, 0.42)),
    cached("deepseek", "deepseek-reasoner", (0.28, 0.028, 0.42)),
    // xAI, 2025-09-19. Prompts above 128,000 tokens are charged double.
    up_to("xai", "grok-4", (3.0, 0.75, 15.0), 128_000),
    up_to("xai", "grok-4-0709", (3.0, 0.75, 15.0), 128_000),
    up_to("xai", "grok-4-fast-reasoning", (0.2, 0.05, 0.5), 128_000),
    up_to("xai", "grok-4-fast-non-reasoning", (0.2, 0.05, 0.5), 128_000),
    cached("xai", "grok-3", (3.0, 0.75, 15.0)),
    cached("xai", "grok-3-mini", (0.3, 0.075, 0.5)),
    cached("xai", "grok-code-fast-1", (0.2, 0.02, 1.5)),
    // Together, 2025-06-01.
    row("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", 0.88, 0.88),
    row("together", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", 0.18, 0.18),
    row("together", "meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo", 0.88, 0.88),
    row("together", "meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo", 3.5, 3.5),
    row("together", "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", 0.27, 0.85),
    row("together", "meta-llama/Llama-4-Scout-17B-16E-Instruct", 0.18, 0.59),
    row("together", "Qwen/Qwen2.5-7B-Instruct-Turbo", 0.3, 0.3),
    row("together", "Qwen/Qwen2.5-72B-Instruct-Turbo", 1.2, 1.2),
    // Fireworks, 2025-06-01.
    row("fireworks", "accounts/fireworks/models/llama-v3p1-8b-instruct", 0.2, 0.2),
    row("fireworks", "accounts/fireworks/models/llama-v3p1-405b-instruct", 3.0, 3.0),
    row("fireworks", "accounts/fireworks/models/llama-v3p3-70b-instruct", 0.9, 0.9),
    row("fireworks", "accounts/fireworks/models/llama4-maverick-instruct-basic", 0.22, 0.88),
    row("fireworks", "accounts/fireworks/models/llama4-scout-instruct-basic", 0.15, 0.6),
];
