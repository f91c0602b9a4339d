//! What collections are searched with: embedders and rerankers, from this machine or from providers.

use crate::config::{self, Effective};
use anyhow::{Context as _, bail};
use hanok_base::{Embedder, Legs, ModelName, Provider, Reranker};
use hanok_local::{CrossEncoder, TextEmbedder};
use hanok_retrieval::{Equipment, Fusion, Library, ListwiseReranker, ProviderEmbedder, ProviderReranker};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

/// Equips all collections as the configuration says; those it says nothing of get the first embedder that was pulled.
pub(crate) async fn equip(
    library: &Library,
    effective: &Effective,
    gateway: Option<Weak<dyn Provider>>,
) -> anyhow::Result<()> {
    let mut models = Models { effective, gateway, embedders: HashMap::new() };
    let default = models.embedder(None).await?;
    library.equip(None, Equipment { embedder: default, ..Equipment::default() }).await?;
    for (name, collection) in &effective.config.collections {
        let equipment = models.equipment(collection).await.with_context(|| format!("collections.{name}"))?;
        library.equip(Some(&name.as_str().into()), equipment).await?;
    }
    Ok(())
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
    /// Absent for commands that call no provider.
    gateway: Option<Weak<dyn Provider>>,
    /// Those that are open, by folder: collections share them.
    embedders: HashMap<PathBuf, Arc<dyn Embedder>>,
}

impl Models<'_> {
    async fn equipment(&mut self, collection: &config::Collection) -> anyhow::Result<Equipment> {
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
        Ok(Equipment {
            embedder: self.embedder(collection.embedder.as_deref()).await?,
            reranker: match &collection.rerank {
                Some(name) => self.reranker(name).await?,
                None => None,
            },
            legs: collection.legs.map(legs),
            fusion,
            per_source: collection.per_source,
        })
    }

    async fn embedder(&mut self, name: Option<&str>) -> anyhow::Result<Option<Arc<dyn Embedder>>> {
        let folder = match name {
            None => pulled(&self.effective.data.value),
            Some("none") => return Ok(None),
            Some(name) => self.folder(name),
        };
        let Some(folder) = folder else {
            return match (name, &self.gateway) {
                (None, _) => Ok(None),
                (Some(name), Some(gateway)) if name.contains('/') => {
                    let model = ModelName::from(name);
                    Ok(Some(Arc::new(ProviderEmbedder::new(gateway.clone(), model, None))))
                }
                // Searched by words; whoever indexes has a gateway.
                (Some(name), None) if name.contains('/') => Ok(None),
                (Some(name), _) => bail!(
                    "embedder: there is no model `{name}`: pull one (hanok pull {name}), or name a folder or provider/model"
                ),
            };
        };
        if let Some(open) = self.embedders.get(&folder) {
            return Ok(Some(open.clone()));
        }
        let shown = folder.display().to_string();
        let open = local_embedder(self.effective, Some(folder.clone())).await;
        let Some(open) = open.with_context(|| format!("embedder: {shown}"))? else { return Ok(None) };
        self.embedders.insert(folder, open.clone());
        Ok(Some(open))
    }

    async fn reranker(&mut self, name: &str) -> anyhow::Result<Option<Arc<dyn Reranker>>> {
        if name == "none" {
            return Ok(None);
        }
        if let Some(folder) = self.folder(name) {
            let shown = folder.display().to_string();
            let options = self.effective.config.local.options();
            let open = tokio::task::spawn_blocking(move || CrossEncoder::open(&folder, options)).await?;
            return Ok(Some(Arc::new(open.with_context(|| format!("rerank: {shown}"))?)));
        }
        let Some(gateway) = self.gateway.clone() else { return Ok(None) };
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
