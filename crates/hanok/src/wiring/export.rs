//! From `[export]` to where traces go.

use super::network;
use crate::config::Effective;
use anyhow::{Context as _, bail};
use hanok_net::{Client, HeaderName, HeaderValue, Url};
use hanok_trace::export::{Target, headers};

/// Traces that the export may fall behind, where the configuration does not say.
const MOST_BEHIND: i64 = 100_000;

/// The collector that traces are sent to; `None` where there is none.
pub(crate) fn export(effective: &Effective) -> anyhow::Result<Option<Target>> {
    let export = &effective.config.export;
    let Some(address) = &export.otlp else { return Ok(None) };
    let url = Url::parse(&full(address)).context("export.otlp")?;
    let mut headers = headers();
    for (name, value) in &export.headers {
        let key = HeaderName::try_from(name.as_str())
            .with_context(|| format!("export.headers: `{name}` is no header's name"))?;
        let value = match value.strip_prefix("env:") {
            None => value.clone(),
            Some(variable) => match std::env::var(variable) {
                Ok(value) if !value.is_empty() => value,
                _ => bail!("export.headers.{name}: the environment variable {variable} is not set"),
            },
        };
        // The value may be a secret, so it is not repeated.
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| anyhow::anyhow!("export.headers.{name}: this cannot be a header's value"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    let client = Client::new(network::options(effective, &[url.host()])?)?;
    Ok(Some(Target {
        url,
        headers,
        content: export.content.unwrap_or(true),
        most_behind: export.most_behind.map_or(MOST_BEHIND, |most| i64::try_from(most).unwrap_or(i64::MAX)),
        client,
    }))
}

/// A collector's base address is enough, as other exporters have it.
fn full(address: &str) -> String {
    let bare = address.trim().trim_end_matches('/');
    let path = bare.split_once("://").map_or(bare, |(_, rest)| rest);
    if path.contains('/') { bare.to_owned() } else { format!("{bare}/v1/traces") }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_base_address_is_enough() {
        let check = |given: &str, expect: &str| assert_eq!(super::full(given), expect);
        check("http://localhost:4318", "http://localhost:4318/v1/traces");
        check(" https://c.example/ ", "https://c.example/v1/traces");
        check("https://c.example/otlp/v1/traces", "https://c.example/otlp/v1/traces");
    }
}
