//! Other files that a configuration names: `file://PATH`, a plain path, or a pattern of several.

use crate::dataset::Records;
use crate::file;
use crate::import::yaml;
use globset::GlobBuilder;
use hanok_base::Object;
use serde_json::Value;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Larger files are none that tests are written in.
const LARGEST: u64 = 64 << 20;
/// Files that a pattern may mean.
const MOST: usize = 10_000;
/// Folders that are gone into.
const DEEPEST: usize = 16;

/// Files beside a configuration.
pub(in crate::import) struct Files {
    folder: PathBuf,
}

/// A file that is named, and the function in it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::import) struct Named<'a> {
    pub(in crate::import) path: &'a str,
    pub(in crate::import) function: Option<&'a str>,
}

impl<'a> Named<'a> {
    /// Of `file://PATH`, `PATH` or either with `:FUNCTION` behind.
    pub(in crate::import) fn of(reference: &'a str) -> Self {
        let path = reference.strip_prefix("file://").unwrap_or(reference);
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
        };
        match path.rsplit_once(':') {
            Some((path, name)) if is_name(name) && path.len() > 1 => Self { path, function: Some(name) },
            _ => Self { path, function: None },
        }
    }

    /// The ending, in lower case.
    pub(in crate::import) fn ending(&self) -> String {
        let name = self.path.rsplit(['/', '\\']).next().unwrap_or_default();
        name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).unwrap_or_default()
    }

    /// Whether it is a program rather than text.
    pub(in crate::import) fn is_code(&self) -> bool {
        matches!(
            self.ending().as_str(),
            "js" | "cjs" | "mjs" | "ts" | "cts" | "mts" | "tsx" | "py" | "rb" | "go" | "sh"
        )
    }
}

impl Files {
    /// Beside this configuration.
    pub(in crate::import) fn beside(path: &Path) -> Self {
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        Self { folder: folder.to_owned() }
    }

    /// The path of a file, absolute: what runs it may be elsewhere.
    pub(in crate::import) fn path(&self, path: &str) -> PathBuf {
        let path = self.folder.join(path);
        std::path::absolute(&path).unwrap_or(path)
    }

    /// Whether there is such a file.
    pub(in crate::import) fn has(&self, path: &str) -> bool {
        self.path(path).is_file()
    }

    /// The files that a path or pattern means, by name.
    pub(in crate::import) fn matching(&self, pattern: &str) -> Result<Vec<String>, String> {
        if self.has(pattern) || !pattern.contains(['*', '?', '[', '{']) {
            return Ok(vec![pattern.to_owned()]);
        }
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let glob = glob.map_err(|error| format!("`{pattern}` is no pattern: {error}"))?.compile_matcher();
        // What stands before the first wildcard is a folder; nothing beside it is looked at.
        let fixed: Vec<&str> =
            pattern.split('/').take_while(|part| !part.contains(['*', '?', '[', '{'])).collect();
        let mut found = Vec::new();
        walk(&self.folder, &fixed.join("/"), 0, &mut |path| {
            if glob.is_match(path) {
                found.push(path.to_owned());
            }
            found.len() < MOST
        });
        found.sort();
        if found.is_empty() { Err(format!("no file matches `{pattern}`")) } else { Ok(found) }
    }

    /// A file's text.
    pub(in crate::import) fn text(&self, path: &str) -> Result<String, String> {
        let full = self.path(path);
        match std::fs::metadata(&full) {
            Ok(data) if data.len() > LARGEST => Err(format!("`{path}` is larger than {LARGEST} bytes")),
            Ok(_) => file::read(&full).map_err(|error| format!("`{path}`: {}", error.message)),
            Err(error) => Err(format!("`{path}`: {error}")),
        }
    }

    /// What is in a YAML or JSON file.
    pub(in crate::import) fn data(&self, path: &str) -> Result<Value, String> {
        yaml(&self.path(path), &self.text(path)?).map_err(|error| format!("`{path}`: {}", error.message))
    }

    /// The lines of a JSON Lines file.
    pub(in crate::import) fn lines(&self, path: &str) -> Result<Vec<Value>, String> {
        let text = self.text(path)?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        lines
            .map(|(number, line)| {
                serde_json::from_str(line).map_err(|error| format!("`{path}`, line {}: {error}", number + 1))
            })
            .collect()
    }

    /// The records of a table, each by its header.
    pub(in crate::import) fn records(&self, path: &str) -> Result<Vec<Object>, String> {
        let failed = |error: std::io::Error| format!("`{path}`: {error}");
        let separator = if Named::of(path).ending() == "tsv" { b'\t' } else { b',' };
        let file = File::open(self.path(path)).map_err(failed)?;
        let mut records = Records::new(BufReader::new(file), separator);
        let Some((_, header)) = records.next_record().map_err(failed)? else {
            return Err(format!("`{path}`: the table has no header"));
        };
        let mut read = Vec::new();
        while let Some((_, fields)) = records.next_record().map_err(failed)? {
            let fields = fields.into_iter().map(Value::String).chain(std::iter::repeat(Value::from("")));
            read.push(header.iter().map(|name| name.trim().to_owned()).zip(fields).collect());
        }
        Ok(read)
    }
}

/// Files below a folder, as paths from it; `take` says whether to go on.
fn walk(folder: &Path, below: &str, depth: usize, take: &mut impl FnMut(&str) -> bool) -> bool {
    let Ok(entries) = std::fs::read_dir(folder.join(below)) else { return true };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "node_modules" {
            continue;
        }
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let goes_on = match entry.file_type() {
            Ok(kind) if kind.is_dir() => depth >= DEEPEST || walk(folder, &path, depth + 1, take),
            Ok(kind) if kind.is_file() => take(&path),
            _ => true,
        };
        if !goes_on {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let check = |reference: &str, path: &str, function: Option<&str>, is_code: bool| {
            let named = Named::of(reference);
            assert_eq!(
                (named.path, named.function, named.is_code()),
                (path, function, is_code),
                "{reference}"
            );
        };
        check("file://a/b.py:get_assert", "a/b.py", Some("get_assert"), true);
        check("b.TXT", "b.TXT", None, false);
        check("file://x.js:Class.call", "x.js", Some("Class.call"), true);
        check("C:\\x.js", "C:\\x.js", None, true);
    }

    #[test]
    fn patterns_find_files() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["tests/b.yaml", "tests/a.yaml", "tests/deep/c.yaml", "tests/x.txt", "other.yaml"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x: 1\n").unwrap();
        }
        let files = Files::beside(&folder.path().join("c.yaml"));
        let check = |pattern: &str, expect: &[&str]| {
            assert_eq!(files.matching(pattern).unwrap_or_default(), expect, "{pattern}");
        };
        check("tests/*.yaml", &["tests/a.yaml", "tests/b.yaml"]);
        check("./tests/**/*.yaml", &["tests/a.yaml", "tests/b.yaml", "tests/deep/c.yaml"]);
        check("*.yaml", &["other.yaml"]);
        check("other.yaml", &["other.yaml"]);
        check("nothing/*.yaml", &[]);
        assert_eq!(files.data("other.yaml"), Ok(serde_json::json!({"x": 1})));
        assert!(files.text("missing.txt").unwrap_err().contains("missing.txt"));
    }
}
