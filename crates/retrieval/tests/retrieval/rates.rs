//! How often `extract` answers what the documents hold, and holds back where they do not, over the collection
//! of a library network (English) and a hospital caterer (Korean).
//!
//! Every other question is for tuning; the failures of the rest are never shown, so that its rates say how the
//! scorer does on questions it was not made for.

use crate::house::House;
use std::path::PathBuf;
use std::time::Instant;

/// Answered with the answer, and held back, each of how many.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    right: usize,
    /// Answered with something else.
    wrong: usize,
    answerable: usize,
    held: usize,
    unanswerable: usize,
}

impl Rates {
    fn count(&self) -> usize {
        self.answerable + self.unanswerable
    }
}

async fn whole_house() -> House {
    let house = House::new().await;
    for folder in ["library", "canteen"] {
        for entry in std::fs::read_dir(dev().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.file_name().unwrap().to_str().unwrap();
                house.write(&format!("{folder}/{name}"), std::fs::read(&path).unwrap());
            }
        }
    }
    house.sync().await;
    house
}

fn dev() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/retrieval/dev")
}

/// The rates of the tuning half and of the other.
async fn rates(house: &House, folder: &str) -> [Rates; 2] {
    let questions = std::fs::read_to_string(dev().join(folder).join("questions.tsv")).unwrap();
    let mut halves = [Rates::default(); 2];
    for (at, line) in questions.lines().enumerate() {
        let (question, expect) = line.split_once('\t').unwrap();
        let response = house.extract(question).await.unwrap();
        let text = response.choices[0].message.plain_text();
        let found = response.extra["hanok"]["found"].as_bool().unwrap();
        let rates = &mut halves[at % 2];
        let good = if expect == "-" {
            rates.unanswerable += 1;
            rates.held += usize::from(!found);
            !found
        } else {
            rates.answerable += 1;
            let right = found && text.contains(expect);
            rates.right += usize::from(right);
            rates.wrong += usize::from(found && !right);
            right
        };
        if at % 2 == 0 && !good {
            println!(
                "{question} ({expect})\n    {}\n    {}",
                response.extra["hanok"]["missing"],
                text.replace('\n', "\n    ")
            );
        }
    }
    halves
}

#[tokio::test]
async fn rates_on_tuning_and_validation_questions() {
    let house = whole_house().await;
    // Right and held back at least: on the half it was fitted to, and on the other.
    for (folder, fitted, unseen) in [("library", (18, 17), (16, 16)), ("canteen", (17, 18), (13, 18))] {
        let begun = Instant::now();
        let [tuning, validation] = rates(&house, folder).await;
        let each = begun.elapsed() / u32::try_from(tuning.count() + validation.count()).unwrap();
        println!(
            "{folder}: tuning {tuning:?}\n{folder}: validation {validation:?}\n{folder}: {each:?} an answer"
        );
        assert!((tuning.right >= fitted.0) && (tuning.held >= fitted.1), "{folder}: {tuning:?}");
        assert!((validation.right >= unseen.0) && (validation.held >= unseen.1), "{folder}: {validation:?}");
    }
}
