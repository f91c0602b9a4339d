//! Log records that are GenAI events: what was said in a call, told apart from its span.
//!
//! Whether its span came before or comes later, each call's events become a span below it, whose id is made of
//! what they say, so that the same records sent twice are one.

use super::gather::{Best, Gathered};
use super::{Normal, Part, Place, Program};
use crate::otlp::form::{AnyValue, KeyValue, LogRecord, Of, Scoped};
use hanok_base::{SpanId, TraceId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The events of a request as spans, and how many of its records are none.
pub(crate) fn of_logs(request: Vec<Of<'_, LogRecord<'_>>>) -> (Vec<Normal>, u64) {
    let mut ignored = 0;
    let mut spans = Vec::new();
    for Of { resource, scopes } in request {
        let program = Program::new(resource);
        for Scoped { scope, entries } in scopes {
            let part = Part::new(&scope);
            let mut calls: Vec<Call<'_>> = Vec::new();
            let mut at: HashMap<(TraceId, SpanId), usize> = HashMap::new();
            for record in entries {
                let Some(event) = Event::of(record) else {
                    ignored += 1;
                    continue;
                };
                let found = *at.entry((event.trace_id, event.span_id)).or_insert_with(|| {
                    calls.push(Call { trace_id: event.trace_id, span_id: event.span_id, events: Vec::new() });
                    calls.len() - 1
                });
                if let Some(call) = calls.get_mut(found) {
                    call.events.push(event);
                }
            }
            spans.extend(calls.into_iter().map(|call| call.span(&program, &part)));
        }
    }
    (spans, ignored)
}

struct Call<'a> {
    trace_id: TraceId,
    span_id: SpanId,
    events: Vec<Event<'a>>,
}

struct Event<'a> {
    trace_id: TraceId,
    span_id: SpanId,
    time: i64,
    name: Cow<'a, str>,
    members: Vec<KeyValue<'a>>,
}

impl<'a> Event<'a> {
    /// `None` where a record is no GenAI event, or says not whose.
    fn of(record: LogRecord<'a>) -> Option<Self> {
        let LogRecord { time, observed, event_name, body, mut attributes, trace_id, span_id } = record;
        let name = if event_name.is_empty() {
            let at = attributes.iter().position(|attribute| &*attribute.key == "event.name")?;
            attributes.swap_remove(at).value.into_text().ok()?
        } else {
            event_name.0
        };
        if !name.starts_with("gen_ai.") {
            return None;
        }
        // What the event says stands in the body, or (since the body is to be for people) beside it.
        let mut members = attributes;
        match body {
            AnyValue::List(body) => members.extend(body),
            AnyValue::Text(text) => members.push(KeyValue {
                key: crate::otlp::form::Text(Cow::Borrowed("gen_ai.event.content")),
                value: AnyValue::Text(text),
            }),
            _ => {}
        }
        let time = i64::try_from(if time == 0 { observed } else { time }).ok()?;
        Some(Self { trace_id: trace_id?, span_id: span_id?, time, name, members })
    }
}

impl Call<'_> {
    fn span(self, program: &Program, part: &Part) -> Normal {
        let start = self.events.iter().map(|event| event.time).min().unwrap_or_default();
        let end = self.events.iter().map(|event| event.time).max().unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        self.span_id.as_bytes().hash(&mut hasher);
        let mut gathered = Gathered::default();
        for event in self.events {
            (&*event.name, event.time).hash(&mut hasher);
            for member in &event.members {
                (&*member.key, format!("{:?}", member.value)).hash(&mut hasher);
            }
            let time = u64::try_from(event.time).unwrap_or_default();
            let name = crate::otlp::form::Text(event.name);
            gathered.event(crate::otlp::form::Event { time, name, attributes: event.members }, start);
        }
        for (key, value) in program.always.iter().chain(&part.attributes) {
            gathered.background(key, value);
        }
        // A span of its own tokens would count them twice.
        gathered.counts = Default::default();
        gathered.cost = Best::default();
        gathered.operation.0 = Some((0, hanok_base::Operation::Other));
        let span_id = SpanId::from_bytes(hasher.finish().max(1).to_be_bytes());
        let place = Place { trace_id: self.trace_id, span_id, parent_id: Some(self.span_id), start };
        gathered.finish(place, "messages", u64::try_from(end).unwrap_or_default())
    }
}
