//! What holds for the pages of experiments and datasets.

use super::view_evals::{
    AlikeView, AnswerView, CompareView, DatasetRow, DatasetView, DatasetsView, EffectView, ExperimentRow,
    ExperimentView, ExperimentsView, PairView, Progress, ResultView, ResultsFilter, RowView, SampleView,
    VersionView, Which,
};
use super::*;
use hanok_base::ScoreValue;
use hanok_eval::dataset::duplicates::{Findings, Pair};
use hanok_eval::gate::{Checked, GateReport, Outcome};
use hanok_eval::report::{
    Comparison, Interval, Latency, Passes, Report, ScoreComparison, ScoreKind, ScoreReport,
};
use hanok_eval::score::KeptScore;
use maud::Markup;

fn interval(low: f64, high: f64) -> Interval {
    Interval { value: f64::midpoint(low, high), low, high, n: 240 }
}

fn score(name: &str, kind: ScoreKind) -> ScoreReport {
    ScoreReport {
        name: name.to_owned(),
        kind,
        mean: Some(f64::NAN),
        estimate: Some(interval(f64::NAN, f64::INFINITY)),
        method: name.to_owned(),
        valued: 1,
        refused: 1,
        labels: [(name.to_owned(), 2)].into(),
        passes: vec![Passes { k: 3, any: 0.9, all: f64::NAN }],
        ..ScoreReport::default()
    }
}

fn kept(value: Option<ScoreValue>, words: &str) -> KeptScore {
    let refused = value.is_none().then(|| words.to_owned());
    KeptScore { value, refused, why: words.to_owned(), ..KeptScore::default() }
}

/// Every page, filled with this text.
#[expect(clippy::too_many_lines, reason = "one sample of everything")]
pub(super) fn pages(lang: Lang, theme: Theme, text: &str) -> Vec<(&'static str, Markup)> {
    let evil = || text.to_owned();
    let page = |path: &str| Page::new(lang, theme, path, "name=a&lang=en", evil());
    let gate = GateReport {
        passed: false,
        checks: [Outcome::Passed, Outcome::Failed, Outcome::Undecided]
            .map(|outcome| Checked { check: evil(), outcome, because: evil() })
            .into(),
    };
    let row = |id, state, passed| ExperimentRow {
        id,
        name: evil(),
        dataset: evil(),
        task: evil(),
        state,
        planned: 9,
        done: 3,
        failed: 1,
        cost_usd: f64::NAN,
        passed,
        lead: Some(score(text, ScoreKind::Truth)),
        ..ExperimentRow::default()
    };
    let rows = vec![
        row(3, Progress::Running, None),
        row(2, Progress::Stopped, Some(false)),
        row(1, Progress::Done, Some(true)),
    ];
    let sample = SampleView {
        id: evil(),
        title: evil(),
        input: vec![(evil(), evil()), (evil(), evil())],
        expected: Some(evil()),
        origin: Some("0".repeat(32)),
    };
    let answer = |said: Option<&str>, error: Option<&str>| AnswerView {
        text: said.map(str::to_owned),
        tools: vec![(evil(), evil())],
        error: error.map(str::to_owned),
        latency_ms: Some(f64::NAN),
        cost_usd: Some(f64::NAN),
        trace: Some("0".repeat(32)),
        scores: vec![
            (evil(), kept(Some(ScoreValue::Truth(false)), text)),
            (evil(), kept(Some(ScoreValue::Number(f64::NAN)), text)),
            (evil(), kept(Some(ScoreValue::Label(evil())), text)),
            (evil(), kept(None, text)),
        ],
    };
    let comparison = ScoreComparison {
        name: evil(),
        n: 240,
        before: f64::NAN,
        after: f64::INFINITY,
        difference: Some(interval(f64::NEG_INFINITY, f64::NAN)),
        p: Some(f64::NAN),
        method: evil(),
        wins: 26,
        ties: 202,
        losses: 12,
        ..ScoreComparison::default()
    };
    let result = ResultView {
        key: "1-0".into(),
        sample: sample.clone(),
        repeat: 2,
        answer: answer(Some(text), None),
        cached: true,
        scoring_trace: Some("0".repeat(32)),
    };
    let experiment = ExperimentView {
        row: row(2, Progress::Stopped, Some(false)),
        file: evil(),
        repeats: 2,
        version: Some("abc".into()),
        report: Report {
            rows: 3,
            cached: 1,
            cost_per_answer: Some(f64::NAN),
            latency: Some(Latency { mean: f64::NAN, p50: f64::NAN, p95: f64::NAN }),
            confidence: f64::NAN,
            scores: [ScoreKind::Truth, ScoreKind::Number, ScoreKind::Label]
                .map(|kind| score(text, kind))
                .into(),
            ..Report::default()
        },
        stopped: Some(evil()),
        gate: Some(gate.clone()),
        asked: None,
        against: Some(Comparison { baseline: 1, scores: vec![comparison.clone()], ..Comparison::default() }),
        others: rows.clone(),
        filter: ResultsFilter { only: evil(), score: evil(), text: evil() },
        results: vec![result.clone(), ResultView { answer: answer(None, Some(text)), ..result }],
        next: Some(evil()),
    };
    let pair = PairView {
        key: "1-0".into(),
        sample: sample.clone(),
        repeat: 1,
        before: answer(Some("one two"), None),
        after: answer(Some(text), None),
    };
    let compared = CompareView {
        first: row(1, Progress::Done, None),
        second: row(2, Progress::Done, None),
        paired: 240,
        unpaired: 1,
        confidence: f64::NAN,
        effects: vec![
            EffectView { compared: comparison.clone(), is_share: true, less_is_better: true },
            EffectView { compared: comparison, ..EffectView::default() },
        ],
        gate: Some(gate),
        asked: None,
        score: evil(),
        which: Which::All,
        worse: 12,
        better: 26,
        total: 240,
        pairs: vec![pair.clone(), PairView { after: answer(None, Some(text)), ..pair }],
        next: Some(25),
        choices: rows.clone(),
    };
    let version = VersionView {
        hash: "abc".into(),
        rows: 2,
        source: ("traces".into(), evil()),
        ..VersionView::default()
    };
    let alike = AlikeView { id: evil(), likeness: f64::NAN, leaks: true, contradicts: true };
    let pair = Pair {
        first: evil(),
        second: evil(),
        likeness: 0.9,
        splits: Some((evil(), evil())),
        contradict: true,
    };
    let dataset = DatasetView {
        name: evil(),
        versions: vec![version.clone()],
        version: version.clone(),
        splits: vec![(evil(), 1), (String::new(), 1)],
        findings: Some(Findings {
            rows: 2,
            near: 30,
            leaks: 1,
            contradictions: 1,
            pairs: vec![pair],
            ..Findings::default()
        }),
        split: evil(),
        only: evil(),
        text: evil(),
        rows: vec![RowView {
            place: 1,
            sample,
            split: evil(),
            cluster: Some(evil()),
            metadata: vec![(evil(), evil())],
            alike: vec![alike],
        }],
        next: Some(25),
    };
    let list =
        ExperimentsView { name: evil(), names: vec![evil(), evil()], rows: rows.clone(), next: Some(1) };
    let datasets = DatasetsView { rows: vec![DatasetRow { name: evil(), versions: 2, newest: version }] };
    vec![
        ("experiments", experiments_page(&page("/experiments"), &list)),
        ("no experiments", experiments_page(&page("/experiments"), &ExperimentsView::default())),
        ("experiment", experiment_page(&page("/experiments/2"), &experiment)),
        ("empty experiment", experiment_page(&page("/experiments/2"), &ExperimentView::default())),
        ("choose two", choose_page(&page("/experiments/compare"), &rows)),
        ("choose none", choose_page(&page("/experiments/compare"), &[])),
        ("compare", compare_page(&page("/experiments/compare"), &compared)),
        ("compare nothing", compare_page(&page("/experiments/compare"), &CompareView::default())),
        ("datasets", datasets_page(&page("/datasets"), &datasets)),
        ("no datasets", datasets_page(&page("/datasets"), &DatasetsView::default())),
        ("dataset", dataset_page(&page("/datasets/x"), &dataset)),
        ("large dataset", dataset_page(&page("/datasets/x"), &DatasetView::default())),
    ]
}

fn english(path: &str) -> Page {
    Page::new(Lang::En, Theme::System, path, "", "")
}

fn effect(name: &str, low: f64, high: f64, p: f64, less_is_better: bool) -> EffectView {
    let difference = Some(interval(low, high));
    let compared =
        ScoreComparison { name: name.into(), difference, p: Some(p), ..ScoreComparison::default() };
    EffectView { compared, less_is_better, is_share: true }
}

#[test]
fn a_comparison_opens_with_what_is_shown_and_nothing_else() {
    let check = |effects: Vec<EffectView>, want: &[&str], never: &[&str]| {
        let view = CompareView { paired: 240, confidence: 0.95, effects, ..CompareView::default() };
        let html = compare_page(&english("/experiments/compare"), &view).into_string();
        let (_, rest) = html.split_once("class=\"panel verdict\">").unwrap();
        let said = rest.split("</section>").next().unwrap();
        for part in want {
            assert!(said.contains(part), "{part}: {said}");
        }
        for part in never {
            assert!(!said.contains(part), "{part}: {said}");
        }
    };
    check(
        vec![effect("correct", 0.008, 0.108, 0.034, false), effect("tool", -0.079, -0.013, 0.025, false)],
        &[
            "correct is better in B: <strong>+5.8 points</strong>",
            "(95 % interval +0.8 to +10.8)",
            "tool is worse in B: <strong>−4.6 points</strong>",
            "240 paired samples",
        ],
        &["more than chance"],
    );
    check(vec![effect("seconds", -0.3, -0.1, 0.01, true)], &["seconds is better in B"], &["worse"]);
    // An interval beside zero whose adjusted p value allows chance shows nothing.
    check(vec![effect("correct", 0.001, 0.1, 0.2, false)], &["No score differs"], &["better in B"]);
    check(Vec::new(), &["no score in common"], &["No score differs"]);
}

#[test]
fn what_has_no_value_is_counted_apart_and_never_a_number() {
    let lacking = ScoreReport {
        name: "polite".into(),
        mean: Some(0.5),
        estimate: Some(interval(0.4, 0.6)),
        valued: 8,
        refused: 1,
        unparsed: 1,
        ..ScoreReport::default()
    };
    let report = Report { scores: vec![lacking], confidence: 0.95, ..Report::default() };
    let html =
        experiment_page(&english("/experiments/1"), &ExperimentView { report, ..ExperimentView::default() });
    let html = html.into_string();
    for part in ["50.0 %", "40.0 % to 60.0 %", "80 %", "1 refused, 1 not readable"] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn a_sample_leads_to_its_traces_and_says_what_changed() {
    let answer = |text: &str, trace: &str| AnswerView {
        text: Some(text.into()),
        trace: Some(trace.into()),
        ..AnswerView::default()
    };
    let pair = PairView {
        key: "7-0".into(),
        sample: SampleView { id: "s-118".into(), ..SampleView::default() },
        before: answer("refund the damaged item", "aa"),
        after: answer("refund the whole order", "bb"),
        ..PairView::default()
    };
    let view = CompareView {
        paired: 1,
        effects: vec![effect("correct", -0.1, -0.01, 0.01, false)],
        worse: 1,
        total: 1,
        pairs: vec![pair],
        ..CompareView::default()
    };
    let html = compare_page(&english("/experiments/compare"), &view).into_string();
    for part in [
        "<del>damaged item</del>",
        "<ins>whole order</ins>",
        "href=\"../traces/aa\"",
        "href=\"../traces/bb\"",
        "aria-current=\"true\">Regressions <span class=\"dim\">1</span>",
    ] {
        assert!(html.contains(part), "{part}");
    }
    // The first one is open.
    assert!(html.contains("id=\"d-7-0\"><td"), "{html}");
}

#[test]
fn where_nothing_is_a_page_says_what_to_do() {
    let check = |html: Markup, command: &str| {
        let html = html.into_string();
        assert!(html.contains(command), "{command}: {html}");
    };
    check(experiments_page(&english("/experiments"), &ExperimentsView::default()), "hanok eval run ");
    check(datasets_page(&english("/datasets"), &DatasetsView::default()), "hanok dataset add ");
    check(
        dataset_page(&english("/datasets/x"), &DatasetView { name: "x".into(), ..DatasetView::default() }),
        "hanok dataset check x",
    );
}

#[test]
fn a_gate_speaks_the_pages_language() {
    let check = |checks: serde_json::Value, said: &[(&str, &str)], lang: Lang| {
        let asked: hanok_eval::gate::Gate =
            serde_json::from_value(serde_json::json!({ "checks": checks })).unwrap();
        let scores = vec![
            ScoreReport {
                name: "right".into(),
                kind: ScoreKind::Truth,
                estimate: Some(interval(0.5, 0.75)),
                valued: 9,
                refused: 1,
                ..ScoreReport::default()
            },
            ScoreReport { name: "long".into(), kind: ScoreKind::Number, ..ScoreReport::default() },
        ];
        let report = Report { scores, tries: 10, failed: 1, ..Report::default() };
        let difference = Some(interval(-0.05, 0.03));
        let compared = ScoreComparison { name: "right".into(), difference, ..ScoreComparison::default() };
        let against = Comparison { baseline: 1, scores: vec![compared], ..Comparison::default() };
        let gate = asked.judge(&report, Some(&against), &hanok_eval::gate::Corrections::new());
        let found = super::gate_words::said(lang, &gate, Some(&asked), &report, Some(&against));
        let found: Vec<(&str, &str)> =
            found.iter().map(|one| (one.check.as_str(), one.because.as_str())).collect();
        assert_eq!(found, said);
    };
    check(
        serde_json::json!([
            { "score": "right", "at_least": 0.6, "coverage": 0.8, "not_worse_by": 0.02 },
            { "score": "long", "better_by": 0.5 },
            { "failures": 0.2, "latency_p95": 2.5 },
        ]),
        &[
            ("right at least 60.0 %", "95 % interval 50.0 % to 75.0 %"),
            ("coverage of right at least 80 %", "it is 90 %"),
            (
                "right not worse than the baseline by more than 2.0 points",
                "difference: 95 % interval −5.0 to +3.0",
            ),
            ("long better than the baseline by at least 0.500", "too few samples have it in both"),
            ("95 of 100 answers within 2.50 s", "nothing was measured"),
            ("at most 20 % without output", "it is 10 %"),
        ],
        Lang::En,
    );
    check(
        serde_json::json!([{ "score": "right", "at_most": 0.6, "corrected": true }, { "failures": 0.2 }]),
        &[
            ("right 60.0 % 이하 (보정)", "`right`은(는) 심판의 점수가 아니어서 보정할 수 없습니다"),
            ("출력 없음 20 % 이하", "실제로는 10 %"),
        ],
        Lang::Ko,
    );
}
