//! Documents, from the configuration: what they are taken in with, and how each collection is set.

use super::network;
use crate::config::Effective;
use anyhow::{Context as _, bail};
use hanok_base::CollectionName;
use hanok_parse::{Limits, Workshop};
use hanok_retrieval::{Fetcher, Intake, Library, Settings, on_disk, replaced};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What documents are taken in with.
pub(crate) fn intake(effective: &Effective) -> anyhow::Result<Intake> {
    let documents = &effective.config.documents;
    let mut limits = Limits::default();
    if let Some(size) = documents.largest_file {
        limits.file_bytes = size.0 as u64;
    }
    if let Some(size) = documents.parser_memory {
        limits.memory_bytes = size.0 as u64;
    }
    if let Some(time) = documents.parser_time {
        limits.time = time.duration();
        limits.processor = limits.processor.max(Duration::from_secs(time.duration().as_secs().max(1)));
    }
    if let Some(parsers) = documents.parsers {
        limits.children = usize::from(parsers).max(1);
    }
    let program = std::env::current_exe().context("this program cannot find itself, to parse documents")?;
    let options = network::outward(effective)?;
    let fetcher = Fetcher::new(options, &documents.private_hosts, limits.file_bytes)
        .context("documents.private_hosts")?;
    Ok(Intake { workshop: Some(Arc::new(Workshop::new(program, limits))), fetcher: Some(fetcher) })
}

/// Equips a library and sets its collections; texts are cut and described anew by their next run.
pub(crate) async fn take_in(library: &Library, effective: &Effective) -> anyhow::Result<()> {
    library.equip_intake(intake(effective)?);
    configure(library, effective).await
}

async fn configure(library: &Library, effective: &Effective) -> anyhow::Result<()> {
    for (name, collection) in &effective.config.collections {
        let name = CollectionName::from(name.as_str());
        let kept = library.settings(&name);
        let adopted = kept.filter(|kept| kept.adopted && collection.chunking.is_none());
        let settings = Settings {
            adopted: adopted.is_some(),
            chunking: match (&collection.chunking, adopted) {
                (Some(chunking), _) => chunking.clone(),
                (None, Some(kept)) => kept.chunking.clone(),
                (None, None) => hanok_retrieval::Chunking::default(),
            },
            metadata: collection.metadata.clone(),
        };
        library.configure(&name, settings).await?;
    }
    Ok(())
}

/// Checks what the configuration says of documents.
pub(crate) fn check(effective: &Effective) -> anyhow::Result<()> {
    intake(effective)?;
    for (name, collection) in &effective.config.collections {
        if let Some(Err(reason)) = collection.chunking.as_ref().map(hanok_retrieval::Chunking::check) {
            bail!("collections.{name}.chunking.{reason}");
        }
        if collection.per_source == Some(0) {
            bail!("collections.{name}.per_source: 0 hits of a document would find nothing");
        }
    }
    Ok(())
}

/// The paths of a collection, from where the configuration is.
pub(crate) fn paths(effective: &Effective, collection: &crate::config::Collection) -> Vec<PathBuf> {
    let place = |path: &PathBuf| {
        let path = replaced(path, |path| effective.beside_file(path));
        let is_plain_folder = on_disk(&path) == Some(&path) && path.is_dir();
        if collection.tracked && is_plain_folder {
            let mut tracked = std::ffi::OsString::from("git+");
            tracked.push(path);
            return tracked.into();
        }
        path
    };
    collection.paths.iter().map(place).collect()
}

/// Whether there is nothing at a path. What a glob matches and what a URL gives is left to the loader.
pub(crate) fn is_missing(path: &Path) -> bool {
    on_disk(path).is_some_and(|path| !path.exists() && !path.to_string_lossy().contains(['*', '?', '[', '{']))
}
