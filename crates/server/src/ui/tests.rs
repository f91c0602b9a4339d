//! What holds for every page.

use super::view::{
    AskView, CitationView, CollectionView, HitView, MessageView, PartView, SourceView, SpanPane, SpanRow,
    StartView, Tab, TraceRow, TraceView, TracesView, UsageView,
};
use super::*;

const EVIL: &str = "<img src=x onerror=alert(1)>\"'`[1]";

/// Every page, filled with text that tries to be markup.
#[expect(clippy::too_many_lines, reason = "one sample of everything")]
fn pages(lang: Lang, theme: Theme) -> Vec<(&'static str, String)> {
    let evil = || EVIL.to_owned();
    let page = |path: &str| Page::new(lang, theme, path, "filter=a&lang=en", evil());
    let collections = vec![CollectionView { name: evil(), indexed: 1, found: 2, indexing: true }];
    let start = StartView { collections, has_calls: false, has_provider: false, example: Some(evil()) };
    let old = StartView { has_calls: true, ..start.clone() };
    let row = TraceRow {
        trace_id: "0".repeat(32),
        name: evil(),
        title: Some(evil()),
        error: Some(evil()),
        model: Some(evil()),
        ..TraceRow::default()
    };
    let ask = |start: &StartView| AskView {
        start: start.clone(),
        models: vec![evil()],
        question: Some(evil()),
        examples: vec![evil()],
    };
    let traces = |error: Option<String>| TracesView {
        start: old.clone(),
        filter: format!("model:{EVIL} {EVIL}"),
        error,
        rows: vec![row.clone()],
        next: Some(evil()),
        ..TracesView::default()
    };
    let message = MessageView {
        role: evil(),
        parts: vec![
            PartView::Text(evil()),
            PartView::Reasoning(evil()),
            PartView::Refusal(evil()),
            PartView::ToolCall { id: "a".into(), name: evil(), arguments: evil() },
            PartView::ToolResult { call_id: "b".into(), text: evil(), is_error: true },
            PartView::Other(evil()),
        ],
        citations: vec![CitationView {
            title: evil(),
            url: "javascript:alert(1)".into(),
            quote: Some(evil()),
        }],
        ..MessageView::default()
    };
    let hit = HitView {
        source_id: evil(),
        source: evil(),
        heading: evil(),
        text: evil(),
        score: f64::NAN,
        ..HitView::default()
    };
    let chosen = |tab| SpanPane {
        trace_id: "0".repeat(32),
        span_id: evil(),
        name: evil(),
        error: Some(evil()),
        tab: Some(tab),
        messages: vec![message.clone()],
        hits: vec![hit.clone()],
        usage: Some(UsageView::default()),
        attributes: vec![(evil(), serde_json::json!({ EVIL: [EVIL, 1, null] }))],
        json: serde_json::json!({ EVIL: EVIL }),
        request: Some(evil()),
        ..SpanPane::default()
    };
    let trace = |tab| TraceView {
        summary: row.clone(),
        key: Some(evil()),
        spans: vec![SpanRow {
            span_id: evil(),
            name: evil(),
            error: Some(evil()),
            duration_ms: f64::INFINITY,
            ..SpanRow::default()
        }],
        selected: Some(chosen(tab)),
        ..TraceView::default()
    };
    let source = SourceView {
        path: evil(),
        title: evil(),
        collection: evil(),
        heading: evil(),
        text: evil(),
        start: Some(1),
        end: Some(9),
        ..SourceView::default()
    };
    let mut all = vec![
        ("first run", ask_page(&page("/"), &ask(&start))),
        ("ask", ask_page(&page("/"), &ask(&old))),
        ("traces", traces_page(&page("/traces"), &traces(None))),
        ("traces, wrong filter", traces_page(&page("/traces"), &traces(Some(evil())))),
        ("traces, first run", traces_page(&page("/traces"), &TracesView { start, ..TracesView::default() })),
        ("source", source_page(&page("/sources/x"), &source)),
        ("error", error_page(&page("/a/b/c"), 500, EVIL, EVIL, Some(EVIL))),
        ("not found", not_found_page(&page("/nowhere"))),
    ];
    all.extend(Tab::ALL.map(|tab| (tab.as_str(), trace_page(&page("/traces/x"), &trace(tab)))));
    all.into_iter().map(|(name, page)| (name, page.into_string())).collect()
}

#[test]
fn pages_keep_to_their_policy_whatever_they_show() {
    for (lang, theme) in [(Lang::En, Theme::System), (Lang::Ko, Theme::Dark)] {
        for (name, html) in pages(lang, theme) {
            for banned in [
                " style=\"",
                "<style",
                "<script>",
                " onclick=",
                "<img",
                "href=\"/",
                "src=\"/",
                "action=\"/",
                "href=\"javascript",
                "NaN",
                "inf%",
            ] {
                assert!(!html.contains(banned), "{name} holds {banned}");
            }
            assert_eq!(html.matches("<h1>").count(), 1, "{name}: one heading");
            assert_eq!(html.matches("<main ").count(), 1, "{name}: one main");
            assert!(html.starts_with(&format!("<!DOCTYPE html><html lang=\"{}\"", lang.as_str())), "{name}");
            assert_eq!(html.contains("data-theme=\"dark\""), theme == Theme::Dark, "{name}");
        }
    }
}

#[test]
fn links_lead_to_the_top_from_any_depth() {
    let check = |path: &str, root: &str| {
        let page = Page::new(Lang::En, Theme::System, path, "", "");
        assert_eq!(page.root, root);
    };
    check("/", "./");
    check("/traces", "./");
    check("/traces/", "../");
    check("/traces/abc", "../");
    check("/a/b/c", "../../");
}

#[test]
fn only_sources_of_this_server_become_relative() {
    let page = Page::new(Lang::En, Theme::System, "/traces/x", "", "127.0.0.1:4141");
    let check = |url: &str, want: Option<&str>| assert_eq!(page.link(url).as_deref(), want);
    check(
        "http://localhost:4141/x/sources/00000000000000aa?start=1&end=2#quote",
        Some("../sources/00000000000000aa?start=1&end=2#quote"),
    );
    check("https://example.com/sources/page", Some("https://example.com/sources/page"));
    check("javascript:alert(1)", None);
    check("data:text/html,x", None);
}
