//! Copies of the file: made while a server writes it, and put back.
//!
//! A backup is one state of the file, without the room that waits to be used again (`VACUUM INTO`, by a connection
//! of its own that reads). It appears under its name once it is whole and on the disk. What budgets had set aside
//! when it was made counts as spent after it was put back, until it is reconciled.

use crate::check::{self, Checked};
use crate::error::StoreError;
use crate::schema;
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// How far it is: bytes done, and all of them.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// A copy could not be made or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is there already.
    #[error("{} is there already, and is not overwritten: give another name", .0.display())]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was to be put back is not whole.
    #[error("{} is not put back, as it is not whole: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, first of all.
        what: String,
    },
    /// The file cannot be opened or read as a database of ours.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Copies the file of a data folder to `to`, which must not be there; its size. Blocks; a server may run meanwhile.
pub fn backup(folder: &Path, to: &Path, report: Progress<'_>) -> Result<u64, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let fresh = beside(to, "part");
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Io { path, source }
    };
    let _left_over = std::fs::remove_file(&fresh);
    make_private(&fresh).map_err(io(&fresh))?;
    let made = copy_into(folder, &fresh, report).and_then(|()| {
        let size = sync(&fresh).map_err(io(&fresh))?;
        // Never over another file, however quickly that came to be.
        match std::fs::hard_link(&fresh, to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists(to.to_owned()));
            }
            // Not every file system has links.
            Err(_) => std::fs::rename(&fresh, to).map_err(io(to))?,
        }
        sync_folder(to).map_err(io(to))?;
        Ok(size)
    });
    let _made_or_not = std::fs::remove_file(&fresh);
    made
}

fn copy_into(folder: &Path, fresh: &Path, report: Progress<'_>) -> Result<(), BackupError> {
    // Says what is wrong, should it be another's file or another version's.
    drop(schema::open_reader(&folder.join("hanok.db"))?);
    let conn = open_plain(&folder.join("hanok.db"))?;
    let number = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, u64>(0));
    let pages = number("PRAGMA page_count")?.saturating_sub(number("PRAGMA freelist_count")?);
    let all = pages * number("PRAGMA page_size")?;
    report(0, all);
    std::thread::scope(|scope| {
        let (done, ended) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            // What is written shows how far it is; SQLite itself does not say.
            while ended.recv_timeout(std::time::Duration::from_millis(200))
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                let size = std::fs::metadata(fresh).map_or(0, |found| found.len());
                report(size.min(all), all);
            }
        });
        let copied = conn.execute("VACUUM INTO ?1", [fresh.to_string_lossy()]);
        drop(done);
        copied
    })?;
    Ok(())
}

/// Puts a copy in place of the file of a data folder that the caller owns and nobody has open. It is checked first;
/// the old file stays beside as `hanok.db.before` until the new one was opened. Blocks.
pub fn restore(folder: &Path, from: &Path, report: Progress<'_>) -> Result<Checked, BackupError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Io { path, source }
    };
    File::open(from).map_err(io(from))?;
    let path = folder.join("hanok.db");
    let (fresh, before) = (beside(&path, "new"), beside(&path, "before"));
    let _left_over = std::fs::remove_file(&fresh);
    make_private(&fresh).map_err(io(&fresh))?;
    let checked = copy(from, &fresh, report).map_err(io(&fresh)).and_then(|()| {
        // The copy is checked, not what it was made of: nobody else has it.
        let checked = check::check_file(&fresh)?;
        if let Some(what) = checked.problems.first() {
            return Err(BackupError::Damaged { path: from.to_owned(), what: what.clone() });
        }
        begin_anew(&fresh)?;
        sync(&fresh).map_err(io(&fresh))?;
        Ok(checked)
    });
    let checked = match checked {
        Ok(checked) => checked,
        Err(error) => {
            let _not_taken = std::fs::remove_file(&fresh);
            return Err(error);
        }
    };
    let _left_over = std::fs::remove_file(&before);
    if path.exists() {
        // Its log must not be taken for the new file's. Closing the last connection empties it into the old file.
        if let Ok(conn) = schema::open_writer(&path) {
            let _as_far_as_it_goes = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
        std::fs::hard_link(&path, &before)
            .or_else(|_| std::fs::copy(&path, &before).map(drop))
            .map_err(io(&before))?;
        for end in ["-wal", "-shm"] {
            let log = folder.join(format!("hanok.db{end}"));
            // Left where the old file could not be opened: kept with it.
            if log.exists() {
                std::fs::rename(&log, folder.join(format!("hanok.db.before{end}"))).map_err(io(&log))?;
            }
        }
    }
    std::fs::rename(&fresh, &path).map_err(io(&path))?;
    sync_folder(&path).map_err(io(&path))?;
    drop(schema::open_writer(&path)?);
    for end in ["", "-wal", "-shm"] {
        let _kept_no_longer = std::fs::remove_file(folder.join(format!("hanok.db.before{end}")));
    }
    Ok(checked)
}

/// From here on the copy's history is another than that of the file it was made of: the search indexes that followed
/// that one must not take it for theirs, however far it comes.
fn begin_anew(copy: &Path) -> Result<(), StoreError> {
    let conn = schema::open_writer(copy)?;
    conn.execute_batch("UPDATE text_epoch SET epoch = random(); UPDATE collections SET epoch = random();")?;
    // All of it in the one file, which is what is put in place.
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn copy(from: &Path, to: &Path, report: Progress<'_>) -> io::Result<()> {
    use io::{Read as _, Write as _};
    let (mut from, mut to) = (File::open(from)?, OpenOptions::new().write(true).open(to)?);
    let all = from.metadata()?.len();
    let (mut buffer, mut done) = (vec![0; 1 << 20], 0);
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return to.sync_all();
        }
        to.write_all(buffer.get(..count).unwrap_or_default())?;
        done += count as u64;
        report(done, all);
    }
}

/// For reading, without what keeps readers from anything else.
pub(crate) fn open_plain(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = |source| StoreError::Open { path: path.to_owned(), source };
    let conn = Connection::open_with_flags(path, flags).map_err(opened)?;
    conn.busy_timeout(schema::BUSY_TIMEOUT).map_err(opened)?;
    conn.execute_batch("PRAGMA cache_size = -16000; PRAGMA temp_store = FILE;").map_err(opened)?;
    Ok(conn)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

/// An empty file that only its owner can read.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn sync(path: &Path) -> io::Result<u64> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

/// A name is on the disk once its folder is.
fn sync_folder(of: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = of;
    Ok(())
}
