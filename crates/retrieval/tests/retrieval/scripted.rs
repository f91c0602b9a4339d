//! A gateway whose models say what they are told to.

use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, Citation, Delta, EmbedLimits, EmbedRequest,
    EmbedResponse, EventStream, FinishReason, ModelInfo, ModelName, Object, Part, Provider, ProviderError,
    ProviderErrorKind, ProviderName, RerankRequest, RerankResponse, StreamEvent, Usage,
};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

pub(crate) struct Scripted {
    pub(crate) name: ProviderName,
    /// What it says, call by call, and in the end always the last.
    pub(crate) says: Mutex<VecDeque<Result<String, ProviderErrorKind>>>,
    /// It ends without saying that it has.
    pub(crate) truncated: bool,
    /// Letters of a piece.
    pub(crate) piece: usize,
    /// What it cites by itself: the first before its words, the others behind them.
    pub(crate) cites: Vec<Citation>,
    pub(crate) limits: EmbedLimits,
    pub(crate) asked: Mutex<Vec<(ChatRequest, u8)>>,
    pub(crate) embedded: Mutex<Vec<EmbedRequest>>,
    pub(crate) ranked: Mutex<Vec<RerankRequest>>,
}

impl Scripted {
    pub(crate) fn new(says: &str) -> Arc<Self> {
        Self::saying([Ok(says)])
    }

    pub(crate) fn saying<'a>(
        says: impl IntoIterator<Item = Result<&'a str, ProviderErrorKind>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: "mock".into(),
            says: Mutex::new(says.into_iter().map(|said| said.map(str::to_owned)).collect()),
            truncated: false,
            piece: 1,
            cites: Vec::new(),
            limits: EmbedLimits::default(),
            asked: Mutex::default(),
            embedded: Mutex::default(),
            ranked: Mutex::default(),
        })
    }

    pub(crate) fn gateway(self: &Arc<Self>) -> Weak<dyn Provider> {
        let gateway: Arc<dyn Provider> = self.clone();
        Arc::downgrade(&gateway)
    }

    fn error(&self, kind: ProviderErrorKind) -> ProviderError {
        ProviderError::new(kind, &self.name, "as told")
    }

    fn next(&self) -> Result<String, ProviderError> {
        let mut says = self.says.lock();
        let last = says.len() == 1;
        let said = if last { says.front().cloned() } else { says.pop_front() };
        said.expect("something to say").map_err(|kind| self.error(kind))
    }

    /// The system prompt and the last message of a call.
    pub(crate) fn prompt(&self, call: usize) -> (String, String) {
        let asked = self.asked.lock();
        let messages = &asked[call].0.messages;
        (messages[0].plain_text(), messages.last().unwrap().plain_text())
    }
}

impl Provider for Scripted {
    fn name(&self) -> &ProviderName {
        &self.name
    }
    fn capabilities(&self, _: &ModelName) -> Capabilities {
        Capabilities { embeddings: true, embed_limits: self.limits, ..Capabilities::default() }
    }
    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn chat_stream<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<EventStream, ProviderError>> {
        self.asked.lock().push((request.clone(), cx.depth));
        let said = self.next();
        let head = StreamEvent::Start {
            id: "up".into(),
            model: "real".into(),
            created: 7,
            dialect: None,
            extra: Object::new(),
        };
        Box::pin(async move {
            let letters: Vec<char> = said?.chars().collect();
            let mut events = vec![head];
            let mut cites = self.cites.iter().cloned().map(Part::Citation);
            let part = usize::from(!self.cites.is_empty());
            if let Some(value) = cites.next() {
                events.push(StreamEvent::PartStart { choice: 0, part: 0, value });
                events.push(StreamEvent::PartEnd { choice: 0, part: 0 });
            }
            events.push(StreamEvent::PartStart { choice: 0, part, value: Part::Text(String::new()) });
            events.extend(letters.chunks(self.piece).map(|piece| StreamEvent::PartDelta {
                choice: 0,
                part,
                delta: Delta::Text(piece.iter().collect()),
            }));
            events.push(StreamEvent::PartEnd { choice: 0, part });
            for (at, value) in (part + 1..).zip(cites) {
                events.push(StreamEvent::PartStart { choice: 0, part: at, value });
                events.push(StreamEvent::PartEnd { choice: 0, part: at });
            }
            if !self.truncated {
                events.push(StreamEvent::Finish { choice: 0, reason: FinishReason::Stop });
            }
            Ok(Box::pin(futures_util::stream::iter(events.into_iter().map(Ok))) as EventStream)
        })
    }
    fn embed<'a>(
        &'a self,
        _: &'a CallContext,
        request: &'a EmbedRequest,
    ) -> BoxFuture<'a, Result<EmbedResponse, ProviderError>> {
        self.embedded.lock().push(request.clone());
        // A vector of a text's length, so that each is known again.
        let vector = |input: &hanok_base::EmbedInput| match input {
            hanok_base::EmbedInput::Text(text) => vec![f32::from(u16::try_from(text.len()).unwrap()), 1.0],
            hanok_base::EmbedInput::Tokens(_) => panic!("no tokens"),
        };
        let vectors = request.inputs.iter().map(vector).collect();
        let usage = Usage::default();
        Box::pin(async move { Ok(EmbedResponse { model: "real".into(), vectors, usage }) })
    }
    fn rerank<'a>(
        &'a self,
        _: &'a CallContext,
        request: &'a RerankRequest,
    ) -> BoxFuture<'a, Result<RerankResponse, ProviderError>> {
        self.ranked.lock().push(request.clone());
        // Longer is better.
        let score = |(at, text): (usize, &String)| (at, f32::from(u16::try_from(text.len()).unwrap()));
        let mut ranked: Vec<(usize, f32)> = request.documents.iter().enumerate().map(score).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        Box::pin(async { Ok(RerankResponse { model: "real".into(), ranked, usage: Usage::default() }) })
    }
}
