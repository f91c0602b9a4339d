//! The last copy that was made of a data folder's file, noted beside it for people to see.

use hanok_base::Timestamp;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "backup.json";

/// A copy that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastBackup {
    /// When it was whole.
    pub at: Timestamp,
    /// Where it was put.
    pub file: PathBuf,
    /// How large it is.
    pub bytes: u64,
}

impl LastBackup {
    /// The one noted in a data folder; `None` where none is, or what is there is no note.
    pub fn of(folder: &Path) -> Option<Self> {
        let note: Value = serde_json::from_slice(&std::fs::read(folder.join(NAME)).ok()?).ok()?;
        Some(Self {
            at: Timestamp::parse_rfc3339(note.get("at")?.as_str()?)?,
            file: note.get("file")?.as_str()?.into(),
            bytes: note.get("bytes")?.as_u64()?,
        })
    }

    /// Notes it in a data folder, in place of the one before.
    pub fn note(&self, folder: &Path) -> io::Result<()> {
        let note =
            json!({ "at": self.at.rfc3339(), "file": self.file.to_string_lossy(), "bytes": self.bytes });
        let fresh = folder.join("backup.json.part");
        std::fs::write(&fresh, note.to_string())?;
        std::fs::rename(fresh, folder.join(NAME))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(LastBackup::of(folder.path()), None);
        let at = Timestamp::parse_rfc3339("2026-11-20T10:00:00Z").unwrap();
        for file in ["/backups/어제.db", "two words.db"] {
            let made = LastBackup { at, file: file.into(), bytes: 8192 };
            made.note(folder.path()).unwrap();
            assert_eq!(LastBackup::of(folder.path()), Some(made));
        }
        std::fs::write(folder.path().join(NAME), "[]").unwrap();
        assert_eq!(LastBackup::of(folder.path()), None);
    }
}
