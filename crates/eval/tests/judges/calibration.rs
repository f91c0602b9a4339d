//! What judges are worth: one that is good, one that always says yes, one that answers by chance.

use crate::scripted::{block, verdicts};
use hanok_base::CallContext;
use hanok_eval::calibration::{
    Disagreement, HumanLabel, Item, JudgeSaid, Judged, Method, Options, Standing, Tendency, calibrate,
    correct,
};
use hanok_eval::judge::{Case, Judge, JudgeSpec, Level, Scale};
use hanok_stats::Draws;

const OPTIONS: Options = Options { confidence: 0.95, rounds: 400, seed: 42 };

/// Answers of which a share is right, and people who say so; the judge is asked about each.
async fn asked(judge: &Judge, count: usize, right: f64, seed: u64) -> Vec<Item> {
    let mut draws = Draws::new(seed);
    let mut items = Vec::new();
    for number in 0..count {
        let truth = usize::from(draws.unit() < right);
        let answer = format!("{} {number}", ["wrong", "right"][truth]);
        let case = Case { answer: &answer, ..Case::default() };
        let said = judge.judge(&CallContext::unrecorded(), &case, 0).await;
        // The second person errs on one of ten.
        let second = if draws.unit() < 0.1 { 1 - truth } else { truth };
        let label =
            |who: &str, level| HumanLabel { who: who.to_owned(), level, comment: format!("{who} says") };
        items.push(Item {
            id: number.to_string(),
            cluster: None,
            answer,
            people: vec![label("ann", truth), label("ben", second)],
            settled: (truth != second).then_some(truth),
            judge: JudgeSaid::of(&said.verdict, said.level),
            reasoning: said.reasoning,
        });
    }
    items
}

/// A judge that follows the truth, but for shares of the wrong and of the right answers.
fn erring(passes_wrong: u64, fails_right: u64) -> Judge {
    let kit = verdicts(move |shown| {
        let answer = block(shown, "answer");
        let number: u64 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let draw = Draws::new(number + 1000).next_number() % 100;
        let pass = if answer.starts_with("right") { draw >= fails_right } else { draw < passes_wrong };
        if pass { "pass".to_owned() } else { "fail".to_owned() }
    });
    Judge::new(&JudgeSpec::new("m", "is right"), &kit).unwrap()
}

#[tokio::test]
async fn a_lenient_judge_is_shown_and_corrected() {
    let judge = erring(40, 5);
    let items = asked(&judge, 300, 0.7, 1).await;
    let report = calibrate(judge.scale(), &items, OPTIONS);
    assert_eq!((report.labelled, report.undecided, report.doubly), (300, 0, 300));
    assert_eq!(report.people, ["ann", "ben"]);
    assert_eq!(report.coverage.verdicts, 300);
    assert_eq!(report.tendency, Tendency::Lenient);
    assert_eq!(report.standing, Standing::BetterThanChance);
    let figure = |name: &str| report.measure(name).unwrap().judge.unwrap();
    let [[rejected, passed], [failed, hit]] =
        [0, 1].map(|row: usize| [report.confusion[row][0], report.confusion[row][1]]);
    assert_eq!((report.lenient_count as u64, report.strict_count as u64), (passed, failed));
    assert_eq!(report.lenient[0].people, "fail");
    assert_eq!(report.lenient[0].comment, "ann says");
    let share = |part: u64, rest: u64| part as f64 / (part + rest) as f64;
    assert!((figure("precision").value - share(hit, passed)).abs() < 1e-12);
    assert!((figure("recall").value - share(hit, failed)).abs() < 1e-12);
    assert!((figure("specificity").value - share(rejected, passed)).abs() < 1e-12);
    for measure in &report.measures {
        let figure = measure.judge.unwrap();
        assert!(figure.low < figure.value && figure.value < figure.high, "{measure:?}");
        assert!(measure.ceiling.is_some(), "{measure:?}");
    }
    let kappa = report.measure("kappa").unwrap();
    assert_eq!(kappa.baseline, Some(0.0));
    assert!(kappa.ceiling.unwrap() > kappa.judge.unwrap().value);
    let agreement = report.measure("agreement").unwrap();
    assert!((agreement.baseline.unwrap() - 0.7).abs() < 0.1);

    // Of new answers 30 % are right; the judge passes about 0.3 * 0.95 + 0.7 * 0.4.
    let fresh = asked(&judge, 3000, 0.3, 2).await;
    let truth = fresh.iter().filter(|item| item.truth() == Some(1)).count() as f64 / 3000.0;
    let judged: Vec<Judged> =
        fresh.iter().map(|item| Judged { level: item.judge.level(), cluster: None }).collect();
    let corrected = correct(&report, &items, &judged);
    let as_judged = corrected.as_judged.unwrap();
    assert!(as_judged.low > truth + 0.15, "{as_judged:?}");
    let shares = corrected.rogan_gladen.unwrap();
    assert!(shares.low < truth && truth < shares.high, "{shares:?} {truth}");
    assert_eq!(corrected.refused, None);
}

#[tokio::test]
async fn a_judge_that_always_says_yes_is_shown_for_what_it_is() {
    let judge = erring(100, 0);
    let items = asked(&judge, 120, 0.8, 3).await;
    let report = calibrate(judge.scale(), &items, OPTIONS);
    assert_eq!(report.tendency, Tendency::Constant("pass".to_owned()));
    assert!(
        matches!(&report.standing, Standing::NoBetterThanChance(why) if why.contains("better than chance"))
    );
    let of = |name: &str| report.measure(name).unwrap().clone();
    // Its agreement looks high, and is that of saying what is said most often.
    let agreement = of("agreement");
    assert!(agreement.judge.unwrap().value > 0.7);
    assert_eq!(agreement.judge.map(|figure| figure.value), agreement.baseline);
    assert_eq!(of("kappa").judge.unwrap().value, 0.0);
    let specificity = of("specificity").judge.unwrap();
    assert_eq!((specificity.value, specificity.method), (0.0, Method::Wilson));
    assert!(specificity.high > 0.05, "no single error proves nothing: {specificity:?}");
    let corrected = correct(&report, &items, &vec![Judged { level: Some(1), cluster: None }; 50]);
    assert!(corrected.refused.unwrap().contains("better than chance"));
    assert_eq!((corrected.rogan_gladen, corrected.prediction_powered), (None, None));
    assert_eq!(corrected.as_judged.unwrap().value, 1.0);
    assert!(corrected.labels.unwrap().value < 0.9);
}

#[tokio::test]
async fn a_judge_at_chance_is_shown_for_what_it_is() {
    let judge = erring(50, 50);
    let items = asked(&judge, 200, 0.5, 4).await;
    let report = calibrate(judge.scale(), &items, OPTIONS);
    assert_eq!(report.tendency, Tendency::Chance);
    assert!(matches!(report.standing, Standing::NoBetterThanChance(_)));
    let kappa = report.measure("kappa").unwrap().judge.unwrap();
    assert!(kappa.low < 0.0 && kappa.high > 0.0, "{kappa:?}");
    assert!(correct(&report, &items, &[]).refused.is_some());
}

#[test]
fn what_is_no_verdict_lowers_the_coverage_only() {
    let item = |number: usize, people: &[usize], judge: JudgeSaid| Item {
        id: number.to_string(),
        cluster: None,
        answer: String::new(),
        people: people
            .iter()
            .enumerate()
            .map(|(who, level)| HumanLabel { who: who.to_string(), level: *level, comment: String::new() })
            .collect(),
        settled: None,
        judge,
        reasoning: String::new(),
    };
    let mut items: Vec<Item> = (0..20).map(|at| item(at, &[at % 2], JudgeSaid::Level(at % 2))).collect();
    items.push(item(20, &[1], JudgeSaid::Refused));
    items.push(item(21, &[0], JudgeSaid::Unparsed));
    items.push(item(22, &[0, 1], JudgeSaid::Level(1)));
    items.push(item(23, &[], JudgeSaid::Level(1)));
    let report = calibrate(&Scale::binary(), &items, OPTIONS);
    assert_eq!((report.labelled, report.undecided), (23, 1));
    assert_eq!((report.coverage.verdicts, report.coverage.refused, report.coverage.unparsed), (21, 1, 1));
    assert_eq!(report.confusion, [[10, 0], [0, 10]]);
    assert_eq!(report.between_people, [[0, 1], [0, 0]]);
    let agreement = report.measure("agreement").unwrap().judge.unwrap();
    assert_eq!((agreement.value, agreement.high, agreement.method), (1.0, 1.0, Method::Wilson));
    assert!(agreement.low < 0.9);
    let nothing = calibrate(&Scale::binary(), &[], OPTIONS);
    assert!(matches!(nothing.standing, Standing::Unknown(_)));
    assert!(nothing.measures.iter().all(|measure| measure.judge.is_none()));
}

#[test]
fn ordinal_judges_are_measured_by_their_order_and_clusters_widen_intervals() {
    let levels: Vec<Level> =
        (1..=5).map(|level| Level { label: level.to_string(), means: String::new() }).collect();
    let scale = Scale::ordinal(&levels).unwrap();
    let mut draws = Draws::new(9);
    // Ten documents with twenty answers each; the judge errs alike within a document.
    let items = |clustered: bool, draws: &mut Draws| -> Vec<Item> {
        (0..10)
            .flat_map(|document| {
                let is_off = document % 3 == 0;
                (0..20).map(move |answer| (document, answer, is_off))
            })
            .map(|(document, answer, is_off)| {
                let truth = draws.below(5);
                Item {
                    id: format!("{document}/{answer}"),
                    cluster: clustered.then(|| document.to_string()),
                    answer: String::new(),
                    people: vec![HumanLabel { who: "ann".into(), level: truth, comment: String::new() }],
                    settled: None,
                    judge: JudgeSaid::Level(if is_off { (truth + 2).min(4) } else { truth }),
                    reasoning: String::new(),
                }
            })
            .collect()
    };
    let width = |items: &[Item], name: &str| {
        let report = calibrate(&scale, items, OPTIONS);
        assert_eq!(report.tendency, Tendency::Lenient);
        assert_eq!(report.standing, Standing::BetterThanChance);
        let figure = report.measure(name).unwrap().judge.unwrap();
        (figure.high - figure.low, figure.n)
    };
    for name in ["kappa_quadratic", "agreement"] {
        let (alone, n) = width(&items(false, &mut Draws::new(9)), name);
        let (together, groups) = width(&items(true, &mut Draws::new(9)), name);
        assert_eq!((n, groups), (200, 10));
        assert!(together > 1.5 * alone, "{name}: {together} {alone}");
    }
    let report = calibrate(&scale, &items(false, &mut draws), OPTIONS);
    for name in ["tau_b", "rho", "ac1", "kappa"] {
        assert!(report.measure(name).unwrap().judge.is_some(), "{name}");
    }
    assert!(report.measure("precision").is_none());
    // The furthest disagreement comes first.
    let gap = |at: usize| {
        let told: &Disagreement = &report.lenient[at];
        told.judge.parse::<i32>().unwrap() - told.people.parse::<i32>().unwrap()
    };
    assert_eq!((gap(0), gap(report.lenient_count - 1)), (2, 1));
    let clustered = items(true, &mut draws);
    let judged: Vec<Judged> = (0..100)
        .map(|at| Judged { level: Some(at % 5), cluster: Some(format!("new {}", at / 10)) })
        .collect();
    let corrected = correct(&calibrate(&scale, &clustered, OPTIONS), &clustered, &judged);
    assert!(corrected.clustered);
    let figure = corrected.prediction_powered.unwrap();
    assert!(figure.method == Method::Bootstrap && figure.low < figure.value && figure.value < figure.high);
    // The judge is kinder than people, who would say less than the 3.0 it says.
    assert!(figure.value < corrected.as_judged.unwrap().value);
}
