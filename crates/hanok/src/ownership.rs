//! Who owns a data folder: one server, or one command that writes.

use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A running server's card, beside its lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    /// Its process.
    pub(crate) pid: u32,
    /// Where it answers.
    pub(crate) url: String,
    /// What commands show to it, to prove that they can read the data folder.
    pub(crate) token: String,
}

/// The data folder cannot be owned now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnError {
    /// A server has it.
    #[error(
        "a hanok server (pid {}) is running on the data folder {} at {}; stop it, use it, or give another folder with --data",
        card.pid, data.display(), card.url
    )]
    Server {
        /// The folder.
        data: PathBuf,
        /// The server's card.
        card: Card,
    },
    /// Some command has it.
    #[error("another hanok command is writing to the data folder {}; try again when it is done", data.display())]
    Command {
        /// The folder.
        data: PathBuf,
    },
    /// The folder cannot be used.
    #[error("the data folder {} cannot be used: {source}", data.display())]
    Io {
        /// The folder.
        data: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The data folder is ours until this is dropped, or the process dies in whatever way.
pub(crate) struct Owned {
    lock: File,
    card: PathBuf,
}

impl Owned {
    /// Takes the folder, creating it where it is not there.
    pub(crate) fn take(data: &Path) -> Result<Self, OwnError> {
        let io = |source| OwnError::Io { data: data.to_owned(), source };
        hanok_store::make_folder(data).map_err(io)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(data.join("owner.lock"))
            .map_err(io)?;
        match try_lock_patiently(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(match card_soon(data) {
                    Some(card) => OwnError::Server { data: data.to_owned(), card },
                    None => OwnError::Command { data: data.to_owned() },
                });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let card = card_path(data);
        // Left behind by a server that was killed.
        let _ = std::fs::remove_file(&card);
        Ok(Self { lock, card })
    }

    /// Says where this process answers.
    pub(crate) fn announce(&self, url: &str, token: &str) -> io::Result<()> {
        let card = Card { pid: std::process::id(), url: url.to_owned(), token: token.to_owned() };
        let fresh = self.card.with_extension("json.new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&fresh)?.write_all(&serde_json::to_vec(&card)?)?;
        std::fs::rename(&fresh, &self.card)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.card);
        let _ = self.lock.unlock();
    }
}

/// The server that runs on this data folder now, if one does.
pub(crate) fn running(data: &Path) -> Option<Card> {
    let lock = OpenOptions::new().write(true).open(data.join("owner.lock")).ok()?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => read_card(data),
        _ => None,
    }
}

/// A command that only looks whether a server runs holds the lock for a moment.
fn try_lock_patiently(lock: &File) -> Result<(), TryLockError> {
    for _ in 0..3 {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            done => return done,
        }
    }
    lock.try_lock()
}

/// The owner's card. A server that has only just begun puts it down in a moment.
fn card_soon(data: &Path) -> Option<Card> {
    for _ in 0..20 {
        if let Some(card) = read_card(data) {
            return Some(card);
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    None
}

fn read_card(data: &Path) -> Option<Card> {
    serde_json::from_slice(&std::fs::read(card_path(data)).ok()?).ok()
}

fn card_path(data: &Path) -> PathBuf {
    data.join("server.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owner_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        assert_eq!(running(&data), None);
        let owned = Owned::take(&data).unwrap();
        assert!(matches!(Owned::take(&data), Err(OwnError::Command { .. })));
        owned.announce("http://127.0.0.1:1", "t").unwrap();
        let card = running(&data).unwrap();
        assert_eq!(card.pid, std::process::id());
        let refused = Owned::take(&data).err().unwrap().to_string();
        assert!(refused.contains(&card.pid.to_string()) && refused.contains("127.0.0.1:1"), "{refused}");
        drop(owned);
        assert_eq!(running(&data), None);
        Owned::take(&data).unwrap();
    }
}
