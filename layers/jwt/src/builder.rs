use std::{fmt, sync::Arc, time::Duration};

use bartizan_core::{Clock, Events, Secret, SystemClock, auth::Revocations};
use bartizan_token::{Audiences, ChallengeSettings, Challenges, Resource};
use http::HeaderValue;

use crate::{
    Algorithm, DpopConfig, FetchDocument, IssuerConfig, JwtConfig, JwtConfigError, JwtVerifier,
    ProtectedResourceMetadata, TokenProfile, crypto,
    dpop::{Dpop, ProofChallenges},
    issuer::Issuer,
    remembered::Remembered,
    verifier::Inner,
};

/// Builds a [`JwtVerifier`]. Made by [`JwtVerifier::builder`], or from a [`JwtConfig`].
#[derive(Clone)]
#[must_use]
pub struct JwtVerifierBuilder {
    pub(crate) config: JwtConfig,
    clock: Option<Arc<dyn Clock>>,
    pub(crate) events: Events,
    pub(crate) fetcher: Option<Arc<dyn FetchDocument>>,
    revocations: Option<Revocations>,
    secrets: Vec<(String, Secret)>,
    nonce_secret: Option<Secret>,
}

impl From<JwtConfig> for JwtVerifierBuilder {
    fn from(config: JwtConfig) -> Self {
        Self {
            config,
            clock: None,
            events: Events::default(),
            fetcher: None,
            revocations: None,
            secrets: Vec::new(),
            nonce_secret: None,
        }
    }
}

/// Setters of what [`JwtConfig`] and [`IssuerConfig`] document. Those of an issuer are for the first
/// one. Durations count in whole seconds.
impl JwtVerifierBuilder {
    /// The issuer identifier, compared exactly (TV-4). Required.
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        self.of_first(|i| IssuerConfig {
            issuer: issuer.into(),
            ..i
        })
    }

    /// Accepts tokens of another issuer too. Which issuer judges a token, its `iss` claim says, before
    /// anything is verified; there is no trying (TV-4).
    pub fn add_issuer(self, issuer: IssuerConfig) -> Self {
        self.with(|c| c.issuers.push(issuer))
    }

    /// Adds an audience of tokens of all issuers (TV-2, TV-3), except of those that name their own.
    /// At least one is required.
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.with(|c| c.audience.push(audience.into()))
    }

    /// The resource identifier, where it is not the first audience that is a URL (MD-3).
    pub fn resource(self, url: impl Into<String>) -> Self {
        self.with(|c| c.resource = Some(url.into()))
    }

    /// Fetches keys from this URL instead of discovering it.
    pub fn jwks_url(self, url: impl Into<String>) -> Self {
        self.of_first(|i| i.jwks_url(url))
    }

    /// Uses the keys of this JWK set and fetches nothing.
    pub fn jwk_set(self, json: impl Into<String>) -> Self {
        self.of_first(|i| i.jwk_set(json))
    }

    /// Adds a public key in PEM form, and fetches nothing. A key without `kid` is for tokens of
    /// any key id, if it is the only such key.
    pub fn public_key_pem(
        self,
        kid: Option<&str>,
        algorithm: Algorithm,
        pem: impl Into<String>,
    ) -> Self {
        self.of_first(|i| i.public_key_pem(kid, algorithm, pem))
    }

    /// Tokens of this issuer are signed with a secret that this server shares, by HS256 and nothing
    /// else. It needs 32 bytes of a random generator, and whoever knows it can make tokens: prefer
    /// an issuer with public keys. A secret is no part of the configuration's data.
    pub fn shared_secret(mut self, issuer: impl Into<String>, secret: impl Into<Secret>) -> Self {
        self.secrets.push((issuer.into(), secret.into()));
        self
    }

    /// Judges proofs of possession (DPoP, RFC 9449): tokens that are bound to a key are then accepted
    /// from whoever proves to hold it.
    ///
    /// Tokens that are bound to a certificate (RFC 8705) need no configuration here. They are accepted
    /// if the request has that [`ClientCertificate`](bartizan_core::ClientCertificate) in its extensions.
    pub fn dpop(self, config: DpopConfig) -> Self {
        self.with(|c| c.dpop = Some(config))
    }

    /// Tells in the metadata that tokens bound to a client certificate are taken (MD-6): where requests
    /// have their [`ClientCertificate`](bartizan_core::ClientCertificate), that is.
    pub fn tls_client_certificate_bound_access_tokens(self) -> Self {
        self.with(|c| c.tls_client_certificate_bound_access_tokens = true)
    }

    /// What nonces are made with, so that servers beside one another take each other's: 16 bytes of a
    /// random generator at least. By default each process makes its own.
    pub fn dpop_nonce_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.nonce_secret = Some(secret.into());
        self
    }

    /// The algorithms that may be used, instead of [`Algorithm::DEFAULT`].
    pub fn algorithms(self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.of_first(|i| i.algorithms(algorithms))
    }

    /// Which sort of token is an access token (TV-7).
    pub fn profile(self, profile: TokenProfile) -> Self {
        self.of_first(|i| i.profile(profile))
    }

    /// Requires `client_id`, `iat` and `jti` too (TV-8).
    pub fn strict_rfc9068(self) -> Self {
        self.of_first(IssuerConfig::strict_rfc9068)
    }

    /// How far clocks may differ; 60 s by default, at most 300 s.
    pub fn leeway(self, leeway: Duration) -> Self {
        self.with(|c| c.leeway_seconds = leeway.as_secs())
    }

    /// The longest that a token may be good, from its `iat`, or from now if it has none, to its `exp`;
    /// unlimited by default, at least 60 s.
    pub fn max_token_lifetime(self, lifetime: Duration) -> Self {
        self.with(|c| c.max_token_lifetime_seconds = Some(lifetime.as_secs()))
    }

    /// The longest token that is read; 16 KiB by default.
    pub fn max_token_bytes(self, bytes: usize) -> Self {
        self.with(|c| c.max_token_bytes = bytes)
    }

    /// How many verified tokens are remembered; 10,000 by default, at most 1,000,000; 0 for none,
    /// so that every request costs a signature check. A token of more than 2 KiB counts once for each
    /// 2 KiB that it begins.
    pub fn token_cache_capacity(self, tokens: usize) -> Self {
        self.with(|c| c.token_cache_capacity = tokens)
    }

    /// How long a token is remembered before it is verified anew; 300 s by default, 1 s to 1 h.
    pub fn token_cache_age(self, age: Duration) -> Self {
        self.with(|c| c.token_cache_age_seconds = age.as_secs())
    }

    /// How long fetched keys are fresh; 3600 s by default, 60 s to 24 h.
    pub fn jwks_cache_ttl(self, ttl: Duration) -> Self {
        self.with(|c| c.jwks_cache_ttl_seconds = ttl.as_secs())
    }

    /// How long beyond that they serve while the issuer cannot be reached; 24 h by default.
    pub fn jwks_max_stale(self, bound: Duration) -> Self {
        self.with(|c| c.jwks_max_stale_seconds = bound.as_secs())
    }

    /// The least time between two fetches; 30 s by default.
    pub fn jwks_refetch_floor(self, floor: Duration) -> Self {
        self.with(|c| c.jwks_refetch_floor_seconds = floor.as_secs())
    }

    /// How long one fetch of keys, with discovery, may take; 10 s by default.
    pub fn fetch_timeout(self, timeout: Duration) -> Self {
        self.with(|c| c.fetch_timeout_seconds = timeout.as_secs())
    }

    /// The claim with the roles; by default `roles`, or else `role`.
    pub fn roles_claim(self, path: impl Into<String>) -> Self {
        self.of_first(|i| i.roles_claim(path))
    }

    /// The claim with the tools that a token is good for, whatever its owner may do: a list of patterns. See
    /// [`IssuerConfig::tool_limits_claim`].
    pub fn tool_limits_claim(self, path: impl Into<String>) -> Self {
        self.of_first(|i| i.tool_limits_claim(path))
    }

    /// The claim with the tenant.
    pub fn tenant_claim(self, path: impl Into<String>) -> Self {
        self.of_first(|i| i.tenant_claim(path))
    }

    /// The tenants whose tokens are accepted. Needs [`tenant_claim`](Self::tenant_claim).
    pub fn tenants<I: IntoIterator<Item: Into<String>>>(self, tenants: I) -> Self {
        self.of_first(|i| i.tenants(tenants))
    }

    /// The `realm` of challenges (AC-13).
    pub fn realm(self, realm: impl Into<String>) -> Self {
        self.with(|c| c.realm = Some(realm.into()))
    }

    /// The scopes that challenges name (AC-3). Nothing is required by them: that is a policy's
    /// business.
    pub fn challenge_scopes<I: IntoIterator<Item: Into<String>>>(self, scopes: I) -> Self {
        self.with(|c| c.challenge_scopes = scopes.into_iter().map(Into::into).collect())
    }

    /// `scopes_supported` in the metadata (MD-5).
    pub fn scopes_supported<I: IntoIterator<Item: Into<String>>>(self, scopes: I) -> Self {
        self.with(|c| c.scopes_supported = scopes.into_iter().map(Into::into).collect())
    }

    /// `authorization_servers` in the metadata, instead of the issuers (MD-1).
    pub fn authorization_servers<I: IntoIterator<Item: Into<String>>>(self, urls: I) -> Self {
        self.with(|c| c.authorization_servers = urls.into_iter().map(Into::into).collect())
    }

    /// `resource_name` in the metadata.
    pub fn resource_name(self, name: impl Into<String>) -> Self {
        self.with(|c| c.resource_name = Some(name.into()))
    }

    /// `resource_documentation` in the metadata.
    pub fn resource_documentation(self, url: impl Into<String>) -> Self {
        self.with(|c| c.resource_documentation = Some(url.into()))
    }

    /// Permits the issuer, and its keys, at addresses of private networks (SS-2). One on this machine,
    /// which its URL then says, needs no permission.
    pub fn allow_private_issuer(self) -> Self {
        self.of_first(IssuerConfig::allow_private_issuer)
    }

    /// Permits an issuer, and its keys, over plain HTTP from other machines: whoever is on the
    /// way can then make tokens. Issuers on this machine need no permission.
    pub fn danger_allow_http_issuer(self) -> Self {
        self.of_first(IssuerConfig::danger_allow_http_issuer)
    }

    /// Where the time comes from.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Where events go: keys refreshed or skipped, the issuer down.
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// Refuses what this list revokes, from the next request on, remembered or not: a token by its
    /// `jti`, a session by its `sid`, a subject's tokens by their `iat`. Open event streams end with it.
    ///
    /// The issuer's clock may be ahead by the leeway, if that is more than the list's
    /// [`skew`](Revocations::skew): so long a subject that was revoked stays locked out.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Fetches documents by other means than the feature `http`. What it reaches is its own affair.
    pub fn fetcher(mut self, fetcher: impl FetchDocument) -> Self {
        self.fetcher = Some(Arc::new(fetcher));
        self
    }

    /// The verifier.
    ///
    /// # Errors
    ///
    /// If a setting is missing, unsafe or out of range, or settings contradict each other; the
    /// error names which.
    pub fn build(mut self) -> Result<JwtVerifier, JwtConfigError> {
        if !crypto::AVAILABLE {
            let problem = "needs one of the crate's features `aws-lc-rs` and `rust-crypto`";
            return Err(JwtConfigError::of("algorithms", problem));
        }
        // Whoever only adds issuers has said nothing of the first.
        let is_said = |issuer: &IssuerConfig| *issuer != IssuerConfig::default();
        self.config.issuers.retain(is_said);
        self.config.check()?;
        let clock = self.clock.take();
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let issuers = self.issuers(&clock)?;
        let config = &self.config;
        let resource = self.resource_url()?;
        let settings = ChallengeSettings {
            realm: config.realm.as_deref(),
            scopes: &config.challenge_scopes,
            metadata_url: &resource.metadata_url,
        };
        let challenges = Challenges::new(settings)?;
        let (dpop, proofs) = match &config.dpop {
            Some(dpop) => {
                let proofs = ProofChallenges::new(settings, &dpop.algorithms)?;
                let secret = self.nonce_secret.as_ref();
                let dpop = Dpop::new(dpop, secret, &resource.identifier, &clock)?;
                (Some(dpop), Some(proofs))
            }
            None if self.nonce_secret.is_some() => {
                return Err(JwtConfigError::of("dpop_nonce_secret", "needs dpop"));
            }
            None => (None, None),
        };
        let remembered = Remembered::new(
            config.token_cache_capacity,
            Duration::from_secs(config.token_cache_age_seconds),
        )?;
        Ok(JwtVerifier::new(Inner {
            issuers,
            max_token_bytes: config.max_token_bytes,
            remembered,
            // Who accepts a token of the future has to take it for one of before a revocation.
            revocations: self.revocations.clone().map(|list| {
                let skew = list.skew().max(config.leeway());
                list.with_skew(skew)
            }),
            clock,
            metadata: ProtectedResourceMetadata::new(&resource, &config.metadata())?,
            offered: offered(&challenges, proofs.as_ref(), dpop.as_ref()),
            dpop,
            proofs,
            challenges,
        }))
    }

    fn issuers(&self, clock: &Arc<dyn Clock>) -> Result<Vec<Issuer>, JwtConfigError> {
        let config = &self.config;
        if config.issuers.is_empty() {
            return Err(JwtConfigError::missing("issuer"));
        }
        for (index, (name, _)) in self.secrets.iter().enumerate() {
            let error = |problem| Err(JwtConfigError::new("shared_secret", name, problem));
            if !config.issuers.iter().any(|issuer| issuer.issuer == *name) {
                return error("is no issuer");
            }
            if self
                .secrets
                .iter()
                .skip(index + 1)
                .any(|(other, _)| other == name)
            {
                return error("has two secrets");
            }
        }
        let mut issuers: Vec<Issuer> = Vec::with_capacity(config.issuers.len());
        for issuer in &config.issuers {
            if issuers.iter().any(|i| i.rules.issuer == issuer.issuer) {
                return Err(JwtConfigError::new(
                    "issuer",
                    &issuer.issuer,
                    "is given twice",
                ));
            }
            issuers.push(self.read_issuer(issuers.len(), issuer, clock)?);
        }
        Ok(issuers)
    }

    pub(crate) fn secret_of(&self, issuer: &IssuerConfig) -> Option<&Secret> {
        let mut secrets = self.secrets.iter();
        let found = secrets.find(|(name, _)| *name == issuer.issuer);
        found.map(|(_, secret)| secret)
    }

    fn resource_url(&self) -> Result<Resource, JwtConfigError> {
        let config = &self.config;
        if let Some(url) = &config.resource {
            return Resource::new(url);
        }
        let of_issuers = config.issuers.iter().map(|issuer| &issuer.audience);
        for audiences in std::iter::once(&config.audience).chain(of_issuers) {
            if !audiences.is_empty()
                && let Some(url) = Audiences::new(audiences)?.first_url()
            {
                return Resource::new(url);
            }
        }
        let problem = "is missing, and no audience is a URL";
        Err(JwtConfigError::of("resource", problem))
    }

    fn of_first(self, change: impl FnOnce(IssuerConfig) -> IssuerConfig) -> Self {
        self.with(|c| match c.issuers.first_mut() {
            Some(first) => *first = change(std::mem::take(first)),
            None => c.issuers.push(change(IssuerConfig::default())),
        })
    }

    fn with(mut self, change: impl FnOnce(&mut JwtConfig)) -> Self {
        change(&mut self.config);
        self
    }
}

/// What a request without credentials is told. Bearer comes first, where it is accepted (AC-12).
fn offered(
    bearer: &Challenges,
    proofs: Option<&ProofChallenges>,
    dpop: Option<&Dpop>,
) -> Vec<HeaderValue> {
    let bearer = Some(&bearer.missing).filter(|_| !dpop.is_some_and(|dpop| dpop.is_required));
    let lines = bearer
        .into_iter()
        .chain(proofs.map(|proofs| &proofs.missing));
    lines.cloned().collect()
}

impl fmt::Debug for JwtVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifierBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
