//! A library in a folder of its own.

use hanok_base::{
    CallContext, Caller, ChatRequest, ChatResponse, CollectionName, Hit, Message, Part, Place, Provider,
    ProviderError, RetrievalError, Retriever, Role, SearchQuery, SearchResult, Span,
};
use hanok_retrieval::{Cancel, ExtractAnswerer, Library, SyncReport};
use hanok_store::{Options, Store};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) struct House {
    pub(crate) library: Arc<Library>,
    pub(crate) store: Store,
    pub(crate) folder: tempfile::TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("docs")).unwrap();
        let store = Store::open(&folder.path().join("data"), Options::default()).unwrap();
        let library = Library::open(store.clone(), &folder.path().join("data")).await.unwrap();
        Self { library, store, folder }
    }

    /// Opens the same folder again, as after a restart.
    pub(crate) async fn reopened(self) -> Self {
        let Self { library, store, folder } = self;
        drop(library);
        store.close();
        drop(store);
        let store = Store::open(&folder.path().join("data"), Options::default()).unwrap();
        let library = Library::open(store.clone(), &folder.path().join("data")).await.unwrap();
        Self { library, store, folder }
    }

    pub(crate) fn docs(&self) -> PathBuf {
        self.folder.path().join("docs")
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let file = self.docs().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    pub(crate) async fn sync(&self) -> SyncReport {
        self.sync_paths(&[self.docs()]).await
    }

    pub(crate) async fn sync_paths(&self, paths: &[PathBuf]) -> SyncReport {
        self.library.sync(&docs(), paths, &(), &Cancel::default()).await.unwrap()
    }

    pub(crate) async fn find(&self, text: &str, top_k: usize) -> Result<SearchResult, RetrievalError> {
        let query = SearchQuery::new(text, docs(), top_k);
        self.library.search(&CallContext::unrecorded(), &query).await
    }

    pub(crate) async fn hits(&self, text: &str) -> Vec<Hit> {
        self.find(text, 10).await.unwrap().hits
    }

    /// The files that hold a hit, best first.
    pub(crate) async fn files(&self, text: &str) -> Vec<String> {
        let mut files: Vec<String> = Vec::new();
        for hit in self.hits(text).await {
            let file = Path::new(&hit.source).file_name().unwrap().to_str().unwrap().to_owned();
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files
    }

    pub(crate) async fn extract(&self, question: &str) -> Result<ChatResponse, ProviderError> {
        let answerer = ExtractAnswerer::new(self.library.clone());
        answerer.chat(&CallContext::unrecorded(), &chat("extract@docs", question)).await
    }
}

pub(crate) fn docs() -> CollectionName {
    "docs".into()
}

pub(crate) fn chat(model: &str, question: &str) -> ChatRequest {
    ChatRequest::new(model.into(), vec![Message::text(Role::User, question)])
}

pub(crate) fn citations(response: &ChatResponse) -> Vec<hanok_base::Citation> {
    let parts = &response.choices[0].message.parts;
    parts
        .iter()
        .filter_map(|part| if let Part::Citation(citation) = part { Some(citation.clone()) } else { None })
        .collect()
}

/// A context whose spans can be looked at once it is let go.
pub(crate) fn recorded() -> (CallContext, Arc<Mutex<Vec<Span>>>) {
    struct Keep(Arc<Mutex<Vec<Span>>>);
    impl Place for Keep {
        fn record(self: Box<Self>, trace: hanok_base::FinishedTrace) {
            let spans = trace.spans;
            *self.0.lock() = spans;
        }
    }
    let kept = Arc::new(Mutex::new(Vec::new()));
    let caller = Caller { key_name: None, base_url: "http://127.0.0.1:4141".into(), ..Caller::default() };
    (CallContext::new(Box::new(Keep(kept.clone())), Arc::new(caller)), kept)
}

/// What a span says under a name.
pub(crate) fn attribute(span: &Span, key: &str) -> Option<serde_json::Value> {
    span.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
}
