//! A running server takes a changed configuration: on SIGHUP, or when the file changed.

use crate::config::{Effective, Overrides};
use crate::wiring::{self, Rooms};
use hanok_base::Timestamp;
use hanok_server::{ConfigProblem, House, Tls};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watches the file that `effective` came from, and keys made by commands; never returns.
pub(crate) async fn watch(
    effective: Effective,
    house: Arc<House>,
    rooms: Arc<Rooms>,
    tls: Option<Tls>,
    mut asked: Asked,
) {
    let mut keys_changed = rooms.store.keys_changed();
    let mut seen = Stamp::of(&effective);
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let forced = tokio::select! {
            _ = look.tick() => false,
            () = asked.next() => true,
            Ok(()) = keys_changed.changed() => {
                if let Err(error) = house.load_keys().await {
                    tracing::error!(error = &error as &dyn std::error::Error, "keys could not be read again");
                }
                continue;
            }
        };
        let now = Stamp::of(&effective);
        if !forced && now == seen {
            continue;
        }
        seen = now;
        let file = effective.file.as_deref().unwrap_or(Path::new("hanok.toml")).display().to_string();
        match apply(&effective, &house, &rooms, tls.as_ref()).await {
            Ok(()) => {
                house.config_problem.store(None);
                tracing::info!(file, "the configuration was taken");
            }
            Err(error) => {
                let message = format!("{error:#}");
                tracing::error!(
                    file,
                    error = message,
                    "the configuration on disk is not good; the old one stays"
                );
                house.config_problem.store(Some(Arc::new(ConfigProblem {
                    file,
                    message,
                    at: Timestamp::now(),
                })));
            }
        }
    }
}

/// Takes the file as it is now: all of it, or nothing.
async fn apply(old: &Effective, house: &Arc<House>, rooms: &Rooms, tls: Option<&Tls>) -> anyhow::Result<()> {
    let overrides =
        Overrides { config: old.file.clone(), data: Some(old.data.value.clone()), ..old.overrides.clone() };
    let new = Effective::load(&overrides)?;
    wiring::check(&new)?;
    let mut settings = wiring::settings(&new, house.settings.load().bind)?;
    // The socket stays as it is: address and scheme change with the next start.
    settings.tls = house.settings.load().tls;
    let configured = wiring::configured_keys(&new)?;
    let certificate = wiring::certificate(&new)?;
    let keys_stay =
        !configured.is_empty() || rooms.store.keys().list().await?.iter().any(|key| key.revoked.is_none());
    wiring::check_bind(&new, settings.bind, keys_stay)?;
    if let Some(otlp) = old.otlp_address().map_err(anyhow::Error::msg)? {
        wiring::check_bind(&new, otlp, keys_stay)?;
    }
    let scoring = wiring::scoring_rules(&new, rooms).await?;
    rooms.route(&new)?;
    rooms.scoring.store(Arc::new(scoring));
    wiring::take_in(&rooms.library, &new).await?;
    equip_behind(&new, house, rooms);
    if let (Some(tls), Some((chain, key))) = (tls, certificate) {
        tls.replace(&chain, &key)?;
    }
    house.configured_keys.store(Arc::new(configured));
    house.load_keys().await?;
    house.providers.store(Arc::new(wiring::provider_infos(&new)));
    house.settings.store(Arc::new(settings));
    Ok(())
}

/// Opens what collections are to be searched with from now on, and makes the vectors they lack then. Until it is open,
/// and where it cannot be, what they had serves.
fn equip_behind(effective: &Effective, house: &Arc<House>, rooms: &Rooms) {
    let (effective, house, equipper) = (effective.clone(), house.clone(), rooms.equipper.clone());
    let wish = equipper.expect(&effective);
    tokio::spawn(async move {
        for error in equipper.equip(&effective, wish).await {
            tracing::error!(error = format!("{error:#}"), "a collection keeps what it is searched with");
        }
        house.embed_behind();
    });
}

/// What the file, what it names and the folder of models looked like.
#[derive(PartialEq, Eq)]
struct Stamp(Vec<(PathBuf, Option<(SystemTime, u64)>)>);

impl Stamp {
    fn of(effective: &Effective) -> Self {
        let server = &effective.config.server;
        let beside = [&server.tls_cert, &server.tls_key].into_iter().flatten();
        let named = beside.map(|path| effective.beside_file(path));
        let file = effective.file.clone().unwrap_or_else(|| PathBuf::from("hanok.toml"));
        // A model that was pulled or removed is another thing to route to and to search with.
        let models = effective.data.value.join("models");
        // How live traces are scored stands in the files of evals.
        let scoring = effective.config.scoring.iter().map(|rule| wiring::scoring_file(effective, rule));
        let looked = [file, models].into_iter().chain(named).chain(scoring).map(|path| {
            let found = std::fs::metadata(&path).ok();
            let stamp = found.and_then(|found| Some((found.modified().ok()?, found.len())));
            (path, stamp)
        });
        Self(looked.collect())
    }
}

/// Requests to take the file again.
#[cfg(unix)]
pub(crate) struct Asked(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Asked {
    /// From here on a request does not end the process.
    pub(crate) fn listen() -> Self {
        Self(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok())
    }

    async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
}

/// Requests to take the file again: none where there are no signals.
#[cfg(not(unix))]
pub(crate) struct Asked;

#[cfg(not(unix))]
impl Asked {
    /// From here on a request does not end the process.
    pub(crate) fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        std::future::pending().await
    }
}
