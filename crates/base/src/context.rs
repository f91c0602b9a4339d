//! What travels with a call: its trace, its caller, its limits.

use crate::span::{Attributes, FinishedTrace, Place, Settlement, Settlements};
use crate::time::Start;
use crate::{
    Allowed, Exchange, Operation, ProviderError, ProviderErrorKind, ProviderName, Readers, Span, SpanId,
    SpanStatus, TraceContext, TraceId,
};
use parking_lot::Mutex;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Whether what was said in calls is kept with their records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Payloads {
    /// It is.
    #[default]
    On,
    /// Only of traces in which something failed.
    Errors,
    /// It is not; what they used and cost is.
    Off,
}

impl Payloads {
    /// Its name: `on`, `errors` or `off`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Errors => "errors",
            Self::Off => "off",
        }
    }

    /// The choice of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::On, Self::Errors, Self::Off].into_iter().find(|choice| choice.as_str() == name)
    }
}

/// Who calls, and how to reach back.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The name of the key the call came with; `None` on an open loopback server.
    pub key_name: Option<Arc<str>>,
    /// The id of that key, where it is one of the store's.
    pub key_id: Option<Arc<str>>,
    /// The project the call belongs to; empty for none.
    pub project: Arc<str>,
    /// Whether that key sees every project.
    pub admin: bool,
    /// The address clients reach this server by (`http://127.0.0.1:4141`), for links in answers.
    pub base_url: Arc<str>,
    /// Whether what is said in its calls is kept, where the key says so; else the project does.
    pub payloads: Option<Payloads>,
    /// Who gives its calls money, beside the budgets of its key and project.
    pub allowance: Allowed,
}

impl Caller {
    /// Whose documents its calls may find: everybody's without a key or with an admin's; else those for its project
    /// or its key, by their names, and those without readers.
    pub fn readers(&self) -> Readers {
        match &self.key_name {
            Some(key) if !self.admin => {
                let names = [&self.project, key].into_iter().filter(|name| !name.is_empty());
                Readers::Of(names.map(ToString::to_string).collect())
            }
            _ => Readers::All,
        }
    }
}

/// The context of one call. Cheap to clone; a clone writes into the same trace.
#[derive(Clone)]
pub struct CallContext {
    trace: Arc<Trace>,
    /// The span that new spans become children of.
    parent: Option<SpanId>,
    /// Who calls.
    pub caller: Arc<Caller>,
    /// How many models that call models are above this call; answerers refuse beyond 4.
    pub depth: u8,
    /// What was lost in translation on the way to the target that is being tried.
    degradations: Option<Arc<Mutex<Vec<Degradation>>>>,
    /// The operator wants a call refused rather than degraded.
    strict: bool,
    /// How long this attempt may take.
    pub patience: Patience,
}

/// How long an attempt may take; `None` leaves the provider's own limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// Until the connection stands.
    pub connect: Option<Duration>,
    /// Until the first token of a stream, or the whole answer, is here.
    pub first_token: Option<Duration>,
    /// Between two pieces of a stream.
    pub between: Option<Duration>,
}

/// Something a client asked for that its target cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degradation {
    /// The request's member: `seed`, `messages[2].content[1]`.
    pub param: String,
    /// What became of it, lower case: `left out: gemini has no such member`.
    pub message: String,
}

impl std::fmt::Display for Degradation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.param, self.message)
    }
}

impl CallContext {
    /// A new trace whose spans go into `place` once the last holder of the context lets go of it.
    pub fn new(place: Box<dyn Place>, caller: Arc<Caller>) -> Self {
        Self::made(TraceId::timely(), None, place, caller)
    }

    /// The same inside a trace that the caller began.
    pub fn joining(context: TraceContext, place: Box<dyn Place>, caller: Arc<Caller>) -> Self {
        Self::made(context.trace_id, Some(context), place, caller)
    }

    fn made(id: TraceId, joined: Option<TraceContext>, place: Box<dyn Place>, caller: Arc<Caller>) -> Self {
        let open = Mutex::new(Open { spans: Vec::with_capacity(4), place: Some(place), settlement: None });
        let parent = joined.as_ref().map(|context| context.parent);
        let trace = Arc::new(Trace { id, joined, caller: caller.clone(), open });
        Self {
            trace,
            parent,
            caller,
            depth: 0,
            degradations: None,
            strict: false,
            patience: Patience::default(),
        }
    }

    /// The same for one try at one target, with what gets lost on the way to it collected apart. `strict`:
    /// nothing may get lost.
    #[must_use]
    pub fn attempt(&self, strict: bool) -> Self {
        Self { degradations: Some(Arc::default()), strict, ..self.clone() }
    }

    /// The same with limits on how long the attempt may take.
    #[must_use]
    pub fn patient(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Notes what a translation lost; an error where nothing may get lost.
    pub fn degrade(&self, lost: Vec<Degradation>, provider: &ProviderName) -> Result<(), ProviderError> {
        if let Some(first) = lost.first()
            && self.strict
        {
            let message = format!("cannot do all that was asked for: {first}");
            return Err(ProviderError::new(ProviderErrorKind::Unsupported, provider, message));
        }
        if let (Some(list), false) = (&self.degradations, lost.is_empty()) {
            list.lock().extend(lost);
        }
        Ok(())
    }

    /// What was lost so far in this attempt.
    pub fn degradations(&self) -> Vec<Degradation> {
        self.degradations.as_ref().map(|list| list.lock().clone()).unwrap_or_default()
    }

    /// Ties a reservation to the trace, beside others it may have: settled when the trace is committed.
    pub fn settle_with(&self, settlement: Box<dyn Settlement>) {
        let mut open = self.trace.open.lock();
        open.settlement = Some(Settlements::joined(open.settlement.take(), settlement));
    }

    /// A context whose spans go nowhere: for tests and commands that answer without a store.
    pub fn unrecorded() -> Self {
        Self::unrecorded_by(Arc::default())
    }

    /// The same in somebody's name.
    pub fn unrecorded_by(caller: Arc<Caller>) -> Self {
        struct Nowhere;
        impl Place for Nowhere {
            fn record(self: Box<Self>, _: FinishedTrace) {}
        }
        Self::new(Box::new(Nowhere), caller)
    }

    /// The trace's id.
    pub fn trace_id(&self) -> TraceId {
        self.trace.id
    }

    /// What a call made from the innermost span tells of its trace (`traceparent` and `tracestate`); `None` where
    /// the trace is our own, which is nobody else's business.
    pub fn told_on(&self) -> Option<(String, Option<&str>)> {
        let joined = self.trace.joined.as_ref()?;
        let parent = TraceContext::traceparent(self.trace.id, self.parent?, joined.flags);
        Some((parent, joined.state.as_deref()))
    }

    /// Opens a span under this context. Dropping it unfinished records it as cancelled.
    pub fn span(&self, operation: Operation, name: impl Into<String>) -> SpanScope {
        SpanScope {
            cx: CallContext { parent: Some(SpanId::random()), ..self.clone() },
            parent_id: self.parent,
            start: Start::now(),
            name: name.into(),
            operation,
            attributes: Vec::new(),
            exchange: None,
            status: None,
        }
    }
}

struct Trace {
    id: TraceId,
    /// Where the caller made it part of a trace of its own.
    joined: Option<TraceContext>,
    caller: Arc<Caller>,
    open: Mutex<Open>,
}

struct Open {
    spans: Vec<Span>,
    place: Option<Box<dyn Place>>,
    settlement: Option<Box<dyn Settlement>>,
}

impl Drop for Trace {
    fn drop(&mut self) {
        let open = self.open.get_mut();
        // Spans finish children first; stored root first, so that a reader meets parents before children.
        open.spans.sort_by_key(|span| (span.parent_id.is_some(), span.start));
        if let Some(place) = open.place.take()
            && !open.spans.is_empty()
        {
            let (spans, settlement) = (std::mem::take(&mut open.spans), open.settlement.take());
            place.record(FinishedTrace { spans, caller: self.caller.clone(), settlement });
        }
    }
}

/// A span that is still open.
pub struct SpanScope {
    cx: CallContext,
    parent_id: Option<SpanId>,
    start: Start,
    name: String,
    operation: Operation,
    attributes: Attributes,
    exchange: Option<Exchange>,
    status: Option<SpanStatus>,
}

impl SpanScope {
    /// The context for work inside this span.
    pub fn context(&self) -> &CallContext {
        &self.cx
    }
    /// When it began, on both clocks.
    pub fn start(&self) -> Start {
        self.start
    }
    /// Sets an attribute (a second value of one key stands beside the first; the last one counts).
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        self.attributes.push((key.into(), value.into()));
    }
    /// Changes the name.
    pub fn rename(&mut self, name: impl Into<String>) {
        self.name = name.into();
    }
    /// Keeps the bytes of the model call.
    pub fn exchange(&mut self, exchange: Exchange) {
        self.exchange = Some(exchange);
    }
    /// Marks it failed, in words.
    pub fn fail(&mut self, error_type: &'static str, message: impl Into<String>) {
        self.set("error.type", error_type);
        self.status = Some(SpanStatus::Error(message.into()));
    }
    /// Marks it as it should be, unless it failed before.
    pub fn succeed(&mut self) {
        self.status.get_or_insert(SpanStatus::Ok);
    }
    /// Ends it well, unless it failed before.
    pub fn finish(mut self) {
        self.succeed();
    }
}

impl Drop for SpanScope {
    fn drop(&mut self) {
        let status = self.status.take().unwrap_or_else(|| {
            self.attributes.push(("error.type".into(), "cancelled".into()));
            SpanStatus::Error(
                "cancelled: the caller went away, or the server stopped, before the end".to_owned(),
            )
        });
        let span = Span {
            trace_id: self.cx.trace.id,
            span_id: self.cx.parent.unwrap_or_else(SpanId::random),
            parent_id: self.parent_id,
            name: std::mem::take(&mut self.name),
            operation: self.operation,
            start: self.start.at,
            duration: self.start.elapsed(),
            status,
            attributes: std::mem::take(&mut self.attributes),
            exchange: self.exchange.take(),
        };
        self.cx.trace.open.lock().spans.push(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Keep(Arc<Mutex<Vec<Span>>>);
    impl Place for Keep {
        fn record(self: Box<Self>, trace: FinishedTrace) {
            *self.0.lock() = trace.spans;
        }
    }

    #[test]
    fn a_trace_is_recorded_once_when_the_last_holder_lets_go() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let cx = CallContext::new(Box::new(Keep(kept.clone())), Arc::new(Caller::default()));
        let root = cx.span(Operation::Gateway, "chat x");
        let child = root.context().span(Operation::Chat, "chat y");
        drop(cx);
        root.finish();
        assert!(kept.lock().is_empty(), "the child still holds the trace");
        drop(child);
        let spans = kept.lock();
        assert_eq!(spans.len(), 2);
        assert_eq!(spans[1].parent_id, Some(spans[0].span_id));
        assert_eq!(spans[0].status, SpanStatus::Ok);
        assert!(matches!(&spans[1].status, SpanStatus::Error(text) if text.starts_with("cancelled")));
    }

    #[test]
    fn a_key_reads_for_its_project_and_itself() {
        let check = |key: Option<&str>, project: &str, admin: bool, expect: Readers| {
            let key_name = key.map(Into::into);
            let caller = Caller { key_name, project: project.into(), admin, ..Caller::default() };
            assert_eq!(caller.readers(), expect, "{key:?} {project:?} {admin}");
        };
        let of = |names: &[&str]| Readers::Of(names.iter().map(ToString::to_string).collect());
        check(None, "", false, Readers::All);
        check(Some("ops"), "", true, Readers::All);
        check(Some("ann"), "shop", true, Readers::All);
        check(Some("ann"), "shop", false, of(&["shop", "ann"]));
        check(Some("ann"), "", false, of(&["ann"]));
    }
}
