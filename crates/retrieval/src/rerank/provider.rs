//! A provider's rerank API, through the gateway.

use hanok_base::{
    BoxFuture, CallContext, ModelName, Operation, Provider, ProviderError, ProviderErrorKind, ProviderName,
    RerankRequest, Reranker,
};
use std::sync::Weak;

/// Texts of one call: what the vendors with the least take, and a unit of what they charge for.
const AT_MOST: usize = 100;

/// Any provider's model for reranking, by the name a client would ask for it by.
pub struct ProviderReranker {
    model: ModelName,
    gateway: Weak<dyn Provider>,
    provider: ProviderName,
}

impl ProviderReranker {
    /// Scores by `model`.
    pub fn new(gateway: Weak<dyn Provider>, model: ModelName) -> Self {
        Self { model, gateway, provider: "hanok".into() }
    }

    async fn scores(
        &self,
        cx: &CallContext,
        question: &str,
        texts: &[&str],
    ) -> Result<Vec<f32>, ProviderError> {
        let error = |kind, message: String| ProviderError::new(kind, &self.provider, message);
        let gateway = self
            .gateway
            .upgrade()
            .ok_or_else(|| error(ProviderErrorKind::Internal, "the gateway is shutting down".to_owned()))?;
        // Scores of one model for one question are comparable, whatever texts they were made beside.
        let mut scores = Vec::with_capacity(texts.len());
        for some in texts.chunks(AT_MOST) {
            let request = RerankRequest {
                model: self.model.clone(),
                query: question.to_owned(),
                documents: some.iter().map(|text| (*text).to_owned()).collect(),
                top_n: None,
            };
            let response = gateway.rerank(cx, &request).await?;
            let mut given = vec![None; some.len()];
            for (at, score) in response.ranked {
                if let Some(place) = given.get_mut(at) {
                    *place = Some(score);
                }
            }
            let given: Option<Vec<f32>> = given.into_iter().collect();
            scores.extend(given.ok_or_else(|| {
                let message = format!("{} left some of {} texts without a score", self.model, some.len());
                error(ProviderErrorKind::Decode, message)
            })?);
        }
        Ok(scores)
    }
}

impl Reranker for ProviderReranker {
    fn id(&self) -> &str {
        self.model.as_str()
    }

    fn rerank<'a>(
        &'a self,
        cx: &'a CallContext,
        question: &'a str,
        texts: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Vec<f32>, ProviderError>> {
        Box::pin(async move {
            let mut span = cx.span(Operation::Rerank, format!("rerank {}", self.model));
            span.set("hanok.reranker", self.model.as_str());
            span.set("hanok.query", question);
            span.set("hanok.texts", texts.len());
            let scores = self.scores(span.context(), question, texts).await;
            match &scores {
                Ok(_) => span.succeed(),
                Err(error) => span.fail(error.kind.as_str(), error.message.clone()),
            }
            scores
        })
    }
}
