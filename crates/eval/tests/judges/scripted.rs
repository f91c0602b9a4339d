//! A model that says what a function of the request says.

use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, ChatResponse, Choice, EventStream, FinishReason,
    Message, ModelInfo, ModelName, Object, OutputFormat, Part, Provider, ProviderError, ProviderErrorKind,
    ProviderName, Role, Usage,
};
use hanok_eval::Kit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Script = dyn Fn(&ChatRequest, usize) -> Result<Reply, ProviderErrorKind> + Send + Sync;

/// What a scripted model answers with.
pub(crate) enum Reply {
    Text(String),
    Refusal(&'static str),
    Filtered,
}

/// A provider by a function of the request and the number of the call.
pub(crate) struct Scripted {
    name: ProviderName,
    script: Box<Script>,
    calls: AtomicUsize,
}

pub(crate) fn kit(
    script: impl Fn(&ChatRequest, usize) -> Result<Reply, ProviderErrorKind> + Send + Sync + 'static,
) -> (Kit, Arc<Scripted>) {
    let provider =
        Arc::new(Scripted { name: "scripted".into(), script: Box::new(script), calls: AtomicUsize::new(0) });
    (Kit { models: Some(provider.clone()), ..Kit::default() }, provider)
}

/// A kit whose model gives a verdict by the text it is shown.
pub(crate) fn verdicts(verdict: impl Fn(&str) -> String + Send + Sync + 'static) -> Kit {
    kit(move |request, _| {
        let verdict = verdict(&request.messages[1].plain_text());
        Ok(Reply::Text(format!("{{\"reasoning\": \"because\", \"verdict\": \"{verdict}\"}}")))
    })
    .0
}

impl Scripted {
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Provider for Scripted {
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
        Box::pin(async {
            Err(ProviderError::new(ProviderErrorKind::Unsupported, &self.name, "not scripted"))
        })
    }
    fn chat<'a>(
        &'a self,
        _: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<ChatResponse, ProviderError>> {
        assert!(matches!(request.output, OutputFormat::JsonSchema { .. }), "a judge asks for a form");
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let reply = (self.script)(request, number);
        Box::pin(async move {
            let reply = reply.map_err(|kind| ProviderError::new(kind, &self.name, "scripted to fail"))?;
            let (part, finish) = match reply {
                Reply::Text(text) => (Part::Text(text), FinishReason::Stop),
                Reply::Refusal(words) => (Part::Refusal(words.to_owned()), FinishReason::Stop),
                Reply::Filtered => (Part::Text(String::new()), FinishReason::ContentFilter),
            };
            let message = Message { role: Role::Assistant, parts: vec![part], extra: Object::new() };
            Ok(ChatResponse {
                id: "r".to_owned().into(),
                model: request.model.clone(),
                created: 0,
                choices: vec![Choice { index: 0, message, finish, extra: Object::new() }],
                usage: Usage::default(),
                dialect: None,
                extra: Object::new(),
            })
        })
    }
}

/// The text of a block that a judge is shown, such as `answer A`.
pub(crate) fn block<'a>(shown: &'a str, label: &str) -> &'a str {
    let open = format!("<<<{label} ");
    let from = shown.find(&open).map_or(0, |at| at + open.len());
    let body = &shown[from..];
    let code = &body[..16];
    let end = body.find(&format!("<<<end of {label} {code}")).unwrap();
    body[20..end].trim_end_matches('\n')
}
