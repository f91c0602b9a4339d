//! What is known of a model beside its calls.

use crate::world::{Told, World, entry, fail};
use hanok_base::{Dialect, ProviderErrorKind};
use hanok_gateway::Model;
use serde_json::json;

#[tokio::test]
async fn an_ollama_server_is_asked_and_nobody_else() {
    let (ollama, openai) = (Told::new("o", &[Dialect::OpenAiChat, Dialect::Ollama]), Told::new("p", &[]));
    let world =
        World::new(&[&ollama, &openai], vec![("mine", Model::in_order(vec![entry(&ollama, "q:8b")]))]);
    let model = world.gateway.model("mine").unwrap();
    let shown = world.gateway.shown(&model).await.unwrap().unwrap();
    assert!(hanok_wire::is_json(&shown));
    assert_eq!(ollama.last(), json!({"model": "q:8b"}), "by the server's own name");
    assert!(world.books.spans.lock().is_empty(), "a question about a model is no call");

    ollama.then(fail(ProviderErrorKind::UnknownModel));
    let error = world.gateway.shown(&model).await.unwrap().unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::UnknownModel);

    let other = world.gateway.model("p/m").unwrap();
    assert!(world.gateway.shown(&other).await.is_none());
    assert_eq!(openai.count(), 0);
    assert!(world.gateway.model("nobody/m").is_err());
}

#[tokio::test]
async fn a_context_is_as_long_as_somebody_says() {
    let provider = Told::new("p", &[Dialect::OpenAiChat]);
    let said = Model { context_length: Some(8_192), ..Model::in_order(vec![entry(&provider, "x")]) };
    let world = World::new(&[&provider], vec![("said", said)]);
    let check = |name: &str, expect: Option<u64>| {
        let model = world.gateway.model(name).unwrap();
        assert_eq!(world.gateway.context_length(&model), expect, "{name}");
    };
    check("said", Some(8_192));
    check("p/x", None);
}
