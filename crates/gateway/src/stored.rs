//! Responses that clients may ask back: kept here in the provider's place, whatever provider answered.
//!
//! So a conversation can go on with another target, and belongs to its project alone. Upstream every call is
//! complete in itself and nothing of it is kept.

use crate::answer::{Answer, AnswerBody, Pieces};
use crate::attempt::bad_request;
use crate::call::Call;
use crate::gateway::Gateway;
use bytes::Bytes;
use futures_core::Stream;
use hanok_base::{
    BoxError, BoxFuture, CallContext, ErrorKind, ModelName, Object, Problem, Timestamp, TraceId,
};
use hanok_wire::openai_responses::{self as wire, Page, Progress, State, StateStream, StoredItems};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::task::AbortHandle;

/// Where responses are kept: the binary ties this to the store. Every id is one of its project's.
pub trait Shelf: Send + Sync {
    /// Keeps a response, in place of one of the same id. Kept when this returns.
    fn put(&self, kept: KeptResponse) -> BoxFuture<'static, Result<(), BoxError>>;
    /// The response object of this id.
    fn get<'a>(&'a self, project: &'a str, id: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, BoxError>>;
    /// The turns of the conversation that ends with this response, oldest first: what went in (a JSON array of
    /// items), and the response object.
    fn chain<'a>(
        &'a self,
        project: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<Turn>>, BoxError>>;
    /// Deletes it; whether it was there.
    fn delete<'a>(&'a self, project: &'a str, id: &'a str) -> BoxFuture<'a, Result<bool, BoxError>>;
}

/// What went in, and the response object.
pub type Turn = (Vec<u8>, Vec<u8>);

/// A response to be kept.
#[derive(Clone, Debug)]
pub struct KeptResponse {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub project: String,
    /// The key it was made with.
    pub key_id: Option<String>,
    /// The response it continues.
    pub previous: Option<String>,
    /// The model, as the client asked for it.
    pub model: String,
    /// `completed`, `incomplete`, `failed`, `cancelled`, `queued` or `in_progress`.
    pub status: String,
    /// The items that this turn added before the model answered: a JSON array.
    pub input: Vec<u8>,
    /// The response as the client got it: a JSON object.
    pub object: Vec<u8>,
}

/// Answers that nobody waits for, by project and id.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashMap<(String, String), AbortHandle>>);

impl Gateway {
    /// Answers one call as [`Gateway::call`] does, and keeps a response where its dialect says so.
    pub async fn serve(self: &Arc<Self>, cx: CallContext, call: Call) -> Result<Answer, Problem> {
        let Some(shelf) = self.shelf().filter(|_| call.keeps_responses()) else {
            return self.call(&cx, call).await;
        };
        let state = wire::peek_state(&call.body).map_err(|error| bad_request(&error))?;
        if state.conversation {
            return Err(Problem::new(
                ErrorKind::Unsupported,
                "unsupported",
                "conversations of a provider are not kept here",
            )
            .param("conversation")
            .hint("go on with previous_response_id, or send the items"));
        }
        let project = cx.caller.project.to_string();
        let body = self.with_history(&*shelf, &project, &state, &call.body).await?;
        let asked = call.body.clone();
        let upstream = Call { body: wire::for_upstream(&body), ..call };
        if state.background {
            return self.in_background(cx, shelf, state, asked, upstream).await;
        }
        let keeper = Keeper::of(shelf, &cx, &asked, &state);
        let answer = self.call(&cx, upstream).await?;
        match answer.body {
            AnswerBody::Whole(bytes) => {
                let bytes = wire::restore(&bytes, &state);
                if let Some(keeper) = keeper {
                    keeper.keep(&bytes)?.await.map_err(|error| not_kept(&*error))?;
                }
                Ok(Answer { body: AnswerBody::Whole(bytes), ..answer })
            }
            AnswerBody::Stream(pieces) => {
                let kept = Kept {
                    pieces,
                    state: StateStream::new(state),
                    keeper,
                    keeping: None,
                    held: Bytes::new(),
                    ended: false,
                };
                Ok(Answer { body: AnswerBody::Stream(Box::pin(kept)), ..answer })
            }
        }
    }

    /// The request with the conversation before it.
    async fn with_history(
        &self,
        shelf: &dyn Shelf,
        project: &str,
        state: &State,
        body: &Bytes,
    ) -> Result<Bytes, Problem> {
        let Some(previous) = &state.previous_response_id else {
            return match wire::references(body).map_err(|error| bad_request(&error))?.first() {
                None => Ok(body.clone()),
                Some(id) => Err(Problem::new(
                    ErrorKind::NotFound,
                    "item_not_found",
                    format!("there is no item `{id}` without the response that holds it"),
                )
                .param("input")
                .hint("send previous_response_id, or the item itself")),
            };
        };
        let turns = shelf.chain(project, previous).await.map_err(|error| unavailable(&*error))?;
        let turns = turns.ok_or_else(|| missing(previous).param("previous_response_id"))?;
        let mut items: Vec<Value> = Vec::new();
        for (input, object) in turns {
            items.extend(serde_json::from_slice::<Vec<Value>>(&input).unwrap_or_default());
            let mut response: Object = serde_json::from_slice(&object).unwrap_or_default();
            if let Some(Value::Array(output)) = response.get_mut("output").map(Value::take) {
                items.extend(output);
            }
        }
        wire::expand(body, &items).map_err(|error| bad_request(&error))
    }

    /// Begins an answer that the client asks for later.
    async fn in_background(
        self: &Arc<Self>,
        cx: CallContext,
        shelf: Arc<dyn Shelf>,
        state: State,
        asked: Bytes,
        mut upstream: Call,
    ) -> Result<Answer, Problem> {
        if !state.store {
            let message = "an answer in the background is kept: `store` must not be false";
            return Err(Problem::new(ErrorKind::InvalidRequest, "invalid_request", message).param("store"));
        }
        // The whole answer is what is asked for later.
        upstream.body = without_stream(&upstream.body);
        let id = format!("resp_{}", TraceId::random());
        let model = model_of(&asked);
        let created = Timestamp::now().seconds();
        let object = move |progress: Progress<'_>, asked: &[u8], id: &str, model: &str| {
            wire::without_answer(progress, id, model, created, asked)
        };
        let keeper = Keeper::of(shelf, &cx, &asked, &state).ok_or_else(|| missing(&id))?;
        let begun = Bytes::from(object(Progress::InProgress, &asked, &id, &model));
        keeper.clone().keep(&begun)?.await.map_err(|error| not_kept(&*error))?;
        let (gateway, key) = (self.clone(), (cx.caller.project.to_string(), id.clone()));
        let done = key.clone();
        let task = tokio::spawn(async move {
            let answered = gateway.call(&cx, upstream).await;
            let last = match answered {
                Ok(Answer { body: AnswerBody::Whole(bytes), .. }) => {
                    renamed(&wire::restore(&bytes, &state), &id)
                }
                Ok(_) => {
                    let problem = Problem::new(
                        ErrorKind::Internal,
                        "internal_error",
                        "a whole answer came as a stream",
                    );
                    object(Progress::Failed(&problem), &asked, &id, &model)
                }
                Err(problem) => object(Progress::Failed(&problem), &asked, &id, &model),
            };
            if let Err(error) = kept_or_said(keeper, &last).await {
                tracing::error!(%error, id, "an answer in the background could not be kept");
            }
            gateway.running.0.lock().remove(&done);
        });
        self.running.0.lock().insert(key, task.abort_handle());
        if task.is_finished() {
            self.running.0.lock().retain(|_, task| !task.is_finished());
        }
        Ok(Answer {
            status: 200,
            content_type: "application/json".into(),
            headers: Vec::new(),
            body: AnswerBody::Whole(begun),
        })
    }

    /// The kept response of this id.
    pub async fn stored_response(&self, project: &str, id: &str) -> Result<Vec<u8>, Problem> {
        let shelf = self.shelf().ok_or_else(|| missing(id))?;
        let object = shelf.get(project, id).await.map_err(|error| unavailable(&*error))?;
        object.ok_or_else(|| missing(id))
    }

    /// Deletes a kept response; gives what is answered to that.
    pub async fn delete_response(&self, project: &str, id: &str) -> Result<Vec<u8>, Problem> {
        let shelf = self.shelf().ok_or_else(|| missing(id))?;
        self.stop(project, id);
        let there = shelf.delete(project, id).await.map_err(|error| unavailable(&*error))?;
        if there { Ok(wire::deleted(id)) } else { Err(missing(id)) }
    }

    /// Ends an answer in the background; gives the response as it is then. One that is done stays as it is.
    pub async fn cancel_response(&self, project: &str, id: &str) -> Result<Vec<u8>, Problem> {
        let object = self.stored_response(project, id).await?;
        let status = status_of(&object);
        if !matches!(status.as_str(), "queued" | "in_progress") {
            let response: Object = serde_json::from_slice(&object).unwrap_or_default();
            if response.get("background").and_then(Value::as_bool) != Some(true) {
                let message = "a response that was not made in the background cannot be cancelled";
                return Err(Problem::new(ErrorKind::InvalidRequest, "invalid_request", message));
            }
            return Ok(object);
        }
        self.stop(project, id);
        let cancelled = wire::cancelled(&object).map_err(|error| bad_request(&error))?;
        let shelf = self.shelf().ok_or_else(|| missing(id))?;
        let turns = shelf.chain(project, id).await.map_err(|error| unavailable(&*error))?.unwrap_or_default();
        let input = turns.last().map_or_else(|| b"[]".to_vec(), |(input, _)| input.clone());
        let kept = KeptResponse {
            id: id.to_owned(),
            project: project.to_owned(),
            key_id: None,
            previous: previous_of(&object),
            model: model_of(&object),
            status: "cancelled".to_owned(),
            input,
            object: cancelled.clone(),
        };
        shelf.put(kept).await.map_err(|error| unavailable(&*error))?;
        Ok(cancelled)
    }

    /// The items a kept response was asked with.
    pub async fn response_input_items(
        &self,
        project: &str,
        id: &str,
        page: Page<'_>,
    ) -> Result<Vec<u8>, Problem> {
        let shelf = self.shelf().ok_or_else(|| missing(id))?;
        let turns = shelf.chain(project, id).await.map_err(|error| unavailable(&*error))?;
        let turns = turns.ok_or_else(|| missing(id))?;
        let mut items: Vec<Value> = Vec::new();
        let last = turns.len().saturating_sub(1);
        for (at, (input, object)) in turns.into_iter().enumerate() {
            items.extend(serde_json::from_slice::<Vec<Value>>(&input).unwrap_or_default());
            if at < last {
                let mut response: Object = serde_json::from_slice(&object).unwrap_or_default();
                if let Some(Value::Array(output)) = response.get_mut("output").map(Value::take) {
                    items.extend(output);
                }
            }
        }
        wire::input_items(id, &items, page).map_err(|error| bad_request(&error))
    }

    fn stop(&self, project: &str, id: &str) {
        let key = (project.to_owned(), id.to_owned());
        if let Some(task) = self.running.0.lock().remove(&key) {
            task.abort();
        }
    }
}

async fn kept_or_said(keeper: Keeper, object: &[u8]) -> Result<(), BoxError> {
    keeper.keep(object).map_err(|problem| BoxError::from(problem.message))?.await
}

fn missing(id: &str) -> Problem {
    Problem::new(ErrorKind::NotFound, "response_not_found", format!("there is no response `{id}`"))
        .hint("responses are kept for 30 days, unless `store` is false, and for their own project")
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error, "kept responses cannot be read or written");
    Problem {
        retry_after: Some(2),
        ..Problem::new(
            ErrorKind::Unavailable,
            "store_unavailable",
            "kept responses cannot be read or written now",
        )
    }
}

fn not_kept(error: &(dyn std::error::Error + 'static)) -> Problem {
    let problem = unavailable(error);
    problem.hint("send `store: false` to do without keeping the response")
}

fn text_of(object: &[u8], name: &str) -> Option<String> {
    let object: Object = serde_json::from_slice(object).ok()?;
    object.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn model_of(object: &[u8]) -> String {
    text_of(object, "model").unwrap_or_default()
}

fn status_of(object: &[u8]) -> String {
    text_of(object, "status").unwrap_or_else(|| "completed".to_owned())
}

fn previous_of(object: &[u8]) -> Option<String> {
    text_of(object, "previous_response_id")
}

/// The answer under the id the client was told before there was one.
fn renamed(object: &[u8], id: &str) -> Vec<u8> {
    match serde_json::from_slice::<Object>(object) {
        Ok(mut response) => {
            response.insert("id".into(), id.into());
            response.insert("background".into(), true.into());
            Value::Object(response).to_string().into_bytes()
        }
        Err(_) => object.to_vec(),
    }
}

fn without_stream(body: &Bytes) -> Bytes {
    match serde_json::from_slice::<Object>(body) {
        Ok(mut request) if request.contains_key("stream") => {
            request.shift_remove("stream");
            request.shift_remove("stream_options");
            Value::Object(request).to_string().into()
        }
        _ => body.clone(),
    }
}

/// What is known of a response before it is there.
#[derive(Clone)]
struct Keeper {
    shelf: Arc<dyn Shelf>,
    asked: Bytes,
    project: String,
    key_id: Option<String>,
    previous: Option<String>,
    model: ModelName,
}

impl Keeper {
    /// `None` where nothing is to be kept.
    fn of(shelf: Arc<dyn Shelf>, cx: &CallContext, asked: &Bytes, state: &State) -> Option<Self> {
        state.store.then(|| Self {
            shelf,
            asked: asked.clone(),
            project: cx.caller.project.to_string(),
            key_id: cx.caller.key_id.as_deref().map(str::to_owned),
            previous: state.previous_response_id.clone(),
            model: model_of(asked).into(),
        })
    }

    /// Keeps the response object, as the client gets it.
    fn keep(self, object: &[u8]) -> Result<BoxFuture<'static, Result<(), BoxError>>, Problem> {
        let items = StoredItems::of(&self.asked, object).map_err(|error| bad_request(&error))?;
        let id = text_of(object, "id").unwrap_or_default();
        let kept = KeptResponse {
            id,
            project: self.project,
            key_id: self.key_id,
            previous: self.previous,
            // A request with a prompt may leave it to that; then the answer says it.
            model: Some(self.model.to_string())
                .filter(|model| !model.is_empty())
                .unwrap_or_else(|| model_of(object)),
            status: status_of(object),
            input: Value::Array(items.input).to_string().into_bytes(),
            object: object.to_vec(),
        };
        Ok(self.shelf.put(kept))
    }
}

/// A streamed response that is kept before its last event leaves: whoever has seen that may ask for it.
struct Kept {
    pieces: Pieces,
    state: StateStream,
    keeper: Option<Keeper>,
    keeping: Option<BoxFuture<'static, Result<(), BoxError>>>,
    held: Bytes,
    ended: bool,
}

impl Stream for Kept {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        loop {
            if let Some(keeping) = &mut this.keeping {
                if let Err(error) = ready!(keeping.as_mut().poll(cx)) {
                    // The answer itself is good; who asks for it later is told that it is not there.
                    tracing::error!(%error, "a streamed response could not be kept");
                }
                this.keeping = None;
            }
            if !this.held.is_empty() {
                return Poll::Ready(Some(std::mem::take(&mut this.held)));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            this.held = if let Some(piece) = ready!(this.pieces.as_mut().poll_next(cx)) {
                this.state.feed(piece)
            } else {
                this.ended = true;
                this.state.finish()
            };
            if let Some(object) = this.state.response().cloned()
                && let Some(keeper) = this.keeper.take()
            {
                match keeper.keep(&object) {
                    Ok(keeping) => this.keeping = Some(keeping),
                    Err(problem) => tracing::error!(%problem, "a streamed response could not be kept"),
                }
            }
        }
    }
}
