//! What the answerers say, and that what they quote stands there.

use crate::house::{House, citations};

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
        if std::env::var_os("DEV").is_some() { println!("DEV {} {} {found} {question} {}", if expect == "-" {0} else {1}, response.extra["hanok"]["covered"], response.extra["hanok"]["missing"]); }
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
    println!("answerable: {answered} answered, {right} with the answer, of {answerable}; unanswerable: {refused} refused of {unanswerable}");
}
