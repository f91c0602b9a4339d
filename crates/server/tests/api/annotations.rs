//! People's labels: blind, under one's own name, in one's own project.

use crate::world::{Who, World, code};
use hanok_base::{Object, TraceId};
use hanok_eval::judge::Scale;
use hanok_store::{NewItem, NewQueue};
use http::StatusCode;
use serde_json::{Value, json};

/// A queue whose items two people label, with what only some may see of each.
async fn queue(world: &World, project: &str, name: &str, items: u32) {
    let annotations = world.store.annotations(None);
    let new = NewQueue {
        project: project.into(),
        name: name.into(),
        instructions: "Does it follow the policy?".into(),
        scale: serde_json::to_value(Scale::binary()).unwrap(),
        wanted: 2,
    };
    let queue = annotations.put_queue(new).await.unwrap().unwrap();
    let items = (0..items).map(|n| {
        let mut content = Object::new();
        content.insert("question".into(), format!("Where is parcel {n}?").into());
        content.insert("answer".into(), "On its way".into());
        content.insert("model".into(), "gpt-secret".into());
        NewItem {
            key: format!("{name}-key-{n}"),
            content,
            origin: Some((TraceId::from_bytes([7; 16]), None)),
            reason: "disagreement".into(),
            ..NewItem::default()
        }
    });
    annotations.add(queue.id, items.collect()).await.unwrap();
}

async fn next(world: &World, who: Who<'_>, place: &str) -> Value {
    let (status, found) = world.get(who, place).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    found["item"].clone()
}

#[tokio::test]
async fn nobody_sees_what_others_said_before_all_have() {
    let world = World::new().await;
    queue(&world, "", "refunds", 1).await;
    let item = next(&world, Who::Anybody, "/api/annotations/refunds/next?who=ann").await;
    let id = item["id"].as_i64().unwrap();
    // Neither who wrote it, nor why it is here, nor where it comes from, as the scores stand there.
    let text = item.to_string();
    for hidden in ["gpt-secret", "disagreement", "-key-", "07070707"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    let place = format!("/api/annotations/items/{id}");
    let label = format!("{place}/label");
    let said = json!({ "who": "ann", "label": "pass", "comment": "as it is" });
    let (status, kept) = world.post(Who::Anybody, &label, said).await;
    assert_eq!((status, kept["state"].as_str()), (StatusCode::OK, Some("open")), "{kept}");
    assert_eq!(kept["queue"]["waiting"], 0);
    let seen_by = async |who: &str| {
        let (_, seen) = world.get(Who::Anybody, &format!("{place}?who={who}")).await;
        seen["labels"].as_array().map(Vec::len)
    };
    assert_eq!((seen_by("ann").await, seen_by("ben").await), (Some(1), Some(0)));
    let (_, listed) = world.get(Who::Anybody, "/api/annotations/refunds/items?who=ben&state=open").await;
    assert_eq!(listed["items"][0]["labels"], json!([]));
    let (_, page) = world.page(Who::Anybody, "/annotation/refunds?who=ben").await;
    assert!(page.contains("On its way") && !page.contains("as it is") && !page.contains("gpt-secret"));
    // Nothing is to be settled before.
    let settle = json!({ "who": "cho", "label": "fail" });
    let (status, early) = world.post(Who::Anybody, &format!("{place}/settle"), settle.clone()).await;
    assert_eq!((status, code(&early)), (StatusCode::CONFLICT, "item_is_not_open"));
    let (_, kept) = world.post(Who::Anybody, &label, json!({ "who": "ben", "level": 0 })).await;
    assert_eq!(kept["state"], "differing");
    // What was seen changes nobody's label.
    let (status, late) = world.post(Who::Anybody, &label, json!({ "who": "ben", "level": 1 })).await;
    assert_eq!((status, code(&late)), (StatusCode::CONFLICT, "item_is_not_open"));
    let (status, third) = world.post(Who::Anybody, &label, json!({ "who": "dan", "level": 1 })).await;
    assert_eq!((status, code(&third)), (StatusCode::CONFLICT, "item_is_not_open"));
    assert_eq!(seen_by("eve").await, Some(2));
    let (_, page) = world.page(Who::Anybody, "/annotation/refunds?who=cho&show=settle").await;
    assert!(page.contains("as it is") && page.contains("ann") && !page.contains("traces/0707"));
    let (status, done) = world.post(Who::Anybody, &format!("{place}/settle"), settle).await;
    assert_eq!((status, done["state"].as_str()), (StatusCode::OK, Some("done")));
    let (_, done) = world.get(Who::Anybody, &format!("{place}?who=eve")).await;
    assert_eq!(
        (done["outcome"].as_str(), done["trace_id"].as_str()),
        (Some("fail"), Some("07".repeat(16).as_str()))
    );
}

#[tokio::test]
async fn a_visitor_sees_its_projects_queues_and_labels_under_its_own_name() {
    let world = World::new().await;
    queue(&world, "shop", "tone", 2).await;
    queue(&world, "desk", "tone", 1).await;
    queue(&world, "desk", "refunds", 1).await;
    let (ann, boss) = (world.key("ann", "shop", false).await, world.key("boss", "", true).await);
    let (ann, boss) = (Who::Key(&ann), Who::Key(&boss));
    assert_eq!(world.get(Who::Anybody, "/api/annotations").await.0, StatusCode::UNAUTHORIZED);
    let names = async |who: Who<'_>| {
        let (_, found) = world.get(who, "/api/annotations").await;
        let name = |queue: &Value| {
            format!("{}/{}", queue["project"].as_str().unwrap(), queue["name"].as_str().unwrap())
        };
        found["queues"].as_array().unwrap().iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(ann).await, ["shop/tone"]);
    assert_eq!(names(boss).await, ["desk/refunds", "desk/tone", "shop/tone"]);
    // Another project's queue is none, by whatever way.
    for place in [
        "/api/annotations/refunds/next",
        "/api/annotations/refunds/items",
        "/api/annotations/tone/next?project=desk",
    ] {
        let (status, found) = world.get(ann, place).await;
        assert_eq!((status, code(&found)), (StatusCode::NOT_FOUND, "queue_not_found"), "{place}");
    }
    assert_eq!(world.page(ann, "/annotation/refunds").await.0, StatusCode::NOT_FOUND);
    let theirs = next(&world, boss, "/api/annotations/refunds/next").await["id"].as_i64().unwrap();
    let place = format!("/api/annotations/items/{theirs}");
    let (status, found) = world.get(ann, &place).await;
    assert_eq!((status, code(&found)), (StatusCode::NOT_FOUND, "item_not_found"));
    for what in ["label", "settle"] {
        let (status, found) = world.post(ann, &format!("{place}/{what}"), json!({ "level": 1 })).await;
        assert_eq!((status, code(&found)), (StatusCode::NOT_FOUND, "item_not_found"));
    }
    // Under the key's name, and under no other.
    let own = next(&world, ann, "/api/annotations/tone/next").await["id"].as_i64().unwrap();
    let label = format!("/api/annotations/items/{own}/label");
    let (status, found) = world.post(ann, &label, json!({ "level": 1, "who": "boss" })).await;
    assert_eq!((status, code(&found)), (StatusCode::FORBIDDEN, "not_your_name"));
    let (status, found) = world.get(ann, "/api/annotations/tone/next?who=boss").await;
    assert_eq!((status, code(&found)), (StatusCode::FORBIDDEN, "not_your_name"));
    let (status, kept) = world.post(ann, &label, json!({ "label": "PASS" })).await;
    assert_eq!((status, kept["queue"]["waiting"].as_u64()), (StatusCode::OK, Some(1)));
    let kept = world.store.annotations(None).item(own, hanok_store::Eyes::All).await.unwrap().unwrap();
    assert_eq!((kept.labels[0].who.as_str(), kept.labels[0].level), ("ann", 1));
    // An admin is no less blind.
    let (_, seen) = world.get(boss, &format!("/api/annotations/items/{own}")).await;
    assert_eq!(seen["labels"], json!([]));
}

#[tokio::test]
async fn what_is_no_label_is_refused_with_the_way_out() {
    let world = World::new().await;
    queue(&world, "", "refunds", 1).await;
    let id =
        next(&world, Who::Anybody, "/api/annotations/refunds/next?who=ann").await["id"].as_i64().unwrap();
    let label = format!("/api/annotations/items/{id}/label");
    let check = async |body: Value, expect: &str| {
        let (status, found) = world.post(Who::Anybody, &label, body).await;
        let message = found["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{found}");
        assert!(message.contains(expect), "{message}");
    };
    check(json!({ "who": "ann", "label": "maybe" }), "`fail`, `pass`").await;
    check(json!({ "who": "ann", "level": 2 }), "`fail`, `pass`").await;
    check(json!({ "who": "ann" }), "`fail`, `pass`").await;
    check(json!({ "level": 1 }), "who labels").await;
    check(json!({ "level": 1, "who": " " }), "who labels").await;
    check(json!({ "level": 1, "who": "a\nb" }), "at most 60").await;
    check(json!({ "level": 1, "who": "ann", "comment": "x".repeat(4001) }), "4000").await;
    check(json!({ "level": 1, "who": "ann", "judge": true }), "unknown field `judge`").await;
    let (status, _) = world.get(Who::Anybody, "/api/annotations/refunds/next").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    for gone in [
        "/api/annotations/items/999?who=a",
        "/api/annotations/items/x?who=a",
        "/api/annotations/none/next?who=a",
    ] {
        assert_eq!(world.get(Who::Anybody, gone).await.0, StatusCode::NOT_FOUND, "{gone}");
    }
    assert!(world.store.annotations(None).next(1, "ann").await.unwrap().is_some(), "nothing was kept");
}
