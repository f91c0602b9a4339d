//! The table of providers, answerers and aliases, and the way from a name to its targets.

use crate::catalog::Catalog;
use crate::route::{Entry, Model};
use crate::target::{Target, TargetStates};
use hanok_base::names::likeness;
use hanok_base::{ErrorKind, ModelName, Problem, Provider};
use std::sync::Arc;

/// The provider name under which our own answerers are offered.
pub const RESERVED: &str = "hanok";

/// Who can be called, and by which names. Built once per configuration.
#[derive(Default)]
pub struct Routes {
    providers: Vec<Arc<dyn Provider>>,
    answerers: Vec<(String, Arc<dyn Provider>)>,
    models: Vec<(ModelName, Arc<Model>)>,
    states: Arc<TargetStates>,
}

/// A configuration that cannot be routed.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// A target that names no provider.
    #[error(
        "models.{alias}: target `{target}` is not `provider/model` with a known provider; known: {known}"
    )]
    UnknownTarget {
        /// The alias.
        alias: ModelName,
        /// The target as written.
        target: String,
        /// The providers there are.
        known: String,
    },
    /// An alias with nothing behind it.
    #[error("models.{0}: needs at least one target, such as targets = [\"openai/gpt-5-mini\"]")]
    NoTargets(ModelName),
    /// A name that belongs to Hanok.
    #[error("`{0}` is reserved: names that are or begin with hanok, prompt or agent belong to Hanok")]
    Reserved(String),
    /// A name that no request could reach.
    #[error(
        "`{0}` cannot be a name: it must not be empty, nor hold spaces or control characters, nor, for a provider, `/` or `@`"
    )]
    BadName(String),
}

impl Routes {
    /// Adds a provider under its name.
    pub fn provider(mut self, provider: Arc<dyn Provider>) -> Result<Self, RoutesError> {
        let name = provider.name().as_str();
        check_name(name)?;
        if name.contains(['/', '@']) {
            return Err(RoutesError::BadName(name.to_owned()));
        }
        self.providers.push(provider);
        Ok(self)
    }

    /// Adds an answerer, offered as `hanok/{name}` and `hanok/{name}@…`.
    #[must_use]
    pub fn answerer(mut self, name: &str, provider: Arc<dyn Provider>) -> Self {
        self.answerers.push((name.to_owned(), provider));
        self
    }

    /// A target of a provider that was added before, or why there is none.
    pub fn target(&self, model: &ModelName, target: &str) -> Result<Target, RoutesError> {
        self.qualified(target).ok_or_else(|| RoutesError::UnknownTarget {
            alias: model.clone(),
            target: target.to_owned(),
            known: self.known_providers(),
        })
    }

    /// Adds a model under a name of its own.
    pub fn model(mut self, name: ModelName, model: Model) -> Result<Self, RoutesError> {
        check_name(name.as_str())?;
        if model.entries.is_empty() {
            return Err(RoutesError::NoTargets(name));
        }
        self.models.push((name, Arc::new(model)));
        Ok(self)
    }

    /// Adds a model of these targets in order; call after the providers were added.
    pub fn alias(self, name: ModelName, targets: &[String]) -> Result<Self, RoutesError> {
        check_name(name.as_str())?;
        let entries: Result<Vec<Entry>, _> =
            targets.iter().map(|target| self.target(&name, target).map(Entry::from)).collect();
        let model = Model::in_order(entries?);
        self.model(name, model)
    }

    /// Routes whose targets are known from before: how they do is not forgotten.
    #[must_use]
    pub fn keeping(mut self, states: Arc<TargetStates>) -> Self {
        self.states = states;
        self
    }

    /// The providers, in the order of the configuration.
    pub fn providers(&self) -> &[Arc<dyn Provider>] {
        &self.providers
    }

    /// Our own answerers, by name.
    pub fn answerers(&self) -> &[(String, Arc<dyn Provider>)] {
        &self.answerers
    }

    /// The models of the configuration.
    pub fn models(&self) -> impl Iterator<Item = (&ModelName, &Arc<Model>)> {
        self.models.iter().map(|(name, model)| (name, model))
    }

    /// How every target ever named does.
    pub fn states(&self) -> &Arc<TargetStates> {
        &self.states
    }

    /// The model behind a name: one of the configuration, `provider/model`, `hanok/answerer[@…]`, or a bare
    /// model name that some provider is known to offer.
    pub fn resolve(&self, name: &str, catalog: &Catalog) -> Result<Arc<Model>, Problem> {
        if let Some((_, model)) = self.models.iter().find(|(known, _)| known.as_str() == name) {
            return Ok(model.clone());
        }
        let target = self.qualified(name).or_else(|| {
            let provider = self.providers.iter().find(|provider| catalog.offers(provider.name(), name))?;
            Some(self.at(provider, name))
        });
        match target {
            Some(target) => Ok(Arc::new(Model::in_order(vec![target.into()]))),
            None => Err(self.unknown(name, catalog)),
        }
    }

    fn at(&self, provider: &Arc<dyn Provider>, model: &str) -> Target {
        let state = self.states.of(&format!("{}/{model}", provider.name()));
        Target { provider: provider.clone(), model: model.into(), state }
    }

    /// Whether a name leads somewhere by itself, whatever providers offer.
    pub fn knows(&self, name: &str) -> bool {
        self.models.iter().any(|(known, _)| known.as_str() == name) || self.qualified(name).is_some()
    }

    fn qualified(&self, name: &str) -> Option<Target> {
        let (provider, model) = name.split_once('/')?;
        if model.is_empty() {
            return None;
        }
        if provider == RESERVED {
            let base = model.split_once('@').map_or(model, |(base, _)| base);
            let (_, provider) = self.answerers.iter().find(|(answerer, _)| answerer == base)?;
            return Some(self.at(provider, model));
        }
        let provider = self.providers.iter().find(|known| known.name().as_str() == provider)?;
        Some(self.at(provider, model))
    }

    fn known_providers(&self) -> String {
        let mut names: Vec<&str> = self.providers.iter().map(|provider| provider.name().as_str()).collect();
        names.push(RESERVED);
        names.join(", ")
    }

    /// A provider's word that it has no such model, with the names that it may have been.
    pub(crate) fn with_nearest(&self, mut problem: Problem, name: &str, catalog: &Catalog) -> Problem {
        let nearest = nearest(name, &self.known_names(catalog));
        if !nearest.is_empty() {
            problem.message = format!("{}; the nearest are {}", problem.message, nearest.join(", "));
        }
        problem.hint("all models: /v1/models").param("model")
    }

    fn known_names(&self, catalog: &Catalog) -> Vec<String> {
        let mut known: Vec<String> = self.models.iter().map(|(name, _)| name.to_string()).collect();
        known.extend(self.answerers.iter().map(|(answerer, _)| format!("{RESERVED}/{answerer}")));
        known.extend(catalog.known_ids());
        known
    }

    fn unknown(&self, name: &str, catalog: &Catalog) -> Problem {
        let nearest = nearest(name, &self.known_names(catalog));
        let hint = if nearest.is_empty() {
            format!(
                "models are named `provider/model`; providers: {}; list them at /v1/models",
                self.known_providers()
            )
        } else {
            format!("did you mean {}? All models: /v1/models", nearest.join(", "))
        };
        let message = if nearest.is_empty() {
            format!("there is no model `{name}`")
        } else {
            format!("there is no model `{name}`; the nearest are {}", nearest.join(", "))
        };
        Problem::new(ErrorKind::NotFound, "model_not_found", message).hint(hint).param("model")
    }
}

fn check_name(name: &str) -> Result<(), RoutesError> {
    let first = name.split('/').next().unwrap_or_default();
    if ["hanok", "prompt", "agent"].contains(&first) {
        return Err(RoutesError::Reserved(name.to_owned()));
    }
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(RoutesError::BadName(name.to_owned()));
    }
    Ok(())
}

/// The at most three names most like `name`, best first; a match of what follows the provider counts too.
fn nearest(name: &str, known: &[String]) -> Vec<String> {
    let bare = |text: &str| {
        text.rsplit_once('/').map_or_else(|| text.to_lowercase(), |(_, bare)| bare.to_lowercase())
    };
    let mut scored: Vec<(f64, &String)> = known
        .iter()
        .map(|candidate| {
            let whole = likeness(name, candidate);
            (whole.max(likeness(&bare(name), &bare(candidate))), candidate)
        })
        .filter(|(score, _)| *score > 0.75)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, candidate)| format!("`{candidate}`")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names() {
        let known: Vec<String> =
            ["openai/gpt-5-mini", "openai/gpt-5", "hanok/extract", "fast"].map(str::to_owned).into();
        assert_eq!(nearest("gpt-5-mni", &known).first().map(String::as_str), Some("`openai/gpt-5-mini`"));
        assert_eq!(nearest("hanok/extrct", &known).first().map(String::as_str), Some("`hanok/extract`"));
        assert!(nearest("zzzzzz", &known).is_empty());
    }
}
