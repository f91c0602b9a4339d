//! Gemini's calls: model and method stand in the path.

use super::{Asked, call};
use crate::door::Visitor;
use crate::params::Path;
use crate::{House, reply};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use hanok_base::{Dialect, ErrorKind, Problem, Route};
use std::sync::Arc;

/// `models/{model}:{method}`, where the model may hold slashes.
pub(crate) async fn method(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(path): Path,
    request: Request,
) -> Response {
    match asked(&path, request.uri().query().unwrap_or_default()) {
        Ok(asked) => call(&house, &visitor, request, asked).await,
        Err(problem) => reply::problem(Dialect::Gemini, &problem, None),
    }
}

fn asked(path: &str, query: &str) -> Result<Asked, Problem> {
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
    if stream && !query.split('&').any(|pair| pair == "alt=sse") {
        let message = "a stream is given as server-sent events only";
        return Err(Problem::new(ErrorKind::InvalidRequest, "invalid_request", message)
            .param("alt")
            .hint("add ?alt=sse to the URL, as Google's own clients do"));
    }
    Ok(Asked { dialect: Dialect::Gemini, route, model: Some(model.to_owned()), stream: Some(stream) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods() {
        let check = |path: &str, query: &str, expect: Option<(&str, Route, bool)>| {
            let got = asked(path, query).ok();
            let got = got
                .as_ref()
                .map(|asked| (asked.model.as_deref().unwrap(), asked.route, asked.stream.unwrap()));
            assert_eq!(got, expect, "{path}?{query}");
        };
        check("g-2:generateContent", "", Some(("g-2", Route::Chat, false)));
        check(
            "openai/gpt-5:streamGenerateContent",
            "key=x&alt=sse",
            Some(("openai/gpt-5", Route::Chat, true)),
        );
        check("ollama/qwen3:8b:countTokens", "", Some(("ollama/qwen3:8b", Route::CountTokens, false)));
        check("g-2:streamGenerateContent", "", None);
        check("g-2:predict", "", None);
        check("g-2", "", None);
    }
}
