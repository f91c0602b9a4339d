//! What is found out about judges, and whether it still holds.

use crate::world::{Who, World, code};
use hanok_base::Timestamp;
use hanok_eval::calibration::{HumanLabel, Item, JudgeSaid, Options, calibrate};
use hanok_eval::judge::{JudgeSpec, Scale, fingerprint, identity};
use hanok_eval::lab::Report;
use hanok_store::NewCheck;
use hanok_store::datasets::content_hash;
use hanok_store::evals::NewExperiment;
use http::StatusCode;
use serde_json::{Value, json};

/// Keeps a check of a judge that says this of forty answers, of which people fail ten.
async fn check(world: &World, project: &str, name: &str, says: fn(usize) -> usize) -> JudgeSpec {
    let items: Vec<Item> = (0..40)
        .map(|n| Item {
            id: n.to_string(),
            cluster: None,
            answer: format!("answer {n}"),
            people: ["ann", "ben"]
                .map(|who| HumanLabel {
                    who: who.into(),
                    level: usize::from(n % 4 > 0),
                    comment: String::new(),
                })
                .into(),
            settled: None,
            judge: JudgeSaid::Level(says(n)),
            reasoning: "as it is".into(),
        })
        .collect();
    let spec = JudgeSpec::new("mock/judge", "follows the policy");
    let options = Options { rounds: 200, ..Options::default() };
    let report = Report {
        schema_version: 1,
        judge: name.into(),
        identity: fingerprint(&identity(&spec)),
        spec: spec.clone(),
        queue: "answers".into(),
        created: Timestamp::now(),
        asked: 40,
        items: 40,
        cost: None,
        problem: None,
        calibration: calibrate(&Scale::binary(), &items, options),
        probes: Vec::new(),
        corrected: Vec::new(),
    };
    let new = NewCheck {
        project: project.into(),
        judge: name.into(),
        identity: report.identity.clone(),
        queue: "answers".into(),
        spec: serde_json::to_value(&spec).unwrap(),
        report: serde_json::to_value(&report).unwrap(),
    };
    world.store.judgements(None).keep_check(new).await.unwrap();
    spec
}

/// An experiment whose eval has these scorers, and stands in this file.
async fn ran(world: &World, eval: &str, file: &str, scorers: Value) {
    let new = NewExperiment {
        name: eval.into(),
        file: file.into(),
        spec: json!({ "scorers": scorers }).to_string(),
        spec_hash: content_hash(eval.as_bytes()),
        task: "{}".into(),
        version: 1,
        dataset: "d".into(),
        rows: 1,
        repeats: 1,
        now: Timestamp::now(),
    };
    world.store.evals().begin(new).await.unwrap();
}

fn table(name: &str, rubric: &str) -> Value {
    json!({ "kind": "judge", "name": name, "model": "mock/judge", "rubric": rubric })
}

async fn states(world: &World, who: Who<'_>) -> Vec<(String, String)> {
    let (status, found) = world.get(who, "/api/judges").await;
    assert_eq!(status, StatusCode::OK, "{found}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    found["judges"].as_array().unwrap().iter().map(|one| (text(&one["name"]), text(&one["state"]))).collect()
}

#[tokio::test]
async fn each_judge_is_said_to_be_what_it_is() {
    let world = World::new().await;
    check(&world, "", "good", |n| usize::from(n % 4 > 0)).await;
    check(&world, "", "yes", |_| 1).await;
    check(&world, "", "guess", |n| n / 4 % 2).await;
    let said = async |name: &str| {
        let (status, found) = world.get(Who::Anybody, &format!("/api/judges/{name}")).await;
        assert_eq!(status, StatusCode::OK, "{found}");
        (found["findings"][0].as_str().unwrap().to_owned(), found)
    };
    assert_eq!(said("yes").await.0, "This judge says “pass” of everything. It tells nothing.");
    assert_eq!(said("good").await.0, "This judge agrees with people on all 40 answers.");
    let (words, whole) = said("guess").await;
    assert!(words.contains("not shown to be better than chance"), "{words}");
    assert_eq!(whole["standing"]["state"], "no_better_than_chance");
    assert_eq!(
        (whole["report"]["calibration"]["labelled"].as_u64(), whole["checks"].as_array().unwrap().len()),
        (Some(40), 1)
    );
    let (status, page) = world.page(Who::Anybody, "/judges").await;
    // What misleads stands first.
    let place = |name: &str| page.find(&format!("judges/{name}\"")).unwrap_or_else(|| panic!("{name}"));
    assert!(status == StatusCode::OK && place("yes") < place("good") && place("guess") < place("good"));
    let (status, missing) = world.get(Who::Anybody, "/api/judges/none").await;
    assert_eq!((status, code(&missing)), (StatusCode::NOT_FOUND, "judge_not_found"));
}

#[tokio::test]
async fn a_check_is_stale_once_its_judge_is_another() {
    let world = World::new().await;
    let spec = check(&world, "", "refund", |n| usize::from(n % 4 > 0)).await;
    assert_eq!(states(&world, Who::Anybody).await, [("refund".into(), "known".into())]);
    // What evals run counts, and one that was never checked is listed, too.
    ran(
        &world,
        "support",
        "",
        json!([table("refund", &spec.rubric), table("tone", "is polite"), { "kind": "exact" }]),
    )
    .await;
    let listed = states(&world, Who::Anybody).await;
    assert_eq!(listed, [("refund".into(), "fresh".into()), ("tone".into(), "never".into())]);
    ran(&world, "support", "", json!([table("refund", "is kind")])).await;
    let (_, found) = world.get(Who::Anybody, "/api/judges/refund").await;
    assert_eq!(found["state"], "stale");
    assert_eq!(
        found["changed"],
        json!([{ "member": "rubric", "before": "follows the policy", "now": "is kind" }])
    );
    let (_, page) = world.page(Who::Anybody, "/judges/refund").await;
    assert!(page.contains("What is said here is of another judge") && page.contains("is kind"));
    // Another eval that still has it keeps the check fresh, and a file counts before what ran.
    let file = world.folder.path().join("other.toml");
    let text = "dataset = { rows = [{ id = \"1\", input = \"q\" }] }\ntask = { kind = \"echo\" }\n[[scorers]]\nkind = \"judge\"\nname = \"refund\"\nmodel = \"mock/judge\"\nrubric = \"follows the policy\"\n";
    std::fs::write(&file, text).unwrap();
    ran(&world, "other", file.to_str().unwrap(), json!([table("refund", "is brief")])).await;
    assert_eq!(states(&world, Who::Anybody).await, [("refund".into(), "fresh".into())]);
    std::fs::write(&file, text.replace("mock/judge", "mock/other")).unwrap();
    let (_, found) = world.get(Who::Anybody, "/api/judges/refund").await;
    assert_eq!(
        (found["state"].as_str(), found["changed"][0]["member"].as_str()),
        (Some("stale"), Some("model"))
    );
}

#[tokio::test]
async fn a_visitor_sees_judges_of_its_project_and_nothing_of_evals() {
    let world = World::new().await;
    check(&world, "shop", "tone", |_| 1).await;
    check(&world, "desk", "tone", |n| usize::from(n % 4 > 0)).await;
    check(&world, "desk", "refund", |n| usize::from(n % 4 > 0)).await;
    ran(&world, "secret-eval", "", json!([table("tone", "another rubric"), table("unheard", "of")])).await;
    let (ann, boss) = (world.key("ann", "shop", false).await, world.key("boss", "", true).await);
    assert_eq!(states(&world, Who::Key(&ann)).await, [("tone".into(), "known".into())]);
    let all = states(&world, Who::Key(&boss)).await;
    assert_eq!(all.len(), 4, "{all:?}");
    let (_, tone) = world.get(Who::Key(&ann), "/api/judges/tone").await;
    assert!(tone["findings"][0].as_str().unwrap().contains("of everything"), "{tone}");
    assert_eq!((tone["evals"].clone(), tone["project"].as_str()), (json!([]), Some("shop")));
    for gone in ["refund", "unheard", "tone?project=desk"] {
        let (status, answer) = world.get(Who::Key(&ann), &format!("/api/judges/{gone}")).await;
        assert_eq!((status, code(&answer)), (StatusCode::NOT_FOUND, "judge_not_found"), "{gone}");
    }
    let (status, page) = world.page(Who::Key(&ann), "/judges").await;
    assert!(
        status == StatusCode::OK && !page.contains("secret-eval") && !page.contains("href=\"./experiments")
    );
    let (_, desk) = world.get(Who::Key(&boss), "/api/judges/tone?project=desk").await;
    assert!(desk["findings"][0].as_str().unwrap().contains("all 40"), "{desk}");
}
