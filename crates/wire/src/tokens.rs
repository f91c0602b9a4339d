//! An estimate of a request's tokens, for providers that do not count them.
//!
//! Deliberately not a tokenizer: each model has its own, and an estimate is always to be shown as one. It is the
//! same for the same request on every machine, and made of few numbers:
//!
//! | what | tokens |
//! |---|---|
//! | ASCII | 1 per 4 bytes |
//! | Han, Hangul, Kana and full-width characters | 1 per character |
//! | other characters | 1 per 2 characters |
//! | a message | 4 beside its content |
//! | a tool, a tool call, a tool's result | 8 beside name, description, JSON |
//! | an image, a file behind a URL or an id | 1,000 |
//! | other inline media | 1 per 24 characters of base64 |

use hanok_base::{ChatRequest, Media, MediaSource, Object, OutputFormat, Part};
use serde_json::Value;

const MESSAGE: u64 = 4;
const TOOL: u64 = 8;
const IMAGE: u64 = 1_000;
const BASE64_PER_TOKEN: u64 = 24;

/// About how many tokens of prompt the request is; at least 1.
pub fn estimate_tokens(request: &ChatRequest) -> u64 {
    let mut count = Count::default();
    for message in &request.messages {
        count.tokens += MESSAGE;
        message.parts.iter().for_each(|part| count.part(part));
    }
    for tool in &request.tools {
        count.tokens += TOOL;
        count.text(&tool.name);
        count.text(tool.description.as_deref().unwrap_or_default());
        tool.parameters.iter().for_each(|schema| count.json(schema));
        if tool.name.is_empty() {
            count.object(&tool.extra);
        }
    }
    if let OutputFormat::JsonSchema { schema: Some(schema), .. } = &request.output {
        count.json(schema);
    }
    count.total().max(1)
}

#[derive(Default)]
struct Count {
    /// Quarters of a token: texts are rounded together, not each.
    quarters: u64,
    tokens: u64,
}

impl Count {
    fn total(&self) -> u64 {
        self.tokens.saturating_add(self.quarters.div_ceil(4))
    }

    fn text(&mut self, text: &str) {
        let more: u64 = text.chars().map(quarters).sum();
        self.quarters = self.quarters.saturating_add(more);
    }

    fn json(&mut self, value: &Value) {
        self.text(&value.to_string());
    }

    fn object(&mut self, object: &Object) {
        for (name, value) in object {
            self.text(name);
            self.json(value);
        }
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text(text) | Part::Refusal(text) => self.text(text),
            Part::Reasoning(reasoning) => self.text(&reasoning.text),
            Part::Media(media) => self.tokens = self.tokens.saturating_add(of_media(media)),
            Part::ToolCall(call) => {
                self.tokens += TOOL;
                self.text(&call.name);
                self.text(&call.arguments);
            }
            Part::ToolResult(result) => {
                self.tokens += TOOL;
                result.parts.iter().for_each(|part| self.part(part));
            }
            Part::Opaque { value, .. } => self.json(value),
            // A model never reads these.
            Part::Citation(_) | Part::CacheBreak(_) => {}
        }
    }
}

fn of_media(media: &Media) -> u64 {
    let image = media.mime.as_deref().is_none_or(|mime| mime.starts_with("image/"));
    match &media.source {
        MediaSource::Base64(data) if !image => (data.len() as u64).div_ceil(BASE64_PER_TOKEN),
        _ => IMAGE,
    }
}

fn quarters(character: char) -> u64 {
    match character {
        '\0'..='\x7f' => 1,
        // Hangul Jamo; radicals, Kana, Han and its extensions; Hangul; compatibility and full-width forms;
        // the ideographic planes.
        '\u{1100}'..='\u{11ff}'
        | '\u{2e80}'..='\u{9fff}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ffef}'
        | '\u{20000}'..='\u{3ffff}' => 4,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::{Message, Role, ToolCall, ToolResult, ToolSpec};
    use serde_json::json;

    #[test]
    fn what_counts() {
        let check = |parts: Vec<Part>, expect: u64| {
            let message = Message { role: Role::User, parts, extra: Object::new() };
            let request = ChatRequest::new("m".into(), vec![message]);
            assert_eq!(estimate_tokens(&request), expect, "{request:?}");
        };
        let text = |text: &str| Part::Text(text.to_owned());
        let media = |mime: &str, data: &str| {
            let source = MediaSource::Base64(data.to_owned());
            Part::Media(Media { mime: Some(mime.into()), filename: None, source, extra: Object::new() })
        };
        check(vec![], 4);
        check(vec![text("abcdefgh")], 4 + 2);
        check(vec![text("abcdefghi")], 4 + 3);
        check(vec![text("ab"), text("cd")], 4 + 1);
        check(vec![text("안녕하세요")], 4 + 5);
        check(vec![text("漢字カナ")], 4 + 4);
        check(vec![text("éèüß")], 4 + 2);
        check(vec![media("image/png", "AAAA")], 4 + 1_000);
        check(vec![media("application/pdf", &"A".repeat(48))], 4 + 2);
        let arguments = r#"{"a":1}"#.to_owned();
        let call = ToolCall { name: "f".into(), arguments, ..ToolCall::default() };
        check(vec![Part::ToolCall(call)], 4 + 8 + 2);
        let result = ToolResult { call_id: "i".into(), parts: vec![text("abcd")], is_error: false };
        check(vec![Part::ToolResult(result)], 4 + 8 + 1);
    }

    #[test]
    fn tools_and_schemas_count() {
        let mut request = ChatRequest::new("m".into(), Vec::new());
        assert_eq!(estimate_tokens(&request), 1);
        request.tools.push(ToolSpec {
            name: "name".into(),
            description: Some("12345678".into()),
            parameters: Some(json!({ "type": "object" })),
            strict: None,
            extra: Object::new(),
        });
        // 4 + 8 + 17 bytes beside the tool's own.
        assert_eq!(estimate_tokens(&request), 8 + 8);
        request.output = OutputFormat::JsonSchema {
            name: "n".into(),
            schema: Some(json!({ "type": "object" })),
            strict: None,
            extra: Object::new(),
        };
        assert_eq!(estimate_tokens(&request), 8 + 12);
    }
}
