//! Prompts behind their seam: who may call them, where they go, and answers that are asked for again.

use crate::world::key;
use crate::{Does, Scripted, ask, gateway, hello};
use bytes::Bytes;
use futures_util::StreamExt as _;
use hanok_base::{
    BoxFuture, CallContext, ChatRequest, ChatResponse, Dialect, ErrorKind, EventStream, Message, Object,
    Problem, Provider, ProviderErrorKind, Role, Route,
};
use hanok_gateway::{AnswerBody, AskedPrompt, Call, Gateway, Key, Misfit, Prepared, Prompts, Reading};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A prompt for `p/m` whose answers fit from the `fits`th on.
struct Fake {
    reading: Option<Arc<Counting>>,
}

struct Counting {
    fits: u32,
    seen: AtomicU32,
}

impl Prompts for Fake {
    fn offered(&self) -> Vec<String> {
        vec!["greet".to_owned(), "greet@production".to_owned()]
    }

    fn prepare<'a>(
        &'a self,
        _: &'a CallContext,
        asked: &'a AskedPrompt,
        variables: Object,
        request: ChatRequest,
    ) -> BoxFuture<'a, Result<Prepared, Problem>> {
        Box::pin(async move {
            if asked.name != "greet" {
                return Err(Problem::new(ErrorKind::NotFound, "prompt_not_found", "there is no such prompt"));
            }
            let said = format!("Hello {}", variables.get("name").and_then(Value::as_str).unwrap_or_default());
            let model = asked.model.as_deref().unwrap_or("p/m").into();
            let messages = [request.messages, vec![Message::text(Role::User, said)]].concat();
            let request = ChatRequest { model, messages, ..ChatRequest::new("".into(), Vec::new()) };
            let reading = self.reading.clone().map(|reading| reading as Arc<dyn Reading>);
            let labels = vec![("gen_ai.prompt.name".into(), "greet".into())];
            Ok(Prepared { request, labels, identity: "greet@1".to_owned(), reading })
        })
    }
}

impl Reading for Counting {
    fn needs_whole(&self) -> bool {
        true
    }
    fn retries(&self) -> u32 {
        2
    }
    fn events(&self, events: EventStream) -> EventStream {
        events
    }
    fn check(&self, _: &mut ChatResponse, request: &mut ChatRequest) -> Result<(), Misfit> {
        if self.seen.fetch_add(1, Ordering::Relaxed) + 1 >= self.fits {
            return Ok(());
        }
        request.messages.push(Message::text(Role::User, "again"));
        Err(Misfit { message: "it does not fit".to_owned(), again: true })
    }
}

fn house(fits: Option<u32>) -> (Arc<Scripted>, Gateway) {
    let provider = Scripted::new("p", Does::Events(hello()));
    let reading = fits.map(|fits| Arc::new(Counting { fits, seen: AtomicU32::new(0) }));
    let gateway = gateway(&[&provider], &[]).prompting(Arc::new(Fake { reading }));
    (provider, gateway)
}

#[tokio::test]
async fn prompts_go_to_their_model() {
    let (provider, gateway) = house(None);
    for streamed in [false, true] {
        let answer = ask(&gateway, "prompt/greet", streamed).await.unwrap();
        assert!(answer.contains("prompt/greet"), "the client's name for it: {answer}");
    }
    assert_eq!(provider.called.load(Ordering::Relaxed), 2);
    assert_eq!(ask(&gateway, "prompt/other", false).await.unwrap_err().0, 404);
    let ids: Vec<String> = gateway.model_list().await.into_iter().map(|(id, _)| id).collect();
    assert!(ids.contains(&"prompt/greet@production".to_owned()), "{ids:?}");
}

/// Calls from rooms of this house, such as a judge's.
#[tokio::test]
async fn other_rooms_call_prompts_in_types() {
    let (provider, gateway) = house(Some(2));
    let mut request = ChatRequest::new("prompt/greet@production".into(), Vec::new());
    request.extra.insert("metadata".to_owned(), json!({"name": "Ann"}));
    let response = gateway.chat(&CallContext::unrecorded(), &request).await.unwrap();
    assert_eq!(response.choices.len(), 1);
    assert_eq!(provider.called.load(Ordering::Relaxed), 2, "the first answer did not fit");
    let (provider, gateway) = house(Some(9));
    let error = gateway.chat(&CallContext::unrecorded(), &request).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (ProviderErrorKind::Decode, Some("answer_misfit")));
    assert_eq!(provider.called.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_response_names_prompts_and_models() {
    let (provider, gateway) = house(None);
    let call = async |body: Value, models: &[&str]| {
        let own = Key { models: models.iter().map(ToString::to_string).collect(), ..key("k") };
        let mut call = Call::new(Dialect::OpenAiResponses, Route::Chat, Bytes::from(body.to_string()));
        call.key = Some(Arc::new(own));
        match gateway.call(&CallContext::unrecorded(), call).await {
            Ok(answer) => match answer.body {
                AnswerBody::Whole(bytes) => Ok(serde_json::from_slice::<Value>(&bytes).unwrap()),
                AnswerBody::Stream(pieces) => {
                    let all: Vec<Bytes> = pieces.collect().await;
                    Ok(Value::from(String::from_utf8(all.concat()).unwrap()))
                }
            },
            Err(problem) => Err(problem.code),
        }
    };
    let prompt = json!({"id": "greet", "version": "production", "variables": {"name": "Ann"}});
    let answer = call(json!({ "prompt": prompt }), &["prompt/greet"]).await.unwrap();
    assert_eq!(answer["model"], "prompt/greet@production");
    let answer = call(json!({ "prompt": prompt, "model": "p/n" }), &["prompt/*", "p/*"]).await.unwrap();
    assert_eq!(answer["model"], "p/n");
    let streamed = call(json!({ "prompt": prompt, "stream": true }), &[]).await.unwrap();
    assert!(streamed.as_str().unwrap().contains("response.completed"));
    assert_eq!(provider.called.load(Ordering::Relaxed), 3);
    for (body, models) in [
        (json!({ "prompt": prompt }), ["p/m"]),
        (json!({ "prompt": prompt, "model": "p/n" }), ["prompt/greet"]),
        (json!({ "prompt": prompt }), ["prompt/greet@staging"]),
    ] {
        assert_eq!(call(body, &models).await.unwrap_err(), "model_not_allowed");
    }
    // Prompts that OpenAI keeps are not ours to fill in, and still need a model.
    assert_eq!(call(json!({ "prompt": {"id": "pmpt_1"} }), &[]).await.unwrap_err(), "invalid_request");
}
