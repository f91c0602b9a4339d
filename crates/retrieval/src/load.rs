//! Files: which there are under the given paths.

use crate::describe::{META_FILE, Rule, Ruled, Rules};
use crate::error::LibraryError;
use crate::fetch::is_url;
use crate::git::Repository;
use crate::names::{Names, is_generated, is_secret};
use crate::touched::{Touched, Trail};
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

/// A file as it is come to: what is borrowed is kept by those that need it, as most files are as they were.
pub(crate) struct Candidate<'a> {
    pub(crate) path: &'a str,
    pub(crate) file: &'a Path,
    pub(crate) stamp: Stamp,
    pub(crate) origin: Origin,
    pub(crate) ruled: &'a Arc<Ruled>,
    pub(crate) validator: Option<&'a str>,
}

impl Candidate<'_> {
    pub(crate) fn to_file(&self) -> FoundFile {
        FoundFile {
            path: self.path.to_owned(),
            file: self.file.to_owned(),
            stamp: self.stamp,
            origin: self.origin,
            ruled: self.ruled.clone(),
            validator: self.validator.map(str::to_owned),
        }
    }
}

/// Is shown each file that may be taken.
pub(crate) type Shown<'a> = dyn FnMut(&Candidate<'_>) + 'a;

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

/// What there is under the given paths, but for the files that may be taken.
#[derive(Debug, Default)]
pub(crate) struct Found {
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

/// What is to be found.
pub(crate) struct Search<'a> {
    /// Files, folders, globs, `git+` before the path of a repository or a folder in it, and URLs.
    pub(crate) roots: &'a [PathBuf],
    pub(crate) names: &'a Names,
    pub(crate) rules: &'a [Rule],
    /// Where only some files are meant; no URL is one of them.
    pub(crate) only: Option<&'a Touched>,
    pub(crate) cancelled: &'a dyn Fn() -> bool,
}

/// What looking at one root needs.
struct Looking<'a> {
    names: &'a Names,
    rules: Rules,
    /// The folder that rules and globs begin at.
    base: PathBuf,
    origin: Origin,
    /// A folder, and what stands before the names of the files in it.
    named: Option<(String, String)>,
}

impl Search<'_> {
    /// Finds the files under the roots, and shows each as it is come to. Honours `.gitignore`, follows no symbolic
    /// link below a root, passes over hidden files, secrets and the like.
    pub(crate) fn find(&self, shown: &mut Shown<'_>) -> Result<Found, LibraryError> {
        let mut found = Found { seen: (self.roots.len() > 1).then(HashSet::new), ..Found::default() };
        for root in self.roots {
            let text = root.to_str().unwrap_or_default();
            if is_url(text) {
                if self.only.is_none() && !found.urls.iter().any(|url| url == text) {
                    found.urls.push(text.to_owned());
                }
                continue;
            }
            if let Some(path) = text.strip_prefix(TRACKED) {
                self.tracked(Path::new(path), &mut found, shown)?;
                continue;
            }
            let (base, pattern) = apart(root);
            let glob = pattern.map(|pattern| matcher(root, &base, &pattern)).transpose()?;
            let real = real(root, &base)?;
            let before = found.matched;
            let mut looking = Looking::at(&base, self, Origin::File);
            self.walk(&mut looking, &base, &real, glob.as_ref(), &mut found, shown);
            looking.faults(&mut found);
            // Of some files none need match.
            if glob.is_some() && found.matched == before && self.only.is_none() {
                return Err(LibraryError::NothingMatches(root.clone()));
            }
        }
        Ok(found)
    }

    fn walk(
        &self,
        looking: &mut Looking<'_>,
        base: &Path,
        real: &Path,
        glob: Option<&Override>,
        found: &mut Found,
        shown: &mut Shown<'_>,
    ) {
        let trail = self.only.map(|touched| Trail::new(touched, real, base));
        let walk = WalkBuilder::new(base)
            .require_git(false)
            .sort_by_file_name(OsStr::cmp)
            .filter_entry(move |entry| {
                let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
                let passed = |name: &OsStr| name.to_str().is_some_and(|name| PASSED_OVER.contains(&name));
                !(is_folder && passed(entry.file_name()))
                    && trail.as_ref().is_none_or(|trail| trail.has(entry.path(), is_folder))
            })
            .build();
        if !base.is_dir() {
            found.folders.extend(real.parent().map(Path::to_owned));
        }
        for entry in walk {
            if (self.cancelled)() {
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
            let whole =
                || if inside().as_os_str().is_empty() { real.to_owned() } else { real.join(inside()) };
            if found.is_new(whole) {
                look_at(looking, &entry, found, shown);
            }
        }
    }

    /// The files below `path` that git tracks and that are there.
    fn tracked(&self, path: &Path, found: &mut Found, shown: &mut Shown<'_>) -> Result<(), LibraryError> {
        let real = real(path, path)?;
        let bad = |reason| LibraryError::Pattern { path: path.to_owned(), reason };
        let repository = Repository::around(&real).map_err(bad)?;
        let bad = |reason| LibraryError::Pattern { path: path.to_owned(), reason };
        let files = repository.tracked().map_err(bad)?;
        found.folders.insert(repository.folder.clone());
        let mut looking = Looking::at(path, self, Origin::Git);
        for file in files {
            if (self.cancelled)() {
                break;
            }
            let whole = repository.tree.join(&file);
            if self.only.is_some_and(|touched| !touched.contains(&whole)) {
                continue;
            }
            // Named by the path that was given, which may lead through a link.
            let Ok(inside) = whole.strip_prefix(&real) else { continue };
            let file = if inside.as_os_str().is_empty() { path.to_owned() } else { path.join(inside) };
            let hidden = inside.iter().any(|part| part.to_str().is_some_and(|part| part.starts_with('.')));
            let passed =
                inside.iter().any(|part| part.to_str().is_some_and(|part| PASSED_OVER.contains(&part)));
            if hidden || passed || !found.is_new(|| whole.clone()) {
                continue;
            }
            // Tracked, and not in the working tree: deleted and not yet committed, or left out of it.
            if whole.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
                continue;
            }
            found.matched += 1;
            found.folders.extend(whole.parent().map(Path::to_owned));
            consider(&mut looking, &file, false, found, shown);
        }
        looking.faults(found);
        Ok(())
    }
}

fn real(root: &Path, base: &Path) -> Result<PathBuf, LibraryError> {
    base.canonicalize().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => LibraryError::NoSuchPath(root.to_owned()),
        _ => LibraryError::Path { path: root.to_owned(), source },
    })
}

impl<'a> Looking<'a> {
    fn at(root: &Path, search: &Search<'a>, origin: Origin) -> Self {
        // A file's rules are those of its folder.
        let base = if root.is_dir() { root } else { root.parent().unwrap_or(root) }.to_owned();
        let rules = Rules::new(&base, search.rules);
        Self { names: search.names, rules, base, origin, named: None }
    }

    /// What a file is called: what another one in its folder is, but for the end.
    fn name_of(&mut self, file: &Path) -> String {
        let Some((folder, name)) = parted(file) else { return self.names.of(file) };
        if let Some((known, before)) = &self.named
            && known == folder
        {
            return [before, name].concat();
        }
        let whole = self.names.of(file);
        self.named = whole.strip_suffix(name).map(|before| (folder.to_owned(), before.to_owned()));
        whole
    }

    fn faults(self, found: &mut Found) {
        for (file, reason) in self.rules.faults {
            found.skipped.push((self.names.of(&file), format!("a rule has a mistake: {reason}")));
        }
    }
}

fn look_at(looking: &mut Looking<'_>, entry: &DirEntry, found: &mut Found, shown: &mut Shown<'_>) {
    let is_root = entry.depth() == 0;
    if entry.path_is_symlink() && !is_root {
        if Format::of(&entry.file_name().to_string_lossy(), b"").is_some() {
            found.skipped.push((looking.names.of(entry.path()), "it is a symbolic link".to_owned()));
        } else {
            unsupported(entry.path(), found);
        }
        return;
    }
    consider(looking, entry.path(), is_root, found, shown);
}

fn unsupported(file: &Path, found: &mut Found) {
    let extension = file.extension().and_then(OsStr::to_str).unwrap_or_default().to_lowercase();
    *found.unsupported.entry(extension).or_default() += 1;
}

/// Looks at a file; `is_root` where it was named itself.
fn consider(looking: &mut Looking<'_>, file: &Path, is_root: bool, found: &mut Found, shown: &mut Shown<'_>) {
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
            let (stamp, origin) = (stamp(&metadata), looking.origin);
            shown(&Candidate { path: &path, file, stamp, origin, ruled: &ruled, validator: None });
        }
        Ok(_) => skip("it is not a regular file"),
        Err(error) => {
            skip(&error.to_string());
            found.unseen.push(path);
        }
    }
}

/// A path's folder and name as they are written, where both are there and UTF-8; looking for its parts costs more,
/// and there are many files.
pub(crate) fn parted(file: &Path) -> Option<(&str, &str)> {
    let (folder, name) = file.to_str()?.rsplit_once(std::path::MAIN_SEPARATOR)?;
    (!folder.is_empty() && !name.is_empty() && name != "." && name != "..").then_some((folder, name))
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

/// Where looking for a path begins, and the pattern below that where the path is one.
pub(crate) fn apart(root: &Path) -> (PathBuf, Option<String>) {
    match split_glob(root) {
        Some((base, pattern)) if !root.exists() => (base, Some(pattern)),
        _ => (root.to_owned(), None),
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

fn matcher(root: &Path, base: &Path, pattern: &str) -> Result<Override, LibraryError> {
    let bad =
        |source: ignore::Error| LibraryError::Pattern { path: root.to_owned(), reason: source.to_string() };
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
