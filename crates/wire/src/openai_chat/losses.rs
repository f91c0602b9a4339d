//! What a request in another dialect asks for and this one has no way to say. What is harmless by nature gets no
//! entry: hints for a cache, wishes about how an answer or its thoughts are shown, members of history that say nothing
//! to a model.

use super::messages::is_said;
use super::parts::Reader;
use super::reasoning;
use super::request::{is_own, said_as};
use crate::codec::RequestOptions;
use hanok_base::{ChatRequest, Degradation, Message, OutputFormat, Part, ToolChoice};
use serde_json::Value;

/// Members of other dialects that ask for nothing of the model: how the answer is cut, kept and labelled.
const HARMLESS: [&str; 8] = [
    "cache_control",
    "client_metadata",
    "include",
    "metadata",
    "prompt_cache_retention",
    "store",
    "stream",
    "stream_options",
];

/// Whether a member asks for something that gets lost.
fn asks(name: &str, value: &Value) -> bool {
    let said = value.as_str().is_none_or(|value| !matches!(value, "auto" | "default" | "disabled"));
    said && !value.is_null() && *value != false && !HARMLESS.contains(&name)
}

const MEMBER: &str = "left out: openai-chat has no such member";

pub(super) fn losses(request: &ChatRequest, options: RequestOptions) -> Vec<Degradation> {
    if is_own(request) {
        return Vec::new();
    }
    let mut lost = Vec::new();
    let mut lose = |param: String, message: &str| {
        lost.push(Degradation { param, message: message.to_owned() });
    };
    for (name, _) in request.extra.iter().filter(|(name, value)| asks(name, value)) {
        lose(name.clone(), MEMBER);
    }
    if request.sampling.top_k.is_some() {
        lose("top_k".to_owned(), MEMBER);
    }
    let thinking = &request.reasoning;
    let wished = thinking.enabled.is_some() || thinking.budget_tokens.is_some();
    if thinking.effort.is_none() && wished && said_as(thinking).is_none() {
        lose("reasoning".to_owned(), "left out: openai-chat cannot turn thinking off for every model");
    }
    for (i, tool) in request.tools.iter().enumerate() {
        if tool.name.is_empty() {
            let kind = tool.extra.get("type").and_then(|kind| kind.as_str()).unwrap_or("unknown");
            lose(format!("tools[{i}]"), &format!("left out: openai-chat has no tools of type {kind}"));
        }
    }
    if matches!(request.tool_choice, ToolChoice::Opaque(_)) {
        lose("tool_choice".to_owned(), "left out: openai-chat has no such choice");
    }
    if matches!(request.output, OutputFormat::Opaque(_)) {
        lose("response_format".to_owned(), "left out: openai-chat has no such format");
    }
    for (i, message) in request.messages.iter().enumerate() {
        in_message(message, &format!("messages[{i}]"), options, &mut lose);
    }
    lost
}

fn in_message(message: &Message, place: &str, options: RequestOptions, lose: &mut impl FnMut(String, &str)) {
    for (i, part) in message.parts.iter().enumerate() {
        let place = format!("{place}.content[{i}]");
        match part {
            Part::ToolResult(result) => {
                if result.is_error {
                    lose(place.clone(), "the mark as an error is left out: openai-chat has none");
                }
                let media = result.parts.iter().any(|part| matches!(part, Part::Media(_)));
                if media {
                    lose(
                        place.clone(),
                        "the media are moved to a user's message behind: tools answer with text in openai-chat",
                    );
                }
                let other =
                    |part: &Part| !matches!(part, Part::Text(_) | Part::Media(_) | Part::CacheBreak(_));
                if result.parts.iter().any(other) {
                    lose(
                        place,
                        "all but texts and media are left out: tools answer with text in openai-chat",
                    );
                }
            }
            Part::Reasoning(thought)
                if !thought.text.is_empty() && !reasoning::is_for(thought, Reader::Upstream) =>
            {
                lose(place, "left out: the thoughts are signed for another provider");
            }
            Part::Reasoning(thought)
                if !thought.text.is_empty()
                    && options.thoughts.is_none()
                    && !reasoning::is_signed(thought) =>
            {
                lose(place, "left out: this provider takes no thoughts back");
            }
            Part::Media(_) if !is_said(part, message.role) => {
                lose(place, "left out: openai-chat has no media in what the model said");
            }
            Part::Opaque { dialect, .. } if !is_said(part, message.role) => {
                lose(place, &format!("left out: only {} has such a part", dialect.as_str()));
            }
            _ => {}
        }
    }
}
