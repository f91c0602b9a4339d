//! Which price is whose: by provider and model, built in or configured.

use crate::price::Price;
use crate::prices::BUILTIN;
use foldhash::fast::RandomState;
use parking_lot::RwLock;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// Names that are remembered with their price, so that a call costs no search of the list.
const REMEMBERED: usize = 4_096;
/// Vendors whose models run on the user's own machines, and our own answerers: free, and said so here only.
const FREE: [&str; 6] = ["hanok", "local", "ollama", "vllm", "llamacpp", "tei"];

type OfModels = HashMap<Box<str>, Option<Price>, RandomState>;

/// The prices of all models that are known.
#[derive(Default)]
pub struct Prices {
    overrides: Vec<(String, Price)>,
    vendors: HashMap<String, String>,
    builtin: bool,
    /// What was found before, by provider and by model.
    found: RwLock<HashMap<Box<str>, OfModels, RandomState>>,
}

impl fmt::Debug for Prices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prices")
            .field("overrides", &self.overrides)
            .field("vendors", &self.vendors)
            .finish_non_exhaustive()
    }
}

impl Prices {
    /// The table that comes with this version. Models on the user's own machines (`ollama`, `vllm`, `llamacpp`, `tei`)
    /// and our own answerers are free; whatever else is not in it is unpriced, never free.
    pub fn builtin() -> Self {
        Self { builtin: true, ..Self::default() }
    }

    /// The same with another price for `provider/model`, where `*` stands for any text. Of several that match
    /// the most literal one counts, whatever their order.
    #[must_use]
    pub fn with_override(mut self, pattern: &str, price: Price) -> Self {
        self.overrides.push((pattern.to_owned(), price));
        self
    }

    /// The same with a provider of another name priced as this vendor is.
    #[must_use]
    pub fn with_vendor(mut self, provider: &str, vendor: &str) -> Self {
        self.vendors.insert(provider.to_owned(), vendor.to_owned());
        self
    }

    /// The price of a provider's model, by the name of the model that answered, or else of the one asked for.
    /// `None` is unpriced.
    pub fn find(&self, provider: &str, requested: Option<&str>, answered: Option<&str>) -> Option<Price> {
        [answered, requested].into_iter().flatten().find_map(|model| self.one(provider, model))
    }

    fn one(&self, provider: &str, model: &str) -> Option<Price> {
        let known = self.found.read().get(provider).and_then(|models| models.get(model).copied());
        if let Some(price) = known {
            return price;
        }
        let price = self.lookup(provider, model);
        let mut found = self.found.write();
        // Clients choose the names: there may be any number.
        if found.values().map(HashMap::len).sum::<usize>() >= REMEMBERED {
            found.clear();
        }
        found.entry(provider.into()).or_default().insert(model.into(), price);
        price
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
        let provider = self.vendors.get(provider).map_or(provider, String::as_str);
        if FREE.contains(&provider) {
            // Ollama passes models of this suffix on to its own cloud.
            return (!model.ends_with("cloud")).then_some(Price::FREE);
        }
        let (provider, model) = vendor(provider, model)?;
        BUILTIN
            .iter()
            .find(|row| row.provider == provider && is_model(row.model, &model))
            .map(|row| row.price)
    }
}

fn is_model(listed: &str, model: &str) -> bool {
    model.strip_prefix(listed).is_some_and(|rest| rest.is_empty() || is_date(rest))
}

/// `-2025-08-07` or `-20250807`
fn is_date(text: &str) -> bool {
    let form = if text.len() == 11 { "-dddd-dd-dd" } else { "-dddddddd" };
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            form => byte == form,
        })
}

/// The vendor whose price counts, under the table's name for it. OpenRouter passes the prices of these
/// vendors through.
fn vendor<'a>(provider: &'a str, model: &'a str) -> Option<(&'a str, Cow<'a, str>)> {
    let (provider, model) = match provider {
        "openrouter" => match model.split_once('/')? {
            // It writes versions with a dot.
            ("anthropic", model) => return Some(("anthropic", model.replace('.', "-").into())),
            ("google", model) => ("gemini", model),
            ("x-ai", model) => ("xai", model),
            ("openai", model) => ("openai", model),
            _ => return None,
        },
        "x_ai" => ("xai", model),
        "mistral_ai" => ("mistral", model),
        "google" => ("gemini", model),
        // Its standard deployments cost what OpenAI charges.
        "azure" => ("openai", model),
        provider => (provider, model),
    };
    Some((provider, model.into()))
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
    use crate::price::ServiceTier;
    use hanok_base::{NanoDollars, Usage};
    use std::collections::HashSet;

    #[test]
    fn lookup() {
        let prices = Prices::builtin()
            .with_vendor("work", "openai")
            .with_override("ollama/*", Price::per_million(0.01, 0.02))
            .with_override("ollama/qwen*", Price::per_million(0.03, 0.04));
        // What a million tokens in and a million out cost, in nano-dollars.
        let check = |provider: &str, requested: &str, answered: Option<&str>, expect: Option<i64>| {
            let usage = Usage { input: Some(1_000), output: Some(1_000), ..Usage::default() };
            for _ in 0..2 {
                let price = prices.find(provider, Some(requested), answered);
                let cost = price.and_then(|price| price.cost(&usage));
                assert_eq!(cost, expect.map(NanoDollars), "{provider}/{requested}");
            }
        };
        check("openai", "gpt-5-mini", None, Some(2_250_000));
        check("openai", "my-alias", Some("gpt-5-mini-2025-08-07"), Some(2_250_000));
        check("openrouter", "openai/gpt-5-mini", None, Some(2_250_000));
        check("openrouter", "anthropic/claude-opus-4.5", None, Some(30_000_000));
        check("openrouter", "somebody/gpt-5-mini", None, None);
        check("work", "gpt-5-mini", None, Some(2_250_000));
        check("openai", "gpt-5-mini-audio", None, None);
        check("openai", "gpt-5-mini-20250x07", None, None);
        check("anthropic", "claude-sonnet-4-5-20250929", None, Some(18_000_000));
        check("google", "gemini-2.5-pro", None, Some(11_250_000));
        check("somebody", "gpt-5-mini", None, None);
        check("vllm", "gpt-5-mini", None, Some(0));
        check("hanok", "extract", None, Some(0));
        check("local", "all-minilm-l6-v2", None, Some(0));
        check("ollama", "llama3", None, Some(30_000));
        check("ollama", "Qwen3:8b", None, Some(70_000));
        let plain = Prices::builtin();
        assert!(plain.find("ollama", Some("gpt-oss:120b-cloud"), None).is_none(), "not on this machine");
        assert_eq!(plain.find("ollama", Some("llama3"), None), Some(Price::FREE));
        assert!(Prices::default().find("openai", Some("gpt-5"), None).is_none());
    }

    #[test]
    fn no_row_is_hidden_and_none_is_free() {
        let usage = Usage { input: Some(1_000_000), output: Some(1_000_000), ..Usage::default() };
        let mut names = HashSet::new();
        for row in BUILTIN {
            assert!(names.insert((row.provider, row.model)), "{} twice", row.model);
            let first =
                BUILTIN.iter().find(|one| one.provider == row.provider && is_model(one.model, row.model));
            assert_eq!(first.map(|first| first.model), Some(row.model), "a row before hides it");
            assert!(row.price.cost(&usage).unwrap() > NanoDollars(0), "{} is free", row.model);
            for tier in [ServiceTier::Flex, ServiceTier::Batch, ServiceTier::Priority] {
                assert!(row.price.tier(tier).cost(&usage).unwrap() > NanoDollars(0));
            }
        }
    }

    #[test]
    fn the_names_of_clients_do_not_fill_the_memory() {
        let prices = Prices::builtin();
        for number in 0..REMEMBERED * 2 {
            assert!(prices.find("openai", Some(&format!("no-such-model-{number}")), None).is_none());
        }
        assert!(prices.found.read().values().map(HashMap::len).sum::<usize>() <= REMEMBERED);
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
