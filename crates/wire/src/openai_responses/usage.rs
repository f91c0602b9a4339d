//! The usage object, both directions: cached tokens are counted inside the input, reasoning inside the output.

use crate::members::{Members, Obj, skip};
use hanok_base::Usage;
use serde::Deserialize;
use serde::de::MapAccess;
use serde_json::{Value, json};

/// The counts in a usage object; nothing where there is none.
pub(super) fn of(value: &Value) -> Usage {
    Obj::<Counts>::deserialize(value).unwrap_or_default().0.0
}

/// The same of its JSON.
pub(super) fn read(json: &str) -> Usage {
    serde_json::from_str::<Obj<Counts>>(json).unwrap_or_default().0.0
}

#[derive(Default)]
struct Counts(Usage);

#[derive(Default)]
struct Details {
    cached: Option<u64>,
    written: Option<u64>,
    reasoning: Option<u64>,
}

/// A count; what is no whole number says nothing.
fn count<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<u64>, A::Error> {
    map.next_value::<Value>().map(|value| value.as_u64())
}

fn details<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Details, A::Error> {
    map.next_value::<Option<Obj<Details>>>().map(|details| details.unwrap_or_default().0)
}

impl<'de> Members<'de> for Counts {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "input_tokens" => self.0.input = count(map)?,
            "output_tokens" => self.0.output = count(map)?,
            "input_tokens_details" => {
                let told = details(map)?;
                (self.0.cached_input, self.0.cache_write) = (told.cached, told.written);
            }
            "output_tokens_details" => self.0.reasoning = details(map)?.reasoning,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Details {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "cached_tokens" => self.cached = count(map)?,
            "cache_write_tokens" => self.written = count(map)?,
            "reasoning_tokens" => self.reasoning = count(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// The object of a usage; null where nothing is known. The official clients read the details without asking
/// whether they are there, so one that is unknown beside known counts is 0.
pub(super) fn encode(usage: &Usage) -> Value {
    if usage.is_empty() {
        return Value::Null;
    }
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    let input_details = json!({
        "cached_tokens": usage.cached_input.unwrap_or(0),
        "cache_write_tokens": usage.cache_write.unwrap_or(0),
    });
    json!({
        "input_tokens": input,
        "input_tokens_details": input_details,
        "output_tokens": output,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning.unwrap_or(0) },
        "total_tokens": input.saturating_add(output),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let check = |json: &str, expect: [Option<u64>; 5]| {
            let [input, output, cached_input, cache_write, reasoning] = expect;
            let expect = Usage { input, output, cached_input, cache_write, reasoning, ..Usage::default() };
            assert_eq!(read(json), expect, "{json}");
            assert_eq!(of(&serde_json::from_str(json).unwrap()), expect, "{json}");
        };
        check(
            r#"{"input_tokens":9,"output_tokens":5,"total_tokens":14,
                "input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},
                "output_tokens_details":{"reasoning_tokens":3}}"#,
            [Some(9), Some(5), Some(4), Some(2), Some(3)],
        );
        check(
            r#"{"input_tokens":9,"output_tokens":5,"input_tokens_details":null}"#,
            [Some(9), Some(5), None, None, None],
        );
        check(r#"{"input_tokens":1.5,"output_tokens":"x"}"#, [None; 5]);
        check("null", [None; 5]);
        check("7", [None; 5]);
        assert_eq!(encode(&Usage::default()), Value::Null);
        let said = Usage { input: Some(2), ..Usage::default() };
        assert_eq!(encode(&said)["input_tokens_details"]["cached_tokens"], 0);
        assert_eq!(encode(&said)["total_tokens"], 2);
    }
}
