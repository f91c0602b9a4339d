//! Samples of collections and searches, with everything that a small house does not show: an embedder at work, legs
//! that disagree.

use super::{Samples, save};
use hanok_base::{Timestamp, Trust, Vote};
use hanok_server::ui::view_knowledge::{
    CollectionPage, CollectionRow, EmbedderView, FoundView, Knobs, KnowledgeView, SearchView,
};
use hanok_server::ui::{self, Lang};
use std::io;
use std::path::Path;

pub(super) fn pages(folder: &Path, lang: Lang) -> io::Result<()> {
    let save = |name: &str, render: &dyn Fn(&ui::Page) -> String| save(folder, lang, name, render);
    let s = Samples { lang };
    save("knowledge", &|page| {
        let collections = vec![
            row("handbook", 6_318, Some(6_318)),
            row("tickets", 48_210, Some(20_112)),
            CollectionRow { indexing: true, found: 9_000, ..row("wiki", 1_204, None) },
        ];
        ui::knowledge_page(page, &KnowledgeView { collections }).into_string()
    })?;
    save("knowledge/one", &|page| {
        let view = CollectionPage {
            row: row("tickets", 48_210, Some(20_112)),
            failures: vec![
                ("tickets/scan-0042.pdf".into(), "a scan without text".into()),
                ("tickets/archive.docx".into(), "it is larger than 100 MB when it is unpacked".into()),
            ],
            may_manage: true,
            ..CollectionPage::default()
        };
        ui::collection_page(page, &view).into_string()
    })?;
    save("search", &|page| ui::search_page(page, &search(&s)).into_string())
}

fn row(name: &str, chunks: u64, embedded: Option<u64>) -> CollectionRow {
    CollectionRow {
        name: name.into(),
        indexed: chunks / 12,
        found: chunks / 12,
        chunks,
        failed: chunks % 3,
        paths: vec![name.into(), format!("{name}/**/*.pdf")],
        chunking: Knobs { by: "structure".into(), size: 300, overlap: 75, parents: "none".into() },
        embedder: embedded.map(|embedded| EmbedderView {
            id: "local/all-minilm-l6-v2".into(),
            embedded,
            chunks,
        }),
        ..CollectionRow::default()
    }
}

fn search(s: &Samples) -> SearchView {
    let vote = |leg: &str, rank: usize, score: f64, weight: f64, reason: &str| Vote {
        leg: leg.into(),
        rank,
        score,
        weight,
        reason: reason.into(),
    };
    let hit = FoundView {
        source_id: "00000000000000aa".into(),
        source: "handbook/policies/refunds.pdf".into(),
        heading: s.say("Refund policy > Damaged items", "환불 정책 > 파손 상품"),
        start: 1_240,
        end: 1_618,
        text: s.say(
            "An item that arrived damaged can be refunded up to 90 days after delivery. The same window applies when the outer packaging is intact.",
            "배송 중 파손된 상품은 수령일로부터 90일 이내에 환불할 수 있습니다. 포장이 훼손되지 않았더라도 같은 기간이 적용됩니다.",
        ),
        score: 0.912,
        pages: Some((3, 4)),
        indexed_at: Some(Timestamp(1_763_600_000_000_000_000)),
        trust: Trust::Trusted,
        metadata: vec![("year".into(), "2026".into()), ("lang".into(), "ko".into())],
        votes: vec![
            vote("bm25", 2, 9.71, 0.55, "damag, refund"),
            vote("dense", 1, 0.731, 0.45, "cosine; knows these texts: 0.82 of its own kind found"),
            vote("rerank", 1, 6.204, 1.0, "from 3rd to 1st"),
        ],
    };
    let other = FoundView {
        source: "handbook/shipping.md".into(),
        heading: s.say("Shipping", "배송"),
        score: 0.487,
        pages: None,
        trust: Trust::Untrusted,
        metadata: Vec::new(),
        votes: vec![vote("bm25", 1, 11.04, 0.55, "damag, item, refund, photo")],
        ..hit.clone()
    };
    SearchView {
        collections: vec!["handbook".into(), "tickets".into()],
        collection: "handbook".into(),
        query: s.say("refund of a damaged item", "파손 상품 환불"),
        legs: "hybrid".into(),
        top_k: 10,
        hits: vec![hit, other],
        took_ms: Some(14.2),
        trace_id: Some(super::TRACE.into()),
        coverage: Some((310, 526)),
        ..SearchView::default()
    }
}
