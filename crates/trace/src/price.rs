//! Prices and costs, in integers from end to end.

use hanok_base::{NanoDollars, Usage};

/// What a model's tokens cost.
///
/// Rates are kept in pico-dollars (10⁻¹² US dollars) per token, which holds any price of at most six decimals
/// per million tokens exactly. A cost is exact until it is rounded, once, to whole nano-dollars, halves up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub(crate) rates: Rates,
    /// What every call costs besides its tokens, in pico-dollars.
    pub(crate) per_call: i64,
    pub(crate) long: Option<Long>,
    pub(crate) tiers: Tiers,
    /// The service tier that is charged; `None` where it is not known.
    tier: Option<ServiceTier>,
}

/// Pico-dollars per token. What has no rate of its own has that of its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) input: i64,
    pub(crate) cached_input: i64,
    pub(crate) cache_write: i64,
    pub(crate) cache_write_long: i64,
    pub(crate) input_audio: i64,
    pub(crate) input_image: i64,
    pub(crate) output: i64,
    pub(crate) reasoning: i64,
    pub(crate) output_audio: i64,
    pub(crate) output_image: i64,
}

/// A factor as a fraction, so that it is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Factor(pub(crate) i64, pub(crate) i64);

impl Factor {
    pub(crate) const ONE: Self = Self(1, 1);
    pub(crate) const HALF: Self = Self(1, 2);
    pub(crate) const DOUBLE: Self = Self(2, 1);

    fn exceeds(self, other: Self) -> bool {
        i128::from(self.0) * i128::from(other.1) > i128::from(other.0) * i128::from(self.1)
    }
}

/// Other rates for a long prompt: those of the whole call, once the prompt is longer than so many tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Long {
    pub(crate) above: u64,
    /// `None`: what it costs is not known, and such calls are unpriced rather than priced wrong.
    pub(crate) factors: Option<(Factor, Factor)>,
}

/// What service tiers cost, against the standard one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tiers {
    pub(crate) flex: Factor,
    pub(crate) batch: Factor,
    pub(crate) priority: Factor,
    pub(crate) fast: Factor,
}

impl Tiers {
    /// What is assumed where a vendor's prices are not known: no discount, and double for being first, which
    /// is about what those that publish one charge. An estimate upwards: a dearer tier is no way around a budget.
    pub(crate) const ASSUMED: Self =
        Self { flex: Factor::ONE, batch: Factor::ONE, priority: Factor::DOUBLE, fast: Factor::DOUBLE };
}

/// How urgently a provider serves a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceTier {
    /// As usual.
    Standard,
    /// Later and cheaper.
    Flex,
    /// In a batch, within a day.
    Batch,
    /// Before others.
    Priority,
    /// On faster machines.
    Fast,
}

impl ServiceTier {
    /// The tier of this name, as requests and answers write it; unknown ones are taken for standard.
    pub fn parse(name: &str) -> Self {
        match name {
            "flex" => Self::Flex,
            "batch" => Self::Batch,
            "priority" => Self::Priority,
            "fast" => Self::Fast,
            _ => Self::Standard,
        }
    }
}

impl Price {
    /// US dollars per million tokens of input and of output. Everything else costs the same as its side until
    /// said otherwise.
    pub fn per_million(input: f64, output: f64) -> Self {
        Self::flat(pico(input), pico(output))
    }

    pub(crate) const fn flat(input: i64, output: i64) -> Self {
        let rates = Rates {
            input,
            cached_input: input,
            cache_write: input,
            cache_write_long: input,
            input_audio: input,
            input_image: input,
            output,
            reasoning: output,
            output_audio: output,
            output_image: output,
        };
        Self { rates, per_call: 0, long: None, tiers: Tiers::ASSUMED, tier: None }
    }

    /// Nothing at all: for what runs on the user's own machines.
    pub(crate) const FREE: Self = Self::flat(0, 0);

    /// The same with another price for input read from the provider's cache.
    #[must_use]
    pub fn cached(mut self, cached_input: f64) -> Self {
        self.rates.cached_input = pico(cached_input);
        self
    }

    /// The same with another price for input written to the provider's cache, however long it is kept.
    #[must_use]
    pub fn cache_write(mut self, cache_write: f64) -> Self {
        self.rates.cache_write = pico(cache_write);
        self.rates.cache_write_long = self.rates.cache_write;
        self
    }

    /// The same with another price for input written to the provider's cache for an hour.
    #[must_use]
    pub fn cache_write_long(mut self, cache_write_long: f64) -> Self {
        self.rates.cache_write_long = pico(cache_write_long);
        self
    }

    /// The same with another price for reasoning.
    #[must_use]
    pub fn reasoning(mut self, reasoning: f64) -> Self {
        self.rates.reasoning = pico(reasoning);
        self
    }

    /// The same with other prices for tokens of audio, in and out.
    #[must_use]
    pub fn audio(mut self, input: f64, output: f64) -> Self {
        self.rates.input_audio = pico(input);
        self.rates.output_audio = pico(output);
        self
    }

    /// The same with other prices for tokens of images, in and out.
    #[must_use]
    pub fn image(mut self, input: f64, output: f64) -> Self {
        self.rates.input_image = pico(input);
        self.rates.output_image = pico(output);
        self
    }

    /// The same with a price in US dollars for each call, besides its tokens.
    #[must_use]
    pub fn per_call(mut self, dollars: f64) -> Self {
        self.per_call = pico(dollars).saturating_mul(1_000_000);
        self
    }

    /// The same for prompts of at most so many tokens; longer ones are unpriced rather than priced wrong.
    #[must_use]
    pub fn up_to(mut self, tokens: u64) -> Self {
        self.long = Some(Long { above: tokens, factors: None });
        self
    }

    /// The same with prompts longer than so many tokens at other prices (per million tokens of input and of
    /// output); other kinds of tokens grow as their side does.
    #[must_use]
    pub fn above(mut self, tokens: u64, input: f64, output: f64) -> Self {
        let factor = |price: f64, base: i64| if base == 0 { Factor::ONE } else { Factor(pico(price), base) };
        let factors = (factor(input, self.rates.input), factor(output, self.rates.output));
        self.long = Some(Long { above: tokens, factors: Some(factors) });
        self
    }

    /// The same in this service tier.
    #[must_use]
    pub fn tier(mut self, tier: ServiceTier) -> Self {
        self.tier = Some(tier);
        self
    }

    /// The same with audio and images at the price of text: for calls that are known to hold neither.
    #[must_use]
    pub fn text_only(mut self) -> Self {
        self.rates.input_audio = self.rates.input;
        self.rates.input_image = self.rates.input;
        self.rates.output_audio = self.rates.output;
        self.rates.output_image = self.rates.output;
        self
    }

    /// What the tokens cost, in the tier that was set, or else the standard one. `None` when it is not known:
    /// the provider did not say how many there were, or the prompt is longer than the price holds for.
    ///
    /// Cached and written tokens, audio and images are part of the input; reasoning, audio and images are part
    /// of the output.
    pub fn cost(&self, usage: &Usage) -> Option<NanoDollars> {
        let input = match usage.input {
            Some(input) => input,
            None if self.per_call > 0 => 0,
            None => return None,
        };
        let rates = &self.rates;
        let mut of_input = Share { left: input, pico: 0 };
        of_input.take(usage.cached_input, rates.cached_input);
        let long_write = usage.cache_write_long.unwrap_or(0).min(usage.cache_write.unwrap_or(0));
        of_input.take(Some(long_write), rates.cache_write_long);
        of_input.take(usage.cache_write.map(|all| all - long_write), rates.cache_write);
        of_input.take(usage.input_audio, rates.input_audio);
        of_input.take(usage.input_image, rates.input_image);
        let mut of_output = Share { left: usage.output.unwrap_or(0), pico: 0 };
        of_output.take(usage.output_audio, rates.output_audio);
        of_output.take(usage.output_image, rates.output_image);
        of_output.take(usage.reasoning, rates.reasoning);
        self.sum(
            input,
            of_input.rest(rates.input),
            of_output.rest(rates.output),
            self.factor(self.tier.unwrap_or(ServiceTier::Standard)),
        )
    }

    /// The most that so many tokens can cost: every token at the dearest rate of its side, long prompts at
    /// theirs, and the dearest service tier unless one was set. For reservations. `None` as for [`Self::cost`].
    pub fn at_most(&self, input: u64, output: u64) -> Option<NanoDollars> {
        let rates = &self.rates;
        let dearest_in =
            rates.input.max(rates.cached_input).max(rates.cache_write).max(rates.cache_write_long);
        let dearest_in = dearest_in.max(rates.input_audio).max(rates.input_image);
        let dearest_out = rates.output.max(rates.reasoning).max(rates.output_audio).max(rates.output_image);
        let all = [
            ServiceTier::Standard,
            ServiceTier::Flex,
            ServiceTier::Batch,
            ServiceTier::Priority,
            ServiceTier::Fast,
        ];
        let factor = match self.tier {
            Some(tier) => self.factor(tier),
            None => all
                .into_iter()
                .map(|tier| self.factor(tier))
                .fold(Factor::ONE, |most, factor| if factor.exceeds(most) { factor } else { most }),
        };
        let side = |tokens: u64, rate: i64| i128::from(tokens) * i128::from(rate);
        self.sum(input, side(input, dearest_in), side(output, dearest_out), factor)
    }

    fn factor(&self, tier: ServiceTier) -> Factor {
        match tier {
            ServiceTier::Standard => Factor::ONE,
            ServiceTier::Flex => self.tiers.flex,
            ServiceTier::Batch => self.tiers.batch,
            ServiceTier::Priority => self.tiers.priority,
            ServiceTier::Fast => self.tiers.fast,
        }
    }

    /// The whole, of pico-dollars at the rates of short prompts.
    fn sum(&self, prompt: u64, input: i128, output: i128, tier: Factor) -> Option<NanoDollars> {
        let (of_input, of_output) = match self.long {
            Some(long) if prompt > long.above => long.factors?,
            _ => (Factor::ONE, Factor::ONE),
        };
        // All over one denominator, so that nothing is rounded before the end.
        let (in_by, out_by) = (i128::from(of_input.1), i128::from(of_output.1));
        let scaled = |pico: i128, factor: Factor, other: i128| {
            pico.checked_mul(i128::from(factor.0))?.checked_mul(other)
        };
        let tokens = scaled(input, of_input, out_by)?.checked_add(scaled(output, of_output, in_by)?)?;
        let over = in_by.checked_mul(out_by)?;
        let pico = tokens.checked_add(i128::from(self.per_call).checked_mul(over)?)?;
        let pico = pico.checked_mul(i128::from(tier.0))?;
        let nano_over = over.checked_mul(i128::from(tier.1))?.checked_mul(1_000)?;
        let doubled = pico.checked_mul(2)?.checked_add(nano_over)?;
        i64::try_from(doubled.div_euclid(nano_over.checked_mul(2)?)).ok().map(NanoDollars)
    }
}

/// The tokens of one side, given out to the kinds they are.
struct Share {
    left: u64,
    pico: i128,
}

impl Share {
    /// No more than there are: providers have been seen to count a kind beyond its side.
    fn take(&mut self, tokens: Option<u64>, rate: i64) {
        let tokens = tokens.unwrap_or(0).min(self.left);
        self.left -= tokens;
        self.pico += i128::from(tokens) * i128::from(rate);
    }

    fn rest(self, rate: i64) -> i128 {
        self.pico + i128::from(self.left) * i128::from(rate)
    }
}

/// Dollars per million tokens are micro-dollars per token.
impl Price {
    /// US dollars per million tokens of input and of output, for people.
    #[expect(clippy::cast_precision_loss, reason = "a price for people")]
    pub fn headline(&self) -> (f64, f64) {
        (self.rates.input as f64 / 1e6, self.rates.output as f64 / 1e6)
    }

    /// Whether neither tokens nor calls cost anything.
    pub fn is_free(&self) -> bool {
        self.rates == Self::FREE.rates && self.per_call == 0
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, at prices nobody charges")]
pub(crate) fn pico(dollars_per_million: f64) -> i64 {
    (dollars_per_million * 1e6).round().max(0.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64, cached: u64, output: u64) -> Usage {
        Usage { input: Some(input), cached_input: Some(cached), output: Some(output), ..Usage::default() }
    }

    fn check(price: Price, usage: Usage, nano: Option<i64>) {
        assert_eq!(price.cost(&usage), nano.map(NanoDollars), "{price:?} {usage:?}");
    }

    #[test]
    fn costs_are_exact() {
        let haiku = Price::per_million(1.0, 5.0).cached(0.1);
        check(haiku, usage(2316, 1024, 148), Some(1_292_000 + 102_400 + 740_000));
        check(haiku, usage(0, 0, 0), Some(0));
        check(haiku, usage(10, 99, 0), Some(1_000));
        check(haiku, Usage::default(), None);
        // 0.0375 dollars per million are 37.5 nano-dollars: halves go up.
        check(Price::per_million(0.0375, 0.0), usage(1, 0, 0), Some(38));
        check(Price::per_million(0.0375, 0.0), usage(2, 0, 0), Some(75));
        check(Price::per_million(3.0, 15.0).up_to(100), usage(101, 0, 1), None);
        check(haiku, usage(u64::MAX, 0, u64::MAX), None);
    }

    #[test]
    fn every_kind_of_token_has_its_price() {
        let price = Price::per_million(1.0, 10.0)
            .cached(0.1)
            .cache_write(1.25)
            .cache_write_long(2.0)
            .reasoning(20.0)
            .audio(5.0, 30.0)
            .image(7.0, 40.0);
        let all = Usage {
            input: Some(100),
            cached_input: Some(10),
            cache_write: Some(30),
            cache_write_long: Some(20),
            input_audio: Some(5),
            input_image: Some(5),
            output: Some(100),
            reasoning: Some(40),
            output_audio: Some(10),
            output_image: Some(20),
        };
        let input = 10 * 100 + 20 * 2_000 + 10 * 1_250 + 5 * 5_000 + 5 * 7_000 + 50 * 1_000;
        let output = 40 * 20_000 + 10 * 30_000 + 20 * 40_000 + 30 * 10_000;
        check(price, all, Some(input + output));
        // More of a kind than there is of its side.
        let odd = Usage { input_audio: Some(500), output_image: Some(500), ..usage(100, 0, 10) };
        check(price, odd, Some(100 * 5_000 + 10 * 40_000));
        let odd = Usage { cache_write_long: Some(50), ..usage(100, 0, 0) };
        check(price, odd, Some(100 * 1_000));
        check(price.text_only(), Usage { input_audio: Some(5), ..usage(10, 0, 0) }, Some(10_000));
    }

    #[test]
    fn long_prompts_and_service_tiers() {
        let price = Price::per_million(1.25, 10.0).cached(0.125).above(200_000, 2.5, 15.0);
        check(price, usage(200_000, 100_000, 10), Some(125_000_000 + 12_500_000 + 100_000));
        check(price, usage(200_001, 100_000, 10), Some(100_001 * 2_500 + 25_000_000 + 150_000));
        let tiers = Tiers { flex: Factor::HALF, priority: Factor(5, 3), ..Tiers::ASSUMED };
        let mini = Price { tiers, ..Price::per_million(0.15, 0.6) };
        check(mini.tier(ServiceTier::Flex), usage(1, 0, 0), Some(75));
        check(mini.tier(ServiceTier::Priority), usage(1, 0, 1), Some(250 + 1_000));
        check(mini.tier(ServiceTier::Batch), usage(1, 0, 0), Some(150));
        check(Price::per_million(0.0, 0.0).per_call(0.002), Usage::default(), Some(2_000_000));
    }

    #[test]
    fn nothing_costs_more_than_at_most() {
        let price = Price::per_million(1.0, 10.0)
            .cached(0.1)
            .cache_write(1.25)
            .cache_write_long(2.0)
            .audio(5.0, 30.0)
            .above(1_000, 3.0, 15.0);
        for input in [0, 1, 999, 1_000, 1_001, 50_000] {
            for output in [0, 1, 777] {
                let most = price.at_most(input, output).unwrap();
                for (cached, written, long, audio) in
                    [(0, 0, 0, 0), (input, 0, 0, 0), (0, input, 0, 0), (0, input, input, 0), (0, 0, 0, input)]
                {
                    for tier in [ServiceTier::Standard, ServiceTier::Priority, ServiceTier::Flex] {
                        let usage = Usage {
                            cache_write: Some(written),
                            cache_write_long: Some(long),
                            input_audio: Some(audio),
                            output_audio: Some(output),
                            ..usage(input, cached, output)
                        };
                        let cost = price.tier(tier).cost(&usage).unwrap();
                        assert!(cost <= most, "{usage:?} at {tier:?}: {cost} of at most {most}");
                        assert!(cost <= price.tier(tier).at_most(input, output).unwrap());
                    }
                }
            }
        }
        let standard = Price::per_million(1.0, 10.0).tier(ServiceTier::Standard);
        assert_eq!(standard.at_most(10, 10), Some(NanoDollars(110_000)));
        assert_eq!(Price::per_million(1.0, 1.0).up_to(5).at_most(6, 0), None);
    }
}
