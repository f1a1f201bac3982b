use std::{fmt, sync::Arc, time::Duration};

use bartizan_core::{Clock, Events, SystemClock, auth::Revocations};
use bartizan_fetch::{HttpFetch, Reach};
use bartizan_lookup::Lookups;
use bartizan_token::{
    ChallengeSettings, Challenges, MetadataSettings, ProtectedResourceMetadata, Resource,
};

use crate::{
    OAuthConfigError, OpaqueConfig, OpaqueVerifier, Provider,
    lookup::{Prepared, Surroundings},
    verifier::Inner,
};

/// Builds an [`OpaqueVerifier`]. Made by [`OpaqueVerifier::builder`].
#[must_use]
pub struct OpaqueVerifierBuilder {
    provider: Box<dyn Provider>,
    config: OpaqueConfig,
    clock: Arc<dyn Clock>,
    events: Events,
    revocations: Option<Revocations>,
}

/// Setters of what [`OpaqueConfig`] documents.
impl OpaqueVerifierBuilder {
    pub(crate) fn new(provider: impl Provider + 'static) -> Self {
        Self {
            provider: Box::new(provider),
            config: OpaqueConfig::default(),
            clock: Arc::new(SystemClock::new()),
            events: Events::default(),
            revocations: None,
        }
    }

    /// All settings at once.
    pub fn config(mut self, config: OpaqueConfig) -> Self {
        self.config = config;
        self
    }

    /// The resource identifier: the URL of the MCP endpoint (MD-3).
    pub fn resource(self, url: impl Into<String>) -> Self {
        self.with(|c| c.resource = Some(url.into()))
    }

    /// How long a good token is remembered, in whole seconds.
    pub fn token_cache_age(self, age: Duration) -> Self {
        self.with(|c| c.token_cache_age_seconds = age.as_secs())
    }

    /// How much longer a good token is believed while its provider can't be asked, in whole seconds.
    pub fn stale_age(self, age: Duration) -> Self {
        self.with(|c| c.stale_age_seconds = age.as_secs())
    }

    /// How long a bad token is remembered, in whole seconds.
    pub fn refused_cache_age(self, age: Duration) -> Self {
        self.with(|c| c.refused_cache_age_seconds = age.as_secs())
    }

    /// How many tokens are remembered.
    pub fn token_cache_capacity(self, tokens: usize) -> Self {
        self.with(|c| c.token_cache_capacity = tokens)
    }

    /// How long all questions about one token may take, in whole seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|c| c.timeout_seconds = timeout.as_secs())
    }

    /// How many tokens are asked about at a time.
    pub fn max_lookups(self, tokens: usize) -> Self {
        self.with(|c| c.max_lookups = tokens)
    }

    /// How many requests wait for answers altogether.
    pub fn max_waiting(self, requests: usize) -> Self {
        self.with(|c| c.max_waiting = requests)
    }

    /// How many tokens are asked about in a minute that were never good.
    pub fn new_tokens_per_minute(self, tokens: u32) -> Self {
        self.with(|c| c.new_tokens_per_minute = Some(tokens))
    }

    /// After how many failures in a row the provider is left alone, and for how long, in whole
    /// seconds.
    pub fn breaker(self, failures: u32, pause: Duration) -> Self {
        self.with(|c| {
            c.breaker_failures = failures;
            c.breaker_pause_seconds = pause.as_secs();
        })
    }

    /// Leaves tokens whose form is not this provider's to another authenticator beside this one, which
    /// then has to come after it: `AuthLayer::new(opaque).or(jwt)`. GitHub's begin with `gho_` or
    /// `ghu_`, Google's with `ya29.`; without a prefix all are that do not look like a JWT. Several
    /// verifiers of opaque tokens go into [`OAuthLayer::over`](crate::OAuthLayer::over), which sees to it.
    pub fn leave_others(self) -> Self {
        self.with(|c| c.leave_others = true)
    }

    /// The scopes that challenges name (AC-3).
    pub fn challenge_scopes<S: Into<String>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.with(|c| c.challenge_scopes = scopes.into_iter().map(Into::into).collect())
    }

    /// The authorization servers that the metadata name, if not the provider alone: all those whose tokens
    /// are good at this resource (MD-1).
    pub fn authorization_servers<S: Into<String>>(
        self,
        issuers: impl IntoIterator<Item = S>,
    ) -> Self {
        self.with(|c| c.authorization_servers = issuers.into_iter().map(Into::into).collect())
    }

    /// Permits the provider at addresses of private networks (SS-2).
    pub fn allow_private_issuer(self) -> Self {
        self.with(|c| c.allow_private_issuer = true)
    }

    /// Asks this list on every request whether a token was revoked, remembered or not. Open event streams
    /// end with it.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Where the verifier gets its time; by default from the operating system.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where the verifier reports that its provider does not answer, and that it does again.
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// Builds the verifier. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// If a setting is missing, unsafe or out of range; the error names which.
    pub fn build(self) -> Result<OpaqueVerifier, OAuthConfigError> {
        let config = &self.config;
        config.check()?;
        let timeout = Duration::from_secs(config.timeout_seconds);
        let reach = if config.allow_private_issuer {
            Reach::Private
        } else {
            Reach::Public
        };
        let fetch = HttpFetch::reaching(reach, timeout).map_err(|error| {
            OAuthConfigError::new("http client", error.to_string(), "could not be set up")
        })?;
        let prepared = self.provider.prepare(&Surroundings {
            fetch,
            clock: Arc::clone(&self.clock),
            cache_capacity: config.token_cache_capacity,
        })?;
        let resource = config.resource.as_ref().or(prepared.resource.as_ref());
        let resource = resource.ok_or_else(|| OAuthConfigError::missing("resource"))?;
        let resource = Resource::new(resource)?;
        let challenges = Challenges::new(ChallengeSettings {
            realm: config.realm.as_deref(),
            scopes: &config.challenge_scopes,
            metadata_url: &resource.metadata_url,
        })?;
        let metadata = ProtectedResourceMetadata::new(&resource, &metadata(config, &prepared))?;
        let settings = config.lookups(prepared.defaults.new_tokens_per_minute);
        let (clock, events) = (self.clock, self.events);
        let lookups = Lookups::new(prepared.lookup, &settings, clock, events, self.revocations)?;
        let inner = Inner {
            lookups: Arc::new(lookups),
            max_token_bytes: config.max_token_bytes,
            prefixes: prepared.prefixes,
            challenges,
            metadata,
        };
        Ok(OpaqueVerifier::new(inner, config.leave_others))
    }

    fn with(mut self, change: impl FnOnce(&mut OpaqueConfig)) -> Self {
        change(&mut self.config);
        self
    }
}

fn metadata<'a>(config: &'a OpaqueConfig, prepared: &'a Prepared) -> MetadataSettings<'a> {
    let servers = match config.authorization_servers.as_slice() {
        [] => vec![prepared.authorization_server.as_str()],
        servers => servers.iter().map(String::as_str).collect(),
    };
    let issuer = prepared.authorization_server.as_str();
    let dangerous = prepared.allow_http.then_some(issuer);
    MetadataSettings {
        authorization_servers: servers,
        scopes_supported: &config.scopes_supported,
        resource_name: config.resource_name.as_deref(),
        resource_documentation: config.resource_documentation.as_deref(),
        dpop: None,
        certificate_bound: false,
        danger_allow_http: dangerous.into_iter().collect(),
    }
}

impl fmt::Debug for OpaqueVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpaqueVerifierBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
