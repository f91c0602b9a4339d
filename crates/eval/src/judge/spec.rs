//! The members of a scorer of kind `judge`.

use crate::task::PromptVersions;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A judge, as an eval's file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeSpec {
    /// The model, or several for a panel: best of different families, so that their errors differ.
    #[serde(alias = "models")]
    pub model: OneOrMore,
    /// What is judged by, in words.
    pub rubric: String,
    /// What is said.
    #[serde(default)]
    pub form: Form,
    /// The levels of an ordinal judge, worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Level>,
    /// Whether the judge is shown what is expected.
    #[serde(default)]
    pub reference: bool,
    /// `JSONPath` into the sample (`input`, `expected`, `metadata`): the answer that a pairwise judge compares with.
    #[serde(default = "expected")]
    pub against: String,
    /// `JSONPath` into the sample's input: what the judge is shown as the question; all of it otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// A prompt of the library, `NAME` or `NAME@LABEL`, in place of the one that is built in. Its variables are
    /// `rubric`, `levels`, `question`, `reference`, `answer`, `other`, `form` and `code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Whether the judge gives its reasons before its verdict.
    #[serde(default = "yes")]
    pub reasons: bool,
    /// How a panel's verdicts become one.
    #[serde(default)]
    pub panel: Aggregate,
    /// The model's temperature.
    #[serde(default)]
    pub temperature: Temperature,
    /// The seed, where the provider honours one; each repeat adds its number.
    #[serde(default)]
    pub seed: i64,
    /// Most tokens of an answer, reasoning included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
}

impl JudgeSpec {
    /// A binary judge of this model by this rubric.
    pub fn new(model: &str, rubric: &str) -> Self {
        Self {
            model: OneOrMore(vec![model.to_owned()]),
            rubric: rubric.to_owned(),
            form: Form::default(),
            levels: Vec::new(),
            reference: false,
            against: expected(),
            question: None,
            prompt: None,
            reasons: true,
            panel: Aggregate::default(),
            temperature: Temperature::default(),
            seed: 0,
            max_tokens: None,
        }
    }
}

impl JudgeSpec {
    /// The same with the prompt of the library in the version that its label stands at now, so that the judge's identity
    /// says which words it is asked in. What is wrong with the prompt, in words.
    pub async fn pinned(mut self, prompts: Option<&dyn PromptVersions>) -> Result<Self, String> {
        if let (Some(reference), Some(prompts)) = (&self.prompt, prompts) {
            let version = prompts.version(reference).await?;
            let name = reference.split_once('@').map_or(reference.as_str(), |(name, _)| name);
            self.prompt = Some(format!("{name}@{version}"));
        }
        Ok(self)
    }
}

fn expected() -> String {
    "$.expected".to_owned()
}

fn yes() -> bool {
    true
}

/// Names of models: one, or a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMore(pub Vec<String>);

impl Serialize for OneOrMore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(String),
            More(Vec<String>),
        }
        match Either::deserialize(deserializer) {
            Ok(Either::One(one)) => Ok(Self(vec![one])),
            Ok(Either::More(more)) if !more.is_empty() => Ok(Self(more)),
            Ok(Either::More(_)) => Err(D::Error::custom("a judge needs a model")),
            Err(_) => Err(D::Error::custom("a judge's model is its name, or a list of names")),
        }
    }
}

/// What a judge says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Yes or no.
    #[default]
    Binary,
    /// One of some levels.
    Ordinal,
    /// Which of two answers is better; asked in both orders.
    Pairwise,
}

/// A level of an ordinal judge: a label, or `{ label = "…", means = "…" }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Its name, as the judge says it.
    pub label: String,
    /// When it is given; may be empty.
    pub means: String,
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.means.is_empty() {
            return self.label.serialize(serializer);
        }
        Table { label: self.label.clone(), means: self.means.clone() }.serialize(serializer)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    label: String,
    #[serde(default)]
    means: String,
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Label(String),
            Number(i64),
            Table(Table),
        }
        Ok(match Either::deserialize(deserializer) {
            Ok(Either::Label(label)) => Self { label, means: String::new() },
            Ok(Either::Number(number)) => Self { label: number.to_string(), means: String::new() },
            Ok(Either::Table(Table { label, means })) => Self { label, means },
            Err(_) => {
                return Err(D::Error::custom("a level is a label, or { label = \"…\", means = \"…\" }"));
            }
        })
    }
}

/// How the verdicts of a panel become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// What most say; of a tie the lower value, so that doubt does not pass.
    #[default]
    Majority,
    /// The mean, a number.
    Mean,
}

/// A model's temperature: a number, or `"default"` for models that take none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperature(pub Option<f64>);

impl Default for Temperature {
    /// 0: the likeliest verdict, as nearly the same again as a model can.
    fn default() -> Self {
        Self(Some(0.0))
    }
}

impl Serialize for Temperature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(value) => value.serialize(serializer),
            None => "default".serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Temperature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(f64),
            Word(String),
        }
        match Either::deserialize(deserializer) {
            Ok(Either::Number(value)) if (0.0..=10.0).contains(&value) => Ok(Self(Some(value))),
            Ok(Either::Word(word)) if word == "default" => Ok(Self(None)),
            _ => Err(D::Error::custom("a temperature is a number from 0, or \"default\"")),
        }
    }
}
