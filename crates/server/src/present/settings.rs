//! What the server keeps, as the page on settings shows it.

use crate::House;
use crate::door::Visitor;
use crate::ui::view_settings::{BackupView, KeptView, RecordsView, RetentionView, SettingsView};
use hanok_guard::Pii;
use hanok_store::{AuditLine, LastBackup};
use hanok_trace::{Policy, Retention, TraceError};
use std::time::Duration;

/// Lines of the audit that are looked at for the last time that traces went by themselves.
const LOOKED_AT: usize = 100;

/// The page on settings; what the server keeps is for admins.
pub(crate) async fn settings(house: &House, visitor: &Visitor) -> Result<SettingsView, TraceError> {
    let file = house.settings.load().config_file.display().to_string();
    if !visitor.admin {
        return Ok(SettingsView { records: None, file });
    }
    let counts = house.traces.counts().await?;
    let audit = house.traces.audit(LOOKED_AT).await?;
    let policies = house.traces.policies();
    let folder = house.traces.store().folder();
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let standard = kept(&policies.default);
    let mut projects: Vec<(String, KeptView)> =
        policies.projects.iter().map(|(name, policy)| (name.clone(), kept(policy))).collect();
    projects.retain(|(_, kept)| *kept != standard);
    projects.sort_by(|a, b| a.0.cmp(&b.0));
    let command = format!(
        "hanok db backup --data {} ~/hanok-backup.db",
        crate::ui::shell_word(&folder.display().to_string())
    );
    let noted = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || LastBackup::of(&folder)).await.ok().flatten()
    };
    let records = RecordsView {
        traces: counts.traces,
        spans: counts.spans,
        file_bytes: counts.file_bytes,
        folder: folder.display().to_string(),
        retention: retention(&house.retention.load(), &audit),
        kept: standard,
        projects,
        backup: BackupView {
            last: noted.map(|made| (made.at, made.file.display().to_string(), made.bytes)),
            command,
        },
    };
    Ok(SettingsView { records: Some(records), file })
}

fn retention(retention: &Retention, audit: &[AuditLine]) -> RetentionView {
    let days = |age: &Duration| age.as_secs_f64() / 86_400.0;
    let last = audit.iter().find(|line| line.who == hanok_trace::removing::BY_ITSELF);
    RetentionView {
        days: retention.age.as_ref().map(days),
        projects: retention.projects.iter().map(|(name, age)| (name.clone(), days(age))).collect(),
        most_bytes: retention.most_bytes,
        last: last.map(|line| (line.at, line.removed.traces)),
    }
}

fn kept(policy: &Policy) -> KeptView {
    KeptView {
        secrets: policy.redactor.finds_secrets(),
        pii: policy.redactor.pii().map(Pii::as_str).collect(),
        payloads: policy.payloads,
        rate: policy.sampling.rate,
        always: policy.sampling.keep.iter().map(ToString::to_string).collect(),
    }
}
