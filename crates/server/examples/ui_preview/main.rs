//! Renders every page and state with sample data into a folder, its assets beside it, to be looked at:
//! `cargo run -p hanok-server --example ui_preview -- FOLDER`, then serve the folder with any file server.
//! The samples are made up.

mod gateway;
mod knowledge;
mod records;

use hanok_base::Timestamp;
use hanok_server::ui::view::{
    AskView, Bucket, CitationView, CollectionView, HitView, Kind, MessageView, PartView, RateChart,
    ScoreView, SessionPlace, SourceView, SpanPane, SpanRow, StartView, Tab, TokenKind, TraceRow, TraceView,
    TracesView, TreeView, UsageLine, UsageView,
};
use hanok_server::ui::{self, Lang, Page, Pulse, Theme, Tick};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const ASSETS: [&str; 18] = [
    "tokens.css",
    "app.css",
    "mark.svg",
    "shell.js",
    "answer.js",
    "chat.js",
    "ask.js",
    "list.js",
    "traces.js",
    "trace.js",
    "models.js",
    "chart.js",
    "filter.js",
    "list-page.js",
    "settings.js",
    "keys.js",
    "knowledge.js",
    "chunks.js",
];

fn main() -> io::Result<()> {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: ui_preview FOLDER");
        return Ok(());
    };
    for below in ["assets", "traces", "sources", "sessions", "knowledge"] {
        fs::create_dir_all(folder.join(below))?;
    }
    for name in ASSETS {
        let asset = ui::asset(name).ok_or_else(|| io::Error::other(format!("no asset {name}")))?;
        fs::write(folder.join("assets").join(name), asset.body)?;
    }
    for lang in [Lang::En, Lang::Ko] {
        pages(&folder, lang)?;
        gateway::pages(&folder, lang)?;
        records::pages(&folder, lang)?;
        knowledge::pages(&folder, lang)?;
    }
    Ok(())
}

/// Writes a page as it is at this name's depth.
fn save(folder: &Path, lang: Lang, name: &str, render: &dyn Fn(&Page) -> String) -> io::Result<()> {
    let path = format!("{name}.{}.html", lang.as_str());
    fs::write(folder.join(&path), render(&page(lang, &path)))
}

fn pages(folder: &Path, lang: Lang) -> io::Result<()> {
    let save = |name: &str, render: &dyn Fn(&Page) -> String| save(folder, lang, name, render);
    let s = Samples { lang };
    save("ask-first", &|page| ui::ask_page(page, &s.ask(StartView::default())).into_string())?;
    save("ask-indexing", &|page| ui::ask_page(page, &s.ask(s.start(12, 40, false))).into_string())?;
    save("ask", &|page| ui::ask_page(page, &s.ask(s.start(40, 40, true))).into_string())?;
    save("traces", &|page| ui::traces_page(page, &s.traces("since:1h status:* \"refund\"")).into_string())?;
    save("traces-first", &|page| {
        ui::traces_page(page, &TracesView { start: s.start(40, 40, false), ..TracesView::default() })
            .into_string()
    })?;
    save("traces-none", &|page| {
        let view = TracesView {
            filter: "model:gpt-9".into(),
            start: s.start(40, 40, true),
            total: Some(0),
            took_ms: Some(0.8),
            ..TracesView::default()
        };
        ui::traces_page(page, &view).into_string()
    })?;
    save("traces-error", &|page| {
        let error = s.say(
            "there is no filter `modle`; did you mean `model`?",
            "`modle`이라는 필터는 없습니다. `model`을 쓰려던 것인가요?",
        );
        let view = TracesView { error: Some(error), ..s.traces("modle:gpt* refund") };
        ui::traces_page(page, &view).into_string()
    })?;
    for tab in Tab::ALL {
        save(&format!("traces/{TRACE}-{}", tab.as_str()), &|page| {
            ui::trace_page(page, &s.trace(tab)).into_string()
        })?;
    }
    save(&format!("traces/{TRACE}-error"), &|page| ui::trace_page(page, &s.failed()).into_string())?;
    save("traces/fragment", &|page| ui::span_pane(page, &s.pane(Tab::Messages)).into_string())?;
    save("traces-row", &|page| ui::trace_row(page, &s.row(0)).into_string())?;
    save("sources/short", &|page| ui::source_page(page, &s.source(1)).into_string())?;
    save("sources/long", &|page| ui::source_page(page, &s.source(4_000)).into_string())?;
    save("not-found", &|page| ui::not_found_page(page).into_string())?;
    save("failure", &|page| {
        let (title, message, hint) = (
            s.say("The store cannot record new calls.", "저장소가 새 호출을 기록할 수 없습니다."),
            s.say("the disk is full", "디스크가 가득 찼습니다."),
            s.say("Free some space; service recovers by itself.", "공간을 비우면 저절로 회복됩니다."),
        );
        ui::error_page(page, 503, &title, &message, Some(&hint)).into_string()
    })
}

fn page(lang: Lang, path: &str) -> Page {
    let mut page = Page::new(lang, Theme::System, &format!("/{path}"), "", "127.0.0.1:4141");
    let kinds = [Kind::Http, Kind::Search, Kind::Chat, Kind::Tool, Kind::Chat];
    let ticks = (0..60_u16)
        .map(|i| Tick {
            x: f64::from(i).mul_add(1.6, f64::from(i * 37 % 11) / 10.0),
            kind: kinds.get(usize::from(i * 7 % 5)).copied().unwrap_or_default(),
            error: i == 14,
        })
        .collect();
    page.pulse = Pulse { ticks, spans_per_s: 14.2, cost_usd: Some(4.82) };
    page
}

struct Samples {
    lang: Lang,
}

impl Samples {
    fn say(&self, en: &str, ko: &str) -> String {
        if self.lang == Lang::Ko { ko.to_owned() } else { en.to_owned() }
    }

    fn start(&self, indexed: u64, found: u64, has_calls: bool) -> StartView {
        let handbook = CollectionView { name: "handbook".into(), indexed, found, indexing: indexed < found };
        StartView {
            collections: vec![handbook],
            has_calls,
            has_provider: has_calls,
            example: Some(self.say("How long are refunds possible?", "환불은 언제까지 가능한가요?")),
        }
    }

    fn ask(&self, start: StartView) -> AskView {
        AskView {
            start,
            models: [
                "hanok/extract",
                "hanok/extract@handbook",
                "openai/gpt-5-mini",
                "openrouter/claude-haiku-4-5",
            ]
            .map(str::to_owned)
            .into(),
            question: None,
            examples: vec![
                self.say(
                    "How long after delivery can a damaged item be refunded?",
                    "파손된 상품은 수령 후 며칠까지 환불할 수 있나요?",
                ),
                self.say("What do I need from the customer?", "고객에게 무엇을 받아야 하나요?"),
                self.say("When is no return shipment needed?", "반송이 필요 없는 경우는 언제인가요?"),
            ],
        }
    }

    fn row(&self, at: u8) -> TraceRow {
        let titles = [
            (
                "Order 48-2210 was delivered six weeks ago and the customer now says it arrived damaged",
                "주문 48-2210은 6주 전에 배송됐는데 고객이 이제 와서 파손됐다고 합니다",
            ),
            (
                "Can a gift recipient ask for the refund to go to their own card?",
                "선물 받은 사람이 자기 카드로 환불받을 수 있나요?",
            ),
            (
                "반품 접수한 지 열흘이 지났는데 환불 상태를 어디서 확인하나요?",
                "반품 접수한 지 열흘이 지났는데 환불 상태를 어디서 확인하나요?",
            ),
            ("damaged in transit, photo missing", "운송 중 파손, 사진 없음"),
        ];
        let models = ["openrouter/claude-haiku-4-5", "openai/gpt-5-mini", "hanok/extract"];
        let pick = usize::from(at);
        let (en, ko) = titles.get(pick % titles.len()).copied().unwrap_or_default();
        let model = models.get(pick % models.len()).copied().unwrap_or_default();
        let local = model.starts_with("hanok/");
        let failed = at % 7 == 5;
        TraceRow {
            trace_id: if at == 0 { TRACE.to_owned() } else { format!("{at:032x}") },
            name: if local { "extract" } else { "ask" }.to_owned(),
            title: Some(self.say(en, ko)),
            kind: if local { Kind::Search } else { Kind::Chat },
            started_at: Timestamp(1_763_631_667_000_000_000 - i64::from(at) * 7_300_000_000),
            duration_ms: if local { 4.0 + f64::from(at) } else { 2_410.0 + f64::from(at) * 731.0 },
            error: failed.then(|| {
                self.say(
                    "the provider refused: 429 rate limited",
                    "공급자가 거절했습니다: 429 요청 한도 초과",
                )
            }),
            model: Some(model.to_owned()),
            provider: Some(model.split('/').next().unwrap_or_default().to_owned()),
            input_tokens: Some(if local { 0 } else { 3_500 + 40 * u64::from(at) }),
            output_tokens: Some(if local { 0 } else { 189 }),
            cost_usd: (!local && at % 5 != 4).then_some(0.002_51),
            session: Some("ticket-7731".into()),
            user: Some("alice".into()),
            prompt: Some("refund-answer@13".into()),
            source: None,
            tags: vec!["refund".into()],
            scores: match at {
                1 | 3 => vec![ScoreView { name: "helpful".into(), value: Some(1.0), ..ScoreView::default() }],
                6 => vec![ScoreView { name: "helpful".into(), value: Some(-1.0), ..ScoreView::default() }],
                _ => Vec::new(),
            },
        }
    }

    fn traces(&self, filter: &str) -> TracesView {
        let buckets = (0..60_u64)
            .map(|i| Bucket {
                count: 6 + (i * 7 % 5) + 30_u64.saturating_sub(i.abs_diff(42)) / 2,
                errors: if i % 13 == 5 { 2 } else { 0 },
            })
            .collect();
        let to = 1_763_631_720_000_000_000;
        TracesView {
            start: self.start(40, 40, true),
            filter: filter.to_owned(),
            error: None,
            rows: (0..20).map(|at| self.row(at)).collect(),
            next: Some("older".into()),
            total: Some(1_284),
            took_ms: Some(3.0),
            chart: RateChart { from: Timestamp(to - 3_600_000_000_000), to: Timestamp(to), buckets },
        }
    }

    fn trace(&self, tab: Tab) -> TraceView {
        let span = |id: u8, depth, name: &str, kind, start_ms: f64, duration_ms: f64| SpanRow {
            span_id: format!("{id:016x}"),
            depth,
            name: name.to_owned(),
            kind,
            start_ms,
            duration_ms,
            ..SpanRow::default()
        };
        let spans = vec![
            span(1, 0, "POST /v1/chat/completions", Kind::Http, 0.0, 2_410.0),
            span(2, 1, "hanok/ask@handbook", Kind::Agent, 4.0, 2_400.0),
            SpanRow { hits: Some(8), ..span(3, 2, "retrieval handbook", Kind::Search, 6.0, 39.0) },
            SpanRow { hits: Some(32), ..span(4, 3, "search bm25", Kind::Search, 7.0, 0.4) },
            span(5, 3, "rerank", Kind::Rerank, 22.0, 22.0),
            SpanRow { ttft_ms: Some(402.0), ..span(6, 2, "chat gpt-5-mini", Kind::Chat, 48.0, 824.0) },
            span(7, 2, "execute_tool orders.lookup", Kind::Tool, 874.0, 143.0),
            SpanRow { error: Some("429".into()), ..span(8, 2, "chat gpt-5-mini", Kind::Chat, 1_021.0, 61.0) },
            SpanRow {
                ttft_ms: Some(312.0),
                ..span(9, 2, "chat claude-haiku-4-5", Kind::Chat, 1_084.0, 1_312.0)
            },
            SpanRow {
                detail: Some("4/4".into()),
                ..span(10, 2, "verify citations", Kind::Eval, 2_398.0, 0.6)
            },
        ];
        TraceView {
            summary: self.row(0),
            ttft_ms: Some(1_400.0),
            key: Some("alice".into()),
            session: Some(SessionPlace {
                id: "ticket-7731".into(),
                turn: Some((2, 5)),
                previous: Some(format!("{:032x}", 7)),
                next: Some(format!("{:032x}", 8)),
            }),
            tree: TreeView::whole(spans),
            scores: vec![ScoreView {
                name: "helpful".into(),
                value: Some(1.0),
                by: "alice".into(),
                ..ScoreView::default()
            }],
            newer: None,
            older: Some(format!("{:032x}", 1)),
            selected: Some(self.pane(tab)),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one sample of everything")]
    fn pane(&self, tab: Tab) -> SpanPane {
        let text = |role: &str, text: String| MessageView {
            role: role.into(),
            parts: vec![PartView::Text(text)],
            ..MessageView::default()
        };
        let quote = self.say(
            "An item that arrived damaged can be refunded up to 90 days after delivery.",
            "배송 중 파손된 상품은 수령일로부터 90일 이내에 환불할 수 있습니다.",
        );
        let call = MessageView {
            role: "assistant".into(),
            parts: vec![PartView::ToolCall {
                id: "c1".into(),
                name: "orders.lookup".into(),
                arguments: r#"{"order":"48-2210"}"#.into(),
            }],
            ..MessageView::default()
        };
        let result = MessageView {
            role: "tool".into(),
            parts: vec![PartView::ToolResult {
                call_id: "c1".into(),
                text: r#"{"delivered":"2026-10-10","total_usd":31.5,"refunded":false}"#.into(),
                is_error: false,
            }],
            ..MessageView::default()
        };
        let citation = |title: &str| CitationView {
            title: title.into(),
            url: "http://127.0.0.1:4141/sources/00000000000000aa?start=184&end=402#quote".into(),
            quote: Some(quote.clone()),
        };
        let answer = MessageView {
            citations: vec![citation("Refund policy"), citation("Evidence we accept")],
            finish: Some("stop".into()),
            tokens: Some(148),
            ..text("assistant", self.say(
                "**Yes, it can still be refunded.** The 30-day limit is for a change of mind. An item that arrived damaged can be refunded up to 90 days after delivery[1].\n\nAsk the customer for:\n1. one photo of the damage[2],\n2. one photo of the shipping label[2].",
                "**네, 아직 환불할 수 있습니다.** 30일 제한은 단순 변심에만 적용됩니다. 파손된 상품은 수령일로부터 90일 이내에 환불할 수 있습니다[1].\n\n고객에게 다음을 요청하세요.\n1. 파손 부위 사진 1장[2]\n2. 운송장 라벨 사진 1장[2]",
            ))
        };
        let hit = |source: &str, heading: String, score, text: String| HitView {
            source_id: "00000000000000aa".into(),
            source: source.into(),
            heading,
            start: 184,
            end: 402,
            text,
            score,
            votes: Vec::new(),
        };
        SpanPane {
            trace_id: TRACE.into(),
            span_id: format!("{:016x}", 9),
            name: "chat claude-haiku-4-5".into(),
            kind: Kind::Chat,
            error: None,
            tab: Some(tab),
            messages: vec![
                text("system", self.say("Answer only from the numbered passages.\nCite each as [n].", "번호가 매겨진 단락만 근거로 답하세요.\n각 문장에 [n]을 붙이세요.")),
                text("user", self.say("Order 48-2210 was delivered six weeks ago and the customer now says it arrived damaged. Can we still refund it?", "주문 48-2210은 6주 전에 배송됐는데 고객이 이제 와서 파손됐다고 합니다. 아직 환불할 수 있나요?")),
                call,
                result,
                answer,
            ],
            hits: vec![
                hit("handbook/policies/refunds.md", self.say("Damaged items", "파손 상품"), 14.21, quote.clone()),
                hit("handbook/policies/evidence.md", self.say("Photos", "사진"), 11.87, self.say("Ask for at least one photo of the damage and one of the shipping label.", "파손 부위가 보이는 사진과 운송장 라벨 사진을 각각 1장 이상 받아야 합니다.")),
                hit("handbook/ops/returns.md", self.say("By amount", "금액 기준"), 9.02, self.say("Damaged items under $40 are refunded without a return shipment.", "결제 금액이 50,000원 미만인 파손 상품은 반송 없이 환불합니다.")),
                hit("handbook/ops/collections.md", self.say("Booking", "접수"), 8.4, self.say("Collections are booked before 17:00 on the day the customer agrees.", "수거 신청은 고객 동의 후 당일 17시까지 접수합니다.")),
                hit("handbook/faq/shipping.md", String::new(), 4.02, self.say("Shipping fees are refunded with the order.", "배송비는 주문과 함께 환불됩니다.")),
            ],
            usage: Some(UsageView {
                lines: [
                    (TokenKind::Input, 1_292_u32, 1.0),
                    (TokenKind::Cached, 1_024, 0.1),
                    (TokenKind::Output, 128, 5.0),
                    (TokenKind::Reasoning, 20, 5.0),
                ]
                .map(|(kind, count, price)| UsageLine { kind, count: count.into(), price: Some((price, f64::from(count) * price / 1e6)) })
                .into(),
                total: Some(2_464),
                cost_usd: Some(0.002_134_4),
                estimated: false,
            }),
            guard: vec![
                ("decision".into(), json!("allow")),
                ("rule".into(), json!("tool.orders.lookup")),
                ("label".into(), json!({"integrity": "untrusted", "confidentiality": "private"})),
            ],
            tools: vec![("orders.lookup".into(), self.say("Look up an order.", "주문을 찾습니다."))],
            duration_ms: 1_312.0,
            ttft_ms: Some(312.0),
            started_at: Timestamp(1_763_631_668_084_000_000),
            model: Some("claude-haiku-4-5".into()),
            provider: Some("openrouter".into()),
            attributes: vec![
                ("gen_ai.operation.name".into(), json!("chat")),
                ("gen_ai.request.model".into(), json!("claude-haiku-4-5")),
                ("gen_ai.usage.input_tokens".into(), json!(2316)),
                ("gen_ai.response.finish_reasons".into(), json!(["stop"])),
                ("hanok.stream".into(), json!(true)),
            ],
            left_out: 0,
            scores: Vec::new(),
            json: json!({"span_id": format!("{:016x}", 9), "name": "chat claude-haiku-4-5", "status": "ok", "duration_ms": 1312.0, "attributes": {"gen_ai.operation.name": "chat", "hanok.stream": true, "error": null}}),
            request: Some(r#"{"model":"openrouter/claude-haiku-4-5","messages":[{"role":"user","content":"Can we still refund it? It's late."}]}"#.into()),
        }
    }

    fn failed(&self) -> TraceView {
        let error = self.say(
            "the provider refused: 429 rate limited, try again in 12 s",
            "공급자가 거절했습니다: 429 요청 한도 초과, 12초 뒤에 다시 시도하세요",
        );
        let mut view = self.trace(Tab::Messages);
        view.summary.error = Some(error.clone());
        view.summary.cost_usd = None;
        view.selected =
            view.selected.map(|pane| SpanPane { error: Some(error), hits: Vec::new(), usage: None, ..pane });
        view
    }

    fn source(&self, times: usize) -> SourceView {
        let before = self.say("# Refund policy\n\n## Change of mind\n\nRefunds for a change of mind must be requested within 30 days of delivery.\n\n## Damaged items\n\n", "# 환불 정책\n\n## 단순 변심\n\n단순 변심에 의한 환불은 수령 후 30일 이내에 신청해야 합니다.\n\n## 파손 상품\n\n").repeat(times);
        let quote = self.say(
            "An item that arrived damaged can be refunded up to 90 days after delivery.",
            "배송 중 파손된 상품은 수령일로부터 90일 이내에 환불할 수 있습니다.",
        );
        let after = self
            .say(
                " The same window applies when the outer packaging is intact.\n\n",
                " 포장이 훼손되지 않았더라도 같은 기간이 적용됩니다.\n\n",
            )
            .repeat(times);
        SourceView {
            id: "00000000000000aa".into(),
            path: "handbook/policies/refunds.md".into(),
            title: self.say("Refund policy", "환불 정책"),
            collection: "handbook".into(),
            start: Some(before.len()),
            end: Some(before.len() + quote.len()),
            heading: self.say("Refund policy > Damaged items", "환불 정책 > 파손 상품"),
            text: [before, quote, after].concat(),
            from: None,
            ..SourceView::default()
        }
    }
}
