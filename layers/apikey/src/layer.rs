use std::time::Duration;

use bartizan_core::{AuthLayer, auth::Auth};
use tower_layer::Layer;

use crate::ApiKeyVerifier;

/// Lets requests pass that bring a good API key, with its [`Principal`](bartizan_core::Principal) stamped on
/// the [`SecurityContext`](bartizan_core::SecurityContext).
///
/// This is [`AuthLayer`] over one [`ApiKeyVerifier`]. See the [crate](crate) for what it decides.
#[derive(Debug, Clone)]
#[must_use]
pub struct ApiKeyLayer(AuthLayer);

impl ApiKeyLayer {
    /// A layer over this verifier alone: its first challenge is one that clients understand (AC-12). Beside
    /// others hand the verifier to [`AuthLayer::or`].
    pub fn new(verifier: ApiKeyVerifier) -> Self {
        Self(AuthLayer::new(verifier.alone()))
    }

    /// Lets requests pass that present no credential of any kind; inner layers must then answer
    /// for what they permit [`Principal::anonymous`](bartizan_core::Principal::anonymous).
    pub fn allow_anonymous(self) -> Self {
        Self(self.0.allow_anonymous())
    }

    /// How long the event stream that answers a call may go on after the key has ended; five minutes by
    /// default. Streams on which a caller listens end with it (TV-20).
    pub fn call_grace(self, grace: Duration) -> Self {
        Self(self.0.call_grace(grace))
    }
}

impl<S> Layer<S> for ApiKeyLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        self.0.layer(inner)
    }
}
