use std::{sync::Arc, time::Duration};

use bartizan_core::Clock;
use bartizan_fetch::{WebUrl, unfetchable};
use bartizan_token::{Audiences, ClaimMap, ClaimNames, Fault};
use serde_json::{Map, Value};

use crate::{
    Algorithm, IssuerConfig, JwtConfigError, JwtVerifierBuilder,
    claims::ClaimRules,
    judge::{Judgement, Refusal},
    keys::{Current, Found, Generation, KeySet, Newer, Remote},
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
            tool_limits_claim: self.tool_limits_claim.as_deref(),
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
        let token = match self.judge_header(&candidate) {
            Ok(token) => token,
            Err(refusal) => return Judgement::Done(Err(refusal)),
        };
        let keys = match self.current_keys() {
            Current::Ready(keys) => keys,
            Current::Wait(waiter) => return Judgement::Wait(waiter),
            Current::Down(after) => return Judgement::Done(Err(Refusal::Down(after))),
        };
        let (keys, miss) = match (check_signature(&keys, &token), &self.keys) {
            (Err(Miss::Outdated(fault)), Keys::Remote(remote)) => {
                match remote.newer_than(keys.generation()) {
                    Newer::Keys(newer) => {
                        let checked = check_signature(&newer, &token);
                        (newer, checked.err().map(Miss::fault))
                    }
                    Newer::Wait(waiter) => return Judgement::Wait(waiter),
                    Newer::Down(after) => return Judgement::Done(Err(Refusal::Down(after))),
                    Newer::Nothing => (keys, Some(fault)),
                }
            }
            (checked, _) => (keys, checked.err().map(Miss::fault)),
        };
        Judgement::Done(match miss {
            None => self.conclude(&keys, candidate, clock),
            Some(fault) => Err(fault.into()),
        })
    }

    /// The same once a fetch has ended; nothing is waited for any more.
    pub(crate) fn verify_settled(
        &self,
        candidate: Candidate<'_>,
        clock: &dyn Clock,
    ) -> Result<Verified, Refusal> {
        let token = self.judge_header(&candidate)?;
        let keys = self.settled_keys()?;
        match (check_signature(&keys, &token), &self.keys) {
            (Ok(()), _) => self.conclude(&keys, candidate, clock),
            (Err(Miss::Outdated(_)), Keys::Remote(remote)) if remote.failure().is_some() => {
                Err(Refusal::Down(remote.floor()))
            }
            (Err(miss), _) => Err(miss.fault().into()),
        }
    }

    pub(crate) fn current_keys(&self) -> Current {
        match &self.keys {
            Keys::Fixed(keys) => Current::Ready(Arc::clone(keys)),
            Keys::Remote(remote) => remote.current(),
        }
    }

    /// Which keys those are.
    pub(crate) fn current_generation(&self) -> Current<Generation> {
        match &self.keys {
            Keys::Fixed(keys) => Current::Ready(keys.generation()),
            Keys::Remote(remote) => remote.current_generation(),
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
        match &self.keys {
            Keys::Fixed(_) => Ok(()),
            Keys::Remote(remote) => remote.warm_up().await,
        }
    }

    fn judge_header<'a>(&self, candidate: &Candidate<'a>) -> Result<Unverified<'a>, Refusal> {
        let judged = candidate.token.judged(&self.algorithms, self.rules.profile);
        judged.map_err(Refusal::Fault)
    }

    /// What a token says whose signature is good.
    fn conclude(
        &self,
        keys: &KeySet,
        candidate: Candidate<'_>,
        clock: &dyn Clock,
    ) -> Result<Verified, Refusal> {
        let at = clock.wall();
        let claims = match candidate.claims {
            Some(claims) => claims,
            None => candidate.token.claims()?,
        };
        let judged = self.rules.judge(&claims, at)?;
        let principal = self
            .claim_map
            .principal(&self.rules.issuer, judged.subject, &claims)?
            .expires_at(judged.expires_at)
            .leeway(self.rules.leeway);
        Ok(Verified {
            binding: judged.binding,
            principal: principal.claims(claims).build("jwt"),
            issuer: self.place,
            keys: keys.generation(),
            at,
        })
    }
}

/// Why no key of a set checks a token.
enum Miss {
    /// A newer set may.
    Outdated(Fault),
    Final(Fault),
}

impl Miss {
    fn fault(self) -> Fault {
        match self {
            Self::Outdated(fault) | Self::Final(fault) => fault,
        }
    }
}

fn check_signature(keys: &KeySet, token: &Unverified<'_>) -> Result<(), Miss> {
    const INVALID: Fault = "the signature is not valid";
    let (key, miss) = match keys.find(token.kid.as_deref(), token.algorithm) {
        Found::Named(key) => (key, Miss::Final(INVALID)),
        // An issuer that names no keys rotates them unseen: the token may be of the next one.
        Found::Nameless(key) => (key, Miss::Outdated(INVALID)),
        Found::Unknown(fault) => return Err(Miss::Outdated(fault)),
        Found::Mismatch(fault) => return Err(Miss::Final(fault)),
    };
    let is_good = key.prepared.verifies(token.message, &token.signature);
    is_good.then_some(()).ok_or(miss)
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed(..)",
            Self::Remote(_) => "Remote(..)",
        })
    }
}
