//! The messages of a request, both directions. Older clients and servers give calls no ids: results then belong
//! to the calls before them by name and order.

use super::parts::{LEFT_OUT, Said, To, message_parts};
use super::stamp::{is_made, place_id};
use super::{Form, is_own};
use crate::error::WireError;
use crate::take;
use hanok_base::{ChatRequest, Degradation, Message, Object, Part, Role, ToolResult};
use serde_json::Value;

pub(super) fn decode(values: Vec<Value>) -> Result<Vec<Message>, WireError> {
    let mut messages = Vec::with_capacity(values.len());
    let mut unanswered = Unanswered::default();
    for (i, value) in values.into_iter().enumerate() {
        let place = format!("messages[{i}]");
        let object = take::item(value, &place)?;
        let message = message(object, i, &mut unanswered).map_err(|error| take::under(&place, error))?;
        messages.push(message);
    }
    Ok(messages)
}

/// Id and name of the calls that no result was seen of yet.
#[derive(Default)]
struct Unanswered(Vec<(String, String)>);

impl Unanswered {
    /// The call that a result without an id belongs to.
    fn answer(&mut self, name: Option<&str>) -> Option<String> {
        let by_name = |(_, of): &(String, String)| name.is_none_or(|name| name == of);
        let at = self.0.iter().position(by_name)?;
        Some(self.0.remove(at).0)
    }
}

fn role(name: &str) -> Option<Role> {
    Some(match name.to_ascii_lowercase().as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => return None,
    })
}

fn message(mut object: Object, position: usize, unanswered: &mut Unanswered) -> Result<Message, WireError> {
    let name = take::string(&mut object, "role")?.ok_or_else(|| WireError::member("role", "is required"))?;
    let role = role(&name).ok_or_else(|| {
        WireError::member("role", format!("must be system, user, assistant or tool, not {name:?}"))
    })?;
    let parts = message_parts(Form::Chat, &mut object, |call, _, _| place_id(position, call))?;
    let parts = match role {
        Role::Tool => {
            let given = take::string(&mut object, "tool_call_id")?.filter(|id| !id.is_empty());
            let tool = object.get("tool_name").and_then(Value::as_str);
            if let Some(id) = &given {
                unanswered.0.retain(|(of, _)| of != id);
            }
            let call_id = given.or_else(|| unanswered.answer(tool));
            let call_id = call_id.unwrap_or_else(|| place_id(position, 0));
            vec![Part::ToolResult(ToolResult { call_id, parts, is_error: false })]
        }
        _ => parts,
    };
    if role == Role::Assistant {
        let calls = parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some((call.id.clone(), call.name.clone())),
            _ => None,
        });
        unanswered.0 = calls.collect();
    }
    Ok(Message { role, parts, extra: object })
}

/// The messages for an upstream.
pub(super) fn encode(request: &ChatRequest, lost: &mut Vec<Degradation>) -> Vec<Value> {
    let mut writer = Writer { own: is_own(request.dialect), calls: Vec::new(), results: Vec::new(), lost };
    let mut out = Vec::with_capacity(request.messages.len());
    for (i, message) in request.messages.iter().enumerate() {
        writer.message(message, i, &mut out);
    }
    writer.answered(&mut out);
    out
}

struct Writer<'a> {
    own: bool,
    /// Id and name of the calls of the last message that made any.
    calls: Vec<(&'a str, &'a str)>,
    /// Results of these calls, each with its call's position.
    results: Vec<(usize, Value)>,
    lost: &'a mut Vec<Degradation>,
}

impl<'a> Writer<'a> {
    fn message(&mut self, message: &'a Message, position: usize, out: &mut Vec<Value>) {
        let mut extra = message.extra.clone();
        if !self.own {
            for name in extra.keys() {
                self.lose(format!("messages[{position}].{name}"), LEFT_OUT);
            }
            extra.clear();
        }
        for part in &message.parts {
            if let Part::ToolResult(result) = part {
                self.result(result, position, std::mem::take(&mut extra));
            }
        }
        let mut rest = message.parts.iter().filter(|part| !matches!(part, Part::ToolResult(_))).peekable();
        if rest.peek().is_none() && !message.parts.is_empty() {
            return;
        }
        self.answered(out);
        let role = match message.role {
            // The operator's and the application's instructions are one here.
            Role::Developer => Role::System,
            role => role,
        };
        // Pieces of an answer belong together; what others say in several parts are several things.
        let between = if role == Role::Assistant { "" } else { "\n" };
        let said = Said::of(rest, To::Upstream, self.own, between);
        let mut object = Object::from_iter([("role".to_owned(), role.as_str().into())]);
        self.write(said, position, &mut object);
        object.extend(extra);
        out.push(object.into());
        if role == Role::Assistant {
            let calls = message.parts.iter().filter_map(|part| match part {
                Part::ToolCall(call) => Some((call.id.as_str(), call.name.as_str())),
                _ => None,
            });
            self.calls = calls.collect();
        }
    }

    fn result(&mut self, result: &ToolResult, position: usize, extra: Object) {
        let said = Said::of(&result.parts, To::Upstream, self.own, "\n");
        let mut object = Object::from_iter([("role".to_owned(), Role::Tool.as_str().into())]);
        self.write(said, position, &mut object);
        let call = self.calls.iter().position(|(id, _)| *id == result.call_id);
        if let (false, Some((_, name))) = (self.own, call.and_then(|at| self.calls.get(at))) {
            object.insert("tool_name".into(), (*name).into());
        }
        if !result.call_id.is_empty() && !is_made(&result.call_id) {
            object.insert("tool_call_id".into(), result.call_id.as_str().into());
        }
        object.extend(extra);
        if result.is_error {
            self.lose(format!("messages[{position}].is_error"), LEFT_OUT);
        }
        self.results.push((call.unwrap_or(usize::MAX), object.into()));
    }

    fn write(&mut self, mut said: Said, position: usize, object: &mut Object) {
        for (place, message) in std::mem::take(&mut said.lost) {
            self.lose(format!("messages[{position}].{place}"), &message);
        }
        said.write(Form::Chat, object);
    }

    /// Writes the results seen since the calls. Models that know no ids go by the order of the calls.
    fn answered(&mut self, out: &mut Vec<Value>) {
        if !self.own {
            self.results.sort_by_key(|(call, _)| *call);
        }
        out.extend(self.results.drain(..).map(|(_, result)| result));
    }

    fn lose(&mut self, param: String, message: &str) {
        self.lost.push(Degradation { param, message: message.to_owned() });
    }
}
