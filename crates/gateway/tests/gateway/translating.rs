//! Calls that no target takes in their own bytes: what is lost and said, what is estimated, what goes through.

use crate::world::{Do, Told, World, chat, entry};
use bytes::Bytes;
use hanok_base::{Capabilities, Dialect, Dialects, ErrorKind, Route};
use hanok_gateway::{Call, Model};
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_lost_is_said_or_refused() {
    for stream in [false, true] {
        let (first, second) = (Told::new("p", &[]), Told::new("q", &[]));
        let entries = vec![entry(&first, "x"), entry(&second, "x")];
        let strict = Model { strict: true, ..Model::in_order(entries.clone()) };
        let world =
            World::new(&[&first, &second], vec![("lenient", Model::in_order(entries)), ("strict", strict)]);
        let call = |model: &str| chat(model, json!({"seed": 7, "stream": stream}));
        first.then(Do::Lose("seed"));

        let read = world.ask(call("lenient")).await.unwrap();
        assert_eq!(read.header("x-hanok-warnings"), Some("seed: left out"));
        assert_eq!(read.header("x-hanok-target"), Some("p/x"));
        assert_eq!(world.attribute("hanok.degradations"), Some(json!(["seed: left out"])));

        // A target that can do it all is better than one that cannot.
        let read = world.ask(call("strict")).await.unwrap();
        assert_eq!((read.header("x-hanok-warnings"), read.header("x-hanok-target")), (None, Some("q/x")));
        assert_eq!(world.attribute("hanok.degradations"), None);

        second.then(Do::Lose("seed"));
        let problem = world.ask(call("strict")).await.unwrap_err();
        assert_eq!(problem.kind, ErrorKind::Unsupported);
        assert!(problem.message.contains("seed"), "{problem}");
        // A strict refusal says nothing against the targets.
        world.ask(call("lenient")).await.unwrap();
    }
}

#[tokio::test]
async fn a_warning_is_a_header_whatever_it_says() {
    let provider = Told::new("p", &[]);
    let world = World::new(&[&provider], Vec::new());
    provider.then(Do::Lose("금지\r\nx-evil: 1"));
    let read = world.ask(chat("p/x", json!({}))).await.unwrap();
    let warnings = read.header("x-hanok-warnings").unwrap();
    assert!(warnings.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{warnings:?}");
}

#[tokio::test]
async fn tokens_are_estimated_where_nobody_counts_and_said_to_be() {
    let body =
        json!({"model": "p/x", "messages": [{"role": "user", "content": "the capital of South Korea?"}]});
    let check = async |dialect: Dialect, route_body: &Value, at: &str| {
        let provider = Told::new("p", &[Dialect::OpenAiChat]);
        let world = World::new(&[&provider], Vec::new());
        let call = Call {
            model: Some("p/x".into()),
            ..Call::new(dialect, Route::CountTokens, route_body.to_string().into())
        };
        let read = world.ask(call).await.unwrap();
        let tokens = read.json()[at].as_u64().unwrap();
        assert!((4..40).contains(&tokens), "{dialect:?}: {tokens}");
        assert!(read.header("x-hanok-warnings").unwrap().starts_with("tokens: estimated"), "{read:?}");
        assert_eq!(provider.count(), 0);
    };
    check(Dialect::AnthropicMessages, &body, "input_tokens").await;
    let contents =
        json!({"contents": [{"role": "user", "parts": [{"text": "the capital of South Korea?"}]}]});
    check(Dialect::Gemini, &contents, "totalTokens").await;

    let native = Dialects::NONE.with(Dialect::AnthropicMessages);
    let can = Capabilities { native, count_tokens: true, ..Capabilities::default() };
    let provider = Told::able("p", can);
    let world = World::new(&[&provider], Vec::new());
    let call = Call::new(Dialect::AnthropicMessages, Route::CountTokens, body.to_string().into());
    let read = world.ask(call).await.unwrap();
    assert_eq!((provider.count(), read.header("x-hanok-warnings")), (1, None), "it counts itself");
}

#[tokio::test]
async fn embeddings_in_any_dialect_over_a_provider_of_none() {
    let check = async |dialect: Dialect, route: Route, body: Value, at: &str, inputs: usize| {
        let provider = Told::new("p", &[]);
        let world = World::new(&[&provider], Vec::new());
        let call = Call { model: Some("p/e".into()), ..Call::new(dialect, route, body.to_string().into()) };
        let read = world.ask(call).await.unwrap();
        assert_eq!(read.json().pointer(at), Some(&json!(-0.5)), "{dialect:?}: {}", read.text);
        assert_eq!(provider.last()["inputs"], inputs);
        read
    };
    let two = json!({"model": "p/e", "input": ["a", "b"], "encoding_format": "float", "dimensions": 2});
    let read = check(Dialect::OpenAiChat, Route::Embeddings, two, "/data/1/embedding/1", 2).await;
    assert_eq!(read.json()["model"], "p/e", "the name it was asked for by");
    let content = json!({"parts": [{"text": "a"}]});
    let one = json!({"content": content});
    check(Dialect::Gemini, Route::Embeddings, one, "/embedding/values/1", 1).await;
    let batch = json!({"requests": [
        {"model": "models/p/e", "content": content}, {"model": "models/p/e", "content": content}]});
    check(Dialect::Gemini, Route::BatchEmbeddings, batch, "/embeddings/1/values/1", 2).await;
    let two = json!({"model": "p/e", "input": ["a", "b"]});
    check(Dialect::Ollama, Route::Embeddings, two, "/embeddings/1/1", 2).await;
}

#[tokio::test]
async fn a_provider_with_a_dialect_but_without_its_embeddings_is_asked_in_types() {
    let native = Dialects::NONE.with(Dialect::OpenAiChat);
    let provider = Told::able("p", Capabilities { native, embeddings: false, ..Capabilities::default() });
    let world = World::new(&[&provider], Vec::new());
    let body = json!({"model": "p/e", "input": "a"});
    world.ask(Call::new(Dialect::OpenAiChat, Route::Embeddings, body.to_string().into())).await.unwrap();
    assert_eq!(provider.last(), json!({"inputs": 1, "dimensions": null}));
}

#[tokio::test]
async fn routes_nobody_translates_go_to_who_speaks_them() {
    let (other, own) =
        (Told::new("p", &[Dialect::AnthropicMessages]), Told::new("q", &[Dialect::OpenAiChat]));
    let both = Model::in_order(vec![entry(&other, "x"), entry(&own, "x")]);
    let world = World::new(&[&other, &own], vec![("both", both)]);
    for route in [Route::Rerank, Route::Raw("moderations"), Route::Raw("audio/speech")] {
        let call = |model: &str| {
            Call::new(
                Dialect::OpenAiChat,
                route,
                json!({"model": model, "query": "q", "documents": ["a"]}).to_string().into(),
            )
        };
        let read = world.ask(call("both")).await.unwrap();
        assert_eq!(read.header("x-hanok-target"), Some("q/x"));
        assert_eq!(own.last(), json!({"model": "x", "query": "q", "documents": ["a"]}));
        let problem = world.ask(call("p/x")).await.unwrap_err();
        assert_eq!(problem.kind, ErrorKind::Unsupported, "{problem}");
    }
    assert_eq!(other.count(), 0);
}

#[tokio::test]
async fn rerankings_over_a_provider_that_takes_them_in_types() {
    let native = Dialects::NONE.with(Dialect::OpenAiChat);
    let provider = Told::able("p", Capabilities { native, typed_rerank: true, ..Capabilities::default() });
    let world = World::new(&[&provider], Vec::new());
    let call = |body: Value| Call::new(Dialect::OpenAiChat, Route::Rerank, body.to_string().into());
    let read =
        world.ask(call(json!({"model": "p/r", "query": "q", "documents": ["a", "bb"], "top_n": 2}))).await;
    let read = read.unwrap().json();
    assert_eq!(read["model"], "p/r", "the name it was asked for by");
    assert_eq!(
        read["results"],
        json!([{"index": 1, "relevance_score": 2.0}, {"index": 0, "relevance_score": 1.0}])
    );
    assert_eq!(provider.last(), json!({"query": "q", "documents": 2, "top_n": 2}));
    let problem = world.ask(call(json!({"model": "p/r", "query": "q", "documents": []}))).await.unwrap_err();
    assert_eq!((problem.kind, problem.param.as_deref()), (ErrorKind::InvalidRequest, Some("documents")));
}

#[tokio::test]
async fn a_form_changes_in_its_models_name_alone() {
    let provider = Told::new("p", &[Dialect::OpenAiChat]);
    let world = World::new(&[&provider], Vec::new());
    let form = |model: &str| {
        format!(
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nname=\"model\" p/w\r\n\
             --x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--x--\r\n"
        )
    };
    let call = Call {
        content_type: Some("multipart/form-data; boundary=x".into()),
        ..Call::new(Dialect::OpenAiChat, Route::Raw("audio/transcriptions"), form("p/whisper").into())
    };
    world.ask(call).await.unwrap();
    assert_eq!(provider.last(), Value::from(form("whisper")));
    let none = Call {
        content_type: Some("multipart/form-data; boundary=x".into()),
        ..Call::new(Dialect::OpenAiChat, Route::Raw("audio/transcriptions"), Bytes::from_static(b"--x--\r\n"))
    };
    assert_eq!(world.ask(none).await.unwrap_err().kind, ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn a_body_that_is_none_is_the_clients_fault_and_nobodys_else() {
    let provider = Told::new("p", &[]);
    let world = World::new(&[&provider], Vec::new());
    let check = async |body: &str| {
        let call = Call::new(Dialect::OpenAiChat, Route::Chat, body.to_owned().into());
        let problem = world.ask(call).await.unwrap_err();
        assert_eq!(
            (problem.kind, problem.kind.status()),
            (ErrorKind::InvalidRequest, 400),
            "{body}: {problem}"
        );
    };
    check("").await;
    check("{").await;
    check("[]").await;
    check("{}").await;
    check(r#"{"model": "", "messages": []}"#).await;
    check(r#"{"model": "p/x", "messages": "no"}"#).await;
    assert_eq!(provider.count(), 0);
    world.ask(chat("p/x", json!({}))).await.unwrap();
}
