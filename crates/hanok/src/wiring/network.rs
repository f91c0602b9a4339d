//! From `[network]` to how upstreams are reached.

use crate::config::{CassetteMode as Mode, Effective};
use anyhow::{Context as _, bail};
use hanok_net::{Cassette, CassetteMode, CassetteOptions, Certificates, ClientOptions, Egress, Proxy};

/// How to reach these hosts, and no others.
pub(crate) fn options(effective: &Effective, hosts: &[&str]) -> anyhow::Result<ClientOptions> {
    let mut options = outward(effective)?;
    let mut egress = Egress::only(hosts.iter().copied()).context("providers")?;
    for host in hosts {
        // The operator wrote the name, whatever it resolves to.
        egress = egress.allow_private(host)?;
    }
    options.egress = Some(egress);
    let network = &effective.config.network;
    if let Some(path) = &network.cassette {
        let mode = match network.cassette_mode {
            Mode::Record => CassetteMode::Record,
            Mode::Replay => CassetteMode::Replay,
        };
        let cassette_options = CassetteOptions { secrets: secrets(effective), ..CassetteOptions::default() };
        options.cassette = Some(Cassette::open(effective.beside_file(path), mode, &cassette_options)?);
    }
    Ok(options)
}

/// How to reach anything at all.
pub(super) fn outward(effective: &Effective) -> anyhow::Result<ClientOptions> {
    let network = &effective.config.network;
    let mut options = ClientOptions::default();
    for path in &network.ca {
        let path = effective.beside_file(path);
        let pem = std::fs::read(&path).with_context(|| format!("network.ca: {}", path.display()))?;
        options.extra_roots.extend(Certificates::from_pem(&path.display().to_string(), &pem)?);
    }
    if let Some(proxy) = &network.proxy {
        let text = match proxy.strip_prefix("env:") {
            None => proxy.clone(),
            Some(variable) => match std::env::var(variable) {
                Ok(value) if !value.trim().is_empty() => value.trim().to_owned(),
                _ => bail!("network.proxy: the environment variable {variable} is not set"),
            },
        };
        if text.contains('@') && !proxy.starts_with("env:") {
            bail!(
                "network.proxy: a proxy with a password is given as env:NAME, so that the file holds no secret"
            );
        }
        options.proxy = Some(Proxy::parse(&text).context("network.proxy")?.except(&network.no_proxy)?);
    }
    Ok(options)
}

/// What a recording must not hold.
fn secrets(effective: &Effective) -> Vec<String> {
    let configured = effective.config.providers.values().filter_map(|entry| entry.key.as_ref()?.read());
    let known = hanok_provider::VENDORS.iter().filter_map(|vendor| std::env::var(vendor.key_env?).ok());
    configured.chain(known).filter(|secret| !secret.trim().is_empty()).collect()
}
