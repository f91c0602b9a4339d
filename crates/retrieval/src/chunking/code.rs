//! Code to pieces: functions, classes and the like stay together.
//!
//! No grammar is read. What begins a line as far left as its neighbours, and is neither the end of something nor
//! the rest of a line above, begins an item; comments, attributes and decorators right above it belong to it. That
//! holds for programs as people and formatters lay them out, in every language with braces, `end` or indentation.
//! Of an item that is too long the lines one step further right begin items in the same way. Where there are no
//! such lines, lines are packed as they fit.

use super::pack::pack;
use super::structure::{exceeds, trimmed};
use super::{Measures, Piece};
use crate::block::{Line, lines};
use crate::sentence::{cut_before, width};
use std::ops::Range;

/// How deep items within items are looked for: a method of a class of a module.
const DEEPEST: usize = 4;
/// How much of an item's first line is its name.
const NAME: usize = 100;
/// How wide the names of the items in one piece may be together.
const NAMES: usize = 200;

/// A function, a class, an import, a comment by itself.
struct Item {
    span: Range<usize>,
    /// The line that names it; empty for comments.
    name: String,
}

/// Cuts a program's source.
pub(super) fn cut(text: &str, measures: Measures) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let Some(all) = trimmed(text, 0..text.len()) {
        // From the line's begin: what counts is how far right it is.
        let start = text.get(..all.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        descend(text, start..all.end, "", DEEPEST, measures, &mut pieces);
    }
    pieces
}

fn descend(
    text: &str,
    span: Range<usize>,
    above: &str,
    deeper: usize,
    measures: Measures,
    pieces: &mut Vec<Piece>,
) {
    let items = items(text, &span);
    // What is packed together now.
    let mut open: Vec<Item> = Vec::new();
    let mut so_far = 0;
    for item in items {
        let wide = width(text.get(item.span.clone()).unwrap_or_default()) + 1;
        if so_far > 0 && so_far + wide > measures.size {
            close(above, &mut open, pieces);
            so_far = 0;
        }
        if !exceeds(text, &item.span, measures.unbroken) {
            so_far += wide;
            open.push(item);
            continue;
        }
        let inside = if item.name.is_empty() { above.to_owned() } else { joined(above, &item.name) };
        match deeper.checked_sub(1).and_then(|deeper| Some((deeper, body(text, &item.span)?))) {
            Some((deeper, body)) => {
                let begun = pieces.len();
                descend(text, body, &inside, deeper, measures, pieces);
                // The head goes with what comes first.
                if let Some(first) = pieces.get_mut(begun) {
                    first.start = item.span.start;
                }
            }
            None => pieces.extend(by_lines(text, &item.span, measures).into_iter().map(|span| Piece {
                heading: inside.clone(),
                start: span.start,
                end: span.end,
                parent: None,
            })),
        }
    }
    close(above, &mut open, pieces);
}

/// Makes one piece of items that are packed together.
fn close(above: &str, open: &mut Vec<Item>, pieces: &mut Vec<Piece>) {
    let items = std::mem::take(open);
    let (Some(first), Some(last)) = (items.first(), items.last()) else { return };
    let mut names = String::new();
    for name in items.iter().map(|item| item.name.as_str()).filter(|name| !name.is_empty()) {
        if width(&names) + width(name) > NAMES {
            names.push_str(", …");
            break;
        }
        if !names.is_empty() {
            names.push_str(", ");
        }
        names.push_str(name);
    }
    let heading = if names.is_empty() { above.to_owned() } else { joined(above, &names) };
    pieces.push(Piece { heading, start: first.span.start, end: last.span.end, parent: None });
}

fn joined(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above} > {name}") }
}

/// How a line stands among its neighbours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Blank,
    /// Within an item: further right, a closing bracket, the rest of a statement, inside a long string.
    Inside,
    /// A comment, an attribute or a decorator.
    Lead,
    /// An item's first line.
    Begin,
}

/// The items of a span of whole lines.
fn items(text: &str, span: &Range<usize>) -> Vec<Item> {
    let code = text.get(span.clone()).unwrap_or_default();
    let left = lines(code, span.start)
        .filter(|line| !line.text.trim().is_empty() && !is_directive(line.text) && !closes(line.text))
        .map(|line| indent(line.text))
        .min()
        .unwrap_or(0);
    let mut long = Long::default();
    let mut items: Vec<Item> = Vec::new();
    // Where a run of comments right above the next line begins.
    let mut lead: Option<Range<usize>> = None;
    for line in lines(code, span.start) {
        let place = if long.passes(line.text) { Place::Inside } else { place(&line, left) };
        match place {
            Place::Blank => items.extend(lead.take().map(comment)),
            Place::Lead => match &mut lead {
                Some(lead) => lead.end = line.end(),
                None => lead = Some(line.start..line.end()),
            },
            Place::Inside => match (&mut lead, items.last_mut()) {
                (Some(lead), _) => lead.end = line.end(),
                (None, Some(item)) => item.span.end = line.end(),
                (None, None) => items.push(comment(line.start..line.end())),
            },
            Place::Begin => {
                let start = lead.take().map_or(line.start, |lead| lead.start);
                items.push(Item { span: start..line.end(), name: name(line.text) });
            }
        }
    }
    items.extend(lead.map(comment));
    let trim = |item: Item| Some(Item { span: trimmed(text, item.span)?, name: item.name });
    items.into_iter().filter_map(trim).collect()
}

fn comment(span: Range<usize>) -> Item {
    Item { span, name: String::new() }
}

fn place(line: &Line<'_>, left: usize) -> Place {
    let words = line.text.trim();
    if words.is_empty() {
        return Place::Blank;
    }
    if indent(line.text) > left || is_directive(line.text) {
        return Place::Inside;
    }
    let lead = ["//", "#[", "# ", "#!", "/*", "*", "--", "@", "\"\"\"", "'''", "%", ";;"];
    // A decorator may hold the whole item: `@x class Y {`.
    let whole = words.starts_with('@') && words.ends_with('{');
    if words == "#" || (lead.iter().any(|lead| words.starts_with(lead)) && !whole) {
        return Place::Lead;
    }
    let word = words.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let rest = ["else", "elif", "elsif", "except", "catch", "finally", "rescue", "ensure", "then", "do"];
    let label = ["public:", "private:", "protected:"].contains(&words);
    let goes_on = words.starts_with(['{', '.', ',', '|', '&', '+', '?', ':', '=']) || words == "where";
    let inside = goes_on || closes(words) || label || rest.contains(&word);
    if inside { Place::Inside } else { Place::Begin }
}

/// Whether a line begins with the end of what stands above it.
fn closes(line: &str) -> bool {
    let words = line.trim_start();
    words.starts_with(['}', ')', ']']) || words.trim_end() == "end"
}

/// C's `#if` and the like stand at the left, wherever they are.
fn is_directive(line: &str) -> bool {
    ["#if", "#el", "#endif", "#pragma", "#region", "#endregion"].iter().any(|word| line.starts_with(word))
}

/// How far right a line begins, a tab being four.
fn indent(line: &str) -> usize {
    line.bytes().take_while(u8::is_ascii_whitespace).map(|b| if b == b'\t' { 4 } else { 1 }).sum()
}

/// A string or comment over many lines, inside which a line's begin says nothing.
#[derive(Default)]
struct Long(Option<&'static str>);

impl Long {
    const PAIRS: [(&'static str, &'static str); 4] =
        [("\"\"\"", "\"\"\""), ("'''", "'''"), ("/*", "*/"), ("`", "`")];

    /// Where the first one begins, how it opens and how it closes. Looks no further: lines may be very long.
    fn first(line: &str) -> Option<(usize, &'static str, &'static str)> {
        line.match_indices(['"', '\'', '/', '`']).find_map(|(at, _)| {
            let rest = line.get(at..)?;
            let (open, close) = Self::PAIRS.iter().find(|(open, _)| rest.starts_with(open))?;
            Some((at, *open, *close))
        })
    }

    /// Whether the line begins inside one. Notes what it opens and closes.
    fn passes(&mut self, line: &str) -> bool {
        let inside = self.0.is_some();
        let mut rest = line;
        loop {
            if let Some(close) = self.0 {
                let Some((_, after)) = rest.split_once(close) else { return inside };
                (self.0, rest) = (None, after);
            }
            let Some((at, open, close)) = Self::first(rest) else { return inside };
            let before = rest.get(..at).unwrap_or_default();
            // A mark in a comment on one line opens nothing.
            if before.contains("//") || before.trim_start().starts_with('#') {
                return inside;
            }
            rest = rest.get(at + open.len()..).unwrap_or_default();
            self.0 = Some(close);
        }
    }
}

/// What an item's first line calls it: up to its body.
fn name(line: &str) -> String {
    let head = line.trim();
    let head = head.split_once(" {").map_or(head, |(head, _)| head);
    let head = head.trim_end_matches(['{', ':', '(', '=', ';']).trim_end();
    let mut name: String = head.chars().take(NAME).collect();
    if name.len() < head.len() {
        name.push('…');
    }
    name
}

/// The lines of an item that stand further right than its first one: what may be parted.
fn body(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let code = text.get(span.clone())?;
    let begin = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let left = indent(text.get(begin..span.end)?);
    let inner = |line: &Line<'_>| indent(line.text) > left && !line.text.trim().is_empty();
    let first = lines(code, span.start).skip(1).find(inner)?;
    // The last line, mostly a bracket, goes with the body.
    let more = lines(code, span.start).filter(|line| line.start > first.start && inner(line)).count();
    (more > 0).then_some(first.start..span.end)
}

/// Lines packed as they fit; a line that is too long is cut.
fn by_lines(text: &str, span: &Range<usize>, measures: Measures) -> Vec<Range<usize>> {
    let mut units = Vec::new();
    for line in lines(text.get(span.clone()).unwrap_or_default(), span.start) {
        let mut rest = line.start..line.end();
        while exceeds(text, &rest, measures.size) {
            let Some(words) = text.get(rest.clone()) else { break };
            let cut = rest.start + cut_before(words, measures.size);
            units.push(rest.start..cut);
            rest.start = cut;
        }
        units.extend(trimmed(text, rest));
    }
    pack(text, &units, measures.size, 0)
}
