//! One dialect of a provider: where it is spoken, and what every request of it carries.

use crate::config::{ConfigError, ProviderConfig, base};
use crate::head::request_headers;
use crate::vendors::{Auth, Models, Rerank};
use hanok_base::{Dialect, Dialects, ProviderName, RawCall, Route};
use hanok_net::{HeaderMap, HeaderName, HeaderValue, Url, header};
use hanok_wire::{Codec, codec};
use std::borrow::Cow;

/// A dialect as spoken by one provider.
pub(crate) struct Face {
    pub(crate) dialect: Dialect,
    pub(crate) codec: &'static dyn Codec,
    /// Without a slash at the end.
    pub(crate) base_url: String,
    pub(crate) headers: HeaderMap,
    /// Chats' URL, where it does not depend on the model.
    chat: Option<Url>,
    /// The version of Azure's dated API, where most routes stand below a deployment's name.
    dated: Option<String>,
    /// What `rerank` stands below; `None` where nothing is reranked.
    rerank: Option<String>,
    models: Models,
}

/// A dialect spoken beside the one a base URL is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Also {
    /// The dialect.
    pub dialect: Dialect,
    /// The end of the base URL that gives way; a base URL with another end has no such dialect.
    pub instead_of: Cow<'static, str>,
    /// What takes its place.
    pub suffix: Cow<'static, str>,
}

impl Also {
    pub(crate) const fn new(dialect: Dialect, instead_of: &'static str, suffix: &'static str) -> Self {
        Self { dialect, instead_of: Cow::Borrowed(instead_of), suffix: Cow::Borrowed(suffix) }
    }

    /// The same seen from where `base` is spoken, which is known from the same base URL; `None` where no base URL
    /// has the ends of both.
    fn seen_from(&self, base: &Self) -> Option<Self> {
        let (instead_of, suffix) = if let Some(rest) = base.instead_of.strip_suffix(&*self.instead_of) {
            (base.suffix.clone(), format!("{rest}{}", self.suffix).into())
        } else {
            let rest = self.instead_of.strip_suffix(&*base.instead_of)?;
            (format!("{rest}{}", base.suffix).into(), self.suffix.clone())
        };
        Some(Self { dialect: self.dialect, instead_of, suffix })
    }
}

impl ProviderConfig {
    /// The same with typed calls in another of the dialects it speaks; all others stay beside it. `None` where it
    /// does not speak that one.
    #[must_use]
    pub fn speaking(mut self, dialect: Dialect) -> Option<Self> {
        if dialect == self.dialect {
            return Some(self);
        }
        let chosen = self.also.iter().find(|also| also.dialect == dialect)?.clone();
        let root = self.base_url.strip_suffix(&*chosen.instead_of).unwrap_or(&self.base_url);
        self.base_url = format!("{root}{}", chosen.suffix);
        let first = Also { dialect: self.dialect, instead_of: "".into(), suffix: "".into() };
        let others = self.also.iter().filter(|also| ![dialect, self.dialect].contains(&also.dialect));
        self.also =
            std::iter::once(&first).chain(others).filter_map(|also| also.seen_from(&chosen)).collect();
        self.dialect = dialect;
        Some(self)
    }
}

impl Face {
    /// Every dialect a provider speaks, that of its typed calls first.
    pub(crate) fn all(config: &ProviderConfig) -> Result<Vec<Self>, ConfigError> {
        let base_url = base(config)?;
        let mut faces = vec![Self::new(config, config.dialect, base_url.clone())?];
        for also in &config.also {
            // Azure's dated API has Responses since this version; ISO dates compare as texts.
            let too_old = also.dialect == Dialect::OpenAiResponses
                && config.api_version.as_deref().is_some_and(|version| version < "2025-03-01");
            if !too_old
                && also.dialect != config.dialect
                && let Some(root) = base_url.strip_suffix(&*also.instead_of)
            {
                faces.push(Self::new(config, also.dialect, format!("{root}{}", also.suffix))?);
            }
        }
        Ok(faces)
    }

    fn new(config: &ProviderConfig, dialect: Dialect, base_url: String) -> Result<Self, ConfigError> {
        let auth = config.auth.unwrap_or(match dialect {
            Dialect::AnthropicMessages => Auth::Header("x-api-key"),
            Dialect::Gemini => Auth::Header("x-goog-api-key"),
            _ => Auth::Bearer,
        });
        let mut headers = request_headers(config, auth)?;
        if dialect == Dialect::AnthropicMessages {
            let version = hanok_net::HeaderValue::from_static("2023-06-01");
            headers.entry("anthropic-version").or_insert(version);
        }
        let rerank = match config.quirks.rerank {
            Rerank::Beside => Some(base_url.clone()),
            Rerank::Instead { of, suffix } => {
                // A base URL with another end is somebody else's address for the same.
                Some(
                    base_url
                        .strip_suffix(of)
                        .map_or_else(|| base_url.clone(), |root| format!("{root}{suffix}")),
                )
            }
            Rerank::No => None,
        };
        let dated = config.api_version.clone();
        let models = if dialect == config.dialect { config.quirks.models } else { Models::Usual };
        let mut face =
            Self { dialect, codec: codec(dialect), base_url, headers, chat: None, dated, rerank, models };
        if face.dated.is_none()
            && let Some(Cow::Borrowed(path)) = face.codec.path(Route::Chat, "", false)
        {
            face.chat = Some(face.parse(&config.name, path)?);
        }
        Ok(face)
    }

    /// Where a call goes; `None` where its dialect has no such route, or the provider does not offer it.
    pub(crate) fn url(
        &self,
        provider: &ProviderName,
        call: &RawCall,
    ) -> Result<Option<Cow<'_, Url>>, ConfigError> {
        if let (Some(url), Route::Chat, None) = (&self.chat, call.route, &call.query)
            && call.dialect == self.dialect
        {
            return Ok(Some(Cow::Borrowed(url)));
        }
        let model = call.model.as_str();
        let Some(path) = codec(call.dialect).path(call.route, model, call.stream) else {
            return Ok(None);
        };
        let mut url = match (&self.dated, call.route) {
            (_, Route::Rerank) => match &self.rerank {
                Some(base) => format!("{base}/{path}"),
                None => return Ok(None),
            },
            (Some(version), route) if per_deployment(call.dialect, route) => {
                let model = percent_encoding::utf8_percent_encode(model, percent_encoding::NON_ALPHANUMERIC);
                format!("{}/openai/deployments/{model}/{path}?api-version={version}", self.base_url)
            }
            (Some(version), _) => format!("{}/openai/{path}?api-version={version}", self.base_url),
            (None, _) => format!("{}/{path}", self.base_url),
        };
        if let Some(query) = &call.query {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(query);
        }
        parsed(provider, &url).map(|url| Some(Cow::Owned(url)))
    }

    /// Where models are listed, and in whose form; `None` where they are not.
    pub(crate) fn models(
        &self,
        provider: &ProviderName,
    ) -> Result<Option<(Url, &'static dyn Codec)>, ConfigError> {
        let (path, form) = match self.models {
            Models::Usual => (usual_models(self.dialect), self.dialect),
            Models::At { path, form } => (path, form),
            Models::Unlisted => return Ok(None),
        };
        let url = match &self.dated {
            Some(version) => {
                parsed(provider, &format!("{}/openai/{path}?api-version={version}", self.base_url))
            }
            None => self.parse(provider, path),
        };
        url.map(|url| Some((url, codec(form))))
    }

    /// The face's headers, and those of a call that belong to its dialect. What is configured wins, and nothing
    /// a call brings is a key.
    pub(crate) fn headers_of(&self, call: &RawCall) -> Cow<'_, HeaderMap> {
        if call.headers.is_empty() && call.content_type.is_none() {
            return Cow::Borrowed(&self.headers);
        }
        let mut headers = self.headers.clone();
        for (name, value) in &call.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
                && !KEYS.contains(&name.as_str())
                && !headers.get(&name).is_some_and(HeaderValue::is_sensitive)
            {
                headers.insert(name, value);
            }
        }
        if let Some(Ok(content_type)) = call.content_type.as_deref().map(HeaderValue::try_from) {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        Cow::Owned(headers)
    }

    fn parse(&self, provider: &ProviderName, path: &str) -> Result<Url, ConfigError> {
        parsed(provider, &format!("{}/{path}", self.base_url))
    }

    /// Whether calls of this dialect can be made here in their own bytes.
    pub(crate) fn speaks(&self, dialect: Dialect) -> bool {
        self.dialect == dialect || (self.dialect, dialect) == (Dialect::Ollama, Dialect::OllamaGenerate)
    }
}

/// Headers in which a client may hold the key that it has for us.
const KEYS: [&str; 6] =
    ["authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie", "proxy-authorization"];

/// Whether a route of Azure's dated API stands below a deployment's name.
fn per_deployment(dialect: Dialect, route: Route) -> bool {
    match route {
        Route::Chat => dialect == Dialect::OpenAiChat,
        Route::Embeddings => true,
        Route::Raw(path) => path.starts_with("audio/") || path.starts_with("images/"),
        Route::BatchEmbeddings | Route::CountTokens | Route::Rerank => false,
    }
}

fn usual_models(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => "models",
        Dialect::AnthropicMessages => "models?limit=1000",
        Dialect::Gemini => "models?pageSize=1000",
        Dialect::Ollama | Dialect::OllamaGenerate => "tags",
    }
}

fn parsed(provider: &ProviderName, url: &str) -> Result<Url, ConfigError> {
    Url::parse(url).map_err(|source| ConfigError::Url { provider: provider.clone(), source })
}

/// The dialects of some faces.
pub(crate) fn dialects(faces: &[Face]) -> Dialects {
    let all = Dialect::ALL.into_iter().filter(|dialect| faces.iter().any(|face| face.speaks(*dialect)));
    all.fold(Dialects::NONE, Dialects::with)
}
