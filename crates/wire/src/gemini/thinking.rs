//! How much to think. Models from Gemini 3 on want a level; those before it know budgets only.

use super::forms;
use crate::effort;
use crate::error::WireError;
use crate::take;
use hanok_base::{Degradation, Object, ReasoningOptions};
use serde_json::Value;

/// Most tokens that the larger models before Gemini 3 may think.
const BUDGET_LIMIT: u64 = 32_768;
/// The same of the smaller ones.
const BUDGET_LIMIT_SMALL: u64 = 24_576;
/// Fewest tokens that those models must think which cannot be told not to.
const BUDGET_LEAST: u64 = 128;

/// Takes a request's `thinkingConfig`; what no option stands for is left in it.
pub(super) fn decode(config: &mut Object) -> Result<ReasoningOptions, WireError> {
    let mut options = ReasoningOptions::default();
    if config.get("includeThoughts") == Some(&Value::Bool(true)) {
        config.shift_remove("includeThoughts");
        options.summary = Some("auto".to_owned());
    }
    if let Some(level) = config.get("thinkingLevel").and_then(Value::as_str)
        && level != "THINKING_LEVEL_UNSPECIFIED"
    {
        options.effort = Some(level.to_ascii_lowercase());
        config.shift_remove("thinkingLevel");
    }
    // -1 leaves the budget to the model.
    if config.get("thinkingBudget").and_then(Value::as_i64) == Some(-1) {
        options.enabled = Some(true);
        return Ok(options);
    }
    let budget =
        forms::count(config, "thinkingBudget").map_err(|error| take::under("thinkingConfig", error))?;
    if let Some(budget) = budget {
        options.enabled = Some(budget > 0);
        options.budget_tokens = Some(budget);
    }
    Ok(options)
}

/// The `thinkingConfig` of a request that came in this dialect.
pub(super) fn encode_own(options: &ReasoningOptions) -> Object {
    let mut config = Object::new();
    if options.summary.is_some() {
        config.insert("includeThoughts".into(), true.into());
    }
    if let Some(effort) = &options.effort {
        config.insert("thinkingLevel".into(), effort.to_ascii_uppercase().into());
    }
    if let Some(budget) = options.budget_tokens {
        config.insert("thinkingBudget".into(), budget.into());
    }
    config
}

/// The `thinkingConfig` of a request that came in another dialect. `shows` where its clients see thoughts
/// without asking for them.
pub(super) fn encode(
    options: &ReasoningOptions,
    model: &str,
    shows: bool,
    lost: &mut Vec<Degradation>,
) -> Object {
    let mut config = Object::new();
    let is_off = options.enabled == Some(false)
        || options.effort.as_deref() == Some("none")
        || options.budget_tokens == Some(0);
    let is_asked = options.enabled.is_some() || options.effort.is_some() || options.budget_tokens.is_some();
    let mut note = |param: &str, message: String| {
        lost.push(Degradation { param: param.to_owned(), message });
    };
    if is_leveled(model) {
        let level = match (is_off, &options.effort, options.budget_tokens) {
            (true, ..) => Some("none"),
            (_, Some(effort), _) => Some(effort.as_str()),
            (_, None, Some(budget)) => Some(effort::effort(budget)),
            _ => None,
        };
        if let Some(level) = level {
            let least = if model.contains("pro") { "LOW" } else { "MINIMAL" };
            let written = match level {
                "none" | "minimal" => least,
                "low" => "LOW",
                "medium" => "MEDIUM",
                _ => "HIGH",
            };
            if !level.eq_ignore_ascii_case(written) {
                note("reasoning", format!("{level} became {written}: gemini has no such level"));
            }
            config.insert("thinkingLevel".into(), written.into());
        }
    } else if is_asked {
        let is_pro = model.contains("pro");
        let limit = if is_pro { BUDGET_LIMIT } else { BUDGET_LIMIT_SMALL };
        let wanted = if is_off {
            Some(0)
        } else {
            options.budget_tokens.or_else(|| options.effort.as_deref().and_then(effort::budget))
        };
        let written = match wanted {
            Some(0) if is_pro => Some(BUDGET_LEAST),
            wanted => wanted.map(|wanted| wanted.min(limit)),
        };
        if let (Some(wanted), Some(written)) = (wanted, written)
            && wanted != written
        {
            note("reasoning", format!("a budget of {wanted} tokens became {written}, as the model allows"));
        }
        match (written, &options.effort) {
            (Some(written), _) => drop(config.insert("thinkingBudget".into(), written.into())),
            (None, Some(effort)) => note("reasoning", format!("left out: gemini has no effort {effort:?}")),
            // As much as the model finds right.
            (None, None) => drop(config.insert("thinkingBudget".into(), Value::from(-1))),
        }
    }
    if !is_off && (options.summary.is_some() || (shows && is_asked)) {
        config.insert("includeThoughts".into(), true.into());
    }
    config
}

/// Whether a model thinks by levels, and refuses calls of tools without signatures: Gemini 3 and what follows.
pub(super) fn is_leveled(model: &str) -> bool {
    let name = model.strip_prefix("models/").unwrap_or(model);
    let Some(rest) = name.strip_prefix("gemini-") else {
        return false;
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let version = rest.get(..digits).and_then(|digits| digits.parse::<u32>().ok());
    version.map_or(rest.ends_with("-latest"), |version| version >= 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn efforts_and_budgets() {
        let check = |model: &str, effort: Option<&str>, budget: Option<u64>, expect: Value, notes: usize| {
            let options = ReasoningOptions {
                effort: effort.map(str::to_owned),
                budget_tokens: budget,
                ..ReasoningOptions::default()
            };
            let mut lost = Vec::new();
            assert_eq!(Value::Object(encode(&options, model, true, &mut lost)), expect);
            assert_eq!(lost.len(), notes, "{lost:?}");
        };
        let flash = "gemini-2.5-flash";
        check(flash, None, None, json!({}), 0);
        check(flash, Some("low"), None, json!({"thinkingBudget": 1024, "includeThoughts": true}), 0);
        check(flash, Some("high"), None, json!({"thinkingBudget": 24_576, "includeThoughts": true}), 0);
        check(flash, Some("xhigh"), None, json!({"thinkingBudget": 24_576, "includeThoughts": true}), 1);
        check(flash, Some("none"), None, json!({"thinkingBudget": 0}), 0);
        check(flash, None, Some(5000), json!({"thinkingBudget": 5000, "includeThoughts": true}), 0);
        check("gemini-2.5-pro", None, Some(0), json!({"thinkingBudget": 128}), 1);
        check(
            "gemini-2.5-pro",
            Some("xhigh"),
            None,
            json!({"thinkingBudget": 32_768, "includeThoughts": true}),
            0,
        );
        check(flash, Some("most"), None, json!({"includeThoughts": true}), 1);
        let three = "gemini-3-flash-preview";
        check(three, Some("medium"), None, json!({"thinkingLevel": "MEDIUM", "includeThoughts": true}), 0);
        check(three, Some("none"), None, json!({"thinkingLevel": "MINIMAL"}), 1);
        check(three, Some("xhigh"), None, json!({"thinkingLevel": "HIGH", "includeThoughts": true}), 1);
        check(three, None, Some(8000), json!({"thinkingLevel": "MEDIUM", "includeThoughts": true}), 0);
        check(
            "gemini-3.1-pro",
            Some("minimal"),
            None,
            json!({"thinkingLevel": "LOW", "includeThoughts": true}),
            1,
        );
    }

    #[test]
    fn generations() {
        for (model, expect) in [
            ("gemini-2.5-pro", false),
            ("gemini-3-pro-preview", true),
            ("models/gemini-3.1-flash-lite", true),
            ("gemini-10-flash", true),
            ("gemini-flash-latest", true),
            ("gemini-embedding-001", false),
            ("gemma-3-27b-it", false),
        ] {
            assert_eq!(is_leveled(model), expect, "{model}");
        }
    }
}
