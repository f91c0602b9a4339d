//! What can be made of an upstream's stream: its own bytes, checked or unread, or events.

use crate::stream::Stage;
use bytes::Bytes;
use hanok_base::{Part, ProviderError, ProviderName, StreamEvent};
use hanok_wire::{Fed, StreamDecoder, StreamGuard};
use std::collections::VecDeque;

/// Bytes in whole, checked events.
pub(crate) struct Checked {
    guard: Box<dyn StreamGuard>,
    provider: ProviderName,
}

impl Checked {
    pub(crate) fn new(guard: Box<dyn StreamGuard>, provider: ProviderName) -> Self {
        Self { guard, provider }
    }

    fn pass(&self, fed: Fed, items: &mut VecDeque<Bytes>) -> Result<(), ProviderError> {
        if !fed.bytes.is_empty() {
            items.push_back(fed.bytes);
        }
        fed.fault.map_or(Ok(()), |fault| Err(fault.into_provider_error(&self.provider)))
    }
}

impl Stage for Checked {
    type Item = Bytes;

    fn push(&mut self, piece: Bytes, items: &mut VecDeque<Bytes>) -> Result<(), ProviderError> {
        let fed = self.guard.feed(piece);
        self.pass(fed, items)
    }
    fn end(&mut self, items: &mut VecDeque<Bytes>) -> Result<(), ProviderError> {
        let fed = self.guard.finish();
        self.pass(fed, items)
    }
    fn has_content(&self) -> bool {
        self.guard.saw_content()
    }
    fn is_complete(&self) -> bool {
        self.guard.is_complete()
    }
    fn is_over(&self) -> bool {
        self.guard.is_over()
    }
}

/// Bytes as they come, of a route whose streams nobody here can read.
pub(crate) struct Unread {
    seen: bool,
}

impl Unread {
    pub(crate) fn new() -> Self {
        Self { seen: false }
    }
}

impl Stage for Unread {
    type Item = Bytes;

    fn push(&mut self, piece: Bytes, items: &mut VecDeque<Bytes>) -> Result<(), ProviderError> {
        self.seen = true;
        items.push_back(piece);
        Ok(())
    }

    fn end(&mut self, _: &mut VecDeque<Bytes>) -> Result<(), ProviderError> {
        Ok(())
    }

    fn has_content(&self) -> bool {
        self.seen
    }

    /// Only the connection's own end tells.
    fn is_complete(&self) -> bool {
        false
    }
}

/// Events.
pub(crate) struct Decoded {
    decoder: Box<dyn StreamDecoder>,
    provider: ProviderName,
    fresh: Vec<StreamEvent>,
    content: bool,
    /// The choices that began and have not finished.
    open: Vec<u32>,
    finished: bool,
}

impl Decoded {
    pub(crate) fn new(decoder: Box<dyn StreamDecoder>, provider: ProviderName) -> Self {
        Self { decoder, provider, fresh: Vec::new(), content: false, open: Vec::new(), finished: false }
    }

    fn note(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::PartStart { choice, value, .. } => {
                if !self.open.contains(choice) {
                    self.open.push(*choice);
                }
                self.content |= !matches!(value, Part::Text(text) if text.is_empty());
            }
            StreamEvent::PartDelta { .. } => self.content = true,
            StreamEvent::Finish { choice, .. } => {
                self.open.retain(|open| open != choice);
                self.finished = true;
            }
            StreamEvent::Start { .. }
            | StreamEvent::PartEnd { .. }
            | StreamEvent::ChoiceExtra { .. }
            | StreamEvent::Usage(_) => {}
        }
    }
}

impl Stage for Decoded {
    type Item = StreamEvent;

    fn push(&mut self, piece: Bytes, items: &mut VecDeque<StreamEvent>) -> Result<(), ProviderError> {
        let mut fresh = std::mem::take(&mut self.fresh);
        let fed = self.decoder.feed(&piece, &mut fresh);
        for event in &fresh {
            self.note(event);
        }
        items.extend(fresh.drain(..));
        self.fresh = fresh;
        fed.map_err(|error| error.into_provider_error(&self.provider))
    }
    fn end(&mut self, _: &mut VecDeque<StreamEvent>) -> Result<(), ProviderError> {
        self.decoder.finish().map_err(|error| error.into_provider_error(&self.provider))
    }
    fn has_content(&self) -> bool {
        self.content
    }
    fn is_complete(&self) -> bool {
        self.finished && self.open.is_empty()
    }
}
