//! Where an index is: one that searches ask, and beside it one of other terms that is being made to take its place.
//!
//! Either is in the folder itself or in `aside` in it. What a commit says first tells which is which after a restart:
//! one that is not complete yet says so, and only the commit that completes it takes that back.

use crate::open::{Open, Shape};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The second folder.
const ASIDE: &str = "aside";

/// What is open.
#[derive(Clone, Default)]
pub(crate) struct Places {
    /// What searches ask.
    pub(crate) serving: Option<Arc<Open>>,
    /// What is made to take its place.
    pub(crate) next: Option<Arc<Open>>,
}

impl Places {
    /// Sorts out what was found in the two folders, for an index that is to be of this shape.
    pub(crate) fn sorted(found: impl IntoIterator<Item = Open>, wanted: Shape) -> Self {
        let mut places = Self::default();
        for open in found {
            let fits = open.shape == wanted;
            if open.is_complete() {
                if fits || places.serving.is_none() {
                    places.serving = Some(Arc::new(open));
                }
            } else if fits {
                places.next = Some(Arc::new(open));
            }
        }
        // Something to be replaced is not there any more: what there is of the next is better than nothing.
        if places.serving.is_none() {
            places.serving = places.next.take().inspect(|open| open.set_complete());
        }
        places.settle(wanted);
        places
    }

    /// Lets go of a next one that nobody wants any longer.
    pub(crate) fn settle(&mut self, wanted: Shape) {
        let serves = self.serving.as_ref().is_none_or(|open| open.shape == wanted);
        if serves || self.next.as_ref().is_some_and(|open| open.shape != wanted) {
            self.next = None;
        }
    }

    /// The one that is written: the one that serves where it is of this shape, else the next.
    pub(crate) fn written(&self, wanted: Shape) -> Option<&Arc<Open>> {
        let serving = self.serving.as_ref().filter(|open| open.shape == wanted);
        serving.or_else(|| self.next.as_ref().filter(|open| open.shape == wanted))
    }

    /// Has one asked from now on; gives the one in another folder that was asked before.
    pub(crate) fn take_over(&mut self, open: &Arc<Open>) -> Option<Arc<Open>> {
        self.next = None;
        self.serving.replace(open.clone()).filter(|former| former.dir != open.dir)
    }
}

/// The folders an index may be in.
pub(crate) fn folders(root: &Path) -> [PathBuf; 2] {
    [root.to_owned(), root.join(ASIDE)]
}

/// The folder beside the one that is taken.
pub(crate) fn free(root: &Path, taken: Option<&Open>) -> PathBuf {
    let aside = root.join(ASIDE);
    if taken.is_some_and(|open| open.dir == root) { aside } else { root.to_owned() }
}

/// Removes what is in one of the folders; in the outer one without the other, which is in it. The file that says what
/// there is goes first, so that a half of an index never looks like one.
pub(crate) fn clear(dir: &Path, root: &Path) -> std::io::Result<()> {
    let gone = |done: std::io::Result<()>| match done {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    gone(fs::remove_file(dir.join("meta.json")))?;
    if dir != root {
        return gone(fs::remove_dir_all(dir));
    }
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => return gone(Err(error)),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if entry.file_name() != ASIDE {
                gone(fs::remove_dir_all(entry.path()))?;
            }
        } else {
            gone(fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}
