//! The folder of models: what is there, and how something comes in: whole, checked, or not at all.

use crate::config::{Shape, most_tokens, pooling};
use crate::{CrossEncoder, LocalError, Options, TextEmbedder};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// What pulling notes down of a model, beside its files.
pub(crate) const NOTE: &str = "hanok.json";
/// The folder below the data folder.
const FOLDER: &str = "models";

/// The files of a model: which of them there must be.
pub const FILES: &[(&str, Needed)] = &[
    ("config.json", Needed::Always),
    ("tokenizer.json", Needed::Always),
    ("tokenizer_config.json", Needed::WhereThere),
    ("special_tokens_map.json", Needed::WhereThere),
    ("modules.json", Needed::WhereThere),
    ("sentence_bert_config.json", Needed::WhereThere),
    ("config_sentence_transformers.json", Needed::WhereThere),
    ("1_Pooling/config.json", Needed::WhereThere),
    ("model.safetensors", Needed::Always),
];

/// Whether a file of a model must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// No model without it.
    Always,
    /// It says more, where it is there.
    WhereThere,
}

/// Names of models and where the hub has them.
const KNOWN: &[(&str, &str)] = &[
    ("all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2"),
    ("all-minilm-l12-v2", "sentence-transformers/all-MiniLM-L12-v2"),
    ("multi-qa-minilm-l6-cos-v1", "sentence-transformers/multi-qa-MiniLM-L6-cos-v1"),
    ("paraphrase-multilingual-minilm-l12-v2", "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"),
    ("bge-small-en-v1.5", "BAAI/bge-small-en-v1.5"),
    ("bge-base-en-v1.5", "BAAI/bge-base-en-v1.5"),
    ("bge-large-en-v1.5", "BAAI/bge-large-en-v1.5"),
    ("e5-small-v2", "intfloat/e5-small-v2"),
    ("e5-base-v2", "intfloat/e5-base-v2"),
    ("e5-large-v2", "intfloat/e5-large-v2"),
    ("multilingual-e5-small", "intfloat/multilingual-e5-small"),
    ("multilingual-e5-base", "intfloat/multilingual-e5-base"),
    ("multilingual-e5-large", "intfloat/multilingual-e5-large"),
    ("gte-small", "thenlper/gte-small"),
    ("gte-base", "thenlper/gte-base"),
    ("gte-large", "thenlper/gte-large"),
    ("ms-marco-minilm-l6-v2", "cross-encoder/ms-marco-MiniLM-L6-v2"),
    ("ms-marco-minilm-l12-v2", "cross-encoder/ms-marco-MiniLM-L12-v2"),
    ("bge-reranker-base", "BAAI/bge-reranker-base"),
    ("bge-reranker-large", "BAAI/bge-reranker-large"),
];

/// Names that [`repository`] knows, and their repositories on the Hugging Face hub.
pub fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    KNOWN.iter().copied()
}

/// The repository on the hub for a known name, or for `OWNER/REPOSITORY` itself.
pub fn repository(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    if let Some((_, repository)) = KNOWN.iter().find(|(known, _)| *known == lower) {
        return Some((*repository).to_owned());
    }
    let (owner, rest) = name.split_once('/')?;
    (is_name(owner) && is_name(rest)).then(|| name.to_owned())
}

/// The models of a data folder.
#[derive(Clone, Debug)]
pub struct Models {
    folder: PathBuf,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Vectors of texts.
    Embedder,
    /// Scores of texts for a question.
    CrossEncoder,
}

impl Purpose {
    /// That of the model in a folder.
    pub(crate) fn of(folder: &Path) -> Result<Self, LocalError> {
        Ok(Self::shaped(&Shape::read(folder)?))
    }

    fn shaped(shape: &Shape) -> Self {
        if shape.classifies { Self::CrossEncoder } else { Self::Embedder }
    }
}

/// A model that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// `bert`, `roberta` or `distilbert`.
    pub family: &'static str,
    /// What it is for.
    pub purpose: Purpose,
    /// Length of its vectors.
    pub dimensions: usize,
    /// How many layers.
    pub layers: usize,
    /// Tokens of a text at most, special ones included.
    pub most_tokens: usize,
    /// Bytes on disk.
    pub bytes: u64,
    /// Where it came from, where that is known.
    pub source: Option<String>,
}

/// What is noted down of a pulled model.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Note {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    prompts: BTreeMap<String, String>,
}

impl Models {
    /// Those of this data folder (`.hanok`), in its folder `models`.
    pub fn at(data: &Path) -> Self {
        Self { folder: data.join(FOLDER) }
    }

    /// The folder of a model: of a name that was pulled.
    pub fn folder_of(&self, name: &str) -> Result<PathBuf, LocalError> {
        let name = checked(name)?;
        let folder = self.folder.join(&name);
        if folder.join("config.json").is_file() {
            return Ok(folder);
        }
        Err(LocalError::Unknown { name, folder: self.folder.clone() })
    }

    /// All models, by name; and what is in the folder but cannot be used, with the reason.
    pub fn list(&self) -> Result<(Vec<Installed>, Vec<LocalError>), LocalError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Default::default()),
            Err(error) => return Err(LocalError::read(&self.folder, error)),
        };
        let (mut models, mut broken) = (Vec::new(), Vec::new());
        for entry in entries {
            let entry = entry.map_err(|source| LocalError::read(&self.folder, source))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || !entry.path().is_dir() {
                continue;
            }
            match installed(&name, &entry.path()) {
                Ok(model) => models.push(model),
                Err(error) => broken.push(error),
            }
        }
        models.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((models, broken))
    }

    /// Removes a model.
    pub fn rm(&self, name: &str) -> Result<(), LocalError> {
        let name = checked(name)?;
        let folder = self.folder.join(&name);
        if !folder.is_dir() {
            return Err(LocalError::Unknown { name, folder: self.folder.clone() });
        }
        // Out of sight at once, so that no half of a model is ever seen.
        let going = self.folder.join(format!(".{name}.going"));
        remove(&going)?;
        fs::rename(&folder, &going).map_err(|source| LocalError::write(&folder, source))?;
        remove(&going)
    }

    /// Takes a model from a folder: files are linked where that can be, and copied else.
    pub fn adopt(&self, from: &Path, name: Option<&str>, options: Options) -> Result<Installed, LocalError> {
        let full = from.canonicalize().map_err(|source| LocalError::read(from, source))?;
        let called = full.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let staged = self.stage(name.unwrap_or(&called))?;
        for (file, needed) in FILES {
            let source = full.join(file);
            if !source.is_file() {
                if *needed == Needed::Always {
                    return Err(LocalError::invalid(&source, "is missing: this is no folder of a model"));
                }
                continue;
            }
            let to = staged.path_of(file)?;
            remove(&to)?;
            if fs::hard_link(&source, &to).is_err() {
                fs::copy(&source, &to).map_err(|error| LocalError::write(&to, error))?;
            }
        }
        staged.finish(&full.to_string_lossy(), options)
    }

    /// Begins to take in a model of this name: into a folder aside, which keeps what came of an earlier attempt.
    pub fn stage(&self, name: &str) -> Result<Staged, LocalError> {
        let name = checked(name)?;
        let to = self.folder.join(&name);
        if to.exists() {
            return Err(LocalError::Exists(name));
        }
        let folder = self.folder.join(format!(".{name}.part"));
        fs::create_dir_all(&folder).map_err(|source| LocalError::write(&folder, source))?;
        let path = self.folder.join(format!(".{name}.lock"));
        let lock = File::create(&path).map_err(|source| LocalError::write(&path, source))?;
        if lock.try_lock().is_err() {
            return Err(LocalError::invalid(&folder, "is being written by somebody else"));
        }
        Ok(Staged { name, folder, to, lock, lock_path: path })
    }
}

/// A model that is coming in.
#[derive(Debug)]
pub struct Staged {
    name: String,
    folder: PathBuf,
    to: PathBuf,
    lock: File,
    lock_path: PathBuf,
}

/// A file of it that is coming in.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    done: PathBuf,
    file: File,
    len: u64,
}

impl Staged {
    /// The name it will have.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn path_of(&self, file: &str) -> Result<PathBuf, LocalError> {
        let path = self.folder.join(file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|source| LocalError::write(parent, source))?;
        }
        Ok(path)
    }

    /// Whether a file came whole already.
    pub fn has(&self, file: &str) -> bool {
        self.folder.join(file).is_file()
    }

    /// Opens a file to write on where an earlier attempt stopped.
    pub fn part(&self, file: &str) -> Result<Part, LocalError> {
        let done = self.path_of(file)?;
        let path = self.path_of(&format!("{file}.part"))?;
        let open = OpenOptions::new().create(true).append(true).open(&path);
        let file = open.map_err(|source| LocalError::write(&path, source))?;
        let len = file.metadata().map_err(|source| LocalError::read(&path, source))?.len();
        Ok(Part { path, done, file, len })
    }

    /// Opens the model as it is to be run, to see that it works, and puts it in its place. A model that does not work stays aside only
    /// until the next attempt, which begins anew.
    pub fn finish(self, source: &str, options: Options) -> Result<Installed, LocalError> {
        let prompts = crate::config::prompts_by_name(&self.name);
        let mut note = Note { source: Some(source.to_owned()), ..Note::default() };
        for (name, prompt) in [("query", prompts.query), ("document", prompts.document)] {
            if !prompt.is_empty() {
                note.prompts.insert(name.to_owned(), prompt);
            }
        }
        let path = self.folder.join(NOTE);
        let json = serde_json::to_vec_pretty(&note)
            .map_err(|error| LocalError::invalid(&path, error.to_string()))?;
        fs::write(&path, json).map_err(|error| LocalError::write(&path, error))?;
        if let Err(error) = probe(&self.folder, options) {
            remove(&self.folder)?;
            return Err(error);
        }
        fs::rename(&self.folder, &self.to).map_err(|error| LocalError::write(&self.to, error))?;
        let _left = fs::remove_file(&self.lock_path);
        drop(self.lock);
        installed(&self.name, &self.to)
    }
}

impl Part {
    /// Bytes that are there.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Begins anew.
    pub fn clear(&mut self) -> Result<(), LocalError> {
        self.file.set_len(0).map_err(|source| LocalError::write(&self.path, source))?;
        self.len = 0;
        Ok(())
    }

    /// Writes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), LocalError> {
        self.file.write_all(bytes).map_err(|source| LocalError::write(&self.path, source))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Leaves no trace of it: it turned out that there is no such file.
    pub fn discard(self) -> Result<(), LocalError> {
        remove(&self.path)
    }

    /// Checks the whole against its SHA-256 in hexadecimal, where one is known; what differs is thrown away.
    pub fn finish(self, sha256: Option<&str>) -> Result<(), LocalError> {
        self.file.sync_all().map_err(|source| LocalError::write(&self.path, source))?;
        if let Some(expect) = sha256 {
            let found = sha256_of(&self.path)?;
            if !found.eq_ignore_ascii_case(expect) {
                remove(&self.path)?;
                let what =
                    format!("came with the SHA-256 {found}, but its source says {expect}; pull it again");
                return Err(LocalError::Corrupt { path: self.done, what });
            }
        }
        fs::rename(&self.path, &self.done).map_err(|source| LocalError::write(&self.done, source))
    }
}

fn sha256_of(path: &Path) -> Result<String, LocalError> {
    let mut file = File::open(path).map_err(|source| LocalError::read(path, source))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let len = file.read(&mut buffer).map_err(|source| LocalError::read(path, source))?;
        let Some(some) = buffer.get(..len).filter(|some| !some.is_empty()) else { break };
        hasher.update(some);
    }
    Ok(hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    }))
}

/// Opens a model as what it is for.
fn probe(folder: &Path, options: Options) -> Result<(), LocalError> {
    if Shape::read(folder)?.classifies {
        CrossEncoder::open(folder, options)?.rerank_now("a", &["b"])?;
    } else {
        TextEmbedder::open(folder, options)?.embed_now(&["a"], hanok_base::EmbedKind::Query)?;
    }
    Ok(())
}

fn installed(name: &str, folder: &Path) -> Result<Installed, LocalError> {
    let shape = Shape::read(folder)?;
    pooling(folder)?;
    let mut bytes = 0;
    for (file, needed) in FILES {
        let path = folder.join(file);
        match fs::metadata(&path) {
            Ok(metadata) => bytes += metadata.len(),
            Err(source) if *needed == Needed::Always => return Err(LocalError::read(&path, source)),
            Err(_) => {}
        }
    }
    let note: Note = crate::config::json(&folder.join(NOTE))?.unwrap_or_default();
    Ok(Installed {
        name: name.to_owned(),
        family: shape.family.as_str(),
        purpose: Purpose::shaped(&shape),
        dimensions: shape.hidden,
        layers: shape.layers,
        most_tokens: most_tokens(folder, &shape)?,
        bytes,
        source: note.source,
    })
}

/// A name in small letters that is one folder.
fn checked(name: &str) -> Result<String, LocalError> {
    let name = name.to_lowercase();
    if is_name(&name) { Ok(name) } else { Err(LocalError::Name(name)) }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=96).contains(&name.len()) && !name.starts_with('.') && name.chars().all(fits)
}

/// Removes a file or a folder, which need not be there.
fn remove(path: &Path) -> Result<(), LocalError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LocalError::write(path, error)),
        _ => Ok(()),
    }
}
