//! The tokens of a call by kind, each with what it cost, where today's prices are those it was charged at.

use crate::ui::view::{TokenKind, UsageLine, UsageView};
use hanok_base::{NanoDollars, Object, Usage};
use hanok_trace::attribute as name;
use hanok_trace::{Price, Prices, ServiceTier};
use serde_json::Value;

/// The tokens and money of a span; `None` where it says nothing of either.
pub(super) fn usage(attributes: &Object, prices: &Prices) -> Option<UsageView> {
    let usage = counted(attributes);
    if usage.input.is_none() && usage.output.is_none() {
        return None;
    }
    let cost_usd = attributes.get(name::COST).and_then(Value::as_f64);
    let mut lines = kinds(&usage);
    if let Some(price) = price(attributes, prices)
        && let Some(cost) = cost_usd
    {
        priced(&mut lines, &usage, &price, cost);
    }
    Some(UsageView {
        total: usage.input.zip(usage.output).map(|(input, output)| input.saturating_add(output)),
        lines,
        cost_usd,
        estimated: attributes.get(name::USAGE_ESTIMATED).and_then(Value::as_bool).unwrap_or(false),
    })
}

fn counted(attributes: &Object) -> Usage {
    let count = |name: &str| attributes.get(name).and_then(Value::as_u64);
    Usage {
        input: count(name::INPUT_TOKENS),
        output: count(name::OUTPUT_TOKENS),
        cached_input: count(name::CACHED_TOKENS),
        cache_write: count(name::CACHE_WRITE_TOKENS),
        reasoning: count(name::REASONING_TOKENS),
        cache_write_long: count(name::CACHE_WRITE_LONG_TOKENS),
        input_audio: count(name::INPUT_AUDIO_TOKENS),
        input_image: count(name::INPUT_IMAGE_TOKENS),
        output_audio: count(name::OUTPUT_AUDIO_TOKENS),
        output_image: count(name::OUTPUT_IMAGE_TOKENS),
    }
}

/// Each kind once: what is counted as a kind of its own is not counted as input or output again.
fn kinds(usage: &Usage) -> Vec<UsageLine> {
    let some = |count: Option<u64>| count.unwrap_or(0);
    let of_input = [usage.cached_input, usage.cache_write, usage.input_audio, usage.input_image];
    let of_output = [usage.reasoning, usage.output_audio, usage.output_image];
    let rest = |all: Option<u64>, parts: &[Option<u64>]| {
        all.map(|all| parts.iter().fold(all, |left, part| left.saturating_sub(some(*part))))
    };
    let lines = [
        (TokenKind::Input, rest(usage.input, &of_input)),
        (TokenKind::Cached, usage.cached_input),
        (TokenKind::Written, usage.cache_write),
        (TokenKind::InputAudio, usage.input_audio),
        (TokenKind::InputImage, usage.input_image),
        (TokenKind::Output, rest(usage.output, &of_output)),
        (TokenKind::Reasoning, usage.reasoning),
        (TokenKind::OutputAudio, usage.output_audio),
        (TokenKind::OutputImage, usage.output_image),
    ];
    let shown =
        |kind: TokenKind, count: u64| count > 0 || matches!(kind, TokenKind::Input | TokenKind::Output);
    lines
        .into_iter()
        .filter_map(|(kind, count)| Some((kind, count?)))
        .filter(|(kind, count)| shown(*kind, *count))
        .map(|(kind, count)| UsageLine { kind, count, price: None })
        .collect()
}

fn price(attributes: &Object, prices: &Prices) -> Option<Price> {
    let text = |name: &str| attributes.get(name).and_then(Value::as_str);
    let price = prices.find(text(name::PROVIDER)?, text(name::REQUEST_MODEL), text(name::RESPONSE_MODEL))?;
    Some(match text(name::SERVICE_TIER) {
        Some(tier) => price.tier(ServiceTier::parse(tier)),
        None => price,
    })
}

/// Prices each kind by itself. Prices change, and long prompts have others: where the parts do not make up the
/// recorded cost, to the micro-dollar, no price stands beside them.
fn priced(lines: &mut [UsageLine], usage: &Usage, price: &Price, cost: f64) {
    let parts: Option<Vec<f64>> =
        lines.iter().map(|line| price.cost(&alone(line, usage)).map(NanoDollars::dollars)).collect();
    let Some(parts) = parts else { return };
    if (parts.iter().sum::<f64>() - cost).abs() > 1e-6 {
        return;
    }
    for (line, cost) in lines.iter_mut().zip(parts) {
        line.price = Some((per_million(cost, line.count), cost));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a price for people")]
fn per_million(cost: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { cost * 1e6 / count as f64 }
}

/// Usage of this kind and no other.
fn alone(line: &UsageLine, usage: &Usage) -> Usage {
    let count = Some(line.count);
    let input = Usage { input: count, output: Some(0), ..Usage::default() };
    let output = Usage { input: Some(0), output: count, ..Usage::default() };
    match line.kind {
        TokenKind::Input => input,
        TokenKind::Cached => Usage { cached_input: count, ..input },
        TokenKind::Written => Usage { cache_write: count, cache_write_long: usage.cache_write_long, ..input },
        TokenKind::InputAudio => Usage { input_audio: count, ..input },
        TokenKind::InputImage => Usage { input_image: count, ..input },
        TokenKind::Output => output,
        TokenKind::Reasoning => Usage { reasoning: count, ..output },
        TokenKind::OutputAudio => Usage { output_audio: count, ..output },
        TokenKind::OutputImage => Usage { output_image: count, ..output },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TokenKind::{Cached, Input, Output, Reasoning};
    use serde_json::json;

    #[test]
    fn kinds_add_up_and_are_priced_only_when_they_make_up_the_cost() {
        let prices = Prices::default().with_override("p/m", Price::per_million(1.0, 5.0).cached(0.1));
        let check = |more: Value, want: &[(TokenKind, u64, Option<f64>)]| {
            let mut attributes = json!({"gen_ai.provider.name": "p", "gen_ai.request.model": "m"});
            let both = attributes.as_object_mut().unwrap();
            both.extend(more.as_object().unwrap().clone());
            let view = usage(both, &prices).unwrap();
            let got: Vec<_> = view.lines.iter().map(|l| (l.kind, l.count, l.price.map(|(p, _)| p))).collect();
            assert_eq!(got, want);
        };
        let counts = json!({"gen_ai.usage.input_tokens": 1_000, "gen_ai.usage.cache_read.input_tokens": 400,
            "gen_ai.usage.output_tokens": 200, "gen_ai.usage.reasoning.output_tokens": 50});
        let with = |cost: f64| {
            let mut all = counts.clone();
            all["hanok.cost_usd"] = cost.into();
            all
        };
        let plain = [(Input, 600, None), (Cached, 400, None), (Output, 150, None), (Reasoning, 50, None)];
        check(counts.clone(), &plain);
        check(with(0.5), &plain);
        check(
            with(0.000_6 + 0.000_04 + 0.001),
            &[
                (Input, 600, Some(1.0)),
                (Cached, 400, Some(0.1)),
                (Output, 150, Some(5.0)),
                (Reasoning, 50, Some(5.0)),
            ],
        );
        assert!(usage(&Object::new(), &prices).is_none());
    }
}
