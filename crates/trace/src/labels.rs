//! Whose a call is, as its request says: the user, and what clients put into `metadata`.

use crate::attribute as name;
use hanok_base::{Attributes, Dialect};
use serde_json::Value;
use std::borrow::Cow;

/// The names that clients give what we call a session, in the order in which they are believed.
const SESSION: [&str; 6] =
    ["session_id", "conversation_id", "thread_id", "langfuse_session_id", "session", "trace_session_id"];
/// Likewise for a user.
const USER: [&str; 4] = ["user_id", "langfuse_user_id", "end_user_id", "user"];
/// Likewise for tags.
const TAGS: [&str; 2] = ["tags", "langfuse_tags"];
/// Longer ones are no names.
const LONGEST: usize = 256;

/// Takes what a request says. Anthropic's clients have one member for all of it: coding agents write user,
/// account and session into one id.
pub(crate) fn take(
    attributes: &mut Attributes,
    dialect: Dialect,
    user: Option<&str>,
    metadata: Option<&Value>,
) {
    let mut set = |key: &'static str, value: Value| attributes.push((Cow::Borrowed(key), value));
    let said = |names: &[&str]| names.iter().find_map(|name| text(metadata?.get(name)?));
    let (user, joined) = match user {
        Some(user) if dialect == Dialect::AnthropicMessages => match user.split_once("_session_") {
            Some((user, session)) => (Some(user), Some(session)),
            None => (Some(user), None),
        },
        user => (user, None),
    };
    if let Some(session) = said(&SESSION).or(joined.and_then(short).map(Value::from)) {
        set(name::CONVERSATION, session);
    }
    if let Some(user) = said(&USER).or(user.and_then(short).map(Value::from)) {
        set(name::USER, user);
    }
    let tags = TAGS.iter().find_map(|name| match metadata?.get(name)? {
        Value::Array(tags) => Some(tags.iter().filter_map(text).collect::<Vec<_>>()),
        Value::String(tags) => {
            Some(tags.split(',').filter_map(|tag| short(tag.trim())).map(Value::from).collect())
        }
        _ => None,
    });
    if let Some(tags) = tags.filter(|tags| !tags.is_empty()) {
        set(name::TAGS, tags.into());
    }
}

fn text(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => short(text.trim()).map(Value::from),
        Value::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}

fn short(text: &str) -> Option<&str> {
    Some(text).filter(|text| (1..=LONGEST).contains(&text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn users_and_metadata() {
        let check = |dialect, user: Option<&str>, metadata: Value, expect: Value| {
            let mut attributes = Attributes::new();
            take(&mut attributes, dialect, user, Some(&metadata));
            let got: serde_json::Map<String, Value> =
                attributes.into_iter().map(|(key, value)| (key.into_owned(), value)).collect();
            assert_eq!(Value::from(got), expect, "{user:?} {metadata}");
        };
        let chat = Dialect::OpenAiChat;
        check(chat, None, json!({}), json!({}));
        check(chat, Some("u"), json!(null), json!({"user.id": "u"}));
        check(
            chat,
            Some("u"),
            json!({"session_id": "s", "user_id": 7, "tags": ["a", "", 2]}),
            json!({"gen_ai.conversation.id": "s", "user.id": "7", "hanok.tags": ["a", "2"]}),
        );
        check(chat, None, json!({"tags": "a, b"}), json!({"hanok.tags": ["a", "b"]}));
        check(
            Dialect::AnthropicMessages,
            Some("user_1f_account__session_9c"),
            json!({}),
            json!({"user.id": "user_1f_account_", "gen_ai.conversation.id": "9c"}),
        );
        check(chat, Some("a_session_b"), json!({}), json!({"user.id": "a_session_b"}));
        check(chat, None, json!({"session_id": "x".repeat(300)}), json!({}));
    }
}
