//! The span of one call upstream, with the bytes that went both ways.

use bytes::Bytes;
use hanok_base::{
    CallContext, Dialect, Exchange, ModelName, Operation, ProviderError, ResponseBytes, SpanScope, Usage,
};

/// How many bytes of one answer are kept for its record. What is beyond still reaches the client.
const MOST_KEPT: usize = 64 << 20;

/// An open span that keeps what passes. Dropping it unfinished records a cancelled call with what came
/// until then.
pub(crate) struct Recording {
    scope: SpanScope,
    dialect: Dialect,
    request: Bytes,
    answer: ResponseBytes,
    kept: usize,
    cut: bool,
}

/// What is known of a call before it is made.
pub(crate) struct About<'a> {
    pub(crate) operation: Operation,
    pub(crate) dialect: Dialect,
    pub(crate) provider: &'a str,
    pub(crate) model: &'a ModelName,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) stream: bool,
}

impl Recording {
    pub(crate) fn begin(cx: &CallContext, about: &About<'_>, request: Bytes) -> Self {
        let mut scope = cx.span(about.operation, format!("{} {}", about.operation.as_str(), about.model));
        scope.set("gen_ai.provider.name", about.provider);
        scope.set("gen_ai.request.model", about.model.as_str());
        scope.set("server.address", about.host);
        scope.set("server.port", about.port);
        scope.set("hanok.stream", about.stream);
        Self { scope, dialect: about.dialect, request, answer: ResponseBytes::None, kept: 0, cut: false }
    }

    /// The context of the call itself.
    pub(crate) fn context(&self) -> &CallContext {
        self.scope.context()
    }

    /// The status of the answer's head.
    pub(crate) fn status(&mut self, status: u16) {
        self.scope.set("http.response.status_code", status);
    }

    /// The first piece of content is here; to be told once.
    pub(crate) fn first_token(&mut self) {
        let milliseconds = self.scope.start().elapsed().as_secs_f64() * 1e3;
        self.scope.set("hanok.time_to_first_token_ms", milliseconds);
    }

    /// A whole answer, as it came.
    pub(crate) fn whole(&mut self, answer: Bytes) {
        self.answer = ResponseBytes::Whole(answer);
    }

    /// What the answer says it used, where its record's reader would not find it.
    pub(crate) fn used(&mut self, usage: Usage) {
        if let Some(input) = usage.input {
            self.scope.set("gen_ai.usage.input_tokens", input);
        }
    }

    /// Keeps no piece of the answer from now on: sound and images are no record.
    pub(crate) fn keep_nothing(&mut self) {
        self.cut = true;
    }

    /// A piece of a streamed answer, as it came; shared, not copied.
    pub(crate) fn piece(&mut self, piece: &Bytes) {
        if self.cut {
            return;
        }
        if self.kept.saturating_add(piece.len()) > MOST_KEPT {
            self.cut = true;
            self.scope.set("hanok.exchange_truncated", true);
            return;
        }
        self.kept += piece.len();
        match &mut self.answer {
            ResponseBytes::Streamed(pieces) => pieces.push(piece.clone()),
            answer => *answer = ResponseBytes::Streamed(vec![piece.clone()]),
        }
    }

    /// Ends it with an error.
    pub(crate) fn fail(&mut self, error: &ProviderError) {
        self.scope.fail(error.kind.as_str(), error.message.clone());
    }

    /// Ends it well.
    pub(crate) fn succeed(&mut self) {
        self.scope.succeed();
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let response = std::mem::replace(&mut self.answer, ResponseBytes::None);
        let request = std::mem::take(&mut self.request);
        self.scope.exchange(Exchange { dialect: self.dialect, request, response });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::{Caller, Place, Span, SpanStatus};
    use parking_lot::Mutex;
    use std::sync::Arc;

    struct Keep(Arc<Mutex<Vec<Span>>>);
    impl Place for Keep {
        fn record(self: Box<Self>, trace: hanok_base::FinishedTrace) {
            let spans = trace.spans;
            self.0.lock().extend(spans);
        }
    }

    #[test]
    fn an_endless_answer_is_kept_up_to_a_limit() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let cx = CallContext::new(Box::new(Keep(kept.clone())), Arc::new(Caller::default()));
        let about = About {
            operation: Operation::Chat,
            dialect: Dialect::OpenAiChat,
            provider: "p",
            model: &"m".into(),
            host: "h",
            port: 1,
            stream: true,
        };
        let mut recording = Recording::begin(&cx, &about, Bytes::from_static(b"{}"));
        let piece = Bytes::from(vec![b'x'; 1 << 20]);
        for _ in 0..70 {
            recording.piece(&piece);
        }
        recording.piece(&Bytes::from_static(b"small, but behind the gap"));
        drop((cx, recording));
        let span = kept.lock().remove(0);
        assert!(matches!(span.status, SpanStatus::Error(_)), "unfinished");
        assert!(
            span.attributes.iter().any(|(key, value)| key == "hanok.exchange_truncated" && *value == true)
        );
        let ResponseBytes::Streamed(pieces) = span.exchange.unwrap().response else { panic!("not a stream") };
        assert_eq!(pieces.len(), MOST_KEPT >> 20);
    }
}
