//! What can be wrong with a prompt.

use std::fmt;

/// Where something stands in a file, both from 1; a column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place of a byte of `source`; its end where it has fewer.
    pub fn of(source: &str, offset: usize) -> Self {
        let mut end = offset.min(source.len());
        while !source.is_char_boundary(end) {
            end -= 1;
        }
        let before = source.get(..end).unwrap_or(source);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A prompt cannot be read, or not be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// The file is not what a prompt is.
    #[error("{file}:{place}: {message}")]
    Malformed {
        /// The prompt's or partial's file.
        file: String,
        /// Where.
        place: Place,
        /// What is wrong, and the way out.
        message: String,
    },
    /// A variable that the input's schema requires was not given.
    #[error("the prompt `{prompt}` needs the variable `{variable}`{}", .description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Missing {
        /// The prompt.
        prompt: String,
        /// The variable.
        variable: String,
        /// What the schema says of it.
        description: Option<String>,
    },
    /// Variables do not fit the input's schema.
    #[error("the variables of the prompt `{prompt}` do not fit its schema: {message}")]
    Input {
        /// The prompt.
        prompt: String,
        /// The variable at fault, where it is one.
        variable: Option<String>,
        /// What is wrong.
        message: String,
    },
    /// It cannot be rendered with these variables.
    #[error("{file}:{place}: {message}")]
    Render {
        /// The prompt's or partial's file.
        file: String,
        /// Where.
        place: Place,
        /// What is wrong, and the way out.
        message: String,
    },
    /// The prompt asks for what the request does not have.
    #[error("the prompt `{prompt}` {message}")]
    Unmet {
        /// The prompt.
        prompt: String,
        /// What is missing, and the way out.
        message: String,
    },
}

/// What is wrong at a byte of a text, before it is known whose text that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) offset: usize,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }

    /// As an error of a file whose text, from byte `base` on, this is about.
    pub(crate) fn in_file(self, file: &str, source: &str, base: usize) -> PromptError {
        PromptError::Malformed {
            file: file.to_owned(),
            place: Place::of(source, base + self.offset),
            message: self.message,
        }
    }
}
