use std::sync::Arc;

use tower_layer::Layer;

use crate::{Session, SessionKeys, incoming::Rules};

/// Binds session ids, and the event ids within them, to the principals that they were issued to.
///
/// The [crate's documentation](crate) has an example and the order of its decisions. Clones are cheap.
#[derive(Debug, Clone)]
#[must_use]
pub struct SessionLayer {
    rules: Arc<Rules>,
}

impl SessionLayer {
    /// A layer that wraps with these keys.
    pub fn new(keys: SessionKeys) -> Self {
        Self {
            rules: Arc::new(Rules {
                keys,
                anonymous: false,
            }),
        }
    }

    /// Also gives sessions to callers that sent no credential, where authentication lets them pass.
    ///
    /// All of them are one principal, so whoever learns the id of such a session may use it: what
    /// protects it is only that ids are random and secret. A session that an identified principal
    /// began stays that principal's.
    pub fn danger_allow_anonymous(mut self) -> Self {
        self.rules = Arc::new(Rules {
            anonymous: true,
            ..Rules::clone(&self.rules)
        });
        self
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = Session<S>;

    fn layer(&self, inner: S) -> Session<S> {
        Session::new(inner, Arc::clone(&self.rules))
    }
}
