//! What Hanok adds to a prompt's front matter: members that begin with `hanok.`, as dotprompt wants extensions named.

use crate::error::PromptError;
use crate::matter::{Metadata, Reader};
use hanok_base::Object;
use hanok_base::names::did_you_mean;
use serde_json::Value;

/// The namespace of these members.
const SPACE: &str = "hanok";
const MEMBERS: [&str; 5] = ["examples", "input", "output", "prefill", "reasoning"];
/// Where a prompt does not say how many examples.
const EXAMPLES: usize = 3;
/// The most there can be.
const MOST_EXAMPLES: usize = 100;
/// Where a prompt does not say how often an answer that does not fit is asked for again.
const RETRIES: u32 = 1;
/// The most that can be said.
const MOST_RETRIES: u32 = 5;
/// The element in which a model thinks, where a prompt does not name one.
const TAG: &str = "thinking";

/// The techniques that a prompt asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Techniques {
    /// `hanok.examples`.
    pub examples: Option<Examples>,
    /// `hanok.reasoning`.
    pub reasoning: Option<Thinking>,
    /// `hanok.input: xml`: values are escaped, but for those of these variables.
    pub escaped: Option<Vec<String>>,
    /// `hanok.prefill`: how the answer begins.
    pub prefill: Option<String>,
    /// `hanok.output`.
    pub output: Checking,
}

/// Examples from a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examples {
    /// The dataset.
    pub dataset: String,
    /// How many.
    pub count: usize,
    /// Those nearest to the input, rather than the first ones.
    pub nearest: bool,
    /// The variable that says what is near; all of them together where there is none.
    pub near: Option<String>,
}

/// Chain of thought, kept apart from the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thinking {
    /// The element that the thoughts stand in.
    pub tag: String,
    /// What is said to the model; `None` where the template says it.
    pub ask: Option<String>,
}

/// What is done with an answer that is to fit a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checking {
    /// Whether it is looked at.
    pub validate: bool,
    /// Whether what is nearly JSON is made JSON.
    pub repair: bool,
    /// How often it is asked for again.
    pub retries: u32,
}

impl Default for Techniques {
    fn default() -> Self {
        let output = Checking { validate: true, repair: true, retries: RETRIES };
        Self { examples: None, reasoning: None, escaped: None, prefill: None, output }
    }
}

impl Techniques {
    /// Reads the members of front matter that are Hanok's.
    pub(crate) fn read(data: &Metadata, reader: &Reader<'_>) -> Result<Self, PromptError> {
        let mut techniques = Self::default();
        let Some(Value::Object(members)) = data.ext.get(SPACE) else {
            return Ok(techniques);
        };
        for (name, value) in members {
            let key = format!("{SPACE}.{name}");
            let member = Member { key: &key, reader };
            match name.as_str() {
                "examples" => techniques.examples = Some(member.examples(value)?),
                "reasoning" => techniques.reasoning = member.thinking(value)?,
                "input" => techniques.escaped = member.escaped(value)?,
                "prefill" => {
                    techniques.prefill = Some(member.text(&[], value)?).filter(|text| !text.is_empty());
                }
                "output" => techniques.output = member.checking(value)?,
                other => {
                    let message = format!(
                        "there is no `{key}`{}; there are {}",
                        did_you_mean(other, MEMBERS),
                        MEMBERS.map(|name| format!("{SPACE}.{name}")).join(", ")
                    );
                    return Err(reader.wrong(&[&key], message));
                }
            }
        }
        Ok(techniques)
    }
}

/// A member that is read.
struct Member<'r> {
    key: &'r str,
    reader: &'r Reader<'r>,
}

impl Member<'_> {
    fn wrong(&self, path: &[&str], message: &str) -> PromptError {
        let whole: Vec<&str> = [self.key].into_iter().chain(path.iter().copied()).collect();
        self.reader.wrong(&whole, format!("`{}` {message}", whole.join(".")))
    }

    fn object<'v>(&self, value: &'v Value, known: &[&str]) -> Result<&'v Object, PromptError> {
        let Value::Object(object) = value else {
            return Err(self.wrong(&[], &format!("holds members: {}", known.join(", "))));
        };
        match object.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(object),
            Some(other) => {
                let near = did_you_mean(other, known.iter().copied());
                Err(self.wrong(&[other], &format!("is not known{near}; known are {}", known.join(", "))))
            }
        }
    }

    fn text(&self, path: &[&str], value: &Value) -> Result<String, PromptError> {
        value.as_str().map(str::to_owned).ok_or_else(|| self.wrong(path, "is a text"))
    }

    fn truth(&self, object: &Object, name: &str, default: bool) -> Result<bool, PromptError> {
        match object.get(name) {
            None => Ok(default),
            Some(Value::Bool(yes)) => Ok(*yes),
            Some(_) => Err(self.wrong(&[name], "is true or false")),
        }
    }

    fn number(&self, object: &Object, name: &str, default: u64, most: u64) -> Result<u64, PromptError> {
        match object.get(name) {
            None => Ok(default),
            Some(value) => value
                .as_u64()
                .filter(|number| *number <= most)
                .ok_or_else(|| self.wrong(&[name], &format!("is a whole number up to {most}"))),
        }
    }

    fn examples(&self, value: &Value) -> Result<Examples, PromptError> {
        if let Value::String(dataset) = value {
            return Ok(Examples { dataset: dataset.clone(), count: EXAMPLES, nearest: false, near: None });
        }
        let object = self.object(value, &["dataset", "count", "choose", "near"])?;
        let dataset = object.get("dataset").ok_or_else(|| self.wrong(&[], "needs a `dataset`"))?;
        let nearest = match object.get("choose").map(|choose| (choose.as_str(), choose)) {
            None => object.contains_key("near"),
            Some((Some("first"), _)) => false,
            Some((Some("nearest"), _)) => true,
            Some(_) => return Err(self.wrong(&["choose"], "is `first` or `nearest`")),
        };
        let count = self.number(object, "count", EXAMPLES as u64, MOST_EXAMPLES as u64)?;
        Ok(Examples {
            dataset: self.text(&["dataset"], dataset)?,
            count: usize::try_from(count).unwrap_or(EXAMPLES),
            nearest,
            near: object.get("near").map(|near| self.text(&["near"], near)).transpose()?,
        })
    }

    fn thinking(&self, value: &Value) -> Result<Option<Thinking>, PromptError> {
        let asked = |tag: &str| {
            format!(
                "First think step by step inside <{tag}> and </{tag}>. Then give the answer alone, after </{tag}>."
            )
        };
        let of = |tag: &str| Some(Thinking { tag: tag.to_owned(), ask: Some(asked(tag)) });
        match value {
            Value::Null | Value::Bool(false) => Ok(None),
            Value::Bool(true) => Ok(of(TAG)),
            Value::String(tag) => self.tag(&[], tag).map(|()| of(tag)),
            value => {
                let object = self.object(value, &["tag", "ask"])?;
                let tag = object.get("tag").map(|tag| self.text(&["tag"], tag)).transpose()?;
                let tag = tag.unwrap_or_else(|| TAG.to_owned());
                self.tag(&["tag"], &tag)?;
                let ask = match object.get("ask") {
                    None | Some(Value::Bool(true)) => Some(asked(&tag)),
                    Some(Value::Bool(false)) => None,
                    Some(Value::String(ask)) => Some(ask.clone()),
                    Some(_) => {
                        return Err(self.wrong(&["ask"], "is a text, or false where the template says it"));
                    }
                };
                Ok(Some(Thinking { tag, ask }))
            }
        }
    }

    fn tag(&self, path: &[&str], tag: &str) -> Result<(), PromptError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if tag.starts_with(|c: char| c.is_ascii_alphabetic()) && tag.chars().all(plain) && tag.len() <= 64 {
            return Ok(());
        }
        Err(self.wrong(path, "is the name of an element, such as `thinking`"))
    }

    fn escaped(&self, value: &Value) -> Result<Option<Vec<String>>, PromptError> {
        let format = |path: &[&str], value: &Value| match value.as_str() {
            Some("xml") => Ok(Some(Vec::new())),
            Some("text") => Ok(None),
            _ => Err(self.wrong(path, "is `xml` or `text`")),
        };
        if !value.is_object() {
            return format(&[], value);
        }
        let object = self.object(value, &["format", "trusted"])?;
        let escaped = format(&["format"], object.get("format").unwrap_or(&Value::from("xml")))?;
        let trusted = match object.get("trusted") {
            None => Some(Vec::new()),
            Some(Value::Array(names)) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
            Some(_) => None,
        };
        let trusted = trusted.ok_or_else(|| self.wrong(&["trusted"], "is a list of variables"))?;
        Ok(escaped.map(|_| trusted))
    }

    fn checking(&self, value: &Value) -> Result<Checking, PromptError> {
        let object = self.object(value, &["validate", "repair", "retries"])?;
        let retries = self.number(object, "retries", u64::from(RETRIES), u64::from(MOST_RETRIES))?;
        Ok(Checking {
            validate: self.truth(object, "validate", true)?,
            repair: self.truth(object, "repair", true)?,
            retries: u32::try_from(retries).unwrap_or(RETRIES),
        })
    }
}
