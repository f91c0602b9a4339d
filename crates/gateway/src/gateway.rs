//! The gateway itself: its routes, keys and prices, what it keeps, and what it offers.

use crate::cache::Cache;
use crate::catalog::Catalog;
use crate::key::KeyRing;
use crate::policy::Policy;
use crate::prompted::{self, Prompts};
use crate::retry::RetryBudget;
use crate::routes::{RESERVED, Routes};
use crate::stored::{Running, Shelf};
use arc_swap::ArcSwap;
use hanok_base::{ModelInfo, ModelName, ProviderName};
use std::sync::{Arc, OnceLock};

/// Routes calls to providers.
pub struct Gateway {
    pub(crate) name: ProviderName,
    pub(crate) routes: ArcSwap<Routes>,
    pub(crate) catalog: Catalog,
    keys: KeyRing,
    pub(crate) policy: ArcSwap<Policy>,
    pub(crate) retries: RetryBudget,
    pub(crate) cache: Cache,
    /// Set once, before the first call.
    shelf: OnceLock<Arc<dyn Shelf>>,
    /// Set once, before the first call.
    prompts: OnceLock<Arc<dyn Prompts>>,
    pub(crate) running: Running,
}

impl Gateway {
    /// A gateway over these routes.
    pub fn new(routes: Routes) -> Self {
        Self {
            name: "gateway".into(),
            routes: ArcSwap::from_pointee(routes),
            catalog: Catalog::default(),
            keys: KeyRing::default(),
            policy: ArcSwap::from_pointee(Policy::default()),
            retries: RetryBudget::default(),
            cache: Cache::default(),
            shelf: OnceLock::new(),
            prompts: OnceLock::new(),
            running: Running::default(),
        }
    }

    /// The same with a place to keep responses that clients may ask back.
    #[must_use]
    pub fn keeping(self, shelf: Arc<dyn Shelf>) -> Self {
        let _first = self.shelf.set(shelf);
        self
    }

    /// Where responses are kept, where they are.
    pub(crate) fn shelf(&self) -> Option<Arc<dyn Shelf>> {
        self.shelf.get().cloned()
    }

    /// The same with prompts, offered as `prompt/NAME`.
    #[must_use]
    pub fn prompting(self, prompts: Arc<dyn Prompts>) -> Self {
        let _first = self.prompts.set(prompts);
        self
    }

    /// The prompts, where there are any.
    pub(crate) fn prompts(&self) -> Option<&Arc<dyn Prompts>> {
        self.prompts.get()
    }

    /// Exchanges the routes; calls under way finish on the old ones. How targets do is remembered.
    pub fn replace(&self, routes: Routes) {
        let states = self.routes.load().states().clone();
        self.routes.store(Arc::new(routes.keeping(states)));
    }

    /// The states that new routes are to keep: hand them to [`Routes::keeping`] before models are added.
    pub fn states(&self) -> Arc<crate::target::TargetStates> {
        self.routes.load().states().clone()
    }

    /// The routes now.
    pub fn routes(&self) -> Arc<Routes> {
        self.routes.load_full()
    }

    /// What providers were last known to offer.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Who may call.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Prices, budgets and the ledger now.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// Exchanges prices and budgets.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
    }

    /// Every model on offer under the name a client asks for it by: the configuration's, our answerers, prompts, then
    /// `provider/model`. Providers that do not answer soon show when they have.
    pub async fn model_list(&self) -> Vec<(String, ModelInfo)> {
        let routes = self.routes();
        self.catalog.refresh(routes.providers()).await;
        let own = |name: ModelName| ModelInfo {
            name,
            owned_by: Some(RESERVED.to_owned()),
            created: 0,
            context_length: None,
        };
        let mut list: Vec<(String, ModelInfo)> =
            routes.models().map(|(name, _)| (name.to_string(), own(name.clone()))).collect();
        for (_, answerer) in routes.answerers() {
            let models = answerer.models().await.unwrap_or_default();
            list.extend(models.into_iter().map(|info| (format!("{RESERVED}/{}", info.name), info)));
        }
        let prompts = self.prompts().map(|prompts| prompts.offered()).unwrap_or_default();
        list.extend(prompts.into_iter().map(|name| {
            let name = format!("{}/{name}", prompted::RESERVED);
            (name.clone(), own(name.into()))
        }));
        for provider in routes.providers() {
            for info in self.catalog.models(provider.name()).iter() {
                let owned_by = info.owned_by.clone().or_else(|| Some(provider.name().to_string()));
                list.push((
                    format!("{}/{}", provider.name(), info.name),
                    ModelInfo { owned_by, ..info.clone() },
                ));
            }
        }
        list
    }
}
