//! `hanok/extract`: answers a question with the best sentences of the documents, quoted and cited. No model.

use crate::answer::{Answer, Quoted, coverage_line, nothing_found};
use crate::error::blocking;
use crate::library::Library;
use crate::options::{AskOptions, CollectionOptions};
use crate::question::{Kind, Question};
use crate::score::{Verdict, judge};
use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, CollectionName, EventStream, ModelInfo, ModelName,
    Provider, ProviderError, ProviderErrorKind, ProviderName, RetrievalError, Retriever, Role, SearchQuery,
    SearchResult,
};
use serde_json::json;
use std::sync::Arc;

/// Chunks that are read for an answer.
const CHUNKS: usize = 12;
/// Bytes of a question that are looked at: a page pasted before it is not what is asked.
const LONGEST_QUESTION: usize = 2000;

/// Answers `extract` and `extract@COLLECTION` with quotes from the documents.
pub struct ExtractAnswerer {
    name: ProviderName,
    library: Arc<Library>,
    options: CollectionOptions,
}

impl ExtractAnswerer {
    /// An answerer over a library.
    pub fn new(library: Arc<Library>) -> Self {
        Self { name: "hanok".into(), library, options: CollectionOptions::default() }
    }

    /// The same with how collections are searched.
    #[must_use]
    pub fn configured(self, options: CollectionOptions) -> Self {
        Self { options, ..self }
    }

    async fn answer(&self, cx: &CallContext, request: &ChatRequest) -> Result<EventStream, ProviderError> {
        let collection = match request.model.as_str().split_once('@') {
            Some((_, name)) if !name.is_empty() => CollectionName::from(name),
            _ => self.library.default_collection(),
        };
        let Some(asked) = Asked::of(request) else {
            return Err(no_question(&self.name));
        };
        let question = Question::of(&asked.question);
        let options = options_of(&self.name, request, &collection, &self.options)?;
        // Steps that a model would take are none of this answerer's.
        let query = SearchQuery {
            readers: cx.caller.readers(),
            ..options.search(asked.query(&question), collection.clone(), CHUNKS)
        };
        let found = match self.library.search(cx, &query).await {
            Ok(found) => found,
            // A server that has no collection yet says so in the answer, not as an error.
            Err(RetrievalError::UnknownCollection { known, .. }) if known.is_empty() => {
                SearchResult::default()
            }
            // Signs alone are a question whose answer no document holds.
            Err(RetrievalError::EmptyQuery(_)) => {
                let coverage = self.library.coverage(&collection).unwrap_or_default();
                SearchResult { coverage, ..SearchResult::default() }
            }
            Err(error) => return Err(search_failed(&self.name, error)),
        };
        let coverage = found.coverage;
        let weighed = asked.weighed(question.clone());
        let (verdict, found) = self.judge(&collection, weighed, found).await?;

        let mut answer = Answer::new();
        let mut quoted = 0;
        for pick in &verdict.picks {
            let quote =
                found.hits.get(pick.hit).and_then(|hit| Quoted::within(hit, pick.span.start, pick.span.end));
            let Some(quote) = quote else { continue };
            if quoted > 0 {
                answer.say(if pick.joins { "\n" } else { "\n\n" });
            }
            answer.quote(cx, quote);
            quoted += 1;
        }
        if quoted == 0 {
            answer.say(nothing_found(question.korean, collection.as_str(), coverage));
        }
        if let Some(line) = coverage_line(question.korean, coverage) {
            answer.say(line);
        }
        let about = json!({
            "found": quoted > 0,
            "collection": collection,
            "missing": verdict.missing,
            "lacking": verdict.lacking,
            "evidence": {
                "window": hundredths(verdict.evidence.window),
                "own": hundredths(verdict.evidence.own),
                "fits": hundredths(verdict.evidence.fits),
                "lacks": hundredths(verdict.evidence.lacks),
                "lacks_name": hundredths(verdict.evidence.lacks_name),
            },
            "coverage": coverage,
        });
        Ok(answer.into_events(&request.model, about))
    }

    async fn judge(
        &self,
        collection: &CollectionName,
        question: Question,
        found: SearchResult,
    ) -> Result<(Verdict, SearchResult), ProviderError> {
        let Some(shelf) = self.library.shelf(collection) else {
            return Ok((Verdict::default(), found));
        };
        let judged =
            blocking(move || judge(&shelf.index, &question, &found.hits).map(|verdict| (verdict, found)));
        match judged.await.map(|judged| judged.map_err(Into::into)) {
            Ok(Ok(judged)) => Ok(judged),
            Ok(Err(error)) | Err(error) => Err(internal(&self.name, error)),
        }
    }
}

impl Provider for ExtractAnswerer {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self, _: &ModelName) -> Capabilities {
        Capabilities::default()
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async { Ok(models("extract", &self.library)) })
    }

    fn chat_stream<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<EventStream, ProviderError>> {
        Box::pin(self.answer(cx, request))
    }
}

/// `name`, and `name@COLLECTION` for each collection.
pub(crate) fn models(name: &str, library: &Library) -> Vec<ModelInfo> {
    let named = library.collections().into_iter().map(|collection| format!("{name}@{}", collection.name));
    let info = |name: String| ModelInfo {
        name: name.into(),
        owned_by: Some("hanok".to_owned()),
        created: 0,
        context_length: None,
    };
    std::iter::once(name.to_owned()).chain(named).map(info).collect()
}

/// What the person asks, and what they said before.
pub(crate) struct Asked {
    pub(crate) question: String,
    before: Option<String>,
}

impl Asked {
    /// The last user message that says something, and the one before it.
    pub(crate) fn of(request: &ChatRequest) -> Option<Self> {
        let mut said = request
            .messages
            .iter()
            .rev()
            .filter(|message| message.role == Role::User)
            .map(|message| tail(message.plain_text().trim()))
            .filter(|text| !text.is_empty());
        Some(Self { question: said.next()?, before: said.next() })
    }

    /// Whether the question leans on the turn before: `And for students?` has no subject of its own.
    fn leans(&self, question: &Question) -> Option<&str> {
        self.before
            .as_deref()
            .filter(|_| question.concepts.iter().filter(|concept| concept.factor >= 1.0).count() < 2)
    }

    /// What to search for.
    pub(crate) fn query(&self, question: &Question) -> String {
        self.leans(question)
            .map_or_else(|| self.question.clone(), |before| format!("{} {before}", self.question))
    }

    /// The question with what the turn before adds, which counts less.
    fn weighed(&self, mut question: Question) -> Question {
        if let Some(before) = self.leans(&question) {
            for mut concept in Question::of(before).concepts {
                concept.factor *= 0.4;
                concept.kind = Kind::Noun;
                if !question.concepts.iter().any(|known| known.is(&concept)) {
                    question.concepts.push(concept);
                }
            }
        }
        question
    }
}

fn hundredths(share: f64) -> f64 {
    (share * 100.0).round() / 100.0
}

fn tail(text: &str) -> String {
    let from = text.len().saturating_sub(LONGEST_QUESTION);
    text.get(text.ceil_char_boundary(from)..).unwrap_or_default().to_owned()
}

/// How a request wants its documents searched, and what it leaves open as its collection is set up.
pub(crate) fn options_of(
    provider: &ProviderName,
    request: &ChatRequest,
    collection: &CollectionName,
    collections: &CollectionOptions,
) -> Result<AskOptions, ProviderError> {
    let told = AskOptions::of(request)
        .map_err(|message| ProviderError::new(ProviderErrorKind::InvalidRequest, provider, message))?;
    let own = collections.of.get(collection);
    Ok(own.into_iter().fold(told, AskOptions::or).or(&collections.all))
}

pub(crate) fn no_question(provider: &ProviderName) -> ProviderError {
    let message = "there is no user message with text to answer";
    ProviderError::new(ProviderErrorKind::InvalidRequest, provider, message)
}

pub(crate) fn search_failed(provider: &ProviderName, error: RetrievalError) -> ProviderError {
    let kind = match &error {
        RetrievalError::UnknownCollection { .. } => ProviderErrorKind::UnknownModel,
        RetrievalError::EmptyQuery(_) | RetrievalError::BadFilter(_) | RetrievalError::NoVectors(_) => {
            ProviderErrorKind::InvalidRequest
        }
        RetrievalError::Failed(_) => return internal(provider, error),
    };
    ProviderError::new(kind, provider, error.to_string())
}

pub(crate) fn internal(
    provider: &ProviderName,
    error: impl std::error::Error + Send + Sync + 'static,
) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Internal, provider, "the documents could not be searched")
        .with_source(error)
}
