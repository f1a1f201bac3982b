use std::{fmt, sync::Arc, time::Duration};

use bartizan_core::{
    Authenticator, Clock, Denial, DenialKind, Principal, SecurityContext,
    auth::{CredentialPlace, Credentials, Identified, Verification},
};
use http::HeaderValue;

use crate::{
    Algorithm, JwtConfig, JwtVerifierBuilder, KeysUnavailable, ProtectedResourceMetadata,
    challenges::Challenges,
    claims::ClaimRules,
    identity::ClaimMap,
    keys::{Current, Found, KeySet, Refresh, Remote, Waiter},
    token::{Fault, Unverified},
};

/// Verifies bearer tokens that are JWTs, and says who they stand for.
///
/// Clones share keys and configuration. Hand it to a [`JwtLayer`](crate::JwtLayer), or to
/// [`AuthLayer`](bartizan_core::AuthLayer) beside other authenticators.
#[derive(Clone)]
pub struct JwtVerifier {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) rules: ClaimRules,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) max_token_bytes: usize,
    pub(crate) claim_map: ClaimMap,
    pub(crate) keys: Keys,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) challenges: Challenges,
    pub(crate) metadata: ProtectedResourceMetadata,
}

pub(crate) enum Keys {
    Fixed(Arc<KeySet>),
    Remote(Arc<Remote>),
}

/// What can be said of a token without waiting.
enum Judgement {
    Done(Result<Principal, Denial>),
    Wait(Waiter),
}

impl JwtVerifier {
    /// Starts a verifier. Issuer and audience are required.
    pub fn builder() -> JwtVerifierBuilder {
        JwtConfig::default().into()
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Verifies a token outside of any request: the principal, or why not.
    ///
    /// # Errors
    ///
    /// The [`Denial`] that a request with this token would be answered with.
    pub async fn verify(&self, token: &str) -> Result<Principal, Denial> {
        match self.inner.judge(token) {
            Judgement::Done(result) => result,
            Judgement::Wait(waiter) => {
                waiter.landed().await;
                self.inner.judge_settled(token)
            }
        }
    }

    /// Loads the keys, unless they are there: before a server listens, say.
    ///
    /// # Errors
    ///
    /// If they cannot be had now. Requests will try again.
    pub async fn warm_up(&self) -> Result<(), KeysUnavailable> {
        let Keys::Remote(remote) = &self.inner.keys else {
            return Ok(());
        };
        if let Current::Wait(waiter) = remote.current() {
            waiter.landed().await;
        }
        remote.settled().map(drop).map_err(|_| KeysUnavailable {
            reason: remote.failure().unwrap_or_default(),
        })
    }

    /// The metadata of the protected resource (RFC 9728), which a client without a token needs.
    pub fn metadata(&self) -> &ProtectedResourceMetadata {
        &self.inner.metadata
    }

    /// A router with the metadata at its well-known path, and 404 for everything else under
    /// `/.well-known` (AC-11). Merge it outside of all layers.
    #[cfg(feature = "axum")]
    pub fn metadata_router<S: Clone + Send + Sync + 'static>(&self) -> axum::Router<S> {
        self.inner.metadata.router()
    }
}

impl Inner {
    /// Cheap checks first, then the signature, then the claims; each kind of fault has its own
    /// reason for the audit, and all have one answer.
    fn judge(&self, token: &str) -> Judgement {
        let unverified = match self.parse(token) {
            Ok(unverified) => unverified,
            Err(fault) => return Judgement::Done(Err(self.refusal(fault))),
        };
        let remote = match &self.keys {
            Keys::Fixed(keys) => return Judgement::Done(self.judge_with(keys, &unverified, None)),
            Keys::Remote(remote) => remote,
        };
        let keys = match remote.current() {
            Current::Ready(keys) => keys,
            Current::Wait(waiter) => return Judgement::Wait(waiter),
            Current::Down(after) => return Judgement::Done(Err(unavailable(after))),
        };
        let kid = unverified.kid.as_deref();
        if !matches!(keys.find(kid, unverified.algorithm), Found::UnknownKid) {
            return Judgement::Done(self.judge_with(&keys, &unverified, None));
        }
        match remote.refresh(false) {
            Refresh::Running { waiter, .. } => Judgement::Wait(waiter),
            Refresh::Cooling { remaining, failed } => {
                let down = failed.then_some(remaining);
                Judgement::Done(self.judge_with(&keys, &unverified, down))
            }
        }
    }

    /// The same once a fetch has ended; nothing is waited for any more.
    fn judge_settled(&self, token: &str) -> Result<Principal, Denial> {
        let unverified = self.parse(token).map_err(|fault| self.refusal(fault))?;
        match &self.keys {
            Keys::Fixed(keys) => self.judge_with(keys, &unverified, None),
            Keys::Remote(remote) => {
                let keys = remote.settled().map_err(unavailable)?;
                let down = remote.failure().map(|_| remote.schedule.floor);
                self.judge_with(&keys, &unverified, down)
            }
        }
    }

    /// `down` tells when to come back if the key is unknown because the issuer cannot be asked.
    fn judge_with(
        &self,
        keys: &KeySet,
        token: &Unverified<'_>,
        down: Option<Duration>,
    ) -> Result<Principal, Denial> {
        let key = match (keys.find(token.kid.as_deref(), token.algorithm), down) {
            (Found::Key(key), _) => key,
            (Found::UnknownKid, Some(after)) => return Err(unavailable(after)),
            (Found::UnknownKid, None) => return Err(self.refusal("no key has the token's key id")),
            (Found::Mismatch(fault), _) => return Err(self.refusal(fault)),
        };
        if !key.prepared.verifies(token.message, &token.signature) {
            return Err(self.refusal("the signature is not valid"));
        }
        self.principal(token).map_err(|fault| self.refusal(fault))
    }

    fn parse<'a>(&self, token: &'a str) -> Result<Unverified<'a>, Fault> {
        let profile = self.rules.profile;
        Unverified::parse(token, self.max_token_bytes, &self.algorithms, profile)
    }

    fn principal(&self, token: &Unverified<'_>) -> Result<Principal, Fault> {
        let claims = token.claims()?;
        let judged = self.rules.judge(&claims, self.clock.wall())?;
        let principal = self
            .claim_map
            .principal(&self.rules.issuer, &judged, &claims)?;
        Ok(principal.claims(claims).build("jwt"))
    }

    fn refusal(&self, fault: Fault) -> Denial {
        Denial::new(DenialKind::CredentialsInvalid, fault)
            .with_challenge(self.challenges.invalid.clone())
    }
}

/// No challenge: a client must not throw its token away because the issuer is down (AC-16).
fn unavailable(after: Duration) -> Denial {
    Denial::new(DenialKind::Unavailable, "no verification keys").with_retry_after(after)
}

impl Authenticator for JwtVerifier {
    fn name(&self) -> &'static str {
        "jwt"
    }

    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        let authorization = credentials.authorization()?;
        authorization
            .is_scheme("Bearer")
            .then_some(CredentialPlace::Authorization)
    }

    fn authenticate(&self, credentials: &Credentials<'_>, _: &SecurityContext) -> Verification {
        let token = credentials.authorization().map_or("", |a| a.value());
        match self.inner.judge(token) {
            Judgement::Done(result) => result.map(Identified::new).into(),
            Judgement::Wait(waiter) => {
                let (inner, token) = (Arc::clone(&self.inner), token.to_owned());
                Verification::Pending(Box::pin(async move {
                    waiter.landed().await;
                    inner.judge_settled(&token).map(Identified::new)
                }))
            }
        }
    }

    fn challenges(&self) -> &[HeaderValue] {
        &self.inner.challenges.missing
    }

    fn malformed_challenge(&self) -> Option<&HeaderValue> {
        Some(&self.inner.challenges.malformed)
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("rules", &self.inner.rules)
            .field("algorithms", &self.inner.algorithms)
            .finish_non_exhaustive()
    }
}
