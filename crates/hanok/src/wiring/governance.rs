//! What is kept, from the configuration.

use crate::config::{self, Effective, PiiKind};
use anyhow::{Context as _, bail};
use hanok_base::Payloads;
use hanok_guard::{Pii, Redactor};
use hanok_trace::{Keep, Policies, Policy, Retention, Sampling};
use std::time::Duration;

/// What of spans is stored, by project.
pub(crate) fn policies(effective: &Effective) -> anyhow::Result<Policies> {
    let config = &effective.config;
    // Their marks are looked for by one machine, dear to make.
    let (watchful, blind) = (Redactor::new(true, []), Redactor::default());
    let redactor = |secrets: bool, pii: &[PiiKind]| {
        let base = if secrets { &watchful } else { &blind };
        base.with_pii(pii.iter().map(|kind| pii_of(*kind)))
    };
    let (secrets, pii) =
        (config.redaction.secrets.unwrap_or(true), config.redaction.pii.clone().unwrap_or_default());
    let default = Policy {
        redactor: redactor(secrets, &pii),
        payloads: Payloads::On,
        sampling: sampling(&config.sampling, &Sampling::default()).context("sampling")?,
    };
    let mut policies = Policies { default, ..Policies::default() };
    for (name, project) in &config.projects {
        let own = &project.redaction;
        let policy = Policy {
            redactor: redactor(own.secrets.unwrap_or(secrets), own.pii.as_ref().unwrap_or(&pii)),
            payloads: match project.payloads {
                config::Payloads::On => Payloads::On,
                config::Payloads::Errors => Payloads::Errors,
                config::Payloads::Off => Payloads::Off,
            },
            sampling: sampling(&project.sampling, &policies.default.sampling)
                .with_context(|| format!("projects.{name}.sampling"))?,
        };
        policies.projects.insert(name.clone(), policy);
    }
    Ok(policies)
}

fn sampling(own: &config::Sampling, default: &Sampling) -> anyhow::Result<Sampling> {
    let rate = own.rate.unwrap_or(default.rate);
    if !(0.0..=1.0).contains(&rate) {
        bail!("rate: {rate} must be from 0 (none) to 1 (all)");
    }
    let keep = match &own.keep {
        Some(rules) => {
            rules.iter().map(|rule| rule.parse::<Keep>()).collect::<Result<_, _>>().context("keep")?
        }
        None => default.keep.clone(),
    };
    Ok(Sampling { rate, keep })
}

/// How long traces stay.
pub(crate) fn retention(effective: &Effective) -> Retention {
    let age = |days: config::Days| Duration::from_secs_f64(days.0 * 86_400.0);
    let projects = &effective.config.projects;
    Retention {
        age: effective.config.retention.days.map(age),
        projects: projects
            .iter()
            .filter_map(|(name, project)| Some((name.clone(), age(project.retention.days?))))
            .collect(),
        most_bytes: effective.config.retention.max_size.map(|size| size.0 as u64),
    }
}

fn pii_of(kind: PiiKind) -> Pii {
    match kind {
        PiiKind::Email => Pii::Email,
        PiiKind::Phone => Pii::Phone,
        PiiKind::PhoneKr => Pii::PhoneKr,
        PiiKind::RrnKr => Pii::RrnKr,
        PiiKind::Card => Pii::Card,
        PiiKind::Iban => Pii::Iban,
        PiiKind::SsnUs => Pii::SsnUs,
        PiiKind::BrnKr => Pii::BrnKr,
        PiiKind::PassportKr => Pii::PassportKr,
        PiiKind::DriverKr => Pii::DriverKr,
    }
}
