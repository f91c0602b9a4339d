//! A text's blocks: headings, code, tables, paragraphs, as byte spans. Enough of `CommonMark` to cut a document
//! at the right places; not a renderer.

use crate::chunking::Layout;
use std::ops::Range;

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A heading with its level (1 to 6) and its text without markup.
    Heading(u8, String),
    /// Fenced code, the fences included.
    Code,
    /// A table.
    Table,
    /// A paragraph, a list, anything else.
    Text,
    /// YAML before the document, with the title it gives.
    FrontMatter(Option<String>),
}

/// A block: its bytes, without the line break after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

/// A line without its break.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) start: usize,
    pub(crate) text: &'a str,
}

impl Line<'_> {
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// The lines of `text`, where `start` is the first one's byte.
pub(crate) fn lines(text: &str, start: usize) -> impl Iterator<Item = Line<'_>> {
    let mut at = start;
    text.split_inclusive('\n').map(move |whole| {
        let line = Line { start: at, text: whole.trim_end_matches(['\n', '\r']) };
        at += whole.len();
        line
    })
}

/// The blocks of a text, in order.
pub(crate) fn blocks(text: &str, layout: Layout) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = lines(text, 0).peekable();
    if layout == Layout::Markdown
        && let Some(front) = front_matter(text)
    {
        while lines.next_if(|line| line.start < front.span.end).is_some() {}
        blocks.push(front);
    }
    // The paragraph being read.
    let mut open: Option<Block> = None;
    while let Some(line) = lines.next() {
        if line.text.trim().is_empty() {
            blocks.extend(open.take());
            continue;
        }
        if layout == Layout::Markdown {
            if let Some((level, title)) = atx(line.text) {
                blocks.extend(open.take());
                blocks.push(Block { kind: Kind::Heading(level, title), span: line.start..line.end() });
                continue;
            }
            if let Some(fence) = Fence::opening(line.text) {
                blocks.extend(open.take());
                let mut end = line.end();
                for inner in lines.by_ref() {
                    end = inner.end();
                    if fence.closes(inner.text) {
                        break;
                    }
                }
                blocks.push(Block { kind: Kind::Code, span: line.start..end });
                continue;
            }
            if let Some(level) = setext(line.text)
                && let Some(paragraph) = open.take_if(|block| block.kind == Kind::Text)
            {
                let words = text.get(paragraph.span.clone()).unwrap_or_default();
                blocks.push(Block {
                    kind: Kind::Heading(level, plain(words)),
                    span: paragraph.span.start..line.end(),
                });
                continue;
            }
        }
        let row = layout == Layout::Markdown && line.text.trim_start().starts_with('|');
        let kind = if row { Kind::Table } else { Kind::Text };
        match &mut open {
            Some(block) if block.kind == kind => block.span.end = line.end(),
            _ => {
                blocks.extend(open.take());
                open = Some(Block { kind, span: line.start..line.end() });
            }
        }
    }
    blocks.extend(open);
    blocks
}

/// A fence's character, how many, for telling where it closes.
#[derive(Clone, Copy)]
pub(crate) struct Fence {
    mark: char,
    count: usize,
}

impl Fence {
    /// The fence a line opens.
    pub(crate) fn opening(line: &str) -> Option<Self> {
        let line = line.trim_start();
        let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let count = line.chars().take_while(|c| *c == mark).count();
        // "```code```" on one line is inline code.
        let rest = line.trim_start_matches(mark);
        (count >= 3 && !(mark == '`' && rest.contains('`'))).then_some(Self { mark, count })
    }
    /// Whether a line closes it.
    pub(crate) fn closes(self, line: &str) -> bool {
        let line = line.trim();
        line.chars().count() >= self.count && line.chars().all(|c| c == self.mark)
    }
}

/// The level and words of `# Heading`.
pub(crate) fn atx(line: &str) -> Option<(u8, String)> {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let line = line.trim_start_matches(' ');
    let level = line.bytes().take_while(|b| *b == b'#').count();
    let rest = line.get(level..)?;
    if indent > 3 || !(1..=6).contains(&level) || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    let rest = rest.trim();
    let without = rest.trim_end_matches('#');
    let title = if without.is_empty() || without.ends_with([' ', '\t']) { without } else { rest };
    Some((u8::try_from(level).ok()?, plain(title)))
}

/// The level of a line that underlines a heading.
fn setext(line: &str) -> Option<u8> {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let line = line.trim();
    match line.chars().next()? {
        '=' if indent <= 3 && line.chars().all(|c| c == '=') => Some(1),
        // A single `-` below a paragraph is more often an empty list item.
        '-' if indent <= 3 && line.len() >= 2 && line.chars().all(|c| c == '-') => Some(2),
        _ => None,
    }
}

fn front_matter(text: &str) -> Option<Block> {
    let mut lines = lines(text, 0);
    lines.next().filter(|line| line.text.trim_end() == "---")?;
    let mut title = None;
    for line in lines {
        if matches!(line.text.trim_end(), "---" | "...") {
            return Some(Block { kind: Kind::FrontMatter(title), span: 0..line.end() });
        }
        if let Some(value) = line.text.strip_prefix("title:") {
            let value = value.trim().trim_matches(['"', '\'']).trim();
            title = (!value.is_empty()).then(|| shortened(value).to_owned());
        }
    }
    None
}

/// Bytes of a heading or title that are kept: each chunk below it says it again.
const LONGEST_TITLE: usize = 300;

/// The beginning of a title that is not longer than one may be.
pub(crate) fn shortened(title: &str) -> &str {
    title.get(..title.floor_char_boundary(LONGEST_TITLE)).unwrap_or_default().trim_end()
}

/// A heading's words without markup: `**bold**`, `` `code` ``, `[text](url)`, `{#anchor}`.
pub(crate) fn plain(title: &str) -> String {
    let title = shortened(title.trim());
    let title = match title.rfind("{#") {
        Some(at) if title.ends_with('}') => title.get(..at).unwrap_or(title),
        _ => title,
    };
    let mut out = String::with_capacity(title.len());
    let mut rest = title;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        if c == '['
            && let Some((words, target)) = after.split_once("](")
            && let Some((_, tail)) = target.split_once(')')
            && !words.contains('[')
        {
            out.push_str(&plain(words));
            rest = tail;
            continue;
        }
        match c {
            '`' | '*' => {}
            c if c.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
        rest = after;
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, &str)]) {
        let got: Vec<(String, &str)> = blocks(text, Layout::Markdown)
            .into_iter()
            .map(|block| {
                let name = match &block.kind {
                    Kind::Heading(level, title) => format!("h{level} {title}"),
                    Kind::FrontMatter(title) => format!("front {}", title.as_deref().unwrap_or("-")),
                    kind => format!("{kind:?}").to_lowercase(),
                };
                (name, &text[block.span])
            })
            .collect();
        let got: Vec<(&str, &str)> = got.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        assert_eq!(got, expect, "{text:?}");
    }

    #[test]
    fn markdown_is_cut_into_blocks() {
        check(
            "# A `b` **c**\ntext\nmore\n\nnext",
            &[("h1 A b c", "# A `b` **c**"), ("text", "text\nmore"), ("text", "next")],
        );
        check(
            "Title\n=====\r\nx\n\nSub\n---\ny",
            &[("h1 Title", "Title\n====="), ("text", "x"), ("h2 Sub", "Sub\n---"), ("text", "y")],
        );
        check(
            "---\ntitle: \"A: b\"\n---\n# H",
            &[("front A: b", "---\ntitle: \"A: b\"\n---"), ("h1 H", "# H")],
        );
        check("---\n\ntext", &[("text", "---"), ("text", "text")]);
        check(
            "a\n```sh\n# no heading\n\nx\n```\nb",
            &[("text", "a"), ("code", "```sh\n# no heading\n\nx\n```"), ("text", "b")],
        );
        check("```\nnever closed\n# x", &[("code", "```\nnever closed\n# x")]);
        check(
            "| a | b |\n|---|---|\n| 1 | 2 |\ntext",
            &[("table", "| a | b |\n|---|---|\n| 1 | 2 |"), ("text", "text")],
        );
        check("#hashtag\n####### seven", &[("text", "#hashtag\n####### seven")]);
        check("## [설치](install.md) ## {#x}", &[("h2 설치 ##", "## [설치](install.md) ## {#x}")]);
        check("## C# ##", &[("h2 C#", "## C# ##")]);
        check("", &[]);
    }

    #[test]
    fn a_heading_is_as_long_as_one_may_be() {
        let long = format!("# {}\n\ntext", "[a](".repeat(1_000_000));
        let found = blocks(&long, Layout::Markdown);
        let Some(Block { kind: Kind::Heading(1, words), span }) = found.first() else {
            panic!("no heading: {found:?}");
        };
        assert_eq!((words.as_str(), span.end), (&*"[a](".repeat(LONGEST_TITLE / 4), 4_000_002));
        let korean = plain(&"환불 ".repeat(1000));
        assert!((280..=LONGEST_TITLE).contains(&korean.len()), "{korean}");
    }
}
