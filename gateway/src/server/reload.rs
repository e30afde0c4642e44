//! SIGHUP: the configuration is read again and takes effect whole, or not at all.
//!
//! Invariant: a configuration that has any problem changes nothing; requests in flight end under the one
//! they began with.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::{Reread, settings};
use crate::config::{Config, ServerConfig};
use crate::endpoints::Endpoints;
use crate::equipment::Equipment;
use crate::state::Current;
use crate::tls::Certificates;

/// Longest time that reading the configuration may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a reload works on.
pub(super) struct Reloader {
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) reread: Reread,
}

/// Reads the configuration again at each SIGHUP.
pub(super) async fn on_hangup(reloader: Reloader) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP cannot be listened for: a new configuration needs a restart");
            return;
        }
    };
    while hangup.recv().await.is_some() {
        let reloaded = reloader.reload().await;
        reloader
            .endpoints
            .metrics
            .set_config_reload(reloaded.is_ok());
        match reloaded {
            Ok(()) => tracing::info!("the configuration was read again and is in effect"),
            Err(why) => tracing::error!(
                "the configuration was not reloaded, the last good one stays: {why}"
            ),
        }
    }
}

impl Reloader {
    async fn reload(&self) -> Result<(), String> {
        let endpoints = &self.endpoints;
        let reread = Arc::clone(&self.reread);
        // Files on a network mount may not answer, and the rest goes on.
        let read =
            tokio::task::spawn_blocking(move || reread().map_err(|problems| problems.to_string()));
        let read = tokio::time::timeout(PATIENCE, read)
            .await
            .map_err(|_| "the configuration could not be read in time".to_owned())?;
        let mut config = read.map_err(|error| error.to_string())??.config;
        let current = endpoints.state.load();
        keep_what_needs_a_restart(&mut config, &current)?;
        let equipment = Arc::new(
            Equipment::new(&config, Arc::clone(endpoints.state.store()))
                .map_err(|error| error.to_string())?,
        );
        match (&self.certificates, &config.server.tls) {
            (Some(certificates), Some(files)) => certificates
                .reload(files)
                .map_err(|error| error.to_string())?,
            (None, None) => {}
            _ => {
                return Err(
                    "TLS cannot be switched on or off while the gateway runs: restart it"
                        .to_owned(),
                );
            }
        }
        // From here on nothing fails.
        equipment.start().await;
        // Keys and users are the store's.
        let old = &current.snapshot;
        let settings = settings(&config, Arc::clone(&old.keys), Arc::clone(&old.view));
        endpoints.state.replace(settings, equipment).await;
        // From here on nobody begins with the old equipment.
        current.equipment.retire();
        Ok(())
    }
}

/// Some settings are built into what runs. Where they differ, they stay as they were and are named.
fn keep_what_needs_a_restart(
    config: &mut Config,
    current: &Current<Equipment>,
) -> Result<(), String> {
    let (old, auth) = (&current.equipment.server, &current.equipment.auth);
    if config.server.data_dir != old.data_dir || config.auth.algorithm != auth.algorithm {
        return Err(
            "server.data_dir and auth.algorithm cannot change while the gateway runs: restart it"
                .to_owned(),
        );
    }
    let restart: Vec<&str> = [
        ("server.listen", config.server.listen == old.listen),
        (
            "server.admin_listen",
            config.server.admin_listen == old.admin_listen,
        ),
        ("server.threads", config.server.threads == old.threads),
        (
            "server.limits (connections and times)",
            edge_limits(&config.server) == edge_limits(old),
        ),
        ("auth.password", config.auth.password == auth.password),
        ("auth.throttle", config.auth.throttle == auth.throttle),
    ]
    .into_iter()
    .filter_map(|(name, same)| (!same).then_some(name))
    .collect();
    if !restart.is_empty() {
        tracing::warn!(
            "takes effect at the next start only: {}",
            restart.join(", ")
        );
    }
    Ok(())
}

fn edge_limits(server: &ServerConfig) -> impl PartialEq {
    let limits = &server.limits;
    (
        limits.connections,
        limits.connections_per_ip,
        limits.header_timeout,
        limits.keep_alive,
        limits.keep_alive_requests,
    )
}
