//! What requests work with beside the snapshot and what changes together with it when the configuration is
//! read again: upstreams, what they are told, limits.

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::{AuthConfig, Config, ServerConfig};
use crate::identity_headers::HeaderPlan;
use crate::provisioning::Provisioning;
use crate::store::Store;
use crate::telemetry::RouteLabel;
use crate::upstream::{SecretError, UpstreamSet};

/// The equipment of one configuration.
#[derive(Debug)]
pub struct Equipment {
    /// `[server]`
    pub server: ServerConfig,
    /// `[auth]`
    pub auth: AuthConfig,
    /// The services behind.
    pub upstreams: Arc<UpstreamSet>,
    /// What each upstream is told; by upstream index.
    pub plans: Vec<HeaderPlan>,
    /// Names of rules in metrics; by rule index.
    pub route_labels: Vec<RouteLabel>,
    /// Tells upstreams of users.
    pub provisioning: Arc<Provisioning>,
    retired: watch::Sender<bool>,
}

impl Equipment {
    /// The equipment of a configuration, not yet at work.
    ///
    /// # Errors
    /// Where the secret of an upstream can neither be read nor made.
    pub fn new(config: &Config, store: Arc<dyn Store>) -> Result<Self, SecretError> {
        let upstreams = Arc::new(UpstreamSet::new(&config.upstreams)?);
        let plans = config
            .upstreams
            .iter()
            .zip(upstreams.ids())
            .map(|(upstream, id)| {
                let secret = upstreams.secret(id).cloned();
                HeaderPlan::new(upstream.identity_headers.clone(), secret)
            })
            .collect();
        let route_labels = config
            .policy
            .rules()
            .iter()
            .map(|rule| RouteLabel::new(rule.path()))
            .collect();
        Ok(Self {
            server: config.server.clone(),
            auth: config.auth.clone(),
            provisioning: Arc::new(Provisioning::new(
                store,
                Arc::clone(&upstreams),
                crate::clock::now,
            )),
            upstreams,
            plans,
            route_labels,
            retired: watch::Sender::new(false),
        })
    }

    /// Looks names up and goes on doing so, then tells upstreams of users. Returns after the first look-up.
    pub async fn start(&self) {
        tokio::spawn(
            self.upstreams
                .clone()
                .refresh_loop(self.retired.subscribe()),
        );
        self.upstreams.resolve_all().await;
        tokio::spawn(self.provisioning.clone().run(self.retired.subscribe()));
    }

    /// Ends what [`Self::start`] began. Requests that hold this equipment are served to their end.
    pub fn retire(&self) {
        self.retired.send_replace(true);
    }
}
