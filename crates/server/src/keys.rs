//! Keys as people and commands handle them: made, listed, revoked; and handed to the gateway.

use hanok_base::{Charge, NanoDollars, Payloads, Timestamp};
use hanok_gateway::{Budget, Key, KeyRing, Ledger, Limits, Period};
use hanok_store::{Balance, BudgetPeriod, NewKey, Secret, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What a key is asked for with; also the body of `POST /api/keys`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// Its name.
    pub name: String,
    /// The project its calls belong to; `default` when empty.
    #[serde(default)]
    pub project: String,
    /// Models it may call; empty for all.
    #[serde(default)]
    pub models: Vec<String>,
    /// Money for each period, in US dollars as decimal text.
    #[serde(default)]
    pub budget_usd: Option<String>,
    /// `day`, `month` or `total`; `month` when absent.
    #[serde(default)]
    pub period: Option<String>,
    /// Requests a minute.
    #[serde(default)]
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute.
    #[serde(default)]
    pub tokens_per_minute: Option<u64>,
    /// Calls at once.
    #[serde(default)]
    pub concurrent: Option<u64>,
    /// Most tokens of one answer.
    #[serde(default)]
    pub max_output_tokens: Option<u64>,
    /// Seconds from now until it stops working.
    #[serde(default)]
    pub expires_in: Option<u64>,
    /// Sees every project, makes and revokes keys.
    #[serde(default)]
    pub admin: bool,
    /// Whether what is said in its calls is kept: `on`, `errors` or `off`; as the project has it when absent.
    #[serde(default)]
    pub payloads: Option<String>,
}

/// Why keys could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A wish that cannot be met: the member, and why.
    #[error("{member}: {message}")]
    Wish {
        /// Which member.
        member: &'static str,
        /// Why.
        message: String,
    },
    /// No such key.
    #[error("there is no key `{0}`; see `hanok keys ls`")]
    Unknown(String),
    /// A name that several keys have.
    #[error("{count} keys are named `{name}`; say which by its id: {ids}")]
    Ambiguous {
        /// The name.
        name: String,
        /// How many.
        count: usize,
        /// Which.
        ids: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a key. The secret is in the answer and nowhere else.
pub async fn create(store: &Store, wish: KeyRequest) -> Result<(hanok_store::Key, Secret), KeysError> {
    let bad = |member, message: &str| KeysError::Wish { member, message: message.to_owned() };
    let name = wish.name.trim();
    if name.is_empty() || name.chars().any(char::is_control) || name.chars().count() > 100 {
        return Err(bad("name", "give the key a name of at most 100 characters"));
    }
    let project = if wish.project.trim().is_empty() { "default" } else { wish.project.trim() };
    if project.chars().any(|c| c.is_control() || c.is_whitespace()) || project.chars().count() > 100 {
        return Err(bad("project", "a project's name holds no spaces, and at most 100 characters"));
    }
    let zero = [wish.requests_per_minute, wish.tokens_per_minute, wish.concurrent, wish.max_output_tokens];
    if zero.contains(&Some(0)) {
        return Err(bad("limits", "a limit of 0 would refuse every call; revoke the key instead"));
    }
    let period = match wish.period.as_deref().unwrap_or("month") {
        "day" => BudgetPeriod::Day,
        "month" => BudgetPeriod::Month,
        "total" => BudgetPeriod::Total,
        _ => return Err(bad("period", "must be day, month or total")),
    };
    let mut budgets = Vec::new();
    if let Some(text) = wish.budget_usd.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        let limit: NanoDollars =
            text.parse().map_err(|error: hanok_base::usage::NotMoney| bad("budget", &error.to_string()))?;
        budgets.push(hanok_store::Budget { limit, period, model: None });
    }
    let payloads = match wish.payloads.as_deref() {
        None => None,
        Some(name) => {
            Some(Payloads::parse(name).ok_or_else(|| bad("payloads", "must be on, errors or off"))?)
        }
    };
    let models = wish.models.iter().map(|model| model.trim().to_owned()).filter(|model| !model.is_empty());
    let secret = Secret::random()?;
    let new = NewKey {
        name: name.to_owned(),
        project: project.to_owned(),
        admin: wish.admin,
        models: models.collect(),
        limits: hanok_store::Limits {
            requests_per_minute: wish.requests_per_minute,
            tokens_per_minute: wish.tokens_per_minute,
            concurrent: wish.concurrent,
        },
        budgets,
        max_output_tokens: wish.max_output_tokens,
        payloads,
        expires: wish.expires_in.map(|seconds| Timestamp::now().after(Duration::from_secs(seconds))),
    };
    let key = store.keys().create(new, &secret).await?;
    Ok((key, secret))
}

/// The key of this id, or the only one of this name that is not revoked.
pub async fn find(store: &Store, wanted: &str) -> Result<hanok_store::Key, KeysError> {
    let keys = store.keys().list().await?;
    if let Some(key) = keys.iter().find(|key| *key.id == *wanted) {
        return Ok(key.clone());
    }
    let mut named: Vec<&hanok_store::Key> =
        keys.iter().filter(|key| *key.name == *wanted && key.revoked.is_none()).collect();
    if named.len() > 1 {
        let ids: Vec<&str> = named.iter().map(|key| &*key.id).collect();
        return Err(KeysError::Ambiguous {
            name: wanted.to_owned(),
            count: named.len(),
            ids: ids.join(", "),
        });
    }
    named.pop().cloned().ok_or_else(|| KeysError::Unknown(wanted.to_owned()))
}

/// Revokes a key; gives it as it is then.
pub async fn revoke(store: &Store, wanted: &str) -> Result<hanok_store::Key, KeysError> {
    let key = find(store, wanted).await?;
    store.keys().revoke(&key.id).await?;
    find(store, &key.id).await
}

/// Gives back what a crash left counted as spent on a key's accounts.
pub async fn reconcile(store: &Store, wanted: &str) -> Result<(hanok_store::Key, NanoDollars), KeysError> {
    let key = find(store, wanted).await?;
    let own = format!("key:{}", key.id);
    let mut given_back = 0_i64;
    for balance in store.ledger().balances().await? {
        let account = &*balance.charge.account;
        let is_own = account.strip_prefix(&*own).is_some_and(|rest| rest.is_empty() || rest.starts_with('|'));
        if is_own {
            given_back = given_back.saturating_add(store.ledger().reconcile(&balance.charge).await?.0);
        }
    }
    Ok((key, NanoDollars(given_back)))
}

/// All keys with what they used, as `GET /api/keys` tells them. `ledger` knows what is reserved just now.
pub async fn list(
    store: &Store,
    ledger: Option<&Ledger>,
    only: Option<&str>,
) -> Result<Vec<Value>, KeysError> {
    let books = Books::read(store).await?;
    let mut keys = store.keys().list().await?;
    keys.retain(|key| only.is_none_or(|project| *key.project == *project));
    let now = Timestamp::now();
    Ok(keys.iter().map(|key| described(key, &books, ledger, now)).collect())
}

/// What the ledger has, by account and period.
pub struct Books(HashMap<Charge, Balance>);

impl Books {
    /// Reads all of it.
    pub async fn read(store: &Store) -> Result<Self, StoreError> {
        let balances = store.ledger().balances().await?;
        Ok(Self(balances.into_iter().map(|balance| (balance.charge.clone(), balance)).collect()))
    }

    pub(crate) fn of(&self, charge: &Charge) -> Balance {
        self.0.get(charge).cloned().unwrap_or_else(|| Balance::new(charge.clone()))
    }
}

/// Where a key's budget is kept.
pub(crate) fn charge_of(key: &hanok_store::Key, budget: &hanok_store::Budget, now: Timestamp) -> Charge {
    let account = match &budget.model {
        Some(model) => format!("key:{}|model:{model}", key.id),
        None => format!("key:{}", key.id),
    };
    Charge { account: account.into(), period: budget.period.of(now) }
}

/// `active`, `expired` or `revoked`.
pub(crate) fn state_of(key: &hanok_store::Key, now: Timestamp) -> &'static str {
    match key.revoked {
        Some(_) => "revoked",
        None if key.is_good(now) => "active",
        None => "expired",
    }
}

/// One key, without any secret.
pub fn described(key: &hanok_store::Key, books: &Books, ledger: Option<&Ledger>, now: Timestamp) -> Value {
    let budgets: Vec<Value> = key
        .budgets
        .iter()
        .map(|budget| {
            let charge = charge_of(key, budget, now);
            let balance = books.of(&charge);
            let reserved = ledger.and_then(|ledger| ledger.standing(&charge)).unwrap_or_default().reserved;
            json!({
                "limit_usd": budget.limit.dollars(),
                "period": budget.period,
                "model": budget.model,
                "spent_usd": balance.spent.dollars(),
                "spent_nano": balance.spent.0,
                "written_off_usd": balance.written_off.dollars(),
                "reserved_usd": reserved.dollars(),
            })
        })
        .collect();
    let month =
        books.of(&Charge { account: format!("key:{}", key.id).into(), period: BudgetPeriod::Month.of(now) });
    let time = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    json!({
        "id": key.id,
        "name": key.name,
        "project": key.project,
        "hint": format!("hk-…{}", key.hint),
        "admin": key.admin,
        "state": state_of(key, now),
        "models": key.models,
        "requests_per_minute": key.limits.requests_per_minute,
        "tokens_per_minute": key.limits.tokens_per_minute,
        "concurrent": key.limits.concurrent,
        "max_output_tokens": key.max_output_tokens,
        "payloads": key.payloads.map(Payloads::as_str),
        "budgets": budgets,
        "usage": {
            "period": month.charge.period,
            "calls": month.calls,
            "tokens": month.tokens,
            "spent_usd": month.spent.dollars(),
            "spent_nano": month.spent.0,
        },
        "created": key.created.rfc3339(),
        "expires": time(key.expires),
        "revoked": time(key.revoked),
        "last_used": time(key.last_used),
    })
}

/// A key of the configuration: its name and its secret. Always an admin's.
#[derive(Clone)]
pub struct ConfiguredKey {
    /// Its name, as spans show it.
    pub name: Arc<str>,
    /// The secret itself.
    pub secret: String,
}

/// Hands all good keys to the gateway.
pub async fn load(store: &Store, configured: &[ConfiguredKey], ring: &KeyRing) -> Result<(), StoreError> {
    let stored = store.keys().list().await?;
    let admins = configured.iter().map(|key| (hanok_store::hash_secret(&key.secret), admin(&key.name)));
    let virtual_keys =
        stored.into_iter().filter(|key| key.revoked.is_none()).map(|key| (key.hash, ours(key)));
    ring.replace(admins.chain(virtual_keys));
    Ok(())
}

fn admin(name: &Arc<str>) -> Key {
    Key {
        id: "".into(),
        name: name.clone(),
        project: "".into(),
        admin: true,
        models: Vec::new(),
        expires: None,
        max_output_tokens: None,
        limits: Limits::default(),
        budgets: Vec::new(),
        payloads: None,
        meter: Arc::default(),
    }
}

fn ours(key: hanok_store::Key) -> Key {
    let small = |count: Option<u64>| count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    Key {
        limits: Limits {
            requests_per_minute: small(key.limits.requests_per_minute),
            tokens_per_minute: key.limits.tokens_per_minute,
            concurrent: small(key.limits.concurrent),
        },
        budgets: key.budgets.into_iter().map(budget).collect(),
        id: key.id,
        name: key.name,
        project: key.project,
        admin: key.admin,
        models: key.models,
        expires: key.expires,
        max_output_tokens: key.max_output_tokens,
        payloads: key.payloads,
        meter: Arc::default(),
    }
}

fn budget(budget: hanok_store::Budget) -> Budget {
    let period = match budget.period {
        BudgetPeriod::Day => Period::Day,
        BudgetPeriod::Month => Period::Month,
        BudgetPeriod::Total => Period::Total,
    };
    Budget { limit: budget.limit, period, model: budget.model }
}
