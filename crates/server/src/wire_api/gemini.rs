//! Gemini's calls: model and method stand in the path.

use super::{Asked, call};
use crate::door::Visitor;
use crate::params::Path;
use crate::{House, reply};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use hanok_base::{Dialect, ErrorKind, Problem, Route};
use hanok_wire::gemini::{ARRAY_TYPE, ArrayWriter};
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt as _, Collected};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// `models/{model}:{method}`, where the model may hold slashes.
pub(crate) async fn method(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(path): Path,
    request: Request,
) -> Response {
    match asked(&path, request.uri().query().unwrap_or_default()) {
        Ok((asked, false)) => call(&house, &visitor, request, asked).await,
        Ok((asked, true)) => as_array(call(&house, &visitor, request, asked).await).await,
        Err(problem) => reply::problem(Dialect::Gemini, &problem, None),
    }
}

/// A streamed answer as a JSON array. An error that comes in place of it is its only element, as at Google.
async fn as_array(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = if parts.status.is_success() {
        Body::new(ArrayBody { events: body, writer: ArrayWriter::default(), ended: false })
    } else {
        let error = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        Body::from([b"[".as_slice(), &error, b"]"].concat())
    };
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(ARRAY_TYPE));
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, body)
}

/// The body of a stream of events, as an array.
struct ArrayBody {
    events: Body,
    writer: ArrayWriter,
    ended: bool,
}

impl http_body::Body for ArrayBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let mut out = Vec::new();
        while out.is_empty() && !this.ended {
            match ready!(Pin::new(&mut this.events).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        this.writer.feed(&bytes, &mut out);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    this.ended = true;
                    this.writer.finish(&mut out);
                }
            }
        }
        Poll::Ready((!out.is_empty()).then(|| Ok(Frame::data(out.into()))))
    }
}

/// What is asked for, and whether its stream is to be an array.
fn asked(path: &str, query: &str) -> Result<(Asked, bool), Problem> {
    let unknown = || {
        Problem::new(ErrorKind::NotFound, "not_found", format!("there is no method at models/{path}")).hint(
            "the methods are generateContent, streamGenerateContent, countTokens, embedContent and batchEmbedContents",
        )
    };
    let (model, method) = path.rsplit_once(':').ok_or_else(unknown)?;
    let (route, stream) = match method {
        "generateContent" => (Route::Chat, false),
        "streamGenerateContent" => (Route::Chat, true),
        "countTokens" => (Route::CountTokens, false),
        "embedContent" => (Route::Embeddings, false),
        "batchEmbedContents" => (Route::BatchEmbeddings, false),
        _ => return Err(unknown()),
    };
    let alt = query.split('&').find_map(|pair| pair.strip_prefix("alt=")).unwrap_or("json");
    if stream && !["sse", "json"].contains(&alt) {
        let message = "a stream is given as server-sent events or as a JSON array only";
        return Err(Problem::new(ErrorKind::InvalidRequest, "invalid_request", message)
            .param("alt")
            .hint("alt=sse, as Google's own clients ask, or alt=json"));
    }
    let asked =
        Asked { dialect: Dialect::Gemini, route, model: Some(model.to_owned()), stream: Some(stream) };
    Ok((asked, stream && alt == "json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    #[test]
    fn methods() {
        let check = |path: &str, query: &str, expect: Option<(&str, Route, bool, bool)>| {
            let got = asked(path, query).ok();
            let got = got.as_ref().map(|(asked, array)| {
                (asked.model.as_deref().unwrap(), asked.route, asked.stream.unwrap(), *array)
            });
            assert_eq!(got, expect, "{path}?{query}");
        };
        check("g-2:generateContent", "", Some(("g-2", Route::Chat, false, false)));
        check(
            "openai/gpt-5:streamGenerateContent",
            "key=x&alt=sse",
            Some(("openai/gpt-5", Route::Chat, true, false)),
        );
        check("ollama/qwen3:8b:countTokens", "", Some(("ollama/qwen3:8b", Route::CountTokens, false, false)));
        check("g-2:streamGenerateContent", "", Some(("g-2", Route::Chat, true, true)));
        check("g-2:streamGenerateContent", "alt=json", Some(("g-2", Route::Chat, true, true)));
        check("g-2:streamGenerateContent", "alt=proto", None);
        check("g-2:predict", "", None);
        check("g-2", "", None);
    }

    #[tokio::test]
    async fn streams_and_errors_as_arrays() {
        let check = async |status: StatusCode, body: &'static str, expect: &str| {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            let response = as_array(response).await;
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[CONTENT_TYPE], ARRAY_TYPE);
            let text = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(text, expect);
        };
        check(StatusCode::OK, "data: {\"a\":1}\n\ndata: {\"b\":2}\n\n", "[{\"a\":1},\n{\"b\":2}\n]\n").await;
        check(StatusCode::OK, "", "[]\n").await;
        check(StatusCode::NOT_FOUND, "{\"error\":{}}", "[{\"error\":{}}]").await;
    }
}
