//! What scorers and tasks are built with: the models, and ways out of the process.

use hanok_base::{BoxFuture, ChatResponse, Embedder, ModelName, NanoDollars, Provider, Usage};
use hanok_net::ClientOptions;
use hanok_store::Store;
use std::path::PathBuf;
use std::sync::Arc;

/// What a task or a scorer may ask for help. Cheap to clone.
#[derive(Clone, Default)]
pub struct Kit {
    /// The gateway; `None` where no model may be asked.
    pub models: Option<Arc<dyn Provider>>,
    /// Makes vectors of texts.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// The documents that citations name.
    pub sources: Option<Arc<dyn SourceTexts>>,
    /// What calls cost.
    pub prices: Option<Arc<dyn Prices>>,
    /// How other servers are reached. Its egress rules are replaced: each endpoint may reach the host that the eval's
    /// file names, and no other.
    pub network: ClientOptions,
    /// The folder of the eval's file, which its paths are relative to and its commands run in.
    pub base: PathBuf,
}

impl Kit {
    /// What a call of `asked` cost, by what whoever asked through another process says of it, or by the prices here.
    pub(crate) fn cost(&self, asked: &ModelName, response: &ChatResponse) -> Option<NanoDollars> {
        let here = || self.prices.as_ref()?.cost(asked, &response.model, &response.usage);
        told_cost(response).or_else(here)
    }
}

/// What a call cost in the process that made it, which says so under `hanok_call`.
pub(crate) fn told_cost(response: &ChatResponse) -> Option<NanoDollars> {
    let dollars = response.extra.get("hanok_call")?.get("cost_usd")?.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "billionths of a dollar of one call fit")]
    let nano = (dollars * 1e9).round() as i64;
    Some(NanoDollars(nano))
}

/// The texts that citations quote from.
pub trait SourceTexts: Send + Sync {
    /// The extracted texts of the documents that a citation may mean by this name: none where it is not known, one of
    /// each collection that has one.
    fn texts<'a>(&'a self, source: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>>;
}

impl SourceTexts for Store {
    fn texts<'a>(&'a self, source: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async move {
            self.documents().texts_at(source.to_owned()).await.map_err(|error| error.to_string())
        })
    }
}

/// Says what a call cost.
pub trait Prices: Send + Sync {
    /// The price of a chat: `asked` is the model as the request named it, `answered` as the provider did. `None` where
    /// no price is known.
    fn cost(&self, asked: &ModelName, answered: &ModelName, usage: &Usage) -> Option<NanoDollars>;
}
