//! The way of commands to a chat model that they ask themselves: through the running server, or through the same gateway
//! in this process, recorded either way.

use crate::config::Effective;
use crate::ownership::{self, Owned};
use crate::remote::Remote;
use crate::wiring::Rooms;
use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, ChatResponse, Dialect, EventStream, ModelInfo,
    ModelName, Provider, ProviderError, ProviderErrorKind, ProviderName, Recorder,
};
use hanok_wire::{RequestOptions, codec};
use http::Method;
use std::sync::{Arc, Weak};

const DIALECT: Dialect = Dialect::OpenAiChat;

/// The way to models.
pub(crate) enum Asking {
    /// Through the server that runs on the data folder, which records.
    Server(Arc<dyn Provider>),
    /// In this process.
    Here(Box<(Rooms, Owned)>),
}

impl Asking {
    /// Finds the way.
    pub(crate) async fn open(effective: &Effective) -> anyhow::Result<Self> {
        if let Some(card) = ownership::running(&effective.data.value) {
            let remote = Remote::new(card, &effective.config)?;
            return Ok(Self::Server(Arc::new(RemoteModels { remote, name: "hanok".into() })));
        }
        let owned = Owned::take(&effective.data.value)?;
        Ok(Self::Here(Box::new((Rooms::open(effective).await?, owned))))
    }

    /// The models, as long as this is held.
    pub(crate) fn gateway(&self) -> Weak<dyn Provider> {
        match self {
            Self::Server(models) => Arc::downgrade(models),
            Self::Here(here) => {
                let gateway: Arc<dyn Provider> = here.0.gateway.clone();
                Arc::downgrade(&gateway)
            }
        }
    }

    /// Where calls are recorded that nobody else records.
    pub(crate) fn recorder(&self) -> Option<&dyn Recorder> {
        match self {
            Self::Server(_) => None,
            Self::Here(here) => Some(&here.0.traces),
        }
    }

    /// Lets go of what was opened, records first.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        if let Self::Here(here) = self {
            let (rooms, owned) = *here;
            rooms.close().await?;
            drop(owned);
        }
        Ok(())
    }
}

/// The models of a running server, for whole answers.
struct RemoteModels {
    remote: Remote,
    name: ProviderName,
}

impl RemoteModels {
    fn failed(&self, kind: ProviderErrorKind, message: String) -> ProviderError {
        ProviderError::new(kind, &self.name, message)
    }

    async fn answer(&self, request: &ChatRequest) -> Result<ChatResponse, ProviderError> {
        let body = codec(DIALECT).encode_request(request, RequestOptions::default()).body;
        let body = serde_json::from_slice(&body)
            .map_err(|error| self.failed(ProviderErrorKind::Internal, error.to_string()))?;
        let answer = self.remote.json(Method::POST, "/v1/chat/completions", Some(&body)).await;
        let answer =
            answer.map_err(|error| self.failed(ProviderErrorKind::Transport, format!("{error:#}")))?;
        codec(DIALECT)
            .decode_response(answer.to_string().as_bytes())
            .map_err(|error| self.failed(ProviderErrorKind::Decode, error.to_string()))
    }
}

impl Provider for RemoteModels {
    fn name(&self) -> &ProviderName {
        &self.name
    }
    fn capabilities(&self, _: &ModelName) -> Capabilities {
        Capabilities::default()
    }
    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn chat_stream<'a>(
        &'a self,
        _: &'a CallContext,
        _: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<EventStream, ProviderError>> {
        let message = "commands ask for whole answers".to_owned();
        let refused = self.failed(ProviderErrorKind::Unsupported, message);
        Box::pin(async { Err(refused) })
    }
    fn chat<'a>(
        &'a self,
        _: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<ChatResponse, ProviderError>> {
        Box::pin(self.answer(request))
    }
}
