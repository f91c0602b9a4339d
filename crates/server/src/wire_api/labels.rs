//! What a call's headers say of it beside its body: the trace it is made in, and whose it is.

use hanok_base::{Attributes, TraceContext};
use hanok_trace::attribute;
use http::HeaderMap;
use serde_json::Value;

/// Longer ones are no names.
const LONGEST: usize = 256;
/// A call has no more tags than this.
const MOST_TAGS: usize = 32;

/// The trace that the caller is in (W3C Trace Context).
pub(super) fn trace_context(headers: &HeaderMap) -> Option<TraceContext> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // Several would be one too many to choose from.
    let mut parents = headers.get_all("traceparent").iter();
    let (parent, None) = (parents.next()?, parents.next()) else {
        return None;
    };
    TraceContext::parse(parent.to_str().ok()?, text("tracestate"))
}

/// Session, user, tags and prompt, as the attributes they are recorded under.
pub(super) fn of(headers: &HeaderMap) -> Attributes {
    let mut labels = Attributes::new();
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix("x-hanok-") else {
            continue;
        };
        let Some(text) =
            std::str::from_utf8(value.as_bytes()).ok().map(str::trim).filter(|text| is_name(text))
        else {
            continue;
        };
        match name {
            "session" => labels.push((attribute::CONVERSATION.into(), text.into())),
            "user" => labels.push((attribute::USER.into(), text.into())),
            "tags" => {
                let tags = text.split(',').map(str::trim).filter(|tag| is_name(tag)).take(MOST_TAGS);
                let tags: Vec<Value> = tags.map(Value::from).collect();
                labels.push((attribute::TAGS.into(), tags.into()));
            }
            "prompt" => {
                let (name, version) = text.split_once('@').map_or((text, None), |(a, b)| (a, Some(b)));
                labels.push((attribute::PROMPT_NAME.into(), name.into()));
                labels.extend(version.map(|version| (attribute::PROMPT_VERSION.into(), version.into())));
            }
            _ => {}
        }
    }
    labels
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn headers_become_attributes() {
        let check = |name: &'static str, value: &str, expect: Value| {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value)]);
            let said: Vec<Value> = of(&headers).into_iter().map(|(key, value)| json!([key, value])).collect();
            assert_eq!(Value::from(said), expect, "{name}");
        };
        check("x-hanok-session", " s-1 ", json!([["gen_ai.conversation.id", "s-1"]]));
        check("x-hanok-user", "김민수", json!([["user.id", "김민수"]]));
        check("x-hanok-tags", "beta, eu,,", json!([["hanok.tags", ["beta", "eu"]]]));
        let prompt = json!([["gen_ai.prompt.name", "greet"], ["hanok.prompt.version", "3"]]);
        check("x-hanok-prompt", "greet@3", prompt);
        check("x-hanok-prompt", "greet", json!([["gen_ai.prompt.name", "greet"]]));
        check("x-hanok-route", "fast", json!([]));
        check("x-hanok-user", &"x".repeat(300), json!([]));
    }

    #[test]
    fn one_traceparent_is_taken_and_two_are_not() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut headers = HeaderMap::new();
        headers.append("traceparent", parent.parse().unwrap());
        headers.append("tracestate", "a=1".parse().unwrap());
        let context = trace_context(&headers).unwrap();
        assert_eq!((context.flags, context.state.as_deref()), (1, Some("a=1")));
        headers.append("traceparent", parent.parse().unwrap());
        assert_eq!(trace_context(&headers), None);
    }
}
