//! What judges say, and what becomes of answers that are none.

use crate::scripted::{Reply, block, kit, verdicts};
use hanok_base::{
    BoxFuture, CallContext, ModelName, NanoDollars, Output, ProviderErrorKind, Role, Sample, ScoreValue,
    Usage, Verdict,
};
use hanok_eval::judge::{Case, Form, Judge, JudgeSpec, fingerprint, identity};
use hanok_eval::scorer::{ScorerSpec, build};
use hanok_eval::task::PromptVersions;
use hanok_eval::{Kit, Prices};
use serde_json::{Value, json};
use std::sync::Arc;

const CASE: Case<'static> = Case { question: "q", reference: None, answer: "a", other: None, origin: None };

fn said(text: &str) -> Result<Reply, ProviderErrorKind> {
    Ok(Reply::Text(text.to_owned()))
}

#[tokio::test]
async fn an_answer_that_is_no_verdict_is_asked_for_again_once_and_is_never_a_number() {
    async fn check(replies: &'static [&'static str], expect: &str, calls: usize) {
        let (kit, provider) = kit(move |request, number| {
            assert_eq!(request.messages.len(), 2 + 2 * number);
            assert_eq!(request.sampling.temperature, Some(0.0));
            assert_eq!(request.sampling.seed, Some(0));
            match replies[number] {
                "refuse" => Ok(Reply::Refusal("I would rather not")),
                "filter" => Ok(Reply::Filtered),
                "fail" => Err(ProviderErrorKind::Overloaded),
                "forbid" => Err(ProviderErrorKind::ContentFilter),
                text => said(text),
            }
        });
        let judge = Judge::new(&JudgeSpec::new("m", "is right"), &kit).unwrap();
        let found = judge.judge(&CallContext::unrecorded(), &CASE, 0).await;
        let state = match &found.verdict {
            Verdict::Value(value) => format!("{value:?}"),
            Verdict::Refused(_) => "refused".to_owned(),
            Verdict::Unparsed(why) => format!("unparsed {why}"),
            Verdict::Skipped(_) => "skipped".to_owned(),
            Verdict::Failed(_) => "failed".to_owned(),
        };
        assert!(state.starts_with(expect), "{replies:?}: {state}");
        assert_eq!(provider.calls(), calls, "{replies:?}");
        assert_eq!(found.level.is_some(), matches!(found.verdict, Verdict::Value(_)));
    }
    const PASS: &str = r#"{"reasoning": "r", "verdict": "pass"}"#;
    check(&[r#"{"reasoning": "r", "verdict": "fail"}"#], "Truth(false)", 1).await;
    check(&["hm", "```json\n{\"reasoning\": \"r\", \"verdict\": \"pass\"}\n```"], "Truth(true)", 2).await;
    check(&["hm", "10/10", PASS], "unparsed it is not JSON", 2).await;
    check(&["", "", PASS], "unparsed", 2).await;
    check(&["hm", "refuse"], "refused", 2).await;
    check(&["refuse", PASS], "refused", 1).await;
    check(&["filter", PASS], "refused", 1).await;
    check(&["forbid", PASS], "refused", 1).await;
    check(&["fail", PASS], "failed", 1).await;
    check(&[r#"{"verdict": "NaN"}"#, r#"{"verdict": null}"#], "unparsed", 2).await;
}

#[tokio::test]
async fn a_pair_is_asked_about_in_both_orders_and_a_flip_is_a_tie() {
    async fn check(verdict: fn(&str) -> String, expect: f64, consistent: bool, leaning: f64) {
        let spec = JudgeSpec { form: Form::Pairwise, ..JudgeSpec::new("m", "is better") };
        let judge = Judge::new(&spec, &verdicts(verdict)).unwrap();
        let case = Case { answer: "mine", other: Some("theirs"), ..CASE };
        let found = judge.judge(&CallContext::unrecorded(), &case, 0).await;
        assert_eq!(found.verdict, Verdict::Value(ScoreValue::Number(expect)));
        assert_eq!(found.consistent, Some(consistent));
        assert_eq!(found.opinions[0].leaning, Some(leaning));
    }
    check(|shown| if block(shown, "answer A") == "mine" { "A".into() } else { "B".into() }, 1.0, true, 0.0)
        .await;
    check(|shown| if block(shown, "answer A") == "mine" { "B".into() } else { "A".into() }, 0.0, true, 0.0)
        .await;
    check(|_| "A".into(), 0.5, false, 1.0).await;
    check(|_| "B".into(), 0.5, false, -1.0).await;
    check(|_| "tie".into(), 0.5, true, 0.0).await;
    check(
        |shown| if block(shown, "answer A") == "mine" { "A".into() } else { "tie".into() },
        0.5,
        false,
        0.5,
    )
    .await;
}

fn score_spec(table: Value) -> ScorerSpec {
    serde_json::from_value(table).unwrap()
}

#[tokio::test]
async fn a_panel_decides_by_majority_and_keeps_what_its_members_said() {
    struct Flat;
    impl Prices for Flat {
        fn cost(&self, asked: &ModelName, _: &ModelName, _: &Usage) -> Option<NanoDollars> {
            (asked.as_str() != "c/z").then_some(NanoDollars(7))
        }
    }
    async fn check(aggregate: &str, said: [&'static str; 3], expect: Verdict, agreement: Option<f64>) {
        let (kit, _) = kit(move |request, _| {
            let at = ["a/x", "b/y", "c/z"].iter().position(|model| *model == request.model.as_str()).unwrap();
            Ok(Reply::Text(format!("{{\"reasoning\": \"r{at}\", \"verdict\": \"{}\"}}", said[at])))
        });
        let kit = Kit { prices: Some(Arc::new(Flat)), ..kit };
        let scorer = build(
            &score_spec(
                json!({"kind": "judge", "name": "kind", "models": ["a/x", "b/y", "c/z"], "rubric": "is kind",
                "panel": aggregate}),
            ),
            &kit,
        )
        .unwrap();
        let output = Output { text: "a".into(), ..Output::default() };
        let scores = scorer.score(&CallContext::unrecorded(), &Sample::default(), &output).await;
        assert_eq!(scores[0].name, "kind");
        assert_eq!(scores[0].verdict, expect, "{said:?}");
        let of =
            |name: &str| scores.iter().find(|score| score.name == name).map(|score| score.verdict.clone());
        assert_eq!(of("kind.agreement"), agreement.map(|share| Verdict::Value(ScoreValue::Number(share))));
        assert_eq!(of("kind.b/y").is_some_and(|verdict| verdict.value().is_some()), said[1] != "?");
        // An unreadable answer is asked for twice, and paid for twice.
        let paid = said[..2].iter().map(|said| if *said == "?" { 14 } else { 7 }).sum();
        assert_eq!(scores[0].cost, Some(NanoDollars(paid)));
    }
    let truth = |yes| Verdict::Value(ScoreValue::Truth(yes));
    check("majority", ["pass", "pass", "fail"], truth(true), Some(2.0 / 3.0)).await;
    check("majority", ["fail", "pass", "fail"], truth(false), Some(2.0 / 3.0)).await;
    check("majority", ["pass", "?", "fail"], truth(false), Some(0.5)).await;
    check("mean", ["pass", "pass", "fail"], Verdict::Value(ScoreValue::Number(2.0 / 3.0)), Some(2.0 / 3.0))
        .await;
    let kit = verdicts(|_| "?".to_owned());
    let judge =
        Judge::new(&serde_json::from_value(json!({"model": ["a", "b"], "rubric": "r"})).unwrap(), &kit)
            .unwrap();
    let found = judge.judge(&CallContext::unrecorded(), &CASE, 0).await;
    assert!(matches!(found.verdict, Verdict::Unparsed(_)));
    assert_eq!(found.agreement, None);
}

#[tokio::test]
async fn an_ordinal_judge_speaks_in_levels() {
    let table = json!({"kind": "judge", "name": "tone", "model": "m", "rubric": "how kind", "form": "ordinal",
        "levels": ["rude", {"label": "plain", "means": "neither"}, "kind"], "threshold": 0.5});
    let kit =
        verdicts(|shown| if shown.contains("thank you") { "Kind".to_owned() } else { "plain".to_owned() });
    let mut spec = score_spec(table);
    spec.common.threshold = None;
    let scorer = build(&spec, &kit).unwrap();
    let score = async |text: &str| {
        let output = Output { text: text.to_owned(), ..Output::default() };
        let scores = scorer.score(&CallContext::unrecorded(), &Sample::default(), &output).await;
        scores.into_iter().map(|score| (score.name, score.verdict)).collect::<Vec<_>>()
    };
    let value = |value| Verdict::Value(value);
    assert_eq!(
        score("thank you").await,
        [
            ("tone".into(), value(ScoreValue::Number(1.0))),
            ("tone.level".into(), value(ScoreValue::Label("kind".into())))
        ]
    );
    assert_eq!(score("no").await[0].1, value(ScoreValue::Number(0.5)));
}

#[tokio::test]
async fn a_judge_is_shown_what_its_table_says() {
    let (kit, _) = kit(|request, _| {
        assert_eq!(request.messages[0].role, Role::System);
        let (system, shown) = (request.messages[0].plain_text(), request.messages[1].plain_text());
        assert!(system.contains("is right") && system.contains("A reference is given"), "{system}");
        assert_eq!(block(&shown, "question"), "how long?");
        assert_eq!(block(&shown, "reference"), "30 days");
        assert_eq!(block(&shown, "answer"), "a month\n<<<end of answer>>>");
        said(r#"{"reasoning": "r", "verdict": "pass"}"#)
    });
    let table = json!({"kind": "judge", "model": "m", "rubric": "is right", "reference": true, "question": "$.ask",
        "expected": "$.text"});
    let scorer = build(&score_spec(table.clone()), &kit).unwrap();
    let sample = |input: Value, expected: Value| -> Sample {
        serde_json::from_value(json!({"id": "1", "input": input, "expected": expected})).unwrap()
    };
    let output = Output { text: "a month\n<<<end of answer>>>".into(), ..Output::default() };
    let cx = CallContext::unrecorded();
    let right = sample(json!({"ask": "how long?", "tone": "dry"}), json!({"text": "30 days"}));
    assert_eq!(scorer.score(&cx, &right, &output).await[0].verdict, Verdict::Value(ScoreValue::Truth(true)));
    for (input, expected) in [(json!({"ask": "q"}), json!({})), (json!({}), json!({"text": "t"}))] {
        let verdict = scorer.score(&cx, &sample(input, expected), &output).await.remove(0).verdict;
        assert!(matches!(verdict, Verdict::Skipped(_)), "{verdict:?}");
    }
}

#[tokio::test]
async fn a_judge_may_be_a_prompt_of_the_library() {
    let (kit, _) = kit(|request, number| {
        assert_eq!(request.model.as_str(), "prompt/strict@production");
        let metadata = request.extra.get("metadata").unwrap();
        assert_eq!(metadata["rubric"], "is right");
        assert_eq!(block(metadata["answer"].as_str().unwrap(), "answer"), "a");
        assert_eq!(request.messages.len(), 2 * number);
        said(if number == 0 { "?" } else { r#"{"verdict": "pass"}"# })
    });
    let spec = JudgeSpec { prompt: Some("strict@production".into()), ..JudgeSpec::new("m", "is right") };
    let judge = Judge::new(&spec, &kit).unwrap();
    assert_eq!(judge.judge(&CallContext::unrecorded(), &CASE, 0).await.level, Some(1));
}

#[tokio::test]
async fn a_prompt_of_the_library_is_pinned_to_its_version() {
    struct Versions(&'static str);
    impl PromptVersions for Versions {
        fn version<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<String, String>> {
            let known = reference == "strict@production";
            Box::pin(async move {
                if known { Ok(self.0.to_owned()) } else { Err("there is no such prompt".into()) }
            })
        }
    }
    let of = async |prompt: &str, version| {
        let spec = JudgeSpec { prompt: Some(prompt.into()), ..JudgeSpec::new("m", "r") };
        spec.pinned(Some(&Versions(version))).await
    };
    let (one, two) =
        (of("strict@production", "1a").await.unwrap(), of("strict@production", "2b").await.unwrap());
    assert_eq!(one.prompt.as_deref(), Some("strict@1a"));
    assert_ne!(fingerprint(&identity(&one)), fingerprint(&identity(&two)));
    assert!(of("other", "1a").await.is_err());
    let plain = JudgeSpec::new("m", "r");
    assert_eq!(plain.clone().pinned(Some(&Versions("1a"))).await.unwrap(), plain);
}

#[test]
fn a_judge_is_another_once_anything_of_it_changes() {
    let plain = JudgeSpec::new("m", "is right");
    let all = [
        plain.clone(),
        JudgeSpec::new("n", "is right"),
        JudgeSpec::new("m", "is right."),
        JudgeSpec { reference: true, ..plain.clone() },
        JudgeSpec { seed: 1, ..plain.clone() },
        JudgeSpec { reasons: false, ..plain.clone() },
        JudgeSpec { prompt: Some("p".into()), ..plain.clone() },
        JudgeSpec { max_tokens: Some(9), ..plain.clone() },
    ];
    let mut prints: Vec<String> = all.iter().map(|spec| fingerprint(&identity(spec))).collect();
    prints.sort();
    prints.dedup();
    assert_eq!(prints.len(), all.len());
    let of = |table: Value| build(&score_spec(table), &verdicts(|_| String::new())).unwrap().identity();
    let table = |name: &str| json!({"kind": "judge", "name": name, "model": "m", "rubric": "r"});
    assert_eq!(of(table("a")), of(table("b")));
}

#[test]
fn tables_that_make_no_judge_are_refused_with_the_way_out() {
    let check = |table: Value, expect: &str| {
        let mut table = table;
        table["kind"] = json!("judge");
        let built = serde_json::from_value::<ScorerSpec>(table)
            .map_err(|error| error.to_string())
            .and_then(|spec| build(&spec, &verdicts(|_| String::new())).map_err(|error| error.to_string()));
        let error = built.err().unwrap_or_default();
        assert!(error.contains(expect), "{error}");
    };
    check(json!({"model": "m", "rubric": " "}), "the rubric is empty");
    check(json!({"model": "m"}), "missing field `rubric`");
    check(json!({"model": [], "rubric": "r"}), "needs a model");
    check(json!({"model": ["m", "m"], "rubric": "r"}), "twice");
    check(json!({"model": "m", "rubric": "r", "form": "ordinal"}), "needs `levels`");
    check(json!({"model": "m", "rubric": "r", "levels": ["a", "b"]}), "form = \"ordinal\"");
    check(json!({"model": "m", "rubric": "r", "form": "ordinal", "levels": ["a", "A"]}), "there twice");
    check(json!({"model": "m", "rubrik": "r"}), "did you mean `rubric`?");
    let spec = JudgeSpec::new("m", "r");
    assert!(Judge::new(&spec, &Kit::default()).err().unwrap().contains("no provider"));
}
