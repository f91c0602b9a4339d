//! Prompts, as the gateway needs them.

use crate::config::Effective;
use futures_util::StreamExt as _;
use hanok_base::{
    Attributes, BoxFuture, CallContext, ChatRequest, ChatResponse, Embedder, ErrorKind, EventStream,
    ExampleSource, ModelName, Object, OutputFormat, Problem,
};
use hanok_gateway::{AskedPrompt, Misfit, Prepared};
use hanok_prompt::{Context, Examples, Library, LibraryError, PromptError};
use hanok_server::prompts::{problem_of, problem_of_prompt};
use hanok_store::Store;
use hanok_trace::attribute;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of prompts, beside the configuration.
const FOLDER: &str = "prompts";
/// The version that calls of drafts are recorded under.
const DRAFT: &str = "draft";
/// The label that a prompt was asked for by.
const LABEL: &str = "hanok.prompt.label";

/// Where prompts are files.
pub(crate) fn folder(effective: &Effective) -> PathBuf {
    effective.beside_file(Path::new(FOLDER))
}

/// Where prompts have examples from: files beside the configuration and datasets of the store. What is near says the
/// first embedder that was pulled, opened when it is asked for.
pub(crate) fn examples(effective: &Effective, store: Option<Store>) -> Arc<dyn ExampleSource> {
    let folder = folder(effective);
    let folder = folder.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let effective = Arc::new(effective.clone());
    let open = move || -> BoxFuture<'static, Option<Arc<dyn Embedder>>> {
        let effective = effective.clone();
        Box::pin(async move {
            super::local_embedder(&effective, None).await.unwrap_or_else(|error| {
                tracing::warn!(error = %format!("{error:#}"), "examples are chosen by words: no embedder opens");
                None
            })
        })
    };
    let examples = Examples::new(folder).with_embedder(Box::new(open));
    match store {
        Some(store) => Arc::new(examples.with_store(store)),
        None => Arc::new(examples),
    }
}

/// The same for a command that only reads.
pub(crate) fn examples_to_read(effective: &Effective) -> anyhow::Result<Arc<dyn ExampleSource>> {
    let has_store = effective.data.value.join("hanok.db").exists();
    Ok(examples(effective, has_store.then(|| super::store_to_read(effective)).transpose()?))
}

/// The prompts of a folder, recorded in a store.
pub(crate) async fn library(effective: &Effective, store: Store) -> Result<Arc<Library>, LibraryError> {
    Library::open(&folder(effective), store).await.map(Arc::new)
}

/// The prompts, for a command that only reads.
pub(crate) async fn library_to_read(effective: &Effective) -> anyhow::Result<Library> {
    let has_store = effective.data.value.join("hanok.db").exists();
    let store = has_store.then(|| super::store_to_read(effective)).transpose()?;
    Ok(Library::open_to_read(&folder(effective), store).await?)
}

/// Prompts that calls are filled in with.
pub(super) struct Served {
    pub(super) library: Arc<Library>,
    pub(super) examples: Arc<dyn ExampleSource>,
}

impl hanok_gateway::Prompts for Served {
    fn offered(&self) -> Vec<String> {
        let mut names = Vec::new();
        for listed in self.library.list() {
            if listed.version.is_some() {
                names.push(listed.name.clone());
            }
            names.extend(listed.labels.keys().map(|label| format!("{}@{label}", listed.name)));
        }
        names
    }

    fn prepare<'a>(
        &'a self,
        cx: &'a CallContext,
        asked: &'a AskedPrompt,
        variables: Object,
        request: ChatRequest,
    ) -> BoxFuture<'a, Result<Prepared, Problem>> {
        Box::pin(self.prepared(cx, asked, variables, request))
    }
}

impl Served {
    async fn prepared(
        &self,
        cx: &CallContext,
        asked: &AskedPrompt,
        variables: Object,
        mut request: ChatRequest,
    ) -> Result<Prepared, Problem> {
        let found = self.library.resolve(&asked.name, asked.at.as_deref()).await;
        let found = found.map_err(|error| problem_of(&error))?;
        let (prompt, told) = (&found.prompt, |error: PromptError| problem_of_prompt(&error));
        let history = std::mem::take(&mut request.messages);
        let examples = match prompt.wish(&variables, &history) {
            None => Vec::new(),
            Some(wish) => {
                let rows = self.examples.examples(cx, &wish.dataset, wish.count, wish.near.as_deref()).await;
                rows.map_err(|error| {
                    let message = format!("the prompt `{}`: {error}", asked.name);
                    Problem::new(ErrorKind::Unavailable, "prompt_examples", message)
                })?
            }
        };
        let context = Context { history, examples, ..Context::default() };
        let rendered = prompt.render(&variables, &context).map_err(told)?;
        request.model = match (&asked.model, &rendered.model) {
            (Some(model), _) => ModelName::from(model.as_str()),
            (None, Some(model)) => model.clone(),
            (None, None) => {
                let message = format!("the prompt `{}` names no model", asked.name);
                return Err(Problem::new(ErrorKind::InvalidRequest, "prompt_without_model", message).hint(
                    "write `model: …` in its front matter, or name one in a Responses request with `prompt`",
                ));
            }
        };
        let own_format = request.output != OutputFormat::Unset;
        rendered.fill(&mut request).map_err(told)?;
        // Calls of what nobody saved are no version's, though its text may become one.
        let version = if found.is_draft { DRAFT } else { prompt.version().short() };
        let mut labels: Attributes = vec![
            (attribute::PROMPT_NAME.into(), prompt.name().into()),
            (attribute::PROMPT_VERSION.into(), version.into()),
        ];
        labels.extend(found.label.clone().map(|label| (LABEL.into(), label.into())));
        let reading =
            prompt.reading().map(|reading| if own_format { Arc::new(reading.unchecked()) } else { reading });
        let reading = reading.map(|reading| Arc::new(Read(reading)) as Arc<dyn hanok_gateway::Reading>);
        let identity = format!("{}@{}", prompt.name(), prompt.version().as_str());
        Ok(Prepared { request, labels, identity, reading })
    }
}

/// How answers to a prompt are read.
struct Read(Arc<hanok_prompt::Reading>);

impl hanok_gateway::Reading for Read {
    fn needs_whole(&self) -> bool {
        self.0.needs_whole()
    }

    fn retries(&self) -> u32 {
        self.0.retries()
    }

    fn events(&self, events: EventStream) -> EventStream {
        let mut splitter = self.0.splitter();
        Box::pin(events.flat_map(move |event| {
            let mut read = Vec::new();
            match event {
                Ok(event) => {
                    let mut out = Vec::new();
                    splitter.feed(event, &mut out);
                    read.extend(out.into_iter().map(Ok));
                }
                Err(error) => read.push(Err(error)),
            }
            futures_util::stream::iter(read)
        }))
    }

    fn check(&self, response: &mut ChatResponse, request: &mut ChatRequest) -> Result<(), Misfit> {
        self.0.read(response);
        self.0.check(response).map_err(|misfit| {
            self.0.ask_again(request, &misfit);
            Misfit { message: misfit.message, again: misfit.again }
        })
    }
}
