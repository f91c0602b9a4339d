//! Traces of a long run that nobody called for: its calls to models are recorded a stretch at a time, since a trace is in
//! memory till it ends, and those of a whole collection hold every text and every vector.

use crate::error::LibraryError;
use hanok_base::{CallContext, Caller, CollectionName, Operation, ProviderError, Recorder, SpanScope};
use std::sync::Arc;

/// Texts of one trace, about.
const TEXTS: u64 = 512;

/// The traces of one run; without a recorder its calls are recorded nowhere.
pub(crate) struct Stretches<'a> {
    recorder: Option<&'a dyn Recorder>,
    collection: CollectionName,
    embedder: String,
    open: Option<Stretch>,
}

struct Stretch {
    span: SpanScope,
    texts: u64,
}

impl<'a> Stretches<'a> {
    pub(crate) fn new(
        recorder: Option<&'a dyn Recorder>,
        collection: &CollectionName,
        embedder: &str,
    ) -> Self {
        Self { recorder, collection: collection.clone(), embedder: embedder.to_owned(), open: None }
    }

    /// The context for a call about so many texts.
    pub(crate) async fn context(&mut self, texts: usize) -> Result<CallContext, LibraryError> {
        let texts = u64::try_from(texts).unwrap_or(u64::MAX);
        if self.open.as_ref().is_some_and(|open| open.texts.saturating_add(texts) > TEXTS) {
            self.end();
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Stretch { span: self.begun().await?, texts: 0 },
        };
        open.texts += texts;
        let cx = open.span.context().clone();
        self.open = Some(open);
        Ok(cx)
    }

    async fn begun(&self) -> Result<SpanScope, LibraryError> {
        let cx = context(self.recorder).await?;
        let mut span = cx.span(Operation::Other, format!("embed {}", self.collection));
        span.set("hanok.collection", self.collection.as_str());
        span.set("hanok.embedder", self.embedder.as_str());
        Ok(span)
    }

    /// The call that was made last failed, and the run with it.
    pub(crate) fn failed(&mut self, error: &ProviderError) {
        if let Some(open) = &mut self.open {
            open.span.fail(error.kind.as_str(), error.message.clone());
        }
    }

    fn end(&mut self) {
        if let Some(Stretch { mut span, texts }) = self.open.take() {
            span.set("hanok.texts", texts);
            span.finish();
        }
    }
}

/// A context of our own for one trace, recorded where there is a recorder.
pub(crate) async fn context(recorder: Option<&dyn Recorder>) -> Result<CallContext, LibraryError> {
    let Some(recorder) = recorder else { return Ok(CallContext::unrecorded()) };
    let place = recorder.admit().await.map_err(|error| LibraryError::Worker(error.into()))?;
    Ok(CallContext::new(place, Arc::new(Caller::default())))
}

impl Drop for Stretches<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
