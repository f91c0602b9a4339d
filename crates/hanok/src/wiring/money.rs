//! Prices and the ledger, as the gateway needs them.

use crate::config::{self, Effective};
use hanok_base::{BoxError, BoxFuture, Charge, NanoDollars, Usage};
use hanok_gateway::{Balance, Budget, Ledger, Period, Policy, Tariff, Vault};
use hanok_store::Store;
use hanok_trace::{Price, Prices, ServiceTier, TraceStore};
use std::sync::Arc;

/// What applies to all calls; the ledger stays the same over changes of the configuration.
pub(super) fn policy(effective: &Effective, traces: &TraceStore, ledger: Arc<Ledger>) -> Policy {
    let mut budgets: Vec<(String, Budget)> =
        effective.config.gateway.budgets.iter().map(|entry| (String::new(), budget(entry))).collect();
    for (name, project) in &effective.config.projects {
        budgets.extend(project.budgets.iter().map(|entry| (name.clone(), budget(entry))));
    }
    let default = Policy::default();
    Policy {
        tariff: Arc::new(Priced(traces.clone())),
        budgets,
        ledger,
        max_output_tokens: effective.config.gateway.max_output_tokens.unwrap_or(default.max_output_tokens),
        ..default
    }
}

fn budget(entry: &config::Budget) -> Budget {
    let period = match entry.period {
        config::Period::Day => Period::Day,
        config::Period::Month => Period::Month,
        config::Period::Total => Period::Total,
    };
    Budget { limit: entry.limit.0, period, model: entry.model.clone() }
}

/// The prices by which costs are recorded.
struct Priced(TraceStore);

impl Tariff for Priced {
    fn price(&self, provider: &str, model: &str, usage: &Usage) -> Option<NanoDollars> {
        self.0.prices().find(provider, Some(model), None)?.cost(usage)
    }
    fn at_most(
        &self,
        provider: &str,
        model: &str,
        input: u64,
        output: u64,
        any_tier: bool,
    ) -> Option<NanoDollars> {
        let price = self.0.prices().find(provider, Some(model), None)?;
        let price = if any_tier { price } else { price.tier(ServiceTier::Standard) };
        price.at_most(input, output)
    }
}

/// A ledger whose slabs are drawn from the store.
pub(super) fn ledger(store: Store) -> Arc<Ledger> {
    Ledger::new(Arc::new(Stored(store)))
}

struct Stored(Store);

impl Vault for Stored {
    fn balance<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<Balance, BoxError>> {
        Box::pin(async move {
            let balance = self.0.ledger().balance(charge).await?;
            Ok(Balance { spent: balance.spent, written_off: balance.written_off, drawn: balance.drawn })
        })
    }
    fn draw<'a>(&'a self, charge: &'a Charge, drawn: NanoDollars) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move { Ok(self.0.ledger().draw(vec![(charge.clone(), drawn)]).await?) })
    }
}

/// The built-in prices with the configuration's own. Providers of other names are priced as their vendors.
pub(crate) fn prices(effective: &Effective) -> Prices {
    let own = effective.config.prices.iter().fold(Prices::builtin(), |prices, (pattern, price)| {
        prices.with_override(
            pattern,
            Price::per_million(price.input, price.output)
                .cached(price.cached_input.unwrap_or(price.input))
                .cache_write(price.cache_write.unwrap_or(price.input)),
        )
    });
    effective.config.providers.iter().fold(own, |prices, (name, entry)| match &entry.vendor {
        Some(vendor) => prices.with_vendor(name, vendor),
        None => prices,
    })
}
