//! Calls of prompts (`prompt/NAME[@LABEL]`, and a Responses request's `prompt`): filled in, they go the way of any
//! call, to the model that the prompt names.
//!
//! What a prompt is, and how its answers are read, is behind two seams.

use crate::admission::{Admitted, admit};
use crate::answer::Held;
use crate::attempt::{Ask, Failure, Reply, bad_request, own_response_id, under_id};
use crate::call::{Call, cache_key, operation_name};
use crate::gateway::Gateway;
use crate::inner::own;
use crate::key::Key;
use crate::outcome::{Answered, Outcome};
use crate::plan::{Facts, Step};
use crate::route::Model;
use bytes::Bytes;
use futures_util::StreamExt as _;
use hanok_base::{
    Attributes, BoxFuture, CallContext, ChatRequest, ChatResponse, Delta, Dialect, ErrorKind, EventStream,
    Object, Part, Problem, ProviderError, ProviderErrorKind, ProviderName, Route, SpanScope, StreamEvent,
};
use hanok_wire::prompted::{decode_prompted, named_prompt, take_variables};
use hanok_wire::{Peek, RequestOptions, StreamOptions, codec, tokens};
use std::sync::Arc;

/// The provider name under which prompts are offered.
pub const RESERVED: &str = "prompt";
/// How ids of prompts begin that are kept at OpenAI; those are not ours to fill in.
const KEPT_ELSEWHERE: &str = "pmpt_";

/// Whether an attribute says of which prompt a call is: what is filled in here is known better than a header says.
pub(crate) fn is_label(name: &str) -> bool {
    name.contains("prompt.")
}

/// Prompts under version control: the binary ties this to where they are kept.
pub trait Prompts: Send + Sync {
    /// Those on offer, as `NAME` and `NAME@LABEL`.
    fn offered(&self) -> Vec<String>;

    /// What a model is asked when this prompt is filled in for a request: its messages with those of the request as
    /// the conversation so far, its settings where the request says none, and its model where the request names none
    /// of its own.
    fn prepare<'a>(
        &'a self,
        cx: &'a CallContext,
        asked: &'a AskedPrompt,
        variables: Object,
        request: ChatRequest,
    ) -> BoxFuture<'a, Result<Prepared, Problem>>;
}

/// A prompt that a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedPrompt {
    /// Its name.
    pub name: String,
    /// A label or version of it.
    pub at: Option<String>,
    /// The model to ask, where the call names one itself.
    pub model: Option<String>,
}

impl AskedPrompt {
    /// The prompt of a model's name behind `prompt/`.
    fn of(name: &str) -> Self {
        let (name, at) = name.split_once('@').map_or((name, None), |(name, at)| (name, Some(at)));
        Self { name: name.to_owned(), at: at.filter(|at| !at.is_empty()).map(str::to_owned), model: None }
    }

    /// As a model's name.
    fn model_name(&self) -> String {
        match &self.at {
            Some(at) => format!("{RESERVED}/{}@{at}", self.name),
            None => self.bare_name(),
        }
    }

    fn bare_name(&self) -> String {
        format!("{RESERVED}/{}", self.name)
    }
}

/// A prompt, filled in.
pub struct Prepared {
    /// What a model is asked; the model is the target's name.
    pub request: ChatRequest,
    /// What the span says of it.
    pub labels: Attributes,
    /// What made it what it is, for the cache: prompt and version.
    pub identity: String,
    /// How its answers are read; `None` where they are taken as they come.
    pub reading: Option<Arc<dyn Reading>>,
}

/// How answers to a prompt are read.
pub trait Reading: Send + Sync {
    /// Whether nothing of an answer may leave before all of it is there and was checked.
    fn needs_whole(&self) -> bool;
    /// How often an answer that does not fit is asked for again.
    fn retries(&self) -> u32;
    /// Reads a stream.
    fn events(&self, events: EventStream) -> EventStream;
    /// Reads a whole answer in place, and checks it. Where it does not fit, `request` becomes what asks for it again.
    fn check(&self, response: &mut ChatResponse, request: &mut ChatRequest) -> Result<(), Misfit>;
}

/// An answer does not fit what the prompt wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Why.
    pub message: String,
    /// Whether asking again can help.
    pub again: bool,
}

/// A filled-in prompt as one try asks it.
struct Filled<'a> {
    request: &'a ChatRequest,
    stream: bool,
}

/// What a target said to it.
enum Said {
    Events(EventStream),
    Whole(Box<ChatResponse>),
}

impl Ask for Filled<'_> {
    type Reply = (ProviderName, Said);
    async fn attempt(&self, cx: &CallContext, step: &Step<'_>) -> Result<Self::Reply, Failure> {
        let provider = &step.target.provider;
        let request = ChatRequest { model: step.target.model.clone(), ..self.request.clone() };
        let said = if self.stream {
            Said::Events(provider.chat_stream(cx, &request).await?)
        } else {
            Said::Whole(Box::new(provider.chat(cx, &request).await?))
        };
        Ok((provider.name().clone(), said))
    }
}

/// A filled-in prompt on its way.
struct Way<'a> {
    model: &'a Model,
    facts: &'a Facts<'a>,
    key: Option<&'a Key>,
    /// Whether the answer is wanted as a stream.
    stream: bool,
    reading: Option<&'a Arc<dyn Reading>>,
    /// Tokens that the call was let in with.
    thought: u64,
}

impl Gateway {
    /// The prompt that a model's name is of, where prompts are kept here.
    pub(crate) fn asked_prompt(&self, model: &str) -> Option<AskedPrompt> {
        let name = model.strip_prefix(RESERVED)?.strip_prefix('/')?;
        self.prompts().map(|_| AskedPrompt::of(name))
    }

    /// The prompt that a client's call asks for, where it does.
    pub(crate) fn asked_by(&self, call: &Call, peek: &Peek) -> Option<AskedPrompt> {
        self.prompts()?;
        let by_model = self.asked_prompt(&peek.model);
        if call.dialect != Dialect::OpenAiResponses || call.route != Route::Chat {
            return by_model;
        }
        let Some(named) = named_prompt(&call.body).filter(|prompt| !prompt.id.starts_with(KEPT_ELSEWHERE))
        else {
            return by_model;
        };
        let name = named.id.strip_prefix("prompt/").unwrap_or(&named.id);
        let asked = AskedPrompt::of(name);
        let model = Some(peek.model.clone()).filter(|model| !model.is_empty() && by_model.is_none());
        Some(AskedPrompt { at: named.version.or(asked.at), model, name: asked.name })
    }

    /// Answers a client's call of a prompt.
    pub(crate) async fn prompted(
        &self,
        scope: &mut SpanScope,
        call: &Call,
        peek: &Peek,
        asked: AskedPrompt,
    ) -> Result<Outcome<'_>, Problem> {
        let caller = scope.context().caller.clone();
        let shown = asked.model.clone().unwrap_or_else(|| asked.model_name());
        scope.rename(format!("{} {shown}", operation_name(call.route)));
        scope.set("gen_ai.request.model", shown.as_str());
        scope.set("hanok.stream", peek.stream);
        if !matches!(call.route, Route::Chat | Route::CountTokens) {
            let message = format!("`{shown}` is a prompt, which answers chats only");
            return Err(Problem::new(ErrorKind::InvalidRequest, "unsupported", message).param("model"));
        }
        let key = call.key.as_deref();
        if let Some(key) = key {
            check_key(key, &asked)?;
        }
        let mut request =
            decode_prompted(call.dialect, &call.body, &shown).map_err(|error| bad_request(&error))?;
        let variables = take_variables(&mut request);
        let Prepared { mut request, labels, identity, reading } =
            self.prepared(scope, &asked, variables.clone(), request).await?;
        for (name, value) in labels {
            scope.set(name, value);
        }
        let recorded = recorded(call.dialect, &request, &shown, variables);
        let model = self.target_of(&asked, &request)?;
        let thought = tokens::estimate_tokens(&request);
        if call.route == Route::CountTokens {
            let body = codec(call.dialect).encode_token_count(thought);
            let (reply, held) = (Reply::Whole { body, asked: None }, Held::default());
            return Ok(Outcome::Answered(Answered { reply, held, limits: None, cache: None }));
        }
        let cache_key_of = request.cache_key.clone();
        let facts = Facts {
            dialect: call.dialect,
            stream: peek.stream,
            input_tokens: thought,
            max_tokens: request.sampling.max_tokens,
            key: caller.key_name.as_deref().unwrap_or_default(),
            project: &caller.project,
            tag: call.tag.as_deref().unwrap_or_default(),
            sticky: cache_key_of.as_deref(),
        };
        let Admitted { admission, limits } = admit(key, thought)?;
        let cached = model.cache.map(|lifetime| (cache_key(call, &caller.project, &identity), lifetime));
        if let Some((id, lifetime)) = &cached
            && let Some(kept) = self.cache.get(id, *lifetime)
        {
            if let Some(key) = key.filter(|key| key.limits.tokens_per_minute.is_some()) {
                key.meter.correct(thought, 0);
            }
            return Ok(Outcome::Kept(kept, limits));
        }
        let way = Way {
            model: &model,
            facts: &facts,
            key,
            stream: peek.stream,
            reading: reading.as_ref(),
            thought,
        };
        let ((provider, said), held) = match self.along(scope, &way, &mut request).await {
            Ok(found) => found,
            Err(Failure::Request(problem)) => return Err(problem),
            Err(Failure::Provider(error)) => {
                let problem = Problem::from(&error);
                let unknown = error.kind == ProviderErrorKind::UnknownModel;
                return Err(if unknown { of_prompt(&asked, problem) } else { problem });
            }
        };
        let names = Names { peek, shown: &shown, asked: recorded };
        let reply = reply(scope.context(), call, names, provider, said);
        let held = Held { admission, ..held };
        let cache = cached.map(|(id, _)| (&self.cache, id));
        Ok(Outcome::Answered(Answered { reply, held, limits, cache }))
    }

    /// The same for a call of another room of this house.
    pub(crate) async fn inner_prompted(
        &self,
        scope: &mut SpanScope,
        asked: AskedPrompt,
        mut request: ChatRequest,
    ) -> Result<(EventStream, Held), ProviderError> {
        let cx = scope.context().clone();
        let key = cx
            .caller
            .key_id
            .as_deref()
            .or(cx.caller.key_name.as_deref())
            .and_then(|id| self.keys().named(id));
        let failed = |problem: Problem| self.failed(&problem);
        if let Some(key) = &key {
            check_key(key, &asked).map_err(failed)?;
        }
        let variables = take_variables(&mut request);
        let Prepared { mut request, labels, reading, .. } =
            self.prepared(scope, &asked, variables, request).await.map_err(failed)?;
        for (name, value) in labels {
            scope.set(name, value);
        }
        let model = self.target_of(&asked, &request).map_err(failed)?;
        let sticky = request.cache_key.clone();
        let facts = Facts {
            stream: true,
            input_tokens: tokens::estimate_tokens(&request),
            max_tokens: request.sampling.max_tokens,
            sticky: sticky.as_deref(),
            ..own(&cx)
        };
        let (key, reading) = (key.as_deref(), reading.as_ref());
        let way = Way { model: &model, facts: &facts, key, stream: true, reading, thought: 0 };
        match self.along(scope, &way, &mut request).await {
            Ok(((_, said), held)) => Ok((events_of(said), held)),
            Err(Failure::Provider(error)) => Err(error),
            Err(Failure::Request(problem)) => Err(failed(problem)),
        }
    }

    async fn prepared(
        &self,
        scope: &SpanScope,
        asked: &AskedPrompt,
        variables: Object,
        request: ChatRequest,
    ) -> Result<Prepared, Problem> {
        let unknown = || Problem::new(ErrorKind::NotFound, "prompt_not_found", "no prompts are kept here");
        let prompts = self.prompts().ok_or_else(unknown)?;
        prompts.prepare(scope.context(), asked, variables, request).await
    }

    /// The model that a filled-in prompt is for.
    fn target_of(&self, asked: &AskedPrompt, request: &ChatRequest) -> Result<Arc<Model>, Problem> {
        let name = request.model.as_str();
        if self.asked_prompt(name).is_some() {
            let message = format!("the prompt `{}` names a prompt as its model: `{name}`", asked.name);
            return Err(Problem::new(ErrorKind::InvalidRequest, "prompt_of_prompt", message)
                .hint("name a model in its front matter; use partials to build prompts of one another"));
        }
        self.routes().resolve(name, self.catalog()).map_err(|problem| match asked.model {
            Some(_) => problem,
            None => of_prompt(asked, problem),
        })
    }

    /// Goes through the model's targets, again where the answer does not fit.
    async fn along(
        &self,
        scope: &mut SpanScope,
        way: &Way<'_>,
        request: &mut ChatRequest,
    ) -> Result<((ProviderName, Said), Held), Failure> {
        let Way { model, facts, key, reading, .. } = *way;
        let whole = reading.filter(|reading| reading.needs_whole() || !way.stream);
        let stream = way.stream && whole.is_none();
        let cx = scope.context().clone();
        let mut again = 0;
        loop {
            self.policy()
                .reserve_typed(&cx, key, request, model, if again == 0 { way.thought } else { 0 })
                .await?;
            let more = || -> BoxFuture<'_, Result<(), Problem>> {
                let (mut request, cx) = (request.clone(), &cx);
                Box::pin(async move { self.policy().reserve_typed(cx, key, &mut request, model, 0).await })
            };
            let filled = Filled { request, stream };
            let ((provider, said), mut held) = self.route(scope, model, facts, &filled, &more).await?;
            let Some(reading) = whole else {
                let said = match (said, reading) {
                    (Said::Events(events), Some(reading)) => Said::Events(reading.events(events)),
                    (said, _) => said,
                };
                return Ok(((provider, said), held));
            };
            let Said::Whole(mut response) = said else {
                return Ok(((provider, said), held));
            };
            match reading.check(&mut response, request) {
                Ok(()) if way.stream => {
                    let events = replayed(*response).into_iter().map(Ok);
                    return Ok((
                        (provider, Said::Events(Box::pin(futures_util::stream::iter(events)))),
                        held,
                    ));
                }
                Ok(()) => return Ok(((provider, Said::Whole(response)), held)),
                Err(misfit) => {
                    // The target did what it could.
                    if let Some(attempt) = &mut held.attempt {
                        attempt.finished();
                    }
                    scope.set("hanok.prompt.misfit", misfit.message.as_str());
                    if !misfit.again || again >= reading.retries() {
                        let message = match again {
                            0 => misfit.message,
                            again => format!("{} (asked {} times)", misfit.message, again + 1),
                        };
                        let error = ProviderError::new(ProviderErrorKind::Decode, &provider, message);
                        return Err(ProviderError { code: Some("answer_misfit".to_owned()), ..error }.into());
                    }
                    again += 1;
                    scope.set("hanok.prompt.retries", again);
                }
            }
        }
    }
}

/// A filled-in request in the client's dialect, with the variables it was filled in with: what the records show, as the
/// client's own may say nothing. `None` where the dialect cannot say it.
fn recorded(dialect: Dialect, request: &ChatRequest, shown: &str, variables: Object) -> Option<Bytes> {
    let mut request = ChatRequest { model: shown.into(), ..request.clone() };
    if request.dialect == Some(dialect) && !variables.is_empty() {
        let name = if dialect == Dialect::Gemini { "labels" } else { "metadata" };
        request.extra.insert(name.to_owned(), variables.into());
    }
    let encoded = codec(dialect).encode_request(&request, RequestOptions::default());
    encoded.refused.is_none().then(|| encoded.body.into())
}

/// Whether a key may call a prompt: by its name, or by its name with the label.
fn check_key(key: &Key, asked: &AskedPrompt) -> Result<(), Problem> {
    key.check_model(&asked.model_name())
        .or_else(|refused| key.check_model(&asked.bare_name()).map_err(|_| refused))?;
    asked.model.as_deref().map_or(Ok(()), |model| key.check_model(model))
}

/// A problem with the model that a prompt names, which the client did not.
fn of_prompt(asked: &AskedPrompt, problem: Problem) -> Problem {
    let message = format!("the prompt `{}` names its model so: {}", asked.name, problem.message);
    Problem { message, ..problem }.hint(format!(
        "change `model` in the front matter of {}.prompt, or add such a model under [models] in hanok.toml",
        asked.name
    ))
}

/// How a call is named to its client, and in the records.
struct Names<'a> {
    peek: &'a Peek,
    /// The model, as the client knows it.
    shown: &'a str,
    /// The request as it is recorded.
    asked: Option<Bytes>,
}

/// What a target said, for a client that asked in its own dialect.
fn reply(cx: &CallContext, call: &Call, names: Names<'_>, provider: ProviderName, said: Said) -> Reply {
    let Names { peek, shown, asked } = names;
    // A response may be asked back by its id, so that it must be one of ours and no other's.
    let own_id = (call.dialect == Dialect::OpenAiResponses).then(|| own_response_id(cx));
    match said {
        Said::Events(mut events) => {
            if let Some(own_id) = own_id {
                events = Box::pin(events.map(move |event| event.map(|event| under_id(event, &own_id))));
            }
            let options = StreamOptions {
                include_usage: peek.include_usage,
                model: shown.into(),
                request: call.body.clone(),
            };
            Reply::Events { provider, events, options, asked }
        }
        Said::Whole(mut response) => {
            if let Some(own_id) = own_id {
                response.id = own_id;
            }
            response.model = shown.into();
            Reply::Whole { body: codec(call.dialect).encode_response(&response, &call.body), asked }
        }
    }
}

fn events_of(said: Said) -> EventStream {
    match said {
        Said::Events(events) => events,
        Said::Whole(response) => {
            Box::pin(futures_util::stream::iter(replayed(*response).into_iter().map(Ok)))
        }
    }
}

/// A whole answer as the events of a stream.
fn replayed(response: ChatResponse) -> Vec<StreamEvent> {
    let ChatResponse { id, model, created, choices, usage, dialect, extra } = response;
    let mut events = vec![StreamEvent::Start { id, model, created, dialect, extra }];
    for one in choices {
        let choice = one.index;
        for (part, value) in one.message.parts.into_iter().enumerate() {
            let (value, delta) = match value {
                Part::Text(text) => (Part::Text(String::new()), Some(Delta::Text(text))),
                Part::Reasoning(mut reasoning) if !reasoning.redacted => {
                    let text = std::mem::take(&mut reasoning.text);
                    (Part::Reasoning(reasoning), Some(Delta::Reasoning(text)))
                }
                Part::ToolCall(mut call) => {
                    let arguments = std::mem::take(&mut call.arguments);
                    (Part::ToolCall(call), Some(Delta::Arguments(arguments)))
                }
                other => (other, None),
            };
            events.push(StreamEvent::PartStart { choice, part, value });
            events.extend(delta.map(|delta| StreamEvent::PartDelta { choice, part, delta }));
            events.push(StreamEvent::PartEnd { choice, part });
        }
        if !one.extra.is_empty() {
            events.push(StreamEvent::ChoiceExtra { choice, extra: one.extra });
        }
        events.push(StreamEvent::Finish { choice, reason: one.finish });
    }
    events.push(StreamEvent::Usage(usage));
    events
}
