//! `hanok init`

use crate::cli::Init;
use crate::config::Overrides;
use crate::output;
use anyhow::{Context as _, bail};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

const TEMPLATE: &str = include_str!("hanok.toml");

/// Writes the commented file.
pub(crate) fn run(init: &Init, overrides: &Overrides) -> anyhow::Result<ExitCode> {
    let path = overrides.config.clone().unwrap_or_else(|| PathBuf::from("hanok.toml"));
    let mut options = OpenOptions::new();
    options.write(true);
    if init.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    match options.open(&path) {
        Ok(mut file) => {
            file.write_all(TEMPLATE.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("{} is there already; edit it, or overwrite it with --force", path.display())
        }
        Err(error) => return Err(error).with_context(|| format!("creating {}", path.display())),
    }
    output::note(format!(
        "wrote {}; next: edit it, then `hanok config check` and `hanok up`",
        path.display()
    ));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use crate::config::parse;
    use std::path::Path;

    /// The template must parse as it is, and with every commented setting switched on.
    #[test]
    fn the_template_is_a_valid_configuration() {
        parse(Path::new("hanok.toml"), super::TEMPLATE).unwrap();
        let switched_on: String = super::TEMPLATE
            .lines()
            .map(|line| line.strip_prefix("#: ").unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n");
        let config = parse(Path::new("hanok.toml"), &switched_on).unwrap();
        assert!(!config.providers.is_empty() && !config.keys.is_empty() && !config.prices.is_empty());
    }
}
