//! Collections and documents as pages show them.

use crate::House;
use crate::door::Visitor;
use crate::ui::view_knowledge::{
    CollectionPage, CollectionRow, DocumentAbout, DocumentRow, EmbedderView, FoundView, Knobs, KnowledgeView,
    SearchView,
};
use hanok_base::{CollectionName, Hit, Readers, Timestamp};
use hanok_retrieval::{Chunking, CollectionInfo, LibraryError, Readiness};
use hanok_store::documents::{SourceMeta, SourceSummary};
use serde_json::Value;

/// Documents on one page of the list.
const ROWS: usize = 100;

/// All collections.
pub(crate) async fn knowledge(house: &House) -> Result<KnowledgeView, LibraryError> {
    let mut collections = Vec::new();
    for info in house.library.collections() {
        collections.push(row(house, info).await?);
    }
    Ok(KnowledgeView { collections })
}

/// A collection as lists show it.
async fn row(house: &House, info: CollectionInfo) -> Result<CollectionRow, LibraryError> {
    let tally = house.library.tally(&info.name).await?;
    let configured = house.collections.load();
    let paths = configured.iter().find(|(name, _)| *name == info.name).map(|(_, paths)| paths);
    let readiness = house.library.equipment(&info.name).readiness;
    Ok(CollectionRow {
        indexed: info.coverage.indexed,
        found: info.coverage.found,
        indexing: info.coverage.indexing,
        chunks: tally.chunks,
        failed: tally.skipped,
        paths: paths.into_iter().flatten().map(|path| path.display().to_string()).collect(),
        chunking: knobs(&chunking_of(house, &info.name).await?),
        embedder: embedder(house, &info.name).await?,
        opening: readiness == Readiness::Opening,
        problem: if let Readiness::Failed(reason) = readiness { Some(reason) } else { None },
        name: info.name.to_string(),
    })
}

/// What makes a collection's vectors, and how far it is.
async fn embedder(house: &House, name: &CollectionName) -> Result<Option<EmbedderView>, LibraryError> {
    let Some(embedder) = house.library.equipment(name).embedder else {
        return Ok(None);
    };
    let done = house.library.embedded(name).await?.unwrap_or_default();
    let id = embedder.id().to_owned();
    Ok(Some(EmbedderView { id, embedded: done.embedded, chunks: done.chunks }))
}

/// How a collection is cut.
pub(crate) async fn chunking_of(
    house: &House,
    collection: &CollectionName,
) -> Result<Chunking, LibraryError> {
    Ok(house.library.settings_of(collection).await?.chunking)
}

/// What can be set about it.
pub(crate) fn knobs(chunking: &Chunking) -> Knobs {
    let parents = serde_json::to_value(chunking.parents).ok();
    Knobs {
        by: chunking.by.name().to_owned(),
        size: chunking.size,
        overlap: chunking.overlap.unwrap_or(chunking.size / 4),
        parents: parents.as_ref().and_then(Value::as_str).unwrap_or("none").to_owned(),
    }
}

/// One collection; `None` where there is none of this name.
pub(crate) async fn collection(
    house: &House,
    visitor: &Visitor,
    name: &str,
    under: &str,
    after: Option<&str>,
) -> Result<Option<CollectionPage>, LibraryError> {
    let name = CollectionName::from(name);
    let Some(info) = house.library.collections().into_iter().find(|info| info.name == name) else {
        return Ok(None);
    };
    let row = row(house, info).await?;
    let (found, next) = readable(house, visitor, &name, under, after, ROWS).await?;
    Ok(Some(CollectionPage {
        row,
        prefix: under.to_owned(),
        documents: found.into_iter().map(document).collect(),
        next,
        failures: failures(house, visitor, &name).await?,
        may_manage: visitor.admin,
    }))
}

/// The documents of a collection by path that a visitor may read, whose path begins with `under`, after the path
/// `after`, `limit` at most; and the path to go on after where there are more.
pub(crate) async fn readable(
    house: &House,
    visitor: &Visitor,
    name: &CollectionName,
    under: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<SourceSummary>, Option<String>), LibraryError> {
    // What begins so stands together, right behind the greatest path that is smaller.
    let mut begin = after.map(str::to_owned).or_else(|| just_before(under));
    let mut found: Vec<SourceSummary> = Vec::new();
    loop {
        let page = house.library.sources(name, begin.as_deref(), limit + 1).await?;
        begin = page.last().filter(|_| page.len() > limit).map(|source| source.path.clone());
        for source in page {
            if !source.path.starts_with(under) {
                if source.path.as_str() > under {
                    return Ok((found, None));
                }
            } else if may_read(visitor, &source.meta) {
                if found.len() == limit {
                    let next = found.last().map(|last| last.path.clone());
                    return Ok((found, next));
                }
                found.push(source);
            }
        }
        if begin.is_none() {
            return Ok((found, None));
        }
    }
}

/// Files that were not taken, with the reason. Who might read them is not known, so that only admins are told.
pub(crate) async fn failures(
    house: &House,
    visitor: &Visitor,
    name: &CollectionName,
) -> Result<Vec<(String, String)>, LibraryError> {
    if visitor.admin { house.library.skipped(name).await } else { Ok(Vec::new()) }
}

/// A text behind which the texts that begin with `prefix` stand.
fn just_before(prefix: &str) -> Option<String> {
    let mut before: String = prefix.to_owned();
    let last = before.pop()?;
    let smaller = (0..u32::from(last)).rev().find_map(char::from_u32)?;
    before.push(smaller);
    before.push(char::MAX);
    Some(before)
}

fn document(source: SourceSummary) -> DocumentRow {
    DocumentRow {
        id: source.id.to_string(),
        path: source.path,
        title: source.title,
        chunks: source.chunks,
        bytes: source.size,
        indexed_at: source.indexed_at,
        about: about(&source.meta),
    }
}

/// What is known of a document beside its text.
pub(crate) fn about(meta: &SourceMeta) -> DocumentAbout {
    DocumentAbout {
        format: meta.format.clone(),
        trust: meta.trust,
        readers: meta.readers.clone(),
        pages: (!meta.pages.is_empty()).then_some(meta.pages.len() as u64),
        metadata: meta.metadata.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
    }
}

/// A value of metadata as people read it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Whose documents a visitor finds: an admin all, another key those for its project or itself, and those for everybody.
pub(crate) fn readers_of(visitor: &Visitor) -> Readers {
    match &visitor.key {
        Some(key) if !visitor.admin => Readers::Of(vec![key.project.to_string(), key.name.to_string()]),
        _ => Readers::All,
    }
}

/// Whether a visitor may read a document.
pub(crate) fn may_read(visitor: &Visitor, meta: &SourceMeta) -> bool {
    match readers_of(visitor) {
        Readers::All => true,
        Readers::Of(readers) => {
            meta.readers.is_empty() || meta.readers.iter().any(|reader| readers.contains(reader))
        }
    }
}

/// A search that was not made yet.
pub(crate) fn search(house: &House, collection: Option<String>) -> SearchView {
    let collections = house.library.collections().into_iter().map(|info| info.name.to_string()).collect();
    let collection = collection.filter(|name| !name.is_empty());
    SearchView {
        collections,
        collection: collection.unwrap_or_else(|| house.library.default_collection().to_string()),
        ..SearchView::default()
    }
}

/// A hit as the page shows it.
pub(crate) fn found(hit: Hit) -> FoundView {
    let about = hit.about;
    FoundView {
        source_id: hit.source_id.to_string(),
        source: hit.source,
        heading: hit.heading,
        start: hit.start,
        end: hit.end,
        text: hit.text,
        score: hit.score,
        pages: about.pages,
        indexed_at: Some(about.indexed_at).filter(|at| *at != Timestamp::default()),
        trust: about.trust,
        metadata: about.metadata.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        votes: about.votes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_before_what_begins_so() {
        let check = |prefix: &str, path: &str, smaller: &str| {
            let before = just_before(prefix).unwrap_or_default();
            assert!(before.as_str() < path, "{path} stands behind {before:?}");
            assert!(smaller <= before.as_str(), "{smaller} stands before {before:?}");
        };
        check("docs/", "docs/", "docs.md");
        check("docs/b", "docs/b", "docs/a/z.md");
        check("규정/", "규정/휴가.md", "규정");
        check("가", "가.md", "zzz");
        assert_eq!(just_before(""), None);
    }
}
