//! What the server is told by its configuration.

use hanok_base::{Allowed, Caller};
use hanok_gateway::Key;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// How the server is to behave. Exchanged as a whole.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address it is bound to.
    pub bind: SocketAddr,
    /// Whether it serves HTTPS itself.
    pub tls: bool,
    /// Most bytes of a request's body.
    pub body_limit: usize,
    /// The URL clients reach it by, where that is not the bind address (behind a proxy).
    pub public_url: Option<String>,
    /// Host names it answers to beside loopback names, IP addresses and the public URL's.
    pub hosts: Vec<String>,
    /// Origins of web pages that may call it, beside its own.
    pub allowed_origins: Vec<String>,
    /// The file it was read from, or would be.
    pub config_file: PathBuf,
    /// The version shown to people.
    pub version: &'static str,
}

impl Settings {
    /// Settings for an address and nothing else.
    pub fn new(bind: SocketAddr) -> Self {
        Self {
            bind,
            tls: false,
            body_limit: 100 * 1024 * 1024,
            public_url: None,
            hosts: Vec::new(),
            allowed_origins: Vec::new(),
            config_file: PathBuf::from("hanok.toml"),
            version: "",
        }
    }

    /// Whether people reach the server by HTTPS.
    pub fn is_https(&self) -> bool {
        self.tls || self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// The URL of the server for people on this machine.
    pub fn local_url(&self) -> String {
        let ip = self.bind.ip();
        let ip = match ip {
            _ if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        };
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", SocketAddr::new(ip, self.bind.port()))
    }

    /// The caller as seen in a request that came under this host name.
    pub(crate) fn caller(&self, host: &str, key: Option<&Key>) -> Arc<Caller> {
        let base_url = match &self.public_url {
            Some(url) => url.trim_end_matches('/').into(),
            None if self.tls => format!("https://{host}").into(),
            None => format!("http://{host}").into(),
        };
        Arc::new(Caller {
            key_name: key.map(|key| key.name.clone()),
            key_id: key.filter(|key| !key.id.is_empty()).map(|key| key.id.clone()),
            project: key.map(|key| key.project.clone()).unwrap_or_default(),
            admin: key.is_some_and(|key| key.admin),
            base_url,
            payloads: key.and_then(|key| key.payloads),
            allowance: Allowed::default(),
        })
    }
}
