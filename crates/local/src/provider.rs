//! The models of a data folder as a provider: embeddings and rerankings by their names.

use crate::models::Purpose;
use crate::{CrossEncoder, LocalError, Models, Options, TextEmbedder};
use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, EmbedInput, EmbedKind, EmbedRequest, EmbedResponse,
    EventStream, ModelInfo, ModelName, Provider, ProviderError, ProviderErrorKind, ProviderName,
    RerankRequest, RerankResponse, Usage,
};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The models that were pulled, called by name. Each is opened when it is first asked for, and stays open until its
/// folder is gone or another.
pub struct LocalProvider {
    name: ProviderName,
    models: Models,
    options: Options,
    open: Mutex<HashMap<PathBuf, (SystemTime, Opened)>>,
}

#[derive(Clone)]
enum Opened {
    Embedder(TextEmbedder),
    CrossEncoder(CrossEncoder),
}

impl LocalProvider {
    /// The name it has among providers.
    pub const NAME: &str = "local";

    /// The models of a data folder.
    pub fn at(data: &Path, options: Options) -> Self {
        Self { name: Self::NAME.into(), models: Models::at(data), options, open: Mutex::default() }
    }

    async fn opened(&self, model: &ModelName) -> Result<Opened, ProviderError> {
        let failed = |error: LocalError| {
            let kind = match error {
                LocalError::Unknown { .. } | LocalError::Name(_) => ProviderErrorKind::UnknownModel,
                _ => ProviderErrorKind::Internal,
            };
            ProviderError::new(kind, &self.name, error.to_string()).with_source(error)
        };
        let folder = self.models.folder_of(model.as_str()).map_err(failed)?;
        let config = folder.join("config.json");
        let since = std::fs::metadata(&config).and_then(|found| found.modified());
        let since = since.map_err(|source| failed(LocalError::read(&config, source)))?;
        if let Some((at, open)) = self.open.lock().get(&folder)
            && *at == since
        {
            return Ok(open.clone());
        }
        let (options, from) = (self.options, folder.clone());
        let opening = tokio::task::spawn_blocking(move || Opened::of(&from, options)).await;
        let open = match opening {
            Ok(open) => open.map_err(failed)?,
            Err(error) => {
                let message = format!("{model} could not be opened");
                return Err(
                    ProviderError::new(ProviderErrorKind::Internal, &self.name, message).with_source(error)
                );
            }
        };
        self.open.lock().insert(folder, (since, open.clone()));
        Ok(open)
    }

    fn refused(&self, message: impl Into<String>) -> ProviderError {
        ProviderError::new(ProviderErrorKind::InvalidRequest, &self.name, message)
    }
}

impl Opened {
    fn of(folder: &Path, options: Options) -> Result<Self, LocalError> {
        Ok(match Purpose::of(folder)? {
            Purpose::Embedder => Self::Embedder(TextEmbedder::open(folder, options)?),
            Purpose::CrossEncoder => Self::CrossEncoder(CrossEncoder::open(folder, options)?),
        })
    }
}

impl Provider for LocalProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self, _: &ModelName) -> Capabilities {
        Capabilities { embeddings: true, typed_rerank: true, ..Capabilities::default() }
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async move {
            let models = self.models.clone();
            let listed = tokio::task::spawn_blocking(move || models.list()).await;
            let failed =
                |message: String| ProviderError::new(ProviderErrorKind::Internal, &self.name, message);
            let (found, broken) = match listed {
                Ok(listed) => listed.map_err(|error| failed(error.to_string()))?,
                Err(error) => return Err(failed(error.to_string())),
            };
            for error in broken {
                tracing::debug!(%error, "a model is not offered");
            }
            let info = |model: crate::models::Installed| ModelInfo {
                name: model.name.into(),
                owned_by: Some(Self::NAME.to_owned()),
                created: 0,
                context_length: u64::try_from(model.most_tokens).ok(),
            };
            Ok(found.into_iter().map(info).collect())
        })
    }

    fn chat_stream<'a>(
        &'a self,
        _: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<EventStream, ProviderError>> {
        Box::pin(async move {
            let message = format!("{} makes vectors or scores, and answers no chats", request.model);
            Err(ProviderError::new(ProviderErrorKind::Unsupported, &self.name, message))
        })
    }

    fn embed<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a EmbedRequest,
    ) -> BoxFuture<'a, Result<EmbedResponse, ProviderError>> {
        Box::pin(async move {
            let Opened::Embedder(embedder) = self.opened(&request.model).await? else {
                return Err(
                    self.refused(format!("{} is a cross-encoder, which makes no vectors", request.model))
                );
            };
            if let Some(wanted) = request.dimensions.filter(|wanted| *wanted as usize != embedder.width()) {
                let message =
                    format!("{} makes {} dimensions, not {wanted}", request.model, embedder.width());
                return Err(self.refused(message));
            }
            let text = |input: &'a EmbedInput| match input {
                EmbedInput::Text(text) => Ok(text.as_str()),
                EmbedInput::Tokens(_) => Err(self.refused("local models take texts, not tokens")),
            };
            let texts = request.inputs.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            let asks =
                request.task.as_deref().is_some_and(|task| task.to_ascii_uppercase().contains("QUERY"));
            let kind = if asks { EmbedKind::Query } else { EmbedKind::Document };
            let (vectors, tokens) = embedder.embed_counted(cx, &texts, kind).await?;
            Ok(EmbedResponse { model: request.model.clone(), vectors, usage: used(tokens) })
        })
    }

    fn rerank<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a RerankRequest,
    ) -> BoxFuture<'a, Result<RerankResponse, ProviderError>> {
        Box::pin(async move {
            let Opened::CrossEncoder(encoder) = self.opened(&request.model).await? else {
                return Err(
                    self.refused(format!("{} is an embedder, which scores no documents", request.model))
                );
            };
            let texts: Vec<&str> = request.documents.iter().map(String::as_str).collect();
            let (scores, tokens) = encoder.rerank_counted(cx, &request.query, &texts).await?;
            // Between 0 and 1, as rerankers' scores are given.
            let mut ranked: Vec<(usize, f32)> =
                scores.into_iter().map(|score| 1.0 / (1.0 + (-score).exp())).enumerate().collect();
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
            ranked.truncate(request.top_n.unwrap_or(usize::MAX));
            Ok(RerankResponse { model: request.model.clone(), ranked, usage: used(tokens) })
        })
    }
}

fn used(tokens: usize) -> Usage {
    Usage { input: u64::try_from(tokens).ok(), ..Usage::default() }
}
