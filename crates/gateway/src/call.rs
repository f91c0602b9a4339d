//! One call, top to bottom.

use crate::admission::{Admitted, Bill, admit};
use crate::answer::{Answer, Held};
use crate::attempt::{ClientCall, Failure, bad_request};
use crate::cache::CacheKey;
use crate::gateway::Gateway;
use crate::key::Key;
use crate::outcome::{Answered, Outcome, again, finish};
use crate::plan::Facts;
use crate::prompted;
use bytes::Bytes;
use hanok_base::{
    Attributes, BoxFuture, CallContext, Dialect, ErrorKind, Exchange, Operation, Problem, ProviderErrorKind,
    ResponseBytes, Route, SpanScope,
};
use hanok_wire::{Peek, codec, form};
use std::sync::Arc;

/// A client's call.
pub struct Call {
    /// The format of its bytes.
    pub dialect: Dialect,
    /// What is asked for.
    pub route: Route,
    /// The model, where the URL tells it.
    pub model: Option<String>,
    /// Whether to stream, where the URL tells it.
    pub stream: Option<bool>,
    /// The body's type, where it is not JSON.
    pub content_type: Option<String>,
    /// Headers that belong to the dialect, for an upstream of the same.
    pub headers: Vec<(String, String)>,
    /// The URL's query, without any key.
    pub query: Option<String>,
    /// The client's `x-hanok-route` header.
    pub tag: Option<String>,
    /// What its headers say of it, as attributes: session, user, tags, prompt.
    pub labels: Attributes,
    /// The key it came with.
    pub key: Option<Arc<Key>>,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// A call of nobody in particular with all it says in its body.
    pub fn new(dialect: Dialect, route: Route, body: Bytes) -> Self {
        Self {
            dialect,
            route,
            model: None,
            stream: None,
            content_type: None,
            headers: Vec::new(),
            query: None,
            tag: None,
            labels: Attributes::new(),
            key: None,
            body,
        }
    }

    /// Whether its answer may be asked back.
    pub(crate) fn keeps_responses(&self) -> bool {
        self.dialect == Dialect::OpenAiResponses && self.route == Route::Chat
    }
}

impl Gateway {
    /// Answers one call in its own dialect. The gateway span is open from here until the answer's last byte.
    pub async fn call(&self, cx: &CallContext, call: Call) -> Result<Answer, Problem> {
        let mut scope = cx.span(Operation::Gateway, operation_name(call.route));
        match self.answer(&mut scope, &call).await {
            Ok(Outcome::Answered(answered)) => Ok(finish(scope, &call, answered)),
            Ok(Outcome::Kept(kept, limits)) => Ok(again(scope, &call, kept, limits)),
            Err(problem) => {
                scope.fail(error_type(problem.kind), problem.message.clone());
                // Other routes' bodies are no chats, and stand at the provider's span.
                if call.route == Route::Chat {
                    scope.exchange(Exchange {
                        dialect: call.dialect,
                        request: call.body,
                        response: ResponseBytes::None,
                    });
                }
                Err(problem)
            }
        }
    }

    async fn answer(&self, scope: &mut SpanScope, call: &Call) -> Result<Outcome<'_>, Problem> {
        let caller = scope.context().caller.clone();
        scope.set("hanok.dialect", call.dialect.as_str());
        if let Some(key) = &caller.key_name {
            scope.set("hanok.key", &**key);
        }
        let (of_prompt, labels): (Vec<_>, Vec<_>) =
            call.labels.iter().partition(|(name, _)| prompted::is_label(name));
        for (name, value) in labels {
            scope.set(name.clone(), value.clone());
        }
        let peek = look(call)?;
        if let Some(asked) = self.asked_by(call, &peek) {
            return self.prompted(scope, call, &peek, asked).await;
        }
        for (name, value) in of_prompt {
            scope.set(name.clone(), value.clone());
        }
        if peek.model.is_empty() {
            let problem = Problem::new(ErrorKind::InvalidRequest, "invalid_request", "no model is named");
            return Err(problem.param("model"));
        }
        scope.rename(format!("{} {}", operation_name(call.route), peek.model));
        scope.set("gen_ai.request.model", peek.model.as_str());
        scope.set("hanok.stream", peek.stream);
        let model = self.routes.load().resolve(&peek.model, &self.catalog)?;
        if let Some(key) = &call.key {
            key.check_model(&peek.model)?;
        }
        let facts = Facts {
            dialect: call.dialect,
            stream: peek.stream,
            input_tokens: call.body.len() as u64 / 4,
            max_tokens: peek.max_tokens,
            key: caller.key_name.as_deref().unwrap_or_default(),
            project: &caller.project,
            tag: call.tag.as_deref().unwrap_or_default(),
            sticky: peek.cache_key.as_deref(),
        };
        let key = call.key.as_deref();
        let admitted = admit(key, facts.input_tokens)?;
        let cached = model
            .cache
            .filter(|_| call.route == Route::Chat)
            .map(|lifetime| (cache_key(call, &caller.project, ""), lifetime));
        if let Some((key, lifetime)) = &cached
            && let Some(kept) = self.cache.get(key, *lifetime)
        {
            // It uses none of the tokens it was thought to.
            if let Some(key) = call.key.as_deref().filter(|key| key.limits.tokens_per_minute.is_some()) {
                key.meter.correct(facts.input_tokens, 0);
            }
            return Ok(Outcome::Kept(kept, admitted.limits));
        }
        let bill = Bill {
            model_name: &peek.model,
            model: &model,
            route: call.route,
            peek: &peek,
            body: &call.body,
            dialect: call.dialect,
        };
        let max_tokens = self.policy.load().reserve(scope.context(), key, &bill, facts.input_tokens).await?;
        let client = ClientCall {
            dialect: call.dialect,
            route: call.route,
            peek: &peek,
            body: &call.body,
            content_type: call.content_type.as_deref(),
            headers: &call.headers,
            query: call.query.as_deref(),
            max_tokens,
        };
        let cx = scope.context().clone();
        let more = || -> BoxFuture<'_, Result<(), Problem>> {
            Box::pin(async {
                let reserved = self.policy.load().reserve(&cx, key, &bill, facts.input_tokens).await;
                reserved.map(drop)
            })
        };
        let (reply, held) = match self.route(scope, &model, &facts, &client, &more).await {
            Ok(found) => found,
            Err(Failure::Request(problem)) => return Err(problem),
            Err(Failure::Provider(error)) => {
                let problem = Problem::from(&error);
                return Err(if error.kind == ProviderErrorKind::UnknownModel {
                    self.routes.load().with_nearest(problem, &peek.model, &self.catalog)
                } else {
                    problem
                });
            }
        };
        let Admitted { admission, limits } = admitted;
        let held = Held { admission, ..held };
        let cache = cached.map(|(key, _)| (&self.cache, key));
        Ok(Outcome::Answered(Answered { reply, held, limits, cache }))
    }
}

/// What routing needs of a call: from its URL, its form, or its JSON.
fn look(call: &Call) -> Result<Peek, Problem> {
    let form = call.content_type.as_deref().and_then(form::boundary);
    let mut peek = match form {
        Some(boundary) => form::peek(&call.body, &boundary),
        None => codec(call.dialect).peek(call.route, &call.body),
    }
    .map_err(|error| bad_request(&error))?;
    if let Some(model) = &call.model {
        peek.model.clone_from(model);
    }
    if let Some(stream) = call.stream {
        peek.stream = stream;
    }
    Ok(peek)
}

/// Which request this is: whose, in which shape, its very bytes, and what else it comes down to (`made_of`).
pub(crate) fn cache_key(call: &Call, project: &str, made_of: &str) -> CacheKey {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(project.as_bytes());
    part(call.key.as_ref().map_or(b"", |key| key.account().as_bytes()));
    part(call.dialect.as_str().as_bytes());
    part(call.model.as_deref().unwrap_or_default().as_bytes());
    part(if call.stream == Some(true) { b"s" } else { b"" });
    // What else can change the answer.
    part(call.tag.as_deref().unwrap_or_default().as_bytes());
    part(call.query.as_deref().unwrap_or_default().as_bytes());
    for (name, value) in &call.headers {
        part(name.as_bytes());
        part(value.as_bytes());
    }
    part(&call.body);
    part(made_of.as_bytes());
    *hasher.finalize().as_bytes()
}

pub(crate) fn operation_name(route: Route) -> &'static str {
    match route {
        Route::Chat => "chat",
        Route::Embeddings | Route::BatchEmbeddings => "embeddings",
        Route::CountTokens => "count_tokens",
        Route::Rerank => "rerank",
        Route::Raw(path) => path,
    }
}

fn error_type(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::TooLarge | ErrorKind::MethodNotAllowed => "invalid_request",
        ErrorKind::Unauthenticated | ErrorKind::Forbidden => "auth",
        ErrorKind::NotFound => "not_found",
        ErrorKind::Conflict => "conflict",
        ErrorKind::BudgetSpent => "budget_spent",
        ErrorKind::RateLimited => "rate_limited",
        ErrorKind::Internal => "internal",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Upstream => "upstream",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Timeout => "timeout",
    }
}
