//! What documents are called, and which files are nobody's business.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

const KEY_EXTENSIONS: [&str; 10] =
    ["pem", "key", "p12", "pfx", "jks", "keystore", "kdbx", "ppk", "gpg", "asc"];
const KEY_NAMES: [&str; 14] = [
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    "credentials",
    "credentials.json",
    "secrets.json",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
];

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

    pub(crate) fn of(&self, path: &Path) -> String {
        self.all_of(path).swap_remove(0)
    }

    /// What a path may have been called, by whoever indexed it from elsewhere: its name first. Never empty.
    pub(crate) fn all_of(&self, path: &Path) -> Vec<String> {
        let whole = std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| plain(&path));
        let inside = self.bases.iter().filter_map(|base| whole.strip_prefix(base).ok());
        let inside = inside.filter(|inside| !inside.as_os_str().is_empty()).chain([whole.as_path()]);
        inside.map(|name| name.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")).collect()
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

/// Whether a file of this name may hold secrets.
pub(crate) fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    let extension = Path::new(&lower).extension().and_then(OsStr::to_str).unwrap_or_default();
    lower.starts_with(".env") || KEY_EXTENSIONS.contains(&extension) || KEY_NAMES.contains(&lower.as_str())
}

/// Whether programs write files of this name for themselves: locks of versions, packed scripts and their maps.
pub(crate) fn is_generated(name: &str) -> bool {
    const LOCKS: [&str; 4] = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "composer.lock"];
    const ENDS: [&str; 4] = [".min.js", ".min.css", ".js.map", ".css.map"];
    LOCKS.contains(&name) || ENDS.iter().any(|end| name.ends_with(end))
}
