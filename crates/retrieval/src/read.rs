//! A file to its text: read, parsed where it is more than text, described.

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
    pub(crate) text: String,
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
        Ok(described(file, format, parsed))
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
    metadata.retain(|_, value| *value != Value::Null);
    // A program is known by the name of its file.
    let title = match layout {
        Layout::Code => file.file.file_name().map(|name| name.to_string_lossy().into_owned()),
        _ => parsed.title.filter(|title| !title.trim().is_empty()),
    };
    let meta = SourceMeta {
        layout: layout.name().to_owned(),
        format: format.name().to_owned(),
        origin: file.origin,
        trust: file.ruled.trust,
        readers: file.ruled.readers.clone(),
        metadata,
        notes: parsed.notes,
        pages: parsed.pages,
        validator: file.validator.clone(),
        described_by: file.ruled.mark(),
    };
    Text { text: parsed.text, layout, title, meta }
}
