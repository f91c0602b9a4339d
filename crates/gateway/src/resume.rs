//! A stream that breaks off goes on at another target, where that is sound: the answer so far is nothing but
//! text of one choice, and the operator says of that target that it continues an answer whose beginning it is
//! given. Otherwise the break is the stream's explicit error.

use crate::route::Model;
use crate::target::Target;
use futures_core::Stream;
use hanok_base::{
    BoxFuture, CallContext, ChatRequest, Delta, EventStream, Message, Part, ProviderError, ProviderErrorKind,
    Role, StreamEvent,
};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Events that go on elsewhere, once.
pub(crate) struct Resuming {
    events: EventStream,
    cx: CallContext,
    request: ChatRequest,
    /// Where to go on.
    next: Option<Target>,
    /// What the client has of the answer.
    text: String,
    /// The part that the text is, and how many parts there are.
    part: Option<usize>,
    parts: usize,
    /// Whether the answer can be gone on with.
    sound: bool,
    beginning: Option<BoxFuture<'static, Result<EventStream, ProviderError>>>,
    /// Of the other target's parts: which of ours each is. `None` before it goes on there.
    renumbered: Option<HashMap<usize, usize>>,
}

/// The target of a model that may go on where `first` breaks off.
pub(crate) fn another<'a>(model: &'a Model, first: &Target) -> Option<&'a Target> {
    let mut resuming = model.entries.iter().filter(|entry| entry.resumes).map(|entry| &entry.target);
    resuming.find(|target| !Arc::ptr_eq(&target.state, &first.state))
}

impl Resuming {
    pub(crate) fn new(events: EventStream, cx: CallContext, request: ChatRequest, next: Target) -> Self {
        let sound = request.sampling.n.unwrap_or(1) <= 1;
        Self {
            events,
            cx,
            request,
            next: Some(next),
            text: String::new(),
            part: None,
            parts: 0,
            sound,
            beginning: None,
            renumbered: None,
        }
    }

    fn note(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::PartStart { choice: 0, part, value: Part::Text(text) } if self.part.is_none() => {
                self.part = Some(*part);
                self.text.push_str(text);
                self.parts = self.parts.max(part + 1);
            }
            StreamEvent::PartDelta { choice: 0, part, delta: Delta::Text(text) }
                if self.part == Some(*part) =>
            {
                self.text.push_str(text);
            }
            StreamEvent::Start { .. } | StreamEvent::Usage(_) => {}
            // Thoughts, calls, a second text, an end: there is no telling what would follow.
            _ => self.sound = false,
        }
    }

    /// Begins to go on elsewhere; the error back where that is not sound.
    fn go_on(&mut self, error: ProviderError) -> Result<(), ProviderError> {
        use ProviderErrorKind as P;
        let broke =
            matches!(error.kind, P::Truncated | P::Timeout | P::Transport | P::Overloaded | P::Decode);
        let Some(target) = self.next.take().filter(|_| broke && self.sound) else {
            return Err(error);
        };
        tracing::warn!(target = %target.id(), error = %error, "a stream broke off and goes on at another target");
        let mut request = self.request.clone();
        request.model = target.model.clone();
        if !self.text.is_empty() {
            request.messages.push(Message::text(Role::Assistant, self.text.clone()));
        }
        let cx = self.cx.clone();
        self.renumbered = Some(HashMap::new());
        self.beginning = Some(Box::pin(async move { target.provider.chat_stream(&cx, &request).await }));
        Ok(())
    }

    /// An event of the other target as one of this answer; `None` for what the client has already.
    fn renumber(&mut self, event: StreamEvent) -> Option<StreamEvent> {
        let Some(renumbered) = &mut self.renumbered else {
            return Some(event);
        };
        match event {
            StreamEvent::Start { .. } => None,
            StreamEvent::PartStart { choice, part, value } => {
                if let (Part::Text(text), Some(ours), true) = (&value, self.part, renumbered.is_empty()) {
                    renumbered.insert(part, ours);
                    let delta = Delta::Text(text.clone());
                    return (!text.is_empty()).then_some(StreamEvent::PartDelta {
                        choice,
                        part: ours,
                        delta,
                    });
                }
                let ours = self.parts;
                self.parts += 1;
                renumbered.insert(part, ours);
                Some(StreamEvent::PartStart { choice, part: ours, value })
            }
            StreamEvent::PartDelta { choice, part, delta } => {
                let part = renumbered.get(&part).copied()?;
                Some(StreamEvent::PartDelta { choice, part, delta })
            }
            StreamEvent::PartEnd { choice, part } => {
                let part = renumbered.get(&part).copied()?;
                Some(StreamEvent::PartEnd { choice, part })
            }
            other => Some(other),
        }
    }
}

impl Stream for Resuming {
    type Item = Result<StreamEvent, ProviderError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(beginning) = &mut this.beginning {
                let begun = ready!(beginning.as_mut().poll(cx));
                this.beginning = None;
                match begun {
                    Ok(events) => this.events = events,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            match ready!(this.events.as_mut().poll_next(cx)) {
                Some(Ok(event)) => {
                    if this.renumbered.is_none() {
                        this.note(&event);
                    }
                    if let Some(event) = this.renumber(event) {
                        return Poll::Ready(Some(Ok(event)));
                    }
                }
                Some(Err(error)) => {
                    if let Err(error) = this.go_on(error) {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                None => return Poll::Ready(None),
            }
        }
    }
}
