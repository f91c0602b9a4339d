//! The models that are open in this process: whoever opens one that somebody has gets the same, so that its weights are
//! in memory once, however many use it.
//!
//! A model is closed when its last user lets go of it. One whose files were exchanged meanwhile is opened anew; who has
//! the old one keeps it.

use crate::model::{Model, Options};
use crate::{LocalError, Precision};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};
use std::time::SystemTime;

/// Files of a folder that a model is made of, whatever reads them.
const FILES: &[&str] = &[
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "sentence_bert_config.json",
];

/// What makes two openings of a folder one.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    folder: PathBuf,
    precision: Precision,
    /// As asked for: two ways to say the same open twice, and harm nobody.
    threads: usize,
    isa: Option<crate::Isa>,
}

/// Of each file its length and when it was written.
type Stamp = Vec<Option<(u64, Option<SystemTime>)>>;

/// One model. Held while it is being opened, so that whoever comes meanwhile waits for it.
#[derive(Default)]
struct Slot {
    open: Mutex<(Stamp, Weak<Model>)>,
}

static OPEN: LazyLock<Mutex<HashMap<Key, Arc<Slot>>>> = LazyLock::new(Mutex::default);

/// The model of a folder: the one that is open, or made by `make`.
pub(crate) fn open(
    folder: &Path,
    options: Options,
    make: impl FnOnce() -> Result<Model, LocalError>,
) -> Result<Arc<Model>, LocalError> {
    let (precision, threads, isa) = (options.precision, options.threads, options.isa);
    let key = Key { folder: resolved(folder), precision, threads, isa };
    let slot = {
        let mut all = OPEN.lock();
        // Whoever holds a slot beside this map is opening, or about to.
        all.retain(|known, slot| {
            *known == key
                || Arc::strong_count(slot) > 1
                || slot.open.try_lock().is_none_or(|open| open.1.strong_count() > 0)
        });
        all.entry(key).or_default().clone()
    };
    let mut held = slot.open.lock();
    let stamp = stamp(folder);
    if let Some(model) = held.1.upgrade().filter(|_| held.0 == stamp) {
        return Ok(model);
    }
    let model = Arc::new(make()?);
    *held = (stamp, Arc::downgrade(&model));
    Ok(model)
}

/// How many models of a folder are open in this process: one for each way of computing that is in use, whoever uses it.
pub fn opened(folder: &Path) -> usize {
    let folder = resolved(folder);
    let slots: Vec<Arc<Slot>> = {
        let all = OPEN.lock();
        let of = all.iter().filter(|(key, _)| key.folder == folder);
        of.map(|(_, slot)| slot.clone()).collect()
    };
    slots.iter().filter(|slot| slot.open.lock().1.strong_count() > 0).count()
}

/// One folder has one name here, whichever way to it was taken.
fn resolved(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

fn stamp(folder: &Path) -> Stamp {
    let of = |file: &&str| {
        let known = fs::metadata(folder.join(file)).ok()?;
        Some((known.len(), known.modified().ok()))
    };
    FILES.iter().map(of).collect()
}
