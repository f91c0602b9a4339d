//! Streams that are passed on unchanged.

use super::{fault, response, usage};
use crate::codec::{StreamGuard, StreamSummary};
use crate::error::{StreamFault, WireError, text};
use crate::guard::{Framing, Guard, Seen, Verdict, Watch, bad_event, truncated};
use crate::members::{Members, Obj, Text, if_of_shape, read_into, skip};
use serde::de::MapAccess;
use serde_json::Value;
use serde_json::value::RawValue;

pub(super) fn guard() -> Box<dyn StreamGuard> {
    Box::new(Guard::new(Framing::Sse, Events::default()))
}

#[derive(Default)]
struct Events {
    summary: StreamSummary,
    content: bool,
    complete: bool,
}

impl Watch for Events {
    fn event(&mut self, event: &Seen<'_>) -> Result<Verdict, StreamFault> {
        // Some compatible servers end all their streams so.
        if event.data == b"[DONE]" {
            return if self.complete { Ok(Verdict::Pass) } else { Err(truncated()) };
        }
        let text = text(event.data).map_err(|_| bad_event("not valid UTF-8"))?;
        let told = read_into(Event::default(), text).map_err(|_| bad_event("no event of a response"))?;
        let name = std::str::from_utf8(event.name).unwrap_or_default();
        match told.kind.as_ref().map_or(name, |Text(kind)| kind) {
            "error" => return Err(fault::in_answer(&parsed(text))),
            kind @ ("response.created"
            | "response.in_progress"
            | "response.queued"
            | "response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled") => {
                let answer = told
                    .response
                    .and_then(|raw| read_into(Answer::default(), raw.get()).ok())
                    .ok_or_else(|| bad_event("without the response it is of"))?;
                self.lifecycle(kind, answer)?;
            }
            kind => {
                self.content |= kind.rsplit('.').next() == Some("delta") && told.delta;
                if kind.is_empty() && told.error.is_some() {
                    return Err(fault::in_answer(&parsed(text)));
                }
            }
        }
        Ok(Verdict::Pass)
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn is_over(&self) -> bool {
        self.complete
    }

    fn saw_content(&self) -> bool {
        self.content
    }

    fn summary(&self) -> &StreamSummary {
        &self.summary
    }
}

impl Events {
    fn lifecycle(&mut self, kind: &str, answer: Answer<'_>) -> Result<(), StreamFault> {
        let ended = matches!(kind, "response.completed" | "response.incomplete");
        let failed = match answer.failure() {
            Some(fault) => Some(fault),
            None if kind == "response.failed" => Some(fault::in_answer(&Value::Null)),
            None if kind == "response.cancelled" => Some(response::cancelled()),
            None => None,
        };
        let said = answer.into_summary(kind.strip_prefix("response.").filter(|_| ended));
        let kept = std::mem::replace(&mut self.summary, said);
        if self.summary.id.is_empty() {
            self.summary.id = kept.id;
        }
        if self.summary.model.is_empty() {
            self.summary.model = kept.model;
        }
        if let Some(fault) = failed {
            return Err(fault);
        }
        self.complete = ended;
        Ok(())
    }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

pub(super) fn summarise(body: &[u8]) -> Result<StreamSummary, WireError> {
    let text = text(body)?;
    let answer = read_into(Answer::default(), text).map_err(|error| WireError::of_shape(&error, text))?;
    if let Some(fault) = answer.failure() {
        return Err(WireError::Upstream(fault));
    }
    if !answer.output {
        return Err(WireError::member("output", response::NO_ANSWER));
    }
    let status = answer.status.as_ref().map_or("completed", |Text(status)| status).to_owned();
    Ok(answer.into_summary(Some(&status)))
}

/// What is looked at of an event.
#[derive(Default)]
struct Event<'a> {
    kind: Option<Text<'a>>,
    /// Whether something grew.
    delta: bool,
    response: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Event<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = map.next_value()?,
            "delta" => {
                let delta: &RawValue = map.next_value()?;
                self.delta = !matches!(delta.get(), "null" | "\"\"");
            }
            "response" => self.response = map.next_value()?,
            "error" => self.error = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// What is looked at of a response object.
#[derive(Default)]
struct Answer<'a> {
    id: Option<Text<'a>>,
    model: Option<Text<'a>>,
    status: Option<Text<'a>>,
    output: bool,
    usage: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    reason: Option<Text<'a>>,
}

impl Answer<'_> {
    fn failure(&self) -> Option<StreamFault> {
        match (self.error, self.status.as_ref().map(|Text(status)| &**status)) {
            (Some(error), _) => Some(fault::in_answer(&parsed(error.get()))),
            (None, Some("failed")) => Some(fault::in_answer(&Value::Null)),
            (None, Some("cancelled")) => Some(response::cancelled()),
            _ => None,
        }
    }

    /// `ended` is the status it ended with, where it did.
    fn into_summary(self, ended: Option<&str>) -> StreamSummary {
        let reason = self.reason.map(|Text(reason)| reason.into_owned());
        StreamSummary {
            id: self.id.map(|Text(id)| id.into_owned()).unwrap_or_default(),
            model: self.model.map(|Text(model)| model.into_owned()).unwrap_or_default(),
            usage: self.usage.map(|raw| usage::read(raw.get())).unwrap_or_default(),
            finish_reasons: ended
                .map(|status| reason.unwrap_or_else(|| status.to_owned()))
                .into_iter()
                .collect(),
        }
    }
}

impl<'de> Members<'de> for Answer<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.id = map.next_value()?,
            "model" => self.model = map.next_value()?,
            "status" => self.status = if_of_shape(map)?,
            "output" => {
                let output: &RawValue = map.next_value()?;
                self.output = output.get().starts_with('[');
            }
            "usage" => self.usage = map.next_value()?,
            "error" => self.error = map.next_value()?,
            "incomplete_details" => {
                let details: Option<Obj<Details<'_>>> = if_of_shape(map)?;
                self.reason = details.and_then(|Obj(details)| details.reason);
            }
            _ => skip(map)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct Details<'a> {
    reason: Option<Text<'a>>,
}

impl<'de> Members<'de> for Details<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "reason" => self.reason = if_of_shape(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}
