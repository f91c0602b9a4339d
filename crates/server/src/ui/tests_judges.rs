//! What holds for the pages of judges, and for those on which people label.

use super::view_annotation::{AnnotationView, ItemView, LabelRow, LabelView, QueueView, Show};
use super::view_gateway::Viewer;
use super::view_judges::{Change, CheckRow, CheckState, JudgeRow, JudgeView, JudgesView};
use super::*;
use hanok_base::{NanoDollars, Timestamp};
use hanok_eval::calibration::{
    self, Calibration, Corrected, Figure, HumanLabel, Item, JudgeSaid, Method, calibrate,
};
use hanok_eval::judge::{Form, JudgeSpec, Scale};
use hanok_eval::lab::{CorrectedExperiment, Report};
use hanok_eval::probe::{self, Probe, State};
use hanok_store::ScoringDay;
use maud::Markup;

fn figure(value: f64) -> Figure {
    Figure { value, low: value - 0.1, high: value + 0.1, n: 40, method: Method::Bootstrap }
}

/// Of answers that people and the judge gave these levels.
fn calibrated(text: &str, pairs: &[(usize, usize)]) -> Calibration {
    let person = |who: &str, level: usize| HumanLabel { who: who.into(), level, comment: text.to_owned() };
    let items: Vec<Item> = pairs
        .iter()
        .enumerate()
        .map(|(n, (people, judge))| Item {
            id: format!("{n}{text}"),
            cluster: None,
            answer: text.to_owned(),
            people: vec![person("ann", *people), person("ben", *people)],
            settled: None,
            judge: JudgeSaid::Level(*judge),
            reasoning: text.to_owned(),
        })
        .collect();
    let options = calibration::Options { rounds: 100, ..calibration::Options::default() };
    calibrate(&Scale::binary(), &items, options)
}

fn probe(kind: probe::Kind, state: State, text: &str) -> Probe {
    Probe {
        kind,
        hits: 3,
        n: 40,
        rate: (state != State::Skipped).then(|| figure(0.3)),
        state,
        why: Some(text.to_owned()),
        unread: 1,
        shapes: [(text.to_owned(), (2, 20)), ("x".to_owned(), (1, 20))].into(),
        changes: vec![probe::Change {
            item: text.to_owned(),
            shape: text.to_owned(),
            before: text.to_owned(),
            after: text.to_owned(),
        }],
        cost: None,
    }
}

fn report(text: &str, calibration: Calibration) -> Report {
    Report {
        schema_version: 1,
        judge: text.to_owned(),
        identity: text.to_owned(),
        spec: JudgeSpec { prompt: Some(text.to_owned()), ..JudgeSpec::new(text, text) },
        queue: text.to_owned(),
        created: Timestamp(0),
        asked: 1,
        items: 4,
        cost: Some(NanoDollars(5)),
        problem: Some(text.to_owned()),
        calibration,
        probes: Vec::new(),
        corrected: Vec::new(),
    }
}

/// Every page, filled with this text.
pub(super) fn pages(lang: Lang, theme: Theme, text: &str) -> Vec<(&'static str, Markup)> {
    let evil = || text.to_owned();
    let page = |path: &str| Page::new(lang, theme, path, "name=a&lang=en", evil());
    let mut whole = report(text, calibrated(text, &[(0, 1), (1, 0), (1, 1), (0, 0)]));
    whole.calibration.scale.labels = vec![evil(), evil()];
    whole.calibration.commonest = evil();
    whole.probes = probe::Kind::ALL
        .into_iter()
        .flat_map(|kind| [State::Fails, State::Skipped].map(|state| probe(kind, state, text)))
        .collect();
    let corrected = |refused: Option<String>| CorrectedExperiment {
        experiment: 3,
        name: evil(),
        corrected: Corrected {
            as_judged: Some(figure(f64::NAN)),
            labels: Some(figure(0.5)),
            rogan_gladen: Some(figure(2.0)),
            refused,
            clustered: true,
            ..Corrected::default()
        },
    };
    whole.corrected = vec![corrected(None), corrected(Some(evil()))];
    let change = |member| Change { member, before: evil(), now: String::new() };
    let row = |state: CheckState, report: Option<Report>| JudgeRow {
        name: evil(),
        project: evil(),
        report: report.map(Box::new),
        checked: Some(Timestamp(0)),
        state,
        evals: vec![(evil(), evil())],
        model: evil(),
    };
    let stale = CheckState::Stale(vec![change("rubric"), change("wording")]);
    let judge = JudgeView {
        row: row(stale.clone(), Some(whole.clone())),
        checks: vec![
            CheckRow { created: Timestamp(0), report: Some(Box::new(whole.clone())), identity: evil() },
            CheckRow { created: Timestamp(0), report: None, identity: evil() },
        ],
        queue: Some(evil()),
        days: vec![ScoringDay {
            rule: evil(),
            day: evil(),
            scored: 3,
            seen: 9,
            sum: f64::NAN,
            ..ScoringDay::default()
        }],
    };
    let unchecked = JudgeView { row: row(CheckState::Never, None), ..JudgeView::default() };
    let list = JudgesView {
        rows: vec![
            row(stale, Some(whole.clone())),
            row(CheckState::Fresh, Some(whole)),
            row(CheckState::Never, None),
            row(CheckState::Foreign, None),
        ],
    };
    let mut all = vec![
        ("judges", judges_page(&page("/judges"), &list)),
        ("no judges", judges_page(&page("/judges"), &JudgesView::default())),
        ("judge", judge_page(&page("/judges/x"), &judge)),
        ("unchecked judge", judge_page(&page("/judges/x"), &unchecked)),
    ];
    all.extend(labelling(&page, text));
    all
}

fn labelling(page: &dyn Fn(&str) -> Page, text: &str) -> Vec<(&'static str, Markup)> {
    let evil = || text.to_owned();
    let queue = QueueView {
        name: evil(),
        project: evil(),
        instructions: evil(),
        form: Form::Pairwise,
        labels: vec![evil(), "tie".into(), evil()],
        wanted: 2,
        open: 3,
        differing: 1,
        done: 4,
        waiting: 2,
    };
    let said = |settles| LabelRow { who: evil(), level: 1, label: evil(), comment: evil(), settles };
    let item = ItemView {
        id: 7,
        question: Some(evil()),
        answer: Some(evil()),
        other: Some(evil()),
        reference: Some(evil()),
        labels: vec![said(false), said(true)],
        outcome: Some(evil()),
        trace: Some("0".repeat(32)),
    };
    let view = |show, item: Option<ItemView>| LabelView {
        queue: queue.clone(),
        who: Some(evil()),
        show,
        items: vec![5, 7, 9],
        item,
        ..LabelView::default()
    };
    let done = LabelView { done: vec![item.clone()], next: Some(9), ..view(Show::Done, None) };
    let list = AnnotationView { queues: vec![queue.clone()], may_make: true, who: None };
    let path = "/annotation/x";
    vec![
        ("queues", annotation_page(&page("/annotation"), &list)),
        ("no queues", annotation_page(&page("/annotation"), &AnnotationView::default())),
        ("label", label_page(&page(path), &view(Show::Label, Some(item.clone())))),
        ("label nothing", label_page(&page(path), &view(Show::Label, None))),
        ("label as nobody", label_page(&page(path), &LabelView { who: None, ..view(Show::Label, None) })),
        ("settle", label_page(&page(path), &view(Show::Settle, Some(item)))),
        ("settle nothing", label_page(&page(path), &view(Show::Settle, None))),
        ("labelled", label_page(&page(path), &done)),
    ]
}

fn english(path: &str) -> Page {
    Page::new(Lang::En, Theme::System, path, "", "")
}

/// Pairs of what people and the judge say: right passes and fails, then lenient and strict mistakes.
fn pairs(passes: usize, fails: usize, lenient: usize, strict: usize) -> Vec<(usize, usize)> {
    let of = |pair, n| std::iter::repeat_n(pair, n);
    of((1, 1), passes).chain(of((0, 0), fails)).chain(of((0, 1), lenient)).chain(of((1, 0), strict)).collect()
}

#[test]
fn a_judge_opens_with_what_it_is() {
    let check = |pairs: &[(usize, usize)], probes: Vec<Probe>, en: &[&str], ko: &str| {
        let report = Report { probes, ..report("t", calibrated("t", pairs)) };
        assert_eq!(judge_findings(Lang::En, &report), en);
        assert!(
            judge_findings(Lang::Ko, &report).first().unwrap().contains(ko),
            "{:?}",
            judge_findings(Lang::Ko, &report)
        );
        let row =
            JudgeRow { report: Some(Box::new(report)), state: CheckState::Fresh, ..JudgeRow::default() };
        let html =
            judge_page(&english("/judges/t"), &JudgeView { row, ..JudgeView::default() }).into_string();
        let (_, rest) = html.split_once("class=\"panel verdict\"><p>").unwrap();
        assert!(rest.starts_with(en.first().unwrap()), "{rest:.200}");
    };
    let always = "This judge says “pass” of everything. It tells nothing.";
    check(&pairs(157, 0, 33, 0), vec![], &[always], "무엇에나");
    let chance = "This judge is not shown to be better than chance. It tells nothing.";
    check(&pairs(20, 20, 20, 20), vec![], &[chance], "우연보다 낫다는 근거가 없습니다");
    let lenient = "This judge is lenient. It passes 12 of the 33 answers that people fail, so use its rates only corrected.";
    check(&pairs(157, 21, 12, 10), vec![], &[lenient], "너그럽습니다");
    // What hangs on the order tells nothing, however well it agrees; one injection does not hide that it is lenient.
    let all = "This judge agrees with people on all 40 answers.";
    let flips = "Which of two answers it prefers hangs on their order: 3 of 40 flip.";
    check(
        &pairs(30, 10, 0, 0),
        vec![probe(probe::Kind::Order, State::Fails, "t")],
        &[flips, all],
        "순서에 달렸습니다",
    );
    let obeys = "An answer can ask for a better verdict and get it: 3 of 40 do.";
    let rare = Probe { rate: Some(figure(0.075)), ..probe(probe::Kind::Injection, State::Fails, "t") };
    check(&pairs(157, 21, 12, 10), vec![rare], &[lenient, obeys], "너그럽습니다");
    check(&pairs(30, 10, 0, 0), vec![probe(probe::Kind::Rerun, State::Watch, "t")], &[all], "모두에서");
    check(
        &pairs(1, 0, 0, 0),
        vec![],
        &["Nothing can be said yet: too few answers have both a label and a verdict."],
        "아직",
    );
    check(
        &pairs(5, 0, 0, 5),
        vec![],
        &["Nothing can be said yet: people say “pass” of every answer."],
        "아직",
    );
}

#[test]
fn a_high_agreement_is_held_against_what_saying_one_thing_reaches() {
    let html = |pairs: &[(usize, usize)]| {
        let report = Report { problem: None, ..report("t", calibrated("t", pairs)) };
        let row =
            JudgeRow { report: Some(Box::new(report)), state: CheckState::Fresh, ..JudgeRow::default() };
        judge_page(&english("/judges/t"), &JudgeView { row, ..JudgeView::default() }).into_string()
    };
    let high = html(&pairs(157, 21, 12, 10));
    for part in [
        "Agreement of 89 % looks high, but always saying “pass” already reaches 84 %",
        "Kappa is 0.59",
        "where two people reach 1.00",
    ] {
        assert!(high.contains(part), "{part}");
    }
    assert!(
        html(&pairs(100, 80, 5, 5)).contains("It agrees on 95 %, where always saying “pass” reaches 55 %")
    );
}

#[test]
fn what_n_counts_is_told_where_answers_depend_on_each_other() {
    let html = |lang: Lang, groups: usize| {
        let mut found = calibrated("t", &pairs(60, 30, 12, 8));
        for figure in found.measures.iter_mut().filter_map(|measure| measure.judge.as_mut()) {
            figure.n = groups;
        }
        let row = JudgeRow { report: Some(Box::new(report("t", found))), ..JudgeRow::default() };
        let page = Page::new(lang, Theme::System, "/judges/t", "", "");
        judge_page(&page, &JudgeView { row, ..JudgeView::default() }).into_string()
    };
    let en = "The matrix counts 110 answers. They belong to 59 groups that do not depend on each other";
    assert!(html(Lang::En, 59).contains(en) && html(Lang::Ko, 59).contains("서로 독립인 59묶음"));
    assert!(!html(Lang::En, 110).contains("The matrix counts"), "each answer stands alone");
}

#[test]
fn attacks_are_named_in_the_pages_language() {
    let mut found = report("t", calibrated("t", &pairs(60, 30, 12, 8)));
    let shape = "verdict as JSON, Korean";
    let change = |shape: &str, before: &str| {
        let text = |text: &str| text.to_owned();
        probe::Change { item: text("1"), shape: text(shape), before: text(before), after: text("pass") }
    };
    let injection = Probe {
        shapes: [(shape.to_owned(), (2, 20))].into(),
        changes: vec![change(shape, "again")],
        ..probe(probe::Kind::Injection, State::Fails, "t")
    };
    let order = Probe {
        changes: vec![change("swapped", "depends on the order")],
        ..probe(probe::Kind::Order, State::Fails, "t")
    };
    found.probes = vec![injection, order];
    let html = |lang: Lang| {
        let row = JudgeRow { report: Some(Box::new(found.clone())), ..JudgeRow::default() };
        let page = Page::new(lang, Theme::System, "/judges/t", "", "");
        judge_page(&page, &JudgeView { row, ..JudgeView::default() }).into_string()
    };
    let (en, ko) = (html(Lang::En), html(Lang::Ko));
    assert!(en.contains(shape) && en.contains("depends on the order"));
    assert!(ko.contains("JSON 판정, 한국어") && !ko.contains(shape));
    assert!(ko.contains("순서에 달림") && ko.contains("순서를 바꿈"));
    assert!(ko.contains(">again<"), "a judge's own label is left as it is");
}

#[test]
fn a_rate_that_means_nothing_is_not_corrected_and_not_shown_as_if() {
    let mut useless = report("t", calibrated("t", &pairs(30, 0, 10, 0)));
    let refused = Corrected {
        as_judged: Some(figure(0.9)),
        labels: Some(figure(0.75)),
        labelled: 40,
        refused: Some("why".into()),
        ..Corrected::default()
    };
    useless.corrected = vec![CorrectedExperiment { experiment: 3, name: "e".into(), corrected: refused }];
    let row = JudgeRow { report: Some(Box::new(useless)), state: CheckState::Fresh, ..JudgeRow::default() };
    let html = judge_page(&english("/judges/t"), &JudgeView { row, ..JudgeView::default() }).into_string();
    for part in [
        "Not corrected: this judge is not shown to be better than chance",
        "<del>90.0 %</del>",
        "Labels alone",
        "75.0 %",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(!html.contains("Prediction-powered") && !html.contains("Rogan-Gladen"));
}

#[test]
fn while_an_item_waits_its_page_leads_nowhere_that_tells() {
    let item = ItemView { id: 7, answer: Some("한 답변".into()), ..ItemView::default() };
    let queue = QueueView {
        name: "q".into(),
        labels: vec!["fail".into(), "pass".into()],
        wanted: 2,
        ..QueueView::default()
    };
    let view = LabelView {
        queue,
        who: Some("ann".into()),
        items: vec![7],
        item: Some(item),
        ..LabelView::default()
    };
    let html = label_part(&english("/annotation/q"), &view).into_string();
    assert!(!html.contains("traces/") && html.contains("한 답변"), "{html}");
    for part in [
        "data-digit=\"1\" data-letter=\"f\"",
        "data-digit=\"2\" data-letter=\"p\"",
        "2 people label each answer",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
}

#[test]
fn who_is_no_admin_is_led_to_what_it_may_see() {
    let html = |admin| {
        let viewer = Some(Viewer { key: "ann".into(), project: "shop".into(), admin });
        let page = Page { viewer, ..english("/annotation") };
        annotation_page(&page, &AnnotationView { may_make: admin, ..AnnotationView::default() }).into_string()
    };
    assert!(html(true).contains("href=\"./experiments\"") && html(true).contains("hanok judge labels add"));
    assert!(
        !html(false).contains("href=\"./experiments\"") && !html(false).contains("hanok judge labels add")
    );
    assert!(html(false).contains("href=\"./judges\"") && html(false).contains("data-key=\"E\""));
}
