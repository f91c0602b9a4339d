//! A filter's text: where its terms begin and end, and how one is written so that it is read back.

use super::FilterError;
use hanok_store::Comparison;
use std::fmt;

/// A piece of a filter between spaces.
pub(super) struct Token {
    /// The first character, counted from 1.
    pub(super) at: usize,
    /// Whether a `-` stands before it.
    pub(super) not: bool,
    /// What stands before a `:`, `>` or `<`.
    pub(super) key: Option<(String, Separator)>,
    /// What stands behind it.
    pub(super) value: String,
}

/// What stands between a key and its value.
pub(super) enum Separator {
    /// `:`
    Colon,
    /// `>`, `>=`, `<` or `<=`
    Comparison(Comparison),
}

/// Splits at spaces outside quotes. A backslash inside quotes takes the next character as it is.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().zip(1..).peekable();
    while let Some(&(first, at)) = chars.peek() {
        if first.is_whitespace() {
            chars.next();
            continue;
        }
        let mut token = Token { at, not: false, key: None, value: String::new() };
        let mut quoted = false;
        if first == '-' {
            chars.next();
            token.not = chars.peek().is_some_and(|(next, _)| *next != '-' && !next.is_whitespace());
            if !token.not {
                token.value.push('-');
            }
        }
        while let Some((char, here)) = chars.next_if(|(char, _)| !char.is_whitespace()) {
            let may_be_key = token.key.is_none() && !quoted && is_key(&token.value);
            match char {
                '"' => {
                    quoted = true;
                    quote(&mut chars, here, &mut token.value)?;
                }
                ':' if may_be_key => {
                    token.key = Some((std::mem::take(&mut token.value), Separator::Colon));
                }
                '>' | '<' if may_be_key => {
                    let equal = chars.next_if(|(char, _)| *char == '=').is_some();
                    let separator = Separator::Comparison(comparison(char == '>', equal));
                    token.key = Some((std::mem::take(&mut token.value), separator));
                }
                char => token.value.push(char),
            }
        }
        if token.key.is_some() || !token.value.is_empty() {
            tokens.push(token);
        }
    }
    Ok(tokens)
}

fn comparison(more: bool, equal: bool) -> Comparison {
    match (more, equal) {
        (true, false) => Comparison::More,
        (true, true) => Comparison::AtLeast,
        (false, false) => Comparison::Less,
        (false, true) => Comparison::AtMost,
    }
}

/// A value that begins with a comparison, and the rest of it.
pub(super) fn split_comparison(value: &str) -> Option<(Comparison, &str)> {
    let more = value.starts_with('>');
    let rest = value.strip_prefix(['>', '<'])?;
    let or_equal = rest.strip_prefix('=');
    Some((comparison(more, or_equal.is_some()), or_equal.unwrap_or(rest)))
}

fn quote(
    chars: &mut impl Iterator<Item = (char, usize)>,
    at: usize,
    value: &mut String,
) -> Result<(), FilterError> {
    while let Some((char, _)) = chars.next() {
        match char {
            '"' => return Ok(()),
            '\\' => value.extend(chars.next().map(|(char, _)| char)),
            char => value.push(char),
        }
    }
    Err(FilterError { at, problem: "this quote is not closed".to_owned() })
}

/// What could be a key: `12:30` is not.
fn is_key(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphabetic())
        && (text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.'))
            || text.starts_with("score."))
}

/// Text, in quotes where it needs them.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.0.is_empty()
            && !self.0.contains(|char: char| char.is_whitespace() || "\"\\".contains(char));
        if plain { f.write_str(self.0) } else { write!(f, "\"{}\"", Escaped(self.0)) }
    }
}

/// Text that stands alone, in quotes where it would be read as something else.
pub(super) struct Word<'a>(pub(super) &'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.starts_with('-') || self.0.contains([':', '<', '>']) {
            write!(f, "\"{}\"", Escaped(self.0))
        } else {
            Quoted(self.0).fmt(f)
        }
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            if char == '"' || char == '\\' {
                f.write_str("\\")?;
            }
            write!(f, "{char}")?;
        }
        Ok(())
    }
}
