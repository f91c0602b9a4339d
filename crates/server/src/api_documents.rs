//! The API over documents: searches, collections, single documents, and what another way to cut would do.

use crate::api::{
    answered, begin_indexing, failed, find_source, library_problem, limit, parsed, search_problem,
};
use crate::documents::no_collection;
use crate::door::Visitor;
use crate::params::{Path, Query};
use crate::present::{chunks as cuts, documents as shown};
use crate::ui::view_knowledge::Knobs;
use crate::wire_api::admit;
use crate::{House, reply};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use hanok_base::{
    CollectionName, ErrorKind, Legs, Problem, Readers, RetrievalError, Retriever as _, SearchQuery,
    SearchResult, TraceId,
};
use hanok_retrieval::chunking::{Chunker, Chunking, Layout, Preview, tokens};
use hanok_retrieval::{Comparison, Library, LibraryError};
use hanok_store::documents::SourceSummary;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Most hits of one search.
const MOST: usize = 1000;
/// Most bytes of a text that is cut for a look.
const LONGEST: usize = 8 * 1024 * 1024;

/// A search, as the API is asked for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchBody {
    pub(crate) query: String,
    /// The library's default one when absent.
    pub(crate) collection: Option<String>,
    #[serde(default = "default_top_k")]
    pub(crate) top_k: usize,
    /// Conditions on the documents' metadata.
    #[serde(default)]
    pub(crate) filter: String,
    /// Whose documents may be found.
    pub(crate) readers: Option<Vec<String>>,
    /// `bm25`, `dense` or `hybrid`.
    pub(crate) legs: Option<String>,
}

fn default_top_k() -> usize {
    10
}

fn wrong(param: &'static str, message: impl Into<String>) -> Problem {
    Problem::new(ErrorKind::InvalidRequest, "invalid_request", message).param(param)
}

/// Makes a search, recorded: its trace, and what it found.
pub(crate) async fn searched(
    house: &House,
    visitor: &Visitor,
    headers: &HeaderMap,
    body: SearchBody,
) -> Result<(TraceId, Result<SearchResult, RetrievalError>), Problem> {
    if body.top_k == 0 || body.top_k > MOST {
        return Err(wrong("top_k", format!("`top_k` must be from 1 to {MOST}, not {}", body.top_k)));
    }
    let legs: Option<Legs> = match body.legs {
        None => None,
        Some(name) => Some(serde_json::from_value(Value::from(name.as_str())).map_err(|_| {
            wrong("legs", format!("`legs` must be `bm25`, `dense` or `hybrid`, not `{name}`"))
        })?),
    };
    let readers = readers(visitor, body.readers)?;
    let cx = admit(house, visitor, headers).await?;
    let collection = body.collection.map_or_else(|| house.library.default_collection(), CollectionName::from);
    let query = SearchQuery {
        filter: body.filter,
        readers,
        legs,
        ..SearchQuery::new(body.query, collection, body.top_k)
    };
    let found = house.library.search(&cx, &query).await;
    Ok((cx.trace_id(), found))
}

/// Whose documents are searched: an admin may say so, another key only narrow what it may read itself.
fn readers(visitor: &Visitor, wanted: Option<Vec<String>>) -> Result<Readers, Problem> {
    let own = shown::readers_of(visitor);
    match (own, wanted) {
        (own, None) => Ok(own),
        (Readers::All, Some(wanted)) => Ok(Readers::Of(wanted)),
        (Readers::Of(own), Some(wanted)) => match wanted.iter().find(|reader| !own.contains(reader)) {
            None => Ok(Readers::Of(wanted)),
            Some(other) => Err(Problem::new(
                ErrorKind::Forbidden,
                "not_a_reader",
                format!("this key may not search as `{other}`"),
            )
            .param("readers")
            .hint("an admin's key may search as anybody")),
        },
    }
}

pub(crate) async fn search(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let most = house.settings.load().body_limit;
    let headers = request.headers().clone();
    let body: SearchBody = match parsed(request, most).await {
        Ok(body) => body,
        Err(problem) => return failed(&problem),
    };
    let (trace_id, found) = match searched(&house, &visitor, &headers, body).await {
        Ok(searched) => searched,
        Err(problem) => return failed(&problem),
    };
    let mut response = match found {
        Ok(SearchResult { hits, coverage, left_out }) => {
            reply::json(&json!({ "hits": hits, "coverage": coverage, "left_out": left_out }))
        }
        Err(error) => failed(&search_problem(&error)),
    };
    reply::trace(response.headers_mut(), trace_id);
    response
}

pub(crate) async fn collections(State(house): State<Arc<House>>) -> Response {
    let view = match shown::knowledge(&house).await {
        Ok(view) => view,
        Err(error) => return failed(&library_problem(&error)),
    };
    let all: Vec<Value> = view
        .collections
        .iter()
        .map(|row| {
            let Knobs { by, size, overlap, parents } = &row.chunking;
            json!({
                "name": row.name,
                "indexed": row.indexed,
                "found": row.found,
                "indexing": row.indexing,
                "chunks": row.chunks,
                "failed": row.failed,
                "paths": row.paths,
                "chunking": { "by": by, "size": size, "overlap": overlap, "parents": parents },
                "embedder": row.embedder.as_ref().map(|embedder| {
                    json!({ "id": embedder.id, "embedded": embedder.embedded, "chunks": embedder.chunks })
                }),
                "opening": row.opening,
                "problem": row.problem,
            })
        })
        .collect();
    reply::json(&json!({ "collections": all }))
}

pub(crate) async fn delete_collection(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
) -> Response {
    let gone = match visitor.must_be_admin() {
        Ok(()) => remove_collection(&house, &name).await,
        Err(problem) => Err(problem),
    };
    answered(gone.map(|()| json!({ "deleted": name })))
}

/// Deletes a collection with all its documents.
pub(crate) async fn remove_collection(house: &House, name: &str) -> Result<(), Problem> {
    match house.library.remove(&CollectionName::from(name)).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(no_collection(name)),
        Err(error) => Err(library_problem(&error)),
    }
}

/// Brings a configured collection up to date, in the background.
pub(crate) async fn index_collection(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
) -> Response {
    let name = CollectionName::from(name.as_str());
    match visitor.must_be_admin().and_then(|()| index_configured(&house, &name)) {
        Ok(()) => {
            let mut response = reply::json(&json!({ "indexing": name }));
            *response.status_mut() = StatusCode::ACCEPTED;
            response
        }
        Err(problem) => failed(&problem),
    }
}

/// Begins to index the paths that are configured for a collection.
pub(crate) fn index_configured(house: &House, name: &CollectionName) -> Result<(), Problem> {
    let configured = house.collections.load();
    let Some((name, paths)) = configured.iter().find(|(known, _)| known == name).cloned() else {
        return Err(Problem::new(
            ErrorKind::InvalidRequest,
            "collection_not_configured",
            format!("`{name}` has no paths in the configuration"),
        )
        .hint("`hanok index --collection NAME PATH` brings it up to date"));
    };
    let run = begin_indexing(house, name.clone(), paths);
    tokio::spawn(async move {
        match run.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::error!(collection = %name, error = &error as &dyn std::error::Error, "indexing failed");
            }
            Err(error) => tracing::error!(collection = %name, %error, "an index run ended badly"),
        }
    });
    Ok(())
}

#[derive(Deserialize)]
pub(crate) struct SourcesQuery {
    collection: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

pub(crate) async fn sources(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<SourcesQuery>,
) -> Response {
    answered(listed(&house, &visitor, query).await)
}

async fn listed(house: &House, visitor: &Visitor, query: SourcesQuery) -> Result<Value, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let name = query.collection.map_or_else(|| house.library.default_collection(), CollectionName::from);
    if house.library.coverage(&name).is_none() {
        return Err(no_collection(name.as_str()));
    }
    let problem = |error: LibraryError| library_problem(&error);
    let after = query.after.as_deref();
    let (found, next) = shown::readable(house, visitor, &name, "", after, limit).await.map_err(problem)?;
    let failures = match after {
        None => shown::failures(house, visitor, &name).await.map_err(problem)?,
        Some(_) => Vec::new(),
    };
    Ok(json!({
        "collection": name,
        "sources": found.iter().map(|source| source_value(&house.library, source)).collect::<Vec<_>>(),
        "next": next,
        "failed": failures.iter().map(|(path, reason)| json!({ "source": path, "reason": reason })).collect::<Vec<_>>(),
    }))
}

/// What sentences were compared by, as the API tells of it: an embedder, `words`, or how it was before.
fn compared_by(comparison: &Comparison) -> &str {
    match comparison {
        Comparison::Vectors(embedder) => embedder,
        Comparison::Words => "words",
        Comparison::Former => "former settings",
    }
}

/// A document as the API tells of it.
pub(crate) fn source_value(library: &Library, source: &SourceSummary) -> Value {
    let meta = &source.meta;
    json!({
        "id": source.id.to_string(),
        "collection": source.collection,
        "source": source.path,
        "title": source.title,
        "size": source.size,
        "modified_at": source.modified.rfc3339(),
        "indexed_at": source.indexed_at.rfc3339(),
        "chunks": source.chunks,
        "compared_by": library.comparison(source).as_ref().map(compared_by),
        "format": meta.format,
        "origin": meta.origin.name(),
        "trust": meta.trust,
        "readers": meta.readers,
        "metadata": meta.metadata,
        "pages": meta.pages.len(),
        "notes": meta.notes,
    })
}

/// What is to be removed: a document, or all below a folder.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveQuery {
    collection: Option<String>,
    /// As the list of documents names it.
    source: String,
    /// Where that is on this machine, if it is a path.
    path: Option<String>,
}

pub(crate) async fn delete_sources(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<RemoveQuery>,
) -> Response {
    if let Err(problem) = visitor.must_be_admin() {
        return failed(&problem);
    }
    let name = query.collection.map_or_else(|| house.library.default_collection(), CollectionName::from);
    if house.library.coverage(&name).is_none() {
        return failed(&no_collection(name.as_str()));
    }
    let names: Vec<&str> = query.path.iter().map(String::as_str).chain([query.source.as_str()]).collect();
    match house.library.remove_named(&name, &names).await {
        Ok(gone) if gone.is_empty() => failed(&no_source(&query.source)),
        Ok(gone) => reply::json(&json!({ "collection": name, "deleted": gone })),
        Err(error) => failed(&library_problem(&error)),
    }
}

fn no_source(name: &str) -> Problem {
    Problem::new(ErrorKind::NotFound, "source_not_found", format!("there is no document `{name}`"))
        .hint("`GET /api/sources` lists the documents of a collection")
        .param("source")
}

pub(crate) async fn delete_source(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
) -> Response {
    let gone = match visitor.must_be_admin() {
        Ok(()) => remove_source(&house, &visitor, &id).await,
        Err(problem) => Err(problem),
    };
    answered(gone.map(|gone| json!({ "deleted": id, "source": gone.path })))
}

/// Removes a document from its collection, and says which it was.
pub(crate) async fn remove_source(
    house: &House,
    visitor: &Visitor,
    id: &str,
) -> Result<SourceSummary, Problem> {
    let source = find_source(house, visitor, id).await?;
    let removed = house.library.remove_source(source.summary.id).await;
    removed.map(|_| source.summary).map_err(|error| library_problem(&error))
}

/// What is to be cut for a look: a document, or a text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviewBody {
    /// A document's id.
    source_id: Option<String>,
    /// A text of one's own.
    text: Option<String>,
    /// How that is laid out; `plain` when absent.
    layout: Option<Layout>,
    #[serde(default)]
    chunking: Chunking,
}

pub(crate) async fn preview_chunks(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let most = house.settings.load().body_limit;
    let headers = request.headers().clone();
    let body: PreviewBody = match parsed(request, most).await {
        Ok(body) => body,
        Err(problem) => return failed(&problem),
    };
    answered(previewed(&house, &visitor, &headers, body).await)
}

async fn previewed(
    house: &House,
    visitor: &Visitor,
    headers: &HeaderMap,
    body: PreviewBody,
) -> Result<Value, Problem> {
    body.chunking.check().map_err(|why| wrong("chunking", why))?;
    let (text, layout, collection) = match (body.source_id, body.text) {
        (Some(id), None) => {
            let source = find_source(house, visitor, &id).await?;
            let layout = cuts::layout_of(&source.summary);
            (source.text, layout, source.summary.collection)
        }
        (None, Some(text)) => (text, body.layout.unwrap_or_default(), house.library.default_collection()),
        _ => return Err(wrong("source_id", "say what to cut: `source_id` or `text`, and not both")),
    };
    if text.len() > LONGEST {
        return Err(wrong(
            "text",
            format!("a text of {} bytes is too long for a look; {LONGEST} are the most", text.len()),
        ));
    }
    let chunking = body.chunking;
    let meaning = match chunking.by {
        Chunker::Semantic => cuts::Meaning::of(house, &collection, admit(house, visitor, headers).await?),
        _ => None,
    };
    let runtime = Handle::current();
    let ran = tokio::task::spawn_blocking(move || {
        let Preview { pieces, compared } =
            cuts::cut_for_a_look(&text, layout, &chunking, meaning.as_ref(), &runtime);
        let compared = cuts::comparison(&chunking, meaning.as_ref(), compared);
        let damage = cuts::damage(&text, &pieces);
        let said: Vec<Value> = pieces
            .iter()
            .map(|piece| {
                json!({
                    "start": piece.start,
                    "end": piece.end,
                    "heading": piece.heading,
                    "tokens": tokens(text.get(piece.start..piece.end).unwrap_or_default()),
                    "parent": piece.parent.as_ref().map(|parent| json!({ "start": parent.start, "end": parent.end })),
                })
            })
            .collect();
        json!({
            "chunking": chunking,
            "compared_by": compared.as_ref().map(compared_by),
            "bytes": text.len(),
            "chunks": said,
            "tables": damage.tables,
            "tables_cut": damage.tables_cut,
            "code_blocks": damage.code,
            "code_blocks_cut": damage.code_cut,
            "sentences_cut": damage.sentences_cut,
        })
    });
    ran.await.map_err(|error| library_problem(&LibraryError::Worker(error.into())))
}

/// The way to cut that these knobs say (chunker, size, overlap, parents), where they do not as `used` does; in words
/// what is wrong with them.
pub(crate) fn tried(
    used: &Chunking,
    [by, size, overlap, parents]: [Option<&str>; 4],
) -> Result<Chunking, String> {
    let number = |name: &str, text: Option<&str>| match text.map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => {
            text.parse::<usize>().map(Some).map_err(|_| format!("{name}: `{text}` is not a whole number"))
        }
    };
    let named = |name: &str, text: &str| format!("{name}: there is none called `{text}`");
    let mut chunking = Chunking { whole: None, parent_size: None, ..used.clone() };
    if let Some(by) = by {
        chunking.by = serde_json::from_value(Value::from(by)).map_err(|_| named("by", by))?;
    }
    if let Some(parents) = parents {
        chunking.parents =
            serde_json::from_value(Value::from(parents)).map_err(|_| named("parents", parents))?;
    }
    chunking.size = number("size", size)?.unwrap_or(chunking.size);
    chunking.overlap = number("overlap", overlap)?;
    chunking.check()?;
    Ok(chunking)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_retrieval::chunking::Parents;

    #[test]
    fn knobs_say_how_to_cut() {
        let used = Chunking { whole: Some(900), ..Chunking::default() };
        let check = |knobs: [Option<&str>; 4],
                     expect: Result<(Chunker, usize, Option<usize>, Parents), &str>| {
            let said = tried(&used, knobs);
            match (said, expect) {
                (Ok(chunking), Ok(expect)) => {
                    assert_eq!((chunking.by, chunking.size, chunking.overlap, chunking.parents), expect);
                }
                (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
                (said, expect) => panic!("{said:?} instead of {expect:?}"),
            }
        };
        check([None; 4], Ok((Chunker::Structure, 300, None, Parents::None)));
        check(
            [Some("tokens"), Some("48"), Some("10"), None],
            Ok((Chunker::Tokens, 48, Some(10), Parents::None)),
        );
        check(
            [Some("tokens"), Some(" "), Some(""), Some("merged")],
            Ok((Chunker::Tokens, 300, None, Parents::Merged)),
        );
        check([Some("magic"), None, None, None], Err("magic"));
        check([None, Some("ten"), None, None], Err("size"));
        check([None, Some("3"), None, None], Err("size"));
        check([None, Some("100"), Some("99"), None], Err("overlap"));
        check([None, None, None, Some("grand")], Err("parents"));
    }
}
