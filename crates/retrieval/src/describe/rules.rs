//! Rules: whatever a pattern matches is trusted, for some readers only, and has these metadata.

use crate::load::parted;
use hanok_base::{Object, Trust};
use ignore::overrides::{Override, OverrideBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The file of rules for the folder it is in and those below.
pub(crate) const META_FILE: &str = "_meta.toml";
/// Bytes of it that are read.
const LARGEST: u64 = 1 << 20;

/// Who may find documents whose rules cannot be read: nobody but those who may read all. No key is called so.
const NOBODY: &str = "nobody (the rules have a mistake)";

/// What is told of that.
const UNTIL: &str = "until it is mended, only admins find what is below";

/// What is said of the documents that a pattern matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which: a pattern such as `legal/**` or `*.pdf`, from the collection's folder; all where none is given.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// `trusted` or `untrusted` (the default): whether what they say may be taken for an instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub trust: Option<Trust>,
    /// Who may find them; everybody where nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readers: Option<Vec<String>>,
    /// Metadata that searches can filter by.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub set: Object,
}

/// What the rules say of documents. Those of which they say the same share it, as there are many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ruled {
    pub(crate) trust: Trust,
    pub(crate) readers: Vec<String>,
    pub(crate) set: Object,
    mark: OnceLock<u64>,
}

impl Ruled {
    /// Names what is said.
    pub(crate) fn mark(&self) -> u64 {
        let Self { trust, readers, set, mark } = self;
        let said = || serde_json::json!([super::language::VERSION, trust, readers, set]).to_string();
        *mark.get_or_init(|| crate::settings::hash(&said()))
    }

    fn says_what(&self, other: &Self) -> bool {
        self.trust == other.trust && self.readers == other.readers && self.set == other.set
    }
}

/// `_meta.toml`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetaFile {
    metadata: Vec<Rule>,
}

/// A rule and what it matches; `None` is all.
type Compiled = (Option<Override>, Rule);

/// The rules for the documents of one run.
pub(crate) struct Rules {
    /// Those of the collection, which count most.
    configured: Vec<Compiled>,
    /// Those of each folder that was looked into.
    folders: HashMap<PathBuf, Arc<[Compiled]>>,
    /// What was said last.
    last: Arc<Ruled>,
    /// The folder of which that holds, whatever a file in it is called.
    alike: Option<String>,
    /// What is wrong with rules, with where.
    pub(crate) faults: Vec<(PathBuf, String)>,
}

impl Rules {
    /// The rules of a collection; patterns begin at `base`.
    pub(crate) fn new(base: &Path, configured: &[Rule]) -> Self {
        let mut rules = Self {
            configured: Vec::new(),
            folders: HashMap::new(),
            last: Arc::default(),
            alike: None,
            faults: Vec::new(),
        };
        rules.configured = rules.compiled(base, configured.to_vec(), base);
        rules
    }

    fn compiled(&mut self, base: &Path, rules: Vec<Rule>, file: &Path) -> Vec<Compiled> {
        let mut compiled = Vec::with_capacity(rules.len());
        for rule in rules {
            match rule.matches.as_deref().map(|pattern| matcher(base, pattern)).transpose() {
                Ok(pattern) => compiled.push((pattern, rule)),
                Err(reason) => {
                    self.faults.push((file.to_owned(), reason));
                    // Which documents it would have closed is not known.
                    compiled.extend(rule.readers.map(|_| closed()));
                }
            }
        }
        compiled
    }

    /// What is said of the document `file`, which was found below the folder `root`.
    pub(crate) fn of(&mut self, root: &Path, file: &Path) -> Arc<Ruled> {
        // As they were typed: that two paths could mean one folder matters to nobody here.
        let folder = parted(file).map(|(folder, _)| folder);
        if self.alike.is_some() && self.alike.as_deref() == folder {
            return self.last.clone();
        }
        let mut alike = self.configured.iter().all(|(pattern, _)| pattern.is_none());
        let mut folders: Vec<PathBuf> = file
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(root))
            .map(Path::to_owned)
            .collect();
        folders.reverse();
        let mut ruled = Ruled::default();
        for folder in folders {
            for (pattern, rule) in self.folder(&folder).iter() {
                alike &= pattern.is_none();
                apply(&mut ruled, pattern.as_ref(), rule, file);
            }
        }
        for (pattern, rule) in &self.configured {
            apply(&mut ruled, pattern.as_ref(), rule, file);
        }
        self.alike = folder.filter(|_| alike).map(str::to_owned);
        self.shared(ruled)
    }

    /// The same as the last one where it says the same.
    fn shared(&mut self, ruled: Ruled) -> Arc<Ruled> {
        if !self.last.says_what(&ruled) {
            self.last = Arc::new(ruled);
        }
        self.last.clone()
    }

    /// The rules in a folder's own file.
    fn folder(&mut self, folder: &Path) -> Arc<[Compiled]> {
        if let Some(known) = self.folders.get(folder) {
            return known.clone();
        }
        let file = folder.join(META_FILE);
        let rules = match read(&file) {
            Ok(rules) => self.compiled(folder, rules, &file),
            Err(reason) => {
                self.faults.push((file, format!("{reason}; {UNTIL}")));
                vec![closed()]
            }
        };
        let rules: Arc<[_]> = rules.into();
        self.folders.insert(folder.to_owned(), rules.clone());
        rules
    }
}

/// The rules for URLs: those of the collection, whose patterns are of whole addresses (`https://example.com/**`).
pub(crate) struct UrlRules(Rules);

impl UrlRules {
    /// The rules of a collection.
    pub(crate) fn new(configured: &[Rule]) -> Self {
        let as_path = |rule: &Rule| {
            let matches = rule.matches.as_deref().map(|pattern| pattern.replacen("://", "/", 1));
            Rule { matches, ..rule.clone() }
        };
        let rules: Vec<Rule> = configured.iter().map(as_path).collect();
        Self(Rules::new(Path::new("/"), &rules))
    }

    /// What is said of the document at `url`.
    pub(crate) fn of(&mut self, url: &str) -> Arc<Ruled> {
        let as_path = PathBuf::from(format!("/{}", url.replacen("://", "/", 1)));
        let mut ruled = Ruled::default();
        for (pattern, rule) in &self.0.configured {
            apply(&mut ruled, pattern.as_ref(), rule, &as_path);
        }
        self.0.shared(ruled)
    }
}

/// The rule in place of one that cannot be read.
fn closed() -> Compiled {
    (None, Rule { readers: Some(vec![NOBODY.to_owned()]), ..Rule::default() })
}

fn read(file: &Path) -> Result<Vec<Rule>, String> {
    let metadata = match file.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !file.is_symlink() => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(format!("it cannot be read: {error}")),
    };
    if metadata.len() > LARGEST {
        return Err("it is larger than 1 MiB".to_owned());
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("it cannot be read: {error}"))?;
    let parsed: MetaFile = toml::from_str(&text).map_err(|error| error.message().replace('\n', " "))?;
    Ok(parsed.metadata)
}

fn matcher(base: &Path, pattern: &str) -> Result<Override, String> {
    let bad = |error: ignore::Error| format!("`{pattern}` is not a pattern: {error}");
    if pattern.starts_with('!') {
        return Err(format!("`{pattern}` is not a pattern: it begins with !"));
    }
    OverrideBuilder::new(base).add(pattern).and_then(|builder| builder.build()).map_err(bad)
}

fn apply(ruled: &mut Ruled, pattern: Option<&Override>, rule: &Rule, file: &Path) {
    let below = |pattern: &Override| {
        // `legal/**` and `legal` alike mean what is below.
        file.ancestors()
            .any(|path| path.starts_with(pattern.path()) && pattern.matched(path, false).is_whitelist())
    };
    if !pattern.is_none_or(below) {
        return;
    }
    if let Some(trust) = rule.trust {
        ruled.trust = trust;
    }
    if let Some(readers) = &rule.readers {
        ruled.readers.clone_from(readers);
    }
    for (name, value) in &rule.set {
        ruled.set.insert(name.clone(), value.clone());
    }
}
