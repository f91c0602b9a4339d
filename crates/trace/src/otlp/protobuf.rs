//! Requests in protobuf. Fields that are not known are left out.

use super::form::{
    AnyValue, Entry, Event, KeyValue, Link, LogRecord, Of, Parent, Scope, Scoped, Span, Status, Text,
};
use super::wire::{Field, Message};
use super::{MOST_DEEP, OtlpError};
use hanok_base::{SpanId, TraceId};
use std::borrow::Cow;

type Read<T> = Result<T, OtlpError>;

/// An export request of any signal: they differ in what their entries are.
pub(super) fn request<'a, T: Entry<'a>>(body: &'a [u8], mut budget: usize) -> Read<Vec<Of<'a, T>>> {
    let mut message = Message::new("the request", body, &mut budget);
    let mut all = Vec::new();
    while let Some((number, field)) = message.next()? {
        if number == 1 {
            let of = of(message.sub("a resource's entries", field)?)?;
            message.push(&mut all, of)?;
        }
    }
    Ok(all)
}

/// Metrics of a request, uninspected.
pub(super) fn count_metrics(body: &[u8]) -> Read<usize> {
    let mut budget = usize::MAX;
    let mut count = 0;
    let mut request = Message::new("ExportMetricsServiceRequest", body, &mut budget);
    while let Some((number, field)) = request.next()? {
        if number != 1 {
            continue;
        }
        let mut resource = request.sub("ResourceMetrics", field)?;
        while let Some((number, field)) = resource.next()? {
            if number != 2 {
                continue;
            }
            let mut scope = resource.sub("ScopeMetrics", field)?;
            while let Some((number, _)) = scope.next()? {
                count += usize::from(number == 2);
            }
        }
    }
    Ok(count)
}

fn of<'a, T: Entry<'a>>(mut message: Message<'a, '_>) -> Read<Of<'a, T>> {
    let mut of = Of::default();
    while let Some((number, field)) = message.next()? {
        match number {
            1 => {
                let mut resource = message.sub("Resource", field)?;
                while let Some((number, field)) = resource.next()? {
                    if number == 1 {
                        attribute(&mut resource, field, &mut of.resource)?;
                    }
                }
            }
            2 => {
                let scoped = scoped(message.sub("a scope's entries", field)?)?;
                message.push(&mut of.scopes, scoped)?;
            }
            _ => {}
        }
    }
    Ok(of)
}

fn scoped<'a, T: Entry<'a>>(mut message: Message<'a, '_>) -> Read<Scoped<'a, T>> {
    let mut scoped = Scoped::default();
    while let Some((number, field)) = message.next()? {
        match number {
            1 => scoped.scope = scope(message.sub("InstrumentationScope", field)?)?,
            2 => {
                let entry = T::read(message.sub("an entry", field)?)?;
                message.push(&mut scoped.entries, entry)?;
            }
            _ => {}
        }
    }
    Ok(scoped)
}

fn scope<'a>(mut message: Message<'a, '_>) -> Read<Scope<'a>> {
    let mut scope = Scope::default();
    while let Some((number, field)) = message.next()? {
        match number {
            1 => scope.name = text(message.bytes(field)?),
            2 => scope.version = text(message.bytes(field)?),
            3 => attribute(&mut message, field, &mut scope.attributes)?,
            _ => {}
        }
    }
    Ok(scope)
}

impl<'a> Entry<'a> for Span<'a> {
    fn read(mut message: Message<'a, '_>) -> Read<Self> {
        let mut span = Self::default();
        while let Some((number, field)) = message.next()? {
            match number {
                1 => span.trace_id = trace_id(message.bytes(field)?),
                2 => span.span_id = span_id(message.bytes(field)?),
                3 => span.trace_state = text(message.bytes(field)?),
                4 => span.parent = parent(message.bytes(field)?),
                5 => span.name = text(message.bytes(field)?),
                6 => span.kind = small(message.whole(field)?),
                7 => span.start = message.fixed64(field)?,
                8 => span.end = message.fixed64(field)?,
                9 => attribute(&mut message, field, &mut span.attributes)?,
                11 => {
                    let event = event(message.sub("Event", field)?)?;
                    message.push(&mut span.events, event)?;
                }
                13 => {
                    let link = link(message.sub("Link", field)?)?;
                    message.push(&mut span.links, link)?;
                }
                15 => span.status = status(message.sub("Status", field)?)?,
                _ => {}
            }
        }
        Ok(span)
    }
}

fn event<'a>(mut message: Message<'a, '_>) -> Read<Event<'a>> {
    let mut event = Event::default();
    while let Some((number, field)) = message.next()? {
        match number {
            1 => event.time = message.fixed64(field)?,
            2 => event.name = text(message.bytes(field)?),
            3 => attribute(&mut message, field, &mut event.attributes)?,
            _ => {}
        }
    }
    Ok(event)
}

fn link<'a>(mut message: Message<'a, '_>) -> Read<Link<'a>> {
    let mut link = Link::default();
    while let Some((number, field)) = message.next()? {
        match number {
            1 => link.trace_id = trace_id(message.bytes(field)?),
            2 => link.span_id = span_id(message.bytes(field)?),
            4 => attribute(&mut message, field, &mut link.attributes)?,
            _ => {}
        }
    }
    Ok(link)
}

fn status<'a>(mut message: Message<'a, '_>) -> Read<Status<'a>> {
    let mut status = Status::default();
    while let Some((number, field)) = message.next()? {
        match number {
            2 => status.message = text(message.bytes(field)?),
            3 => status.code = small(message.whole(field)?),
            _ => {}
        }
    }
    Ok(status)
}

impl<'a> Entry<'a> for LogRecord<'a> {
    fn read(mut message: Message<'a, '_>) -> Read<Self> {
        let mut record = Self::default();
        while let Some((number, field)) = message.next()? {
            match number {
                1 => record.time = message.fixed64(field)?,
                5 => record.body = value(message.sub("AnyValue", field)?, 0)?,
                6 => attribute(&mut message, field, &mut record.attributes)?,
                9 => record.trace_id = trace_id(message.bytes(field)?),
                10 => record.span_id = span_id(message.bytes(field)?),
                11 => record.observed = message.fixed64(field)?,
                12 => record.event_name = text(message.bytes(field)?),
                _ => {}
            }
        }
        Ok(record)
    }
}

fn attribute<'a>(
    message: &mut Message<'a, '_>,
    field: Field<'a>,
    attributes: &mut Vec<KeyValue<'a>>,
) -> Read<()> {
    let attribute = key_value(message.sub("KeyValue", field)?, 0)?;
    message.push(attributes, attribute)
}

fn key_value<'a>(mut message: Message<'a, '_>, depth: usize) -> Read<KeyValue<'a>> {
    let mut pair = KeyValue::default();
    while let Some((number, field)) = message.next()? {
        match number {
            1 => pair.key = text(message.bytes(field)?),
            2 => pair.value = value(message.sub("AnyValue", field)?, depth)?,
            _ => {}
        }
    }
    Ok(pair)
}

fn value<'a>(mut message: Message<'a, '_>, depth: usize) -> Read<AnyValue<'a>> {
    if depth >= MOST_DEEP {
        return Err(OtlpError::TooDeep);
    }
    let mut found = AnyValue::Empty;
    while let Some((number, field)) = message.next()? {
        found = match number {
            1 => AnyValue::Text(text(message.bytes(field)?)),
            2 => AnyValue::Bool(message.whole(field)? != 0),
            3 => AnyValue::Int(message.whole(field)?.cast_signed()),
            4 => AnyValue::Double(f64::from_bits(message.fixed64(field)?)),
            5 => {
                let (mut values, mut array) = (Vec::new(), message.sub("ArrayValue", field)?);
                while let Some((number, field)) = array.next()? {
                    if number == 1 {
                        let value = value(array.sub("AnyValue", field)?, depth + 1)?;
                        array.push(&mut values, value)?;
                    }
                }
                AnyValue::Array(values)
            }
            6 => {
                let (mut members, mut list) = (Vec::new(), message.sub("KeyValueList", field)?);
                while let Some((number, field)) = list.next()? {
                    if number == 1 {
                        let member = key_value(list.sub("KeyValue", field)?, depth + 1)?;
                        list.push(&mut members, member)?;
                    }
                }
                AnyValue::List(members)
            }
            7 => AnyValue::Bytes(Cow::Borrowed(message.bytes(field)?)),
            _ => found,
        };
    }
    Ok(found)
}

fn text(bytes: &[u8]) -> Text<'_> {
    Text(String::from_utf8_lossy(bytes))
}

/// An enum's value; what is beyond any is none.
fn small(number: u64) -> i32 {
    i32::try_from(number).unwrap_or_default()
}

/// An id of its length that is not all zero.
fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    <[u8; N]>::try_from(bytes).ok().filter(|id| *id != [0; N])
}

fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    id(bytes).map(TraceId::from_bytes)
}

fn span_id(bytes: &[u8]) -> Option<SpanId> {
    id(bytes).map(SpanId::from_bytes)
}

fn parent(bytes: &[u8]) -> Parent {
    match span_id(bytes) {
        Some(id) => Parent::Span(id),
        // Some senders write a root's parent as zeros.
        None if bytes.iter().all(|byte| *byte == 0) => Parent::None,
        None => Parent::Invalid,
    }
}
