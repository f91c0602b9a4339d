//! What is kept, of what and for how long.

use super::units::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[retention]`
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Retention {
    /// Days that traces stay; for ever by default.
    pub(crate) days: Option<Days>,
    /// What the file may hold, such as `"20GB"`: the oldest traces go first, whosever they are.
    pub(crate) max_size: Option<Size>,
}

/// `[projects.NAME.retention]`
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProjectRetention {
    /// Days that the project's traces stay, whatever holds for others.
    pub(crate) days: Option<Days>,
}

/// A number of days above 0, whole or not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Days(pub(crate) f64);

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let days = f64::deserialize(deserializer)?;
        if days > 0.0 && days < 1e6 {
            return Ok(Self(days));
        }
        Err(serde::de::Error::custom(format!("{days} must be a number of days above 0")))
    }
}

/// `[redaction]` and `[projects.NAME.redaction]`: what is replaced in spans before they are stored.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Redaction {
    /// Keys, tokens and passwords (default true).
    pub(crate) secrets: Option<bool>,
    /// Personal data; none by default.
    pub(crate) pii: Option<Vec<PiiKind>>,
}

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PiiKind {
    /// Addresses of mail.
    Email,
    /// Telephone numbers in international form.
    Phone,
    /// Korean telephone numbers.
    PhoneKr,
    /// Korean residents' and foreigners' registration numbers.
    RrnKr,
    /// Payment cards.
    Card,
    /// International bank account numbers.
    Iban,
    /// Social security numbers of the United States.
    SsnUs,
    /// Korean business registration numbers.
    BrnKr,
    /// Korean passports.
    PassportKr,
    /// Korean driving licences.
    DriverKr,
}

/// `[sampling]` and `[projects.NAME.sampling]`: which traces are kept with their spans.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sampling {
    /// How many of all, from 0 to 1 (the default).
    pub(crate) rate: Option<f64>,
    /// Kept in any case: `errors`, `slow>10s`, `cost>0.1`.
    pub(crate) keep: Option<Vec<String>>,
}

/// Whether what was said in calls is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Payloads {
    /// It is.
    #[default]
    On,
    /// Only where something failed.
    Errors,
    /// It is not.
    Off,
}
