//! What the answerers say, and that what they quote stands there.

use crate::house::{House, chat, citations};
use hanok_base::{CallContext, Message, Provider, ProviderErrorKind, Role};
use hanok_retrieval::ExtractAnswerer;

const QUESTIONS: &str = include_str!("dev/questions.tsv");

async fn dev_house() -> House {
    let house = House::new().await;
    house.write("lumen.md", include_str!("dev/lumen.md"));
    house.write("garden.txt", include_str!("dev/garden.txt"));
    house.write("규정.md", include_str!("dev/규정.md"));
    house.write("제품안내.txt", include_str!("dev/제품안내.txt"));
    house.sync().await;
    house
}

#[tokio::test]
async fn questions_are_answered_or_not() {
    let house = dev_house().await;
    let (mut answered, mut right, mut answerable) = (0, 0, 0);
    let (mut refused, mut unanswerable) = (0, 0);
    for line in QUESTIONS.lines() {
        let (question, expect) = line.split_once('\t').unwrap();
        let response = house.extract(question).await.unwrap();
        let text = response.choices[0].message.plain_text();
        let found = response.extra["hanok"]["found"].as_bool().unwrap();
        assert_eq!(found, !citations(&response).is_empty(), "{question}");
        if expect == "-" {
            unanswerable += 1;
            refused += i32::from(!found);
            if found {
                println!("ANSWERED  {question}\n    {}", text.replace('\n', "\n    "));
            }
        } else {
            answerable += 1;
            answered += i32::from(found);
            let good = text.contains(expect);
            right += i32::from(found && good);
            if !found {
                println!("REFUSED   {question}  {}", response.extra["hanok"]);
            } else if !good {
                println!("WRONG     {question} ({expect})\n    {}", text.replace('\n', "\n    "));
            }
        }
    }
    println!(
        "answerable: {answered} answered, {right} with the answer, of {answerable}; unanswerable: {refused} refused \
         of {unanswerable}"
    );
    assert!(right >= 46 && refused >= 40, "worse than it was");
}

#[tokio::test]
async fn quotes_stand_where_citations_say() {
    let house = dev_house().await;
    let mut checked = 0;
    for line in QUESTIONS.lines() {
        let (question, _) = line.split_once('\t').unwrap();
        let response = house.extract(question).await.unwrap();
        let points: Vec<char> = response.choices[0].message.plain_text().chars().collect();
        for citation in citations(&response) {
            let quote = citation.quote.unwrap();
            let id = citation.url.strip_prefix("/sources/").unwrap().split('?').next().unwrap();
            let source = house.library.source(id.parse().unwrap()).await.unwrap().unwrap();
            assert_eq!(&source.text[quote.start..quote.end], quote.text);
            let covered: String = points[citation.start_index..citation.end_index].iter().collect();
            assert_eq!(covered, quote.text);
            let marker: String = points[citation.end_index..].iter().take(4).collect();
            assert!(marker.starts_with(" ["), "{marker}");
            checked += 1;
        }
    }
    assert!(checked > 40);
}

#[tokio::test]
async fn answers_say_what_is_missing_in_the_language_of_the_question() {
    let house = House::new().await;
    let said = async |question: &str| {
        let response = house.extract(question).await.unwrap();
        assert_eq!(response.extra["hanok"]["found"], false);
        response.choices[0].message.plain_text()
    };
    assert!(said("What is Lumen?").await.contains("holds no documents yet"));
    assert!(said("루멘이 무엇인가요?").await.contains("아직 문서가 없습니다"));
    house.write("lumen.md", include_str!("dev/lumen.md"));
    house.sync().await;
    assert_eq!(said("Who discovered penicillin?").await, "Nothing found in docs for that question.");
    assert_eq!(
        said("페니실린은 누가 발견했나요?").await,
        "docs 컬렉션에서 이 질문에 대한 내용을 찾지 못했습니다."
    );
    let error = house.extract("  ").await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::InvalidRequest);
    // Signs alone are a question that no document answers.
    for signs in ["?!", "\\", "🙂", "\"\""] {
        assert_eq!(said(signs).await, "Nothing found in docs for that question.");
    }
}

#[tokio::test]
async fn a_question_that_leans_on_the_turn_before_is_understood() {
    let house = dev_house().await;
    let mut request = chat("extract@docs", "How long is a voucher valid?");
    request.messages.push(Message::text(Role::Assistant, "24 hours."));
    request.messages.push(Message::text(Role::User, "And how many pages?"));
    let answerer = ExtractAnswerer::new(house.library.clone());
    let response = answerer.chat(&CallContext::unrecorded(), &request).await.unwrap();
    assert!(response.choices[0].message.plain_text().contains("50 pages"));
}

/// A table's row is quoted whole, below its header, and a header never by itself.
#[tokio::test]
async fn a_row_is_quoted_below_its_header() {
    let house = House::new().await;
    house.write(
        "rooms.md",
        "# Rooms\n\n| Room | Seats | Rate per hour |\n|---|---|---|\n| Alder | 40 | £9 |\n| Birch | 12 | £5 |\n\n\
         Bookings are made at the desk.\n",
    );
    house.write(
        "terms.md",
        "# Terms\n\n| Deposit and refund of a booking | Notice |\n|---|---|\n| x | y |\n\n\
         ## Cancelling\n\nThe deposit of a booking is given back until the day before.\n\n\
         ```toml\n# the deposit of a booking\ndeposit = 20\n```\n",
    );
    house.sync().await;
    let check = async |question: &str, expect: &str| {
        let text = house.extract(question).await.unwrap().choices[0].message.plain_text();
        assert!(text.starts_with(expect), "{question}: {text}");
    };
    let header = "| Room | Seats | Rate per hour | [1]\n";
    check("What is the rate per hour of the Birch room?", &format!("{header}| Birch | 12 | £5 | [2]")).await;
    check("How many seats has the Alder room?", &format!("{header}| Alder | 40 | £9 | [2]")).await;
    check("Is the deposit of a booking given back?", "The deposit of a booking is given back").await;
    check("What about the deposit and refund of a booking?", "The deposit of a booking is given back").await;
}

/// A heading without markup is no answer, and says what is below it.
#[tokio::test]
async fn a_title_stands_over_its_paragraph() {
    let house = House::new().await;
    house.write(
        "house.txt",
        "The house on the hill\n\nIt was built for a miller.\n\nOpening hours of the garden\n\n\
         Gates open at dawn and close at dusk.\n\nPrice of a ticket\n\nChildren pay two pounds, others four.\n",
    );
    house.sync().await;
    let check = async |question: &str, expect: &str| {
        let text = house.extract(question).await.unwrap().choices[0].message.plain_text();
        assert!(text.starts_with(expect), "{question}: {text}");
    };
    check("What are the opening hours of the garden?", "Gates open at dawn").await;
    check("What is the price of a ticket?", "Children pay two pounds").await;
}

/// A question about the documents of this repository, and what the beginning of its answer must hold.
const ABOUT_HANOK: [(&str, &str); 4] = [
    ("How are answers cited?", "cited"),
    ("Where are traces kept?", "`hanok.db`"),
    ("답변은 어떻게 인용되나요?", "인용"),
    ("How do I add a provider?", "add a provider"),
];

/// How an answer begins, and the document that is from. Fails where it begins with furniture rather than prose, or with
/// the question.
async fn beginning(house: &House, question: &str, change: &str) -> (String, Option<String>) {
    let response = house.extract(question).await.unwrap();
    let text = response.choices[0].message.plain_text();
    let first = text.split("\n\n").next().unwrap();
    assert!(!first.contains(question), "{change}: {question}: {text}");
    assert!(!first.starts_with(['|', '#', '`']), "{change}: {question}: {text}");
    let cited = citations(&response).into_iter().next();
    (first.to_owned(), cited.map(|citation| citation.quote.unwrap().source))
}

/// The documents of this repository: an answer begins with its best sentence, and goes on doing so when any other
/// document is changed.
#[tokio::test]
async fn questions_about_hanok_are_answered_from_its_documents() {
    let house = House::new().await;
    let docs = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(docs).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_some_and(|extension| extension == "md") {
            texts.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    texts.sort();
    for (name, text) in &texts {
        house.write(name, text);
    }
    house.sync().await;
    let mut sources = Vec::new();
    for (question, expect) in ABOUT_HANOK {
        let (first, source) = beginning(&house, question, "as they are").await;
        assert!(first.contains(expect), "{question}: {first}");
        sources.push(source.unwrap());
    }
    for (name, text) in &texts {
        let without: Vec<&str> =
            text.split("\n\n").enumerate().filter(|(at, _)| at % 3 != 1).map(|(_, part)| part).collect();
        for (change, changed) in [
            ("gone", String::new()),
            ("twice", format!("{text}\n\n{text}")),
            ("thinned", without.join("\n\n")),
        ] {
            house.write(name, changed);
            house.sync().await;
            for ((question, expect), source) in ABOUT_HANOK.into_iter().zip(&sources) {
                let change = format!("{name} is {change}");
                let (first, _) = beginning(&house, question, &change).await;
                // Without the document that it was from, it may be from any other.
                let is_other = !source.ends_with(name.as_str());
                assert!(!is_other || first.contains(expect), "{change}: {question}: {first}");
            }
        }
        house.write(name, text);
    }
}
