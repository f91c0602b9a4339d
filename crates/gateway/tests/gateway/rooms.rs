//! Calls of other rooms of this house that are no chats: vectors and orders.

use crate::world::{ANSWER, COST, Prices, Told, World, entry, fail};
use hanok_base::{
    CallContext, Caller, Capabilities, EmbedInput, EmbedLimits, EmbedRequest, Object, Operation, Provider,
    ProviderErrorKind, RerankRequest,
};
use hanok_gateway::{Budget, Model, Period};
use std::sync::Arc;

fn vectors(model: &str, texts: &[&str]) -> EmbedRequest {
    EmbedRequest {
        model: model.into(),
        inputs: texts.iter().map(|text| EmbedInput::Text((*text).to_owned())).collect(),
        dimensions: None,
        task: None,
        user: None,
        dialect: None,
        extra: Object::new(),
    }
}

fn order(model: &str) -> RerankRequest {
    let documents = vec!["a".to_owned(), "bb".to_owned()];
    RerankRequest { model: model.into(), query: "q".into(), documents, top_n: None }
}

#[tokio::test(start_paused = true)]
async fn they_go_the_way_of_all_calls() {
    let (one, two) = (
        Told::new("p", &[]),
        Told::able("q", Capabilities { typed_rerank: true, ..Capabilities::default() }),
    );
    let both = Model::in_order(vec![entry(&one, "e"), entry(&two, "e")]);
    let world = World::new(&[&one, &two], vec![("both", both)]);
    let cx = CallContext::new(Box::new(world.books.clone()), Arc::new(Caller::default()));
    // Tried again, here or elsewhere.
    one.next([fail(ProviderErrorKind::Overloaded)]);
    let got = world.gateway.embed(&cx, &vectors("both", &["a", "b"])).await.unwrap();
    assert_eq!((got.vectors.len(), one.count(), two.count()), (2, 1, 1));
    // The first does not rerank, which is no outage of it.
    let ranked = world.gateway.rerank(&cx, &order("both")).await.unwrap().ranked;
    assert_eq!(ranked, [(1, 2.0), (0, 1.0)]);
    two.next([fail(ProviderErrorKind::InvalidRequest), ANSWER]);
    let error = world.gateway.rerank(&cx, &order("q/r")).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::InvalidRequest);
    let error = world.gateway.embed(&cx, &vectors("nobody/e", &["a"])).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::UnknownModel);
    drop(cx);
    let spans = world.books.spans.lock();
    let gateway: Vec<&str> = spans
        .iter()
        .filter(|span| span.operation == Operation::Gateway)
        .map(|span| span.name.as_str())
        .collect();
    assert_eq!(gateway, ["embeddings both", "rerank both", "rerank q/r", "embeddings nobody/e"]);
    assert!(
        spans.iter().filter(|span| span.operation == Operation::Chat).all(|span| span.parent_id.is_some())
    );
}

#[tokio::test]
async fn they_draw_on_budgets() {
    let provider = Told::new("p", &[]);
    let world = World::new(&[&provider], Vec::new());
    let budget = Budget { limit: hanok_base::NanoDollars(50 * COST), period: Period::Day, model: None };
    world.policy(Prices::of(&[("e", COST)]), vec![("shop".to_owned(), budget)]);
    let caller = Caller { project: "shop".into(), ..Caller::default() };
    let embed = async |text: &str| {
        let cx = CallContext::new(Box::new(world.books.clone()), Arc::new(caller.clone()));
        world.gateway.embed(&cx, &vectors("p/e", &[text])).await.map(drop)
    };
    embed(&"x".repeat(40)).await.unwrap();
    assert_eq!(world.bank.of("project:shop", crate::world::TODAY).spent.0, COST);
    assert_eq!(world.reserved("project:shop", crate::world::TODAY), 0, "settled");
    let error = embed(&"x".repeat(60)).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::RateLimited, "{error}");
    assert_eq!(provider.count(), 1);
}

#[test]
fn limits_are_those_of_every_target() {
    let limits = |inputs, tokens| Capabilities {
        embeddings: true,
        embed_limits: EmbedLimits { inputs, tokens, tasks: inputs > 5 },
        ..Capabilities::default()
    };
    let (one, two, none) = (
        Told::able("p", limits(9, 0)),
        Told::able("q", limits(5, 70)),
        Told::able("r", Capabilities::default()),
    );
    let all = Model::in_order(vec![entry(&one, "e"), entry(&two, "e"), entry(&none, "e")]);
    let world = World::new(&[&one, &two, &none], vec![("all", all)]);
    let check = |model: &str, embeddings: bool, expect: (u32, u32, bool)| {
        let can = world.gateway.capabilities(&model.into());
        let limits = can.embed_limits;
        assert_eq!(
            (can.embeddings, (limits.inputs, limits.tokens, limits.tasks)),
            (embeddings, expect),
            "{model}"
        );
    };
    check("all", true, (5, 70, false));
    check("p/e", true, (9, 0, true));
    check("r/e", false, (0, 0, false));
    check("nobody/e", false, (0, 0, false));
}
