//! Answers lines of JSON, `{"of": NAME, ...}`, with a line of JSON each: so that another program's statistics can be
//! compared with these.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use hanok_stats::agreement::{Confusion, Weights, kendall_tau_b, spearman_rho};
use hanok_stats::interval::{
    Estimate, clopper_pearson, clustered_mean, difference_of_shares, mean_interval, wilson,
};
use hanok_stats::paired::{Compared, mcnemar_exact, paired_clustered, paired_t};
use hanok_stats::{distribution, multiple, power, repeats};
use serde_json::{Value, json};
use std::io::BufRead;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for line in std::io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        println!("{}", answer(&asked).unwrap_or_else(|| json!({"unknown": asked})));
    }
    Ok(())
}

fn answer(asked: &Value) -> Option<Value> {
    let number = |name: &str| asked.get(name)?.as_f64();
    let whole = |name: &str| asked.get(name)?.as_u64();
    let size = |name: &str| usize::try_from(asked.get(name)?.as_u64()?).ok();
    let list =
        |name: &str| -> Option<Vec<f64>> { asked.get(name)?.as_array()?.iter().map(Value::as_f64).collect() };
    let labels =
        |name: &str| -> Option<Vec<u64>> { asked.get(name)?.as_array()?.iter().map(Value::as_u64).collect() };
    let confidence = number("confidence").unwrap_or(0.95);
    Some(match asked.get("of")?.as_str()? {
        "t_quantile" => json!(distribution::t_quantile(number("p")?, number("freedom")?)),
        "normal_quantile" => json!(distribution::normal_quantile(number("p")?)),
        "noncentral_t" => {
            json!(distribution::noncentral_t_cdf(number("x")?, number("freedom")?, number("shift")?))
        }
        "wilson" => interval(wilson(size("successes")?, size("trials")?, confidence)?),
        "clopper_pearson" => interval(clopper_pearson(size("successes")?, size("trials")?, confidence)?),
        "newcombe" => interval(difference_of_shares(
            (size("a")?, size("of_a")?),
            (size("b")?, size("of_b")?),
            confidence,
        )?),
        "mean" => interval(mean_interval(&list("values")?, confidence)?),
        "clustered" => interval(clustered_mean(&list("values")?, &labels("clusters")?, confidence)?),
        "paired_t" => compared(paired_t(&list("first")?, &list("second")?, confidence)?),
        "paired_clustered" => {
            compared(paired_clustered(&list("first")?, &list("second")?, &labels("clusters")?, confidence)?)
        }
        "mcnemar" => json!(mcnemar_exact(whole("wins")?, whole("losses")?)),
        "tau_b" => json!(kendall_tau_b(&list("x")?, &list("y")?)),
        "rho" => json!(spearman_rho(&list("x")?, &list("y")?)),
        "agreement" => {
            let pairs = labels("first")?.into_iter().zip(labels("second")?);
            let small = |label: u64| usize::try_from(label).unwrap_or(usize::MAX);
            let all = Confusion::of(size("k")?, pairs.map(|(a, b)| (small(a), small(b))));
            let yes = all.detection(1);
            json!({
                "kappa": all.kappa(Weights::Equal), "linear": all.kappa(Weights::Linear),
                "quadratic": all.kappa(Weights::Quadratic), "ac1": all.ac1(),
                "precision": yes.precision(), "recall": yes.recall(),
                "specificity": yes.specificity(), "f1": yes.f1(),
            })
        }
        "holm" => json!(multiple::holm(&list("p")?)),
        "bh" => json!(multiple::benjamini_hochberg(&list("p")?)),
        "power" => json!(power::power(number("effect")?, size("n")?, number("level")?)),
        "mde" => json!(power::minimum_detectable_effect(size("n")?, number("level")?, number("power")?)),
        "pass_at" => json!(repeats::pass_at(whole("k")?, whole("successes")?, whole("tries")?)),
        "pass_all" => json!(repeats::pass_all(whole("k")?, whole("successes")?, whole("tries")?)),
        _ => return None,
    })
}

fn interval(estimate: Estimate) -> Value {
    json!([estimate.value, estimate.low, estimate.high])
}

fn compared(compared: Compared) -> Value {
    json!([compared.difference.value, compared.difference.low, compared.difference.high, compared.p])
}
