//! Front matter: what stands in YAML before the template.

use crate::error::{Place, PromptError};
use crate::picoschema::{self, Schemas};
use hanok_base::names::did_you_mean;
use hanok_base::{Object, ToolSpec};
use serde_json::Value;
use std::ops::Range;

/// What dotprompt says that front matter holds.
const KNOWN: [&str; 12] = [
    "config",
    "description",
    "ext",
    "input",
    "model",
    "name",
    "output",
    "raw",
    "toolDefs",
    "tools",
    "variant",
    "version",
];

/// What front matter says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// The name it gives itself; prompts go by their file's name all the same.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The model to ask.
    pub model: Option<String>,
    /// Settings of the model.
    pub config: Object,
    /// The schema of its variables, as JSON Schema.
    pub input_schema: Option<Value>,
    /// Values of variables that are not given.
    pub input_default: Object,
    /// `text` or `json`.
    pub output_format: Option<String>,
    /// What the answer is, as JSON Schema.
    pub output_schema: Option<Value>,
    /// Tools by name, which the request has to bring.
    pub tools: Vec<String>,
    /// Tools, defined here.
    pub tool_defs: Vec<ToolSpec>,
    /// Members with a point in their name, by what stands before the last point.
    pub ext: Object,
    /// All of it, as it was written.
    pub raw: Object,
}

/// Where front matter and template stand in a file.
pub(crate) struct Split {
    /// The YAML; `None` where the file has none.
    pub(crate) matter: Option<Range<usize>>,
    pub(crate) template: Range<usize>,
}

/// Finds front matter: between two lines of `---`, behind nothing but empty lines and comments.
pub(crate) fn split(source: &str) -> Result<Split, usize> {
    let whole = Split { matter: None, template: 0..source.len() };
    let mut lines = lines(source);
    let Some((_, begin)) = lines
        .by_ref()
        .map_while(|(line, at)| {
            (is_mark(line) || line.trim().is_empty() || line.starts_with('#')).then_some((line, at))
        })
        .find(|(line, _)| is_mark(line))
    else {
        return Ok(whole);
    };
    let after = |at: usize| {
        source.get(at..).and_then(|rest| rest.find('\n')).map_or(source.len(), |end| at + end + 1)
    };
    let from = after(begin);
    let Some((_, end)) = lines.find(|(line, _)| is_mark(line)) else {
        return Err(begin);
    };
    let rest = source.get(after(end)..).unwrap_or_default();
    let start = source.len() - rest.trim_start().len();
    let template = start..start.max(source.trim_end().len());
    Ok(Split { matter: Some(from..end), template })
}

fn is_mark(line: &str) -> bool {
    line.trim_end() == "---"
}

/// Lines without their ends, and where they begin.
fn lines(source: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut at = 0;
    source.split_inclusive('\n').map(move |line| {
        let begin = at;
        at += line.len();
        (line.trim_end_matches(['\n', '\r']), begin)
    })
}

/// Reads front matter, for a file of this name.
pub(crate) struct Reader<'s> {
    pub(crate) file: &'s str,
    pub(crate) source: &'s str,
    pub(crate) matter: Range<usize>,
}

impl Reader<'_> {
    fn yaml(&self) -> &str {
        self.source.get(self.matter.clone()).unwrap_or_default()
    }

    /// An error at the member that is reached through these.
    pub(crate) fn wrong(&self, path: &[&str], message: impl Into<String>) -> PromptError {
        let (yaml, mut at) = (self.yaml(), 0);
        for name in path {
            let found = lines(yaml).find(|(line, begin)| {
                let line = line.trim_start().trim_start_matches("- ").trim_start_matches(['"', '\'']);
                *begin >= at
                    && line.strip_prefix(name).is_some_and(|rest| {
                        rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':')
                    })
            });
            let Some((line, begin)) = found else { break };
            at = begin + line.len() - line.trim_start().len();
        }
        PromptError::Malformed {
            file: self.file.to_owned(),
            place: Place::of(self.source, self.matter.start + at),
            message: message.into(),
        }
    }

    /// What is said, and what may be a slip.
    pub(crate) fn read(&self, schemas: &Schemas) -> Result<(Metadata, Vec<String>), PromptError> {
        let yaml = self.yaml();
        let blank = lines(yaml).all(|(line, _)| line.trim().is_empty() || line.trim_start().starts_with('#'));
        let raw = if blank { Object::new() } else { self.parse(yaml)? };
        let mut notes = Vec::new();
        let mut data = Metadata { raw: raw.clone(), ..Metadata::default() };
        for (key, value) in &raw {
            match key.as_str() {
                "name" => data.name = Some(self.text(key, value)?),
                "description" => data.description = Some(self.text(key, value)?),
                "model" => data.model = Some(self.text(key, value)?).filter(|model| !model.is_empty()),
                "config" => data.config = self.object(&[key], value)?,
                "input" => {
                    let input = self.object(&[key], value)?;
                    data.input_schema = self.schema(&[key, "schema"], input.get("schema"), schemas)?;
                    if let Some(default) = input.get("default") {
                        data.input_default = self.object(&[key, "default"], default)?;
                    }
                }
                "output" => {
                    let output = self.object(&[key], value)?;
                    data.output_schema = self.schema(&[key, "schema"], output.get("schema"), schemas)?;
                    data.output_format = match output.get("format") {
                        None | Some(Value::Null) => None,
                        Some(Value::String(format)) if matches!(format.as_str(), "text" | "json") => {
                            Some(format.clone())
                        }
                        Some(other) => {
                            return Err(self.wrong(
                                &[key, "format"],
                                format!("an answer's format is text or json, not {other}"),
                            ));
                        }
                    };
                }
                "tools" => data.tools = self.names(key, value)?,
                "toolDefs" => data.tool_defs = self.tools(key, value, schemas)?,
                _ if KNOWN.contains(&key.as_str()) => {}
                _ => {
                    if let Some((space, field)) = key.rsplit_once('.') {
                        let fields = data.ext.entry(space).or_insert_with(|| Value::Object(Object::new()));
                        if let Value::Object(fields) = fields {
                            fields.insert(field.to_owned(), value.clone());
                        }
                        continue;
                    }
                    let near = did_you_mean(key, KNOWN);
                    if !near.is_empty() {
                        notes.push(format!("`{key}` in the front matter is not known{near}"));
                    }
                }
            }
        }
        Ok((data, notes))
    }

    fn parse(&self, yaml: &str) -> Result<Object, PromptError> {
        match serde_saphyr::from_str::<Value>(yaml) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(Value::Null) => Ok(Object::new()),
            Ok(_) => Err(self.wrong(&[], "front matter holds members: `model: fast`")),
            Err(error) => {
                let base = Place::of(self.source, self.matter.start);
                let number = |n: u64| usize::try_from(n).unwrap_or_default();
                let place = error.location().map_or(base, |at| Place {
                    line: base.line + number(at.line()).max(1) - 1,
                    column: number(at.column()).max(1),
                });
                // The parser's message may go on with a picture of the place.
                let said = error.without_snippet().to_string();
                let said = said.lines().next().unwrap_or_default();
                let message = format!(
                    "the front matter is no YAML: {said}; put text with `:`, `#`, braces or brackets into quotes"
                );
                Err(PromptError::Malformed { file: self.file.to_owned(), place, message })
            }
        }
    }

    fn text(&self, key: &str, value: &Value) -> Result<String, PromptError> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Null => Ok(String::new()),
            other => Err(self.wrong(&[key], format!("`{key}` is a text, not {other}"))),
        }
    }

    fn object(&self, path: &[&str], value: &Value) -> Result<Object, PromptError> {
        match value {
            Value::Object(object) => Ok(object.clone()),
            Value::Null => Ok(Object::new()),
            _ => Err(self.wrong(path, format!("`{}` holds members", path.join(".")))),
        }
    }

    fn names(&self, key: &str, value: &Value) -> Result<Vec<String>, PromptError> {
        let names = match value {
            Value::Null => Some(Vec::new()),
            Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        names.ok_or_else(|| {
            self.wrong(&[key], format!("`{key}` is a list of names; a tool's definition goes under toolDefs"))
        })
    }

    fn schema(
        &self,
        path: &[&str],
        value: Option<&Value>,
        schemas: &Schemas,
    ) -> Result<Option<Value>, PromptError> {
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        picoschema::schema(value, schemas).map(Some).map_err(|fault| {
            let path: Vec<&str> = path.iter().copied().chain(fault.path.iter().map(String::as_str)).collect();
            self.wrong(&path, fault.message)
        })
    }

    fn tools(&self, key: &str, value: &Value, schemas: &Schemas) -> Result<Vec<ToolSpec>, PromptError> {
        let Value::Array(items) = value else {
            return Err(
                self.wrong(&[key], "`toolDefs` is a list of tools, each with a name and an inputSchema")
            );
        };
        let mut tools = Vec::with_capacity(items.len());
        for item in items {
            let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
            let name = text("name").filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| self.wrong(&[key], "a tool under `toolDefs` has no name"))?;
            let given = item.get("inputSchema").or_else(|| item.get("parameters"));
            let parameters = self.schema(&[key, "inputSchema"], given, schemas)?;
            let (description, strict) = (text("description"), item.get("strict").and_then(Value::as_bool));
            tools.push(ToolSpec { name, description, parameters, strict, extra: Object::new() });
        }
        Ok(tools)
    }
}
