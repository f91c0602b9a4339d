//! The tests of a configuration, as rows: from lists, files, tables and scenarios.

use super::asserted::{Asserted, Fallback};
use super::cells;
use super::files::{Files, Named};
use super::notes::Notes;
use super::providers::holds_null;
use crate::import::code;
use crate::template::{UNSUPPORTED, fill};
use hanok_base::Object;
use serde_json::{Value, json};

/// Rows that the lists of one test's variables may make.
const MOST_ROWS: usize = 100_000;
/// Members of a test that a row goes by, or that say nothing of what is measured.
const KNOWN: [&str; 6] = ["vars", "assert", "description", "metadata", "options", "threshold"];
/// Options of a test that a row goes by.
const OPTIONS: [&str; 6] =
    ["provider", "transform", "postprocess", "disableVarExpansion", "disableDefaultAsserts", "rubricPrompt"];
/// Files that hold no text.
const MEDIA: [&str; 22] = [
    "jpg", "jpeg", "png", "gif", "webp", "bmp", "svg", "tiff", "ico", "mp3", "wav", "ogg", "m4a", "flac",
    "aac", "mp4", "webm", "mov", "avi", "mkv", "pdf", "zip",
];

/// What rows are made of.
pub(super) struct Tests<'a> {
    pub(super) files: &'a Files,
    pub(super) members: &'a Object,
    /// What judges where a file names nothing that could.
    pub(super) judge: Fallback<'a>,
    pub(super) notes: &'a mut Notes,
}

/// A test, and where it is from.
struct Test {
    members: Object,
    /// `test` or `scenario`, and its place among them from 0.
    from: (&'static str, usize),
    name: String,
}

/// How many assertions there are, and the kinds of those that do not run.
#[derive(Default)]
struct Counted {
    total: usize,
    lacking: Vec<String>,
    code: usize,
}

impl Tests<'_> {
    /// All rows.
    pub(super) fn rows(mut self) -> Vec<Value> {
        let default = self.default();
        let tests = self.all();
        let mut counted = Counted::default();
        let rows = tests.iter().flat_map(|test| self.of_test(test, &default, &mut counted)).collect();
        let Counted { total, mut lacking, code } = counted;
        if code > 0 {
            self.notes.say(format!(
                "{code} assertions and transforms are code: an eval runs them as commands (`node`, `python3`), with your rights"
            ));
        }
        if !lacking.is_empty() {
            lacking.sort();
            let count = lacking.len();
            lacking.dedup();
            self.notes.lacks(format!(
                "{count} of {total} assertions have no counterpart and fail until they are replaced: {}",
                lacking.join(", ")
            ));
        }
        rows
    }

    fn default(&mut self) -> Object {
        match self.members.get("defaultTest") {
            Some(Value::Object(members)) => members.clone(),
            Some(Value::String(path)) => match self.files.data(Named::of(path).path) {
                Ok(Value::Object(members)) => members,
                read => {
                    let why = read.err().unwrap_or_else(|| "it is no test".to_owned());
                    self.notes.lacks(format!("`defaultTest` is in another file: {why}"));
                    Object::new()
                }
            },
            _ => Object::new(),
        }
    }

    fn all(&mut self) -> Vec<Test> {
        let mut tests = Vec::new();
        match self.members.get("tests") {
            None | Some(Value::Null) => {}
            Some(Value::Array(items)) => {
                for (number, item) in items.iter().enumerate() {
                    self.item(item, number, &mut tests);
                }
            }
            Some(one) => self.item(one, 0, &mut tests),
        }
        let scenarios = self.members.get("scenarios").and_then(Value::as_array);
        for (number, scenario) in scenarios.into_iter().flatten().enumerate() {
            self.scenario(scenario, number, &mut tests);
        }
        let has = |name: &str| {
            self.members.get(name).is_some_and(|value| {
                !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty())
            })
        };
        if tests.is_empty() && !has("tests") && !has("scenarios") {
            if has("redteam") {
                self.notes.lacks(
                    "there are no tests: promptfoo makes them of `redteam`; make them there, or write rows",
                );
            } else {
                tests.push(Test { members: Object::new(), from: ("test", 0), name: "1".to_owned() });
            }
        }
        tests
    }

    /// One item of `tests`: a test, or files with several.
    fn item(&mut self, item: &Value, number: usize, tests: &mut Vec<Test>) {
        let name = (number + 1).to_string();
        match item {
            Value::Object(members) if members.contains_key("path") && !members.contains_key("vars") => {
                let path = members.get("path").and_then(Value::as_str).unwrap_or_default();
                self.notes.test_lacks(&name, format!("tests are made by `{path}`, which is not run here"));
            }
            Value::Object(members) => {
                tests.push(Test { members: members.clone(), from: ("test", number), name });
            }
            Value::String(path) => match self.of_files(path) {
                Ok(found) => tests.extend(found.into_iter().enumerate().map(|(row, members)| Test {
                    members,
                    from: ("test", number),
                    name: format!("{name}.{}", row + 1),
                })),
                Err(why) => self.notes.test_lacks(&name, why),
            },
            _ => self.notes.test_lacks(&name, "it is no test"),
        }
    }

    /// The tests of files.
    fn of_files(&self, path: &str) -> Result<Vec<Object>, String> {
        if path.contains("://") && !path.starts_with("file://") {
            return Err(format!("tests are at `{path}`, which is not fetched"));
        }
        let named = Named::of(path);
        if named.is_code() {
            return Err(format!("tests are made by `{}`, which is not run here", named.path));
        }
        let mut tests = Vec::new();
        for path in self.files.matching(named.path)? {
            let listed = |value: Value| match value {
                Value::Array(items) => items,
                one => vec![one],
            };
            let records = match Named::of(&path).ending().as_str() {
                "csv" | "tsv" => {
                    tests.extend(self.files.records(&path)?.into_iter().map(cells::test));
                    continue;
                }
                "jsonl" => self.files.lines(&path)?,
                "json" | "yaml" | "yml" => listed(self.files.data(&path)?),
                _ => return Err(format!("tests are in `{path}`, which is not read here")),
            };
            for record in records {
                let Value::Object(members) = record else {
                    return Err(format!("`{path}` holds what is no test"));
                };
                let is_test = members.keys().any(|name| KNOWN.contains(&name.as_str()));
                tests.push(if is_test { members } else { cells::test(members) });
            }
        }
        Ok(tests)
    }

    /// Every row of a scenario's data with every one of its tests.
    fn scenario(&mut self, scenario: &Value, number: usize, tests: &mut Vec<Test>) {
        let name = format!("scenario {}", number + 1);
        let read = match scenario {
            Value::String(path) => self.files.data(Named::of(path).path),
            other => Ok(other.clone()),
        };
        let scenario = match read {
            Ok(Value::Array(items)) => {
                return items.iter().for_each(|item| self.scenario(item, number, tests));
            }
            Ok(Value::Object(members)) => members,
            Ok(_) => return self.notes.test_lacks(&name, "it is no scenario"),
            Err(why) => return self.notes.test_lacks(&name, why),
        };
        let mut listed = |member: &str| {
            let mut found = Vec::new();
            let items = match scenario.get(member) {
                Some(Value::Array(items)) => items.clone(),
                Some(Value::Null) | None => Vec::new(),
                Some(one) => vec![one.clone()],
            };
            for item in items {
                match item {
                    Value::Object(members) => found.push(members),
                    Value::String(path) => match self.of_files(&path) {
                        Ok(read) => found.extend(read),
                        Err(why) => self.notes.test_lacks(&name, why),
                    },
                    _ => self.notes.test_lacks(&name, format!("its `{member}` holds what is no test")),
                }
            }
            if found.is_empty() { vec![Object::new()] } else { found }
        };
        let (data, bodies) = (listed("config"), listed("tests"));
        for (at, data) in data.iter().enumerate() {
            for body in &bodies {
                tests.push(Test {
                    members: joined(data, body),
                    from: ("scenario", number),
                    name: format!("{name}.{}", at + 1),
                });
            }
        }
    }

    fn of_test(&mut self, test: &Test, default: &Object, counted: &mut Counted) -> Vec<Value> {
        let members = &test.members;
        for name in members.keys().chain(default.keys()).filter(|name| !KNOWN.contains(&name.as_str())) {
            self.notes.test_lacks(
                &test.name,
                format!("`{name}` has no counterpart; it is kept and given back on export"),
            );
        }
        let option = |name: &str| {
            let of = |members: &Object| {
                members.get("options")?.get(name).filter(|value| !value.is_null()).cloned()
            };
            of(members).or_else(|| of(default))
        };
        let options =
            [members, default].into_iter().filter_map(|members| members.get("options")?.as_object());
        for name in options.flat_map(Object::keys).filter(|name| !OPTIONS.contains(&name.as_str())) {
            self.notes.test_lacks(
                &test.name,
                format!("the option `{name}` has no counterpart; it is kept and given back on export"),
            );
        }
        let is = |name: &str| option(name).and_then(|value| value.as_bool()).unwrap_or(false);
        let asserted = Asserted {
            files: self.files,
            judge: self.judge,
            named_judge: option("provider"),
            has_rubric_prompt: option("rubricPrompt").is_some(),
        };
        let mut scorers = Vec::new();
        let mut defaults = 0;
        for (assertions, is_default) in [(members.get("assert"), false), (default.get("assert"), true)] {
            if is_default && is("disableDefaultAsserts") {
                continue;
            }
            for assertion in assertions.and_then(Value::as_array).into_iter().flatten() {
                let made = asserted.scorer(assertion, self.notes);
                counted.count(assertion, &made);
                defaults += usize::from(is_default);
                scorers.push(made);
            }
        }
        let mut metadata = Object::from_iter([(test.from.0.to_owned(), test.from.1.into())]);
        if defaults > 0 {
            metadata.insert("defaults".to_owned(), defaults.into());
        }
        if let Some(threshold) = members.get("threshold").or_else(|| default.get("threshold")) {
            metadata.insert("threshold".to_owned(), threshold.clone());
        }
        if let Some(transform) = option("transform").or_else(|| option("postprocess")) {
            counted.code += 1;
            metadata.insert("transform".to_owned(), code::table(self.files, &transform));
        }
        if !scorers.is_empty() {
            metadata.insert("scorers".to_owned(), Value::Array(scorers));
        }
        if let Some(description) = members.get("description").filter(|text| text.is_string()) {
            metadata.insert("description".to_owned(), description.clone());
        }
        let mut vars = self.vars(test, default);
        vars.extend(self.vars(test, members));
        self.expand(test, &mut vars);
        let rows = if is("disableVarExpansion") { vec![vars] } else { product(vars) };
        let Some(rows) = Some(rows).filter(|rows| !rows.is_empty()) else {
            self.notes.test_lacks(&test.name, format!("its variables make more than {MOST_ROWS} rows"));
            return Vec::new();
        };
        let rows = rows.into_iter().map(|mut vars| {
            self.complete(test, &mut vars);
            if vars.is_empty() {
                vars.insert("input".to_owned(), "".into());
            }
            json!({ "input": vars, "metadata": metadata })
        });
        rows.collect()
    }

    /// The variables of a test, or the files that they are in.
    fn vars(&mut self, test: &Test, members: &Object) -> Object {
        let paths: Vec<&str> = match members.get("vars") {
            Some(Value::Object(vars)) => return vars.clone(),
            Some(Value::String(path)) => vec![path],
            Some(Value::Array(paths)) => paths.iter().filter_map(Value::as_str).collect(),
            _ => return Object::new(),
        };
        let mut vars = Object::new();
        for path in paths {
            let read = self.files.matching(Named::of(path).path).and_then(|paths| {
                paths.iter().map(|path| self.files.data(path)).collect::<Result<Vec<_>, _>>()
            });
            match read {
                Ok(read) => {
                    vars.extend(read.into_iter().filter_map(|data| data.as_object().cloned()).flatten());
                }
                Err(why) => {
                    self.notes.test_lacks(&test.name, format!("its variables are in another file: {why}"));
                }
            }
        }
        vars
    }

    /// Patterns of files, as lists of files.
    fn expand(&mut self, test: &Test, vars: &mut Object) {
        let mut listed = |value: &Value| -> Vec<Value> {
            let Some(pattern) = value.as_str().and_then(|text| text.strip_prefix("file://")) else {
                return vec![value.clone()];
            };
            match self.files.matching(pattern) {
                Ok(paths) => paths.into_iter().map(|path| Value::from(format!("file://{path}"))).collect(),
                Err(why) => {
                    self.notes.test_lacks(&test.name, format!("a variable is in other files: {why}"));
                    vec![json!({ UNSUPPORTED: why })]
                }
            }
        };
        for value in vars.values_mut() {
            if let Value::Array(items) = value {
                *items = items.iter().flat_map(&mut listed).collect();
                continue;
            }
            let mut values = listed(value);
            *value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
        }
    }

    /// Reads the files that variables are in, and fills in the variables that variables hold.
    fn complete(&mut self, test: &Test, vars: &mut Object) {
        for value in vars.values_mut() {
            if value.is_null() {
                *value = "".into();
            } else if holds_null(value) {
                self.notes
                    .test_lacks(&test.name, "a variable holds null, which TOML cannot say: it is left out");
            }
            let Some(path) =
                value.as_str().filter(|text| text.starts_with("file://") || text.starts_with("package:"))
            else {
                continue;
            };
            match self.content(path) {
                Ok(content) => *value = content.into(),
                Err(why) => {
                    self.notes.test_lacks(&test.name, format!("a variable is in another file: {why}"));
                    *value = json!({ UNSUPPORTED: why });
                }
            }
        }
        let known = vars.clone();
        for (name, value) in vars.iter_mut() {
            let Some(text) = value.as_str().filter(|text| text.contains("{{") && text.contains("}}")) else {
                continue;
            };
            let others = known.iter().filter(|(other, _)| *other != name);
            // What does not name another variable is text.
            if let Ok(filled) =
                fill(text, &others.map(|(name, value)| (name.clone(), value.clone())).collect())
            {
                *value = filled.into();
            }
        }
    }

    fn content(&self, reference: &str) -> Result<String, String> {
        let named = Named::of(reference);
        let ending = named.ending();
        if reference.starts_with("package:") || named.is_code() {
            return Err(format!("`{}` makes it, which is not run here", named.path));
        }
        if MEDIA.contains(&ending.as_str()) {
            return Err(format!("`{}` is no text", named.path));
        }
        match ending.as_str() {
            "yaml" | "yml" => self.files.data(named.path).map(|data| data.to_string()),
            _ => self.files.text(named.path).map(|text| text.trim().to_owned()),
        }
    }
}

impl Counted {
    fn count(&mut self, assertion: &Value, made: &Value) {
        if let Some(inner) = made.get("scorers").and_then(Value::as_array) {
            let given = assertion.get("assert").and_then(Value::as_array);
            return inner
                .iter()
                .zip(given.into_iter().flatten())
                .for_each(|(made, given)| self.count(given, made));
        }
        self.total += 1;
        let is_code = made.get("kind") == Some(&json!("code")) || made.get("transform").is_some();
        self.code += usize::from(is_code);
        if made.get("kind") == Some(&json!("unsupported")) {
            self.lacking.push(assertion.get("type").and_then(Value::as_str).unwrap_or("?").to_owned());
        }
    }
}

/// A scenario's data with one of its tests: variables, options and metadata together, all assertions.
fn joined(data: &Object, body: &Object) -> Object {
    let mut joined = data.clone();
    for (name, value) in body {
        match (joined.get_mut(name), value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
            (Some(Value::Array(known)), Value::Array(more)) if name == "assert" => known.extend(more.clone()),
            _ => {
                joined.insert(name.clone(), value.clone());
            }
        }
    }
    joined
}

/// Whether an item of a list is a value of its own.
fn is_one(value: &Value) -> bool {
    value.as_object().is_none_or(|members| members.len() == 1 && members.contains_key(UNSUPPORTED))
}

/// Variables with lists, one row for each combination; none where there are too many.
fn product(vars: Object) -> Vec<Object> {
    let mut rows = vec![Object::new()];
    for (name, value) in vars {
        let values = match value {
            Value::Array(values) if !values.is_empty() && values.iter().all(is_one) => values,
            value => vec![value],
        };
        if rows.len().saturating_mul(values.len()) > MOST_ROWS {
            return Vec::new();
        }
        rows = rows
            .into_iter()
            .flat_map(|row| {
                let name = name.clone();
                values.clone().into_iter().map(move |value| {
                    let mut row = row.clone();
                    row.insert(name.clone(), value);
                    row
                })
            })
            .collect();
    }
    rows
}
