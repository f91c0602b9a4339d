//! An endpoint: a request made of the row, an output taken out of the answer.

use super::Bench;
use crate::spec::HttpTask;
use crate::template::{fill, fill_value, text};
use hanok_base::{
    BoxFuture, CallContext, Operation, Output, ProviderError, ProviderErrorKind, Sample, Task, TaskError,
};
use hanok_net::{
    Client, Egress, HeaderMap, HeaderName, HeaderValue, Method, NetError, NetErrorKind, Request, StatusCode,
    Timeouts, Url,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Most bytes of an answer.
const MOST_BYTES: usize = 32 << 20;

/// Asks an endpoint. It may reach the host that the eval's file names and no other.
pub(super) struct EndpointTask {
    spec: HttpTask,
    method: Method,
    headers: HeaderMap,
    client: Client,
    timeout: Duration,
}

impl EndpointTask {
    pub(super) fn new(spec: &HttpTask, bench: &Bench) -> Result<Self, TaskError> {
        let invalid = |message: String| TaskError::Invalid(format!("task: {message}"));
        // Variables may stand behind the host only: rows must not choose whom to talk to.
        let fixed = spec.url.split("{{").next().unwrap_or_default();
        let rest = fixed.split_once("://").map(|(_, rest)| rest);
        if fixed.len() < spec.url.len() && !rest.is_some_and(|rest| rest.contains(['/', '?'])) {
            return Err(invalid("the host of `url` must be written out, without variables".to_owned()));
        }
        let url = Url::parse(fixed).map_err(|error| invalid(error.to_string()))?;
        let host = format!("{}:{}", url.host(), url.port());
        let egress = Egress::only([&host])
            .and_then(|egress| egress.allow_private(&host))
            .map_err(|error| invalid(error.to_string()))?;
        let options = hanok_net::ClientOptions { egress: Some(egress), ..bench.kit.network.clone() };
        let client = Client::new(options).map_err(|error| invalid(error.to_string()))?;
        let method = Method::from_bytes(spec.method.to_uppercase().as_bytes())
            .map_err(|_| invalid(format!("`{}` is not a method of HTTP", spec.method)))?;
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        for (name, value) in &spec.headers {
            let value = match value.strip_prefix("env:") {
                None => value.clone(),
                Some(variable) => std::env::var(variable)
                    .map_err(|_| invalid(format!("the environment variable {variable} is not set")))?,
            };
            let bad = || invalid(format!("`{name}` is not a header that can be sent"));
            let known = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
            let mut value = HeaderValue::try_from(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(known, value);
        }
        let timeout = Duration::try_from_secs_f64(spec.timeout)
            .map_err(|_| invalid(format!("timeout: {} is not a time", spec.timeout)))?;
        Ok(Self { spec: spec.clone(), method, headers, client, timeout })
    }

    async fn ask(&self, cx: &CallContext, sample: &Sample) -> Result<Output, TaskError> {
        let url = fill(&self.spec.url, &sample.input).map_err(TaskError::Invalid)?;
        let url = Url::parse(&url).map_err(|error| TaskError::Invalid(error.to_string()))?;
        let body = match &self.spec.body {
            _ if self.method == Method::GET => Vec::new(),
            Some(body) => {
                fill_value(body, &sample.input).map_err(TaskError::Invalid)?.to_string().into_bytes()
            }
            None => json!({ "input": sample.input }).to_string().into_bytes(),
        };
        let mut scope = cx.span(Operation::Tool, format!("{} {}", self.method, url.target()));
        let timeouts = Timeouts { first_byte: self.timeout, ..Timeouts::default() };
        let request = Request { url: &url, headers: &self.headers, body: body.into(), timeouts };
        let started = Instant::now();
        let answered = async {
            let mut response = self.client.send(self.method.clone(), request).await?;
            response.body.set_deadline(Some(started + self.timeout));
            Ok::<_, NetError>((response.status, response.body.collect(MOST_BYTES).await?))
        };
        let (status, body) = match answered.await {
            Ok(answered) => answered,
            Err(error) => {
                let kind = match error.kind() {
                    NetErrorKind::ConnectTimeout
                    | NetErrorKind::FirstByteTimeout
                    | NetErrorKind::IdleTimeout => ProviderErrorKind::Timeout,
                    NetErrorKind::Forbidden | NetErrorKind::BadUrl => ProviderErrorKind::InvalidRequest,
                    _ => ProviderErrorKind::Transport,
                };
                scope.fail(kind.as_str(), error.to_string());
                return Err(ProviderError::new(kind, &"http".into(), error.to_string()).into());
            }
        };
        scope.set("http.response.status_code", status.as_u16());
        if !status.is_success() {
            let said: String = String::from_utf8_lossy(&body).chars().take(300).collect();
            let kind = match status {
                StatusCode::TOO_MANY_REQUESTS => ProviderErrorKind::RateLimited,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ProviderErrorKind::Auth,
                _ if status.is_server_error() => ProviderErrorKind::Overloaded,
                _ => ProviderErrorKind::InvalidRequest,
            };
            let message = format!("{status}: {}", said.trim());
            scope.fail(kind.as_str(), message.clone());
            return Err(ProviderError::new(kind, &"http".into(), message).into());
        }
        scope.finish();
        let text_body = String::from_utf8_lossy(&body).into_owned();
        let data: Option<Value> = serde_json::from_slice(&body).ok();
        let (text, value) = match (&self.spec.output, data) {
            (Some(pointer), Some(data)) => match data.pointer(pointer) {
                Some(found) => (text(found), Some(found.clone()).filter(|found| !found.is_string())),
                None => return Err(TaskError::Failed(format!("the answer has nothing at `{pointer}`"))),
            },
            (Some(_), None) => return Err(TaskError::Failed("the answer is not JSON".to_owned())),
            (None, Some(Value::String(text))) => (text, None),
            (None, data) => (text_body, data),
        };
        Ok(Output { text, value, latency: started.elapsed(), ..Output::default() })
    }
}

impl Task for EndpointTask {
    fn name(&self) -> &str {
        &self.spec.url
    }

    /// Headers are named and not shown: they may hold secrets.
    fn identity(&self) -> Value {
        let headers: Vec<&String> = self.spec.headers.keys().collect();
        json!({
            "kind": "http", "url": self.spec.url, "method": self.spec.method, "headers": headers,
            "body": self.spec.body, "output": self.spec.output,
        })
    }

    fn run<'a>(
        &'a self,
        cx: &'a CallContext,
        sample: &'a Sample,
        _: u32,
    ) -> BoxFuture<'a, Result<Output, TaskError>> {
        Box::pin(self.ask(cx, sample))
    }
}
