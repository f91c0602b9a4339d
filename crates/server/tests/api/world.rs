//! A house in a folder of its own, and those who come to it.

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use hanok_base::{BoxFuture, CallContext, ExampleSource, Sample, TaskError};
use hanok_gateway::{Gateway, Routes};
use hanok_server::{Doors, House, Sessions, Settings};
use hanok_store::{Options, Store};
use hanok_trace::{Prices, Retention, TraceStore};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::service::Service as _;
use serde_json::Value;
use std::sync::Arc;

const OWNER: &str = "the-owners-token";

struct NoExamples;

impl ExampleSource for NoExamples {
    fn examples<'a>(
        &'a self,
        _: &'a CallContext,
        _: &'a str,
        _: usize,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Sample>, TaskError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Who comes.
#[derive(Clone, Copy)]
pub(crate) enum Who<'a> {
    /// Nobody in particular.
    Anybody,
    /// The data folder's owner.
    Owner,
    /// With this key.
    Key(&'a str),
}

/// A house, and the folder it is in.
pub(crate) struct World {
    doors: Doors,
    pub(crate) store: Store,
    pub(crate) folder: tempfile::TempDir,
    /// The house stops once nobody holds it.
    _stop: tokio::sync::watch::Sender<bool>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let store = Store::open(&data, Options::default()).unwrap();
        let library = hanok_retrieval::Library::open(store.clone(), &data).await.unwrap();
        let prompts =
            hanok_prompt::Library::open(&folder.path().join("prompts"), store.clone()).await.unwrap();
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let house = House {
            settings: ArcSwap::from_pointee(Settings::new("127.0.0.1:4141".parse().unwrap())),
            gateway: Arc::new(Gateway::new(Routes::default())),
            library,
            prompts: Arc::new(prompts),
            examples: Arc::new(NoExamples),
            traces: TraceStore::new(store.clone(), Arc::new(Prices::default())),
            retention: Arc::new(ArcSwap::from_pointee(Retention::default())),
            collections: ArcSwap::default(),
            token: OWNER.to_owned(),
            configured_keys: ArcSwap::default(),
            providers: ArcSwap::default(),
            config_problem: ArcSwapOption::empty(),
            sessions: Sessions::default(),
            stopping,
        };
        Self { doors: Doors::new(Arc::new(house)), store, folder, _stop: stop }
    }

    /// Makes a key and gives its secret.
    pub(crate) async fn key(&self, name: &str, project: &str, admin: bool) -> String {
        let wish = serde_json::json!({ "name": name, "project": project, "admin": admin });
        let (status, made) = self.call(Who::Owner, Method::POST, "/api/keys", Some(wish)).await;
        assert_eq!(status, StatusCode::OK, "{made}");
        made["secret"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, who: Who<'_>, path: &str) -> (StatusCode, Value) {
        self.call(who, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, who: Who<'_>, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(who, Method::POST, path, Some(body)).await
    }

    pub(crate) async fn call(
        &self,
        who: Who<'_>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let (status, text) = self.ask(who, method, path, body, "application/json").await;
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// A page as text.
    pub(crate) async fn page(&self, who: Who<'_>, path: &str) -> (StatusCode, String) {
        self.ask(who, Method::GET, path, None, "text/html").await
    }

    async fn ask(
        &self,
        who: Who<'_>,
        method: Method,
        path: &str,
        body: Option<Value>,
        accept: &str,
    ) -> (StatusCode, String) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:4141")
            .header("accept", accept);
        request = match who {
            Who::Anybody => request,
            Who::Owner => request.header("x-hanok-token", OWNER),
            Who::Key(secret) => request.header("authorization", format!("Bearer {secret}")),
        };
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let answer = self.doors.call(request.body(Full::new(body)).unwrap()).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
}

/// What an error of the API is called.
pub(crate) fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or_default()
}
