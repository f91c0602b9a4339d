//! Token counts, both directions. Thoughts are told beside the candidates' tokens, and what built-in tools put
//! into the prompt beside the prompt's.

use super::forms::whole;
use crate::members::{Members, Obj, skip};
use hanok_base::{Object, Usage};
use serde::Deserialize;
use serde::de::MapAccess;
use serde_json::{Value, json};

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
    tools: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
    cached: Option<u64>,
    prompt_details: Modalities,
    candidates_details: Modalities,
}

#[derive(Default)]
struct Modalities {
    audio: Option<u64>,
    image: Option<u64>,
}

impl Modalities {
    fn of(value: &Value) -> Self {
        let mut found = Self::default();
        for item in value.as_array().into_iter().flatten() {
            let tokens = item.get("tokenCount").and_then(whole);
            match item.get("modality").and_then(Value::as_str) {
                Some("AUDIO") => found.audio = tokens,
                Some("IMAGE") => found.image = tokens,
                _ => {}
            }
        }
        found
    }
}

impl<'de> Members<'de> for Counts {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        // What is no whole number says nothing.
        let mut count = || map.next_value::<Value>().map(|value| whole(&value));
        match name {
            "promptTokenCount" => self.prompt = count()?,
            "toolUsePromptTokenCount" => self.tools = count()?,
            "candidatesTokenCount" => self.candidates = count()?,
            "thoughtsTokenCount" => self.thoughts = count()?,
            "cachedContentTokenCount" => self.cached = count()?,
            "promptTokensDetails" => self.prompt_details = Modalities::of(&map.next_value()?),
            "candidatesTokensDetails" => self.candidates_details = Modalities::of(&map.next_value()?),
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (None, None) => None,
            _ => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        };
        Self {
            input: sum(counts.prompt, counts.tools),
            output: sum(counts.candidates, counts.thoughts),
            cached_input: counts.cached,
            reasoning: counts.thoughts,
            input_audio: counts.prompt_details.audio,
            input_image: counts.prompt_details.image,
            output_audio: counts.candidates_details.audio,
            output_image: counts.candidates_details.image,
            ..Self::default()
        }
    }
}

/// The object of a usage; `None` where nothing is known.
pub(super) fn encode(usage: &Usage) -> Option<Value> {
    if usage.is_empty() {
        return None;
    }
    let mut object = Object::new();
    let mut set = |name: &str, count: Option<u64>| {
        if let Some(count) = count {
            object.insert(name.to_owned(), count.into());
        }
    };
    let beside = usage.output.map(|output| output.saturating_sub(usage.reasoning.unwrap_or(0)));
    set("promptTokenCount", usage.input);
    set("candidatesTokenCount", beside);
    set("totalTokenCount", Some(usage.input.unwrap_or(0).saturating_add(usage.output.unwrap_or(0))));
    set("cachedContentTokenCount", usage.cached_input);
    set("thoughtsTokenCount", usage.reasoning);
    let prompt = details(usage.input, usage.input_audio, usage.input_image);
    let candidates = details(beside, usage.output_audio, usage.output_image);
    for (name, details) in [("promptTokensDetails", prompt), ("candidatesTokensDetails", candidates)] {
        if let Some(details) = details {
            object.insert(name.to_owned(), details);
        }
    }
    Some(object.into())
}

/// The tokens by modality, where more than text is known.
fn details(all: Option<u64>, audio: Option<u64>, image: Option<u64>) -> Option<Value> {
    if audio.is_none() && image.is_none() {
        return None;
    }
    let text = all.map(|all| all.saturating_sub(audio.unwrap_or(0)).saturating_sub(image.unwrap_or(0)));
    let counts = [("TEXT", text), ("AUDIO", audio), ("IMAGE", image)];
    let known = counts.into_iter().filter_map(|(modality, count)| Some((modality, count?)));
    Some(known.map(|(modality, count)| json!({ "modality": modality, "tokenCount": count })).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let check = |json: &str, expect: Usage| {
            assert_eq!(read(json), expect, "{json}");
            assert_eq!(of(&serde_json::from_str(json).unwrap()), expect, "{json}");
            if !expect.is_empty() {
                assert_eq!(of(&encode(&expect).unwrap()), expect, "{json}");
            }
        };
        check(
            r#"{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":118,"thoughtsTokenCount":100,
                "cachedContentTokenCount":4,"toolUsePromptTokenCount":3,
                "promptTokensDetails":[{"modality":"TEXT","tokenCount":2},{"modality":"IMAGE","tokenCount":8}]}"#,
            Usage {
                input: Some(13),
                output: Some(105),
                reasoning: Some(100),
                cached_input: Some(4),
                input_image: Some(8),
                ..Usage::default()
            },
        );
        check(
            r#"{"promptTokenCount":7,"candidatesTokenCount":1290,
                "promptTokensDetails":[{"modality":"AUDIO","tokenCount":7}],
                "candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]}"#,
            Usage {
                input: Some(7),
                output: Some(1290),
                input_audio: Some(7),
                output_image: Some(1290),
                ..Usage::default()
            },
        );
        check(r#"{"promptTokenCount":7,"totalTokenCount":7}"#, Usage { input: Some(7), ..Usage::default() });
        for nothing in ["{}", "null", "[1]", r#"{"promptTokenCount":-1,"promptTokensDetails":"x"}"#] {
            check(nothing, Usage::default());
        }
    }
}
