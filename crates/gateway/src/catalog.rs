//! What providers offer, remembered: a list of models is never slowed by a dead provider.

use hanok_base::{ModelInfo, Provider, ProviderName};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// How long a provider may take to list its models.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a list is good before a request asks for it anew, behind the answer.
const FRESH: Duration = Duration::from_mins(5);
/// How long a failure is good; a provider that came up shows soon.
const FRESH_FAILURE: Duration = Duration::from_secs(15);
/// How long a request for the list waits for providers that were never asked.
const FIRST_WAIT: Duration = Duration::from_millis(400);

/// How a provider answered when last asked for its models.
#[derive(Clone, Debug)]
pub enum ProviderHealth {
    /// It listed this many models.
    Listed(usize),
    /// It did not answer; in words.
    Failed(String),
    /// It was not asked yet.
    Unknown,
}

/// The remembered lists, by provider.
#[derive(Clone, Default)]
pub struct Catalog {
    entries: Arc<RwLock<HashMap<ProviderName, Entry>>>,
}

#[derive(Clone, Default)]
struct Entry {
    models: Arc<Vec<ModelInfo>>,
    asked: Option<Instant>,
    asking: bool,
    error: Option<String>,
}

impl Catalog {
    /// Whether `provider` is known to offer `model`.
    pub fn offers(&self, provider: &ProviderName, model: &str) -> bool {
        self.models(provider).iter().any(|info| info.name.as_str() == model)
    }

    /// The last known models of `provider`.
    pub fn models(&self, provider: &ProviderName) -> Arc<Vec<ModelInfo>> {
        self.read(|entries| entries.get(provider).map(|entry| entry.models.clone())).unwrap_or_default()
    }

    /// How `provider` answered last.
    pub fn health(&self, provider: &ProviderName) -> ProviderHealth {
        self.read(|entries| match entries.get(provider) {
            Some(Entry { error: Some(error), .. }) => ProviderHealth::Failed(error.clone()),
            Some(Entry { asked: Some(_), models, .. }) => ProviderHealth::Listed(models.len()),
            _ => ProviderHealth::Unknown,
        })
    }

    /// Every known model as `provider/model`.
    pub fn known_ids(&self) -> Vec<String> {
        self.read(|entries| {
            entries
                .iter()
                .flat_map(|(provider, entry)| {
                    entry.models.iter().map(move |info| format!("{provider}/{}", info.name))
                })
                .collect()
        })
    }

    /// Asks providers whose list is not fresh, in the background; waits a moment for those never asked.
    pub async fn refresh(&self, providers: &[Arc<dyn Provider>]) {
        let mut first = Vec::new();
        for provider in providers {
            if let Some(never_asked) = self.begin(provider.name()) {
                let (catalog, provider) = (self.clone(), provider.clone());
                let task = tokio::spawn(async move { catalog.ask(provider).await });
                if never_asked {
                    first.push(task);
                }
            }
        }
        if !first.is_empty() {
            let all = futures_util::future::join_all(first);
            // A provider slower than this shows in the next list.
            let _ = tokio::time::timeout(FIRST_WAIT, all).await;
        }
    }

    /// Asks every provider now and waits for all of them, each bounded; for diagnosis.
    pub async fn refresh_all(&self, providers: &[Arc<dyn Provider>]) {
        let asks = providers.iter().map(|provider| self.ask(provider.clone()));
        futures_util::future::join_all(asks).await;
    }

    async fn ask(&self, provider: Arc<dyn Provider>) {
        let result = match tokio::time::timeout(LIST_TIMEOUT, provider.models()).await {
            Ok(Ok(models)) => Ok(models),
            Ok(Err(error)) => Err(error.message),
            Err(_) => Err(format!("did not list its models within {} s", LIST_TIMEOUT.as_secs())),
        };
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(provider.name().clone()).or_default();
        entry.asking = false;
        entry.asked = Some(Instant::now());
        match result {
            Ok(models) => {
                entry.models = Arc::new(models);
                entry.error = None;
            }
            Err(error) => {
                tracing::debug!(provider = %provider.name(), error, "no list of models");
                entry.error = Some(error);
            }
        }
    }

    /// `None` when the list is fresh or being asked for; else whether the provider was never asked.
    fn begin(&self, provider: &ProviderName) -> Option<bool> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(provider.clone()).or_default();
        let fresh = if entry.error.is_some() { FRESH_FAILURE } else { FRESH };
        if entry.asking || entry.asked.is_some_and(|asked| asked.elapsed() < fresh) {
            return None;
        }
        entry.asking = true;
        Some(entry.asked.is_none())
    }

    fn read<T>(&self, look: impl FnOnce(&HashMap<ProviderName, Entry>) -> T) -> T {
        look(&self.entries.read().unwrap_or_else(PoisonError::into_inner))
    }
}
