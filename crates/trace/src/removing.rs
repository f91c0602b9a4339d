//! Traces that go: when their time is over, when there are too many, and when somebody asks.

use crate::recorder::TraceStore;
use hanok_base::Timestamp;
use hanok_store::{Aged, AuditLine, Removed, StoreError, Target};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long traces stay, and how much of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// How long; `None` is for ever.
    pub age: Option<Duration>,
    /// How long those of these projects do, whatever holds for the others.
    pub projects: BTreeMap<String, Duration>,
    /// Bytes that the file may hold; the oldest go first, whosever they are.
    pub most_bytes: Option<u64>,
}

/// Who the audit names where nobody asked.
pub const BY_ITSELF: &str = "retention";

impl TraceStore {
    /// Removes the traces whose time is over, and the oldest of what is too much.
    pub async fn retain(&self, retention: &Retention, now: Timestamp) -> Result<Removed, StoreError> {
        let removals = self.store().removals();
        let mut sum = Removed::default();
        let before = |age: Duration| {
            let nanos = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
            Timestamp(now.0.saturating_sub(nanos))
        };
        let mut aged: Vec<(Aged, Duration, String)> = retention
            .projects
            .iter()
            .map(|(name, age)| {
                (Aged::Of(name.clone()), *age, format!("project {name}, older than {}", days(*age)))
            })
            .collect();
        if let Some(age) = retention.age {
            let own: Vec<String> = retention.projects.keys().cloned().collect();
            aged.push((Aged::Others(own), age, format!("older than {}", days(age))));
        }
        for (which, age, criterion) in aged {
            let removed = removals.expire(&which, before(age)).await?;
            self.note(&criterion, removed).await?;
            sum.add(removed);
        }
        if sum != Removed::default() {
            removals.sweep_loose().await?;
        }
        if let Some(most) = retention.most_bytes {
            let removed = removals.shrink(most).await?;
            self.note(&format!("more than {most} bytes"), removed).await?;
            sum.add(removed);
        }
        Ok(sum)
    }

    async fn note(&self, criterion: &str, removed: Removed) -> Result<(), StoreError> {
        if removed == Removed::default() {
            return Ok(());
        }
        let removals = self.store().removals();
        let line = removals.begin(BY_ITSELF, "expire traces", criterion).await?;
        removals.end(line, removed).await
    }

    /// How much would go; kept responses only where they are asked for.
    pub async fn would_remove(&self, target: &Target, responses: bool) -> Result<Removed, StoreError> {
        let removals = self.store().removals();
        let seqs = removals.find(target, self.scope.clone()).await?;
        let mut removed = removals.count(&seqs).await?;
        if responses {
            let keys = removals.keys_of_nobody_else(&seqs).await?;
            removed.responses = self.store().responses().of_keys(&keys).await?;
        }
        Ok(removed)
    }

    /// Removes the traces that are meant, and where it is asked for the kept responses of the keys that only they
    /// came with. A line of the audit is on the disk before the first of them goes.
    pub async fn remove(&self, target: &Target, responses: bool, who: &str) -> Result<Removed, StoreError> {
        let removals = self.store().removals();
        let line = removals.begin(who, "delete traces", &criterion(target)).await?;
        let seqs = removals.find(target, self.scope.clone()).await?;
        let keys = if responses { removals.keys_of_nobody_else(&seqs).await? } else { Vec::new() };
        let mut removed = removals.remove(&seqs).await?;
        removed.responses = self.store().responses().forget_keys(&keys).await?;
        removals.end(line, removed).await?;
        Ok(removed)
    }

    /// The newest lines of the audit, newest first.
    pub async fn audit(&self, limit: usize) -> Result<Vec<AuditLine>, StoreError> {
        self.store().removals().audit(limit).await
    }
}

/// What the audit says of what was meant: a person, and words that may name one, only by their hash.
fn criterion(target: &Target) -> String {
    match target {
        Target::User(name) => format!("user {}", hash(name)),
        Target::Session(name) => format!("session {}", hash(name)),
        Target::Source(name) => format!("source {name}"),
        Target::Matching(query) => format!("filter {}", hash(&format!("{query:?}"))),
    }
}

/// The first eight bytes of BLAKE3, so that who knows the name can tell whether it was meant.
fn hash(text: &str) -> String {
    let hash = hanok_store::hash_secret(text);
    let word = hash.first_chunk().copied().map_or(0, u64::from_be_bytes);
    format!("{word:016x}")
}

fn days(age: Duration) -> String {
    match age.as_secs_f64() / 86_400.0 {
        days if age == Duration::from_hours(24) => format!("{days} day"),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_named_by_hash_only() {
        let user = criterion(&Target::User("alice".into()));
        assert!(user.starts_with("user ") && !user.contains("alice") && user.len() == 5 + 16, "{user}");
        assert_eq!(user, criterion(&Target::User("alice".into())));
        assert_ne!(user, criterion(&Target::User("bob".into())));
        assert_eq!(criterion(&Target::Source("app".into())), "source app");
        assert_eq!(days(Duration::from_hours(24)), "1 day");
        assert_eq!(days(Duration::from_hours(24 * 90)), "90 days");
    }
}
