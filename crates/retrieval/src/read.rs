//! A file to its text: read, parsed where it is more than text, described.

use crate::block::shortened;
use crate::chunking::Layout;
use crate::describe::{front_matter, language};
use crate::load::FoundFile;
use hanok_base::Object;
use hanok_parse::{Format, Limits, Parsed, Unfit, Workshop};
use hanok_store::documents::SourceMeta;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Raised when what could not be read before can be read now, so that it is tried again.
const VERSION: u32 = 1;
/// Members of metadata that are kept of a document.
const MEMBERS: usize = 200;
/// Bytes of one of them, its name included.
const LARGEST_MEMBER: usize = 4096;
/// Lines of a text at most: each may be a heading or a paragraph of its own, which cost far more than their bytes.
const MOST_LINES: usize = 2_000_000;

/// Why a file cannot be taken.
pub(crate) enum Untaken {
    /// It cannot be read now; what it holds may be as it was.
    Unread(String),
    /// What it holds is no text of ours.
    Unfit(String),
}

impl From<Unfit> for Untaken {
    fn from(unfit: Unfit) -> Self {
        let reason = unfit.to_string();
        if unfit.is_lasting() { Self::Unfit(reason) } else { Self::Unread(reason) }
    }
}

/// The bytes of a file and their hash.
pub(crate) struct Bytes {
    bytes: Vec<u8>,
    /// BLAKE3 of the file's bytes.
    pub(crate) hash: [u8; 32],
}

/// The text of a file.
pub(crate) struct Text {
    pub(crate) words: String,
    pub(crate) layout: Layout,
    /// The title that the document gives itself, outside of its text.
    pub(crate) title: Option<String>,
    pub(crate) meta: SourceMeta,
}

/// Reads files.
pub(crate) struct Reader<'a> {
    /// Where anything but plain text is parsed; without one it is not taken.
    workshop: Option<&'a Workshop>,
    limits: Limits,
}

impl<'a> Reader<'a> {
    /// Reads within the limits of the workshop.
    pub(crate) fn new(workshop: Option<&'a Workshop>) -> Self {
        Self { workshop, limits: workshop.map(|workshop| *workshop.limits()).unwrap_or_default() }
    }

    /// How many files are read at a time.
    pub(crate) fn hands(&self) -> usize {
        self.limits.children.clamp(1, 8)
    }

    /// Names the limits by which a file is not taken.
    pub(crate) fn judged_by(&self) -> u64 {
        let Limits { file_bytes, text_bytes, unpacked_bytes, memory_bytes, time, processor, .. } =
            self.limits;
        let limits = (file_bytes, text_bytes, unpacked_bytes, memory_bytes, time, processor);
        crate::settings::hash(&format!("{VERSION} {} {limits:?}", self.workshop.is_some()))
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, file: &Path) -> Result<Bytes, Untaken> {
        let most = self.limits.file_bytes;
        let mut bytes = Vec::new();
        let read = File::open(file).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
        read.map_err(|error| Untaken::Unread(format!("it cannot be read: {error}")))?;
        if u64::try_from(bytes.len()).is_ok_and(|size| size > most) {
            return Err(Untaken::Unfit(format!("it is larger than {} MiB", most >> 20)));
        }
        Ok(Bytes { hash: *blake3::hash(&bytes).as_bytes(), bytes })
    }

    /// The text in a file's bytes.
    pub(crate) fn text(&self, file: &FoundFile, bytes: &Bytes) -> Result<Text, Untaken> {
        // What the bytes say counts more than the name.
        let name = file.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let head = bytes.bytes.get(..bytes.bytes.len().min(4096)).unwrap_or_default();
        let format = Format::of(&name, head);
        let format = format.ok_or_else(|| Untaken::Unfit("it is not what its name says".to_owned()))?;
        let parsed = match self.workshop {
            _ if format.is_plain() => hanok_parse::parse(format, &bytes.bytes, &self.limits)?,
            Some(workshop) => workshop.parse_bytes(&bytes.bytes, format)?,
            None => {
                return Err(Untaken::Unfit(format!("{} needs a parser, which is not there", format.name())));
            }
        };
        // A short text cannot have as many, and is not counted.
        if parsed.text.len() > MOST_LINES && parsed.text.lines().nth(MOST_LINES).is_some() {
            return Err(Untaken::Unfit(format!("it has more than {MOST_LINES} lines")));
        }
        Ok(described(file, format, parsed))
    }
}

/// Leaves out of what a document says of itself what is null, and what is more than metadata may be: each hit of it
/// carries all of it. Gives what is to be said of that.
fn bounded(metadata: &mut Object) -> Option<String> {
    let (mut members, mut left_out) = (0_usize, 0_usize);
    metadata.retain(|name, value| {
        if value.is_null() {
            return false;
        }
        let fits = members < MEMBERS && name.len() + weight(value) <= LARGEST_MEMBER;
        members += usize::from(fits);
        left_out += usize::from(!fits);
        fits
    });
    (left_out > 0)
        .then(|| format!("{left_out} members of its metadata were too large or too many, and left out"))
}

/// About how many bytes a value is.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(|value| weight(value) + 1).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + weight(value) + 2).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

fn described(file: &FoundFile, format: Format, parsed: Parsed) -> Text {
    let layout = match parsed.layout {
        hanok_parse::Layout::Markdown => Layout::Markdown,
        hanok_parse::Layout::Plain => Layout::Plain,
        hanok_parse::Layout::Code(_) => Layout::Code,
    };
    let mut metadata = Object::new();
    metadata.insert("format".to_owned(), json!(format.name()));
    if layout != Layout::Code
        && let Some(language) = language(&parsed.text)
    {
        metadata.insert("language".to_owned(), json!(language));
    }
    metadata.extend(parsed.metadata);
    if format == Format::Markdown {
        metadata.extend(front_matter(&parsed.text));
    }
    metadata.extend(file.ruled.set.clone());
    let mut notes = parsed.notes;
    notes.extend(bounded(&mut metadata));
    // A program is known by the name of its file.
    let title = match layout {
        Layout::Code => file.file.file_name().map(|name| name.to_string_lossy().into_owned()),
        _ => parsed.title.map(|title| shortened(title.trim()).to_owned()).filter(|title| !title.is_empty()),
    };
    let meta = SourceMeta {
        layout: layout.name().to_owned(),
        format: format.name().to_owned(),
        origin: file.origin,
        trust: file.ruled.trust,
        readers: file.ruled.readers.clone(),
        metadata,
        notes,
        pages: parsed.pages,
        validator: file.validator.clone(),
        described_by: file.ruled.mark(),
    };
    Text { words: parsed.text, layout, title, meta }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_as_large_as_it_may_be() {
        let check = |value: Value, kept: bool| {
            let mut metadata =
                Object::from_iter([("year".to_owned(), json!(2026)), ("more".to_owned(), value)]);
            assert_eq!(bounded(&mut metadata).is_none(), kept, "{metadata:?}");
            assert_eq!((metadata.contains_key("year"), metadata.contains_key("more")), (true, kept));
        };
        check(json!("x".repeat(LARGEST_MEMBER - 4)), true);
        check(json!("x".repeat(LARGEST_MEMBER)), false);
        check(json!(vec![1; 10_000]), false);
        check(json!([{ "a": ["x".repeat(LARGEST_MEMBER)] }]), false);
        let mut many: Object = (0..MEMBERS + 5).map(|at| (at.to_string(), json!(at))).collect();
        assert!(bounded(&mut many).is_some_and(|note| note.starts_with("5 members")));
        assert_eq!(many.len(), MEMBERS);
    }
}
