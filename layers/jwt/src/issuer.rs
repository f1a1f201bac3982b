use std::{sync::Arc, time::Duration};

use bartizan_core::Clock;
use bartizan_fetch::{WebUrl, unfetchable};
use bartizan_token::{Audiences, ClaimMap, ClaimNames};
use serde_json::{Map, Value};

use crate::{
    Algorithm, IssuerConfig, JwtConfigError, JwtVerifierBuilder,
    claims::ClaimRules,
    judge::{Judgement, Refusal},
    keys::{Current, Found, KeySet, Refresh, Remote},
    remembered::Verified,
    token::{Compact, Unverified},
};

/// An issuer whose tokens are accepted, and all that its tokens are judged by.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) rules: ClaimRules,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) keys: Keys,
    claim_map: ClaimMap,
    /// Its place in the verifier.
    place: usize,
}

pub(crate) enum Keys {
    Fixed(Arc<KeySet>),
    Remote(Arc<Remote>),
}

/// A token of this issuer, if it is to be believed.
pub(crate) struct Candidate<'a> {
    pub(crate) token: Compact<'a>,
    /// Its claims, if they had to be read to know whose it is.
    pub(crate) claims: Option<Map<String, Value>>,
}

impl JwtVerifierBuilder {
    pub(crate) fn read_issuer(
        &self,
        place: usize,
        config: &IssuerConfig,
        clock: &Arc<dyn Clock>,
    ) -> Result<Issuer, JwtConfigError> {
        config.check()?;
        let algorithms = self.algorithms_of(config)?;
        let audiences = match config.audience.as_slice() {
            [] => &self.config.audience,
            own => own,
        };
        Ok(Issuer {
            rules: ClaimRules {
                issuer: config.issuer.clone(),
                audiences: Audiences::new(audiences)?,
                leeway: self.config.leeway(),
                max_lifetime: self
                    .config
                    .max_token_lifetime_seconds
                    .map(Duration::from_secs),
                profile: config.profile,
                strict_rfc9068: config.strict_rfc9068,
            },
            algorithms,
            keys: self.keys(config, clock)?,
            claim_map: ClaimMap::new(&config.claim_names())?,
            place,
        })
    }
}

impl JwtVerifierBuilder {
    /// Those of published keys, or that of a shared secret; never both, since whoever reads a
    /// published key could then sign with it (TV-5).
    fn algorithms_of(&self, config: &IssuerConfig) -> Result<Vec<Algorithm>, JwtConfigError> {
        let hmac = Algorithm::HS256;
        let has_secret = self.secret_of(config).is_some();
        let error = |problem| Err(JwtConfigError::new("algorithms", hmac.name(), problem));
        match config.algorithms.as_slice() {
            [] => Err(JwtConfigError::missing("algorithms")),
            [only] if has_secret && *only == hmac => Ok(vec![hmac]),
            unsaid if has_secret && *unsaid == Algorithm::DEFAULT => Ok(vec![hmac]),
            _ if has_secret => error("is the only one for a shared secret"),
            some if some.contains(&hmac) => error("needs a shared secret"),
            some => Ok(some.to_vec()),
        }
    }
}

impl IssuerConfig {
    /// TLS, except on this machine or where the operator accepts the danger.
    pub(crate) fn check_fetchable(
        &self,
        setting: &'static str,
        url: &str,
    ) -> Result<(), JwtConfigError> {
        match unfetchable(url, self.danger_allow_http_issuer) {
            Some(problem) => Err(JwtConfigError::new(setting, url, problem)),
            None => Ok(()),
        }
    }

    fn claim_names(&self) -> ClaimNames<'_> {
        ClaimNames {
            roles_claim: self.roles_claim.as_deref(),
            permissions_claim: self.permissions_claim.as_deref(),
            client_id_claim: self.client_id_claim.as_deref(),
            service_claim: self.service_claim.as_deref(),
            service_value: self.service_value.as_deref(),
            tenant_claim: self.tenant_claim.as_deref(),
            tenants: &self.tenants,
            credential_id_claim: self.credential_id_claim.as_deref(),
            required: &self.required_claims,
        }
    }

    fn check(&self) -> Result<(), JwtConfigError> {
        if self.issuer.is_empty() {
            return Err(JwtConfigError::missing("issuer"));
        }
        self.check_fetchable("issuer", &self.issuer)?;
        if WebUrl::parse(&self.issuer).is_some_and(|url| url.query.is_some()) {
            return Err(JwtConfigError::new("issuer", &self.issuer, "has a query"));
        }
        let sources = [
            self.jwks_url.is_some(),
            self.jwk_set.is_some(),
            !self.public_keys.is_empty(),
        ];
        if sources.into_iter().filter(|given| *given).count() > 1 {
            return Err(JwtConfigError::of(
                "keys",
                "have several sources: give one of jwks_url, jwk_set and public_keys",
            ));
        }
        Ok(())
    }
}

impl Issuer {
    /// Cheap checks first, then the signature, then the claims.
    pub(crate) fn verify(
        &self,
        candidate: Candidate<'_>,
        clock: &dyn Clock,
    ) -> Judgement<Verified> {
        let unverified = match self.judge_header(&candidate) {
            Ok(unverified) => unverified,
            Err(refusal) => return Judgement::Done(Err(refusal)),
        };
        let keys = match self.current_keys() {
            Current::Ready(keys) => keys,
            Current::Wait(waiter) => return Judgement::Wait(waiter),
            Current::Down(after) => return Judgement::Done(Err(Refusal::Down(after))),
        };
        let kid = unverified.kid.as_deref();
        let down = match &self.keys {
            Keys::Remote(remote)
                if matches!(keys.find(kid, unverified.algorithm), Found::UnknownKid) =>
            {
                match remote.refresh(false) {
                    Refresh::Running { waiter, .. } => return Judgement::Wait(waiter),
                    Refresh::Cooling { remaining, failed } => failed.then_some(remaining),
                }
            }
            _ => None,
        };
        Judgement::Done(self.verify_with(&keys, &unverified, candidate, down, clock))
    }

    /// The same once a fetch has ended; nothing is waited for any more.
    pub(crate) fn verify_settled(
        &self,
        candidate: Candidate<'_>,
        clock: &dyn Clock,
    ) -> Result<Verified, Refusal> {
        let unverified = self.judge_header(&candidate)?;
        let keys = self.settled_keys()?;
        let down = match &self.keys {
            Keys::Fixed(_) => None,
            Keys::Remote(remote) => remote.failure().map(|_| remote.schedule.floor),
        };
        self.verify_with(&keys, &unverified, candidate, down, clock)
    }

    pub(crate) fn current_keys(&self) -> Current {
        match &self.keys {
            Keys::Fixed(keys) => Current::Ready(Arc::clone(keys)),
            Keys::Remote(remote) => remote.current(),
        }
    }

    pub(crate) fn settled_keys(&self) -> Result<Arc<KeySet>, Refusal> {
        match &self.keys {
            Keys::Fixed(keys) => Ok(Arc::clone(keys)),
            Keys::Remote(remote) => remote.settled().map_err(Refusal::Down),
        }
    }

    /// Gets the keys, unless they are there; why not.
    pub(crate) async fn warm_up(&self) -> Result<(), String> {
        let Keys::Remote(remote) = &self.keys else {
            return Ok(());
        };
        if let Current::Wait(waiter) = remote.current() {
            waiter.landed().await;
        }
        match remote.settled() {
            Ok(_) => Ok(()),
            Err(_) => Err(remote.failure().unwrap_or_default()),
        }
    }

    fn judge_header<'a>(&self, candidate: &Candidate<'a>) -> Result<Unverified<'a>, Refusal> {
        let judged = candidate.token.judged(&self.algorithms, self.rules.profile);
        judged.map_err(Refusal::Fault)
    }

    /// `down` tells when to come back if the key is unknown because the issuer cannot be asked.
    fn verify_with(
        &self,
        keys: &KeySet,
        token: &Unverified<'_>,
        candidate: Candidate<'_>,
        down: Option<Duration>,
        clock: &dyn Clock,
    ) -> Result<Verified, Refusal> {
        let key = match (keys.find(token.kid.as_deref(), token.algorithm), down) {
            (Found::Key(key), _) => key,
            (Found::UnknownKid, Some(after)) => return Err(Refusal::Down(after)),
            (Found::UnknownKid, None) => return Err("no key has the token's key id".into()),
            (Found::Mismatch(fault), _) => return Err(fault.into()),
        };
        if !key.prepared.verifies(token.message, &token.signature) {
            return Err("the signature is not valid".into());
        }
        let at = clock.wall();
        let claims = match candidate.claims {
            Some(claims) => claims,
            None => candidate.token.claims()?,
        };
        let judged = self.rules.judge(&claims, at)?;
        let principal = self
            .claim_map
            .principal(&self.rules.issuer, judged.subject, &claims)?
            .expires_at(judged.expires_at);
        Ok(Verified {
            binding: judged.binding,
            principal: principal.claims(claims).build("jwt"),
            issuer: self.place,
            keys: keys.generation(),
            at,
        })
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed(..)",
            Self::Remote(_) => "Remote(..)",
        })
    }
}
