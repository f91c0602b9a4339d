//! Talking with the server that runs on the data folder.

use crate::config::Config;
use crate::ownership::Card;
use anyhow::{Context as _, bail};
use hanok_net::{Client, ClientOptions, Request, Response, Timeouts, Url};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

/// A running server.
pub(crate) struct Remote {
    card: Card,
    client: Client,
    headers: HeaderMap,
}

impl Remote {
    /// The server of this card. Where it wants keys, the first configured one that is set is used.
    pub(crate) fn new(card: Card, config: &Config) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-hanok-token", HeaderValue::try_from(&card.token)?);
        if let Some(key) = config.keys.iter().find_map(|key| key.key.read()) {
            let mut value = HeaderValue::try_from(format!("Bearer {key}"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self { card, client: Client::new(ClientOptions::default())?, headers })
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &str {
        &self.card.url
    }

    /// Sends a request and gives a good answer, its body still to be read.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Response> {
        let url = Url::parse(&format!("{}{path}", self.card.url))?;
        let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let request =
            Request { url: &url, headers: &self.headers, body: body.into(), timeouts: Timeouts::default() };
        let response = self.client.send(method, request).await.with_context(|| {
            format!("the server (pid {}) at {} does not answer", self.card.pid, self.card.url)
        })?;
        if response.status.is_success() {
            return Ok(response);
        }
        let status = response.status;
        let body = response.body.collect(1 << 20).await?;
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |path| said.pointer(path).and_then(Value::as_str);
        match (text("/error/message"), text("/error/hint")) {
            (Some(message), Some(hint)) => bail!("{message} ({hint})"),
            (Some(message), None) => bail!("{message}"),
            (None, _) => bail!("the server answered {status}"),
        }
    }

    /// Sends a request and reads the answer as JSON.
    pub(crate) async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let body = self.send(method, path, body).await?.body.collect(256 << 20).await?;
        Ok(serde_json::from_slice(&body)?)
    }
}
