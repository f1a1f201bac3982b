use std::{fmt, sync::Arc, time::Duration};

use http::HeaderValue;
use tower_layer::Layer;

use super::{Auth, Authenticator, fields::CredentialFields};
use crate::{Clock, SystemClock};

/// What a tool that runs when a token ends is given to finish.
const CALL_GRACE: Duration = Duration::from_secs(300);

/// How long a stream goes on by a credential that tells no end.
const MAX_STREAM_AGE: Duration = Duration::from_secs(3600);

/// Authenticates requests by one or several [`Authenticator`]s, and refuses the rest.
///
/// See the [module](super) for what it decides. It goes inside CORS and the first place of rate
/// limits, and outside everything that reads the body.
#[derive(Clone)]
#[must_use]
pub struct AuthLayer {
    shared: Arc<Shared>,
}

#[derive(Clone)]
pub(super) struct Shared {
    pub(super) authenticators: Vec<Arc<dyn Authenticator>>,
    /// Of all authenticators, Bearer first (AC-12).
    pub(super) challenges: Arc<[HeaderValue]>,
    pub(super) fields: CredentialFields,
    pub(super) allow_anonymous: bool,
    pub(super) forward_credentials: bool,
    pub(super) clock: Arc<dyn Clock>,
    /// How long a call's answer may go on past its credential.
    pub(super) call_grace: Duration,
    /// How long a stream may go on by a credential that tells no end.
    pub(super) max_stream_age: Duration,
}

impl AuthLayer {
    /// A layer over one authenticator.
    pub fn new(authenticator: impl Authenticator) -> Self {
        Self {
            shared: Arc::new(Shared {
                authenticators: Vec::new(),
                challenges: Arc::from([]),
                fields: CredentialFields::default(),
                allow_anonymous: false,
                forward_credentials: false,
                clock: Arc::new(SystemClock::new()),
                call_grace: CALL_GRACE,
                max_stream_age: MAX_STREAM_AGE,
            }),
        }
        .or(authenticator)
    }

    /// Adds an authenticator; the earlier one wins a credential that both recognize.
    pub fn or(self, authenticator: impl Authenticator) -> Self {
        self.with(|shared| {
            shared.fields.add(authenticator.credential_headers());
            shared.authenticators.push(Arc::new(authenticator));
            let challenges = shared.authenticators.iter().flat_map(|a| a.challenges());
            shared.challenges = bearer_first(challenges.cloned().collect()).into();
        })
    }

    /// Lets requests pass that present no credential of any kind, as
    /// [`Principal::anonymous`](crate::Principal::anonymous). The challenges are left in the
    /// context, so that an inner layer that needs somebody can answer 401.
    pub fn allow_anonymous(self) -> Self {
        self.with(|shared| shared.allow_anonymous = true)
    }

    /// Leaves the credentials on the request that goes on. Anything inside can then read, log and
    /// pass them on (TV-15); only right where the inner service is itself the token's audience.
    pub fn danger_forward_credentials(self) -> Self {
        self.with(|shared| shared.forward_credentials = true)
    }

    /// How long the event stream that answers a call may go on after what identified its caller has
    /// ended; five minutes by default. Streams on which a caller listens (`GET`,
    /// `subscriptions/listen`) end with it (TV-20). What a `POST` does is told by its `Mcp-Method` or by its
    /// body, if a layer reads that; of revision 2026-07-28 one that tells neither counts as listening.
    pub fn call_grace(self, grace: Duration) -> Self {
        self.with(|shared| shared.call_grace = grace)
    }

    /// How long an event stream may go on by a credential that tells no end, such as an opaque token
    /// without expiry; an hour by default. Whoever wants more connects again, and is judged again (TV-20).
    pub fn max_stream_age(self, age: Duration) -> Self {
        self.with(|shared| shared.max_stream_age = age)
    }

    /// Where the layer gets the time at which streams end; by default from the operating system.
    pub fn clock(self, clock: impl Clock) -> Self {
        self.with(|shared| shared.clock = Arc::new(clock))
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth::new(inner, Arc::clone(&self.shared))
    }
}

impl fmt::Debug for AuthLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.authenticators.iter().map(|a| a.name()).collect();
        f.debug_struct("AuthLayer")
            .field("authenticators", &names)
            .field("allow_anonymous", &self.allow_anonymous)
            .field("forward_credentials", &self.forward_credentials)
            .finish()
    }
}

/// Clients look at the first challenge only, so it must be one they can answer (AC-12).
pub(super) fn bearer_first(mut challenges: Vec<HeaderValue>) -> Vec<HeaderValue> {
    let is_bearer = |challenge: &HeaderValue| {
        let scheme = challenge.as_bytes().get(..7);
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
    };
    challenges.sort_by_key(|challenge| !is_bearer(challenge));
    challenges
}
