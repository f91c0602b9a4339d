//! Evals from their file to their report, over a store.

use crate::house::{ECHO, house};
use hanok_base::BoxFuture;
use hanok_eval::gate::Outcome;
use hanok_eval::keeper::Wire;
use hanok_eval::report::junit;
use hanok_eval::{Bench, Cancel, Experiments, Keeper, Options, Ran, Runner, Spec, keeper};
use hanok_store::Store;
use hanok_store::evals::ExperimentState;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

#[tokio::test]
async fn an_eval_gives_numbers_with_intervals_and_coverage() {
    let house = house();
    let ran = house.ran(ECHO, &Options::default()).await;
    assert_eq!((ran.state, ran.report.tries, ran.report.failed), (ExperimentState::Done, 4, 0));
    let score = &ran.report.scores[0];
    assert_eq!((score.name.as_str(), score.valued, score.skipped), ("exact", 3, 1));
    assert!((score.mean.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    let estimate = score.estimate.unwrap();
    // Wilson's interval of 2 of 3.
    assert!(
        (estimate.low - 0.207_655).abs() < 1e-4 && (estimate.high - 0.938_508).abs() < 1e-4,
        "{estimate:?}"
    );
    assert!((score.coverage() - 0.75).abs() < 1e-12);
    let kept = house.keeper.experiment(ran.experiment).await.unwrap().unwrap();
    assert_eq!(serde_json::from_str::<Ran>(kept.report.as_deref().unwrap()).unwrap(), ran);
}

#[tokio::test]
async fn a_gate_passes_fails_or_cannot_tell() {
    let rows = |right: usize, wrong: usize| {
        let row = |n: usize, expected: &str| format!("{{ input = \"{n}\", expected = \"{expected}\" }}");
        let right = (0..right).map(|n| row(n, &n.to_string()));
        let wrong = (1000..1000 + wrong).map(|n| row(n, "no"));
        right.chain(wrong).collect::<Vec<_>>().join(",")
    };
    let check = async |right: usize, wrong: usize, gate: &str, outcome: Outcome, passed: bool| {
        let text = format!(
            "[dataset]\nrows = [{}]\n[task]\nkind = \"echo\"\n[[scorers]]\nkind = \"exact\"\n{gate}",
            rows(right, wrong)
        );
        let gate = house().ran(&text, &Options::default()).await.gate.unwrap();
        assert_eq!(
            (gate.checks[0].outcome, gate.passed),
            (outcome, passed),
            "{right} {wrong} {:?}",
            gate.checks
        );
    };
    let at_least = "[[gate.checks]]\nscore = \"exact\"\nat_least = 0.8\n";
    check(200, 10, at_least, Outcome::Passed, true).await;
    check(10, 200, at_least, Outcome::Failed, false).await;
    check(9, 1, at_least, Outcome::Undecided, false).await;
    check(9, 1, &format!("[gate]\nundecided = \"pass\"\n{at_least}"), Outcome::Undecided, true).await;
    check(1, 1, "[[gate.checks]]\nfailures = 0.0\n", Outcome::Passed, true).await;
    check(2, 0, "[[gate.checks]]\nscore = \"exact\"\nnot_worse_by = 0.02\n", Outcome::Undecided, false).await;
}

#[tokio::test]
async fn a_change_is_compared_with_the_run_before_it_row_by_row() {
    let house = house();
    let eval = |template: &str| {
        let rows: Vec<String> =
            (0..100).map(|n| format!("{{ input = \"{n}\", expected = \"{n}\" }}")).collect();
        format!(
            "[dataset]\nrows = [{}]\n[task]\nkind = \"echo\"\n{template}\n[[scorers]]\nkind = \"contains\"\n\
             [[scorers]]\nkind = \"exact\"\n[[gate.checks]]\nscore = \"exact\"\nnot_worse_by = 0.02\n",
            rows.join(",")
        )
    };
    let first = house.ran(&eval(""), &Options::default()).await;
    assert!(first.comparison.is_none());
    assert_eq!(first.gate.unwrap().checks[0].outcome, Outcome::Undecided, "there is no baseline yet");
    let same = house.ran(&eval(""), &Options::default()).await;
    let comparison = same.comparison.unwrap();
    assert_eq!((comparison.baseline, comparison.paired, comparison.unpaired), (first.experiment, 100, 0));
    assert_eq!(comparison.scores[1].p, Some(1.0));
    // A hundred rows without a difference do not show that there is none of two points.
    assert_eq!(same.gate.unwrap().checks[0].outcome, Outcome::Undecided);
    let worse = house.ran(&eval("template = \"{{input}}!\""), &Options::default()).await;
    let comparison = worse.comparison.unwrap();
    let [contains, exact] = comparison.scores.as_slice() else { panic!("{comparison:?}") };
    assert_eq!((contains.wins, contains.ties, contains.losses), (0, 100, 0));
    assert_eq!((exact.wins, exact.ties, exact.losses, exact.method.as_str()), (0, 0, 100, "mcnemar"));
    assert!(exact.p.unwrap() < 1e-9 && exact.p_adjusted.unwrap() >= exact.p.unwrap());
    assert_eq!(worse.gate.unwrap().checks[0].outcome, Outcome::Failed);
    let page =
        house.keeper.compare(same.experiment, worse.experiment, "exact".to_owned(), 0, 5).await.unwrap();
    assert_eq!((page.total, page.rows.len()), (100, 5));
    assert!(page.rows.iter().all(|row| row.before == Some(1.0) && row.after == Some(0.0)));
    assert_eq!((page.worse, page.better), (100, 0));
    assert!(page.rows.iter().all(|row| row.work_before.latency_ns.is_some()));
    // Where less of it is better, the same change is a gain.
    let less = house
        .keeper
        .compare_by(same.experiment, worse.experiment, "exact".to_owned(), true, 98, 5)
        .await
        .unwrap();
    assert_eq!((less.worse, less.better, less.total, less.rows.len()), (0, 100, 100, 2));
}

#[tokio::test]
async fn files_are_checked_with_line_and_likely_spelling() {
    let check = |text: &str, expect: &str| {
        let error = Spec::parse(Path::new("evals/x.toml"), text).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    let whole = "dataset = \"rows.jsonl\"\n[task]\nkind = \"echo\"\n";
    check(&format!("repeat = 3\n{whole}"), "evals/x.toml:1: unknown field `repeat`");
    check(&format!("repeat = 3\n{whole}"), "did you mean `repeats`?");
    check("dataset = \"x\"\n\n[task]\nkind = \"ehco\"\n", "evals/x.toml:3: task: unknown variant `ehco`");
    check(
        "dataset = \"x\"\n[task]\nkind = \"model\"\nmodel = \"m\"\ntemprature = 1\n",
        "did you mean `temperature`?",
    );
    check("dataset = { fil = \"x\" }\n[task]\nkind = \"echo\"\n", "did you mean `file`?");
    check("dataset = { file = \"x\", name = \"y\" }\n[task]\nkind = \"echo\"\n", "rows come from one place");
    check(&format!("repeats = 0\n{whole}"), "from 1 to 1000");
    check(&format!("{whole}[[gate.checks]]\nat_least = 0.5\n"), "must name its `score`");
    check(&format!("budget = -1\n{whole}"), "not an amount");
    let spec = Spec::parse(Path::new("evals/x.toml"), whole).unwrap();
    assert_eq!((spec.name.as_str(), spec.base()), ("x", "evals".into()));
    let house = house();
    let text = format!("{ECHO}\n[[scorers]]\nkind = \"exact\"\n");
    let spec = Spec::parse(Path::new("evals/x.toml"), &text).unwrap();
    let error =
        house.experiments().prepare(spec, &Options::default(), &Bench::default()).await.err().unwrap();
    assert!(error.to_string().contains("evals/x.toml:12: two scorers have the name `exact`"), "{error}");
}

/// A server, as far as evals go.
struct Served(Store);

impl Wire for Served {
    fn call(&self, call: Value) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async move { keeper::serve(&self.0, call).await.map_err(|error| error.to_string()) })
    }
}

#[tokio::test]
async fn an_eval_through_a_server_is_the_same() {
    let here = house();
    let there = house();
    let wired = Experiments {
        runner: Runner { keeper: Keeper::there(Arc::new(Served(there.store.clone()))), ..there.runner() },
        traces: None,
    };
    let spec = Spec::parse(Path::new("evals/test.toml"), ECHO).unwrap();
    let prepared = wired.prepare(spec, &Options::default(), &Bench::default()).await.unwrap();
    let ran = wired.run(prepared, &(), &Cancel::default()).await.unwrap();
    let expect = here.ran(ECHO, &Options::default()).await;
    assert_eq!(ran.report.scores, expect.report.scores);
    assert_eq!(there.keeper.experiments(String::new(), None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn junit_holds_the_gate_and_every_sample() {
    let house = house();
    let text = format!("{ECHO}\n[[gate.checks]]\nscore = \"exact\"\nat_least = 0.99\n");
    let ran = house.ran(&text, &Options::default()).await;
    let mut out = Vec::new();
    junit::write(&house.keeper, &ran, &mut out).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches("<testcase ").count(), 5);
    assert_eq!(text.matches("<failure ").count(), 2, "{text}");
    assert!(text.starts_with("<?xml") && text.trim_end().ends_with("</testsuites>"));
}
