//! What holds for the pages on prompts.

use super::view_prompts::{
    LabelRow, MoveRow, PlaygroundView, PromptDraft, PromptPage, PromptRow, PromptsView, VersionFigures,
    VersionRow,
};
use super::*;
use crate::prompt_scores::{Scored, Tried, VersionScores};
use hanok_base::Timestamp;
use hanok_eval::report::Interval;
use hanok_prompt::{Diff, Partials, Prompt};
use maud::Markup;

const EVIL: &str = "<img src=x onerror=alert(1)>\"'`[1]";

fn diff(before: &str, after: &str) -> Diff {
    let parsed = |text: &str| Prompt::parse("answer", text, &Partials::new()).unwrap();
    Diff::of(&parsed(before), &parsed(after))
}

/// Every page, filled with text that tries to be markup.
pub(super) fn pages(lang: Lang, theme: Theme) -> Vec<(&'static str, Markup)> {
    let evil = || EVIL.to_owned();
    let page = |path: &str| Page { csrf: evil(), ..Page::new(lang, theme, path, "from=1&q=a", evil()) };
    let figures = VersionFigures {
        calls: 2,
        errors: u64::MAX,
        cost_usd: f64::NAN,
        unpriced: 1,
        latency_ms: Some([f64::NAN, f64::INFINITY]),
    };
    let scored = |is_share, n| Scored {
        name: evil(),
        is_share,
        mean: Some(f64::NAN),
        estimate: (n > 0).then_some(Interval { value: f64::NAN, low: f64::NEG_INFINITY, high: 2.0, n }),
        n,
        count: n,
    };
    let scores = VersionScores {
        live: vec![scored(true, 3), scored(false, 0), scored(false, usize::MAX)],
        experiments: vec![Tried { id: i64::MAX, name: evil(), scores: vec![scored(true, 2)] }],
    };
    let version = |filed| VersionRow {
        version: evil(),
        labels: vec![evil()],
        filed,
        made: Some((Timestamp(i64::MAX), evil())),
        figures,
        scores: scores.clone(),
    };
    let row = |problem| PromptRow {
        name: evil(),
        description: Some(evil()),
        model: Some(evil()),
        problem,
        versions: vec![version(true), version(false)],
    };
    let draft = || PromptDraft { name: evil(), source: evil(), expected: evil(), error: evil() };
    let list = PromptsView {
        folder: evil(),
        prompts: vec![row(None), row(Some(evil())), PromptRow::default()],
        draft: Some(draft()),
    };
    let variables = Prompt::parse(
        "answer",
        "---\ninput:\n  schema:\n    \"a<b\": string, <img src=x>\n    kind(enum): [\"<img\", b]\n  default:\n    kind: \"<img\"\n---\n{{kind}}",
        &Partials::new(),
    );
    let one = PromptPage {
        name: evil(),
        description: Some(evil()),
        problem: Some(evil()),
        shown: evil(),
        filed: false,
        source: EVIL.repeat(100),
        partials: vec![(evil(), evil())],
        model: Some(evil()),
        variables: variables.unwrap().variables(),
        notes: vec![evil()],
        versions: vec![version(true), version(false)],
        labels: vec![LabelRow {
            label: evil(),
            version: "0123456789".into(),
            moved: Some((Timestamp(0), evil())),
            before: Some(evil()),
        }],
        moves: vec![MoveRow {
            label: evil(),
            from: Some(evil()),
            to: None,
            at: Timestamp(i64::MIN),
            author: evil(),
        }],
        diff: Some(diff(
            &format!("---\nmodel: \"<img\"\n---\n{EVIL}"),
            &format!("---\nmodel: b\n---\n{EVIL}\n<style"),
        )),
        draft: None,
        diff_error: Some(evil()),
    };
    let edited = PromptPage { draft: Some(draft()), ..one.clone() };
    let playground = PlaygroundView {
        prompts: vec![(evil(), vec![evil()])],
        models: vec![evil()],
        chosen: Some((evil(), evil())),
        datasets: vec![evil()],
    };
    vec![
        ("prompts", prompts_page(&page("/prompts"), &list)),
        ("no prompts", prompts_page(&page("/prompts"), &PromptsView::default())),
        ("prompt", prompt_page(&page("/prompts/x"), &one)),
        ("prompt, edited", prompt_page(&page("/prompts/x"), &edited)),
        ("prompt, empty", prompt_page(&page("/prompts/x"), &PromptPage::default())),
        ("playground", playground_page(&page("/playground"), &playground)),
        ("playground, empty", playground_page(&page("/playground"), &PlaygroundView::default())),
    ]
}

fn version(digits: &str, filed: bool, labels: &[&str]) -> VersionRow {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    VersionRow { version: digits.to_owned(), filed, labels, ..VersionRow::default() }
}

fn english(path: &str) -> Page {
    Page::new(Lang::En, Theme::System, path, "", "")
}

#[test]
fn a_prompt_opens_with_the_labels_that_are_behind() {
    let check = |labels: &[(&str, &str)], expect: &str| {
        let row = |(label, version): &(&str, &str)| LabelRow {
            label: (*label).to_owned(),
            version: (*version).to_owned(),
            ..LabelRow::default()
        };
        let view = PromptPage {
            name: "answer".into(),
            shown: "aaaaaaaaaa".into(),
            filed: true,
            versions: vec![version("aaaaaaaaaa", true, &[]), version("bbbbbbbbbb", false, &[])],
            labels: labels.iter().map(row).collect(),
            ..PromptPage::default()
        };
        let html = prompt_page(&english("/prompts/answer"), &view).into_string();
        let (_, rest) = html.split_once("<p class=\"finding\">").unwrap();
        assert_eq!(rest.split("</p>").next().unwrap(), expect);
    };
    check(
        &[],
        "The file is version aaaaaaaaaa. No label holds a version yet: every call gets the file as it is.",
    );
    check(&[("production", "aaaaaaaaaa")], "production stands at the file.");
    check(
        &[("a", "aaaaaaaaaa"), ("production", "bbbbbbbbbb")],
        "production stands at bbbbbbbbbb, not at the file. a stands at the file.",
    );
}

#[test]
fn versions_are_compared_from_the_one_before_to_the_file() {
    let check = |versions: &[(&str, bool)], shown: Option<Diff>, from: &[&str], to: &[&str]| {
        let versions = versions.iter().map(|(digits, filed)| version(digits, *filed, &[])).collect();
        let view = PromptPage { versions, diff: shown, ..PromptPage::default() };
        let html = prompt_page(&english("/prompts/answer"), &view).into_string();
        let picked = |side: &str| -> Vec<&str> {
            let radios =
                html.split("<input type=\"radio\"").skip(1).filter_map(|rest| rest.split('>').next());
            radios
                .filter(|radio| radio.contains(&format!("name=\"{side}\"")) && radio.contains(" checked"))
                .filter_map(|radio| radio.split("value=\"").nth(1)?.split('"').next())
                .collect()
        };
        assert_eq!((picked("from"), picked("to")), (from.to_vec(), to.to_vec()));
    };
    check(&[("aaa", true)], None, &[], &[]);
    check(&[("aaa", true), ("bbb", false), ("ccc", false)], None, &["bbb"], &["aaa"]);
    check(&[("aaa", false), ("bbb", true)], None, &["aaa"], &["bbb"]);
    check(&[("aaa", false), ("bbb", false)], None, &["bbb"], &["aaa"]);
    let shown = diff("one", "two");
    let (from, to) = (shown.from.clone(), shown.to.clone());
    check(&[(&to, true), ("bbb", false), (&from, false)], Some(shown), &[&from], &[&to]);
}

#[test]
fn a_label_goes_back_to_where_it_stood() {
    let check = |before: Option<&str>, expect: bool| {
        let label = LabelRow {
            label: "production".into(),
            version: "bbbbbbbbbb".into(),
            before: before.map(str::to_owned),
            ..LabelRow::default()
        };
        let view = PromptPage { name: "a/b".into(), labels: vec![label], ..PromptPage::default() };
        let html = prompt_page(&english("/prompts/a%2Fb"), &view).into_string();
        assert_eq!(html.contains("Roll back to aaaaaaaaaa"), expect, "{before:?}");
        assert!(html.contains("action=\"../prompts/a%2Fb/labels\""));
    };
    check(None, false);
    check(Some("bbbbbbbbbb"), false);
    check(Some("aaaaaaaaaa"), true);
}

#[test]
fn a_call_without_a_price_costs_not_nothing() {
    let check = |calls: u64, unpriced: u64, expect: &str| {
        let figures = VersionFigures { calls, unpriced, cost_usd: 0.5, ..VersionFigures::default() };
        let row = VersionRow { figures, ..version("aaaaaaaaaa", true, &[]) };
        let prompt = PromptRow { name: "answer".into(), versions: vec![row], ..PromptRow::default() };
        let view = PromptsView { prompts: vec![prompt], ..PromptsView::default() };
        let html = prompts_page(&english("/prompts"), &view).into_string();
        let cell = html.split("<td class=\"num desk\">").nth(2).and_then(|rest| rest.split("</td>").next());
        assert_eq!(cell, Some(expect));
    };
    check(0, 0, "<span class=\"dim\">–</span>");
    check(2, 2, "<span class=\"dim\">–</span>");
    check(2, 1, "$0.50000");
}

#[test]
fn what_is_edited_keeps_its_first_empty_line_and_its_version() {
    let draft =
        PromptDraft { source: "\nHello".into(), expected: "0123456789".into(), ..PromptDraft::default() };
    let view = PromptPage { name: "answer".into(), draft: Some(draft), ..PromptPage::default() };
    let html = prompt_page(&english("/prompts/answer"), &view).into_string();
    assert!(html.contains(">\n\nHello</textarea>"), "{html}");
    assert!(html.contains("name=\"expected\" value=\"0123456789\""), "{html}");
}
