//! What collections are searched with: embedders and rerankers, from this machine or from providers.

use crate::config::{self, Effective};
use anyhow::{Context as _, bail};
use hanok_base::{CollectionName, Embedder, Legs, ModelName, Provider, Reranker};
use hanok_gateway::Gateway;
use hanok_local::{CrossEncoder, Precision, TextEmbedder};
use hanok_retrieval::{
    Equipment, Fusion, Library, ListwiseReranker, ProviderEmbedder, ProviderReranker, Readiness,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Opens what collections are searched with and equips them with it. Opening a model takes longer than all else that a
/// start does, so that a server does it behind; one at a time, the latest configuration last.
#[derive(Clone)]
pub(crate) struct Equipper {
    library: Arc<Library>,
    gateway: Weak<dyn Provider>,
    /// How often it was asked; only the last wish is fulfilled.
    asked: Arc<AtomicU64>,
    opening: Arc<tokio::sync::Mutex<()>>,
}

/// A wish to have collections equipped.
#[derive(Clone, Copy)]
pub(crate) struct Wish(u64);

impl Equipper {
    pub(super) fn new(library: Arc<Library>, gateway: Weak<dyn Provider>) -> Self {
        Self { library, gateway, asked: Arc::default(), opening: Arc::default() }
    }

    /// Says of all collections that what they are to be searched with is being opened; what they have serves till then.
    pub(crate) fn expect(&self, effective: &Effective) -> Wish {
        for name in names(effective) {
            self.library.set_readiness(name.as_ref(), Readiness::Opening);
        }
        Wish(self.asked.fetch_add(1, Ordering::AcqRel) + 1)
    }

    /// Equips all collections as the configuration says; those it says nothing of get the first embedder that was
    /// pulled. One whose models cannot be opened keeps what it has, and says why; gives the reasons.
    pub(crate) async fn equip(&self, effective: &Effective, wish: Wish) -> Vec<anyhow::Error> {
        let _one_at_a_time = self.opening.lock().await;
        if self.asked.load(Ordering::Acquire) != wish.0 {
            return Vec::new();
        }
        let gateway = self.gateway.clone();
        let models = Models { effective, gateway };
        let mut failed = Vec::new();
        for name in names(effective) {
            if let Err(error) = equip_one(&self.library, &models, name.as_ref()).await {
                self.library.set_readiness(name.as_ref(), Readiness::Failed(format!("{error:#}")));
                failed.push(error);
            }
        }
        for collection in self.library.collections() {
            models.serve_former_of(&self.library, &collection.name).await;
        }
        failed
    }
}

/// Equips a collection for a command that only reads; gives the gateway to the providers of the configuration, which the
/// models of theirs are reached by as long as it is held. What goes through it is not recorded.
pub(crate) async fn equip_to_read(
    library: &Arc<Library>,
    effective: &Effective,
    collection: &CollectionName,
) -> anyhow::Result<Arc<Gateway>> {
    let gateway = Arc::new(Gateway::new(super::provider_routes(effective)?));
    let held: Weak<Gateway> = Arc::downgrade(&gateway);
    let models = Models { effective, gateway: held };
    let named = effective.config.collections.contains_key(collection.as_str());
    equip_one(library, &models, Some(collection).filter(|_| named)).await?;
    models.serve_former_of(library, collection).await;
    Ok(gateway)
}

/// A reranker by its name in the configuration.
pub(crate) async fn reranker(
    effective: &Effective,
    gateway: &Arc<Gateway>,
    name: &str,
) -> anyhow::Result<Option<Arc<dyn Reranker>>> {
    let gateway: Weak<Gateway> = Arc::downgrade(gateway);
    Models { effective, gateway }.reranker(name).await
}

/// The configured collections, after what stands for all others.
fn names(effective: &Effective) -> impl Iterator<Item = Option<CollectionName>> {
    let configured = effective.config.collections.keys();
    std::iter::once(None).chain(configured.map(|name| Some(CollectionName::from(name.as_str()))))
}

async fn equip_one(
    library: &Library,
    models: &Models<'_>,
    name: Option<&CollectionName>,
) -> anyhow::Result<()> {
    let effective = models.effective;
    let equipment = match name.and_then(|name| effective.config.collections.get_key_value(name.as_str())) {
        None => {
            let (embedder, embedder_from) = models.embedder(None).await?.unzip();
            Equipment { embedder, embedder_from, ..Equipment::default() }
        }
        Some((name, collection)) => {
            models.equipment(collection).await.with_context(|| format!("collections.{name}"))?
        }
    };
    Ok(library.equip(name, equipment).await?)
}

/// An embedder in a folder, or of the first one pulled where no folder is named; `None` where none is.
pub(crate) async fn local_embedder(
    effective: &Effective,
    folder: Option<PathBuf>,
) -> anyhow::Result<Option<Arc<dyn Embedder>>> {
    let Some(folder) = folder.or_else(|| pulled(&effective.data.value)) else { return Ok(None) };
    let options = effective.config.local.options();
    let opened = tokio::task::spawn_blocking(move || TextEmbedder::open(&folder, options)).await??;
    Ok(Some(Arc::new(opened)))
}

/// The model that makes the vectors of a collection that names none, where one was pulled.
pub(crate) fn default_embedder(effective: &Effective) -> Option<String> {
    let folder = pulled(&effective.data.value)?;
    Some(folder.file_name()?.to_string_lossy().into_owned())
}

/// Legs and fusion of the configuration in the library's words.
pub(crate) fn legs(legs: config::Legs) -> Legs {
    match legs {
        config::Legs::Bm25 => Legs::Bm25,
        config::Legs::Dense => Legs::Dense,
        config::Legs::Hybrid => Legs::Hybrid,
    }
}

struct Models<'a> {
    effective: &'a Effective,
    gateway: Weak<dyn Provider>,
}

impl Models<'_> {
    async fn equipment(&self, collection: &config::Collection) -> anyhow::Result<Equipment> {
        let fusion = match collection.fusion {
            None | Some(config::Fusion::Named(config::FusionName::Scores)) => Fusion::default(),
            Some(config::Fusion::Named(config::FusionName::Rrf)) => Fusion::Rrf { k: 60.0 },
            Some(config::Fusion::Weighted { dense }) if (0.0..=1.0).contains(&dense) => {
                Fusion::Scores { dense }
            }
            Some(config::Fusion::Weighted { dense }) => {
                bail!("fusion: `dense` must be from 0 to 1, not {dense}")
            }
        };
        let (embedder, embedder_from) = self.embedder(collection.embedder.as_deref()).await?.unzip();
        Ok(Equipment {
            embedder,
            embedder_from,
            reranker: match &collection.rerank {
                Some(name) => self.reranker(name).await?,
                None => None,
            },
            legs: collection.legs.map(legs),
            fusion,
            per_source: collection.per_source,
            ..Equipment::default()
        })
    }

    /// An embedder by its name in the configuration, and what it can be opened from again.
    async fn embedder(&self, name: Option<&str>) -> anyhow::Result<Option<(Arc<dyn Embedder>, String)>> {
        let folder = match name {
            None => pulled(&self.effective.data.value),
            Some("none") => return Ok(None),
            Some(name) => self.folder(name),
        };
        let Some(folder) = folder else {
            return match name {
                None => Ok(None),
                Some(name) if name.contains('/') => Ok(Some((self.of_provider(name), name.to_owned()))),
                Some(name) => bail!(
                    "embedder: there is no model `{name}`: pull one (hanok pull {name}), or name a folder or provider/model"
                ),
            };
        };
        let from = std::path::absolute(&folder).unwrap_or_else(|_| folder.clone()).display().to_string();
        let shown = folder.display().to_string();
        // Collections of one model share it, as all do that open it.
        let open = local_embedder(self.effective, Some(folder)).await;
        Ok(open.with_context(|| format!("embedder: {shown}"))?.map(|open| (open, from)))
    }

    fn of_provider(&self, name: &str) -> Arc<dyn Embedder> {
        Arc::new(ProviderEmbedder::new(self.gateway.clone(), ModelName::from(name), None))
    }

    /// Has a collection that waits for new vectors searched by those of the embedder before, where it can be opened.
    async fn serve_former_of(&self, library: &Library, name: &CollectionName) {
        if let Err(error) = self.serve_former(library, name).await {
            tracing::warn!(
                collection = %name,
                error = format!("{error:#}"),
                "words serve until there are new vectors: the embedder before cannot be opened"
            );
        }
    }

    async fn serve_former(&self, library: &Library, name: &CollectionName) -> anyhow::Result<()> {
        let Some(former) = library.former(name).await? else { return Ok(()) };
        let folder = PathBuf::from(&former.from);
        let embedder = if folder.join("config.json").is_file() {
            let mut options = self.effective.config.local.options();
            // Vectors of another precision are another embedder's.
            let precisions = [Precision::F32, Precision::Int8].into_iter();
            options.precision = precisions
                .into_iter()
                .find(|precision| former.id.ends_with(&format!("/{}", precision.as_str())))
                .unwrap_or(options.precision);
            let opened = tokio::task::spawn_blocking(move || TextEmbedder::open(&folder, options)).await?;
            Arc::new(opened.with_context(|| former.from.clone())?) as Arc<dyn Embedder>
        } else {
            self.of_provider(&former.from)
        };
        if embedder.id() != former.id {
            bail!("{} is another embedder now", former.from);
        }
        library.serve(name, embedder).await?;
        Ok(())
    }

    async fn reranker(&self, name: &str) -> anyhow::Result<Option<Arc<dyn Reranker>>> {
        if name == "none" {
            return Ok(None);
        }
        if let Some(folder) = self.folder(name) {
            let shown = folder.display().to_string();
            let options = self.effective.config.local.options();
            let open = tokio::task::spawn_blocking(move || CrossEncoder::open(&folder, options)).await?;
            return Ok(Some(Arc::new(open.with_context(|| format!("rerank: {shown}"))?)));
        }
        let gateway = self.gateway.clone();
        if let Some(model) = name.strip_prefix("chat:") {
            return Ok(Some(Arc::new(ListwiseReranker::new(gateway, model.into()))));
        }
        if name.contains('/') {
            return Ok(Some(Arc::new(ProviderReranker::new(gateway, name.into()))));
        }
        bail!("rerank: there is no model `{name}`: pull one, or name a folder, provider/model or chat:MODEL")
    }

    /// The folder of a model that was pulled, or one that is named.
    fn folder(&self, name: &str) -> Option<PathBuf> {
        let pulled = models_folder(&self.effective.data.value).join(name);
        let named = self.effective.beside_file(Path::new(name));
        [pulled, named].into_iter().find(|folder| folder.join("config.json").is_file())
    }
}

fn models_folder(data: &Path) -> PathBuf {
    data.join("models")
}

/// The first model that was pulled and makes vectors: one laid out as sentence-transformers does.
fn pulled(data: &Path) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(models_folder(data))
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|folder| folder.join("config.json").is_file() && folder.join("modules.json").is_file())
        .collect();
    found.sort();
    found.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use hanok_store::{Options, Store};

    #[tokio::test]
    async fn a_model_that_cannot_be_opened_is_told_of_where_it_was_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let (data, file) = (folder.path().join("data"), folder.path().join("hanok.toml"));
        // Laid out as a model is, without any weights.
        let broken = data.join("models").join("broken");
        std::fs::create_dir_all(&broken).unwrap();
        for name in ["config.json", "modules.json"] {
            std::fs::write(broken.join(name), "{}").unwrap();
        }
        let text = "[collections.a]\npaths = []\n[collections.b]\npaths = []\nembedder = \"none\"\n";
        std::fs::write(&file, text).unwrap();
        let overrides = Overrides { config: Some(file), data: Some(data.clone()), ..Overrides::default() };
        let effective = Effective::load(&overrides).unwrap();
        let library = Library::open(Store::open(&data, Options::default()).unwrap(), &data).await.unwrap();
        let gateway = Arc::new(Gateway::new(hanok_gateway::Routes::default()));
        let held: Weak<Gateway> = Arc::downgrade(&gateway);
        let equipper = Equipper::new(library.clone(), held);
        let readiness = |name: &str| library.equipment(&name.into()).readiness;

        let first = equipper.expect(&effective);
        assert_eq!([readiness("a"), readiness("b")], [Readiness::Opening, Readiness::Opening]);
        let second = equipper.expect(&effective);
        assert!(equipper.equip(&effective, first).await.is_empty(), "a later wish stands");
        assert_eq!(readiness("b"), Readiness::Opening);
        assert_eq!(equipper.equip(&effective, second).await.len(), 2, "a and all that are not named");
        assert_eq!(readiness("b"), Readiness::Ready);
        for name in ["a", "another"] {
            let Readiness::Failed(reason) = readiness(name) else { panic!("{name}: {:?}", readiness(name)) };
            assert!(reason.contains("broken"), "{reason}");
        }
    }
}
