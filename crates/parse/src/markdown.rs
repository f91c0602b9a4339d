//! The one text that documents become, written block by block and bounded.

use crate::{Limits, Unfit};

/// Writes Markdown: blocks with an empty line between.
#[derive(Debug)]
pub(crate) struct Writer {
    text: String,
    pages: Vec<usize>,
    limit: usize,
    is_over: bool,
    /// Whether the last block was an item of a list, to which the next one clings, and whether that list, at its
    /// outermost, is a numbered one.
    list: Option<bool>,
}

impl Writer {
    /// A writer of a text of at most `limits.text_bytes`.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { text: String::new(), pages: Vec::new(), limit: limits.text_bytes, is_over: false, list: None }
    }

    /// Whether the limit is reached: there is no sense in going on.
    pub(crate) fn is_full(&self) -> bool {
        self.is_over
    }

    /// Begins a page: what is written next stands on it.
    pub(crate) fn page(&mut self) {
        self.gap(false);
        self.pages.push(self.text.len());
    }

    /// A heading of a level from 1; levels below the sixth are written as the sixth.
    pub(crate) fn heading(&mut self, level: usize, text: &str) {
        let text = one_line(text);
        if text.is_empty() {
            return;
        }
        self.gap(false);
        self.push("######".get(..level.clamp(1, 6)).unwrap_or("#"));
        self.push(" ");
        self.push(&text);
        self.push("\n");
    }

    /// A paragraph; its lines are kept.
    pub(crate) fn paragraph(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.gap(false);
        self.lines(text, "");
    }

    /// An item of a list, at a depth from 0, after its mark (`-`, `1.`).
    pub(crate) fn item(&mut self, depth: usize, mark: &str, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let is_numbered = mark.ends_with('.');
        let list = self.list;
        self.gap(list.is_some_and(|list| depth > 0 || list == is_numbered));
        let indent = "  ".repeat(depth.min(16));
        self.push(&indent);
        self.push(mark);
        self.push(" ");
        self.lines(text, &format!("{indent}{}", " ".repeat(mark.len() + 1)));
        self.list = Some(if depth > 0 { list.unwrap_or(is_numbered) } else { is_numbered });
    }

    /// Text that stands as it is, fenced.
    pub(crate) fn code(&mut self, language: &str, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.gap(false);
        let fence = "`".repeat(longest_run(text, '`').max(2) + 1);
        self.push(&fence);
        self.push(language);
        self.push("\n");
        self.push(text.trim_matches(['\n', '\r']));
        self.push("\n");
        self.push(&fence);
        self.push("\n");
    }

    /// A table whose first row is its header. Rows may differ in length; columns that are empty throughout on the
    /// right are left out, and so are empty rows. A table of one cell is a paragraph.
    pub(crate) fn table<R: AsRef<[String]>>(&mut self, rows: &[R]) {
        let used = |row: &R| {
            row.as_ref().iter().rposition(|cell| !cell.trim().is_empty()).map_or(0, |last| last + 1)
        };
        let width = rows.iter().map(used).max().unwrap_or(0);
        let mut rows = rows.iter().filter(|row| used(row) > 0).map(AsRef::as_ref);
        let (Some(header), true) = (rows.next(), width > 0) else { return };
        let mut rows = rows.peekable();
        if width == 1 && rows.peek().is_none() {
            return self.paragraph(&header.concat());
        }
        self.gap(false);
        self.row(header, width);
        self.push("|");
        for _ in 0..width {
            self.push(" --- |");
        }
        self.push("\n");
        for row in rows {
            if self.is_over {
                return;
            }
            self.row(row, width);
        }
    }

    fn row(&mut self, row: &[String], width: usize) {
        self.push("|");
        for at in 0..width {
            let cell = row.get(at).map_or("", String::as_str);
            self.push(" ");
            self.cell(cell);
            self.push(if cell.is_empty() { "|" } else { " |" });
        }
        self.push("\n");
    }

    fn cell(&mut self, cell: &str) {
        if !cell.contains(['|', '\n', '\r', '\t']) {
            return self.push(cell.trim());
        }
        let mut first = true;
        for word in cell.split_whitespace() {
            if !first {
                self.push(" ");
            }
            first = false;
            self.push(&word.replace('|', "\\|"));
        }
    }

    fn lines(&mut self, text: &str, indent: &str) {
        let mut first = true;
        for line in text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()) {
            let line = if first { line.trim_start() } else { line };
            if !first {
                self.push(indent);
            }
            // What would be a heading, a fence or a table here is none.
            if is_mark(line) {
                self.push("\\");
            }
            first = false;
            self.push(line);
            self.push("\n");
        }
    }

    /// Makes an empty line before a block, or none where it clings to the one before.
    fn gap(&mut self, clings: bool) {
        if !clings && !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.push("\n");
        }
        self.list = None;
    }

    fn push(&mut self, text: &str) {
        if self.is_over || self.text.len() + text.len() > self.limit {
            self.is_over = true;
            return;
        }
        self.text.push_str(text);
    }

    /// The text, and where its pages begin.
    ///
    /// # Errors
    ///
    /// It is larger than the limit.
    pub(crate) fn finish(mut self) -> Result<(String, Vec<usize>), Unfit> {
        if self.is_over {
            return Err(Unfit::too_large("its text", self.limit as u64));
        }
        let end = self.text.trim_end().len();
        self.text.truncate(end);
        if end > 0 {
            self.text.push('\n');
        }
        // Pages at the end that say nothing begin where the text ends.
        let length = self.text.len();
        self.pages.iter_mut().for_each(|page| *page = (*page).min(length));
        Ok((self.text, self.pages))
    }
}

/// Whether a line of a paragraph would be taken for a mark of Markdown's blocks.
fn is_mark(line: &str) -> bool {
    let hashes = line.len() - line.trim_start_matches('#').len();
    let after = line.get(hashes..).unwrap_or_default();
    (hashes > 0 && hashes <= 6 && (after.is_empty() || after.starts_with(' ')))
        || line.starts_with("```")
        || line.starts_with("~~~")
        || (line.starts_with('|') && line.ends_with('|') && line.len() > 1)
}

fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Text on one line, its white space single.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}
