//! What other programs' spans say, in our words: the names of OpenTelemetry's GenAI conventions (and those they
//! had before), `OpenInference`, Langfuse, traceloop's `OpenLLMetry` and the AI SDK, normalised.
//!
//! Where a span says the same thing twice, the convention that comes first in that order wins, our own before all
//! of them. What is not understood stays as it is, an attribute of its own name. Nothing here fails: a value that
//! makes no sense under its name stays as an attribute, too.
//!
//! Deliberately not here: the wire format (`otlp`), prices, and which spans count (`batch`).
//!
//! Reading order: `names` (the tables), `gather` (the attributes of a span, by what they mean), `indexed` (those
//! whose names hold numbers), `said` (messages of any form), `usage` (the token rule), `finish` (what was
//! gathered as a span of ours), `events` (log records).

mod events;
mod finish;
mod gather;
mod indexed;
mod names;
mod said;
mod usage;

pub(crate) use events::of_logs;

use crate::attribute as name;
use crate::exchange::Decoded;
use crate::otlp::form::{self, KeyValue, Of, Parent, Scope, Scoped};
use gather::Gathered;
use hanok_base::{Attributes, Span, SpanId, TraceId};
use std::borrow::Cow;
use std::collections::HashSet;

/// A span as we have it.
pub(crate) struct Normal {
    pub(crate) span: Span,
    /// Its messages, tokens and previews.
    pub(crate) decoded: Decoded,
}

/// How many spans could not be taken, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) trace_id: u64,
    pub(crate) span_id: u64,
    pub(crate) parent_id: u64,
    pub(crate) start: u64,
}

impl Rejected {
    pub(crate) fn count(&self) -> u64 {
        self.trace_id + self.span_id + self.parent_id + self.start
    }

    /// For the sender's log; empty where there is nothing to say.
    pub(crate) fn message(&self) -> String {
        let reasons = [
            (self.trace_id, "without a valid trace id (16 bytes, not all zero)"),
            (self.span_id, "without a valid span id (8 bytes, not all zero)"),
            (self.parent_id, "with a parent id that is none (8 bytes)"),
            (self.start, "without a start time between 1970 and 2262"),
        ];
        let told: Vec<String> = reasons
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, why)| format!("{count} {why}"))
            .collect();
        if told.is_empty() { String::new() } else { format!("spans rejected: {}", told.join(", ")) }
    }
}

/// The spans of a request, in its order.
pub(crate) fn of_traces(request: Vec<Of<'_, form::Span<'_>>>) -> (Vec<Normal>, Rejected) {
    let mut rejected = Rejected::default();
    let count = request.iter().flat_map(|of| &of.scopes).map(|scoped| scoped.entries.len()).sum();
    let mut spans = Vec::with_capacity(count);
    for Of { resource, scopes } in request {
        let program = Program::new(resource);
        let here: HashSet<SpanId, foldhash::fast::RandomState> =
            scopes.iter().flat_map(|scoped| &scoped.entries).filter_map(|span| span.span_id).collect();
        for Scoped { scope, entries } in scopes {
            let part = Part::new(&scope);
            for span in entries {
                match Place::of(&span) {
                    Ok(place) => spans.push(normalise(span, place, &program, &part, &here)),
                    Err(why) => *why(&mut rejected) += 1,
                }
            }
        }
    }
    (spans, rejected)
}

/// Where a span stands.
#[derive(Clone, Copy)]
struct Place {
    trace_id: TraceId,
    span_id: SpanId,
    parent_id: Option<SpanId>,
    start: i64,
}

impl Place {
    fn of(span: &form::Span<'_>) -> Result<Self, fn(&mut Rejected) -> &mut u64> {
        Ok(Self {
            trace_id: span.trace_id.ok_or::<fn(&mut Rejected) -> &mut u64>(|all| &mut all.trace_id)?,
            span_id: span.span_id.ok_or::<fn(&mut Rejected) -> &mut u64>(|all| &mut all.span_id)?,
            parent_id: match span.parent {
                Parent::None => None,
                Parent::Span(id) => Some(id),
                Parent::Invalid => return Err(|all| &mut all.parent_id),
            },
            start: match i64::try_from(span.start) {
                Ok(start) if start > 0 => start,
                _ => return Err(|all| &mut all.start),
            },
        })
    }
}

/// What a program says of itself.
struct Program {
    /// On each of its spans.
    always: Attributes,
    /// On those only whose parent is not at hand: the rest would repeat it a thousand times.
    once: Attributes,
}

/// Attributes of a resource that every span gets, by the name it gets them under.
const ALWAYS: [(&str, &str); 5] = [
    (name::SOURCE, name::SOURCE),
    ("deployment.environment.name", "deployment.environment.name"),
    ("deployment.environment", "deployment.environment.name"),
    ("langfuse.environment", "deployment.environment.name"),
    ("openinference.project.name", "openinference.project.name"),
];

impl Program {
    fn new(resource: Vec<KeyValue<'_>>) -> Self {
        let (mut always, mut once) = (Attributes::new(), Attributes::new());
        for KeyValue { key, value } in resource {
            // The name that SDKs give where the program has none tells nothing.
            if &*key == name::SOURCE && value.as_str().is_some_and(|text| text.starts_with("unknown_service"))
            {
                continue;
            }
            match ALWAYS.iter().find(|(theirs, _)| *theirs == &*key) {
                Some((_, ours)) => always.push((Cow::Borrowed(*ours), value.into_json())),
                None => once.push((Cow::Owned(key.0.into_owned()), value.into_json())),
            }
        }
        Self { always, once }
    }
}

/// What the part of a program that recorded says of itself.
struct Part {
    attributes: Attributes,
}

impl Part {
    fn new(scope: &Scope<'_>) -> Self {
        let told = [("otel.scope.name", &scope.name), ("otel.scope.version", &scope.version)];
        let told = told.into_iter().filter(|(_, text)| !text.is_empty());
        Self { attributes: told.map(|(key, text)| (Cow::Borrowed(key), (**text).into())).collect() }
    }
}

fn normalise(
    span: form::Span<'_>,
    place: Place,
    program: &Program,
    part: &Part,
    here: &HashSet<SpanId, foldhash::fast::RandomState>,
) -> Normal {
    let mut gathered = Gathered::default();
    let local_root = place.parent_id.is_none_or(|parent| !here.contains(&parent));
    let extra = if local_root { program.once.len() } else { 0 };
    gathered.attributes.reserve(program.always.len() + part.attributes.len() + span.attributes.len() + extra);
    for KeyValue { key, value } in span.attributes {
        gathered.take(key.0, value);
    }
    for event in span.events {
        gathered.event(event, place.start);
    }
    gathered.links(span.links);
    gathered.status(&span.status);
    let background =
        [&program.always, &part.attributes].into_iter().chain(local_root.then_some(&program.once));
    for (key, value) in background.flatten() {
        gathered.background(key, value);
    }
    gathered.kind_of_span(span.kind);
    gathered.finish(place, &span.name.0, span.end)
}
