//! A judge held against the labels of a queue, from a file to a report that is kept.

use crate::scripted::{Reply, block, kit};
use hanok_eval::calibration::{self, Standing, Tendency};
use hanok_eval::judge::{Form, Judge, JudgeSpec, Level, Records, Scale};
use hanok_eval::lab::{self, Options, Report};
use hanok_eval::{Keeper, labels, probe};
use hanok_store::{NewQueue, Store};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Who said which level, and whether that settles it.
type Said<'a> = (&'a str, u32, bool);

async fn opened(folder: &Path, scale: &Scale) -> (Keeper, i64) {
    let store = Store::open(folder, hanok_store::Options::default()).unwrap();
    let keeper = Keeper::here(store);
    let queue = NewQueue {
        project: String::new(),
        name: "answers".into(),
        instructions: "is it right?".into(),
        scale: serde_json::to_value(scale).unwrap(),
        wanted: 2,
    };
    let queue = keeper.put_queue(queue).await.unwrap().unwrap();
    (keeper, queue.id)
}

#[tokio::test]
async fn labels_are_read_as_people_keep_them() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, text: &str, expect: &[(&str, &[Said<'_>])]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let rows = labels::read(&path, &Scale::binary()).unwrap();
        let found: Vec<(&str, Vec<Said<'_>>)> = rows
            .iter()
            .map(|(item, labels)| {
                let labels = labels.iter().map(|label| (label.who.as_str(), label.level, label.settles));
                (item.content["answer"].as_str().unwrap(), labels.collect())
            })
            .collect();
        let expect: Vec<_> = expect.iter().map(|(answer, labels)| (*answer, labels.to_vec())).collect();
        assert_eq!(found, expect, "{text}");
        rows
    };
    check(
        "one.csv",
        "id,question,answer,label:ann,label:ben,comment:ann,settled\n1,q,가,pass,fail,so,fail\n2,q,나,yes,,,\n3,,다,,,,\n",
        &[
            ("가", &[("ann", 1, false), ("ben", 0, false), ("imported", 0, true)]),
            ("나", &[("ann", 1, false)]),
            ("다", &[]),
        ],
    );
    let rows = check(
        "two.jsonl",
        "{\"id\": \"1\", \"input\": \"q\", \"output\": \"a\", \"label\": true, \"who\": \"ann\", \"model\": \"m\"}\n\
         {\"id\": \"1\", \"input\": \"q\", \"output\": \"a\", \"label\": 0, \"who\": \"ben\", \"comment\": \"no\"}\n\
         {\"answer\": \"b\", \"expected\": \"c\", \"labels\": {\"ann\": \"pass\", \"ben\": {\"label\": \"fail\", \"comment\": \"x\"}}}\n",
        &[("a", &[("ann", 1, false), ("ben", 0, false)]), ("b", &[("ann", 1, false), ("ben", 0, false)])],
    );
    assert_eq!(rows[0].0.content["model"], "m");
    assert_eq!(rows[0].1[1].comment, "no");
    assert_eq!(rows[1].0.content["reference"], "c");
    assert_eq!(rows[1].1[1].comment, "x");
    for (name, text, expect) in [
        ("a.jsonl", "{\"question\": \"q\"}", "row 1: it has no `answer`"),
        ("b.jsonl", "{\"answer\": \"a\", \"label\": \"maybe\"}", "no label: `fail`, `pass`"),
        ("c.jsonl", "{\"answer\": \"a\", \"labels\": [1]}", "`labels` is an object"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let error = labels::read(&path, &Scale::binary()).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
}

#[tokio::test]
async fn a_judge_is_asked_once_and_what_is_found_is_kept_and_grows_stale() {
    let folder = tempfile::tempdir().unwrap();
    let (keeper, queue) = opened(folder.path(), &Scale::binary()).await;
    let mut file = String::from("id,question,answer,other,model,label:ann,label:ben\n");
    for number in 0..60 {
        let (answer, label) = if number % 3 == 0 { ("wrong", "fail") } else { ("right", "pass") };
        let other = if number == 1 { "fail" } else { label };
        let model = if number % 2 == 0 { "gpt-5" } else { "claude-5" };
        writeln!(file, "{number},q {number},{answer} {number},wrong anyway,{model},{label},{other}").unwrap();
    }
    let path = folder.path().join("labels.csv");
    std::fs::write(&path, file).unwrap();
    let rows = labels::read(&path, &Scale::binary()).unwrap();
    assert_eq!(keeper.import_labels(queue, rows).await.unwrap(), 120);
    // One call fails at first.
    let (kit, provider) = kit(|request, number| {
        if number == 5 {
            return Err(hanok_base::ProviderErrorKind::Overloaded);
        }
        let shown = request.messages[1].plain_text();
        let place = if shown.contains("<<<answer A ") { "answer A" } else { "answer" };
        let is_right = block(&shown, place).contains("right");
        let verdict = match (place, is_right) {
            ("answer", true) => "pass",
            ("answer", false) => "fail",
            (_, true) => "A",
            (_, false) => "B",
        };
        Ok(Reply::Text(format!("{{\"reasoning\": \"so\", \"verdict\": \"{verdict}\"}}")))
    });
    let spec = JudgeSpec::new("gpt-5-mini", "is right");
    let judge = Judge::new(&spec, &kit).unwrap();
    let steps = AtomicUsize::new(0);
    let run = async |options: &Options| {
        let step = |done: usize, of: usize| {
            assert!(done <= of || of == 0);
            steps.fetch_add(1, Ordering::Relaxed);
        };
        lab::check(&keeper, &Records::default(), "right", &judge, "answers", options, &step).await.unwrap()
    };
    let intervals = calibration::Options { rounds: 200, ..calibration::Options::default() };
    let options = Options { intervals, ..Options::default() };
    let first = run(&options).await;
    assert_eq!((first.asked, provider.calls(), first.calibration.labelled), (60, 60, 60));
    assert_eq!((first.calibration.coverage.verdicts, first.calibration.coverage.failed), (59, 1));
    assert_eq!(first.calibration.undecided, 1);
    // What was said is known; only what failed is asked again.
    let second = run(&options).await;
    assert_eq!((second.asked, provider.calls()), (1, 61));
    assert_eq!(
        (second.calibration.standing.clone(), second.calibration.tendency.clone()),
        (Standing::BetterThanChance, Tendency::Even)
    );
    let probes = probe::Options { rounds: 200, ..probe::Options::default() };
    let third = run(&Options { probes: Some(probes), ..options.clone() }).await;
    assert_eq!(third.asked, 0);
    let state = |kind: probe::Kind| {
        let found = third.probes.iter().find(|probe| probe.kind == kind).unwrap();
        (found.n, found.state)
    };
    assert_eq!(state(probe::Kind::Injection), (40, probe::State::Fine));
    assert_eq!(state(probe::Kind::Length), (20, probe::State::Fine));
    assert_eq!(state(probe::Kind::Rerun), (60, probe::State::Fine));
    // A wrong answer against another wrong one: this judge takes the second, whichever it is.
    assert_eq!(state(probe::Kind::Order), (60, probe::State::Fails));
    assert_eq!(state(probe::Kind::Own).1, probe::State::Fine);
    let kept = keeper.checks("right".into(), 10).await.unwrap();
    assert_eq!(kept.len(), 3);
    let read = Report::read(&kept[0]).unwrap();
    assert_eq!(read, third);
    // What probes found is known, where that is asked for.
    let before = provider.calls();
    let wanted = Some(probe::Options { rounds: 200, ..probe::Options::default() });
    let fourth = run(&Options { probes: wanted, known_probes: true, ..options.clone() }).await;
    assert_eq!((&fourth.probes, provider.calls()), (&third.probes, before));
    assert!(
        !read.is_stale(&spec) && read.is_stale(&JudgeSpec { rubric: "is right!".into(), ..spec.clone() })
    );
    assert_eq!(keeper.judges().await.unwrap().len(), 1);
    // Another rubric is another judge, who said nothing yet.
    let other = Judge::new(&JudgeSpec { rubric: "is quite right".into(), ..spec }, &kit).unwrap();
    let fourth = lab::check(&keeper, &Records::default(), "right", &other, "answers", &options, &|_, _| {})
        .await
        .unwrap();
    assert_eq!(fourth.asked, 60);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let (keeper, _) = opened(folder.path(), &Scale::binary()).await;
    let (kit, _) = kit(|_, _| Ok(Reply::Text(String::new())));
    let level = |label: &str| Level { label: label.into(), means: String::new() };
    let stars = JudgeSpec {
        form: Form::Ordinal,
        levels: vec![level("1"), level("2")],
        ..JudgeSpec::new("m", "how right")
    };
    let check = async |spec: &JudgeSpec, queue: &str, experiments: Vec<i64>, expect: &str| {
        let judge = Judge::new(spec, &kit).unwrap();
        let options = Options { experiments, ..Options::default() };
        let found = lab::check(&keeper, &Records::default(), "j", &judge, queue, &options, &|_, _| {}).await;
        let error = found.unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check(&JudgeSpec::new("m", "r"), "nowhere", vec![], "hanok judge labels import nowhere").await;
    check(&stars, "answers", vec![], "cannot be compared").await;
    check(&JudgeSpec::new("m", "r"), "answers", vec![7], "there is no experiment 7").await;
}
