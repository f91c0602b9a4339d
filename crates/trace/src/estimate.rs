//! Tokens where nobody counted them: an answer that was cut, a provider that tells none, a reservation made
//! before the call.
//!
//! The rule: four bytes of ASCII are a token, and so is each character of Hangul, Han or Kana; of other scripts
//! two characters are one. Each text is rounded up. A message costs four more for its frame, an image, audio or a
//! file [`MEDIUM`]. On English prose this is within a fifth of what tokenizers say, on CJK it is above them.

use hanok_base::{ChatRequest, EmbedInput, EmbedRequest, Message, OutputFormat, Part, ToolSpec};

/// Tokens of an image, audio or file: what a picture of a megapixel costs most models.
pub const MEDIUM: u64 = 1_000;
const FRAME: u64 = 4;

/// The tokens of a text.
pub fn text(text: &str) -> u64 {
    let mut tally = Tally::default();
    tally.add(text);
    tally.tokens()
}

/// The tokens of a request: messages, tools, and the schema of the answer.
pub fn request(request: &ChatRequest) -> u64 {
    let messages: u64 = request.messages.iter().map(message).sum();
    let tools: u64 = request.tools.iter().map(tool).sum();
    let schema = match &request.output {
        OutputFormat::JsonSchema { schema: Some(schema), .. } => text(&schema.to_string()),
        _ => 0,
    };
    messages.saturating_add(tools).saturating_add(schema)
}

/// The tokens of a message.
pub fn message(message: &Message) -> u64 {
    FRAME.saturating_add(parts(&message.parts))
}

/// The tokens of what is to be embedded.
pub fn embed(request: &EmbedRequest) -> u64 {
    request
        .inputs
        .iter()
        .map(|input| match input {
            EmbedInput::Text(input) => text(input),
            EmbedInput::Tokens(tokens) => tokens.len() as u64,
        })
        .sum()
}

/// The tokens of a message's parts. Signatures and citations are no tokens of theirs.
pub(crate) fn parts(parts: &[Part]) -> u64 {
    parts.iter().map(part).sum()
}

fn part(one: &Part) -> u64 {
    match one {
        Part::Text(said) | Part::Refusal(said) => text(said),
        Part::Reasoning(reasoning) => text(&reasoning.text),
        Part::ToolCall(call) => text(&call.name) + text(&call.arguments) + FRAME,
        Part::ToolResult(result) => parts(&result.parts) + FRAME,
        Part::Media(_) => MEDIUM,
        Part::Opaque { value, .. } => text(&value.to_string()),
        Part::Citation(_) | Part::CacheBreak(_) => 0,
    }
}

fn tool(tool: &ToolSpec) -> u64 {
    let mut tally = Tally::default();
    tally.add(&tool.name);
    tally.add(tool.description.as_deref().unwrap_or_default());
    if let Some(parameters) = &tool.parameters {
        tally.add(&parameters.to_string());
    }
    if tool.name.is_empty() {
        tally.add(&serde_json::Value::Object(tool.extra.clone()).to_string());
    }
    FRAME + tally.tokens()
}

/// Characters by how many make a token.
#[derive(Default)]
struct Tally {
    ascii: u64,
    whole: u64,
    other: u64,
}

impl Tally {
    fn add(&mut self, text: &str) {
        if text.is_ascii() {
            self.ascii += text.len() as u64;
            return;
        }
        for char in text.chars() {
            match char {
                '\0'..='\x7f' => self.ascii += 1,
                '\u{1100}'..='\u{11ff}'
                | '\u{2e80}'..='\u{a4cf}'
                | '\u{ac00}'..='\u{d7ff}'
                | '\u{f900}'..='\u{faff}'
                | '\u{ff00}'..='\u{ffef}'
                | '\u{1f000}'..='\u{3ffff}' => self.whole += 1,
                _ => self.other += 1,
            }
        }
    }

    fn tokens(&self) -> u64 {
        self.whole + (self.ascii + 2 * self.other).div_ceil(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::{Object, Role};
    use serde_json::json;

    #[test]
    fn the_rule() {
        for (said, tokens) in [
            ("", 0),
            ("a", 1),
            ("four", 1),
            ("fours", 2),
            ("환불은", 3),
            ("환불 ok", 3),
            ("Привет", 3),
            ("漢字かな", 4),
            ("é", 1),
        ] {
            assert_eq!(text(said), tokens, "{said}");
        }
    }

    #[test]
    fn a_request_counts_all_it_sends() {
        let mut asked = ChatRequest::new("m".into(), vec![Message::text(Role::User, "12345678")]);
        assert_eq!(request(&asked), 4 + 2);
        asked.tools.push(ToolSpec {
            name: "look".into(),
            description: Some("up".into()),
            parameters: Some(json!({"a": 1})),
            strict: None,
            extra: Object::new(),
        });
        // look, up, {"a":1}: 4 + 2 + 7 bytes.
        assert_eq!(request(&asked), 6 + 4 + 4);
        asked.output = OutputFormat::JsonSchema {
            name: "x".into(),
            schema: Some(json!({})),
            strict: None,
            extra: Object::new(),
        };
        assert_eq!(request(&asked), 6 + 8 + 1);
    }
}
