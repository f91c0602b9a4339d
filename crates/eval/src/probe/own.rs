//! Whose answers a judge prefers.

use super::result::{Kind, Probe, State};
use super::run::{Options, ProbeCase};
use crate::calibration::{Figure, Method};
use crate::judge::{Form, Scale};
use hanok_stats::mean;
use hanok_stats::resample::cluster_bootstrap;

/// Families of models by what their names have in them.
const FAMILIES: &[(&str, &str)] = &[
    ("claude", "claude"),
    ("chatgpt", "gpt"),
    ("gpt", "gpt"),
    ("davinci", "gpt"),
    ("codex", "gpt"),
    ("gemini", "gemini"),
    ("gemma", "gemini"),
    ("palm", "gemini"),
    ("llama", "llama"),
    ("codestral", "mistral"),
    ("magistral", "mistral"),
    ("ministral", "mistral"),
    ("mixtral", "mistral"),
    ("mistral", "mistral"),
    ("qwen", "qwen"),
    ("qwq", "qwen"),
    ("deepseek", "deepseek"),
    ("command", "command"),
    ("grok", "grok"),
    ("exaone", "exaone"),
    ("solar", "solar"),
    ("hyperclova", "hyperclova"),
    ("phi", "phi"),
    ("nova", "nova"),
    ("glm", "glm"),
    ("kimi", "kimi"),
];

/// The family of a model by its name, with or without a provider before it: models of one family prefer each other's
/// words. One that is not known is its own family, by the letters its name begins with.
pub fn family(model: &str) -> String {
    let bare = model.rsplit('/').next().unwrap_or(model).to_lowercase();
    let known = FAMILIES.iter().find(|(part, _)| bare.contains(part)).map(|(_, family)| (*family).to_owned());
    // OpenAI's o1, o3 and their like have no name but a number.
    let is_o =
        bare.strip_prefix('o').and_then(|rest| rest.chars().next()).is_some_and(|c| c.is_ascii_digit());
    known.unwrap_or_else(|| {
        if is_o { "gpt".to_owned() } else { bare.chars().take_while(|c| c.is_alphabetic()).collect() }
    })
}

/// How much kinder than people a judge is to answers of its own families, less how much to those of others; from
/// verdicts that are there.
pub(super) fn own(judges: &[String], scale: &Scale, cases: &[ProbeCase], options: &Options) -> Probe {
    let families: Vec<String> = judges.iter().map(|model| family(model)).collect();
    let number = |level: usize| {
        if scale.form == Form::Binary { f64::from(u8::from(level > 0)) } else { scale.number(level) }
    };
    let span = if scale.form == Form::Binary { 1.0 } else { (number(scale.best()) - number(0)).abs() };
    let mut rows = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        if let (Some(author), Some(truth), Some(said)) = (&case.author, case.truth, case.said) {
            let cluster = case.cluster.clone().unwrap_or_else(|| format!("\u{0}{at}"));
            let is_own = families.contains(&family(author));
            rows.push((is_own, (number(said) - number(truth)) / span.max(f64::MIN_POSITIVE), cluster));
        }
    }
    let count = rows.iter().filter(|(is_own, ..)| *is_own).count();
    if count < 2 || rows.len() - count < 2 {
        let why = "it takes labelled answers of the judge's own family and of others, with the `model` that wrote them";
        return Probe::skipped(Kind::Own, why);
    }
    let clusters: Vec<&String> = rows.iter().map(|(.., cluster)| cluster).collect();
    let kinder = |drawn: &[usize]| {
        let of = |wanted: bool| {
            let kindness: Vec<f64> = drawn
                .iter()
                .filter_map(|at| rows.get(*at))
                .filter(|(is_own, ..)| *is_own == wanted)
                .map(|(_, kindness, _)| *kindness)
                .collect();
            mean(&kindness)
        };
        Some(of(true)? - of(false)?)
    };
    let estimate = cluster_bootstrap(&clusters, options.rounds, options.seed, options.confidence, kinder);
    let mut probe = Probe::skipped(Kind::Own, "");
    probe.n = rows.len();
    probe.hits = count;
    probe.rate = estimate.map(|estimate| Figure::of(estimate, Method::Bootstrap));
    probe.why = None;
    probe.state = match probe.rate {
        Some(rate) if rate.value <= 0.02 || rate.low <= 0.0 => State::Fine,
        Some(rate) if rate.value <= 0.10 => State::Watch,
        Some(_) => State::Fails,
        None => State::Skipped,
    };
    probe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_have_families() {
        let check = |a: &str, b: &str, same: bool| assert_eq!(family(a) == family(b), same, "{a} {b}");
        check("openai/gpt-5-mini", "o3", true);
        check("anthropic/claude-haiku-4-5", "bedrock/us.anthropic.claude-opus", true);
        check("gemini-3-pro", "google/gemma-4", true);
        check("gpt-5", "claude-sonnet", false);
        check("acme/wizard-7b", "wizard-70b", true);
        check("acme/wizard-7b", "other", false);
    }
}
