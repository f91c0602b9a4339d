//! All prompts: files in a folder, the versions of them that were ever seen, and the labels that stand at versions.

mod error;
mod labels;

pub use error::LibraryError;

use crate::drafts::Drafts;
use crate::error::PromptError;
use crate::folder::{self, Files, Stamp, bad_name};
use crate::prompt::{Partials, Prompt};
use crate::version::VersionId;
use hanok_base::Timestamp;
use hanok_base::names::did_you_mean;
use hanok_store::prompts::LATEST;
use hanok_store::{PromptVersion, Store};
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Who wrote what came by a file.
const FILE: &str = "file";
/// Versions without a file that are kept parsed.
const MOST_KEPT: usize = 256;

/// A prompt as a list shows it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The version of its file; `None` where that cannot be read, or is gone.
    pub version: Option<VersionId>,
    /// The prompt, where its file can be read.
    pub prompt: Option<Arc<Prompt>>,
    /// What is wrong with its file.
    pub problem: Option<String>,
    /// Its labels and the versions they stand at, without `latest`.
    pub labels: BTreeMap<String, VersionId>,
}

/// A prompt that was asked for.
#[derive(Clone, Debug)]
pub struct Found {
    /// The prompt.
    pub prompt: Arc<Prompt>,
    /// The label it was asked for by, where it was.
    pub label: Option<String>,
    /// Whether nobody saved it.
    pub is_draft: bool,
}

/// What became of an edit.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The prompt as it is now.
    pub prompt: Arc<Prompt>,
    /// Its file.
    pub path: PathBuf,
    /// Whether it differs from what was there.
    pub changed: bool,
}

#[derive(Clone, Debug)]
enum Entry {
    Good(Arc<Prompt>),
    Bad(PromptError),
    Unreadable(String),
}

#[derive(Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    partials: Partials,
    labels: BTreeMap<String, BTreeMap<String, VersionId>>,
    stamps: Vec<Stamp>,
}

/// All prompts of a folder.
pub struct Library {
    folder: PathBuf,
    store: Option<Store>,
    records: bool,
    state: RwLock<Arc<State>>,
    kept: Mutex<HashMap<(String, VersionId), Arc<Prompt>>>,
    /// One changes at a time.
    changing: tokio::sync::Mutex<()>,
    changes: tokio::sync::watch::Sender<u64>,
    drafts: Drafts,
}

impl Library {
    /// The prompts of a folder, which need not be there. What is seen of them is recorded in the store.
    pub async fn open(folder: &Path, store: Store) -> Result<Self, LibraryError> {
        Self::made(folder, Some(store), true).await
    }

    /// The same for looking only; without a store there is no history, and no label but `latest`.
    pub async fn open_to_read(folder: &Path, store: Option<Store>) -> Result<Self, LibraryError> {
        Self::made(folder, store, false).await
    }

    async fn made(folder: &Path, store: Option<Store>, records: bool) -> Result<Self, LibraryError> {
        let library = Self {
            folder: folder.to_owned(),
            store,
            records,
            state: RwLock::default(),
            kept: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            changes: tokio::sync::watch::channel(0).0,
            drafts: Drafts::default(),
        };
        library.refresh().await?;
        Ok(library)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Tells of changes: of files, and of labels.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Reads the folder anew where a file of it changed; whether one did.
    pub async fn refresh(&self) -> Result<bool, LibraryError> {
        let _one = self.changing.lock().await;
        self.reread(false).await
    }

    /// Reads the folder: where a file of it changed, or `anyway`. Who calls holds the lock on changes.
    async fn reread(&self, anyway: bool) -> Result<bool, LibraryError> {
        let (folder, known) = (self.folder.clone(), self.state().stamps.clone());
        let first = self.state().stamps.is_empty();
        let read = tokio::task::spawn_blocking(move || {
            if !anyway && !first && folder::stamps(&folder)? == known {
                return Ok(None);
            }
            folder::read(&folder).map(Some)
        });
        let io = |source| LibraryError::Io { path: self.folder.clone(), source };
        let Some(files) = read.await.map_err(|error| io(io::Error::other(error)))?.map_err(io)? else {
            return Ok(false);
        };
        let unchanged = !anyway && first && files.stamps.is_empty();
        let mut state = self.parsed(files);
        state.labels = self.stored_labels().await?;
        if self.record(&state).await? {
            state.labels = self.stored_labels().await?;
        }
        *self.state.write() = Arc::new(state);
        if !unchanged {
            self.changes.send_modify(|count| *count += 1);
        }
        Ok(!unchanged)
    }

    fn parsed(&self, files: Files) -> State {
        let before = self.state();
        let entries = files.prompts.into_iter().map(|(name, text)| {
            let entry = match text {
                Err(message) => Entry::Unreadable(message),
                Ok(_) if bad_name(&name).is_some() => Entry::Unreadable(format!(
                    "its name is no prompt's: {}",
                    bad_name(&name).unwrap_or_default()
                )),
                Ok(text) => match before.entries.get(&name) {
                    // What did not change need not be parsed again.
                    Some(Entry::Good(prompt))
                        if **prompt.source() == *text
                            && prompt
                                .partials()
                                .iter()
                                .all(|(name, text)| files.partials.get(name) == Some(text)) =>
                    {
                        Entry::Good(prompt.clone())
                    }
                    _ => match Prompt::parse(&name, &text, &files.partials) {
                        Ok(prompt) => Entry::Good(Arc::new(prompt)),
                        Err(error) => Entry::Bad(error),
                    },
                },
            };
            (name, entry)
        });
        let entries = entries.collect();
        State { entries, partials: files.partials, labels: BTreeMap::new(), stamps: files.stamps }
    }

    /// Records versions that `latest` is not at; whether there were any.
    async fn record(&self, state: &State) -> Result<bool, LibraryError> {
        let Some(store) = self.store.as_ref().filter(|_| self.records) else {
            return Ok(false);
        };
        let fresh: Vec<PromptVersion> = state
            .entries
            .values()
            .filter_map(|entry| if let Entry::Good(prompt) = entry { Some(prompt) } else { None })
            .filter(|prompt| {
                let labels = state.labels.get(prompt.name());
                labels.and_then(|labels| labels.get(LATEST)) != Some(prompt.version())
            })
            .map(|prompt| row(prompt, FILE))
            .collect();
        if fresh.is_empty() {
            return Ok(false);
        }
        store.prompts().see(fresh).await?;
        Ok(true)
    }

    async fn stored_labels(&self) -> Result<BTreeMap<String, BTreeMap<String, VersionId>>, LibraryError> {
        let mut labels: BTreeMap<String, BTreeMap<String, VersionId>> = BTreeMap::new();
        if let Some(store) = &self.store {
            for label in store.prompts().labels().await? {
                labels.entry(label.name).or_default().insert(label.label, VersionId::written(label.hash));
            }
        }
        Ok(labels)
    }

    fn state(&self) -> Arc<State> {
        self.state.read().clone()
    }

    /// All prompts by name: those with a file, and those that only labels know.
    pub fn list(&self) -> Vec<Listed> {
        let state = self.state();
        let own = |name: &str| {
            let mut labels = state.labels.get(name).cloned().unwrap_or_default();
            labels.remove(LATEST);
            labels
        };
        let filed = state.entries.iter().map(|(name, entry)| {
            let (prompt, problem) = match entry {
                Entry::Good(prompt) => (Some(prompt.clone()), None),
                Entry::Bad(error) => (None, Some(error.to_string())),
                Entry::Unreadable(message) => (None, Some(message.clone())),
            };
            let version = prompt.as_ref().map(|prompt| prompt.version().clone());
            Listed { name: name.clone(), version, prompt, problem, labels: own(name) }
        });
        let mut list: Vec<Listed> = filed.collect();
        for name in state.labels.keys().filter(|name| !state.entries.contains_key(*name)) {
            let labels = own(name);
            if !labels.is_empty() {
                let problem = Some(format!("its file {name}.prompt is gone"));
                list.push(Listed { name: name.clone(), version: None, prompt: None, problem, labels });
            }
        }
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    /// The texts of all partials, by name.
    pub fn partials(&self) -> Partials {
        self.state().partials.clone()
    }

    /// Keeps a prompt that nobody saved, and gives the name to call it by.
    pub fn draft(&self, prompt: Prompt) -> String {
        self.drafts.keep(prompt)
    }

    /// The prompt of this name: as its file is now (`None`, or `latest`), where a label stands, or of a version, by its
    /// first digits.
    pub async fn resolve(&self, name: &str, at: Option<&str>) -> Result<Found, LibraryError> {
        if Drafts::is_name(name) {
            let draft = self.drafts.get(name).map(|prompt| Found { prompt, label: None, is_draft: true });
            let near = "; it was a draft, which are kept a while only".to_owned();
            return draft.ok_or_else(|| LibraryError::Unknown { name: name.to_owned(), near });
        }
        let state = self.state();
        let of = |prompt, label| Found { prompt, label, is_draft: false };
        let Some(at) = at.filter(|at| *at != LATEST) else {
            let label = at.map(str::to_owned);
            return Ok(of(self.filed(&state, name)?, label));
        };
        let labels = state.labels.get(name);
        let (version, label) = match labels.and_then(|labels| labels.get(at)) {
            Some(version) => (version.as_str().to_owned(), Some(at.to_owned())),
            None if VersionId::is_like(at) => (at.to_owned(), None),
            None => return Err(self.no_version(&state, name, at)),
        };
        if let Some(Entry::Good(prompt)) = state.entries.get(name)
            && prompt.version().as_str() == version
        {
            return Ok(of(prompt.clone(), label));
        }
        let known = (name.to_owned(), VersionId::written(version.clone()));
        if let Some(prompt) = self.kept.lock().get(&known) {
            return Ok(of(prompt.clone(), label));
        }
        let filed = match state.entries.get(name) {
            Some(Entry::Good(prompt)) if prompt.version().as_str().starts_with(&version) => {
                Some(prompt.clone())
            }
            _ => None,
        };
        let mut stored = match &self.store {
            Some(store) => store.prompts().find(name, &version).await?,
            None => Vec::new(),
        };
        if stored.len() > 1 {
            return Err(LibraryError::Ambiguous { name: name.to_owned(), at: at.to_owned() });
        }
        let prompt = match (stored.pop(), filed) {
            (Some(stored), _) => {
                let prompt = Arc::new(Prompt::parse(name, &stored.source, &stored.partials)?);
                let mut kept = self.kept.lock();
                if kept.len() >= MOST_KEPT {
                    kept.clear();
                }
                kept.insert((name.to_owned(), VersionId::written(stored.hash)), prompt.clone());
                prompt
            }
            (None, Some(filed)) => filed,
            (None, None) => return Err(self.no_version(&state, name, at)),
        };
        Ok(of(prompt, label))
    }

    fn filed(&self, state: &State, name: &str) -> Result<Arc<Prompt>, LibraryError> {
        match state.entries.get(name) {
            Some(Entry::Good(prompt)) => Ok(prompt.clone()),
            Some(Entry::Bad(error)) => Err(error.clone().into()),
            Some(Entry::Unreadable(message)) => {
                Err(LibraryError::Unreadable { name: name.to_owned(), message: message.clone() })
            }
            None => Err(self.unknown(state, name)),
        }
    }

    fn unknown(&self, state: &State, name: &str) -> LibraryError {
        let labels = state.labels.get(name).into_iter().flatten().filter(|(label, _)| *label != LATEST);
        let labels: Vec<String> = labels.map(|(label, _)| format!("`{name}@{label}`")).collect();
        let near = if !labels.is_empty() {
            format!("'s file any more; there are still {}", labels.join(", "))
        } else if state.entries.is_empty() {
            format!("; prompts are files in {}, and there are none", self.folder.display())
        } else {
            let near = did_you_mean(name, state.entries.keys().map(String::as_str));
            if near.is_empty() { format!("; prompts are files in {}", self.folder.display()) } else { near }
        };
        LibraryError::Unknown { name: name.to_owned(), near }
    }

    fn no_version(&self, state: &State, name: &str, at: &str) -> LibraryError {
        let labels = state.labels.get(name);
        if labels.is_none() && !state.entries.contains_key(name) {
            return self.unknown(state, name);
        }
        let mut known: Vec<&str> = labels.into_iter().flatten().map(|(label, _)| label.as_str()).collect();
        if !known.contains(&LATEST) {
            known.push(LATEST);
        }
        let near = did_you_mean(at, known.iter().copied());
        let known = known.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        LibraryError::UnknownVersion { name: name.to_owned(), at: at.to_owned(), near, known }
    }

    /// Writes an edited prompt back to its file, or makes one. What cannot be parsed is not written. `expected` is the
    /// version that was edited, where the file must still be that.
    pub async fn save(
        &self,
        name: &str,
        source: &str,
        by: &str,
        expected: Option<&str>,
    ) -> Result<Saved, LibraryError> {
        if let Some(why) = bad_name(name) {
            return Err(LibraryError::BadName { name: name.to_owned(), what: "a prompt's name", why });
        }
        let _one = self.changing.lock().await;
        self.reread(false).await?;
        let state = self.state();
        let prompt = Arc::new(Prompt::parse(name, source, &state.partials)?);
        let now = match state.entries.get(name) {
            Some(Entry::Good(prompt)) => Some(prompt.version().clone()),
            _ => None,
        };
        if let Some(expected) = expected
            && now.as_ref().is_none_or(|now| !now.as_str().starts_with(expected))
        {
            return Err(LibraryError::Changed { name: name.to_owned(), expected: expected.to_owned() });
        }
        let changed = now.as_ref() != Some(prompt.version());
        let (folder, own, text) = (self.folder.clone(), name.to_owned(), source.to_owned());
        let io = |source| LibraryError::Io { path: self.folder.join(format!("{name}.prompt")), source };
        let written = tokio::task::spawn_blocking(move || folder::write(&folder, &own, &text));
        let path = written.await.map_err(|error| io(io::Error::other(error)))?.map_err(io)?;
        // The author is known here only; the file says nothing of it.
        if let Some(store) = self.store.as_ref().filter(|_| self.records && changed) {
            store.prompts().see(vec![row(&prompt, by)]).await?;
        }
        self.reread(true).await?;
        Ok(Saved { prompt, path, changed })
    }
}

fn row(prompt: &Prompt, author: &str) -> PromptVersion {
    PromptVersion {
        name: prompt.name().to_owned(),
        hash: prompt.version().as_str().to_owned(),
        source: prompt.source().to_string(),
        partials: prompt.partials().clone(),
        created: Timestamp::now(),
        author: author.to_owned(),
    }
}
