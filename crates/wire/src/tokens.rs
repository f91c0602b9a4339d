//! About how many tokens a chat has, where nobody can be asked.

use hanok_base::{ChatRequest, OutputFormat, Part};

/// What a message adds beside its text: role and marks.
const PER_MESSAGE: u64 = 4;
/// What an image counts: that of 1024 x 1024 pixels at the common vendors lies between 700 and 1,600.
const PER_IMAGE: u64 = 1_100;

/// An estimate of the tokens of a request: a token for each four bytes of ASCII text and for each character
/// beyond (Hangul, Han and Kana are about one each), and constants for what is no text. For real text of the
/// common tokenizers this is within a third or so; it is never meant for billing.
pub fn estimate_tokens(request: &ChatRequest) -> u64 {
    let messages: u64 = request.messages.iter().map(|message| PER_MESSAGE + parts(&message.parts)).sum();
    let tools: u64 = request
        .tools
        .iter()
        .map(|tool| {
            let schema = tool.parameters.as_ref().map(|schema| text(&schema.to_string())).unwrap_or_default();
            let described = tool.description.as_deref().map(text).unwrap_or_default();
            PER_MESSAGE + text(&tool.name) + described + schema
        })
        .sum();
    let schema = match &request.output {
        OutputFormat::JsonSchema { schema: Some(schema), .. } => text(&schema.to_string()),
        _ => 0,
    };
    messages + tools + schema
}

/// An estimate of the tokens of some parts.
pub fn parts(parts: &[Part]) -> u64 {
    parts
        .iter()
        .map(|part| match part {
            Part::Text(said) | Part::Refusal(said) => text(said),
            Part::Reasoning(reasoning) => text(&reasoning.text),
            Part::Media(_) => PER_IMAGE,
            Part::ToolCall(call) => PER_MESSAGE + text(&call.name) + text(&call.arguments),
            Part::ToolResult(result) => PER_MESSAGE + self::parts(&result.parts),
            Part::Opaque { value, .. } => text(&value.to_string()),
            Part::Citation(_) | Part::CacheBreak(_) => 0,
        })
        .sum()
}

/// An estimate of the tokens of a text.
pub fn text(text: &str) -> u64 {
    let (mut ascii, mut wide) = (0_u64, 0_u64);
    for char in text.chars() {
        if char.is_ascii() {
            ascii += 1;
        } else {
            wide += 1;
        }
    }
    ascii.div_ceil(4) + wide
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::{Message, Role};

    #[test]
    fn estimates() {
        assert_eq!((text(""), text("word"), text("words"), text("한국어 답")), (0, 1, 2, 5));
        let request = ChatRequest::new("m".into(), vec![Message::text(Role::User, "12345678")]);
        assert_eq!(estimate_tokens(&request), PER_MESSAGE + 2);
    }
}
