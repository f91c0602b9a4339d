//! Files: which there are under the given paths, and what text is in one.

use crate::chunking::Layout;
use crate::error::LibraryError;
use hanok_base::Timestamp;
use hanok_store::documents::Stamp;
use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder};
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Bytes of the largest file that is taken.
pub const LARGEST_FILE: u64 = 32 << 20;

const MARKDOWN: [&str; 3] = ["md", "markdown", "mdx"];
const PLAIN: [&str; 5] = ["txt", "text", "rst", "adoc", "org"];
/// Files that are text by custom, without an extension.
const CUSTOMARY: [&str; 13] = [
    "README",
    "LICENSE",
    "LICENCE",
    "COPYING",
    "NOTICE",
    "AUTHORS",
    "CONTRIBUTORS",
    "CONTRIBUTING",
    "CHANGELOG",
    "CHANGES",
    "NEWS",
    "HISTORY",
    "INSTALL",
];
const KEY_EXTENSIONS: [&str; 10] =
    ["pem", "key", "p12", "pfx", "jks", "keystore", "kdbx", "ppk", "gpg", "asc"];
const KEY_NAMES: [&str; 8] =
    ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".netrc", ".npmrc", ".pypirc", ".git-credentials"];
const PASSED_OVER: [&str; 3] = ["node_modules", ".hanok", ".git"];

/// A file to be taken.
#[derive(Clone, Debug)]
pub(crate) struct FoundFile {
    /// The path as the user knows it, the same whichever way it was given: see [`Names`].
    pub(crate) path: String,
    pub(crate) file: PathBuf,
    pub(crate) layout: Layout,
    pub(crate) stamp: Stamp,
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
    /// Files that a glob of the paths matched, taken before or not.
    matched: usize,
}

/// The text of a file.
pub(crate) struct Text {
    pub(crate) text: String,
    /// BLAKE3 of the file's bytes.
    pub(crate) hash: [u8; 32],
}

/// Finds the files under `roots`: files, folders and globs. Honours `.gitignore`, follows no symbolic link below
/// a root, passes over hidden files, secrets and the like.
pub(crate) fn find(
    roots: &[PathBuf],
    names: &Names,
    cancelled: &dyn Fn() -> bool,
) -> Result<Found, LibraryError> {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    for root in roots {
        let (base, glob) = match split_glob(root) {
            Some((base, pattern)) if !root.exists() => (base, Some(matcher(root, &pattern)?)),
            _ => (root.clone(), None),
        };
        let real = base.canonicalize().map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => LibraryError::NoSuchPath(root.clone()),
            _ => LibraryError::Path { path: root.clone(), source },
        })?;
        let before = found.matched;
        walk(&base, &real, glob.as_ref(), names, &mut seen, &mut found, cancelled);
        if glob.is_some() && found.matched == before {
            return Err(LibraryError::NothingMatches(root.clone()));
        }
    }
    Ok(found)
}

fn walk(
    base: &Path,
    real: &Path,
    glob: Option<&Override>,
    names: &Names,
    seen: &mut HashSet<PathBuf>,
    found: &mut Found,
    cancelled: &dyn Fn() -> bool,
) {
    let walk = WalkBuilder::new(base)
        .require_git(false)
        .sort_by_file_name(OsStr::cmp)
        .filter_entry(|entry| !entry.file_name().to_str().is_some_and(|name| PASSED_OVER.contains(&name)))
        .build();
    for entry in walk {
        if cancelled() {
            return;
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let name = path_of(&error, names).unwrap_or_else(|| names.of(base));
                found.unseen.push(name.clone());
                found.skipped.push((name, reason(&error)));
                continue;
            }
        };
        let inside = entry.path().strip_prefix(base).unwrap_or(Path::new(""));
        let is_wanted = glob.is_none_or(|glob| glob.matched(entry.path(), false).is_whitelist());
        if !is_wanted || entry.file_type().is_some_and(|kind| kind.is_dir()) {
            continue;
        }
        found.matched += 1;
        // A file that is reached from two roots is taken once.
        if seen.insert(real.join(inside)) {
            look_at(&entry, names, found);
        }
    }
}

fn look_at(entry: &DirEntry, names: &Names, found: &mut Found) {
    let path = names.of(entry.path());
    let mut skip = |reason: &str| found.skipped.push((path.clone(), reason.to_owned()));
    let Some(name) = entry.file_name().to_str() else {
        return skip("its name is not UTF-8");
    };
    if is_secret(name) {
        return skip("it may hold secrets");
    }
    let is_root = entry.depth() == 0;
    let Some(layout) = layout(name) else {
        let extension =
            Path::new(name).extension().and_then(OsStr::to_str).unwrap_or_default().to_lowercase();
        *found.unsupported.entry(extension).or_default() += 1;
        if is_root {
            skip("this kind of file is not indexed");
        }
        return;
    };
    if entry.path_is_symlink() && !is_root {
        return skip("it is a symbolic link");
    }
    // A root may be a link; what it leads to counts.
    let metadata = if is_root { std::fs::metadata(entry.path()) } else { entry.path().symlink_metadata() };
    match metadata {
        Ok(metadata) if metadata.is_file() => {
            let stamp = stamp(&metadata);
            found.files.push(FoundFile { path, file: entry.path().to_owned(), layout, stamp });
        }
        Ok(_) => skip("it is not a regular file"),
        Err(error) => {
            skip(&error.to_string());
            found.unseen.push(path);
        }
    }
}

/// Why a file cannot be taken.
pub(crate) enum Untaken {
    /// It cannot be read now; what it holds may be as it was.
    Unread(String),
    /// What it holds is no text of ours.
    Unfit(String),
}

/// Reads a file's text.
pub(crate) fn read(file: &Path) -> Result<Text, Untaken> {
    let unfit = |reason: String| Err(Untaken::Unfit(reason));
    let mut bytes = Vec::new();
    let opened = File::open(file).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    opened.map_err(|error| Untaken::Unread(format!("it cannot be read: {error}")))?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > LARGEST_FILE) {
        return unfit(format!("it is larger than {} MiB", LARGEST_FILE >> 20));
    }
    let hash = *blake3::hash(&bytes).as_bytes();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return unfit("it is UTF-16, not UTF-8".to_owned());
    }
    if bytes.contains(&0) {
        return unfit("it is binary".to_owned());
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        Untaken::Unfit(format!("it is not UTF-8 (byte {})", error.utf8_error().valid_up_to()))
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(Text { text, hash })
}

pub(crate) fn stamp(metadata: &Metadata) -> Stamp {
    let since =
        metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Stamp { size: metadata.len(), modified: Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)) }
}

fn layout(name: &str) -> Option<Layout> {
    let Some(extension) = Path::new(name).extension().and_then(OsStr::to_str) else {
        return CUSTOMARY.contains(&name.to_uppercase().as_str()).then_some(Layout::Plain);
    };
    let extension = extension.to_lowercase();
    if MARKDOWN.contains(&extension.as_str()) {
        Some(Layout::Markdown)
    } else {
        PLAIN.contains(&extension.as_str()).then_some(Layout::Plain)
    }
}

fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    let extension = Path::new(&lower).extension().and_then(OsStr::to_str).unwrap_or_default();
    lower.starts_with(".env") || KEY_EXTENSIONS.contains(&extension) || KEY_NAMES.contains(&lower.as_str())
}

/// What documents are called. A document's name is its identity, so it must not depend on how its path was typed
/// or on who typed it: a path below the current folder, or else below the folder that holds the data folder, is
/// named from there, any other one from the root. `/` on every platform.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    bases: Vec<PathBuf>,
}

impl Names {
    /// Names for the documents of this data folder.
    pub(crate) fn beside(data_dir: &Path) -> Self {
        let home = std::path::absolute(data_dir).ok().and_then(|data| data.parent().map(plain));
        let bases = std::env::current_dir().ok().into_iter().chain(home);
        // Everything is below the root: a name from there says no more than the whole path.
        Self { bases: bases.filter(|base| base.parent().is_some()).collect() }
    }

    fn of(&self, path: &Path) -> String {
        let whole = std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| plain(&path));
        let inside = self.bases.iter().find_map(|base| whole.strip_prefix(base).ok());
        let name = inside.filter(|inside| !inside.as_os_str().is_empty()).unwrap_or(&whole);
        name.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
    }
}

/// An absolute path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
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
