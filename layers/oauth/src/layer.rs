use std::time::Duration;

use bartizan_core::{AuthLayer, auth::Auth};
use tower_layer::Layer;

use crate::{OAuthConfigError, OpaqueVerifier};

/// Lets requests pass whose bearer token its provider vouches for, with their [`Principal`](bartizan_core::Principal)
/// stamped on the [`SecurityContext`](bartizan_core::SecurityContext).
///
/// This is [`AuthLayer`] over one [`OpaqueVerifier`]. See the [crate](crate) for what it decides.
#[derive(Debug, Clone)]
#[must_use]
pub struct OAuthLayer(AuthLayer);

impl OAuthLayer {
    /// A layer over this verifier.
    pub fn new(verifier: OpaqueVerifier) -> Self {
        Self(AuthLayer::new(verifier))
    }

    /// A layer over several verifiers, each for the tokens that begin as its provider's do, and that do not
    /// look like a JWT; the last takes what is left, as it was built to.
    ///
    /// Challenges name the metadata of one resource, which then has to name all the authorization servers:
    /// see [`authorization_servers`](crate::OpaqueVerifierBuilder::authorization_servers).
    ///
    /// ```
    /// use bartizan_oauth::{ClientAuth, Google, Introspection, OAuthLayer, OpaqueVerifier};
    ///
    /// # let secret = || "a secret of the server".to_owned();
    /// let servers = ["https://accounts.google.com", "https://auth.example.com"];
    /// let google = Google::new(["1234-abc.apps.googleusercontent.com"]).allowed_domains(["example.com"]);
    /// let google = OpaqueVerifier::builder(google)
    ///     .resource("https://mcp.example.com/mcp")
    ///     .authorization_servers(servers)
    ///     .build()?;
    /// let auth = ClientAuth::basic(secret());
    /// let own = Introspection::new("https://auth.example.com", "https://auth.example.com/introspect", "mcp", auth);
    /// let own = OpaqueVerifier::builder(own.audience("https://mcp.example.com/mcp"))
    ///     .authorization_servers(servers)
    ///     .build()?;
    ///
    /// // Yes: what does not begin with `ya29.` is the other's.
    /// assert!(OAuthLayer::over([google.clone(), own.clone()]).is_ok());
    /// // No: the first takes all, and would be shown Google's tokens.
    /// assert!(OAuthLayer::over([own, google]).is_err());
    /// # Ok::<(), bartizan_oauth::OAuthConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none, one takes what a later one is for, or their metadata differ.
    pub fn over(
        verifiers: impl IntoIterator<Item = OpaqueVerifier>,
    ) -> Result<Self, OAuthConfigError> {
        let verifiers: Vec<_> = verifiers.into_iter().collect();
        let error = |problem| OAuthConfigError::of("verifiers", problem);
        let mut rest = verifiers.as_slice();
        while let [first, later @ ..] = rest {
            if later.iter().any(|later| first.takes_tokens_of(later)) {
                return Err(error("have one that takes tokens of a later one"));
            }
            if later
                .iter()
                .any(|l| l.metadata().json() != first.metadata().json())
            {
                return Err(error("have different metadata of the resource"));
            }
            rest = later;
        }
        let mut layer: Option<AuthLayer> = None;
        let last = verifiers.len().saturating_sub(1);
        for (place, mut verifier) in verifiers.into_iter().enumerate() {
            if place < last {
                verifier = verifier.leaving_others();
            }
            layer = Some(match layer {
                Some(layer) => layer.or(verifier),
                None => AuthLayer::new(verifier),
            });
        }
        layer.map(Self).ok_or_else(|| error("are none"))
    }

    /// Lets requests pass that present no credential of any kind; inner layers must then answer
    /// for what they permit [`Principal::anonymous`](bartizan_core::Principal::anonymous).
    pub fn allow_anonymous(self) -> Self {
        Self(self.0.allow_anonymous())
    }

    /// How long the event stream that answers a call may go on after the token has ended; five minutes
    /// by default. Streams on which a caller listens end with it (TV-20).
    pub fn call_grace(self, grace: Duration) -> Self {
        Self(self.0.call_grace(grace))
    }

    /// How long an event stream may go on by a token that tells no expiry; an hour by default (TV-20).
    pub fn max_stream_age(self, age: Duration) -> Self {
        Self(self.0.max_stream_age(age))
    }

    /// Leaves the token on the request that goes on (TV-15). Only right where the inner service
    /// is itself the token's audience.
    pub fn danger_forward_credentials(self) -> Self {
        Self(self.0.danger_forward_credentials())
    }
}

impl<S> Layer<S> for OAuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        self.0.layer(inner)
    }
}

impl From<OAuthLayer> for AuthLayer {
    fn from(layer: OAuthLayer) -> Self {
        layer.0
    }
}
