//! Files: which there are under the given paths.

use crate::describe::{META_FILE, Rule, Ruled, Rules};
use crate::error::LibraryError;
use crate::fetch::is_url;
use crate::git::Repository;
use crate::names::{Names, is_generated, is_secret};
use hanok_base::Timestamp;
use hanok_parse::Format;
use hanok_store::documents::{Origin, Stamp};
use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

const PASSED_OVER: [&str; 3] = ["node_modules", ".hanok", ".git"];
/// Before a path: only files that git tracks.
const TRACKED: &str = "git+";

/// A file to be taken.
#[derive(Clone, Debug)]
pub(crate) struct FoundFile {
    /// The path as the user knows it, the same whichever way it was given: see [`Names`].
    pub(crate) path: String,
    pub(crate) file: PathBuf,
    pub(crate) stamp: Stamp,
    pub(crate) origin: Origin,
    /// What the rules say of it.
    pub(crate) ruled: Arc<Ruled>,
    /// What an HTTP server said that it can be known by.
    pub(crate) validator: Option<String>,
}

/// What there is under the given paths.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<FoundFile>,
    /// What cannot be taken, with the reason.
    pub(crate) skipped: Vec<(String, String)>,
    /// Files of kinds that are not taken, counted by extension.
    pub(crate) unsupported: BTreeMap<String, u64>,
    /// Names that could not be looked at or below: what is known there is not known to be gone.
    pub(crate) unseen: Vec<String>,
    /// Folders in which a change may mean another document.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// URLs to be fetched.
    pub(crate) urls: Vec<String>,
    /// Files that a glob of the paths matched, taken before or not.
    matched: usize,
    /// Files by their real paths, so that one that is reached from two roots is taken once; `None` where there is one
    /// root, from which no file is reached twice.
    seen: Option<HashSet<OsString>>,
}

impl Found {
    /// Whether a file, at this real path, was not come to before.
    fn is_new(&mut self, real: impl FnOnce() -> PathBuf) -> bool {
        self.seen.as_mut().is_none_or(|seen| seen.insert(real().into_os_string()))
    }
}

/// What looking at one root needs.
struct Looking<'a> {
    names: &'a Names,
    rules: Rules,
    /// The folder that rules and globs begin at.
    base: PathBuf,
    origin: Origin,
    /// A folder, and what stands before the names of the files in it.
    named: Option<(PathBuf, String)>,
}

/// Finds the files under `roots`: files, folders, globs, `git+` before the path of a repository or a folder in it,
/// and URLs. Honours `.gitignore`, follows no symbolic link below a root, passes over hidden files, secrets and the
/// like.
pub(crate) fn find(
    roots: &[PathBuf],
    names: &Names,
    rules: &[Rule],
    cancelled: &dyn Fn() -> bool,
) -> Result<Found, LibraryError> {
    let mut found = Found { seen: (roots.len() > 1).then(HashSet::new), ..Found::default() };
    for root in roots {
        let text = root.to_str().unwrap_or_default();
        if is_url(text) {
            if !found.urls.iter().any(|url| url == text) {
                found.urls.push(text.to_owned());
            }
            continue;
        }
        if let Some(path) = text.strip_prefix(TRACKED) {
            tracked(Path::new(path), names, rules, &mut found, cancelled)?;
            continue;
        }
        let (base, glob) = match split_glob(root) {
            Some((base, pattern)) if !root.exists() => (base, Some(matcher(root, &pattern)?)),
            _ => (root.clone(), None),
        };
        let real = real(root, &base)?;
        let before = found.matched;
        let mut looking = Looking::at(&base, names, rules, Origin::File);
        walk(&mut looking, &base, &real, glob.as_ref(), &mut found, cancelled);
        looking.faults(&mut found);
        if glob.is_some() && found.matched == before {
            return Err(LibraryError::NothingMatches(root.clone()));
        }
    }
    Ok(found)
}

fn real(root: &Path, base: &Path) -> Result<PathBuf, LibraryError> {
    base.canonicalize().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => LibraryError::NoSuchPath(root.to_owned()),
        _ => LibraryError::Path { path: root.to_owned(), source },
    })
}

impl<'a> Looking<'a> {
    fn at(root: &Path, names: &'a Names, rules: &[Rule], origin: Origin) -> Self {
        // A file's rules are those of its folder.
        let base = if root.is_dir() { root } else { root.parent().unwrap_or(root) }.to_owned();
        Self { names, rules: Rules::new(&base, rules), base, origin, named: None }
    }

    /// What a file is called: what another one in its folder is, but for the end.
    fn name_of(&mut self, file: &Path) -> String {
        let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(OsStr::to_str)) else {
            return self.names.of(file);
        };
        if let Some((known, before)) = &self.named
            && known.as_os_str() == folder.as_os_str()
        {
            return format!("{before}{name}");
        }
        let whole = self.names.of(file);
        self.named = whole.strip_suffix(name).map(|before| (folder.to_owned(), before.to_owned()));
        whole
    }

    fn faults(self, found: &mut Found) {
        for (file, reason) in self.rules.faults {
            found.skipped.push((self.names.of(&file), format!("its rules do not count: {reason}")));
        }
    }
}

fn walk(
    looking: &mut Looking<'_>,
    base: &Path,
    real: &Path,
    glob: Option<&Override>,
    found: &mut Found,
    cancelled: &dyn Fn() -> bool,
) {
    let walk = WalkBuilder::new(base)
        .require_git(false)
        .sort_by_file_name(OsStr::cmp)
        .filter_entry(|entry| !entry.file_name().to_str().is_some_and(|name| PASSED_OVER.contains(&name)))
        .build();
    if !base.is_dir() {
        found.folders.extend(real.parent().map(Path::to_owned));
    }
    for entry in walk {
        if cancelled() {
            return;
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let name = path_of(&error, looking.names).unwrap_or_else(|| looking.names.of(base));
                found.unseen.push(name.clone());
                found.skipped.push((name, reason(&error)));
                continue;
            }
        };
        let inside = || entry.path().strip_prefix(base).unwrap_or(Path::new(""));
        if entry.file_type().is_some_and(|kind| kind.is_dir()) {
            found.folders.insert(real.join(inside()));
            continue;
        }
        if !glob.is_none_or(|glob| glob.matched(entry.path(), false).is_whitelist()) {
            continue;
        }
        found.matched += 1;
        let whole = || if inside().as_os_str().is_empty() { real.to_owned() } else { real.join(inside()) };
        if found.is_new(whole) {
            look_at(looking, &entry, found);
        }
    }
}

fn look_at(looking: &mut Looking<'_>, entry: &DirEntry, found: &mut Found) {
    let is_root = entry.depth() == 0;
    if entry.path_is_symlink() && !is_root {
        if Format::of(&entry.file_name().to_string_lossy(), b"").is_some() {
            found.skipped.push((looking.names.of(entry.path()), "it is a symbolic link".to_owned()));
        } else {
            unsupported(entry.path(), found);
        }
        return;
    }
    consider(looking, entry.path(), is_root, found);
}

fn unsupported(file: &Path, found: &mut Found) {
    let extension = file.extension().and_then(OsStr::to_str).unwrap_or_default().to_lowercase();
    *found.unsupported.entry(extension).or_default() += 1;
}

/// Looks at a file; `is_root` where it was named itself.
fn consider(looking: &mut Looking<'_>, file: &Path, is_root: bool, found: &mut Found) {
    let path = looking.name_of(file);
    let mut skip = |reason: &str| found.skipped.push((path.clone(), reason.to_owned()));
    let Some(name) = file.file_name().and_then(OsStr::to_str) else {
        return skip("its name is not UTF-8");
    };
    if name == META_FILE {
        return;
    }
    if is_secret(name) {
        return skip("it may hold secrets");
    }
    if Format::of(name, b"").is_none() || (is_generated(name) && !is_root) {
        if is_root {
            skip("this kind of file is not indexed");
        }
        return unsupported(file, found);
    }
    // A root may be a link; what it leads to counts.
    let metadata = if is_root { std::fs::metadata(file) } else { file.symlink_metadata() };
    match metadata {
        Ok(metadata) if metadata.is_file() => {
            let ruled = looking.rules.of(&looking.base, file);
            found.files.push(FoundFile {
                path,
                file: file.to_owned(),
                stamp: stamp(&metadata),
                origin: looking.origin,
                ruled,
                validator: None,
            });
        }
        Ok(_) => skip("it is not a regular file"),
        Err(error) => {
            skip(&error.to_string());
            found.unseen.push(path);
        }
    }
}

/// The files below `path` that git tracks and that are there.
fn tracked(
    path: &Path,
    names: &Names,
    rules: &[Rule],
    found: &mut Found,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), LibraryError> {
    let real = real(path, path)?;
    let bad = |reason| LibraryError::Pattern { path: path.to_owned(), reason };
    let repository = Repository::around(&real).map_err(bad)?;
    let bad = |reason| LibraryError::Pattern { path: path.to_owned(), reason };
    let files = repository.tracked().map_err(bad)?;
    found.folders.insert(repository.folder.clone());
    let mut looking = Looking::at(path, names, rules, Origin::Git);
    for file in files {
        if cancelled() {
            break;
        }
        let whole = repository.tree.join(&file);
        // Named by the path that was given, which may lead through a link.
        let Ok(inside) = whole.strip_prefix(&real) else { continue };
        let file = if inside.as_os_str().is_empty() { path.to_owned() } else { path.join(inside) };
        let hidden = inside.iter().any(|part| part.to_str().is_some_and(|part| part.starts_with('.')));
        let passed = inside.iter().any(|part| part.to_str().is_some_and(|part| PASSED_OVER.contains(&part)));
        if hidden || passed || !found.is_new(|| whole.clone()) {
            continue;
        }
        // Tracked, and not in the working tree: deleted and not yet committed, or left out of it.
        if whole.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            continue;
        }
        found.matched += 1;
        found.folders.extend(whole.parent().map(Path::to_owned));
        consider(&mut looking, &file, false, found);
    }
    looking.faults(found);
    Ok(())
}

pub(crate) fn stamp(metadata: &Metadata) -> Stamp {
    let since =
        metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Stamp { size: metadata.len(), modified: Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)) }
}

/// What a path of a collection means, on disk: without `git+`; `None` for a URL.
pub fn on_disk(path: &Path) -> Option<&Path> {
    let Some(text) = path.to_str() else { return Some(path) };
    if is_url(text) {
        return None;
    }
    Some(text.strip_prefix(TRACKED).map_or(path, Path::new))
}

/// The same path with what is on disk replaced by what `place` makes of it.
pub fn replaced(path: &Path, place: impl FnOnce(&Path) -> PathBuf) -> PathBuf {
    match on_disk(path) {
        None => path.to_owned(),
        Some(plain) if plain == path => place(path),
        Some(plain) => {
            let mut tracked = std::ffi::OsString::from(TRACKED);
            tracked.push(place(plain));
            tracked.into()
        }
    }
}

/// The folder above a pattern's first wildcard, and the pattern below it.
fn split_glob(path: &Path) -> Option<(PathBuf, String)> {
    let text = path.to_str()?;
    let wild = text.find(['*', '?', '[', '{'])?;
    let (before, _) = text.split_at_checked(wild)?;
    let cut = before.rfind('/').map_or(0, |at| at + 1);
    let (base, pattern) = text.split_at_checked(cut)?;
    Some((if base.is_empty() { PathBuf::from(".") } else { PathBuf::from(base) }, pattern.to_owned()))
}

fn matcher(root: &Path, pattern: &str) -> Result<Override, LibraryError> {
    let bad =
        |source: ignore::Error| LibraryError::Pattern { path: root.to_owned(), reason: source.to_string() };
    let base = split_glob(root).map_or_else(|| PathBuf::from("."), |(base, _)| base);
    // A leading `/` ties the pattern to the folder; without it `*.md` would match at every depth.
    OverrideBuilder::new(base).add(&format!("/{pattern}")).and_then(|builder| builder.build()).map_err(bad)
}

fn path_of(error: &ignore::Error, names: &Names) -> Option<String> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(names.of(path)),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err, names)
        }
        ignore::Error::Loop { child, .. } => Some(names.of(child)),
        _ => None,
    }
}

fn reason(error: &ignore::Error) -> String {
    error.io_error().map_or_else(|| error.to_string(), |io| format!("it cannot be read: {io}"))
}
