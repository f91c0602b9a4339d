//! The price list that comes with this version: US dollars per million tokens at the standard tier, as of the
//! date above each block. A model that is not listed is unpriced.
//!
//! No price is better than a wrong one: rows whose figures could not be compared with a published list are not
//! here. Where a vendor gives no discount for cached input, its price is the input's.

use crate::price::{Factor, Long, Price, Tiers};

/// One row: who, which model, what. The model's name may be followed by a date (`-2025-08-07`, `-20250807`).
pub(crate) struct Listed {
    pub(crate) provider: &'static str,
    pub(crate) model: &'static str,
    pub(crate) price: Price,
}

#[expect(clippy::cast_possible_truncation, reason = "prices of the list are small")]
const fn pico(dollars: f64) -> i64 {
    (dollars * 1e6 + 0.5) as i64
}

const fn row(provider: &'static str, model: &'static str, input: f64, cached: f64, output: f64) -> Listed {
    let mut price = Price::flat(pico(input), pico(output));
    price.rates.cached_input = pico(cached);
    Listed { provider, model, price }
}

impl Listed {
    const fn tiers(mut self, tiers: Tiers) -> Self {
        self.price.tiers = tiers;
        self
    }
    /// Half price for flex and batch.
    const fn halves(mut self) -> Self {
        self.price.tiers.flex = Factor::HALF;
        self.price.tiers.batch = Factor::HALF;
        self
    }
    const fn priority(mut self, times: i64, over: i64) -> Self {
        self.price.tiers.priority = Factor(times, over);
        self.price.tiers.fast = Factor(times, over);
        self
    }
    const fn fast(mut self, times: i64) -> Self {
        self.price.tiers.fast = Factor(times, 1);
        self
    }
    /// Prompts longer than this cost so many times as much of input, and of output.
    const fn long(mut self, above: u64, input: Factor, output: Factor) -> Self {
        self.price.long = Some(Long { above, factors: Some((input, output)) });
        self
    }
    const fn written(mut self, short: f64, long: f64) -> Self {
        self.price.rates.cache_write = pico(short);
        self.price.rates.cache_write_long = pico(long);
        self
    }
    const fn audio_in(mut self, input: f64) -> Self {
        self.price.rates.input_audio = pico(input);
        self
    }
    const fn audio(mut self, input: f64, output: f64) -> Self {
        self.price.rates.input_audio = pico(input);
        self.price.rates.output_audio = pico(output);
        self
    }
    const fn image(mut self, input: f64, output: f64) -> Self {
        self.price.rates.input_image = pico(input);
        self.price.rates.output_image = pico(output);
        self
    }
    const fn per_call(mut self, dollars: f64) -> Self {
        self.price.per_call = pico(dollars) * 1_000_000;
        self
    }
}

const SESQUI: Factor = Factor(3, 2);

/// OpenAI: flex and batch at half, priority (also called fast) at double unless said otherwise.
const fn openai(model: &'static str, input: f64, cached: f64, output: f64) -> Listed {
    row("openai", model, input, cached, output).halves()
}

/// OpenAI's models with a long context: above 272,000 tokens input at double, output at one and a half.
const fn openai_long(model: &'static str, input: f64, cached: f64, output: f64) -> Listed {
    openai(model, input, cached, output).long(272_000, Factor::DOUBLE, SESQUI)
}

/// Anthropic: cache writes at 1.25 times the input, at double for an hour; batch at half; its priority tier is a
/// commitment and costs no more a token.
const fn claude(model: &'static str, input: f64, cached: f64, output: f64) -> Listed {
    let tiers = Tiers { flex: Factor::ONE, batch: Factor::HALF, priority: Factor::ONE, fast: Factor::DOUBLE };
    row("anthropic", model, input, cached, output).written(input * 1.25, input * 2.0).tiers(tiers)
}

/// Google: flex and batch at half, priority at up to double.
const fn gemini(model: &'static str, input: f64, cached: f64, output: f64) -> Listed {
    row("gemini", model, input, cached, output).halves()
}

const fn plain(provider: &'static str, model: &'static str, input: f64, output: f64) -> Listed {
    row(provider, model, input, input, output)
}

const fn embedding(provider: &'static str, model: &'static str, input: f64) -> Listed {
    plain(provider, model, input, 0.0).halves()
}

/// Exact names stand before the families whose dates would match them too.
pub(crate) const BUILTIN: &[Listed] = &[
    // OpenAI, 2026-11-18. Cached input of 6.1 and 6.2 is a tenth, as of all since 5.
    openai_long("gpt-6.2-astra", 8.0, 0.8, 40.0).written(10.0, 10.0),
    openai_long("gpt-6.2-sol", 2.0, 0.2, 10.0).written(2.5, 2.5),
    openai_long("gpt-6.1-sol", 2.0, 0.2, 10.0).written(2.5, 2.5),
    // OpenAI, 2026-09-24.
    openai_long("gpt-6-astra", 10.0, 1.0, 50.0).written(12.5, 12.5),
    openai_long("gpt-6-sol", 2.0, 0.2, 10.0).written(2.5, 2.5),
    openai_long("gpt-6-luna", 0.1, 0.01, 0.5).written(0.125, 0.125),
    openai_long("gpt-5.6", 4.0, 0.4, 20.0).written(5.0, 5.0),
    openai_long("gpt-5.6-sol", 4.0, 0.4, 20.0).written(5.0, 5.0),
    openai_long("gpt-5.6-terra", 2.0, 0.2, 12.0).written(2.5, 2.5),
    openai_long("gpt-5.6-luna", 0.2, 0.02, 1.2).written(0.25, 0.25),
    // OpenAI, 2026-07-24.
    openai_long("gpt-5.5", 5.0, 0.5, 30.0).priority(5, 2),
    openai_long("gpt-5.5-pro", 30.0, 30.0, 180.0),
    openai_long("gpt-5.4", 2.5, 0.25, 15.0),
    openai_long("gpt-5.4-pro", 30.0, 30.0, 180.0),
    openai("gpt-5.4-mini", 0.75, 0.075, 4.5),
    openai("gpt-5.4-nano", 0.2, 0.02, 1.25),
    openai("gpt-5.3-chat-latest", 1.75, 0.175, 14.0),
    openai("gpt-5.3-codex", 1.75, 0.175, 14.0),
    openai("gpt-5.2", 1.75, 0.175, 14.0),
    openai("gpt-5.2-chat-latest", 1.75, 0.175, 14.0),
    openai("gpt-5.2-codex", 1.75, 0.175, 14.0),
    openai("gpt-5.2-pro", 21.0, 21.0, 168.0),
    openai("gpt-5.1", 1.25, 0.125, 10.0),
    openai("gpt-5.1-chat-latest", 1.25, 0.125, 10.0),
    openai("gpt-5.1-codex", 1.25, 0.125, 10.0),
    openai("gpt-5.1-codex-max", 1.25, 0.125, 10.0),
    openai("gpt-5.1-codex-mini", 0.25, 0.025, 2.0).priority(9, 5),
    openai("gpt-5", 1.25, 0.125, 10.0),
    openai("gpt-5-chat-latest", 1.25, 0.125, 10.0),
    openai("gpt-5-codex", 1.25, 0.125, 10.0),
    openai("gpt-5-mini", 0.25, 0.025, 2.0).priority(9, 5),
    openai("gpt-5-nano", 0.05, 0.005, 0.4),
    openai("gpt-5-pro", 15.0, 15.0, 120.0),
    openai("gpt-4.1", 2.0, 0.5, 8.0).priority(7, 4),
    openai("gpt-4.1-mini", 0.4, 0.1, 1.6).priority(7, 4),
    openai("gpt-4.1-nano", 0.1, 0.025, 0.4),
    openai("gpt-4o-2024-05-13", 5.0, 5.0, 15.0).priority(7, 4),
    openai("gpt-4o", 2.5, 1.25, 10.0).priority(17, 10),
    openai("gpt-4o-mini", 0.15, 0.075, 0.6).priority(5, 3),
    openai("gpt-4o-audio-preview", 2.5, 2.5, 10.0).audio(40.0, 80.0),
    openai("gpt-4o-mini-audio-preview", 0.15, 0.15, 0.6).audio(10.0, 20.0),
    openai("gpt-audio", 2.5, 2.5, 10.0).audio(32.0, 64.0),
    openai("gpt-audio-1.5", 2.5, 2.5, 10.0).audio(32.0, 64.0),
    openai("gpt-audio-mini", 0.6, 0.6, 2.4).audio(10.0, 20.0),
    openai("gpt-image-1", 5.0, 1.25, 0.0).image(10.0, 40.0),
    openai("gpt-image-1-mini", 2.0, 0.2, 0.0).image(2.5, 8.0),
    openai("gpt-image-1.5", 5.0, 1.25, 10.0).image(8.0, 32.0),
    openai("gpt-image-2", 5.0, 1.25, 10.0).image(8.0, 30.0),
    openai("o4-mini", 1.1, 0.275, 4.4).priority(20, 11),
    openai("o4-mini-deep-research", 2.0, 0.5, 8.0),
    openai("o3", 2.0, 0.5, 8.0).priority(7, 4),
    openai("o3-deep-research", 10.0, 2.5, 40.0),
    openai("o3-mini", 1.1, 0.55, 4.4),
    openai("o3-pro", 20.0, 20.0, 80.0),
    openai("o1", 15.0, 7.5, 60.0),
    openai("o1-pro", 150.0, 150.0, 600.0),
    openai("gpt-4-turbo", 10.0, 10.0, 30.0),
    openai("gpt-4", 30.0, 30.0, 60.0),
    openai("gpt-4-0613", 30.0, 30.0, 60.0),
    openai("gpt-3.5-turbo", 0.5, 0.5, 1.5),
    openai("gpt-3.5-turbo-0125", 0.5, 0.5, 1.5),
    embedding("openai", "text-embedding-3-small", 0.02),
    embedding("openai", "text-embedding-3-large", 0.13),
    embedding("openai", "text-embedding-ada-002", 0.1),
    // Anthropic, 2026-10-24.
    claude("claude-fable-5-1", 10.0, 0.25, 50.0),
    claude("claude-mythos-5-1", 10.0, 0.25, 50.0),
    claude("claude-opus-5-5", 4.0, 0.2, 20.0),
    claude("claude-sonnet-5-5", 2.0, 0.1, 10.0),
    claude("claude-haiku-5-5", 0.1, 0.01, 0.5).long(100_000, Factor(5, 1), Factor(5, 1)),
    claude("claude-fable-5", 10.0, 1.0, 50.0),
    claude("claude-mythos-5", 10.0, 1.0, 50.0),
    claude("claude-opus-5", 5.0, 0.5, 25.0),
    claude("claude-sonnet-5", 2.0, 0.2, 10.0),
    claude("claude-opus-4-8", 5.0, 0.5, 25.0),
    claude("claude-opus-4-7", 5.0, 0.5, 25.0).fast(6),
    claude("claude-opus-4-6", 5.0, 0.5, 25.0).fast(6),
    claude("claude-opus-4-5", 5.0, 0.5, 25.0),
    claude("claude-opus-4-1", 15.0, 1.5, 75.0),
    claude("claude-opus-4-0", 15.0, 1.5, 75.0),
    claude("claude-opus-4", 15.0, 1.5, 75.0),
    claude("claude-sonnet-4-6", 3.0, 0.3, 15.0),
    claude("claude-sonnet-4-5", 3.0, 0.3, 15.0).long(200_000, Factor::DOUBLE, SESQUI),
    claude("claude-sonnet-4-0", 3.0, 0.3, 15.0).long(200_000, Factor::DOUBLE, SESQUI),
    claude("claude-sonnet-4", 3.0, 0.3, 15.0).long(200_000, Factor::DOUBLE, SESQUI),
    claude("claude-haiku-4-5", 1.0, 0.1, 5.0),
    claude("claude-3-7-sonnet", 3.0, 0.3, 15.0),
    claude("claude-3-haiku", 0.25, 0.03, 1.25).written(0.3, 0.5),
    // Google, 2026-09-20; until 2026-12-31 at half its later price.
    gemini("gemini-3.8-flash", 0.75, 0.075, 3.75),
    // Google, 2026-07-02.
    gemini("gemini-3.5-flash", 1.5, 0.15, 9.0),
    gemini("gemini-3.1-pro-preview", 2.0, 0.2, 12.0).long(200_000, Factor::DOUBLE, SESQUI),
    gemini("gemini-3.1-pro-preview-customtools", 2.0, 0.2, 12.0).long(200_000, Factor::DOUBLE, SESQUI),
    gemini("gemini-3.1-flash-lite", 0.25, 0.025, 1.5).audio_in(0.5),
    gemini("gemini-3.1-flash-lite-preview", 0.25, 0.025, 1.5).audio_in(0.5),
    gemini("gemini-3-pro-preview", 2.0, 0.2, 12.0).long(200_000, Factor::DOUBLE, SESQUI),
    gemini("gemini-3-flash-preview", 0.5, 0.05, 3.0).audio_in(1.0),
    gemini("gemini-2.5-pro", 1.25, 0.125, 10.0).long(200_000, Factor::DOUBLE, SESQUI),
    gemini("gemini-2.5-flash", 0.3, 0.03, 2.5).audio_in(1.0),
    gemini("gemini-2.5-flash-lite", 0.1, 0.01, 0.4).audio_in(0.3),
    gemini("gemini-2.0-flash", 0.1, 0.025, 0.4),
    gemini("gemini-2.0-flash-lite", 0.075, 0.075, 0.3),
    embedding("gemini", "gemini-embedding-001", 0.15),
    // Mistral, 2026-07-02. Batch at half.
    plain("mistral", "mistral-large-2512", 0.5, 1.5),
    plain("mistral", "mistral-large-2411", 2.0, 6.0),
    plain("mistral", "mistral-medium-2604", 1.5, 7.5),
    plain("mistral", "mistral-medium-3-5", 1.5, 7.5),
    plain("mistral", "mistral-medium-3.5", 1.5, 7.5),
    plain("mistral", "mistral-medium-latest", 1.5, 7.5),
    plain("mistral", "mistral-medium-2508", 0.4, 2.0),
    plain("mistral", "mistral-medium-2505", 0.4, 2.0),
    plain("mistral", "mistral-small-2603", 0.15, 0.6),
    plain("mistral", "mistral-small-2506", 0.1, 0.3),
    plain("mistral", "mistral-small-2503", 0.1, 0.3),
    plain("mistral", "codestral-latest", 0.3, 0.9),
    plain("mistral", "codestral-2501", 0.3, 0.9),
    plain("mistral", "codestral-2508", 0.3, 0.9),
    plain("mistral", "devstral-2512", 0.4, 2.0),
    plain("mistral", "devstral-medium-2507", 0.4, 2.0),
    plain("mistral", "devstral-small-2507", 0.1, 0.3),
    plain("mistral", "magistral-medium-2507", 2.0, 5.0),
    plain("mistral", "magistral-medium-2509", 2.0, 5.0),
    plain("mistral", "magistral-medium-latest", 2.0, 5.0),
    plain("mistral", "magistral-small-2507", 0.5, 1.5),
    plain("mistral", "magistral-small-2509", 0.5, 1.5),
    plain("mistral", "ministral-3b-latest", 0.04, 0.04),
    plain("mistral", "ministral-8b-latest", 0.1, 0.1),
    plain("mistral", "pixtral-large-2411", 2.0, 6.0),
    plain("mistral", "pixtral-large-latest", 2.0, 6.0),
    plain("mistral", "open-mistral-nemo", 0.15, 0.15),
    embedding("mistral", "mistral-embed", 0.1),
    // DeepSeek, 2026-07-24. The older names are served by v4-flash.
    row("deepseek", "deepseek-v4-flash", 0.14, 0.0028, 0.28),
    row("deepseek", "deepseek-v4-pro", 0.435, 0.003_625, 0.87),
    row("deepseek", "deepseek-chat", 0.14, 0.0028, 0.28),
    row("deepseek", "deepseek-reasoner", 0.14, 0.0028, 0.28),
    // xAI, 2026-09-29. Prompts above 200,000 tokens at double.
    row("xai", "grok-4.7", 2.0, 0.5, 6.0).long(200_000, Factor::DOUBLE, Factor::DOUBLE),
    row("xai", "grok-4.6", 2.0, 0.5, 6.0).long(200_000, Factor::DOUBLE, Factor::DOUBLE),
    row("xai", "grok-4.5", 2.0, 0.5, 6.0).long(200_000, Factor::DOUBLE, Factor::DOUBLE),
    // xAI, 2026-07-24.
    row("xai", "grok-4.3", 1.25, 0.2, 2.5).long(200_000, Factor::DOUBLE, Factor::DOUBLE),
    row("xai", "grok-4.20-0309-reasoning", 1.25, 0.2, 2.5).long(200_000, Factor::DOUBLE, Factor::DOUBLE),
    row("xai", "grok-4.20-0309-non-reasoning", 1.25, 0.2, 2.5).long(200_000, Factor::DOUBLE, Factor::DOUBLE),
    row("xai", "grok-4.20-multi-agent-0309", 1.25, 0.2, 2.5).long(200_000, Factor::DOUBLE, Factor::DOUBLE),
    row("xai", "grok-build-0.1", 1.0, 0.2, 2.0).long(200_000, Factor::DOUBLE, Factor::DOUBLE),
    // xAI, 2025-09-19. Prompts above 128,000 tokens at double.
    row("xai", "grok-4", 3.0, 0.75, 15.0).long(128_000, Factor::DOUBLE, Factor::DOUBLE),
    row("xai", "grok-4-0709", 3.0, 0.75, 15.0).long(128_000, Factor::DOUBLE, Factor::DOUBLE),
    row("xai", "grok-4-fast-reasoning", 0.2, 0.05, 0.5).long(128_000, Factor::DOUBLE, Factor::DOUBLE),
    row("xai", "grok-4-fast-non-reasoning", 0.2, 0.05, 0.5).long(128_000, Factor::DOUBLE, Factor::DOUBLE),
    row("xai", "grok-3", 3.0, 0.75, 15.0),
    row("xai", "grok-3-mini", 0.3, 0.075, 0.5),
    row("xai", "grok-code-fast-1", 0.2, 0.02, 1.5),
    // Groq, 2026-07-02.
    row("groq", "openai/gpt-oss-120b", 0.15, 0.075, 0.6),
    row("groq", "openai/gpt-oss-20b", 0.075, 0.0375, 0.3),
    plain("groq", "openai/gpt-oss-safeguard-20b", 0.075, 0.3),
    plain("groq", "llama-3.3-70b-versatile", 0.59, 0.79),
    plain("groq", "llama-3.1-8b-instant", 0.05, 0.08),
    plain("groq", "meta-llama/llama-4-scout-17b-16e-instruct", 0.11, 0.34),
    plain("groq", "meta-llama/llama-4-maverick-17b-128e-instruct", 0.2, 0.6),
    plain("groq", "qwen/qwen3-32b", 0.29, 0.59),
    // Cohere, 2026-07-02; embeddings and reranking 2026-06. A rerank is one search of at most 100 documents.
    plain("cohere", "command-a-03-2025", 2.5, 10.0),
    plain("cohere", "command-a-reasoning-08-2025", 2.5, 10.0),
    plain("cohere", "command-a-translate-08-2025", 2.5, 10.0),
    plain("cohere", "command-a-vision-07-2025", 2.5, 10.0),
    plain("cohere", "command-r-08-2024", 0.15, 0.6),
    plain("cohere", "command-r-plus-08-2024", 2.5, 10.0),
    plain("cohere", "command-r7b-12-2024", 0.0375, 0.15),
    plain("cohere", "embed-v4.0", 0.12, 0.0).image(0.47, 0.0),
    plain("cohere", "rerank-v4.0-fast", 0.0, 0.0).per_call(0.002),
    plain("cohere", "rerank-v4.0-pro", 0.0, 0.0).per_call(0.0025),
    plain("cohere", "rerank-v3.5", 0.0, 0.0).per_call(0.002),
    // Together, 2025-06-01.
    plain("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", 0.88, 0.88),
    plain("together", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", 0.18, 0.18),
    plain("together", "meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo", 0.88, 0.88),
    plain("together", "meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo", 3.5, 3.5),
    plain("together", "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", 0.27, 0.85),
    plain("together", "meta-llama/Llama-4-Scout-17B-16E-Instruct", 0.18, 0.59),
    plain("together", "Qwen/Qwen2.5-7B-Instruct-Turbo", 0.3, 0.3),
    plain("together", "Qwen/Qwen2.5-72B-Instruct-Turbo", 1.2, 1.2),
    // Fireworks, 2025-06-01.
    plain("fireworks", "accounts/fireworks/models/llama-v3p1-8b-instruct", 0.2, 0.2),
    plain("fireworks", "accounts/fireworks/models/llama-v3p1-405b-instruct", 3.0, 3.0),
    plain("fireworks", "accounts/fireworks/models/llama-v3p3-70b-instruct", 0.9, 0.9),
    plain("fireworks", "accounts/fireworks/models/llama4-maverick-instruct-basic", 0.22, 0.88),
    plain("fireworks", "accounts/fireworks/models/llama4-scout-instruct-basic", 0.15, 0.6),
];
