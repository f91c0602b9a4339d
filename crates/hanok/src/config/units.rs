//! Sizes, times and money as people write them.

use hanok_base::NanoDollars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A length of time: seconds, or text such as `"10m"`, `"1h"`, `"7d"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "String")]
pub(crate) struct Seconds(pub(crate) f64);

impl Seconds {
    pub(crate) fn duration(self) -> Duration {
        Duration::try_from_secs_f64(self.0).unwrap_or_default()
    }
}

impl std::str::FromStr for Seconds {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a time; write a number with ms, s, m, h or d");
        let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(at);
        let number: f64 = number.trim().parse().map_err(|_| bad())?;
        let factor = match unit {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(bad()),
        };
        let seconds = number * factor;
        if Duration::try_from_secs_f64(seconds).is_ok_and(|time| !time.is_zero()) {
            Ok(Self(seconds))
        } else {
            Err(format!("`{text}` must be a time above 0"))
        }
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
        }
        let text = match Form::deserialize(deserializer)? {
            Form::Number(seconds) => seconds.to_string(),
            Form::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// US dollars, exact to the billionth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "f64")]
pub(crate) struct Dollars(pub(crate) NanoDollars);

impl std::str::FromStr for Dollars {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: hanok_base::usage::NotMoney| error.to_string())
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
        }
        let text = match Form::deserialize(deserializer)? {
            Form::Number(dollars) => dollars.to_string(),
            Form::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A size in bytes: a number, or text such as `"1MB"`, `"512KiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "String")]
pub(crate) struct Size(pub(crate) usize);

impl std::str::FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a size; write a number with B, KB, MB, GB, KiB, MiB or GiB");
        let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(at);
        let number: usize = number.parse().map_err(|_| bad())?;
        let factor = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return Err(bad()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(bad)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(usize),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(bytes) => Ok(Self(bytes)),
            Form::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_money() {
        let time = |text: &str| text.parse::<Seconds>().ok().map(|seconds| seconds.0);
        assert_eq!(
            (time("10m"), time("1.5"), time("7d"), time("250ms")),
            (Some(600.0), Some(1.5), Some(604_800.0), Some(0.25))
        );
        assert_eq!((time("soon"), time("-1"), time("0"), time("1y")), (None, None, None, None));
        let money = |text: &str| text.parse::<Dollars>().ok().map(|dollars| dollars.0.0);
        assert_eq!(
            (money("25"), money("$0.1"), money("0.000000001")),
            (Some(25_000_000_000), Some(100_000_000), Some(1))
        );
        assert_eq!((money(""), money("-1"), money("1e3"), money("0.0000000001")), (None, None, None, None));
    }
}
