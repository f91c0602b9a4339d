//! Streams that are passed on unchanged.

use super::answer::NO_ANSWER;
use super::{Form, fault};
use crate::codec::{StreamGuard, StreamSummary};
use crate::error::{StreamFault, WireError, text};
use crate::guard::{Framing, Guard, Seen, Verdict, Watch, bad_event};
use crate::members::{Members, Obj, Text, read_into, skip};
use hanok_base::Usage;
use serde::de::MapAccess;
use serde_json::Value;
use serde_json::value::RawValue;

pub(super) fn guard(form: Form) -> Box<dyn StreamGuard> {
    Box::new(Guard::new(Framing::Lines, Lines { form, ..Lines::default() }))
}

#[derive(Default)]
struct Lines {
    form: Form,
    summary: StreamSummary,
    content: bool,
    done: bool,
}

impl Watch for Lines {
    fn event(&mut self, event: &Seen<'_>) -> Result<Verdict, StreamFault> {
        let text = text(event.data).map_err(|_| bad_event("not valid UTF-8"))?;
        let begun = Line { form: self.form, ..Line::default() };
        let line = read_into(begun, text).map_err(|_| bad_event("no answer of a model"))?;
        if line.failed {
            return Err(fault::in_answer(&serde_json::from_str(text).unwrap_or_default()));
        }
        if line.said.is_none() && !line.done {
            return Err(bad_event("no answer of a model"));
        }
        self.content |= line.said.is_some_and(|said| said.content);
        if self.summary.model.is_empty()
            && let Some(Text(model)) = line.model
        {
            self.summary.model = model.into_owned();
        }
        if line.done {
            self.done = true;
            self.summary.usage = line.usage;
            self.summary.finish_reasons.push(line.reason.map_or_else(stop, |reason| reason.0.into_owned()));
        }
        Ok(Verdict::Pass)
    }

    fn is_complete(&self) -> bool {
        self.done
    }

    fn is_over(&self) -> bool {
        self.done
    }

    fn saw_content(&self) -> bool {
        self.content
    }

    fn summary(&self) -> &StreamSummary {
        &self.summary
    }
}

/// What older servers do not say.
fn stop() -> String {
    "stop".to_owned()
}

pub(super) fn summarise(form: Form, body: &[u8]) -> Result<StreamSummary, WireError> {
    let text = text(body)?;
    let line = read_into(Line { form, ..Line::default() }, text)
        .map_err(|error| WireError::of_shape(&error, text))?;
    if line.failed {
        let answer: Value = serde_json::from_str(text).unwrap_or_default();
        return Err(WireError::Upstream(fault::in_answer(&answer)));
    }
    if line.said.is_none() {
        let member = if form == Form::Chat { "message" } else { "response" };
        return Err(WireError::member(member, NO_ANSWER));
    }
    Ok(StreamSummary {
        id: String::new(),
        model: line.model.map(|Text(model)| model.into_owned()).unwrap_or_default(),
        usage: line.usage,
        finish_reasons: vec![line.reason.map_or_else(stop, |reason| reason.0.into_owned())],
    })
}

/// What is looked at of a line, or of a whole answer.
#[derive(Default)]
struct Line<'a> {
    form: Form,
    model: Option<Text<'a>>,
    said: Option<Said>,
    done: bool,
    reason: Option<Text<'a>>,
    usage: Usage,
    failed: bool,
}

impl<'de> Members<'de> for Line<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match (name, self.form) {
            ("model", _) => self.model = map.next_value()?,
            ("done", _) => self.done = map.next_value::<Option<_>>()?.unwrap_or_default(),
            ("done_reason", _) => self.reason = map.next_value()?,
            ("prompt_eval_count", _) => self.usage.input = map.next_value::<Value>()?.as_u64(),
            ("eval_count", _) => self.usage.output = map.next_value::<Value>()?.as_u64(),
            ("error", _) => self.failed = map.next_value::<&RawValue>()?.get() != "null",
            ("message", Form::Chat) => self.said = map.next_value::<Option<Obj<_>>>()?.map(|said| said.0),
            ("response" | "thinking" | "tool_calls" | "images", Form::Generate) => {
                self.said.get_or_insert_default().content |= says(map.next_value()?);
            }
            _ => skip(map)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct Said {
    content: bool,
}

impl<'de> Members<'de> for Said {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "content" | "thinking" | "tool_calls" | "images" => self.content |= says(map.next_value()?),
            _ => skip(map)?,
        }
        Ok(())
    }
}

fn says(value: &RawValue) -> bool {
    !matches!(value.get(), "null" | "\"\"" | "[]")
}
