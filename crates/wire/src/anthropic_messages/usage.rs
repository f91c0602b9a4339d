//! The usage object, both directions. The dialect counts cached tokens beside `input_tokens`, we inside.

use hanok_base::{Object, Usage};
use serde_json::{Value, json};

/// What upstreams said of tokens so far, in their own way of counting.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    read: Option<u64>,
    written: Option<u64>,
    written_long: Option<u64>,
    thinking: Option<u64>,
}

impl Counts {
    /// Takes the counts out of a usage object, so that what is left is what we do not know.
    pub(super) fn take(object: &mut Object) -> Self {
        let mut count = |name: &str| object.shift_remove(name).as_ref().and_then(Value::as_u64);
        let mut counts = Self {
            input: count("input_tokens"),
            output: count("output_tokens"),
            read: count("cache_read_input_tokens"),
            written: count("cache_creation_input_tokens"),
            ..Self::default()
        };
        if let Some(kinds) = object.shift_remove("cache_creation") {
            let of = |name: &str| kinds.get(name).and_then(Value::as_u64);
            let (short, long) = (of("ephemeral_5m_input_tokens"), of("ephemeral_1h_input_tokens"));
            counts.written_long = long;
            counts.written =
                counts.written.or(short.zip(long).map(|(short, long)| short.saturating_add(long)));
        }
        if let Some(details) = object.shift_remove("output_tokens_details") {
            counts.thinking = details.get("thinking_tokens").and_then(Value::as_u64);
        }
        object.retain(|_, value| !value.is_null());
        counts
    }

    /// The same of a value; nothing where it is no object.
    pub(super) fn of(value: Option<Value>) -> (Self, Object) {
        match value {
            Some(Value::Object(mut object)) => (Self::take(&mut object), object),
            _ => (Self::default(), Object::new()),
        }
    }

    /// Takes what was told later. Counts only grow; some vendors tell 0 for what they told before.
    pub(super) fn update(&mut self, newer: Self) {
        let newest = |old: &mut Option<u64>, new: Option<u64>| match (*old, new) {
            (_, None) | (Some(_), Some(0)) => {}
            (_, new) => *old = new,
        };
        newest(&mut self.input, newer.input);
        newest(&mut self.output, newer.output);
        newest(&mut self.read, newer.read);
        newest(&mut self.written, newer.written);
        newest(&mut self.written_long, newer.written_long);
        newest(&mut self.thinking, newer.thinking);
    }

    /// In our way of counting.
    pub(super) fn usage(self) -> Usage {
        let cached = self.read.unwrap_or(0).saturating_add(self.written.unwrap_or(0));
        Usage {
            input: self.input.map(|input| input.saturating_add(cached)),
            output: self.output,
            cached_input: self.read,
            cache_write: self.written,
            cache_write_long: self.written_long,
            reasoning: self.thinking,
            ..Usage::default()
        }
    }
}

/// The object of a usage. Clients read both counts unasked, so one that is unknown is 0.
pub(super) fn encode(usage: &Usage) -> Object {
    let cached = usage.cached_input.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0));
    let mut object = Object::new();
    object.insert("input_tokens".into(), usage.input.unwrap_or(0).saturating_sub(cached).into());
    if let Some(written) = usage.cache_write {
        object.insert("cache_creation_input_tokens".into(), written.into());
    }
    if let Some(read) = usage.cached_input {
        object.insert("cache_read_input_tokens".into(), read.into());
    }
    if let Some(long) = usage.cache_write_long {
        let short = usage.cache_write.unwrap_or(long).saturating_sub(long);
        let kinds = json!({ "ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long });
        object.insert("cache_creation".into(), kinds);
    }
    object.insert("output_tokens".into(), usage.output.unwrap_or(0).into());
    if let Some(reasoning) = usage.reasoning {
        object.insert("output_tokens_details".into(), json!({ "thinking_tokens": reasoning }));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let check = |json: Value, expect: Usage, left: Value| {
            let (counts, rest) = Counts::of(Some(json.clone()));
            assert_eq!((counts.usage(), Value::Object(rest)), (expect, left), "{json}");
            let again = Counts::of(Some(encode(&expect).into())).0.usage();
            assert_eq!(again, Usage { input: Some(again.input.unwrap_or(0)), ..expect });
        };
        check(
            json!({ "input_tokens": 3, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 7,
                "cache_creation": { "ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 4 },
                "output_tokens": 9, "output_tokens_details": { "thinking_tokens": 2 },
                "service_tier": "standard", "server_tool_use": null }),
            Usage {
                input: Some(15),
                output: Some(9),
                cached_input: Some(7),
                cache_write: Some(5),
                cache_write_long: Some(4),
                reasoning: Some(2),
                ..Usage::default()
            },
            json!({ "service_tier": "standard" }),
        );
        let plain = Usage { input: Some(3), output: Some(1), ..Usage::default() };
        check(json!({ "input_tokens": 3, "output_tokens": 1 }), plain, json!({}));
    }

    #[test]
    fn later_counts() {
        let counts = |json: Value| Counts::of(Some(json)).0;
        let mut told = counts(json!({ "input_tokens": 9, "cache_read_input_tokens": 2, "output_tokens": 1 }));
        told.update(counts(
            json!({ "input_tokens": 0, "cache_read_input_tokens": null, "output_tokens": 8 }),
        ));
        let usage = told.usage();
        assert_eq!((usage.input, usage.output, usage.cached_input), (Some(11), Some(8), Some(2)));
        told.update(counts(json!({ "input_tokens": 10 })));
        assert_eq!(told.usage().input, Some(12));
    }
}
