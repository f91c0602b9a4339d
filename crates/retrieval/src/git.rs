//! Which files a git repository tracks, from its index file: format versions 2 to 4, of SHA-1 and SHA-256
//! repositories, as in git's `Documentation/gitformat-index`. No git is run and no library linked: a list of names
//! is all that is asked for.

use std::path::{Path, PathBuf};

/// Bytes of the largest index that is read.
const LARGEST: u64 = 1 << 30;
const REGULAR: u32 = 0o100_000;
const KIND: u32 = 0o170_000;

/// A repository: its working tree and where git keeps what it knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    pub(crate) tree: PathBuf,
    /// `.git`, or where it points to in a linked working tree.
    pub(crate) folder: PathBuf,
}

impl Repository {
    /// The repository that `path` is in; an error says why there is none.
    pub(crate) fn around(path: &Path) -> Result<Self, String> {
        for tree in path.ancestors() {
            let git = tree.join(".git");
            if git.is_dir() {
                return Ok(Self { tree: tree.to_owned(), folder: git });
            }
            if git.is_file() {
                let text =
                    std::fs::read_to_string(&git).map_err(|error| format!("{}: {error}", git.display()))?;
                let target = text.strip_prefix("gitdir:").map(str::trim);
                let target = target.ok_or_else(|| format!("{} names no folder", git.display()))?;
                return Ok(Self { tree: tree.to_owned(), folder: tree.join(target) });
            }
        }
        Err("it is not in a git repository".to_owned())
    }

    /// The tracked regular files, relative to the working tree, in git's order, each once.
    pub(crate) fn tracked(&self) -> Result<Vec<PathBuf>, String> {
        let file = self.folder.join("index");
        let metadata = match file.metadata() {
            Ok(metadata) => metadata,
            // A repository in which nothing was ever added.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(format!("{}: {error}", file.display())),
        };
        if metadata.len() > LARGEST {
            return Err("its index is larger than 1 GiB".to_owned());
        }
        let bytes = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        entries(&bytes, self.hash_length())
    }

    fn hash_length(&self) -> usize {
        // A linked working tree has its configuration where all of them have it.
        let common = std::fs::read_to_string(self.folder.join("commondir"))
            .map_or_else(|_| self.folder.clone(), |common| self.folder.join(common.trim()));
        let config = std::fs::read_to_string(common.join("config")).unwrap_or_default().to_lowercase();
        let is_sha256 = config.lines().any(|line| {
            line.split_once('=')
                .is_some_and(|(name, value)| name.trim() == "objectformat" && value.trim() == "sha256")
        });
        if is_sha256 { 32 } else { 20 }
    }
}

/// The paths of an index file.
fn entries(bytes: &[u8], hash: usize) -> Result<Vec<PathBuf>, String> {
    let damaged = || "its index is damaged".to_owned();
    let number = |at: usize| -> Option<u32> {
        Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
    };
    if bytes.get(..4) != Some(b"DIRC") {
        return Err(damaged());
    }
    let version = number(4).ok_or_else(damaged)?;
    if !(2..=4).contains(&version) {
        return Err(format!("its index has the format version {version}; 2 to 4 are known"));
    }
    let count = number(8).ok_or_else(damaged)?;
    let mut at = 12;
    let mut previous: Vec<u8> = Vec::new();
    let mut paths: Vec<PathBuf> = Vec::new();
    for _ in 0..count {
        let mode = number(at + 24).ok_or_else(damaged)?;
        // Ten numbers, the object's name, two bytes of flags, and two more where the first say so.
        let flags_at = at + 40 + hash;
        let flags = bytes.get(flags_at..flags_at + 2).ok_or_else(damaged)?;
        let is_extended = flags.first().is_some_and(|flags| flags & 0x40 != 0);
        let name_at = flags_at + if is_extended && version >= 3 { 4 } else { 2 };
        let rest = bytes.get(name_at..).ok_or_else(damaged)?;
        if version == 4 {
            let (strip, read) = varint(rest).ok_or_else(damaged)?;
            let rest = rest.get(read..).ok_or_else(damaged)?;
            let end = memchr(rest).ok_or_else(damaged)?;
            previous.truncate(previous.len().checked_sub(strip).ok_or_else(damaged)?);
            previous.extend(rest.get(..end).unwrap_or_default());
            at = name_at + read + end + 1;
        } else {
            let end = memchr(rest).ok_or_else(damaged)?;
            previous.clear();
            previous.extend(rest.get(..end).unwrap_or_default());
            // With at least one zero, to a multiple of eight bytes.
            at += (name_at + end - at + 8) / 8 * 8;
        }
        if mode & KIND == REGULAR
            && let Ok(path) = std::str::from_utf8(&previous)
            // The stages of a conflict are neighbours of one name.
            && paths.last().is_none_or(|last| last != Path::new(path))
        {
            paths.push(PathBuf::from(path));
        }
    }
    if has_link(bytes.get(at..).unwrap_or_default(), hash) {
        return Err("its index is split; join it with `git update-index --no-split-index`".to_owned());
    }
    Ok(paths)
}

/// Whether among the extensions is one that says that the entries are elsewhere.
fn has_link(mut extensions: &[u8], hash: usize) -> bool {
    while extensions.len() >= 8 + hash {
        let (Some(name), Some(size)) = (extensions.get(..4), extensions.get(4..8)) else { return false };
        if name == b"link" {
            return true;
        }
        let size = size.iter().fold(0_usize, |size, byte| size << 8 | usize::from(*byte));
        extensions = extensions.get(8_usize.saturating_add(size)..).unwrap_or_default();
    }
    false
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == 0)
}

/// A number as git's packs write offsets, and how many bytes it takes.
fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        value = value << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
        value += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn git(folder: &Path, arguments: &[&str]) {
        let run = Command::new("git")
            .current_dir(folder)
            .args(["-c", "user.name=a", "-c", "user.email=a@b.c"])
            .args(arguments)
            .output();
        let run = run.unwrap();
        assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    }

    fn has_git() -> bool {
        Command::new("git").arg("--version").output().is_ok_and(|run| run.status.success())
    }

    #[test]
    fn tracked_files_are_listed_as_git_lists_them() {
        if !has_git() {
            eprintln!("skipped: there is no git to make repositories with");
            return;
        }
        for arguments in [&["init", "-q"][..], &["init", "-q", "--object-format=sha256"]] {
            for version in ["2", "3", "4"] {
                let folder = tempfile::tempdir().unwrap();
                let tree = folder.path();
                git(tree, arguments);
                for path in ["a.md", "sub/deep/b.txt", "sub/deep/c.txt", "한글.md", "untracked.md", "z"] {
                    std::fs::create_dir_all(tree.join(path).parent().unwrap()).unwrap();
                    std::fs::write(tree.join(path), path).unwrap();
                }
                std::os::unix::fs::symlink("a.md", tree.join("link.md")).unwrap();
                git(tree, &["add", "a.md", "sub", "한글.md", "link.md"]);
                git(tree, &["add", "--intent-to-add", "z"]);
                git(tree, &["update-index", "--index-version", version]);
                let repository = Repository::around(&tree.join("sub/deep")).unwrap();
                assert_eq!(repository.tree, tree);
                let mut got = repository.tracked().unwrap();
                got.sort();
                let expect = ["a.md", "sub/deep/b.txt", "sub/deep/c.txt", "z", "한글.md"].map(PathBuf::from);
                assert_eq!(got, expect, "{arguments:?} {version}");
            }
        }
    }

    #[test]
    fn what_is_no_index_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Repository::around(folder.path()).is_err());
        let whole = {
            let mut bytes = b"DIRC\0\0\0\x02\0\0\0\x01".to_vec();
            bytes.extend([0; 24]);
            bytes.extend(0o100_644_u32.to_be_bytes());
            bytes.extend([0; 12 + 20 + 2]);
            bytes.extend(b"name.md\0\0\0");
            bytes
        };
        assert_eq!(entries(&whole, 20).unwrap(), [PathBuf::from("name.md")]);
        for cut in 0..80 {
            assert!(entries(&whole[..cut.min(whole.len() - 4)], 20).is_err() || cut >= 80);
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            let _whatever = entries(&bytes, 20);
        }
    }
}
