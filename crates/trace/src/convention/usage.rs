//! The token rule: cached tokens count inside the input, reasoning inside the output, whoever tells them.

use super::gather::Gathered;
use super::names::{Count, LANGFUSE, Rank};
use hanok_base::Usage;

impl Gathered<'_> {
    fn counted(&self, count: Count) -> Option<u64> {
        self.counts.get(count as usize)?.get().copied()
    }

    fn rank_of(&self, count: Count) -> Option<Rank> {
        self.counts.get(count as usize)?.rank()
    }

    /// The tokens by our rule.
    pub(super) fn usage(&self) -> Usage {
        let [input, output, cached_input, cache_write, reasoning, total] =
            [Count::Input, Count::Output, Count::Cached, Count::CacheWrite, Count::Reasoning, Count::Total]
                .map(|count| self.counted(count));
        let beside = cached_input.unwrap_or(0).saturating_add(cache_write.unwrap_or(0));
        let mut usage = Usage {
            input,
            output,
            cached_input,
            cache_write,
            reasoning,
            cache_write_long: self.counted(Count::CacheWriteLong),
            input_audio: self.counted(Count::InputAudio),
            input_image: self.counted(Count::InputImage),
            output_audio: self.counted(Count::OutputAudio),
            output_image: self.counted(Count::OutputImage),
        };
        if let Some(input) = input
            && self.is_beside(input, output, beside, total)
        {
            usage.input = Some(input.saturating_add(beside));
        }
        // Nothing can be reasoned beyond what was answered: then it is told beside it.
        if let (Some(output), Some(reasoning)) = (output, reasoning)
            && (reasoning > output || self.is_apart(Count::Reasoning))
        {
            usage.output = Some(output.saturating_add(reasoning));
        }
        // A span may tell its sum only.
        if usage.output.is_none()
            && let (Some(input), Some(total)) = (usage.input, total)
        {
            usage.output = total.checked_sub(input).filter(|rest| *rest > 0);
        }
        usage
    }

    /// Whether the cached tokens are told beside the input's, as Anthropic's API does: by the sum, where one is
    /// told; where they are more than the input; and where the convention has it so.
    fn is_beside(&self, input: u64, output: Option<u64>, beside: u64, total: Option<u64>) -> bool {
        if beside == 0 {
            return false;
        }
        if beside > input {
            return true;
        }
        let within = input.saturating_add(output.unwrap_or(0));
        match total {
            Some(total) if total == within => false,
            Some(total) if total == within.saturating_add(beside) => true,
            _ => self.is_apart(Count::Input),
        }
    }

    /// Whether a count was told in Langfuse's own words, which have each token in one kind only.
    fn is_apart(&self, count: Count) -> bool {
        self.disjoint && self.rank_of(count) == Some(LANGFUSE)
    }
}
