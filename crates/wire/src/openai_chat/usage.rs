//! The usage object, both directions. Only the counts that [`Usage`] has a place for are kept; what else
//! vendors put there (audio tokens, prices, times) passes where bytes pass, and not where they are translated.

use crate::members::{Members, Obj, skip};
use hanok_base::{Object, Usage};
use serde::Deserialize;
use serde::de::MapAccess;
use serde_json::Value;

/// The counts in a usage object; nothing where there is none.
pub(super) fn of(value: &Value) -> Usage {
    Obj::<Counts>::deserialize(value).unwrap_or_default().0.into()
}

/// The same of its JSON.
pub(super) fn read(json: &str) -> Usage {
    serde_json::from_str::<Obj<Counts>>(json).unwrap_or_default().0.into()
}

#[derive(Default)]
struct Counts {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    /// Where vendors without details tell it.
    cached: Option<u64>,
    prompt_details: Details,
    completion_details: Details,
}

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

impl<'de> Members<'de> for Counts {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "prompt_tokens" => self.prompt = count(map)?,
            "completion_tokens" => self.completion = count(map)?,
            "total_tokens" => self.total = count(map)?,
            "prompt_cache_hit_tokens" | "cached_tokens" => self.cached = count(map)?,
            "prompt_tokens_details" => self.prompt_details = details(map)?,
            "completion_tokens_details" => self.completion_details = details(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

fn details<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Details, A::Error> {
    map.next_value::<Option<Obj<Details>>>().map(|details| details.unwrap_or_default().0)
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

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        let reasoning = counts.completion_details.reasoning;
        Self {
            input: counts.prompt,
            output: output(counts.prompt, counts.completion, reasoning, counts.total),
            cached_input: counts.prompt_details.cached.or(counts.cached),
            cache_write: counts.prompt_details.written,
            reasoning,
            ..Self::default()
        }
    }
}

/// `completion_tokens` with reasoning inside. Some vendors count reasoning beside it, which their total shows.
fn output(
    prompt: Option<u64>,
    completion: Option<u64>,
    reasoning: Option<u64>,
    total: Option<u64>,
) -> Option<u64> {
    let (Some(prompt), Some(completion_tokens), Some(reasoning), Some(total)) =
        (prompt, completion, reasoning, total)
    else {
        return completion;
    };
    let both = completion_tokens.checked_add(reasoning)?;
    let beside = reasoning > 0 && prompt.checked_add(both) == Some(total);
    Some(if beside { both } else { completion_tokens })
}

/// The object of a usage; `None` where nothing is known. The dialect has no way to leave a count unsaid, so
/// one that is unknown beside a known one is 0.
pub(super) fn encode(usage: &Usage) -> Option<Value> {
    if usage.is_empty() {
        return None;
    }
    let mut object = Object::new();
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    object.insert("prompt_tokens".into(), input.into());
    object.insert("completion_tokens".into(), output.into());
    object.insert("total_tokens".into(), input.saturating_add(output).into());
    let mut details = Object::new();
    if let Some(cached) = usage.cached_input {
        details.insert("cached_tokens".into(), cached.into());
    }
    if let Some(written) = usage.cache_write {
        details.insert("cache_write_tokens".into(), written.into());
    }
    if !details.is_empty() {
        object.insert("prompt_tokens_details".into(), details.into());
    }
    if let Some(reasoning) = usage.reasoning {
        let details = Object::from_iter([("reasoning_tokens".to_owned(), reasoning.into())]);
        object.insert("completion_tokens_details".into(), details.into());
    }
    Some(object.into())
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
            r#"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,
                "prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0,"cache_write_tokens":2},
                "completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":0}}"#,
            [Some(9), Some(5), Some(4), Some(2), Some(3)],
        );
        // DeepSeek; Moonshot.
        check(
            r#"{"prompt_tokens":9,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":1}"#,
            [Some(9), None, Some(8), None, None],
        );
        check(
            r#"{"prompt_tokens":9,"cached_tokens":8,"prompt_tokens_details":null}"#,
            [Some(9), None, Some(8), None, None],
        );
        // xAI counts reasoning beside the completion.
        check(
            r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":351,
                "completion_tokens_details":{"reasoning_tokens":310}}"#,
            [Some(32), Some(319), None, None, Some(310)],
        );
        check(r#"{"prompt_tokens":1.5,"completion_tokens":-2,"total_tokens":"x"}"#, [None; 5]);
        check("{}", [None; 5]);
        check("null", [None; 5]);
        check("[1,2]", [None; 5]);
    }
}
