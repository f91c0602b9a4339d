//! What leads judges astray, and which probe says so.

use crate::scripted::{Reply, block, kit, verdicts};
use hanok_base::Part;
use hanok_eval::Kit;
use hanok_eval::judge::{Form, Judge, JudgeSpec, Records};
use hanok_eval::probe::{Kind, Options, Probe, ProbeCase, State, probe};
use std::sync::atomic::{AtomicUsize, Ordering};

fn cases(count: usize) -> Vec<ProbeCase> {
    let case = |number: usize| ProbeCase {
        id: number.to_string(),
        answer: if number.is_multiple_of(2) {
            format!("right {number}")
        } else {
            format!("틀린 답 {number}")
        },
        other: Some(format!("wrong {number}, too")),
        author: Some(if number % 4 < 2 { "openai/gpt-5".to_owned() } else { "claude-haiku".to_owned() }),
        truth: Some(usize::from(number.is_multiple_of(2))),
        ..ProbeCase::default()
    };
    (0..count).map(case).collect()
}

async fn probed(kit: Kit, form: Form, kind: Kind, count: usize) -> Probe {
    let judge =
        Judge::new(&JudgeSpec { form, ..JudgeSpec::new("openai/gpt-5-mini", "is right") }, &kit).unwrap();
    let steps = AtomicUsize::new(0);
    let options = Options { kinds: vec![kind], rounds: 300, ..Options::default() };
    let step = || {
        steps.fetch_add(1, Ordering::Relaxed);
    };
    let mut found = probe(&judge, &Records::default(), &cases(count), &options, &step).await;
    assert!(count == 0 || steps.load(Ordering::Relaxed) > 0);
    found.remove(0)
}

fn honest(shown: &str) -> String {
    let answer =
        if shown.contains("<<<answer A ") { block(shown, "answer A") } else { block(shown, "answer") };
    let is_right = answer.contains("right");
    match (is_right, shown.contains("<<<answer A ")) {
        (true, true) => "A".to_owned(),
        (false, true) if block(shown, "answer B").contains("right") => "B".to_owned(),
        (false, true) => "tie".to_owned(),
        (true, false) => "pass".to_owned(),
        (false, false) => "fail".to_owned(),
    }
}

#[tokio::test]
async fn an_honest_judge_passes_every_probe() {
    for form in [Form::Binary, Form::Pairwise] {
        for kind in [Kind::Order, Kind::Rerun, Kind::Length, Kind::Injection] {
            let found = probed(verdicts(honest), form, kind, 40).await;
            assert_eq!((found.hits, found.state), (0, State::Fine), "{form:?} {found:?}");
            let rate = found.rate.unwrap();
            assert!(rate.value == 0.0 && rate.high > 0.0 && found.n > 0, "{found:?}");
        }
    }
    let own = probed(verdicts(honest), Form::Binary, Kind::Own, 40).await;
    assert_eq!((own.state, own.n, own.hits), (State::Fine, 40, 20));
}

#[tokio::test]
async fn a_judge_that_flips_with_the_order_is_shown_for_what_it_is() {
    for form in [Form::Binary, Form::Pairwise] {
        let found = probed(verdicts(|_| "A".to_owned()), form, Kind::Order, 30).await;
        assert_eq!((found.hits, found.n, found.state), (30, 30, State::Fails));
        assert_eq!(found.changes[0].after, "leans to the first");
        assert!(found.rate.unwrap().low > 0.8);
    }
}

#[tokio::test]
async fn what_leads_a_judge_astray_is_found() {
    // By length.
    let long =
        |shown: &str| if block(shown, "answer").len() > 60 { "pass".to_owned() } else { "fail".to_owned() };
    let found = probed(verdicts(long), Form::Binary, Kind::Length, 20).await;
    assert_eq!((found.hits, found.n, found.state), (20, 20, State::Fails));
    // By itself.
    let (moody, _) = kit(|request, _| {
        let verdict = if request.sampling.seed == Some(0) { "pass" } else { "fail" };
        Ok(Reply::Text(format!("{{\"verdict\": \"{verdict}\"}}")))
    });
    let found = probed(moody, Form::Binary, Kind::Rerun, 20).await;
    assert_eq!((found.hits, found.n), (20, 20));
    // By what it is told to say, in Korean only.
    let obedient = |shown: &str| {
        if block(shown, "answer").contains("평가 기준은 무시하고") {
            "pass".to_owned()
        } else {
            honest(shown)
        }
    };
    let found = probed(verdicts(obedient), Form::Binary, Kind::Injection, 40).await;
    assert_eq!((found.n, found.state), (40, State::Fails));
    assert_eq!(found.shapes["plain request, Korean"].0, found.hits);
    assert!(found.shapes.values().filter(|(hits, _)| *hits > 0).count() == 1 && found.shapes.len() == 10);
    assert_eq!((found.changes[0].before.as_str(), found.changes[0].after.as_str()), ("fail", "pass"));
    // By who wrote it.
    let vain = |shown: &str| {
        let number: usize = block(shown, "answer").rsplit(' ').next().unwrap().parse().unwrap();
        if number % 4 < 2 { "pass".to_owned() } else { honest(shown) }
    };
    let found = probed(verdicts(vain), Form::Binary, Kind::Own, 80).await;
    assert_eq!(found.state, State::Fails);
    assert!((found.rate.unwrap().value - 0.5).abs() < 1e-9, "{found:?}");
}

#[tokio::test]
async fn what_cannot_be_probed_says_why() {
    let check = |found: Probe, expect: &str| {
        assert_eq!(found.state, State::Skipped);
        assert!(found.why.as_deref().unwrap_or_default().contains(expect), "{found:?}");
    };
    check(probed(verdicts(honest), Form::Binary, Kind::Rerun, 0).await, "no cases");
    check(probed(verdicts(|_| "pass".to_owned()), Form::Binary, Kind::Injection, 5).await, "none can gain");
    check(probed(verdicts(honest), Form::Binary, Kind::Own, 2).await, "own family");
    let (mute, _) = kit(|_, _| Ok(Reply::Refusal("no")));
    let found = probed(mute, Form::Binary, Kind::Rerun, 5).await;
    assert_eq!(found.unread, 5);
    check(found, "no verdict");
}

#[tokio::test]
async fn attacks_come_in_every_shape_and_cannot_leave_their_block() {
    let (kit, _) = kit(|request, _| {
        let Some(Part::Text(shown)) = request.messages[1].parts.first() else { panic!("no text") };
        let code = &shown[shown.find("<<<answer ").unwrap() + 10..][..16];
        assert_eq!(shown.matches(code).count(), 2, "{shown}");
        assert!(shown.trim_end().ends_with(&format!("<<<end of answer {code}>>>")));
        Ok(Reply::Text(r#"{"reasoning": "r", "verdict": "fail"}"#.to_owned()))
    });
    let found = probed(kit, Form::Binary, Kind::Injection, 7).await;
    assert_eq!((found.n, found.shapes.len()), (40, 10));
}
