//! Between an effort and a budget of thinking: some dialects speak of the one, some of the other.
//!
//! The table is Google's own for its OpenAI-compatible endpoint (ai.google.dev/gemini-api/docs/openai).

const BUDGETS: [(&str, u64); 4] = [("minimal", 1_024), ("low", 1_024), ("medium", 8_192), ("high", 24_576)];

/// Most tokens of thinking for an effort; `None` for an effort of no known name.
pub(crate) fn budget(effort: &str) -> Option<u64> {
    match effort {
        "none" => Some(0),
        "xhigh" => Some(32_768),
        _ => BUDGETS.iter().find(|(name, _)| *name == effort).map(|(_, budget)| *budget),
    }
}

/// The effort whose budget is next above or at this one.
pub(crate) fn effort(budget: u64) -> &'static str {
    match budget {
        0 => "none",
        1..=1_024 => "low",
        1_025..=8_192 => "medium",
        _ => "high",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (name, tokens) in BUDGETS {
            assert_eq!(budget(name), Some(tokens));
            assert!(name == "minimal" || effort(tokens) == name, "{name}");
        }
        assert_eq!(
            (budget("none"), effort(0), budget("most"), effort(100_000)),
            (Some(0), "none", None, "high")
        );
    }
}
