//! Newline-delimited JSON: framing only. One value a line; blank lines say nothing.

use crate::error::WireError;
use crate::sse::EVENT_LIMIT;
use memchr::memchr;

/// Splits bytes into lines, in any pieces.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// The line that is not complete yet.
    line: Vec<u8>,
}

impl Parser {
    /// Takes the next bytes; gives each line they complete to `each`, without its end and the blanks around it.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        while let Some((line, rest)) =
            memchr(b'\n', bytes).and_then(|end| Some((bytes.get(..end)?, bytes.get(end + 1..)?)))
        {
            bytes = rest;
            if self.line.is_empty() {
                check_size(line.len())?;
                give(line, &mut each)?;
            } else {
                check_size(self.line.len() + line.len())?;
                self.line.extend_from_slice(line);
                let line = std::mem::take(&mut self.line);
                give(&line, &mut each)?;
                self.line = line;
                self.line.clear();
            }
        }
        check_size(self.line.len() + bytes.len())?;
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// The input ended: the line that was not ended is given all the same. Whether it is whole is for the
    /// dialect to see.
    pub(crate) fn finish(
        &mut self,
        mut each: impl FnMut(&[u8]) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        give(&std::mem::take(&mut self.line), &mut each)
    }
}

fn give(line: &[u8], each: &mut impl FnMut(&[u8]) -> Result<(), WireError>) -> Result<(), WireError> {
    let line = line.trim_ascii();
    if line.is_empty() { Ok(()) } else { each(line) }
}

fn check_size(size: usize) -> Result<(), WireError> {
    if size > EVENT_LIMIT {
        return Err(WireError::EventTooLarge { limit: EVENT_LIMIT });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_any_pieces() {
        let bytes = b"{\"a\":1}\n\r\n {\"b\":2}\r\n\n{\"c\":3}";
        for size in 1..=bytes.len() {
            let mut parser = Parser::default();
            let mut lines = Vec::new();
            let mut take = |line: &[u8]| {
                lines.push(String::from_utf8_lossy(line).into_owned());
                Ok(())
            };
            for piece in bytes.chunks(size) {
                parser.feed(piece, &mut take).unwrap();
            }
            parser.finish(&mut take).unwrap();
            assert_eq!(lines, [r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#], "in pieces of {size}");
        }
    }
}
