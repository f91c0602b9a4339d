//! What holds in the end: flag before environment before file before default, each with its origin.

use super::{Config, ConfigError, LogFormat, Size, parse};
use serde::Serialize;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Who set a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "from", content = "name")]
pub(crate) enum Origin {
    /// A command-line flag.
    Flag(&'static str),
    /// An environment variable.
    Environment(&'static str),
    /// The file.
    File(PathBuf),
    /// Nobody.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and who set it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Setting<T> {
    /// The value.
    pub(crate) value: T,
    /// Who set it.
    pub(crate) origin: Origin,
}

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// `--config`
    pub(crate) config: Option<PathBuf>,
    /// `--data`
    pub(crate) data: Option<PathBuf>,
    /// `--bind`
    pub(crate) bind: Option<String>,
    /// `--otlp`
    pub(crate) otlp: Option<String>,
    /// `--log`
    pub(crate) log: Option<String>,
    /// `--log-format`
    pub(crate) log_format: Option<LogFormat>,
}

/// What holds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Effective {
    /// The file, where one was read.
    pub(crate) file: Option<PathBuf>,
    /// The data folder.
    pub(crate) data: Setting<PathBuf>,
    /// The address.
    pub(crate) bind: Setting<String>,
    /// The second address, for exporters of OpenTelemetry, where one is asked for.
    pub(crate) otlp: Option<Setting<String>>,
    /// The largest request body.
    pub(crate) body_limit: Setting<Size>,
    /// The log's level.
    pub(crate) log_level: Setting<String>,
    /// The log's format.
    pub(crate) log_format: Setting<LogFormat>,
    /// Everything else, as the file has it.
    pub(crate) config: Config,
    /// The file's own words.
    #[serde(skip)]
    pub(crate) written: toml::Table,
    /// What the command line said, for reading the file again.
    #[serde(skip)]
    pub(crate) overrides: Overrides,
}

const DEFAULT_FILE: &str = "hanok.toml";

impl Effective {
    /// Reads the file, if any, and lays flags and environment over it.
    pub(crate) fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        let named = overrides.config.clone().or_else(|| env("HANOK_CONFIG").map(PathBuf::from));
        let (file, config, written) = read(named.as_deref())?;
        Ok(Self { written, ..Self::laid_over(file, config, overrides)? })
    }

    /// The same without the file: for looking at what is wrong with it.
    pub(crate) fn without_file(overrides: &Overrides) -> Result<Self, ConfigError> {
        Self::laid_over(None, Config::default(), overrides)
    }

    fn laid_over(file: Option<PathBuf>, config: Config, overrides: &Overrides) -> Result<Self, ConfigError> {
        let from_file = |set: bool| match (&file, set) {
            (Some(path), true) => Origin::File(path.clone()),
            _ => Origin::Default,
        };
        let pick = |flag: (&'static str, Option<String>),
                    variable: &'static str,
                    in_file: Option<String>,
                    default: &str| {
            if let (name, Some(value)) = flag {
                return Setting { value, origin: Origin::Flag(name) };
            }
            if let Some(value) = env(variable) {
                return Setting { value, origin: Origin::Environment(variable) };
            }
            let origin = from_file(in_file.is_some());
            Setting { value: in_file.unwrap_or_else(|| default.to_owned()), origin }
        };

        let data = match (&overrides.data, env("HANOK_DATA")) {
            (Some(path), _) => Setting { value: path.clone(), origin: Origin::Flag("--data") },
            (None, Some(path)) => {
                Setting { value: PathBuf::from(path), origin: Origin::Environment("HANOK_DATA") }
            }
            (None, None) => Setting { value: PathBuf::from(".hanok"), origin: Origin::Default },
        };
        let bind = pick(
            ("--bind", overrides.bind.clone()),
            "HANOK_BIND",
            config.server.bind.clone(),
            "127.0.0.1:4141",
        );
        let otlp = pick(("--otlp", overrides.otlp.clone()), "HANOK_OTLP", config.otlp.bind.clone(), "");
        let otlp = (!otlp.value.is_empty()).then_some(otlp);
        let log_level = pick(("--log", overrides.log.clone()), "HANOK_LOG", config.log.level.clone(), "info");
        let log_format = match (overrides.log_format, env("HANOK_LOG_FORMAT").as_deref()) {
            (Some(value), _) => Setting { value, origin: Origin::Flag("--log-format") },
            (None, Some("json")) => {
                Setting { value: LogFormat::Json, origin: Origin::Environment("HANOK_LOG_FORMAT") }
            }
            (None, Some("text")) => {
                Setting { value: LogFormat::Text, origin: Origin::Environment("HANOK_LOG_FORMAT") }
            }
            (None, Some(other)) => {
                let path = Path::new("HANOK_LOG_FORMAT");
                return Err(ConfigError::whole(
                    path,
                    format!("`{other}` is no log format; use text or json"),
                ));
            }
            (None, None) => Setting {
                value: config.log.format.unwrap_or_default(),
                origin: from_file(config.log.format.is_some()),
            },
        };
        let body_limit = Setting {
            value: config.server.body_limit.unwrap_or(Size(100_000_000)),
            origin: from_file(config.server.body_limit.is_some()),
        };
        Ok(Self {
            file,
            data,
            bind,
            otlp,
            body_limit,
            log_level,
            log_format,
            config,
            written: toml::Table::new(),
            overrides: overrides.clone(),
        })
    }

    /// The address to bind, parsed.
    pub(crate) fn address(&self) -> Result<SocketAddr, String> {
        address(&self.bind, "127.0.0.1:4141")
    }

    /// The second address, parsed.
    pub(crate) fn otlp_address(&self) -> Result<Option<SocketAddr>, String> {
        self.otlp.as_ref().map(|bind| address(bind, "127.0.0.1:4318")).transpose()
    }

    /// A path of the file, taken from where the file is.
    pub(crate) fn beside_file(&self, path: &Path) -> PathBuf {
        match self.file.as_deref().and_then(Path::parent) {
            Some(folder) if path.is_relative() && !folder.as_os_str().is_empty() => folder.join(path),
            _ => path.to_owned(),
        }
    }
}

fn address(bind: &Setting<String>, example: &str) -> Result<SocketAddr, String> {
    let text = bind.value.as_str();
    let text =
        text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse()
        .map_err(|_| format!("`{text}` ({}) is not an address and port such as {example}", bind.origin))
}

fn env(name: &'static str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn read(named: Option<&Path>) -> Result<(Option<PathBuf>, Config, toml::Table), ConfigError> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let config = parse(path, &text)?;
            let written = toml::from_str(&text).map_err(|error| ConfigError::whole(path, error.message()))?;
            Ok((Some(path.to_owned()), config, written))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
            Ok((None, Config::default(), toml::Table::new()))
        }
        Err(error) => Err(ConfigError::whole(path, format!("the file cannot be read: {error}"))),
    }
}
