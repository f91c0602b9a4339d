//! Files that changed, as a watcher tells of them: a run may look at these and at nothing else, so that following a
//! change costs by its size and not by the collection's.

use crate::load::{apart, on_disk};
use crate::names::Names;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// More are not told apart: looking at everything is about as quick.
const MOST: usize = 10_000;
/// Files that say which other files are taken, and what is said of them.
const RULING: [&str; 3] = [".gitignore", ".ignore", crate::describe::META_FILE];

/// Files that were made, changed or removed, by their real paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched(HashSet<PathBuf>);

impl Touched {
    /// Adds a file. `false` where what happened to it may mean more than itself.
    pub(crate) fn add(&mut self, file: PathBuf) -> bool {
        let rules = file.file_name().and_then(OsStr::to_str).is_some_and(|name| RULING.contains(&name));
        let in_git = file.iter().any(|part| part == ".git");
        self.0.insert(file);
        !rules && !in_git && self.0.len() <= MOST
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(PathBuf::as_path)
    }

    pub(crate) fn contains(&self, file: &Path) -> bool {
        self.0.contains(file)
    }

    /// What documents at these paths are called, below whichever root.
    pub(crate) fn names(&self, roots: &[PathBuf], names: &Names) -> Vec<String> {
        let mut called = Vec::with_capacity(self.0.len());
        for root in roots.iter().filter_map(|root| on_disk(root)) {
            let (base, _) = apart(root);
            let Ok(real) = base.canonicalize() else { continue };
            called.extend(self.below(&real, &base).map(|file| names.of(&file)));
        }
        called
    }

    /// Those below the folder `real`, as they are come to from `base`, which is the same folder as it was typed.
    fn below(&self, real: &Path, base: &Path) -> impl Iterator<Item = PathBuf> {
        self.iter().filter_map(move |file| {
            let inside = file.strip_prefix(real).ok()?;
            Some(if inside.as_os_str().is_empty() { base.to_owned() } else { base.join(inside) })
        })
    }
}

/// What leads to touched files below one root. Paths as they are typed, which is how a walk comes to them.
#[derive(Debug)]
pub(crate) struct Trail {
    files: HashSet<OsString>,
    folders: HashSet<OsString>,
}

impl Trail {
    pub(crate) fn new(touched: &Touched, real: &Path, base: &Path) -> Self {
        let (mut files, mut folders) = (HashSet::new(), HashSet::from([base.as_os_str().to_owned()]));
        for file in touched.below(real, base) {
            for folder in file.ancestors().skip(1).take_while(|folder| folder.starts_with(base)) {
                if !folders.insert(folder.as_os_str().to_owned()) {
                    break;
                }
            }
            files.insert(file.into_os_string());
        }
        Self { files, folders }
    }

    /// Whether an entry is one of the files, or a folder on the way to one.
    pub(crate) fn has(&self, path: &Path, is_folder: bool) -> bool {
        let known = if is_folder { &self.folders } else { &self.files };
        known.contains(path.as_os_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_leads_to_the_files_and_nowhere_else() {
        let mut touched = Touched::default();
        assert!(touched.add("/real/docs/a/b/c.md".into()) && touched.add("/real/docs/d.md".into()));
        assert!(touched.add("/elsewhere/e.md".into()));
        let check = |base: &str| {
            let base = Path::new(base);
            let trail = Trail::new(&touched, Path::new("/real/docs"), base);
            let folders = ["", "a", "a/b", "a/x", "x"].map(|folder| {
                let path = if folder.is_empty() { base.to_owned() } else { base.join(folder) };
                trail.has(&path, true)
            });
            assert_eq!(folders, [true, true, true, false, false], "{base:?}");
            let files = ["a/b/c.md", "d.md", "a/d.md", "e.md"].map(|file| trail.has(&base.join(file), false));
            assert_eq!(files, [true, true, false, false], "{base:?}");
        };
        ["docs", "./docs", "../x/docs", "/link", "."].into_iter().for_each(check);
    }

    #[test]
    fn what_rules_others_is_no_change_of_a_file() {
        let adds = |file: &str| Touched::default().add(file.into());
        assert!(adds("/a/b.md"));
        for ruling in ["/a/.gitignore", "/a/b/.ignore", "/a/_meta.toml", "/a/.git/index"] {
            assert!(!adds(ruling), "{ruling}");
        }
    }
}
