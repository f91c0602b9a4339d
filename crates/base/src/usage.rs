//! Tokens and money.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Token counts of one chat. `None` means the provider did not say.
///
/// The token rule: cached tokens are counted inside `input`, reasoning tokens inside `output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input: Option<u64>,
    /// Tokens of the answer, reasoning included.
    pub output: Option<u64>,
    /// Of `input`, those read from the provider's prompt cache.
    pub cached_input: Option<u64>,
    /// Of `input`, those written to the provider's prompt cache.
    pub cache_write: Option<u64>,
    /// Of `cache_write`, those kept for longer at a higher price (an hour).
    pub cache_write_long: Option<u64>,
    /// Of `input`, those of audio.
    pub input_audio: Option<u64>,
    /// Of `input`, those of images.
    pub input_image: Option<u64>,
    /// Of `output`, those of audio.
    pub output_audio: Option<u64>,
    /// Of `output`, those of images.
    pub output_image: Option<u64>,
    /// Of `output`, those spent on reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Input and output together, where both are known.
    pub fn total(&self) -> Option<u64> {
        Some(self.input?.saturating_add(self.output?))
    }
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Money: integer billionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoDollars(pub i64);

impl NanoDollars {
    /// As a float of dollars, for JSON and display only; sums are made on integers.
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 nano-dollars, nine million dollars")]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// Not an amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount of US dollars, such as 25 or 0.50")]
pub struct NotMoney(String);

impl std::str::FromStr for NanoDollars {
    type Err = NotMoney;

    /// US dollars in decimals, digit by digit: a float would round what a ledger must not.
    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let bad = || NotMoney(text.to_owned());
        let amount = text.trim().trim_start_matches('$');
        let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > 9 || !digits(whole) || !digits(part) {
            return Err(bad());
        }
        let nano: i64 = format!("{part:0<9}").parse().map_err(|_| bad())?;
        let dollars: i64 = whole.parse().map_err(|_| bad())?;
        let sum = dollars.checked_mul(1_000_000_000).and_then(|dollars| dollars.checked_add(nano));
        sum.map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for NanoDollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.dollars())
    }
}
