//! Experiments and datasets: admins', as samples may come from any project's traces.

use crate::world::{Who, World, code};
use hanok_base::Timestamp;
use hanok_store::datasets::{NewRow, content_hash};
use hanok_store::evals::{ExperimentState, Kept, NewExperiment, NewResult};
use http::StatusCode;
use serde_json::json;

/// Two experiments over three rows, of which the second fails one.
async fn experiments(world: &World) -> [i64; 2] {
    let datasets = world.store.datasets();
    let bodies: Vec<String> = (0..3)
        .map(|n| json!({ "id": format!("s-{n}"), "input": { "q": format!("question {n}") } }).to_string())
        .collect();
    let rows: Vec<NewRow> = bodies
        .iter()
        .map(|body| NewRow { hash: content_hash(body.as_bytes()), body: body.clone(), cluster: None })
        .collect();
    let hashes = rows.iter().map(|row| row.hash).collect();
    datasets.keep_rows(rows).await.unwrap();
    let version = datasets.make_version("support", hashes, "{}", Timestamp::now()).await.unwrap();
    let kept = datasets.rows(version.id, 0, 10).await.unwrap();
    let mut ids = [0; 2];
    for (at, id) in ids.iter_mut().enumerate() {
        *id = world
            .store
            .evals()
            .begin(NewExperiment {
                name: "support".into(),
                file: String::new(),
                spec: "{}".into(),
                spec_hash: content_hash(&[u8::try_from(at).unwrap()]),
                task: "{}".into(),
                version: version.id,
                dataset: "support".into(),
                rows: 3,
                repeats: 1,
                now: Timestamp::now(),
            })
            .await
            .unwrap();
        let results = kept.iter().enumerate().map(|(n, row)| {
            let is_right = at == 0 || n > 0;
            Kept::Result(NewResult {
                row: row.id,
                repeat: 0,
                answer: None,
                error: (!is_right).then(|| "the task failed".to_owned()),
                cached: false,
                cost: hanok_base::NanoDollars::default(),
                failed_cost: hanok_base::NanoDollars::default(),
                scoring_cost: hanok_base::NanoDollars::default(),
                scoring_trace: None,
                scores: if is_right {
                    json!({ "right": { "value": true } }).to_string()
                } else {
                    "{}".into()
                },
            })
        });
        world.store.evals().keep(*id, results.collect()).await.unwrap();
        world.store.evals().finish(*id, ExperimentState::Done, None, Timestamp::now()).await.unwrap();
    }
    ids
}

#[tokio::test]
async fn experiments_and_datasets_are_read_as_the_command_line_says_them() {
    let world = World::new().await;
    let [a, b] = experiments(&world).await;
    let (status, listed) = world.get(Who::Anybody, "/api/experiments").await;
    assert_eq!(status, StatusCode::OK);
    let ids: Vec<i64> =
        listed["experiments"].as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [b, a]);
    let (_, limited) = world.get(Who::Anybody, &format!("/api/experiments?limit=1&before={b}")).await;
    assert_eq!(
        (limited["experiments"].as_array().unwrap().len(), limited["experiments"][0]["id"].as_i64()),
        (1, Some(a))
    );
    let (_, other) = world.get(Who::Anybody, "/api/experiments?name=other").await;
    assert_eq!(other["experiments"], json!([]));
    let (_, one) = world.get(Who::Anybody, &format!("/api/experiments/{b}")).await;
    assert_eq!((one["state"].as_str(), one["results"].as_array().unwrap().len()), (Some("done"), 3));
    let (_, failed) = world.get(Who::Anybody, &format!("/api/experiments/{b}?only=failed")).await;
    assert_eq!(failed["results"].as_array().unwrap().len(), 1);
    assert_eq!(failed["results"][0]["error"], "the task failed");
    let (status, compared) = world.get(Who::Anybody, &format!("/api/experiments/compare?a={a}&b={b}")).await;
    assert_eq!((status, compared["paired"].as_u64()), (StatusCode::OK, Some(3)), "{compared}");
    let (_, datasets) = world.get(Who::Anybody, "/api/datasets").await;
    assert_eq!(datasets["datasets"][0]["name"], "support");
    let (_, rows) = world.get(Who::Anybody, "/api/datasets/support?from=1&limit=1").await;
    assert_eq!((rows["rows"].as_array().unwrap().len(), rows["rows"][0]["id"].as_str()), (1, Some("s-1")));
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let world = World::new().await;
    let [a, _] = experiments(&world).await;
    let check = async |path: String, status: StatusCode, expect: &str| {
        let (found, answer) = world.get(Who::Anybody, &path).await;
        assert_eq!((found, code(&answer)), (status, expect), "{path}: {answer}");
    };
    check("/api/experiments/99".into(), StatusCode::NOT_FOUND, "experiment_not_found").await;
    check("/api/experiments/x".into(), StatusCode::NOT_FOUND, "experiment_not_found").await;
    check(format!("/api/experiments/compare?a={a}&b=99"), StatusCode::NOT_FOUND, "experiment_not_found")
        .await;
    check(format!("/api/experiments/compare?a={a}"), StatusCode::BAD_REQUEST, "invalid_request").await;
    check(
        format!("/api/experiments/compare?a={a}&b={a}&confidence=2"),
        StatusCode::BAD_REQUEST,
        "invalid_request",
    )
    .await;
    check("/api/datasets/none".into(), StatusCode::NOT_FOUND, "dataset_not_found").await;
    check("/api/datasets/support?version=ffff".into(), StatusCode::NOT_FOUND, "dataset_not_found").await;
}

#[tokio::test]
async fn who_is_no_admin_sees_none_of_it() {
    let world = World::new().await;
    let [a, b] = experiments(&world).await;
    let ann = world.key("ann", "shop", false).await;
    for path in [
        "/api/experiments".to_owned(),
        format!("/api/experiments/{a}"),
        format!("/api/experiments/compare?a={a}&b={b}"),
        "/api/datasets".to_owned(),
        "/api/datasets/support".to_owned(),
    ] {
        let (status, answer) = world.get(Who::Key(&ann), &path).await;
        assert_eq!((status, code(&answer)), (StatusCode::FORBIDDEN, "admin_only"), "{path}");
    }
    for page in ["/experiments", "/datasets", "/experiments/compare", "/datasets/support"] {
        let (status, html) = world.page(Who::Key(&ann), page).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{page}");
        assert!(!html.contains("question 1"), "{page}");
    }
    // What commands keep is the owner's, whatever a key may do.
    let boss = world.key("boss", "", true).await;
    for who in [Who::Key(&ann), Who::Key(&boss)] {
        let (status, answer) = world.post(who, "/api/evals", json!({ "Datasets": {} })).await;
        assert_eq!((status, code(&answer)), (StatusCode::FORBIDDEN, "not_the_owner"));
    }
    let (status, kept) = world.post(Who::Owner, "/api/evals", json!({ "Datasets": {} })).await;
    assert_eq!((status, kept[0]["name"].as_str()), (StatusCode::OK, Some("support")));
    let (status, answer) = world.post(Who::Owner, "/api/evals", json!({ "Unheard": {} })).await;
    assert_eq!((status, code(&answer)), (StatusCode::BAD_REQUEST, "invalid_request"));
}
