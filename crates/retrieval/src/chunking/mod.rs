//! Documents to chunks: how a text is cut, chosen by a [`Chunking`], for a collection or for a look at what it
//! would do ([`preview`]).
//!
//! Invariant: a chunk is a span of the extracted text, on character boundaries, with something in it; every
//! word of the text but front matter and the headings themselves is in one.
//!
//! Deliberately not here: files, the store and embedders. What a semantic cut compares by is handed in.
//!
//! Reading order: `structure` (the default), `code` (by syntax), `pack` (units to pieces), `plain` (recursive,
//! sentences, tokens), `semantic`, `family` (parents and what is shown of them).

mod code;
mod family;
mod pack;
mod plain;
mod semantic;
mod structure;

pub use family::{Kin, gather};

use crate::block::{Kind, blocks};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Raised when texts are cut otherwise under the same settings, so that collections are cut again.
const VERSION: u32 = 1;
/// Width of a token: a quarter of what is said of a text, where a character of Hangul, Han or Kana counts two.
const TOKEN: usize = 4;

/// How the texts of a collection are cut. Sizes are in tokens as they come out on the average, since models
/// count differently: four letters are one, or two characters of Hangul, Han or Kana.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Chunking {
    /// Where cuts are made.
    pub by: Chunker,
    /// How long a chunk is made (16 to 8000; default 300). Code and tables that are not longer than `whole` and a
    /// third stay whole all the same, where they are cut by structure.
    pub size: usize,
    /// How long a section may be and still be one chunk, where texts are cut by structure (default: two and a
    /// half times `size`).
    pub whole: Option<usize>,
    /// How much of a chunk's end is said again at the head of the next, at most; by structure, its last
    /// sentence where it is not longer (default: a quarter of `size`).
    pub overlap: Option<usize>,
    /// Whether small chunks are searched and larger ones shown.
    pub parents: Parents,
    /// How long those larger ones are (default: four times `size`).
    pub parent_size: Option<usize>,
}

impl Default for Chunking {
    fn default() -> Self {
        let (by, parents) = (Chunker::Structure, Parents::None);
        Self { by, size: 300, whole: None, overlap: None, parents, parent_size: None }
    }
}

/// Where a text is cut.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Chunker {
    /// At headings, around tables and code, between functions and classes.
    #[default]
    Structure,
    /// At paragraphs; where one is too long, at lines, sentences, words.
    Recursive,
    /// Between sentences.
    Sentence,
    /// After so many tokens, between words.
    Tokens,
    /// Where one sentence speaks of something else than the one before.
    Semantic,
}

impl Chunker {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::Structure, Self::Recursive, Self::Sentence, Self::Tokens, Self::Semantic];

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Recursive => "recursive",
            Self::Sentence => "sentence",
            Self::Tokens => "tokens",
            Self::Semantic => "semantic",
        }
    }
}

/// What is shown for a chunk that was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Parents {
    /// The chunk itself; there are no larger ones.
    #[default]
    None,
    /// The larger one around it, always.
    Shown,
    /// The larger one, once chunks that make up half of it were found together.
    Merged,
}

/// How a text is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// With headings, code and tables.
    Markdown,
    /// Paragraphs only.
    #[default]
    Plain,
    /// A program's source.
    Code,
}

impl Layout {
    /// The name it is stored by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Plain => "plain",
            Self::Code => "code",
        }
    }
    /// The layout of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Markdown, Self::Plain, Self::Code].into_iter().find(|layout| layout.name() == name)
    }
}

/// A chunk to be: bytes of the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The headings above it, or the classes and functions around it, outermost first, joined by ` > `.
    pub heading: String,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The larger span it is a part of, which may be shown in its place.
    pub parent: Option<Range<usize>>,
}

/// Vectors of texts, one each, for a cut by meaning; `None` where they cannot be made. May block.
pub type Embed<'a> = &'a dyn Fn(&[&str]) -> Option<Vec<Vec<f32>>>;

/// What the sentences of a text were compared by, where it was to be cut by vectors; the least of its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compared {
    /// Vectors, or there was nothing to compare.
    #[default]
    Meaning,
    /// Words, since there are too many sentences.
    Bounded,
    /// Words, since there were no vectors.
    Words,
}

/// What a text would be cut into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Its chunks.
    pub pieces: Vec<Piece>,
    /// What its sentences were compared by, in a cut by meaning.
    pub compared: Compared,
}

/// A document cut into chunks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The title the text itself gives: in its front matter, or its first heading.
    pub(crate) title: Option<String>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) compared: Compared,
}

impl Chunking {
    /// Why these settings cannot be used, in words; names the member.
    pub fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: usize, from: usize, to: usize| {
            let fits = (from..=to).contains(&value);
            fits.then_some(()).ok_or_else(|| format!("{name}: {value} is not between {from} and {to} tokens"))
        };
        within("size", self.size, 16, 8000)?;
        self.whole.map_or(Ok(()), |whole| within("whole", whole, self.size, 32_000))?;
        self.overlap.map_or(Ok(()), |overlap| within("overlap", overlap, 0, self.size / 2))?;
        match self.parent_size {
            Some(_) if self.parents == Parents::None => {
                Err("parent_size: needs parents = \"shown\" or \"merged\"".to_owned())
            }
            Some(size) => within("parent_size", size, self.size, 32_000),
            None => Ok(()),
        }
    }

    /// Names these settings and the way they are followed: texts cut under one mark need no new cut.
    pub fn mark(&self) -> String {
        let Self { by, size, whole, overlap, parents, parent_size } = self;
        format!("{VERSION} {} {size} {whole:?} {overlap:?} {parents:?} {parent_size:?}", by.name())
    }

    /// These settings with what they leave open as it is followed; no `parent_size` where there are no parents.
    #[must_use]
    pub fn filled(&self) -> Self {
        let size = self.size.clamp(16, 8000);
        let parent_size = self.parent_size.unwrap_or(size * 4).clamp(size, 32_000);
        Self {
            by: self.by,
            size,
            whole: Some(self.whole.unwrap_or(size * 5 / 2).clamp(size, 32_000)),
            overlap: Some(self.overlap.unwrap_or(size / 4).min(size / 2)),
            parents: self.parents,
            parent_size: (self.parents != Parents::None).then_some(parent_size),
        }
    }

    fn measures(&self) -> Measures {
        let Self { size, whole, overlap, .. } = self.filled();
        let (whole, overlap) = (whole.unwrap_or(size), overlap.unwrap_or(0));
        Measures {
            size: size * TOKEN,
            whole: whole * TOKEN,
            unbroken: whole * TOKEN * 4 / 3,
            overlap: overlap * TOKEN,
        }
    }
}

/// About how many tokens a text has, as the sizes of a [`Chunking`] count them.
pub fn tokens(text: &str) -> usize {
    crate::sentence::width(text).div_ceil(TOKEN)
}

/// What a text would be cut into; nothing is stored.
pub fn preview(text: &str, layout: Layout, chunking: &Chunking, embed: Option<Embed<'_>>) -> Preview {
    let Cut { pieces, compared, .. } = cut(text, layout, chunking, embed);
    Preview { pieces, compared }
}

/// Cuts a text.
pub(crate) fn cut(text: &str, layout: Layout, chunking: &Chunking, embed: Option<Embed<'_>>) -> Cut {
    let measures = chunking.measures();
    let Some(parent) = chunking.filled().parent_size.map(|size| size * TOKEN) else {
        return by(text, layout, chunking.by, measures, embed);
    };
    // Parents do not overlap, so that each child has one.
    let around = Measures { size: parent, whole: parent, unbroken: parent, overlap: 0 };
    let family = by(text, layout, chunking.by, around, embed);
    let mut compared = family.compared;
    let mut pieces = Vec::new();
    for parent in family.pieces {
        let within = text.get(parent.start..parent.end).unwrap_or_default();
        let whole = Measures { whole: measures.size, ..measures };
        let parts = by(within, layout, chunking.by, whole, embed);
        compared = compared.max(parts.compared);
        pieces.extend(family::children(parent, parts.pieces));
    }
    Cut { title: family.title, pieces, compared }
}

/// Widths that a cut keeps to.
#[derive(Clone, Copy, Debug)]
struct Measures {
    /// How wide a piece is made.
    size: usize,
    /// How wide a section may be and still be one piece.
    whole: usize,
    /// How wide code and tables may be and still be kept whole.
    unbroken: usize,
    /// How wide what is said twice may be.
    overlap: usize,
}

fn by(text: &str, layout: Layout, chunker: Chunker, measures: Measures, embed: Option<Embed<'_>>) -> Cut {
    if chunker == Chunker::Structure {
        return match layout {
            Layout::Code => {
                Cut { title: None, pieces: code::cut(text, measures), compared: Compared::default() }
            }
            layout => structure::cut(text, layout, measures),
        };
    }
    let outline = Outline::of(text, layout);
    let rest = text.get(outline.begin..).unwrap_or_default();
    let units = match chunker {
        Chunker::Tokens => plain::words(rest, measures.size),
        Chunker::Structure | Chunker::Recursive => plain::recursive(rest, measures.size),
        Chunker::Sentence | Chunker::Semantic => plain::sentences(rest, measures.size),
    };
    let mut compared = Compared::default();
    let spans = match chunker {
        Chunker::Semantic => {
            let (spans, by) = semantic::join(rest, &units, measures, embed);
            compared = by;
            spans
        }
        // They are as large as they may be.
        Chunker::Recursive => pack::overlapping(rest, &units, measures.overlap),
        _ => pack::pack(rest, &units, measures.size, measures.overlap),
    };
    let pieces = spans.into_iter().map(|span| {
        let (start, end) = (span.start + outline.begin, span.end + outline.begin);
        Piece { heading: outline.at(start), start, end, parent: None }
    });
    Cut { pieces: pieces.collect(), title: outline.title, compared }
}

/// The headings of a text that is cut without regard to them.
struct Outline {
    /// Where the text begins after its front matter.
    begin: usize,
    title: Option<String>,
    /// Where each heading's part begins, and the headings from there on.
    paths: Vec<(usize, String)>,
}

impl Outline {
    fn of(text: &str, layout: Layout) -> Self {
        let mut outline = Self { begin: 0, title: None, paths: Vec::new() };
        if layout != Layout::Markdown {
            return outline;
        }
        let mut headings = Headings::default();
        for block in blocks(text, layout) {
            match block.kind {
                Kind::FrontMatter(title) => {
                    outline.begin = block.span.end;
                    outline.title = title;
                }
                Kind::Heading(level, words) => {
                    headings.enter(level, words);
                    outline.paths.push((block.span.start, headings.joined()));
                }
                _ => {}
            }
        }
        outline.title = outline.title.or(headings.title());
        outline
    }

    fn at(&self, byte: usize) -> String {
        let before = self.paths.partition_point(|(start, _)| *start <= byte);
        self.paths.get(before.wrapping_sub(1)).map(|(_, path)| path.clone()).unwrap_or_default()
    }
}

/// The headings above a place, and the best of all for a title.
#[derive(Default)]
struct Headings {
    path: Vec<(u8, String)>,
    first: Option<(u8, String)>,
}

impl Headings {
    fn enter(&mut self, level: u8, words: String) {
        self.path.retain(|(above, _)| *above < level);
        if self.first.as_ref().is_none_or(|(best, _)| level < *best) {
            self.first = Some((level, words.clone()));
        }
        self.path.push((level, words));
    }
    fn joined(&self) -> String {
        let words = self.path.iter().map(|(_, words)| words.as_str()).filter(|words| !words.is_empty());
        words.collect::<Vec<_>>().join(" > ")
    }
    fn title(self) -> Option<String> {
        self.first.map(|(_, words)| words).filter(|title| !title.is_empty())
    }
}

#[cfg(test)]
mod tests;
