use std::{fmt, sync::Arc};

use bartizan_core::{
    Authenticator, Clock, Denial, Principal, SecurityContext,
    auth::{CredentialPlace, Credentials, Revocations, Verification},
};
use bartizan_token::Challenges;
use http::HeaderValue;

use crate::{
    IssuerConfig, JwtConfig, JwtVerifierBuilder, KeysUnavailable, ProtectedResourceMetadata,
    dpop::{Dpop, Presented, ProofChallenges, Scheme},
    issuer::Issuer,
    judge::Judgement,
    remembered::{Known, Remembered},
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
    /// One at least.
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) max_token_bytes: usize,
    /// None if it was switched off.
    pub(crate) remembered: Option<Remembered>,
    pub(crate) revocations: Option<Revocations>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) challenges: Challenges,
    pub(crate) dpop: Option<Dpop>,
    /// Written if there is `dpop`.
    pub(crate) proofs: Option<ProofChallenges>,
    /// The challenges for a request without credentials.
    pub(crate) offered: Vec<HeaderValue>,
    pub(crate) metadata: ProtectedResourceMetadata,
}

impl JwtVerifier {
    /// Starts a verifier. Issuer and audience are required.
    pub fn builder() -> JwtVerifierBuilder {
        JwtVerifierBuilder::from(JwtConfig {
            issuers: vec![IssuerConfig::default()],
            ..JwtConfig::default()
        })
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Verifies a token outside of any request: the principal, or why not. A token that is bound to a
    /// key or a certificate is refused, since nobody proves to hold it; where possession is required
    /// ([`DpopConfig::required`](crate::DpopConfig::required)), every token is.
    ///
    /// # Errors
    ///
    /// The [`Denial`] that a request with this token would be answered with.
    pub async fn verify(&self, token: &str) -> Result<Principal, Denial> {
        let result = match self.inner.judge(token.as_bytes()) {
            Judgement::Done(result) => result,
            Judgement::Wait(waiter) => {
                waiter.landed().await;
                self.inner.judge_settled(token.as_bytes())
            }
        };
        let result = result.and_then(|known| self.inner.of_bearer(known));
        result.map_err(|refusal| self.inner.denial(refusal, Scheme::Bearer))
    }

    /// Loads the keys of all issuers, unless they are there: before a server listens, say.
    ///
    /// # Errors
    ///
    /// If those of an issuer cannot be had now. Requests will try again.
    pub async fn warm_up(&self) -> Result<(), KeysUnavailable> {
        for issuer in &self.inner.issuers {
            let _ = issuer.current_keys(); // which starts a fetch, so that all run at once
        }
        let mut missing = Vec::new();
        for issuer in &self.inner.issuers {
            if let Err(reason) = issuer.warm_up().await {
                missing.push(format!("{}: {reason}", issuer.rules.issuer));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let reason = missing.join("; ");
        Err(KeysUnavailable { reason })
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

impl Authenticator for JwtVerifier {
    fn name(&self) -> &'static str {
        "jwt"
    }

    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        let scheme = Scheme::of(credentials)?;
        let is_known = scheme == Scheme::Bearer || self.inner.dpop.is_some();
        is_known.then_some(CredentialPlace::Authorization)
    }

    fn authenticate(&self, credentials: &Credentials<'_>, _: &SecurityContext) -> Verification {
        let authorization = credentials.authorization();
        let token = || authorization.map_or("", |a| a.value());
        let scheme = Scheme::of(credentials).unwrap_or(Scheme::Bearer);
        let presented = || Presented::of(scheme, credentials, self.inner.dpop.as_ref());
        match self
            .inner
            .judge(authorization.map_or(&[], |a| a.value_bytes()))
        {
            Judgement::Done(result) => {
                let is_bearers = |known: &Known| {
                    let is_bound = known.binding.is_some() || self.inner.is_possession_required();
                    scheme == Scheme::Bearer && !is_bound
                };
                let result = result.and_then(|known| {
                    if is_bearers(&known) {
                        return Ok(self.inner.identified(known.principal));
                    }
                    self.inner.identify(known, token(), &presented())
                });
                let result = result.map_err(|refusal| self.inner.denial(refusal, scheme));
                result.into()
            }
            Judgement::Wait(waiter) => {
                let (inner, token) = (Arc::clone(&self.inner), token().to_owned());
                let presented = presented();
                Verification::Pending(Box::pin(async move {
                    waiter.landed().await;
                    let result = inner.judge_settled(token.as_bytes());
                    let result = result.and_then(|known| inner.identify(known, &token, &presented));
                    result.map_err(|refusal| inner.denial(refusal, scheme))
                }))
            }
        }
    }

    fn challenges(&self) -> &[HeaderValue] {
        &self.inner.offered
    }

    fn malformed_challenge(&self) -> Option<&HeaderValue> {
        Some(&self.inner.challenges.malformed)
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("issuers", &self.inner.issuers)
            .finish_non_exhaustive()
    }
}
