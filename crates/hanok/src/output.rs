//! Printing: data to stdout, everything else to stderr.

use serde::Serialize;
use std::io::{self, IsTerminal as _, Write as _};

/// One JSON document on stdout.
pub(crate) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    let document = serde_json::to_string_pretty(value)?;
    Ok(line(document)?)
}

/// Text on stdout, as it is.
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A line on stdout.
pub(crate) fn line(line: impl AsRef<str>) -> io::Result<()> {
    text(&format!("{}\n", line.as_ref()))
}

/// A line on stderr, for people.
pub(crate) fn note(line: impl AsRef<str>) {
    // A closed stderr is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "{}", line.as_ref());
}

/// Whether to use colour on stdout.
pub(crate) fn colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Text in one of the terminal's styles, where colour is wanted.
pub(crate) fn styled(style: &str, text: &str) -> String {
    if colour() { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Text from elsewhere, safe for a terminal: control characters are shown, not obeyed.
pub(crate) fn safe(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}
