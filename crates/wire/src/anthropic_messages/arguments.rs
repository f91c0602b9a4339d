//! Where the arguments of a call are whole, seen while they come.

/// Follows JSON text piece by piece, by its brackets and strings only.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    depth: usize,
    begun: bool,
    string: bool,
    escaped: bool,
}

impl Arguments {
    /// Takes the next piece.
    pub(super) fn feed(&mut self, piece: &str) {
        for byte in piece.bytes() {
            if self.string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.string = true,
                b'{' | b'[' => {
                    self.begun = true;
                    self.depth += 1;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether all that was opened is closed again.
    pub(super) fn whole(&self) -> bool {
        self.begun && self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        let check = |pieces: &[&str], expect: bool| {
            let mut arguments = Arguments::default();
            for piece in pieces {
                arguments.feed(piece);
            }
            assert_eq!(arguments.whole(), expect, "{pieces:?}");
        };
        check(&[], false);
        check(&["{", "}"], true);
        check(&[r#"{"a":"}"#], false);
        check(&[r#"{"a":"\"#, r#""}"#], false);
        check(&[r#"{"a":"\"#, "\"\"", "}"], true);
        check(&[r#"{"a":[1,{"#, "}]"], false);
        check(&["7"], false);
    }
}
