//! Prices and costs, in integers from end to end.

use crate::prices::BUILTIN;
use hanok_base::{NanoDollars, Usage};

/// What a model's tokens cost. Kept in pico-dollars (10⁻¹² US dollars) per token, which holds any price of at
/// most six decimals per million tokens exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    input: i64,
    cached_input: i64,
    cache_write: i64,
    output: i64,
    /// Most input tokens the price holds for; beyond, the provider charges by another table.
    up_to: Option<u64>,
}

impl Price {
    /// US dollars per million tokens of input and of output. Cached input costs the same until said otherwise.
    pub fn per_million(input: f64, output: f64) -> Self {
        let input = pico(input);
        Self { input, cached_input: input, cache_write: input, output: pico(output), up_to: None }
    }

    /// The same with another price for input read from the provider's cache.
    #[must_use]
    pub fn cached(self, cached_input: f64) -> Self {
        Self { cached_input: pico(cached_input), ..self }
    }

    /// The same with another price for input written to the provider's cache.
    #[must_use]
    pub fn cache_write(self, cache_write: f64) -> Self {
        Self { cache_write: pico(cache_write), ..self }
    }

    /// The same for prompts of at most so many tokens; longer ones are unpriced rather than priced wrong.
    #[must_use]
    pub fn up_to(self, tokens: u64) -> Self {
        Self { up_to: Some(tokens), ..self }
    }

    /// What the tokens cost. Exact, and rounded once at the end to whole nano-dollars, halves up. `None` when
    /// the provider did not say how many there were.
    ///
    /// Cached tokens are part of the input, reasoning tokens part of the output.
    pub fn cost(&self, usage: &Usage) -> Option<NanoDollars> {
        let input = usage.input?;
        if self.up_to.is_some_and(|most| input > most) {
            return None;
        }
        let cached = usage.cached_input.unwrap_or(0).min(input);
        let written = usage.cache_write.unwrap_or(0).min(input - cached);
        let fresh = input - cached - written;
        let output = usage.output.unwrap_or(0);
        let part = |tokens: u64, price: i64| i128::from(tokens) * i128::from(price);
        let pico = part(fresh, self.input)
            + part(cached, self.cached_input)
            + part(written, self.cache_write)
            + part(output, self.output);
        i64::try_from((pico + 500).div_euclid(1000)).ok().map(NanoDollars)
    }
}

/// Dollars per million tokens are micro-dollars per token.
#[expect(clippy::cast_possible_truncation, reason = "saturates, at prices nobody charges")]
fn pico(dollars_per_million: f64) -> i64 {
    (dollars_per_million * 1e6).round().max(0.0) as i64
}

/// One row of the table: who, which model, what, and as of when.
pub(crate) struct Listed {
    pub(crate) provider: &'static str,
    /// The model's exact name; with `dated`, also followed by a date (`-2025-08-07`).
    pub(crate) model: &'static str,
    pub(crate) dated: bool,
    /// Dollars per million: input, cached input, output.
    pub(crate) dollars: (f64, f64, f64),
    pub(crate) up_to: Option<u64>,
}

/// The prices of all models that are known.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    overrides: Vec<(String, Price)>,
    builtin: bool,
}

impl Prices {
    /// The table that comes with this version. Local engines are not in it: they are unpriced, not free.
    pub fn builtin() -> Self {
        Self { overrides: Vec::new(), builtin: true }
    }

    /// The same with another price for `provider/model`, where `*` stands for any text. Of several that match
    /// the most literal one counts, whatever their order.
    #[must_use]
    pub fn with_override(mut self, pattern: &str, price: Price) -> Self {
        self.overrides.push((pattern.to_owned(), price));
        self
    }

    /// The price of a provider's model, by the name of the model that answered, or else of the one asked for.
    pub fn find(&self, provider: &str, requested: Option<&str>, answered: Option<&str>) -> Option<Price> {
        [answered, requested].into_iter().flatten().find_map(|model| self.lookup(provider, model))
    }

    fn lookup(&self, provider: &str, model: &str) -> Option<Price> {
        let literal = |pattern: &str| pattern.len() - pattern.matches('*').count();
        let known = self
            .overrides
            .iter()
            .filter(|(pattern, _)| {
                pattern
                    .split_once('/')
                    .is_some_and(|(whose, which)| glob(whose, provider) && glob(which, model))
            })
            .max_by_key(|(pattern, _)| literal(pattern));
        if let Some((_, price)) = known {
            return Some(*price);
        }
        if !self.builtin {
            return None;
        }
        let (provider, model) = vendor(provider, model)?;
        BUILTIN.iter().find(|row| row.provider == provider && row.is(model)).map(Listed::price)
    }
}

impl Listed {
    fn is(&self, model: &str) -> bool {
        let Some(rest) = model.strip_prefix(self.model) else {
            return false;
        };
        rest.is_empty() || self.dated && is_date(rest)
    }

    fn price(&self) -> Price {
        let (input, cached, output) = self.dollars;
        Price { up_to: self.up_to, ..Price::per_million(input, output).cached(cached) }
    }
}

/// `-2025-08-07`
fn is_date(text: &str) -> bool {
    text.len() == 11
        && text.bytes().enumerate().all(|(at, byte)| match at {
            0 | 5 | 8 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// The vendor whose price counts, under the table's name for it. OpenRouter passes the prices of these
/// vendors through.
fn vendor<'a>(provider: &'a str, model: &'a str) -> Option<(&'a str, &'a str)> {
    match provider {
        "openrouter" => match model.split_once('/')? {
            ("openai", model) => Some(("openai", model)),
            ("x-ai", model) => Some(("xai", model)),
            _ => None,
        },
        "x_ai" => Some(("xai", model)),
        "mistral_ai" => Some(("mistral", model)),
        provider => Some((provider, model)),
    }
}

/// Whether `*`, which stands for any text, can make the pattern into the text. ASCII case does not matter.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64, cached: u64, output: u64) -> Usage {
        Usage { input: Some(input), cached_input: Some(cached), output: Some(output), ..Usage::default() }
    }

    #[test]
    fn costs_are_exact() {
        let check = |price: Price, usage: Usage, nano: Option<i64>| {
            assert_eq!(price.cost(&usage), nano.map(NanoDollars), "{price:?} {usage:?}");
        };
        let haiku = Price::per_million(1.0, 5.0).cached(0.1);
        check(haiku, usage(2316, 1024, 148), Some(1_292_000 + 102_400 + 740_000));
        check(haiku, usage(0, 0, 0), Some(0));
        check(haiku, usage(10, 99, 0), Some(1_000));
        check(haiku, Usage::default(), None);
        // 0.0375 dollars per million are 37.5 nano-dollars: halves go up.
        check(Price::per_million(0.0375, 0.0), usage(1, 0, 0), Some(38));
        check(Price::per_million(0.0375, 0.0), usage(2, 0, 0), Some(75));
        check(Price::per_million(3.0, 15.0).up_to(100), usage(101, 0, 1), None);
        let written = Usage { cache_write: Some(50), ..usage(100, 50, 0) };
        check(
            Price::per_million(1.0, 0.0).cached(0.1).cache_write(1.25),
            written,
            Some(50 * 100 + 50 * 1250),
        );
    }

    #[test]
    fn lookup() {
        let prices = Prices::builtin()
            .with_override("ollama/*", Price::per_million(0.01, 0.02))
            .with_override("ollama/qwen*", Price::per_million(0.03, 0.04));
        let check = |provider: &str, requested: &str, answered: Option<&str>, expect: Option<Price>| {
            assert_eq!(prices.find(provider, Some(requested), answered), expect, "{provider}/{requested}");
        };
        let mini = Some(Price::per_million(0.25, 2.0).cached(0.025));
        check("openai", "gpt-5-mini", None, mini);
        check("openai", "my-alias", Some("gpt-5-mini-2025-08-07"), mini);
        check("openrouter", "openai/gpt-5-mini", None, mini);
        check("openai", "gpt-5-mini-audio", None, None);
        check("vllm", "gpt-5-mini", None, None);
        check("ollama", "llama3", None, Some(Price::per_million(0.01, 0.02)));
        check("ollama", "Qwen3:8b", None, Some(Price::per_million(0.03, 0.04)));
    }

    #[test]
    fn globs() {
        for (pattern, text, expect) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("gpt*", "GPT-5", true),
            ("*mini", "gpt-5-mini", true),
            ("*mini", "gpt-5-mini-x", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("a**c", "ac", true),
        ] {
            assert_eq!(glob(pattern, text), expect, "{pattern} {text}");
        }
    }
}
