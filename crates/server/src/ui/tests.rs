//! What holds for every page.

use super::view::{
    AskView, CitationView, CollectionView, HitView, MessageView, PartView, PricesView, ScoreView,
    SessionPlace, SourceView, SpanPane, SpanRow, StartView, Tab, TraceRow, TraceView, TracesView, TreeView,
    UsageView,
};
use super::view_costs::{CostsView, GroupView, Sums};
use super::view_gateway::{
    BudgetView, Capability, ConfigProblem, CreatedKey, Health, KeyForm, KeyRow, KeyState, KeysView,
    LoginError, LoginView, ModelsView, Period, ProviderKey, ProviderView, RouteView, Strategy, TargetView,
    Viewer,
};
use super::view_knowledge::{
    ChunksView, CollectionPage, CollectionRow, ComparedBy, CutView, Damage, DocumentAbout, DocumentRow,
    EmbedderView, FoundView, Hint, Knobs, KnowledgeView, PieceView, SearchView,
};
use super::view_sessions::{SessionRow, SessionView, SessionsView, TurnView};
use super::view_settings::{BackupView, KeptView, RecordsView, RetentionView, SettingsView};
use super::*;
use hanok_base::{Timestamp, Vote};
use maud::Markup;

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
        session: Some(evil()),
        user: Some(evil()),
        prompt: Some(evil()),
        source: Some(evil()),
        tags: vec![evil()],
        ..TraceRow::default()
    };
    let score = ScoreView {
        name: evil(),
        label: Some(evil()),
        text: Some(evil()),
        by: evil(),
        ..ScoreView::default()
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
            PartView::Link { kind: evil(), place: evil() },
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
        votes: vec![Vote { leg: evil(), rank: 1, score: f64::NAN, weight: f64::NAN, reason: evil() }],
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
        guard: vec![("decision".into(), EVIL.into()), (evil(), EVIL.into())],
        tools: vec![(evil(), evil())],
        scores: vec![score.clone()],
        model: Some(evil()),
        provider: Some(evil()),
        attributes: vec![(evil(), serde_json::json!({ EVIL: [EVIL, 1, null] }))],
        json: serde_json::json!({ EVIL: EVIL }),
        request: Some(evil()),
        ..SpanPane::default()
    };
    let trace = |tab| TraceView {
        summary: row.clone(),
        key: Some(evil()),
        session: Some(SessionPlace { id: evil(), previous: Some(evil()), ..SessionPlace::default() }),
        scores: vec![score.clone()],
        tree: TreeView::whole(vec![SpanRow {
            span_id: evil(),
            name: evil(),
            error: Some(evil()),
            duration_ms: f64::INFINITY,
            ..SpanRow::default()
        }]),
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
    all.extend(gateway_pages(lang, theme));
    all.extend(knowledge_pages(lang, theme));
    all.extend(super::tests_evals::pages(lang, theme, EVIL));
    all.extend(super::tests_judges::pages(lang, theme, EVIL));
    all.extend(super::tests_prompts::pages(lang, theme));
    all.extend(record_pages(lang, theme, &row, &message, &score));
    all.into_iter().map(|(name, page)| (name, page.into_string())).collect()
}

/// The pages on sessions, costs and settings, filled the same way.
fn record_pages(
    lang: Lang,
    theme: Theme,
    row: &TraceRow,
    message: &MessageView,
    score: &ScoreView,
) -> Vec<(&'static str, Markup)> {
    let evil = || EVIL.to_owned();
    let page = |path: &str| Page::new(lang, theme, path, "filter=a&lang=en", evil());
    let session = SessionRow {
        id: evil(),
        title: Some(evil()),
        user: Some(evil()),
        turns: 1,
        errors: 1,
        cost_usd: Some(f64::NAN),
        scores: vec![score.clone()],
        ..SessionRow::default()
    };
    let turn = TurnView { trace: row.clone(), messages: vec![message.clone()], scores: vec![score.clone()] };
    let conversation = SessionView {
        summary: session.clone(),
        from: 1,
        turns: vec![turn, TurnView { trace: row.clone(), ..TurnView::default() }],
        earlier: Some(evil()),
    };
    let list = |rows| SessionsView { filter: evil(), error: Some(evil()), rows, next: Some(evil()) };
    let sums = Sums {
        calls: 3,
        errors: u64::MAX,
        cost_usd: f64::NAN,
        latency_ms: Some([f64::NAN, f64::INFINITY, -1.0]),
        first_token_ms: Some([0.0; 2]),
        ..Sums::default()
    };
    let group = |name: Option<String>| GroupView { name, sums, buckets: vec![sums, Sums::default(), sums] };
    let costs = |filter: String| CostsView {
        filter,
        since: Timestamp(i64::MAX - 1),
        bucket_ms: i64::MAX,
        total: group(None),
        before: Some(sums),
        groups: vec![group(Some(evil())), group(None)],
        others: Some(group(None)),
        failures: vec![(Some(evil()), 1), (None, 2)],
        dearest: vec![row.clone(), TraceRow::default()],
        to_come: 1,
        ..CostsView::default()
    };
    let kept =
        KeptView { pii: vec!["email", EVIL], rate: f64::NAN, always: vec![evil()], ..KeptView::default() };
    let records = RecordsView {
        folder: evil(),
        retention: RetentionView {
            days: Some(f64::INFINITY),
            projects: vec![(evil(), 1.0)],
            most_bytes: Some(u64::MAX),
            last: Some((Timestamp(0), 1)),
        },
        projects: vec![(evil(), kept.clone())],
        kept: KeptView { secrets: true, ..kept },
        backup: BackupView { last: Some((Timestamp(0), evil(), 1)), command: evil() },
        ..RecordsView::default()
    };
    vec![
        ("sessions", sessions_page(&page("/sessions"), &list(vec![session]))),
        ("no sessions", sessions_page(&page("/sessions"), &SessionsView::default())),
        ("session", session_page(&page("/sessions/x"), &conversation)),
        ("costs", costs_page(&page("/costs"), &costs(evil()))),
        (
            "costs, wrong filter",
            costs_page(&page("/costs"), &CostsView { error: Some(evil()), ..costs(evil()) }),
        ),
        ("no costs", costs_page(&page("/costs"), &CostsView::default())),
        (
            "settings",
            settings_page(&page("/settings"), &SettingsView { records: Some(records), file: evil() }),
        ),
        ("settings of one", settings_page(&page("/settings"), &SettingsView::default())),
    ]
}

/// The pages on documents, filled the same way.
#[expect(clippy::too_many_lines, reason = "one sample of everything")]
fn knowledge_pages(lang: Lang, theme: Theme) -> Vec<(&'static str, Markup)> {
    let evil = || EVIL.to_owned();
    let page = |path: &str| Page { csrf: evil(), ..Page::new(lang, theme, path, "from=1&q=a", evil()) };
    let about = DocumentAbout {
        format: evil(),
        readers: vec![evil()],
        pages: Some(1),
        metadata: vec![(evil(), evil())],
        ..DocumentAbout::default()
    };
    let knobs = Knobs { by: evil(), size: 0, overlap: usize::MAX, parents: evil() };
    let row = |embedder| CollectionRow {
        name: evil(),
        indexed: 1,
        found: 2,
        indexing: true,
        chunks: u64::MAX,
        failed: 1,
        paths: vec![evil()],
        chunking: knobs.clone(),
        embedder,
        opening: true,
        problem: Some(evil()),
    };
    let embedder = EmbedderView { id: evil(), embedded: 1, chunks: 2 };
    let document = DocumentRow {
        id: evil(),
        path: evil(),
        title: evil(),
        about: about.clone(),
        ..DocumentRow::default()
    };
    let collection = CollectionPage {
        row: row(Some(embedder)),
        prefix: evil(),
        documents: vec![document],
        next: Some(evil()),
        failures: vec![(evil(), evil())],
        may_manage: true,
    };
    let vote = Vote { leg: evil(), rank: 1, score: f64::NAN, weight: f64::INFINITY, reason: evil() };
    let other = Vote { leg: "bm25".to_owned(), weight: -1.0, ..vote.clone() };
    let hit = FoundView {
        source_id: evil(),
        source: evil(),
        heading: evil(),
        text: evil(),
        score: f64::NAN,
        pages: Some((1, 3)),
        indexed_at: Some(Timestamp(i64::MAX)),
        metadata: vec![(evil(), evil())],
        votes: vec![vote, other],
        ..FoundView::default()
    };
    let search = SearchView {
        collections: vec![evil(), evil()],
        collection: evil(),
        query: evil(),
        filter: evil(),
        legs: evil(),
        hits: vec![hit],
        took_ms: Some(f64::NAN),
        trace_id: Some(evil()),
        coverage: Some((1, 2)),
        examples: vec![evil()],
        ..SearchView::default()
    };
    let text = EVIL.repeat(4_000);
    let piece = |start: usize, end: usize| PieceView {
        start,
        end,
        heading: evil(),
        parent: Some(start..end),
        ..PieceView::default()
    };
    let cut = CutView {
        compared: Some(ComparedBy::Words),
        knobs: knobs.clone(),
        pieces: vec![piece(0, 40), piece(30, 90), piece(33, 35), piece(80_000, usize::MAX)],
        damage: Damage { tables: 1, tables_cut: 1, code: 1, code_cut: 1, sentences_cut: 2 },
    };
    let chunks = ChunksView {
        source: SourceView { id: evil(), path: evil(), collection: evil(), text, ..SourceView::default() },
        about,
        chunkers: vec![evil()],
        used: cut.clone(),
        tried: cut,
        hint: Some(Hint::NoEmbedder),
        previous: Some(evil()),
        next: Some(evil()),
        ..ChunksView::default()
    };
    let wrong = ChunksView { error: Some(evil()), ..chunks.clone() };
    let failed = SearchView { error: Some(evil()), filter_wrong: true, ..search.clone() };
    vec![
        ("knowledge", knowledge_page(&page("/knowledge"), &KnowledgeView { collections: vec![row(None)] })),
        ("no knowledge", knowledge_page(&page("/knowledge"), &KnowledgeView::default())),
        ("collection", collection_page(&page("/knowledge/x"), &collection)),
        ("empty collection", collection_page(&page("/knowledge/x"), &CollectionPage::default())),
        ("search", search_page(&page("/search"), &search)),
        ("failed search", search_page(&page("/search"), &failed)),
        (
            "no search",
            search_page(&page("/search"), &SearchView { examples: vec![evil()], ..SearchView::default() }),
        ),
        (
            "nothing found",
            search_page(&page("/search"), &SearchView { query: evil(), ..SearchView::default() }),
        ),
        ("chunks", chunks_page(&page("/sources/x/chunks"), &chunks)),
        ("chunks, wrong knobs", chunks_page(&page("/sources/x/chunks"), &wrong)),
        ("chunks of nothing", chunks_page(&page("/sources/x/chunks"), &ChunksView::default())),
    ]
}

/// The pages on models, keys and signing in, filled the same way.
fn gateway_pages(lang: Lang, theme: Theme) -> Vec<(&'static str, Markup)> {
    let evil = || EVIL.to_owned();
    let page = |path: &str| Page {
        viewer: Some(Viewer { key: evil(), project: evil(), admin: true }),
        csrf: evil(),
        ..Page::new(lang, theme, path, "", evil())
    };
    let target = |health| TargetView {
        provider: evil(),
        model: evil(),
        share: Some(f64::NAN),
        rule: Some(evil()),
        health,
        last_error: Some(evil()),
        p50_ms: Some(f64::NAN),
        calls: 0,
        errors: u64::MAX,
        running: 1,
        limit: Some(0),
        capabilities: vec![Capability::Tools],
        ..TargetView::default()
    };
    let healths = [
        Health::Untried,
        Health::Ok,
        Health::Cooling { seconds: 4 },
        Health::Probing,
        Health::Open { seconds: 18 },
        Health::NoKey,
    ];
    let route = RouteView {
        name: evil(),
        strategy: Strategy::Rule,
        sticky: true,
        targets: healths.map(target).into(),
    };
    let provider = |key| ProviderView {
        name: evil(),
        dialects: vec![evil()],
        base_url: evil(),
        key,
        models: None,
        last_error: Some((evil(), Timestamp(0))),
    };
    let models = ModelsView {
        config_problem: Some(ConfigProblem { file: evil(), message: evil(), at: None }),
        routes: vec![route],
        providers: vec![
            provider(ProviderKey::Present(Some(evil()))),
            provider(ProviderKey::Missing(Some(evil()))),
        ],
        recovered: Some(1),
        calls_per_min: f64::NAN,
        models: vec![evil()],
        chosen: Some(evil()),
        ..ModelsView::default()
    };
    let budget = |limit_usd| BudgetView {
        of: Some(evil()),
        spent_usd: 1.0,
        reserved_usd: 0.5,
        limit_usd,
        ..BudgetView::default()
    };
    let key = |state| KeyRow {
        id: evil(),
        name: evil(),
        project: evil(),
        hint: evil(),
        admin: true,
        models: vec![evil()],
        budgets: vec![budget(0.0), budget(f64::NAN), budget(2.0)],
        expires_at: Some(Timestamp(i64::MAX)),
        state,
        ..KeyRow::default()
    };
    let keys = KeysView {
        keys: vec![key(KeyState::Active), key(KeyState::Expired), key(KeyState::Revoked { at: None })],
        may_manage: true,
        created: Some(CreatedKey { name: evil(), secret: evil(), first: true }),
        form: KeyForm { name: evil(), models: evil(), ..KeyForm::default() },
        problems: vec![("name".into(), evil()), (String::new(), evil())],
        projects: vec![evil()],
        models: vec![evil()],
    };
    let login = LoginView { error: Some(LoginError::TooMany { seconds: 9 }), next: Some(evil()) };
    vec![
        ("models", models_page(&page("/models"), &models)),
        ("models, none", models_page(&page("/models"), &ModelsView::default())),
        ("keys", keys_page(&page("/keys"), &keys)),
        ("keys, none", keys_page(&page("/keys/x/revoke"), &KeysView::default())),
        ("login", login_page(&page("/login"), &login)),
    ]
}

#[test]
fn every_form_that_changes_something_says_whose_it_is() {
    for (name, html) in pages(Lang::En, Theme::System) {
        let forms: Vec<&str> =
            html.split("<form ").skip(1).map(|rest| rest.split("</form>").next().unwrap()).collect();
        for form in forms.iter().filter(|form| form.contains("method=\"post\"")) {
            assert!(form.contains("name=\"csrf\""), "{name}: {form}");
        }
        assert_eq!(
            forms.iter().filter(|form| form.contains("logout\"")).count(),
            usize::from(html.contains("form=\"sign-out\"")),
            "{name}"
        );
    }
}

#[test]
fn a_page_opens_with_its_finding() {
    let page = Page::new(Lang::En, Theme::System, "/models", "", "");
    let said = |html: Markup| -> String {
        let html = html.into_string();
        let (_, rest) = html.split_once("<p class=\"finding\">").unwrap_or_default();
        rest.split("</p>").next().unwrap_or_default().to_owned()
    };
    let models = |healths: &[Health], want: &str| {
        let target = |(at, health): (usize, &Health)| TargetView {
            provider: "p".into(),
            model: format!("m{at}"),
            health: *health,
            ..TargetView::default()
        };
        let targets: Vec<TargetView> = healths.iter().enumerate().map(target).collect();
        // An alias to the same targets counts none of them twice.
        let routes = vec![
            RouteView { targets: targets.clone(), ..RouteView::default() },
            RouteView { targets, ..RouteView::default() },
        ];
        assert_eq!(said(models_page(&page, &ModelsView { routes, ..ModelsView::default() })), want);
    };
    models(&[], "");
    models(&[Health::Ok], "The one target is up.");
    models(&[Health::Ok, Health::Untried], "All 2 targets are up.");
    models(&[Health::Ok, Health::Cooling { seconds: 1 }], "1 of 2 targets held back for a moment: p/m1.");
    models(
        &[Health::Open { seconds: 1 }, Health::Probing, Health::NoKey],
        "2 of 3 targets down: p/m0, p/m2.",
    );
    let keys = |budgets: &[(f64, f64)], state: KeyState, want: &str| {
        let budgets = budgets
            .iter()
            .map(|&(spent_usd, reserved_usd)| BudgetView {
                spent_usd,
                reserved_usd,
                limit_usd: 10.0,
                period: Period::Day,
                of: None,
            })
            .collect();
        let key = KeyRow { name: "k".into(), budgets, state, ..KeyRow::default() };
        assert_eq!(said(keys_page(&page, &KeysView { keys: vec![key], ..KeysView::default() })), want);
    };
    keys(&[], KeyState::Active, "1 key is active, and no budget is near its end.");
    keys(&[(1.0, 6.0)], KeyState::Active, "1 key is active, and no budget is near its end.");
    keys(&[(1.0, 7.0)], KeyState::Active, "A budget is nearly used up: k.");
    keys(&[(1.0, 0.0), (10.0, 0.0)], KeyState::Active, "A budget is used up: k. Calls with it are refused.");
    keys(&[(10.0, 0.0)], KeyState::Expired, "No key is active.");
}

#[test]
fn a_model_without_a_price_is_never_free() {
    let page = Page::new(Lang::En, Theme::System, "/models", "", "");
    let check = |prices: Option<PricesView>, local: bool, want: &str| {
        let target = TargetView { prices, local, ..TargetView::default() };
        let routes = vec![RouteView { targets: vec![target], ..RouteView::default() }];
        let html = models_page(&page, &ModelsView { routes, ..ModelsView::default() }).into_string();
        let (_, cell) = html.split_once("data-label=\"Price in / out\">").unwrap();
        assert_eq!(cell.split("</td>").next().unwrap(), want);
    };
    check(None, false, "<span class=\"badge b-warn\">unpriced</span>");
    check(Some(PricesView::default()), false, "<span class=\"badge b-warn\">unpriced</span>");
    check(None, true, "<span class=\"dim\">local</span>");
    let half = PricesView { input: Some(0.25), ..PricesView::default() };
    check(Some(half), false, "$0.25<span class=\"dim\"> / ?</span>");
}

#[test]
fn only_who_may_manage_keys_is_offered_to() {
    let page = Page::new(Lang::En, Theme::System, "/keys", "", "");
    let html = |may_manage| {
        let keys = vec![KeyRow { id: "a/b".into(), ..KeyRow::default() }];
        keys_page(&page, &KeysView { keys, may_manage, ..KeysView::default() }).into_string()
    };
    assert!(
        html(true).contains("action=\"./keys/a%2Fb/revoke\"") && html(true).contains("action=\"./keys\"")
    );
    assert!(!html(false).contains("method=\"post\""));
}

#[test]
fn a_new_key_appears_only_where_it_is_shown() {
    let created = CreatedKey { name: "alice".into(), secret: "hk-secret".into(), first: false };
    assert!(
        !format!("{:?}", KeysView { created: Some(created), ..KeysView::default() }).contains("hk-secret")
    );
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

#[test]
fn why_a_hit_stands_where_it_does_is_said_in_the_pages_language() {
    let trial = hanok_retrieval::Trial { probes: 128, dense: 0.3, words: 0.314, trust: 1.0, chunks: 200 };
    let vote =
        |leg: &str, reason: String| Vote { leg: leg.to_owned(), rank: 1, score: 0.5, weight: 0.5, reason };
    let votes = vec![vote("dense", trial.reason()), vote("neighbours", "how".to_owned())];
    let view = SearchView {
        query: "q".to_owned(),
        hits: vec![FoundView { votes, ..FoundView::default() }],
        ..SearchView::default()
    };
    let html = |lang| search_page(&Page::new(lang, Theme::System, "/search", "", ""), &view).into_string();
    let (english, korean) = (html(Lang::En), html(Lang::Ko));
    assert!(english.contains(&trial.reason()), "{english}");
    for part in ["128", "0.30", "0.31", "이웃"] {
        assert!(korean.contains(part), "{part}: {korean}");
    }
    assert!(!korean.contains("passages") && !korean.contains("neighbours"), "{korean}");
}
