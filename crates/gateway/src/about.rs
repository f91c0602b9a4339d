//! What is known of a model beside its calls.

use crate::Gateway;
use crate::route::Model;
use bytes::Bytes;
use hanok_base::{
    CallContext, Dialect, Patience, Problem, ProviderError, ProviderErrorKind, RawBody, RawCall, Route,
};
use std::sync::Arc;
use std::time::Duration;

/// How long a provider may take to tell of a model.
const SHOW_TIMEOUT: Duration = Duration::from_secs(5);

impl Gateway {
    /// The model behind a name, as a call of it would find it.
    pub fn model(&self, name: &str) -> Result<Arc<Model>, Problem> {
        self.routes().resolve(name, self.catalog())
    }

    /// Most tokens of a prompt and its answer together: what the operator said, or else the least of what the
    /// providers of the model's targets list. `None` where nobody said.
    pub fn context_length(&self, model: &Model) -> Option<u64> {
        let listed = || {
            let lengths = model.entries.iter().filter_map(|entry| {
                let models = self.catalog().models(entry.target.provider.name());
                models.iter().find(|info| info.name == entry.target.model)?.context_length
            });
            lengths.min()
        };
        model.context_length.or_else(listed)
    }

    /// What an Ollama server says of the model's first target (`/api/show`), in its own bytes. `None` where that
    /// target is at none.
    pub async fn shown(&self, model: &Model) -> Option<Result<Bytes, ProviderError>> {
        let target = &model.entries.first()?.target;
        let provider = &target.provider;
        if !provider.capabilities(&target.model).native.contains(Dialect::Ollama) {
            return None;
        }
        let limit = Some(SHOW_TIMEOUT);
        let patience = Patience { connect: limit, first_token: limit, between: limit };
        // It is no call of a model, and leaves no trace, as asking for the list of models does not.
        let cx = CallContext::unrecorded().patient(patience);
        let body = serde_json::json!({ "model": target.model.as_str() }).to_string();
        let call = RawCall::new(Dialect::Ollama, Route::Raw("show"), target.model.clone(), body.into());
        Some(match provider.forward(&cx, call).await {
            Ok(response) => match response.body {
                RawBody::Whole(body) if hanok_wire::is_json(&body) => Ok(body),
                _ => Err(ProviderError::new(
                    ProviderErrorKind::Decode,
                    provider.name(),
                    "what was said of the model is no JSON",
                )),
            },
            Err(error) => Err(error),
        })
    }
}
