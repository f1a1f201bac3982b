use std::{fmt, future::Future, pin::Pin, sync::Arc};

use http::{HeaderName, HeaderValue};

use super::{CredentialPlace, Credentials, Revocations};
use crate::{Denial, Principal, SecurityContext};

/// Judges one kind of credential.
///
/// Implementations hold their configuration behind one `Arc` and answer from memory whenever
/// they can; a [`Verification::Pending`] costs an allocation and holds the request.
pub trait Authenticator: Send + Sync + 'static {
    /// The word for logs and for [`Principal::method`]: `jwt`.
    fn name(&self) -> &'static str;

    /// Where the credential of this kind is, judged by scheme and prefix alone; `None` if the
    /// request has none. The first authenticator that recognizes a credential judges it.
    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace>;

    /// Judges the credential that [`recognizes`](Self::recognizes) found.
    fn authenticate(
        &self,
        credentials: &Credentials<'_>,
        context: &SecurityContext,
    ) -> Verification;

    /// The challenges for a request without credentials; no `error` among their parameters (AC-4).
    fn challenges(&self) -> &[HeaderValue];

    /// The challenge for a credential that is not one, `error="invalid_request"` (AC-6).
    fn malformed_challenge(&self) -> Option<&HeaderValue> {
        None
    }

    /// Header fields besides `Authorization` that carry this kind of credential; they are marked
    /// sensitive on arrival and removed before the request goes on.
    fn credential_headers(&self) -> &[HeaderName] {
        &[]
    }
}

impl<A: Authenticator + ?Sized> Authenticator for Arc<A> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        (**self).recognizes(credentials)
    }

    fn authenticate(
        &self,
        credentials: &Credentials<'_>,
        context: &SecurityContext,
    ) -> Verification {
        (**self).authenticate(credentials, context)
    }

    fn challenges(&self) -> &[HeaderValue] {
        (**self).challenges()
    }

    fn malformed_challenge(&self) -> Option<&HeaderValue> {
        (**self).malformed_challenge()
    }

    fn credential_headers(&self) -> &[HeaderName] {
        (**self).credential_headers()
    }
}

/// A verification that waits for something: keys, an introspection answer.
pub type PendingVerification = Pin<Box<dyn Future<Output = Result<Identified, Denial>> + Send>>;

/// What an authenticator says of a credential.
#[non_exhaustive]
pub enum Verification {
    /// It proves who is calling.
    Identified(Identified),
    /// It proves nothing.
    Refused(Denial),
    /// Not known yet.
    Pending(PendingVerification),
}

impl From<Result<Identified, Denial>> for Verification {
    fn from(result: Result<Identified, Denial>) -> Self {
        result.map_or_else(Self::Refused, Self::Identified)
    }
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identified(identified) => f.debug_tuple("Identified").field(identified).finish(),
            Self::Refused(denial) => f.debug_tuple("Refused").field(denial).finish(),
            Self::Pending(_) => f.write_str("Pending(..)"),
        }
    }
}

/// Who is calling, and what the answer has to tell them.
#[derive(Debug, Clone)]
pub struct Identified {
    pub(super) principal: Principal,
    pub(super) response_headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) revocations: Option<Revocations>,
}

impl Identified {
    /// The principal that the credential proves.
    pub fn new(principal: Principal) -> Self {
        Self {
            principal,
            response_headers: Vec::new(),
            revocations: None,
        }
    }

    /// The list that the authenticator asked: an event stream that answers the request goes on only
    /// while the principal is not in it.
    #[must_use]
    pub fn with_revocations(mut self, list: Revocations) -> Self {
        self.revocations = Some(list);
        self
    }

    /// A header for the answer, whatever the inner service says: `DPoP-Nonce`.
    #[must_use]
    pub fn with_response_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.response_headers.push((name, value));
        self
    }
}
