use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use bartizan_core::{Clock, Secret};

use crate::{
    Algorithm, FetchDocument, IssuerConfig, JwtConfigError, JwtVerifierBuilder,
    config::PublicKeyConfig,
    crypto::{Material, PreparedKey},
    issuer::Keys,
    keys::{self, Flight, KeySet, Origin, Remote, Schedule, WaitingRoom},
};

/// As long as the hash, below which a secret can be guessed sooner than the hash (RFC 7518 §3.2).
const LEAST_SECRET_BYTES: usize = 32;

/// Where the configuration says that keys come from.
impl JwtVerifierBuilder {
    pub(crate) fn keys(
        &self,
        issuer: &IssuerConfig,
        clock: &Arc<dyn Clock>,
    ) -> Result<Keys, JwtConfigError> {
        let config = &self.config;
        if let Some(secret) = self.secret_of(issuer) {
            return key_of_secret(issuer, secret);
        }
        if let Some(json) = &issuer.jwk_set {
            return self.keys_of_set(json, &issuer.algorithms);
        }
        if !issuer.public_keys.is_empty() {
            return keys_of_pem(issuer);
        }
        let origin = match &issuer.jwks_url {
            Some(url) => {
                issuer.check_fetchable("jwks_url", url)?;
                Origin::Jwks { url: url.clone() }
            }
            None => Origin::Discovery {
                issuer: issuer.issuer.clone(),
            },
        };
        let fetcher = match &self.fetcher {
            Some(fetcher) => Arc::clone(fetcher),
            None => default_fetcher(config.fetch_timeout(), issuer.allow_private_issuer)?,
        };
        Ok(Keys::Remote(Arc::new(Remote {
            origin,
            fetcher,
            clock: Arc::clone(clock),
            events: self.events.clone(),
            allowed: issuer.algorithms.clone(),
            schedule: Schedule {
                ttl: Duration::from_secs(config.jwks_cache_ttl_seconds),
                max_stale: Duration::from_secs(config.jwks_max_stale_seconds),
                floor: Duration::from_secs(config.jwks_refetch_floor_seconds),
                timeout: config.fetch_timeout(),
            },
            allow_http: issuer.danger_allow_http_issuer,
            snapshot: ArcSwapOption::empty(),
            flight: std::sync::Mutex::new(Flight::default()),
            waiting: WaitingRoom::default(),
        })))
    }

    fn keys_of_set(&self, json: &str, allowed: &[Algorithm]) -> Result<Keys, JwtConfigError> {
        let (set, skipped) = KeySet::from_jwks(json.as_bytes(), allowed)
            .map_err(|problem| JwtConfigError::new("jwk_set", problem, "cannot be helped"))?;
        if skipped.iter().any(|key| key.is_private()) {
            return Err(JwtConfigError::of("jwk_set", "holds private key material"));
        }
        keys::emit_skipped(&self.events, &skipped);
        Ok(Keys::Fixed(Arc::new(set)))
    }
}

/// A secret is checked as soon as it is given, so that none that can be guessed is ever used.
fn key_of_secret(issuer: &IssuerConfig, secret: &Secret) -> Result<Keys, JwtConfigError> {
    let error = |problem| {
        Err(JwtConfigError::new(
            "shared_secret",
            &issuer.issuer,
            problem,
        ))
    };
    if secret.expose().len() < LEAST_SECRET_BYTES {
        return error("has a secret below 32 bytes");
    }
    let has_keys =
        issuer.jwks_url.is_some() || issuer.jwk_set.is_some() || !issuer.public_keys.is_empty();
    if has_keys {
        return error("has published keys too");
    }
    let material = Material::Shared(secret.clone());
    let Some(prepared) = PreparedKey::new(Algorithm::HS256, &material) else {
        return error("has a secret that is not accepted");
    };
    let key = keys::Key {
        kid: None,
        algorithm: Algorithm::HS256,
        prepared,
    };
    Ok(Keys::Fixed(Arc::new(KeySet::new(
        vec![key],
        &mut Vec::new(),
    ))))
}

fn keys_of_pem(issuer: &IssuerConfig) -> Result<Keys, JwtConfigError> {
    let mut keys = Vec::new();
    for PublicKeyConfig {
        kid,
        algorithm,
        pem,
    } in &issuer.public_keys
    {
        let name = kid.as_deref().unwrap_or("without kid");
        if !issuer.algorithms.contains(algorithm) {
            return Err(JwtConfigError::new(
                "public_keys",
                name,
                "is for an algorithm that is not allowed",
            ));
        }
        let key = keys::from_pem(kid.clone(), *algorithm, pem)
            .map_err(|problem| JwtConfigError::new("public_keys", name, problem))?;
        keys.push(key);
    }
    let nameless = |key: &&keys::Key| key.kid.is_none();
    let has_twin = |key: &keys::Key| {
        let twins = keys.iter().filter(nameless);
        twins.filter(|twin| twin.algorithm == key.algorithm).count() > 1
    };
    if keys.iter().filter(nameless).any(has_twin) {
        let problem = "hold several keys without kid for one algorithm: none could be chosen";
        return Err(JwtConfigError::of("public_keys", problem));
    }
    let mut repeated = Vec::new();
    let set = KeySet::new(keys, &mut repeated);
    if let Some(key) = repeated.first() {
        let name = key.kid.as_deref().unwrap_or_default();
        return Err(JwtConfigError::new("public_keys", name, "is given twice"));
    }
    Ok(Keys::Fixed(Arc::new(set)))
}

#[cfg(feature = "http")]
fn default_fetcher(
    timeout: Duration,
    allow_private: bool,
) -> Result<Arc<dyn FetchDocument>, JwtConfigError> {
    use crate::{HttpFetch, Reach};
    let reach = if allow_private {
        Reach::Private
    } else {
        Reach::Public
    };
    let fetcher = HttpFetch::reaching(reach, timeout);
    let fetcher = fetcher.map_err(|error| {
        JwtConfigError::new("http client", error.to_string(), "could not be set up")
    })?;
    Ok(Arc::new(fetcher))
}

#[cfg(not(feature = "http"))]
fn default_fetcher(_: Duration, _: bool) -> Result<Arc<dyn FetchDocument>, JwtConfigError> {
    Err(JwtConfigError::of(
        "fetcher",
        "is missing, and the feature `http` is off",
    ))
}
