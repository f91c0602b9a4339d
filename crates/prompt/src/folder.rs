//! The folder that prompts are files of.

use crate::prompt::Partials;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a prompt's file ends in.
const EXTENSION: &str = ".prompt";
/// A larger file is no prompt.
const LARGEST: u64 = 4 << 20;
/// More files are not looked at.
const MOST: usize = 10_000;
/// How deep folders are looked into.
const DEEPEST: usize = 16;

/// A file as it was looked at: by these its change is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
}

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Prompts' texts, or why they could not be read, by name.
    pub(crate) prompts: BTreeMap<String, Result<String, String>>,
    pub(crate) partials: Partials,
    pub(crate) stamps: Vec<Stamp>,
}

/// The files of a folder and of those below it, by path. A folder that is not there holds none.
pub(crate) fn stamps(folder: &Path) -> io::Result<Vec<Stamp>> {
    let mut found = Vec::new();
    look(folder, 0, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn look(folder: &Path, depth: usize, found: &mut Vec<Stamp>) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let path = entry.path();
        // One that goes while it is looked at is not there.
        let Ok(data) = std::fs::metadata(&path) else { continue };
        if data.is_dir() && depth < DEEPEST {
            look(&path, depth + 1, found)?;
        } else if data.is_file() && name.ends_with(EXTENSION) && found.len() < MOST {
            found.push(Stamp { path, size: data.len(), modified: data.modified().ok() });
        }
    }
    Ok(())
}

/// Reads a folder.
pub(crate) fn read(folder: &Path) -> io::Result<Files> {
    let mut files = Files { stamps: stamps(folder)?, ..Files::default() };
    for stamp in &files.stamps {
        let Some(name) = name_of(folder, &stamp.path) else { continue };
        let text = if stamp.size > LARGEST {
            Err(format!("it is larger than {LARGEST} bytes"))
        } else {
            std::fs::read_to_string(&stamp.path).map_err(|error| error.to_string())
        };
        match (partial_name(&name), text) {
            (Some(partial), Ok(text)) => drop(files.partials.insert(partial, text)),
            // A partial that cannot be read is told of like a prompt.
            (_, text) => drop(files.prompts.insert(name, text)),
        }
    }
    Ok(files)
}

/// A prompt's name: the way to its file below the folder, with `/` between.
fn name_of(folder: &Path, path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.strip_prefix(folder).ok()?.components() {
        parts.push(part.as_os_str().to_str()?);
    }
    parts.join("/").strip_suffix(EXTENSION).map(str::to_owned)
}

/// The partial that a file of this name is: one whose own name begins with `_`.
fn partial_name(name: &str) -> Option<String> {
    let (folder, own) = name.rsplit_once('/').map_or(("", name), |(folder, own)| (folder, own));
    let own = own.strip_prefix('_')?;
    Some(if folder.is_empty() { own.to_owned() } else { format!("{folder}/{own}") })
}

/// Why a text cannot be a prompt's name; `None` where it can.
pub(crate) fn bad_name(name: &str) -> Option<&'static str> {
    let fine = |part: &str| {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        !part.is_empty() && !part.starts_with('.') && part.chars().all(plain)
    };
    if name.len() > 200 {
        return Some("it is longer than 200 bytes");
    }
    if !name.split('/').all(fine) {
        return Some("names are letters, digits, `_`, `-` and `.`, with `/` between folders");
    }
    partial_name(name).map(|_| "a name that begins with `_` is a partial's, which is edited in its file")
}

/// Writes a prompt's file whole: who reads it meanwhile sees the old text or the new one.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    let path = folder.join(format!("{name}{EXTENSION}"));
    // An editor's link stays one.
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    let parent = path.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent)?;
    let fresh =
        parent.join(format!(".{}.new", path.file_name().and_then(|name| name.to_str()).unwrap_or("prompt")));
    let written = (|| {
        let mut file = std::fs::File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if let Ok(data) = std::fs::metadata(&path) {
            file.set_permissions(data.permissions())?;
        }
        std::fs::rename(&fresh, &path)
    })();
    if written.is_err() {
        // What could not be put in place is of no use.
        let _ = std::fs::remove_file(&fresh);
    }
    written.map(|()| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_folder() {
        let check = |name: &str, good: bool| assert_eq!(bad_name(name).is_none(), good, "{name}");
        check("greet", true);
        check("team/greet.formal", true);
        check("인사", true);
        check("../greet", false);
        check("/greet", false);
        check("a//b", false);
        check(".hidden", false);
        check("greet@production", false);
        check("_partial", false);
        check("team/_partial", false);
        check("a b", false);
        check("", false);
    }
}
