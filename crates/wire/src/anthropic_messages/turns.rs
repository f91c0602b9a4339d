//! A conversation as upstreams want it: a system prompt beside turns of user and assistant.

use super::outgoing::Lost;
use super::{OWN, blocks, media, thinking};
use hanok_base::{ChatRequest, Message, Object, Part, Reasoning, Role, ToolCall, ToolResult};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Writes `system` and `messages`.
pub(super) fn encode(request: &ChatRequest, object: &mut Object, lost: &mut Lost) {
    let own = request.dialect == Some(OWN);
    let mut writer = Writer { own, lost, unanswered: VecDeque::new() };
    let (system, turns) = if own { writer.as_said(request) } else { writer.merged(request) };
    if let Some(system) = system {
        object.insert("system".into(), system);
    }
    object.insert("messages".into(), turns.into());
}

/// What is said where there is nothing but instructions.
const NO_TURN: &str = "the instructions became the user's turn: anthropic-messages wants one";

struct Writer<'a> {
    /// Unknown members are this dialect's.
    own: bool,
    lost: &'a mut Lost,
    /// Ids made up for calls that came without one, until they are answered.
    unanswered: VecDeque<String>,
}

impl Writer<'_> {
    /// Of a client of this dialect: message by message, as it said it.
    fn as_said(&mut self, request: &ChatRequest) -> (Option<Value>, Vec<Value>) {
        let mut system = None;
        let mut turns = Vec::with_capacity(request.messages.len());
        for (i, message) in request.messages.iter().enumerate() {
            let unknown = message.extra.get("content").and_then(Value::as_array);
            let blocks = self.blocks(&message.parts, unknown, &format!("messages[{i}]"));
            let content = content(blocks, unknown.is_some());
            let role = match message.role {
                Role::System if i == 0 && request.messages.len() > 1 => {
                    system = Some(content);
                    continue;
                }
                Role::System if i == 0 => {
                    self.lost.note("messages", NO_TURN);
                    "user"
                }
                Role::System => "system",
                _ => role(message),
            };
            let mut turn = blocks::object([("role", role.into()), ("content", content)]);
            let rest = message.extra.iter().filter(|(name, _)| *name != "content");
            turn.extend(rest.map(|(name, value)| (name.clone(), value.clone())));
            turns.push(turn.into());
        }
        (system, turns)
    }

    /// Of any other: what instructs goes to the system prompt, turns of one role are joined, and a user's turn
    /// begins with the answers of tools.
    fn merged(&mut self, request: &ChatRequest) -> (Option<Value>, Vec<Value>) {
        let mut system: Vec<Value> = Vec::new();
        let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
        for (i, message) in request.messages.iter().enumerate() {
            let place = format!("messages[{i}]");
            for (name, value) in &message.extra {
                let nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                // Where a medium or a text had more to say, and what an answer of ours cited.
                if !nothing && !matches!(name.as_str(), "content" | "annotations") {
                    self.lost.unknown(&format!("{place}.{name}"));
                }
            }
            let mut blocks = self.blocks(&message.parts, None, &place);
            let instructs = instructs(message);
            if instructs {
                let said = blocks.len();
                blocks.retain(|block| block.get("type").and_then(Value::as_str) == Some("text"));
                if blocks.len() < said {
                    self.lost.note(&place, "left out but for its text: anthropic-messages instructs by text");
                }
            }
            if instructs && (blocks.is_empty() || !stays(request, i, turns.last())) {
                if !turns.is_empty() && !blocks.is_empty() {
                    self.lost.note(&place, "moved to the system prompt: the model takes it nowhere else");
                }
                system.append(&mut blocks);
                continue;
            }
            let role = if instructs { "system" } else { role(message) };
            match turns.last_mut() {
                _ if blocks.is_empty() => {}
                Some((last, all)) if *last == role => all.append(&mut blocks),
                _ => turns.push((role, blocks)),
            }
        }
        if turns.is_empty() && !system.is_empty() {
            self.lost.note("messages", NO_TURN);
            turns.push(("user", std::mem::take(&mut system)));
        }
        for (_, blocks) in turns.iter_mut().filter(|(role, _)| *role == "user") {
            blocks.sort_by_key(|block| block.get("type").and_then(Value::as_str) != Some("tool_result"));
        }
        let turns = turns
            .into_iter()
            .map(|(role, blocks)| json!({ "role": role, "content": content(blocks, false) }))
            .collect();
        ((!system.is_empty()).then(|| content(system, false)), turns)
    }

    /// The blocks of parts, each with its unknown members by position.
    fn blocks(&mut self, parts: &[Part], unknown: Option<&Vec<Value>>, place: &str) -> Vec<Value> {
        // One for each part that begins a block, that is left out or not: `unknown` counts them all.
        let mut blocks: Vec<Option<Object>> = Vec::with_capacity(parts.len());
        for (i, part) in parts.iter().enumerate() {
            let rest = unknown.and_then(|unknown| unknown.get(blocks.len())).and_then(Value::as_object);
            let block = match part {
                Part::Citation(citation) => {
                    let whole = citation
                        .extra
                        .get("citation")
                        .or_else(|| citation.extra.get("type").map(|_| &Value::Null));
                    if let (true, Some(block), Some(value)) =
                        (self.own, blocks.last_mut().and_then(Option::as_mut), whole)
                    {
                        let value =
                            if value.is_null() { citation.extra.clone().into() } else { value.clone() };
                        blocks::cite(block, value);
                    }
                    continue;
                }
                Part::CacheBreak(value) => {
                    cache(&mut blocks, value);
                    continue;
                }
                part => self.block(part, rest, &format!("{place}.content[{i}]")),
            };
            blocks.push(block.map(|mut block| {
                for (name, value) in rest.into_iter().flatten() {
                    block.entry(name.clone()).or_insert_with(|| value.clone());
                }
                block
            }));
        }
        blocks.into_iter().flatten().map(Value::Object).collect()
    }

    /// The block of a part; `None` where it is left out.
    fn block(&mut self, part: &Part, rest: Option<&Object>, place: &str) -> Option<Object> {
        match part {
            // Upstreams refuse blocks without a word.
            Part::Text(text) | Part::Refusal(text) if !self.own && text.trim().is_empty() => None,
            Part::Text(text) | Part::Refusal(text) => Some(blocks::text_block(text)),
            Part::Reasoning(reasoning) => self.thought(reasoning),
            Part::ToolCall(call) => Some(self.call(call, place)),
            Part::ToolResult(result) => Some(self.result(result, rest, place)),
            Part::Media(media) => {
                media::encode(media, self.own).map_err(|why| self.lost.note(place, why)).ok()
            }
            Part::Opaque { dialect, value: Value::Object(block) } if *dialect == OWN => Some(block.clone()),
            Part::Opaque { dialect, .. } => {
                self.lost.note(place, format!("left out: only {} knows it", dialect.as_str()));
                None
            }
            Part::Citation(_) | Part::CacheBreak(_) => None,
        }
    }

    /// A thought goes back only to whom it came from, as it came. Some vendors of this dialect sign none.
    fn thought(&self, reasoning: &Reasoning) -> Option<Object> {
        let mine = match &reasoning.signature {
            Some(signature) => signature.of == OWN,
            None => self.own,
        };
        mine.then(|| blocks::thinking(reasoning, self.own))
    }

    fn call(&mut self, call: &ToolCall, place: &str) -> Object {
        let id = if call.id.is_empty() {
            let id = format!("call_{}", place.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
            self.unanswered.push_back(id.clone());
            id
        } else {
            self.id(&call.id)
        };
        let (block, good) = blocks::tool_use(&id, call, self.own);
        if !good {
            let what = "arguments that are no JSON object became the member `arguments` of one";
            self.lost.note(place, what);
        }
        block
    }

    /// Upstreams take few characters in an id. A call and its answer become the same.
    fn id(&self, id: &str) -> String {
        if self.own {
            return id.to_owned();
        }
        id.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-', "_")
    }

    fn result(&mut self, result: &ToolResult, rest: Option<&Object>, place: &str) -> Object {
        let id = if result.call_id.is_empty() {
            self.unanswered.pop_front().unwrap_or_default()
        } else {
            self.id(&result.call_id)
        };
        let form = rest.and_then(|rest| rest.get("content"));
        let unknown = form.and_then(Value::as_array);
        let blocks = self.blocks(&result.parts, unknown, place);
        let mut block = blocks::object([("type", "tool_result".into()), ("tool_use_id", id.into())]);
        if !blocks.is_empty() || form.is_some() {
            block.insert("content".into(), content(blocks, unknown.is_some()));
        }
        if result.is_error {
            block.insert("is_error".into(), true.into());
        }
        block
    }
}

fn instructs(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// Whether instructions may stand where they do: newer models take them between a user's turn and the model's.
fn stays(request: &ChatRequest, at: usize, last: Option<&(&str, Vec<Value>)>) -> bool {
    let next = request.messages.iter().skip(at).find(|message| !instructs(message));
    thinking::generation(request.model.as_str()) >= Some((4, 8))
        && last.is_some_and(|(role, _)| matches!(*role, "user" | "system"))
        && next.is_none_or(|message| message.role == Role::Assistant)
}

fn role(message: &Message) -> &'static str {
    if message.role == Role::Assistant { "assistant" } else { "user" }
}

/// A content as a text where it is nothing more, unless it was said in blocks.
fn content(blocks: Vec<Value>, in_blocks: bool) -> Value {
    match blocks.as_slice() {
        [] if !in_blocks => "".into(),
        [Value::Object(block)] if !in_blocks && block.len() == 2 => match block.get("text") {
            Some(Value::String(text)) => text.as_str().into(),
            _ => blocks.into(),
        },
        _ => blocks.into(),
    }
}

/// Marks the last block that is there as worth caching. Thoughts cannot be.
fn cache(blocks: &mut [Option<Object>], value: &Value) {
    let Some(block) = blocks.iter_mut().rev().flatten().next() else {
        return;
    };
    let kind = block.get("type").and_then(Value::as_str);
    if !matches!(kind, Some("thinking" | "redacted_thinking")) {
        let value = if value.is_object() { value.clone() } else { json!({ "type": "ephemeral" }) };
        block.insert("cache_control".into(), value);
    }
}
