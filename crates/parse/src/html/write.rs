//! A page's content, written as Markdown.

use super::main_content::{Content, is_furniture, is_unseen};
use super::tree::{Id, Tree};
use crate::Language;
use crate::markdown::{Writer, one_line};

/// Rows and columns that a cell may reach over at most.
const WIDEST_SPAN: usize = 64;

/// Writes the content.
pub(super) fn write(tree: &Tree, content: Content, writer: &mut Writer) {
    let mut writing = Writing {
        tree,
        writer,
        line: String::new(),
        marks: Vec::new(),
        quotes: 0,
        is_guessed: content.is_guessed,
    };
    for root in content.roots {
        writing.block(root);
        writing.flush();
    }
}

struct Writing<'a> {
    tree: &'a Tree,
    writer: &'a mut Writer,
    /// The text of the block at hand.
    line: String,
    /// Lists that are open: the mark of the next item, until it is written.
    marks: Vec<Option<String>>,
    quotes: usize,
    is_guessed: bool,
}

impl Writing<'_> {
    /// Writes the block at hand.
    fn flush(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.trim().is_empty() {
            return;
        }
        let depth = self.marks.len().saturating_sub(1);
        if let Some(mark) = self.marks.last_mut().and_then(Option::take) {
            return self.writer.item(depth, &mark, line.trim());
        }
        if self.quotes > 0 {
            let quoted: Vec<String> = line.trim().lines().map(|line| format!("> {line}")).collect();
            return self.writer.paragraph(&quoted.join("\n"));
        }
        self.writer.paragraph(line.trim());
    }

    /// Adds text, its white space as a browser shows it.
    fn say(&mut self, text: &str) {
        for (at, word) in text.split(|c: char| c.is_ascii_whitespace() || c == '\u{a0}').enumerate() {
            if at > 0 && !self.line.is_empty() && !self.line.ends_with([' ', '\n']) {
                self.line.push(' ');
            }
            self.line.push_str(word);
        }
    }

    fn children(&mut self, id: Id) {
        for child in self.tree.node(id).children() {
            if self.writer.is_full() {
                return;
            }
            self.block(*child);
        }
    }

    fn separate(&mut self, id: Id) {
        self.flush();
        self.children(id);
        self.flush();
    }

    fn block(&mut self, id: Id) {
        let tree = self.tree;
        let node = tree.node(id);
        if let Some(text) = node.as_text() {
            return self.say(text);
        }
        if is_unseen(node) || is_furniture(tree, id, self.is_guessed) {
            return;
        }
        match node.name() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.flush();
                let level = node.name().get(1..).and_then(|level| level.parse().ok()).unwrap_or(1);
                let text = self.inline(id);
                // Links to the heading itself.
                self.writer.heading(level, text.trim_end_matches(['¶', '#', '🔗', ' ']));
            }
            "br" => {
                let end = self.line.trim_end().len();
                self.line.truncate(end);
                self.line.push('\n');
            }
            "ul" | "ol" | "menu" | "dir" => self.list(id),
            "dl" => self.separate(id),
            "dt" => self.separate(id),
            "dd" => {
                self.flush();
                self.marks.push(Some("-".to_owned()));
                self.children(id);
                self.flush();
                self.marks.pop();
            }
            "pre" | "xmp" | "listing" => self.code(id),
            "table" => self.table(id),
            "blockquote" => {
                self.flush();
                self.quotes += 1;
                self.separate(id);
                self.quotes -= 1;
            }
            "address" | "article" | "aside" | "center" | "details" | "div" | "fieldset" | "figcaption"
            | "figure" | "footer" | "form" | "header" | "hgroup" | "hr" | "legend" | "li" | "main"
            | "nav" | "p" | "section" | "summary" | "body" | "html" | "#root" | "tr" | "caption"
            | "thead" | "tbody" | "tfoot" => self.separate(id),
            // Words in two cells of a table that is none are two words.
            "td" | "th" | "option" => {
                self.children(id);
                self.say(" ");
            }
            _ => self.children(id),
        }
    }

    fn list(&mut self, id: Id) {
        self.flush();
        let node = self.tree.node(id);
        let is_numbered = node.name() == "ol";
        let mut number = node.get("start").and_then(|start| start.parse::<i64>().ok()).unwrap_or(1);
        // An item that holds a list and nothing before it has no line of its own.
        if let Some(open) = self.marks.last_mut() {
            open.take();
        }
        self.marks.push(None);
        for child in self.tree.node(id).children() {
            if self.tree.node(*child).name() == "li" {
                let mark = if is_numbered { format!("{number}.") } else { "-".to_owned() };
                number = number.saturating_add(1);
                self.flush();
                if let Some(open) = self.marks.last_mut() {
                    *open = Some(mark);
                }
            }
            self.block(*child);
        }
        self.flush();
        self.marks.pop();
    }

    fn code(&mut self, id: Id) {
        self.flush();
        let mut language = String::new();
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            let node = self.tree.node(id);
            let class = node.get("class").unwrap_or_default();
            let named = class.split_whitespace().find_map(|class| {
                let prefixed = ["language-", "lang-", "highlight-source-"]
                    .iter()
                    .find_map(|prefix| class.strip_prefix(prefix));
                prefixed.or_else(|| Language::named(class).map(Language::name))
            });
            if let Some(named) = named {
                named.clone_into(&mut language);
                break;
            }
            left.extend(node.children().iter().filter(|child| self.tree.node(**child).name() == "code"));
        }
        let text = self.raw(id);
        self.writer.code(&language, &text);
    }

    /// Text as it stands, line breaks included.
    fn raw(&self, id: Id) -> String {
        let mut text = String::new();
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            let node = self.tree.node(id);
            if node.name() == "br" {
                text.push('\n');
            }
            text.push_str(node.as_text().unwrap_or_default());
            if !is_unseen(node) {
                left.extend(node.children().iter().rev());
            }
        }
        text
    }

    /// The text in an element, on one line: blocks and breaks within it separate words.
    fn inline(&self, id: Id) -> String {
        let mut text = String::new();
        let mut left = vec![(id, false)];
        while let Some((id, is_end)) = left.pop() {
            let node = self.tree.node(id);
            if let Some(part) = node.as_text() {
                text.push_str(part);
                continue;
            }
            let separates = matches!(
                node.name(),
                "br" | "p"
                    | "div"
                    | "li"
                    | "tr"
                    | "td"
                    | "th"
                    | "h1"
                    | "h2"
                    | "h3"
                    | "h4"
                    | "h5"
                    | "h6"
                    | "dd"
                    | "dt"
            );
            if separates {
                text.push(' ');
            }
            if is_end || is_unseen(node) {
                continue;
            }
            if separates {
                left.push((id, true));
            }
            left.extend(node.children().iter().rev().map(|child| (*child, false)));
        }
        one_line(&text)
    }

    fn table(&mut self, id: Id) {
        self.flush();
        let (rows, is_layout) = self.rows(id);
        if is_layout {
            return self.separate(id);
        }
        for child in self.tree.node(id).children() {
            if self.tree.node(*child).name() == "caption" {
                let caption = self.inline(*child);
                self.writer.paragraph(&caption);
            }
        }
        self.writer.table(&rows);
    }

    /// The rows of a table, and whether it is one only to place things on the page.
    fn rows(&self, id: Id) -> (Vec<Vec<String>>, bool) {
        let mut rows: Vec<Vec<String>> = Vec::new();
        let is_layout = matches!(self.tree.node(id).get("role"), Some("presentation" | "none"));
        let mut widest = 0;
        let mut left: Vec<Id> = self.tree.node(id).children().iter().rev().copied().collect();
        while let Some(id) = left.pop() {
            let node = self.tree.node(id);
            match node.name() {
                "thead" | "tbody" | "tfoot" => left.extend(node.children().iter().rev()),
                "tr" if !is_unseen(node) => {
                    let mut row = Vec::new();
                    for cell in node.children() {
                        let cell_node = self.tree.node(*cell);
                        if !matches!(cell_node.name(), "td" | "th") || is_unseen(cell_node) {
                            continue;
                        }
                        if is_layout || self.holds_blocks(*cell) {
                            return (Vec::new(), true);
                        }
                        row.push(self.inline(*cell));
                        let span =
                            cell_node.get("colspan").and_then(|span| span.trim().parse().ok()).unwrap_or(1);
                        row.resize(row.len() + usize::clamp(span, 1, WIDEST_SPAN) - 1, String::new());
                    }
                    widest = widest.max(row.len());
                    rows.push(row);
                }
                _ => {}
            }
        }
        (rows, is_layout || widest < 2)
    }

    /// Whether a cell holds what no cell of a table of data holds.
    fn holds_blocks(&self, id: Id) -> bool {
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            let node = self.tree.node(id);
            if matches!(node.name(), "table" | "h1" | "h2" | "h3" | "pre" | "form" | "article" | "section") {
                return true;
            }
            left.extend(node.children());
        }
        false
    }
}
