use std::{fmt, sync::Arc};

use bartizan_core::{
    Authenticator, Denial, DenialKind, Principal, SecurityContext,
    auth::{CredentialPlace, Credentials, Verification},
};
use bartizan_token::{Challenges, ProtectedResourceMetadata};
use http::HeaderValue;

use crate::{
    OpaqueVerifierBuilder, Provider,
    judge::{Judge, Judgement, Refusal},
};

/// Finds out what opaque bearer tokens stand for, by asking their provider.
///
/// Clones share memory and connections. Hand it to an [`OAuthLayer`](crate::OAuthLayer), or to
/// [`AuthLayer`](bartizan_core::AuthLayer) beside other authenticators.
#[derive(Clone)]
pub struct OpaqueVerifier {
    inner: Arc<Inner>,
    leave_others: bool,
}

pub(crate) struct Inner {
    pub(crate) judge: Arc<Judge>,
    pub(crate) challenges: Challenges,
    pub(crate) metadata: ProtectedResourceMetadata,
}

impl OpaqueVerifier {
    /// Starts a verifier of a provider's tokens.
    pub fn builder(provider: impl Provider + 'static) -> OpaqueVerifierBuilder {
        OpaqueVerifierBuilder::new(provider)
    }

    pub(crate) fn new(inner: Inner, leave_others: bool) -> Self {
        Self {
            inner: Arc::new(inner),
            leave_others,
        }
    }

    /// The same, with its memory, where others stand beside it.
    pub(crate) fn leaving_others(mut self) -> Self {
        self.leave_others = true;
        self
    }

    /// Whether it would judge tokens that this later one is for.
    pub(crate) fn takes_tokens_of(&self, later: &Self) -> bool {
        let (ours, theirs) = (&self.inner.judge.prefixes, &later.inner.judge.prefixes);
        let is_theirs = |ours: &String| theirs.iter().any(|theirs| theirs.starts_with(ours));
        ours.is_empty() || ours.iter().any(is_theirs)
    }

    /// Whether the token is judged here. Alone a verifier judges all, so that a strange one is invalid
    /// and not absent.
    fn is_ours(&self, token: &str) -> bool {
        !self.leave_others || (self.inner.judge.has_known_form(token) && !looks_like_jwt(token))
    }

    /// Judges a token outside of any request: the principal, or why not. No address has a part of
    /// `new_tokens_per_minute` here.
    ///
    /// # Errors
    ///
    /// The [`Denial`] that a request with this token would be answered with.
    pub async fn verify(&self, token: &str) -> Result<Principal, Denial> {
        let judge = &self.inner.judge;
        let result = match judge.judge(token, None) {
            Judgement::Done(result) => result,
            Judgement::Wait(waiter) => judge.settled(waiter).await,
        };
        result.map_err(|refusal| self.inner.denial(refusal))
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
    fn denial(&self, refusal: Refusal) -> Denial {
        match refusal {
            // Each fault has its own reason for the audit, and all have one answer.
            Refusal::Fault(fault) => Denial::new(DenialKind::CredentialsInvalid, fault)
                .with_challenge(self.challenges.invalid.clone()),
            // No challenge: a client must not throw its token away because the provider is down
            // (AC-16).
            Refusal::Down(reason, after) => {
                let reason = format!("nothing is known of the token: {reason}");
                Denial::new(DenialKind::Unavailable, reason).with_retry_after(after)
            }
        }
    }
}

/// Three segments, the first of which is the base64url of a JSON object.
fn looks_like_jwt(token: &str) -> bool {
    token.starts_with("ey") && token.bytes().filter(|b| *b == b'.').count() == 2
}

impl Authenticator for OpaqueVerifier {
    fn name(&self) -> &'static str {
        "oauth"
    }

    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        let authorization = credentials.authorization()?;
        let is_ours = authorization.is_scheme("Bearer") && self.is_ours(authorization.value());
        is_ours.then_some(CredentialPlace::Authorization)
    }

    fn authenticate(
        &self,
        credentials: &Credentials<'_>,
        context: &SecurityContext,
    ) -> Verification {
        let token = credentials.authorization().map_or("", |a| a.value());
        let inner = Arc::clone(&self.inner);
        match inner.judge.judge(token, context.client_address()) {
            Judgement::Done(result) => {
                let result = result.map(|principal| inner.judge.identified(principal));
                result.map_err(|refusal| inner.denial(refusal)).into()
            }
            Judgement::Wait(waiter) => Verification::Pending(Box::pin(async move {
                let result = inner.judge.settled(waiter).await;
                let result = result.map(|principal| inner.judge.identified(principal));
                result.map_err(|refusal| inner.denial(refusal))
            })),
        }
    }

    fn challenges(&self) -> &[HeaderValue] {
        std::slice::from_ref(&self.inner.challenges.missing)
    }

    fn malformed_challenge(&self) -> Option<&HeaderValue> {
        Some(&self.inner.challenges.malformed)
    }
}

impl fmt::Debug for OpaqueVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpaqueVerifier")
            .field("metadata", &self.inner.metadata)
            .finish_non_exhaustive()
    }
}
