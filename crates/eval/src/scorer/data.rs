//! Data: `json-schema`, `json-path`, `tool-calls`.

use super::spec::{Arguments, JsonPath, JsonSchema, ToolCalls};
use super::subject::{Found, Rule, Subject};
use super::texts::told;
use crate::json;
use hanok_base::ToolCall;
use jsonschema::Validator;
use serde_json::Value;
use std::path::Path;

/// Faults of a schema that an explanation lists.
const FAULTS: usize = 5;

/// `json-schema`.
pub(crate) struct Fits {
    schema: Option<Validator>,
    lenient: bool,
}

impl Fits {
    pub(crate) fn new(spec: &JsonSchema, base: &Path) -> Result<Self, String> {
        let schema = match (&spec.schema, &spec.file) {
            (Some(_), Some(_)) => return Err("it has both a `schema` and a `file`".to_owned()),
            (Some(schema), None) => Some(schema.clone()),
            (None, Some(file)) => {
                let path = base.join(file);
                let text =
                    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                Some(serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?)
            }
            (None, None) => None,
        };
        let schema = schema.map(|schema| validator(&schema)).transpose()?;
        Ok(Self { schema, lenient: spec.lenient })
    }
}

/// A schema made ready. Nothing it refers to is fetched.
pub(crate) fn validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::validator_for(schema).map_err(|error| format!("the schema is no JSON schema: {error}"))
}

/// What is wrong with a value, in words; `None` where it fits.
pub(crate) fn faults(schema: &Validator, value: &Value) -> Option<String> {
    if schema.is_valid(value) {
        return None;
    }
    let faults: Vec<String> = schema
        .iter_errors(value)
        .take(FAULTS)
        .map(|error| match error.instance_path().as_str() {
            "" => super::texts::short(&error.to_string()),
            path => format!("{path}: {}", super::texts::short(&error.to_string())),
        })
        .collect();
    Some(faults.join("; "))
}

impl Rule for Fits {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let value = match subject.json(self.lenient) {
            Ok(value) => value,
            Err(why) => return Found::truth(false, why),
        };
        match self.schema.as_ref().and_then(|schema| faults(schema, &value)) {
            None => Found::truth(true, ""),
            Some(faults) => Found::truth(false, faults),
        }
    }
}

/// `json-path`.
pub(crate) struct AtPath {
    path: serde_json_path::JsonPath,
    exists: bool,
    lenient: bool,
}

impl AtPath {
    pub(crate) fn new(spec: &JsonPath) -> Result<Self, String> {
        Ok(Self { path: json::path(&spec.path)?, exists: spec.exists, lenient: spec.lenient })
    }
}

impl Rule for AtPath {
    fn check(&self, subject: &Subject<'_>) -> Found {
        if !self.exists && subject.expected.is_none() {
            return Found::skipped(
                "nothing is said of what is expected there; `exists = true` asks for anything",
            );
        }
        let value = match subject.json(self.lenient) {
            Ok(value) => value,
            Err(why) => return Found::truth(false, why),
        };
        let found = self.path.query(&value).all();
        let Some(first) = found.first() else {
            return Found::truth(false, format!("nothing is at {}", self.path));
        };
        match subject.expected.as_deref() {
            Some(expected) if !self.exists => {
                let is_there = found.iter().any(|found| json::same(found, expected));
                let why = format!("{} is `{}`, expected `{}`", self.path, told(first), told(expected));
                Found::truth(is_there, if is_there { String::new() } else { why })
            }
            _ => Found::truth(true, ""),
        }
    }
}

/// `tool-calls`.
pub(crate) struct Called(pub(crate) ToolCalls);

impl Rule for Called {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let Some(expected) = subject.expected.as_deref() else {
            return Found::skipped("the sample says nothing of the tools to call");
        };
        let expected = match wanted(expected) {
            Ok(expected) => expected,
            Err(why) => return Found::failed(why),
        };
        let calls = &subject.output.tool_calls;
        match self.missed(&expected, calls) {
            None => Found::truth(true, ""),
            Some(why) => Found::truth(false, why),
        }
    }
}

/// A call that is expected: `"name"`, or `{"name": …, "arguments": …}`.
struct Wanted<'a> {
    name: &'a str,
    arguments: Option<&'a Value>,
}

fn wanted(expected: &Value) -> Result<Vec<Wanted<'_>>, String> {
    fn one(value: &Value) -> Result<Wanted<'_>, String> {
        match value {
            Value::String(name) => Ok(Wanted { name, arguments: None }),
            Value::Object(members) => {
                let name =
                    members.get("name").and_then(Value::as_str).ok_or("an expected call has no name")?;
                let arguments = members.get("arguments").or_else(|| members.get("args"));
                Ok(Wanted { name, arguments })
            }
            other => {
                Err(format!("`{}` is no expected call: a name, or {{\"name\", \"arguments\"}}", told(other)))
            }
        }
    }
    match expected {
        Value::Array(list) => list.iter().map(one).collect(),
        single => Ok(vec![one(single)?]),
    }
}

impl Called {
    /// Why the calls are not what is expected.
    fn missed(&self, expected: &[Wanted<'_>], calls: &[ToolCall]) -> Option<String> {
        // Which calls each expected one may be.
        let fits: Vec<Vec<bool>> = expected
            .iter()
            .map(|wanted| calls.iter().map(|call| self.fits(wanted, call)).collect())
            .collect();
        let named = |at: usize| expected.get(at).map_or_else(String::new, Wanted::told);
        if self.0.ordered {
            let mut from = 0;
            for (at, row) in fits.iter().enumerate() {
                let Some(found) = row.iter().skip(from).position(|fits| *fits) else {
                    let why = if from > 0 { "was not called in its turn" } else { "was not called" };
                    return Some(format!("{} {why}", named(at)));
                };
                if found > 0 && !self.0.extra {
                    let call = calls.get(from).map_or("", |call| call.name.as_str());
                    return Some(format!("`{call}` was called before {}", named(at)));
                }
                from += found + 1;
            }
        } else if let Some(at) = unmatched(&fits, calls.len()) {
            return Some(format!("{} was not called", named(at)));
        }
        (!self.0.extra && calls.len() > expected.len())
            .then(|| format!("{} calls were made, {} expected", calls.len(), expected.len()))
    }

    fn fits(&self, wanted: &Wanted<'_>, call: &ToolCall) -> bool {
        if wanted.name != call.name {
            return false;
        }
        let Some(expected) = wanted.arguments.filter(|_| self.0.arguments != Arguments::Ignore) else {
            return true;
        };
        // No arguments are written as nothing, too.
        let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
        let Ok(found) = serde_json::from_str::<Value>(text) else {
            return false;
        };
        match self.0.arguments {
            Arguments::Equal => json::same(expected, &found),
            _ => json::within(expected, &found),
        }
    }
}

impl Wanted<'_> {
    fn told(&self) -> String {
        match self.arguments {
            Some(arguments) => format!("`{}` with {}", self.name, told(arguments)),
            None => format!("`{}`", self.name),
        }
    }
}

/// The first expected call for which no call is left where each is used once, by augmenting paths (Kuhn 1955): one
/// that fits several must not take the only one that another fits.
fn unmatched(fits: &[Vec<bool>], calls: usize) -> Option<usize> {
    fn place(at: usize, fits: &[Vec<bool>], taken: &mut [Option<usize>], seen: &mut [bool]) -> bool {
        let Some(row) = fits.get(at) else { return false };
        for (call, _) in row.iter().enumerate().filter(|(_, fits)| **fits) {
            match seen.get_mut(call) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            let holder = taken.get(call).copied().flatten();
            if holder.is_none_or(|holder| place(holder, fits, taken, seen)) {
                if let Some(slot) = taken.get_mut(call) {
                    *slot = Some(at);
                }
                return true;
            }
        }
        false
    }
    let mut taken = vec![None; calls];
    (0..fits.len()).find(|at| !place(*at, fits, &mut taken, &mut vec![false; calls]))
}
