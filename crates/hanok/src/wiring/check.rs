//! What can be said of a configuration without starting anything.

use super::{certificate, configured_keys, documents, providers, settings};
use crate::config::Effective;
use anyhow::bail;
use hanok_base::Provider;
use hanok_gateway::{Gateway, Routes};
use std::sync::Arc;

/// Checks everything that can be checked without starting; gives what is worth saying.
pub(crate) fn check(effective: &Effective) -> anyhow::Result<Vec<String>> {
    let mut notes = Vec::new();
    let address = effective.address().map_err(anyhow::Error::msg)?;
    settings(effective, address)?;
    configured_keys(effective)?;
    if let Some((chain, key)) = certificate(effective)? {
        hanok_server::Tls::from_pem(&chain, &key)?;
    }
    super::export(effective)?;
    super::policies(effective)?;
    documents::check(effective)?;
    super::online::check(effective)?;
    let routes = provider_routes(effective)?;
    super::searched(effective)?;
    let answers = &effective.config.answers;
    for (key, target) in [("target", &answers.target), ("query_model", &answers.query_model)] {
        let Some(target) = target.as_ref().filter(|target| !routes.knows(target)) else { continue };
        bail!(
            "answers.{key}: `{target}` is neither an alias under [models] nor provider/model with a known provider"
        );
    }
    for (pattern, price) in &effective.config.prices {
        let given = [Some(price.input), Some(price.output), price.cached_input, price.cache_write];
        if given.into_iter().flatten().any(|dollars| !dollars.is_finite() || dollars < 0.0) {
            bail!("prices.\"{pattern}\": a price is US dollars per million tokens, 0 or more");
        }
    }
    for (name, entry) in &effective.config.providers {
        if let Some(key) = &entry.key
            && key.read().is_none()
        {
            notes.push(format!("providers.{name}: the environment variable {} is not set", key.variable()));
        }
    }
    for (name, collection) in &effective.config.collections {
        for path in documents::paths(effective, collection) {
            if documents::is_missing(&path) {
                notes.push(format!("collections.{name}: {} does not exist", path.display()));
            }
        }
    }
    Ok(notes)
}

/// The providers and aliases of a configuration, without our answerers.
pub(crate) fn provider_routes(effective: &Effective) -> anyhow::Result<Routes> {
    providers::add_to(answerer_names(), effective)
}

/// Routes that know our answerers by name only, to check aliases against: a gateway without routes stands for
/// each.
fn answerer_names() -> Routes {
    let nobody: Arc<dyn Provider> = Arc::new(Gateway::new(Routes::default()));
    Routes::default().answerer("extract", nobody.clone()).answerer("ask", nobody)
}
