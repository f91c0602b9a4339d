//! Prices, as the gateway needs them: the binary ties this to the price table.

use hanok_base::{NanoDollars, Usage};

/// What calls cost.
pub trait Tariff: Send + Sync {
    /// What this usage costs; `None` where the model has no price.
    fn price(&self, provider: &str, model: &str, usage: &Usage) -> Option<NanoDollars>;

    /// The most that so many tokens can cost, whatever kind they turn out to be; `None` where the model has no
    /// price. `any_tier`: at whatever service tier, too, since the request names one.
    fn at_most(
        &self,
        provider: &str,
        model: &str,
        input: u64,
        output: u64,
        any_tier: bool,
    ) -> Option<NanoDollars>;
}

/// No price for anything.
pub struct Unpriced;

impl Tariff for Unpriced {
    fn price(&self, _: &str, _: &str, _: &Usage) -> Option<NanoDollars> {
        None
    }
    fn at_most(&self, _: &str, _: &str, _: u64, _: u64, _: bool) -> Option<NanoDollars> {
        None
    }
}
