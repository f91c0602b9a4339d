//! CSV and TSV: one table, its delimiter found out.

use crate::markdown::Writer;
use crate::text::{Decoded, decode};
use crate::{Layout, Limits, Parsed, Unfit};
use hanok_base::Object;

/// The table in `bytes`; `delimiter` where it is known.
pub(crate) fn parse(bytes: &[u8], delimiter: Option<char>, limits: &Limits) -> Result<Parsed, Unfit> {
    let Decoded { text, note } = decode(bytes)?;
    let mut body = text.as_str();
    let mut delimiter = delimiter;
    // What Excel writes and reads: the delimiter on a line of its own.
    if let Some((said, rest)) = body.split_once('\n').filter(|(first, _)| first.starts_with("sep=")) {
        delimiter = said.trim_end().chars().nth(4).or(delimiter);
        body = rest;
    }
    let delimiter = delimiter.unwrap_or_else(|| sniff(body));
    let rows: Vec<Vec<String>> = Rows { rest: body, delimiter }.collect();
    let mut writer = Writer::new(limits);
    writer.table(&rows);
    let (text, pages) = writer.finish()?;
    let notes = note.into_iter().collect();
    Ok(Parsed { text, layout: Layout::Markdown, title: None, pages, metadata: Object::new(), notes })
}

/// The delimiter that gives the first rows the same number of columns, and the most of them.
fn sniff(text: &str) -> char {
    const ROWS: usize = 32;
    let score = |delimiter: char| {
        // One long line without the delimiter must not be read whole for each of them.
        let mut end = text.len().min(64 << 10);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let rows = Rows { rest: text.get(..end).unwrap_or_default(), delimiter };
        let widths: Vec<usize> = rows.take(ROWS).map(|row| row.len()).filter(|width| *width > 0).collect();
        let first = widths.first().copied().unwrap_or(0);
        let same = widths.iter().filter(|width| **width == first).count();
        if first < 2 { 0 } else { same * 1000 / widths.len().max(1) * 100 + first.min(99) }
    };
    [',', '\t', ';', '|'].into_iter().rev().max_by_key(|delimiter| score(*delimiter)).unwrap_or(',')
}

/// The rows of a table: RFC 4180, and kinder.
struct Rows<'a> {
    rest: &'a str,
    delimiter: char,
}

impl Iterator for Rows<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut row = Vec::new();
        loop {
            let (cell, after) = self.cell();
            row.push(cell);
            self.rest = after;
            let Some(next) = self.rest.chars().next() else { return Some(row) };
            self.rest = self.rest.get(next.len_utf8()..).unwrap_or_default();
            if next == self.delimiter {
                if self.rest.is_empty() {
                    row.push(String::new());
                    return Some(row);
                }
                continue;
            }
            if next == '\r' {
                self.rest = self.rest.strip_prefix('\n').unwrap_or(self.rest);
            }
            return Some(row);
        }
    }
}

impl<'a> Rows<'a> {
    /// The next cell, and what is behind it: a delimiter, the end of a line, or nothing.
    fn cell(&self) -> (String, &'a str) {
        let is_end = |c: char| c == self.delimiter || c == '\n' || c == '\r';
        let plain = |text: &'a str| {
            let end = text.find(is_end).unwrap_or(text.len());
            text.split_at_checked(end).unwrap_or((text, ""))
        };
        let Some(mut quoted) = self.rest.strip_prefix('"') else {
            let (cell, after) = plain(self.rest);
            return (cell.to_owned(), after);
        };
        let mut cell = String::new();
        loop {
            let Some((part, after)) = quoted.split_once('"') else {
                // A quote that is never closed is none.
                let (cell, after) = plain(self.rest);
                return (cell.to_owned(), after);
            };
            cell.push_str(part);
            match after.strip_prefix('"') {
                Some(more) => {
                    cell.push('"');
                    quoted = more;
                }
                None => {
                    // Whatever stands between the quote and the delimiter belongs to the cell.
                    let (tail, after) = plain(after);
                    cell.push_str(tail);
                    return (cell, after);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_as_spreadsheets_read_them() {
        let check = |text: &str, expect: &str| {
            let parsed = parse(text.as_bytes(), None, &Limits::default()).expect("it is a table");
            assert_eq!(parsed.text, expect);
        };
        check("a,b\n1,2\n", "| a | b |\n| --- | --- |\n| 1 | 2 |\n");
        check("이름;금액\n김;1,5\n이;2,0\n", "| 이름 | 금액 |\n| --- | --- |\n| 김 | 1,5 |\n| 이 | 2,0 |\n");
        check("a\tb\r\n\"x\ty\"\t\"say \"\"hi\"\"\"\r\n", "| a | b |\n| --- | --- |\n| x y | say \"hi\" |\n");
        check("sep=|\na|b\n1|2", "| a | b |\n| --- | --- |\n| 1 | 2 |\n");
        check("a,b\n\"two\nlines\",x|y\n", "| a | b |\n| --- | --- |\n| two lines | x\\|y |\n");
        check(
            "a,b,\n1,,\n,,\n\"never closed,2\n",
            "| a | b |\n| --- | --- |\n| 1 | |\n| \"never closed | 2 |\n",
        );
        check("only\none\ncolumn\n", "| only |\n| --- |\n| one |\n| column |\n");
    }
}
