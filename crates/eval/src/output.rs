//! Outputs as they are kept, in JSON, and read again, so that a known answer is scored as a new one is.

use hanok_base::chat::Quote;
use hanok_base::{Citation, Message, Object, Output, Role, ToolCall, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is kept of an output; cost, latency and trace stand beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptOutput {
    /// The answer's text.
    pub text: String,
    /// What was thought before.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
    /// The answer as data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The tools that were called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<KeptCall>,
    /// The sources that were named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<KeptCitation>,
    /// What was asked: roles and texts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<KeptMessage>,
    /// Tokens.
    #[serde(skip_serializing_if = "Usage::is_empty")]
    pub usage: Usage,
    /// Whether its text was removed, with the trace of the work or that of its row.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptCall {
    /// Its id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments, as the model wrote them.
    pub arguments: String,
}

/// A source that was named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptCitation {
    /// First code point of the answer that it covers, and one past the last.
    pub span: (usize, usize),
    /// Opens it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// Its title.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The document, the bytes of it, and the text between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<KeptQuote>,
}

/// A stretch of a document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptQuote {
    /// The document.
    pub source: String,
    /// First byte, and one past the last.
    pub bytes: (usize, usize),
    /// The text.
    pub text: String,
    /// Pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<(u32, u32)>,
}

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptMessage {
    /// Who speaks.
    pub role: Role,
    /// The text.
    pub content: String,
}

impl From<&Output> for KeptOutput {
    fn from(output: &Output) -> Self {
        let call = |call: &ToolCall| KeptCall {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
        };
        let quote = |quote: &Quote| KeptQuote {
            source: quote.source.clone(),
            bytes: (quote.start, quote.end),
            text: quote.text.clone(),
            pages: quote.pages,
        };
        let citation = |citation: &Citation| KeptCitation {
            span: (citation.start_index, citation.end_index),
            url: citation.url.clone(),
            title: citation.title.clone(),
            quote: citation.quote.as_ref().map(quote),
        };
        let message = |message: &Message| KeptMessage { role: message.role, content: message.plain_text() };
        Self {
            removed: false,
            text: output.text.clone(),
            reasoning: output.reasoning.clone(),
            value: output.value.clone(),
            tool_calls: output.tool_calls.iter().map(call).collect(),
            citations: output.citations.iter().map(citation).collect(),
            messages: output.messages.iter().map(message).collect(),
            usage: output.usage,
        }
    }
}

impl From<KeptOutput> for Output {
    fn from(kept: KeptOutput) -> Self {
        let call = |KeptCall { id, name, arguments }| ToolCall { id, name, arguments, ..ToolCall::default() };
        let quote = |KeptQuote { source, bytes: (start, end), text, pages }| Quote {
            source,
            start,
            end,
            text,
            pages,
        };
        let citation = |KeptCitation { span: (start_index, end_index), url, title, quote: quoted }| {
            Citation { start_index, end_index, url, title, quote: quoted.map(quote), extra: Object::new() }
        };
        Self {
            text: kept.text,
            reasoning: kept.reasoning,
            value: kept.value,
            tool_calls: kept.tool_calls.into_iter().map(call).collect(),
            citations: kept.citations.into_iter().map(citation).collect(),
            messages: kept.messages.into_iter().map(|kept| Message::text(kept.role, kept.content)).collect(),
            usage: kept.usage,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_output_reads_as_it_was() {
        let output = Output {
            text: "답".into(),
            reasoning: "because".into(),
            value: Some(serde_json::json!({"ids": [1]})),
            tool_calls: vec![ToolCall { name: "look".into(), arguments: "{".into(), ..ToolCall::default() }],
            citations: vec![Citation {
                end_index: 3,
                quote: Some(Quote { source: "a.md".into(), end: 2, text: "ab".into(), ..Quote::default() }),
                ..Citation::default()
            }],
            messages: vec![Message::text(Role::User, "질문")],
            usage: Usage { input: Some(3), output: Some(1), ..Usage::default() },
            ..Output::default()
        };
        let json = serde_json::to_string(&KeptOutput::from(&output)).unwrap();
        let again: Output = serde_json::from_str::<KeptOutput>(&json).unwrap().into();
        assert_eq!(again, output);
        let plain = Output { text: "x".into(), ..Output::default() };
        assert_eq!(serde_json::to_string(&KeptOutput::from(&plain)).unwrap(), r#"{"text":"x"}"#);
    }
}
