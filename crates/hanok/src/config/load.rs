//! From the file's text to [`Config`], with errors that name line, key and the likely spelling.

use super::Config;
use hanok_base::names::meant;
use std::fmt;
use std::path::{Path, PathBuf};

/// A configuration file that cannot be used.
#[derive(Debug)]
pub(crate) struct ConfigError {
    path: PathBuf,
    /// 1-based; `None` where the file could not be read at all.
    line: Option<usize>,
    column: usize,
    message: String,
    did_you_mean: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}:{}", self.column)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(name) = &self.did_you_mean {
            write!(f, "; did you mean `{name}`?")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// A fault of the file as a whole.
    pub(crate) fn whole(path: &Path, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, column: 0, message: message.into(), did_you_mean: None }
    }
}

/// Parses the file's text.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let message = error.message().replace('\n', " ");
        ConfigError {
            path: path.to_owned(),
            line: Some(before.matches('\n').count() + 1),
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            did_you_mean: meant(&message, []).map(str::to_owned),
            message,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_line_key_and_likely_spelling() {
        let check = |text: &str, expect: &str| {
            let error = parse(Path::new("hanok.toml"), text).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        check("\n[server]\nbnd = \"1\"\n", "hanok.toml:3:1: unknown field `bnd`");
        check("\n[server]\nbnd = \"1\"\n", "did you mean `bind`?");
        check("[provider.x]\n", "did you mean `providers`?");
        check("[providers.x]\nkey = \"sk-123\"\n", "env:OPENAI_API_KEY");
        check("[server]\nbody_limit = \"1 parsec\"\n", "not a size");
        check("[server\n", "hanok.toml:1:");
    }

    #[test]
    fn a_secret_in_the_file_is_not_repeated() {
        let error = parse(Path::new("f"), "[providers.x]\nkey = \"sk-123\"\n").unwrap_err();
        assert!(!error.to_string().contains("sk-123"), "{error}");
    }

    #[test]
    fn the_contract_parses() {
        let text = r#"
            [providers.mock]
            dialect = "openai-chat"
            base_url = "http://127.0.0.1:9100/v1"
            key = "env:MOCK_KEY"

            [models.fast]
            targets = ["mock/mock-model"]

            [collections.default]
            paths = ["docs"]

            [[keys]]
            name = "alice"
            key = "env:ALICE"
        "#;
        let config = parse(Path::new("f"), text).unwrap();
        assert_eq!(config.models["fast"].targets[0].table().model, "mock/mock-model");
        assert_eq!(config.keys[0].key.variable(), "ALICE");
    }
}
