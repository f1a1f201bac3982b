use std::{fmt, net::IpAddr, sync::Arc};

use bartizan_core::{
    Authenticator, Denial, DenialKind, Principal, SecurityContext,
    auth::{CredentialPlace, Credentials, Identified, Verification},
};
use bartizan_lookup::{Judgement, Lookups, Refusal, Verdict};
use bartizan_token::{Challenges, ProtectedResourceMetadata};
use http::HeaderValue;

use crate::{OpaqueVerifierBuilder, Provider, bearer::check_form, lookup::AnyLookup};

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
    pub(crate) lookups: Arc<Lookups<AnyLookup>>,
    pub(crate) max_token_bytes: usize,
    /// How tokens of the provider begin; any way if empty.
    pub(crate) prefixes: Vec<String>,
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
        let (ours, theirs) = (&self.inner.prefixes, &later.inner.prefixes);
        let is_theirs = |ours: &String| theirs.iter().any(|theirs| theirs.starts_with(ours));
        ours.is_empty() || ours.iter().any(is_theirs)
    }

    /// Whether the token is judged here. Alone a verifier judges all, so that a strange one is invalid
    /// and not absent.
    fn is_ours(&self, token: &str) -> bool {
        !self.leave_others || (self.inner.has_known_form(token) && !looks_like_jwt(token))
    }

    /// Judges a token outside of any request: the principal, or why not. No address has a part of
    /// `new_tokens_per_minute` here.
    ///
    /// # Errors
    ///
    /// The [`Denial`] that a request with this token would be answered with.
    pub async fn verify(&self, token: &str) -> Result<Principal, Denial> {
        let inner = &self.inner;
        let verdict = match inner.judge(token, None) {
            Judgement::Done(verdict) => verdict,
            Judgement::Wait(waiter) => inner.lookups.settled(waiter).await,
        };
        verdict.map_err(|refusal| inner.denial(refusal))
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
    fn judge(&self, token: &str, from: Option<IpAddr>) -> Judgement<Principal> {
        let fault = |fault| Judgement::Done(Err(Refusal::Fault(fault)));
        if let Err(problem) = check_form(token, self.max_token_bytes) {
            return fault(problem);
        }
        // Somebody else's credential is not shown to this provider.
        if !self.has_known_form(token) {
            return fault("not of the form of the provider's tokens");
        }
        self.lookups.judge(token, || token.to_owned(), from)
    }

    fn has_known_form(&self, token: &str) -> bool {
        let mut prefixes = self.prefixes.iter();
        self.prefixes.is_empty() || prefixes.any(|prefix| token.starts_with(prefix.as_str()))
    }

    fn conclude(&self, verdict: Verdict<Principal>) -> Result<Identified, Denial> {
        let identified = verdict.map(|principal| self.lookups.identified(principal));
        identified.map_err(|refusal| self.denial(refusal))
    }

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
        match inner.judge(token, context.client_address()) {
            Judgement::Done(verdict) => inner.conclude(verdict).into(),
            Judgement::Wait(waiter) => Verification::Pending(Box::pin(async move {
                let verdict = inner.lookups.settled(waiter).await;
                inner.conclude(verdict)
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
