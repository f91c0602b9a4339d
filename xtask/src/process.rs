//! Running other programs with their output in view.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitStatus, Stdio};

/// Runs `command` to its end, output in view; an error when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = announce(command).status().with_context(|| missing(command))?;
    if !status.success() {
        bail!("`{}` failed ({status})", spell(command));
    }
    Ok(())
}

/// Runs `command` to its end, output in view, and shows each line of its stdout to `line` too.
pub(crate) fn run_watching(command: &mut Command, mut line: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut child = announce(command).stdout(Stdio::piped()).spawn().with_context(|| missing(command))?;
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes)? > 0 {
            std::io::stdout().write_all(&bytes)?;
            line(String::from_utf8_lossy(&bytes).trim_end());
            bytes.clear();
        }
    }
    Ok(child.wait()?)
}

/// What `command` prints, or `None` when it is absent or fails.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The command as one would type it.
pub(crate) fn spell(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn announce(command: &mut Command) -> &mut Command {
    println!("$ {}", spell(command));
    // Lines of ours must not come after the child's.
    let _ = std::io::stdout().flush();
    command.stdin(Stdio::null())
}

fn missing(command: &Command) -> String {
    format!("cannot start `{}`", command.get_program().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        run(Command::new("true").arg("x")).unwrap();
        let error = run(Command::new("false").arg("x")).unwrap_err().to_string();
        assert!(error.contains("`false x` failed"), "{error}");
        let error = run(&mut Command::new("no-such-program-anywhere")).unwrap_err().to_string();
        assert!(error.contains("no-such-program-anywhere"), "{error}");
    }

    #[test]
    fn every_line_is_seen_even_without_a_newline_at_the_end() {
        let mut lines = Vec::new();
        let status = run_watching(Command::new("printf").arg("a\\nb"), |line| {
            lines.push(line.to_owned());
        })
        .unwrap();
        assert!(status.success());
        assert_eq!(lines, ["a", "b"]);
    }
}
