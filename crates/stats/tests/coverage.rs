//! How often intervals hold what they should, by drawing samples from what is known. Each line printed gives a cell's
//! coverage with its Monte-Carlo error; the mean over the grid must be 94 to 96 % for intervals at 95 %.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss, reason = "a test")]

use hanok_stats::Draws;
use hanok_stats::agreement::Detection;
use hanok_stats::corrected::{Uncorrectable, prediction_powered, rogan_gladen};
use hanok_stats::interval::{Estimate, clustered_mean, difference_of_shares, mean_interval, wilson};
use hanok_stats::resample::cluster_bootstrap;

/// A name, what is true, and how to draw an estimate.
type Cell = (String, f64, Box<dyn Fn(&mut Draws) -> Option<Estimate>>);

const ROUNDS: usize = 4000;

/// The mean coverage over a grid of cells.
fn check(of: &str, cells: Vec<Cell>, bounds: (f64, f64)) {
    let mut all = Vec::new();
    for (seed, (name, truth, draw)) in (1..).zip(cells) {
        let mut random = Draws::new(seed * 7919);
        let estimates: Vec<Estimate> = (0..ROUNDS).filter_map(|_| draw(&mut random)).collect();
        let held = estimates.iter().filter(|e| e.low <= truth && truth <= e.high).count();
        let n = estimates.len() as f64;
        let coverage = held as f64 / n;
        let error = (coverage * (1.0 - coverage) / n).sqrt();
        println!(
            "{of}: {name}: {:.1} % (Monte-Carlo error {:.1}, {n} draws)",
            coverage * 100.0,
            error * 100.0
        );
        all.push(coverage);
    }
    let mean = hanok_stats::mean(&all).unwrap();
    println!("{of}: mean of {} cells {:.2} %", all.len(), mean * 100.0);
    assert!((bounds.0..=bounds.1).contains(&mean), "{of}: {mean}");
}

fn successes(random: &mut Draws, trials: usize, p: f64) -> usize {
    (0..trials).filter(|_| random.unit() < p).count()
}

/// Standard normal, by Box and Muller.
fn normal(random: &mut Draws) -> f64 {
    let (a, b) = (random.unit().max(1e-300), random.unit());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

#[test]
fn shares() {
    let mut cells: Vec<Cell> = Vec::new();
    for n in [20, 50, 100, 300] {
        for p in [0.1, 0.3, 0.5, 0.8, 0.95] {
            cells.push((
                format!("n {n}, p {p}"),
                p,
                Box::new(move |random| wilson(successes(random, n, p), n, 0.95)),
            ));
        }
    }
    check("wilson", cells, (0.94, 0.96));
}

#[test]
fn differences_of_shares() {
    let mut cells: Vec<Cell> = Vec::new();
    for (n, m) in [(20, 20), (30, 100), (200, 200)] {
        for (p, q) in [(0.1, 0.3), (0.5, 0.5), (0.9, 0.7)] {
            cells.push((
                format!("n {n} and {m}, p {p} and {q}"),
                p - q,
                Box::new(move |random| {
                    difference_of_shares((successes(random, n, p), n), (successes(random, m, q), m), 0.95)
                }),
            ));
        }
    }
    check("difference of shares", cells, (0.94, 0.965));
}

#[test]
fn means() {
    let mut cells: Vec<Cell> = Vec::new();
    for n in [10, 30, 200] {
        cells.push((
            format!("normal, n {n}"),
            0.3,
            Box::new(move |random| {
                let values: Vec<f64> = (0..n).map(|_| 0.3 + normal(random)).collect();
                mean_interval(&values, 0.95)
            }),
        ));
        cells.push((
            format!("uniform, n {n}"),
            0.5,
            Box::new(move |random| {
                let values: Vec<f64> = (0..n).map(|_| random.unit()).collect();
                mean_interval(&values, 0.95)
            }),
        ));
    }
    check("mean", cells, (0.94, 0.96));
}

/// Values of clusters of unlike size that share something.
fn clustered(random: &mut Draws, count: usize, shared: f64) -> (Vec<f64>, Vec<usize>) {
    let (mut values, mut clusters) = (Vec::new(), Vec::new());
    for cluster in 0..count {
        let own = normal(random) * shared;
        for _ in 0..=random.below(6) {
            values.push(0.4 + own + normal(random));
            clusters.push(cluster);
        }
    }
    (values, clusters)
}

#[test]
fn means_over_clusters() {
    let mut cells: Vec<Cell> = Vec::new();
    for count in [15, 40, 100] {
        for shared in [0.0, 1.0, 3.0] {
            cells.push((
                format!("{count} clusters that share {shared}"),
                0.4,
                Box::new(move |random| {
                    let (values, clusters) = clustered(random, count, shared);
                    clustered_mean(&values, &clusters, 0.95)
                }),
            ));
        }
    }
    check("clustered mean", cells, (0.935, 0.96));
}

#[test]
fn a_bootstrap_over_clusters() {
    // Few rounds and cells: each is a bootstrap of its own.
    let mut held = 0;
    let mut random = Draws::new(11);
    for seed in 0..400 {
        let (values, clusters) = clustered(&mut random, 60, 1.0);
        let mean =
            |drawn: &[usize]| hanok_stats::mean(&drawn.iter().map(|at| values[*at]).collect::<Vec<_>>());
        let estimate = cluster_bootstrap(&clusters, 400, seed, 0.95, mean).unwrap();
        held += usize::from(estimate.low <= 0.4 && 0.4 <= estimate.high);
    }
    println!("cluster bootstrap: {:.1} % of 400", held as f64 / 4.0);
    assert!((365..=395).contains(&held), "{held}");
}

#[test]
fn a_judge_that_errs_is_corrected() {
    let mut cells: Vec<Cell> = Vec::new();
    for (se, sp) in [(0.9, 0.9), (0.95, 0.7), (0.75, 0.85)] {
        for truth in [0.2, 0.5, 0.85] {
            for (checked, judged) in [(100, 500), (300, 2000)] {
                cells.push((
                    format!("sensitivity {se}, specificity {sp}, share {truth}, {checked} checked"),
                    truth,
                    Box::new(move |random| {
                        let positives = checked / 2;
                        let hits = successes(random, positives, se) as u64;
                        let rejections = successes(random, checked - positives, sp) as u64;
                        let known = Detection {
                            hits,
                            misses: positives as u64 - hits,
                            rejections,
                            false_alarms: (checked - positives) as u64 - rejections,
                        };
                        let yes = successes(random, judged, truth * se + (1.0 - truth) * (1.0 - sp));
                        rogan_gladen(yes, judged, known, 0.95).ok()
                    }),
                ));
            }
        }
    }
    check("Rogan-Gladen", cells, (0.94, 0.97));
}

#[test]
fn a_judge_helps_few_labels() {
    let mut cells: Vec<Cell> = Vec::new();
    for labels in [30, 100, 300] {
        for agreement in [0.5, 0.8, 0.95] {
            cells.push((
                format!("{labels} labels, agreement {agreement}"),
                0.6,
                Box::new(move |random| {
                    let judge = |random: &mut Draws, truth: f64| {
                        if random.unit() < agreement { truth } else { 1.0 - truth }
                    };
                    let yes = |random: &mut Draws| f64::from(u8::from(random.unit() < 0.6));
                    let known: Vec<f64> = (0..labels).map(|_| yes(random)).collect();
                    let checked: Vec<f64> = known.iter().map(|truth| judge(random, *truth)).collect();
                    let judged: Vec<f64> = (0..1000)
                        .map(|_| {
                            let truth = yes(random);
                            judge(random, truth)
                        })
                        .collect();
                    prediction_powered(&known, &checked, &judged, 0.95).ok()
                }),
            ));
        }
    }
    check("PPI++", cells, (0.935, 0.96));
}

/// Whether samples of clusters are right, where clusters differ in how easily they are, and what a judge with this
/// sensitivity and specificity says of them: 1 and 0.
fn judged_clusters(
    random: &mut Draws,
    count: usize,
    (se, sp): (f64, f64),
) -> (Vec<f64>, Vec<f64>, Vec<usize>) {
    let (mut truths, mut said, mut clusters) = (Vec::new(), Vec::new(), Vec::new());
    for cluster in 0..count {
        // Half of the clusters are right in 9 of 10 cases and half in 3 of 10: in 6 of 10 together.
        let ease = if random.unit() < 0.5 { 0.9 } else { 0.3 };
        for _ in 0..4 {
            let truth = random.unit() < ease;
            let yes = random.unit() < if truth { se } else { 1.0 - sp };
            truths.push(f64::from(u8::from(truth)));
            said.push(f64::from(u8::from(yes)));
            clusters.push(cluster);
        }
    }
    (truths, said, clusters)
}

#[test]
fn corrected_rates_over_clusters() {
    // Each draw is a bootstrap of its own: few draws and rounds, and the error of the simulation is told beside.
    const DRAWS: u64 = 200;
    let mean_of = |values: &[f64]| hanok_stats::mean(values);
    let mut all = [Vec::new(), Vec::new()];
    for (known, judge) in [(40, (0.9, 0.85)), (80, (0.8, 0.9))] {
        let mut random = Draws::new(known as u64);
        let mut held = [0_u64; 2];
        for seed in 0..DRAWS {
            let (labels, checked, mut clusters) = judged_clusters(&mut random, known, judge);
            let (_, judged, others) = judged_clusters(&mut random, 60, judge);
            clusters.extend(others.iter().map(|cluster| cluster + known));
            let split = |drawn: &[usize]| {
                let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
                for at in drawn {
                    match labels.get(*at) {
                        Some(label) => {
                            a.push(*label);
                            b.push(checked[*at]);
                        }
                        None => c.push(judged[*at - labels.len()]),
                    }
                }
                (a, b, c)
            };
            let predicted = |drawn: &[usize]| {
                let (labels, checked, judged) = split(drawn);
                prediction_powered(&labels, &checked, &judged, 0.95).ok().map(|estimate| estimate.value)
            };
            let by_shares = |drawn: &[usize]| {
                let (labels, checked, judged) = split(drawn);
                let told = |wanted: bool| {
                    let said = labels.iter().zip(&checked).filter(|(label, _)| (**label > 0.5) == wanted);
                    mean_of(&said.map(|(_, said)| *said).collect::<Vec<_>>())
                };
                let (sensitivity, alarms) = (told(true)?, told(false)?);
                (sensitivity > alarms)
                    .then_some(((mean_of(&judged)? - alarms) / (sensitivity - alarms)).clamp(0.0, 1.0))
            };
            let estimates = [
                cluster_bootstrap(&clusters, 150, seed, 0.95, predicted).unwrap(),
                cluster_bootstrap(&clusters, 150, seed, 0.95, by_shares).unwrap(),
            ];
            for (held, estimate) in held.iter_mut().zip(estimates) {
                *held += u64::from(estimate.low <= 0.6 && 0.6 <= estimate.high);
            }
        }
        for ((name, held), all) in ["PPI++", "Rogan-Gladen"].iter().zip(held).zip(&mut all) {
            let coverage = held as f64 / DRAWS as f64;
            let error = (coverage * (1.0 - coverage) / DRAWS as f64).sqrt();
            println!(
                "{name} over clusters: {known} labelled, {:.1} % (Monte-Carlo error {:.1}, {DRAWS} draws)",
                coverage * 100.0,
                error * 100.0
            );
            all.push(coverage);
        }
    }
    for coverage in all {
        let mean = mean_of(&coverage).unwrap();
        assert!((0.92..=0.98).contains(&mean), "{mean}");
    }
}

#[test]
fn a_judge_at_chance_is_refused() {
    let always_yes = Detection { hits: 50, misses: 0, false_alarms: 50, rejections: 0 };
    let coin = Detection { hits: 26, misses: 24, false_alarms: 25, rejections: 25 };
    let upside_down = Detection { hits: 5, misses: 45, false_alarms: 45, rejections: 5 };
    for judge in [always_yes, coin, upside_down] {
        let refused = rogan_gladen(300, 1000, judge, 0.95);
        assert!(matches!(refused, Err(Uncorrectable::NoBetterThanChance { .. })), "{refused:?}");
    }
    let one_kind = Detection { hits: 40, misses: 10, ..Detection::default() };
    assert_eq!(rogan_gladen(300, 1000, one_kind, 0.95), Err(Uncorrectable::OneKind));
}
