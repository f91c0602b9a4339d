//! What a provider is made of.

use crate::face::Also;
use crate::secret::Secret;
use crate::vendors::{Auth, Quirks, VENDORS, Vendor};
use hanok_base::{Dialect, ProviderName, Route};
use hanok_net::{NetError, Timeouts, Url};

/// A vendor as one user uses it: from the table, or any other by its URL.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// The name in `provider/model`.
    pub name: ProviderName,
    /// What it speaks best: calls of other dialects are translated into this one.
    pub dialect: Dialect,
    /// What it speaks, too.
    pub also: Vec<Also>,
    /// Where it is. `http://host:port` alone means the usual path there (the dialect's `/v1`, `/v1beta`, `/api`,
    /// or the vendor's own); any path is taken as it is, but for slashes and a pasted route
    /// (`/chat/completions`) at its end.
    pub base_url: String,
    /// The dated API of an Azure deployment (`2024-10-21`); `None` for any other, and for Azure's `/openai/v1`.
    pub api_version: Option<String>,
    /// Its key.
    pub key: Option<Secret>,
    /// How the key is shown; `None` for the dialect's own way.
    pub auth: Option<Auth>,
    /// Further headers of every request; they win over all others. Values count as secrets.
    pub headers: Vec<(String, Secret)>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Where it differs from the dialect's letter.
    pub quirks: Quirks,
}

impl ProviderConfig {
    /// A vendor of the table, under its own name.
    pub fn of_vendor(vendor: &'static Vendor) -> Self {
        Self {
            auth: vendor.auth,
            also: vendor.also.to_vec(),
            quirks: vendor.quirks,
            ..Self::custom(ProviderName::from(vendor.name), vendor.dialect, vendor.base_url)
        }
    }

    /// A server of no known vendor.
    pub fn custom(name: ProviderName, dialect: Dialect, base_url: impl Into<String>) -> Self {
        Self {
            name,
            dialect,
            also: Vec::new(),
            base_url: base_url.into(),
            api_version: None,
            key: None,
            auth: None,
            headers: Vec::new(),
            timeouts: Timeouts::default(),
            quirks: Quirks {
                count_tokens: matches!(dialect, Dialect::AnthropicMessages | Dialect::Gemini),
                ..Quirks::COMPATIBLE
            },
        }
    }
}

/// The vendors whose key the environment holds, in the table's order. Local servers are not looked for.
pub fn detect_from_env(lookup: impl Fn(&str) -> Option<String>) -> Vec<ProviderConfig> {
    let found = VENDORS.iter().filter_map(|vendor| {
        let key = lookup(vendor.key_env?)?;
        let key = key.trim();
        // Without an address of its own a key leads nowhere.
        (!key.is_empty() && !vendor.base_url.is_empty())
            .then(|| ProviderConfig { key: Some(key.into()), ..ProviderConfig::of_vendor(vendor) })
    });
    found.collect()
}

/// A provider that cannot be made as configured. Messages hold no secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The base URL cannot be used.
    #[error("provider {provider}: base_url is {source}")]
    Url {
        /// Whose.
        provider: ProviderName,
        /// Why.
        source: NetError,
    },
    /// The base URL has a query.
    #[error("provider {provider}: base_url must not hold a query (`?…`)")]
    Query {
        /// Whose.
        provider: ProviderName,
    },
    /// The key cannot be sent.
    #[error("provider {provider}: the key holds characters that no header can carry (a line break, perhaps)")]
    Key {
        /// Whose.
        provider: ProviderName,
    },
    /// A header cannot be sent.
    #[error("provider {provider}: `{header}` is not a header that can be sent")]
    Header {
        /// Whose.
        provider: ProviderName,
        /// Its name.
        header: String,
    },
}

/// The base of all a provider's URLs, without a slash at the end.
pub(crate) fn base(config: &ProviderConfig) -> Result<String, ConfigError> {
    let provider = || config.name.clone();
    let text = config.base_url.trim();
    Url::parse(text).map_err(|source| ConfigError::Url { provider: provider(), source })?;
    if text.contains('?') {
        return Err(ConfigError::Query { provider: provider() });
    }
    let text = text.split_once('#').map_or(text, |(before, _)| before).trim_end_matches('/');
    if config.api_version.is_some() {
        return Ok(text.trim_end_matches("/v1").trim_end_matches("/openai").to_owned());
    }
    let chat_path = hanok_wire::codec(config.dialect).path(Route::Chat, "", false).unwrap_or_default();
    if text.split_once("://").is_some_and(|(_, rest)| rest.contains('/')) {
        let text = text.strip_suffix(&*chat_path).filter(|base| base.ends_with('/')).unwrap_or(text);
        return Ok(text.trim_end_matches('/').to_owned());
    }
    let usual = config.quirks.usual_path.unwrap_or(match config.dialect {
        Dialect::Gemini => "v1beta",
        Dialect::Ollama | Dialect::OllamaGenerate => "api",
        Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::AnthropicMessages => "v1",
    });
    Ok(if usual.is_empty() { text.to_owned() } else { format!("{text}/{usual}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        let check = |url: &str, expect: Result<&str, &str>| {
            let config = ProviderConfig::custom("p".into(), Dialect::OpenAiChat, url);
            match (base(&config), expect) {
                (Ok(got), Ok(expect)) => assert_eq!(got, expect, "{url}"),
                (Err(got), Err(part)) => assert!(got.to_string().contains(part), "{url}: {got}"),
                (got, _) => panic!("{url}: {got:?}"),
            }
        };
        check("http://127.0.0.1:9100", Ok("http://127.0.0.1:9100/v1"));
        check("http://127.0.0.1:9100/", Ok("http://127.0.0.1:9100/v1"));
        check("http://127.0.0.1:9100/v1", Ok("http://127.0.0.1:9100/v1"));
        check("http://127.0.0.1:9100/v1//", Ok("http://127.0.0.1:9100/v1"));
        check("http://127.0.0.1:9100/v1/chat/completions", Ok("http://127.0.0.1:9100/v1"));
        check("http://127.0.0.1:9100/v1/chat/completions/", Ok("http://127.0.0.1:9100/v1"));
        check("http://127.0.0.1:9100/chat/completions", Ok("http://127.0.0.1:9100"));
        check("https://api.groq.com/openai/v1", Ok("https://api.groq.com/openai/v1"));
        check("https://host/api", Ok("https://host/api"));
        check(" https://host#x ", Ok("https://host/v1"));
        check("https://host/v1?api-version=1", Err("query"));
        check(
            "host:80",
            Err("provider p: base_url is not a usable URL: it must begin with http:// or https://"),
        );
        check("https://me:hunter2@host/", Err("give the key as a key"));
    }

    #[test]
    fn each_vendor_has_its_usual_path() {
        let check = |vendor: &str, url: &str, api_version: Option<&str>, expect: &str| {
            let config = ProviderConfig {
                base_url: url.to_owned(),
                api_version: api_version.map(str::to_owned),
                ..ProviderConfig::of_vendor(crate::vendor(vendor).unwrap())
            };
            assert_eq!(base(&config).unwrap(), expect, "{vendor} {url}");
        };
        check("perplexity", "https://api.perplexity.ai", None, "https://api.perplexity.ai");
        check("perplexity", "https://h/router/v1", None, "https://h/router/v1");
        check("gemini", "https://h", None, "https://h/v1beta");
        check("cohere", "https://h/", None, "https://h/compatibility/v1");
        for url in ["https://r.openai.azure.com", "https://r.openai.azure.com/openai/v1/"] {
            check("azure", url, None, "https://r.openai.azure.com/openai/v1");
            check("azure", url, Some("2024-10-21"), "https://r.openai.azure.com");
        }
        check("azure", "https://h/proxy/openai", Some("2024-10-21"), "https://h/proxy");
    }

    #[test]
    fn keys_are_found_in_the_environment() {
        let check = |env: &[(&str, &str)], expect: &[(&str, &str)]| {
            let lookup =
                |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            let found = detect_from_env(lookup);
            let got: Vec<_> = found
                .iter()
                .map(|config| (config.name.as_str(), config.key.as_ref().unwrap().reveal()))
                .collect();
            assert_eq!(got, expect);
        };
        check(&[], &[]);
        check(&[("OPENAI_API_KEY", ""), ("GROQ_API_KEY", "  \n")], &[]);
        check(
            &[("XAI_API_KEY", "k2"), ("OPENAI_API_KEY", " k1\n"), ("OLLAMA_HOST", "x")],
            &[("openai", "k1"), ("xai", "k2")],
        );
    }

    #[test]
    fn a_config_shows_no_secret() {
        let mut config = ProviderConfig::custom("p".into(), Dialect::OpenAiChat, "http://h");
        config.key = Some("sk-hidden".into());
        config.headers.push(("x-extra".into(), "also-hidden".into()));
        let shown = format!("{config:?}");
        assert!(shown.contains("x-extra") && !shown.contains("hidden"), "{shown}");
    }
}
