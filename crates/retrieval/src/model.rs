//! A chat model that is asked for something on the way to an answer, through the gateway.

use hanok_base::{
    CallContext, ChatRequest, Message, ModelName, OutputFormat, Provider, ProviderError, ProviderErrorKind,
    ProviderName, Role, SpanId, Usage,
};
use std::fmt::Write as _;
use std::sync::{Arc, Weak};

/// How many models that call models may stand above a call.
const DEEPEST: u8 = 4;

/// The gateway, and the context of a call through it. `name` is what leads there, for people.
pub(crate) fn through(
    gateway: &Weak<dyn Provider>,
    cx: &CallContext,
    provider: &ProviderName,
    name: &ModelName,
) -> Result<(Arc<dyn Provider>, CallContext), ProviderError> {
    if cx.depth >= DEEPEST {
        let message = format!(
            "models that call models are nested deeper than {DEEPEST}: the target of {name} leads back to it"
        );
        return Err(ProviderError::new(ProviderErrorKind::InvalidRequest, provider, message));
    }
    let gateway = gateway.upgrade().ok_or_else(|| {
        ProviderError::new(ProviderErrorKind::Internal, provider, "the gateway is shutting down")
    })?;
    let mut inner = cx.clone();
    inner.depth += 1;
    Ok((gateway, inner))
}

/// A model for small questions of our own.
#[derive(Clone)]
pub(crate) struct ChatModel {
    pub(crate) name: ModelName,
    gateway: Weak<dyn Provider>,
    provider: ProviderName,
}

impl ChatModel {
    pub(crate) fn new(gateway: Weak<dyn Provider>, name: ModelName) -> Self {
        Self { name, gateway, provider: "hanok".into() }
    }

    /// What the model says to a system prompt and one message.
    pub(crate) async fn say(
        &self,
        cx: &CallContext,
        system: String,
        message: String,
        output: OutputFormat,
    ) -> Result<String, ProviderError> {
        Ok(self.say_and_use(cx, system, message, output).await?.0)
    }

    /// The same, and what it used.
    pub(crate) async fn say_and_use(
        &self,
        cx: &CallContext,
        system: String,
        message: String,
        output: OutputFormat,
    ) -> Result<(String, Usage), ProviderError> {
        let (gateway, inner) = through(&self.gateway, cx, &self.provider, &self.name)?;
        let messages = vec![Message::text(Role::System, system), Message::text(Role::User, message)];
        let request = ChatRequest { output, ..ChatRequest::new(self.name.clone(), messages) };
        let response = gateway.chat(&inner, &request).await?;
        let said = response.choices.first().map(|choice| choice.message.plain_text());
        Ok((said.unwrap_or_default(), response.usage))
    }
}

/// Marks where foreign text begins and ends in a prompt, by a code that no document can know.
pub(crate) struct Fence {
    code: SpanId,
}

impl Fence {
    pub(crate) fn new() -> Self {
        Self { code: SpanId::random() }
    }

    /// The code, for the instructions.
    pub(crate) fn code(&self) -> SpanId {
        self.code
    }

    /// Puts a text between two lines; `label` says what it is, `about` stands behind the code of the first.
    pub(crate) fn put(&self, out: &mut String, label: &str, about: &str, text: &str) {
        let code = self.code;
        // One line each, whatever a file's name holds.
        let about = about.replace(['\n', '\r'], " ");
        let space = if about.is_empty() { "" } else { " " };
        let _infallible =
            write!(out, "\n--- {label} {code}{space}{about}\n{text}\n--- end of {label} {code}\n");
    }
}
