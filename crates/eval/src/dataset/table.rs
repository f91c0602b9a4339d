//! Comma-separated values (RFC 4180): quotes, doubled quotes, line breaks within quotes, a byte order mark. One record
//! at a time.

use std::io::{self, BufRead};

/// Records of a table.
pub(crate) struct Records<R> {
    reader: R,
    separator: u8,
    /// The line at which the next record begins, from 1.
    line: usize,
    is_begun: bool,
}

/// A record, and the line at which it begins.
pub(crate) type Record = (usize, Vec<String>);

impl<R: BufRead> Records<R> {
    pub(crate) fn new(reader: R, separator: u8) -> Self {
        Self { reader, separator, line: 1, is_begun: false }
    }

    /// The next record that is not an empty line.
    pub(crate) fn next_record(&mut self) -> io::Result<Option<Record>> {
        loop {
            let begins = self.line;
            let mut bytes = Vec::new();
            loop {
                if self.reader.read_until(b'\n', &mut bytes)? == 0 {
                    break;
                }
                self.line += 1;
                // An odd number of quotes so far: the line break is within them.
                if bytes.split(|byte| *byte == b'"').count() % 2 == 1 {
                    break;
                }
            }
            if bytes.is_empty() {
                return Ok(None);
            }
            let text = String::from_utf8(bytes).map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidData, format!("line {begins} is not UTF-8"))
            })?;
            let mut text = text.trim_end_matches(['\n', '\r']);
            if !self.is_begun {
                self.is_begun = true;
                text = text.trim_start_matches('\u{feff}');
            }
            if !text.is_empty() {
                return Ok(Some((begins, fields(text, char::from(self.separator)))));
            }
        }
    }
}

fn fields(text: &str, separator: char) -> Vec<String> {
    let mut fields = Vec::new();
    let (mut field, mut quoted) = (String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            c if c == separator && !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

/// A field as it is written into a table.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) || field.trim() != field {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// A record as a line.
pub(super) fn line(fields: &[String]) -> String {
    fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_those_of_the_rfc() {
        let check = |text: &str, expect: &[(usize, &[&str])]| {
            let mut records = Records::new(text.as_bytes(), b',');
            let mut found = Vec::new();
            while let Some(record) = records.next_record().unwrap() {
                found.push(record);
            }
            let expect: Vec<Record> = expect
                .iter()
                .map(|(line, fields)| (*line, fields.iter().map(ToString::to_string).collect()))
                .collect();
            assert_eq!(found, expect, "{text:?}");
        };
        check("", &[]);
        check("\u{feff}a,b\r\n1,2", &[(1, &["a", "b"]), (2, &["1", "2"])]);
        check("a,\"b, c\",\"d \"\"e\"\"\"\n", &[(1, &["a", "b, c", "d \"e\""])]);
        check("\"two\nlines\",x\n\ny,z\n", &[(1, &["two\nlines", "x"]), (4, &["y", "z"])]);
        check(",\n", &[(1, &["", ""])]);
        check("질문,답\n", &[(1, &["질문", "답"])]);
        check("5\" pipe,x\"y\n", &[(1, &["5\" pipe", "x\"y"])]);
    }

    #[test]
    fn what_is_written_reads_as_it_was() {
        let fields = ["a", "b,c", "d\"e", "f\ng", " h ", ""].map(str::to_owned);
        let mut records = Records::new(line(&fields).into_bytes().leak() as &[u8], b',');
        assert_eq!(records.next_record().unwrap().unwrap().1, fields);
    }
}
