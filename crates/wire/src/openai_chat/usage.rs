//! The usage object, both directions. Only the counts that [`Usage`] has a place for are kept; what else
//! vendors put there (prices, times) passes where bytes pass, and not where they are translated.

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
    audio: Option<u64>,
    image: Option<u64>,
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
            "audio_tokens" => self.audio = count(map)?,
            "image_tokens" => self.image = count(map)?,
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
            cache_write_long: None,
            input_audio: counts.prompt_details.audio,
            input_image: counts.prompt_details.image,
            output_audio: counts.completion_details.audio,
            output_image: counts.completion_details.image,
            reasoning,
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
    let mut details = |name: &str, counts: &[(&str, Option<u64>)]| {
        let known = counts.iter().filter_map(|(name, count)| Some(((*name).to_owned(), (*count)?.into())));
        let known: Object = known.collect();
        if !known.is_empty() {
            object.insert(name.into(), known.into());
        }
    };
    details(
        "prompt_tokens_details",
        &[
            ("cached_tokens", usage.cached_input),
            ("cache_write_tokens", usage.cache_write),
            ("audio_tokens", usage.input_audio),
            ("image_tokens", usage.input_image),
        ],
    );
    details(
        "completion_tokens_details",
        &[
            ("reasoning_tokens", usage.reasoning),
            ("audio_tokens", usage.output_audio),
            ("image_tokens", usage.output_image),
        ],
    );
    Some(object.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let check = |json: &str, expect: Usage| {
            assert_eq!(read(json), expect, "{json}");
            assert_eq!(of(&serde_json::from_str(json).unwrap()), expect, "{json}");
            // What is written says the same, but for what is unsaid beside something known.
            let said = Usage { input: expect.input.or(Some(0)), output: expect.output.or(Some(0)), ..expect };
            let again = encode(&expect).map(|value| of(&value));
            assert_eq!(again, (!expect.is_empty()).then_some(said), "{json}");
        };
        check(
            r#"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,
                "prompt_tokens_details":{"cached_tokens":4,"audio_tokens":1,"cache_write_tokens":2,"image_tokens":3},
                "completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":0,"image_tokens":2}}"#,
            Usage {
                input: Some(9),
                output: Some(5),
                cached_input: Some(4),
                cache_write: Some(2),
                input_audio: Some(1),
                input_image: Some(3),
                output_audio: Some(0),
                output_image: Some(2),
                reasoning: Some(3),
                ..Usage::default()
            },
        );
        // DeepSeek; Moonshot.
        let cached = Usage { input: Some(9), cached_input: Some(8), ..Usage::default() };
        check(r#"{"prompt_tokens":9,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":1}"#, cached);
        check(r#"{"prompt_tokens":9,"cached_tokens":8,"prompt_tokens_details":null}"#, cached);
        // xAI counts reasoning beside the completion.
        check(
            r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":351,
                "completion_tokens_details":{"reasoning_tokens":310}}"#,
            Usage { input: Some(32), output: Some(319), reasoning: Some(310), ..Usage::default() },
        );
        for nothing in
            [r#"{"prompt_tokens":1.5,"completion_tokens":-2,"total_tokens":"x"}"#, "{}", "null", "[1,2]"]
        {
            check(nothing, Usage::default());
        }
    }
}
