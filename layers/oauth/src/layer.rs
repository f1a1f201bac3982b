use std::time::Duration;

use bartizan_core::{AuthLayer, auth::Auth};
use tower_layer::Layer;

use crate::OpaqueVerifier;

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
