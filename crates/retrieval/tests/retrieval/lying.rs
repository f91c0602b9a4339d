//! Whatever a model says, what leaves as a citation stands in its document, byte for byte.

use crate::house::{House, chat, citations, recorded};
use crate::scripted::Scripted;
use hanok_base::{CallContext, ChatResponse, Operation, Provider};
use hanok_retrieval::AskAnswerer;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::fmt::Write as _;
use std::sync::Arc;

const GUIDE: &str = "# Port\n\nThe server listens on port 4141. It keeps records for thirty days, “unless told \
otherwise” in the file. A café near the harbour closes at 19:30.\n\n서버는 4141 포트에서 기다린다. \
기록은 삼십 일 동안 보관한다. 출장 영수증은 열흘 안에 제출한다.\n";

/// Pieces of answers: true ones, and such as a model makes up.
const PIECES: [&str; 26] = [
    "The server listens on port 4141",
    "The server listens on port 4142",
    "\"The server listens on port 4141\"",
    "\"The server listens on port 4142\"",
    "“unless told otherwise”",
    "\"\"unless told otherwise\" in the file\"",
    "「기록은 삼십 일 동안 보관한다」",
    "「기록은 사십 일 동안 보관한다」",
    "‘출장 영수증은 열흘 안에’",
    "cafe\u{301} near the harbour",
    "\"A cafe\u{301} near the harbour\"",
    "> It keeps records for thirty days",
    "[1]",
    "[2]",
    "[1, 2]",
    "[99]",
    "[0]",
    "[18446744073709551616]",
    "[1](http://x)",
    ". ",
    " ",
    "\n\n",
    "\"",
    "「",
    "🏠 ",
    "no source says this thing at all",
];

async fn house() -> House {
    let house = House::new().await;
    house.write("guide.md", GUIDE);
    house.write("other.md", "# Beer\n\nThe harbour serves cold beer to every sailor of the port.\n");
    house.sync().await;
    house
}

async fn answered(house: &House, says: &str, piece: usize) -> ChatResponse {
    let model = Arc::new(Scripted { piece, ..Arc::into_inner(Scripted::new(says)).unwrap() });
    let answerer = AskAnswerer::new(house.library.clone(), model.gateway(), Some("mock/m".into()));
    answerer
        .chat(&CallContext::unrecorded(), &chat("ask@docs", "Which port does the server use?"))
        .await
        .unwrap()
}

async fn check(house: &House, says: &str, piece: usize) -> usize {
    let response = answered(house, says, piece).await;
    let text = response.choices[0].message.plain_text();
    assert_eq!(text, says);
    let length = text.chars().count();
    let citations = citations(&response);
    for citation in &citations {
        let quote = citation.quote.as_ref().unwrap();
        let id = citation.url.split("/sources/").nth(1).unwrap().split('?').next().unwrap();
        let source = house.library.source(id.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(&source.text[quote.start..quote.end], quote.text, "{says:?}");
        assert!(!quote.text.is_empty() && citation.start_index < citation.end_index, "{says:?}");
        assert!(citation.end_index <= length, "{says:?}");
    }
    let about = &response.choices[0].extra["hanok"];
    assert_eq!(about["verbatim"], citations.len(), "{about}");
    // What is made up is cited nowhere, and told.
    for made_up in ["server listens on port 4142", "기록은 사십 일 동안 보관한다"] {
        for quoted in [format!("\"The {made_up}\""), format!("「{made_up}」")] {
            if says.contains(&quoted)
                && says.matches(['"', '「', '“', '‘']).count() == quoted.matches(['"', '「']).count() / 2
            {
                assert!(
                    about["misquoted"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .any(|told| told.as_str().unwrap().contains(made_up)),
                    "{about}"
                );
            }
        }
    }
    citations.len()
}

#[test]
fn what_leaves_as_a_citation_is_verbatim() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let house = runtime.block_on(house());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(400) });
    let pieces = proptest::collection::vec(
        prop_oneof![8 => proptest::sample::select(PIECES.as_slice()).prop_map(str::to_owned), 1 => ".{0,12}"],
        0..14,
    );
    let mut seen = 0;
    let outcome = runner.run(&(pieces, 1_usize..40), |(pieces, piece)| {
        let says = pieces.join(" ");
        // A model that says nothing gives no text.
        if !says.is_empty() {
            runtime.block_on(check(&house, &says, piece));
        }
        Ok(())
    });
    outcome.unwrap();
    for says in ["\"The server listens on port 4141\" [1].", "「기록은 삼십 일 동안 보관한다」 [1][2]"]
    {
        seen += runtime.block_on(check(&house, says, 3));
    }
    assert!(seen >= 2, "true quotations are cited: {seen}");
}

#[tokio::test]
async fn an_answer_says_how_far_its_sources_cover_it() {
    let house = house().await;
    let check = async |says: &str, covered: &str, uncovered: usize, misquoted: &[&str]| {
        let response = answered(&house, says, 5).await;
        let about = response.choices[0].extra["hanok"].clone();
        assert_eq!(about["covered"], covered, "{says}: {about}");
        assert_eq!(about["uncovered"].as_array().unwrap().len(), uncovered, "{says}: {about}");
        assert_eq!(about["misquoted"], serde_json::json!(misquoted), "{says}: {about}");
        // What is said of the search stands beside it, for dialects with one place for both.
        assert_eq!(about["found"], true);
    };
    check("The server listens on port 4141 [1].", "all", 0, &[]).await;
    check("The server listens on port 4141 [1]. Dragons guard its mountains.", "partly", 1, &[]).await;
    check("Dragons guard its green mountains.", "none", 1, &[]).await;
    check(
        "It says \"port 4142 is the one\", which the server listens on [1].",
        "none",
        1,
        &["port 4142 is the one"],
    )
    .await;
    check("Unknown.", "all", 0, &[]).await;
}

#[tokio::test]
async fn checking_takes_less_than_a_millisecond_a_citation() {
    let house = House::new().await;
    // A long document, long chunks, a long answer.
    let sentence =
        |number: usize| format!("Rule {number} of the harbour says that pier {number} opens at seven.");
    let text: Vec<String> = (100..4_000).map(sentence).collect();
    house.write("rules.md", text.join(if cfg!(debug_assertions) { " " } else { "\n" }));
    house.sync().await;
    let hits = house.find("Which rule of the harbour opens the pier?", 8).await.unwrap().hits;
    let mut says = String::new();
    for (number, hit) in (1..).zip(&hits) {
        let sentences = hit.text.match_indices("Rule ").map(|(at, _)| at).take(4);
        for at in sentences {
            let rest = &hit.text[at..];
            if let Some(end) = rest.find('.') {
                let said = &rest[..end];
                let _infallible =
                    write!(says, "It says \"{said}\" [{number}]. In short: {said} [{number}]. ");
            }
        }
    }
    let model = Arc::new(Scripted { piece: 64, ..Arc::into_inner(Scripted::new(&says)).unwrap() });
    let answerer = AskAnswerer::new(house.library.clone(), model.gateway(), Some("mock/m".into()));
    let mut best = f64::MAX;
    let mut checked = 0;
    for _ in 0..5 {
        let (cx, spans) = recorded();
        let question = "Which rule of the harbour opens the pier?";
        let response = answerer.chat(&cx, &chat("ask@docs", question)).await.unwrap();
        drop(cx);
        checked = response.choices[0].extra["hanok"]["citations"].as_u64().unwrap();
        let spans = spans.lock();
        let span = spans.iter().find(|span| span.operation == Operation::Verify).unwrap();
        let took =
            span.attributes.iter().find(|(name, _)| name == "hanok.verify_ms").unwrap().1.as_f64().unwrap();
        best = best.min(took);
    }
    assert!(checked >= 16, "{says}");
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let each = best / checked as f64;
    println!("{checked} citations checked in {best:.2} ms, {each:.3} ms each");
    // A build without optimisation is some ten times slower.
    assert!(each < if cfg!(debug_assertions) { 10.0 } else { 1.0 }, "{each} ms a citation");
}
