//! One dialect of a provider: where it is spoken, and what every request of it carries.

use crate::config::{ConfigError, ProviderConfig, base};
use crate::head::request_headers;
use crate::vendors::Auth;
use hanok_base::{Dialect, Dialects, ProviderName, Route};
use hanok_net::{HeaderMap, Url};
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
    /// Azure's older form: a deployment per model, and a dated API.
    deployments: Option<String>,
}

/// A dialect spoken beside the one a base URL is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Also {
    /// The dialect.
    pub dialect: Dialect,
    /// The end of the base URL that gives way; a base URL with another end has no such dialect.
    pub instead_of: &'static str,
    /// What takes its place.
    pub suffix: &'static str,
}

impl Face {
    /// Every dialect a provider speaks, that of its typed calls first.
    pub(crate) fn all(config: &ProviderConfig) -> Result<Vec<Self>, ConfigError> {
        let base_url = base(config)?;
        let mut faces = vec![Self::new(config, config.dialect, base_url.clone())?];
        for also in &config.also {
            if also.dialect != config.dialect
                && let Some(root) = base_url.strip_suffix(also.instead_of)
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
        let mut face =
            Self { dialect, codec: codec(dialect), base_url, headers, chat: None, deployments: None };
        face.deployments.clone_from(&config.api_version);
        if face.deployments.is_none()
            && let Some(Cow::Borrowed(path)) = face.codec.path(Route::Chat, "", false)
        {
            face.chat = Some(face.parse(&config.name, path)?);
        }
        Ok(face)
    }

    /// The URL of a route; `None` where the dialect has no such route.
    pub(crate) fn url(
        &self,
        provider: &ProviderName,
        route: Route,
        model: &str,
        stream: bool,
        query: Option<&str>,
    ) -> Result<Option<Cow<'_, Url>>, ConfigError> {
        if let (Some(url), Route::Chat, None) = (&self.chat, route, query) {
            return Ok(Some(Cow::Borrowed(url)));
        }
        let Some(path) = self.codec.path(route, model, stream) else {
            return Ok(None);
        };
        let mut path = match &self.deployments {
            Some(version) => {
                let model = percent_encoding::utf8_percent_encode(model, percent_encoding::NON_ALPHANUMERIC);
                format!("openai/deployments/{model}/{path}?api-version={version}")
            }
            None => path.into_owned(),
        };
        if let Some(query) = query {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(query);
        }
        self.parse(provider, &path).map(|url| Some(Cow::Owned(url)))
    }

    pub(crate) fn parse(&self, provider: &ProviderName, path: &str) -> Result<Url, ConfigError> {
        Url::parse(&format!("{}/{path}", self.base_url))
            .map_err(|source| ConfigError::Url { provider: provider.clone(), source })
    }

    /// Whether calls of this dialect can be made here in their own bytes.
    pub(crate) fn speaks(&self, dialect: Dialect) -> bool {
        self.dialect == dialect || (self.dialect, dialect) == (Dialect::Ollama, Dialect::OllamaGenerate)
    }
}

/// The dialects of some faces.
pub(crate) fn dialects(faces: &[Face]) -> Dialects {
    let all = Dialect::ALL.into_iter().filter(|dialect| faces.iter().any(|face| face.speaks(*dialect)));
    all.fold(Dialects::NONE, Dialects::with)
}
