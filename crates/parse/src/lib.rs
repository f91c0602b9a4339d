//! Documents in: what is in a file of any usual format, as one text with the byte spans that citations quote.
//!
//! [`parse`] turns bytes into a [`Parsed`]: Markdown for documents, the text itself for plain text and code. The
//! bytes may be hostile, so what is not plain text is parsed by a [`Workshop`]: children of the same program
//! ([`child`]) that limit themselves before they look at anything, and that are replaced when they die.
//!
//! Deliberately not here: finding files, cutting text into chunks, storing anything, sockets.
//!
//! Reading order: [`format`], [`limits`], `markdown` (what everything is written into); `text`, `table`,
//! `json`, `html`; `package` and `xml` with `docx`, `pptx`, `sheets`; `pdf`; then [`workshop`] and [`child`].

#![forbid(unsafe_code)]

pub mod child;
pub mod format;
pub mod limits;
pub mod workshop;

mod docx;
mod frame;
mod html;
mod json;
mod markdown;
mod package;
mod pdf;
mod pptx;
mod properties;
mod sheets;
mod table;
mod text;
mod xml;

pub use child::child;
pub use format::{Format, Language};
pub use limits::{Limits, Unfit};
pub use workshop::Workshop;

use hanok_base::Object;
use serde::{Deserialize, Serialize};

/// How a document's text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// With headings, lists, code and tables.
    Markdown,
    /// Paragraphs only.
    Plain,
    /// Source code.
    Code(Language),
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parsed {
    /// The text; what is cited are bytes of it.
    pub text: String,
    /// How it is laid out.
    pub layout: Layout,
    /// The document's own title.
    pub title: Option<String>,
    /// The byte of `text` at which each page (slide) begins, in order; empty where there are no pages.
    pub pages: Vec<usize>,
    /// What the document says of itself: `author`, `created`, `modified`, `subject`, `keywords`, `language`,
    /// each only where it is there.
    pub metadata: Object,
    /// What a reader should know of how the text came about: what was left out, guessed or mended.
    pub notes: Vec<String>,
}

impl Parsed {
    /// A text that is all there is to say.
    fn plain(text: String, layout: Layout) -> Self {
        Self { text, layout, title: None, pages: Vec::new(), metadata: Object::new(), notes: Vec::new() }
    }
}

/// What is in `bytes`, which are a file of `format`. Takes no more memory and time than its input makes it take:
/// hand anything that is not [`Format::is_plain`] to a [`Workshop`].
///
/// # Errors
///
/// Why there is no text to be had.
pub fn parse(format: Format, bytes: &[u8], limits: &Limits) -> Result<Parsed, Unfit> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > limits.file_bytes {
        return Err(Unfit::too_large("the file", limits.file_bytes));
    }
    let parsed = match format {
        Format::Plain => text::parse(bytes, Layout::Plain),
        Format::Markdown => text::parse(bytes, Layout::Markdown),
        Format::Code(language) => text::parse(bytes, Layout::Code(language)),
        Format::Csv => table::parse(bytes, None, limits),
        Format::Tsv => table::parse(bytes, Some('\t'), limits),
        Format::Json => json::parse(bytes, limits),
        Format::JsonLines => json::parse_lines(bytes, limits),
        Format::Html => html::parse(bytes, limits),
        Format::Docx | Format::Pptx | Format::Xlsx | Format::Ods => package::parse(format, bytes, limits),
        Format::Xls => sheets::parse_xls(bytes, limits),
        Format::Pdf => pdf::parse(bytes, limits),
    }?;
    if parsed.text.len() > limits.text_bytes {
        return Err(Unfit::too_large("its text", limits.text_bytes as u64));
    }
    if parsed.text.trim().is_empty() {
        return Err(Unfit::NoText);
    }
    Ok(parsed)
}
