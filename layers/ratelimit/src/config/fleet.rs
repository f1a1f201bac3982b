use std::time::Duration;

use bartizan_core::Secret;
use bartizan_redis::Redis;
use serde::{Deserialize, Serialize};

use crate::{Fleet, FleetBuilder};

/// The settings of a [`Fleet`] as a file holds them; unknown fields are refused. The server, which may need a password,
/// and the secret come from elsewhere.
///
/// ```
/// use bartizan_ratelimit::{FleetConfig, RateLimitConfig, RateLimitsBuilder};
/// use bartizan_redis::Redis;
/// # let secret = (0..32).collect::<Vec<u8>>();
/// #[derive(serde::Deserialize)]
/// struct File {
///     limits: RateLimitConfig,
///     fleet: FleetConfig,
/// }
/// let file: File = toml::from_str(r#"
///     [limits]
///     account = { per_minute = 60 }
///     global = { per_minute = 6000 }
///     shared = { account = "local_share", global = "open" }
///
///     [fleet]
///     name = "notes"
///     replicas = 4
///     wait_ms = 15
///     leases = true
/// "#)?;
/// let redis = Redis::builder("redis://127.0.0.1:6379/").build()?;
/// let fleet = file.fleet.builder(redis, secret).build()?;
/// let limits = RateLimitsBuilder::try_from(file.limits)?.fleet(&fleet).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct FleetConfig {
    /// See [`FleetBuilder::name`].
    pub name: Option<String>,
    /// See [`FleetBuilder::wait`], in milliseconds.
    pub wait_ms: Option<u64>,
    /// See [`FleetBuilder::replicas`].
    pub replicas: Option<u32>,
    /// See [`FleetBuilder::leases`].
    pub leases: bool,
}

impl FleetConfig {
    /// Starts a fleet with these settings.
    pub fn builder(self, redis: Redis, secret: impl Into<Secret>) -> FleetBuilder {
        let mut builder = Fleet::builder(redis, secret);
        if let Some(name) = self.name {
            builder = builder.name(&name);
        }
        if let Some(millis) = self.wait_ms {
            builder = builder.wait(Duration::from_millis(millis));
        }
        if let Some(replicas) = self.replicas {
            builder = builder.replicas(replicas);
        }
        if self.leases {
            builder = builder.leases();
        }
        builder
    }
}
