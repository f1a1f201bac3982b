use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use bartizan_core::{Clock, Principal};
use bartizan_fetch::HttpFetch;
use bartizan_token::Fault;

use crate::OAuthConfigError;

/// Who knows what an opaque token stands for: [`Introspection`](crate::Introspection),
/// [`GitHub`](crate::GitHub) or [`Google`](crate::Google).
pub trait Provider: sealed::Provider {}

pub(crate) mod sealed {
    use super::{OAuthConfigError, Prepared, Surroundings};

    /// Kept from other crates, since what stands below is not settled.
    pub trait Provider {
        /// Checks the configuration.
        #[doc(hidden)]
        fn prepare(&self, surroundings: &Surroundings) -> Result<Prepared, OAuthConfigError>;
    }
}

/// What a provider is made with.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub(crate) fetch: HttpFetch,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cache_capacity: usize,
}

/// A provider whose configuration was checked.
pub struct Prepared {
    pub(crate) lookup: Arc<dyn Lookup>,
    /// Where clients get tokens, for the metadata.
    pub(crate) authorization_server: String,
    /// The resource identifier, if the configuration tells.
    pub(crate) resource: Option<String>,
    /// How tokens of this provider begin; any if empty.
    pub(crate) prefixes: Vec<String>,
    pub(crate) allow_http: bool,
    pub(crate) defaults: Defaults,
}

/// What is right for a provider unless the configuration says otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) new_tokens_per_minute: u32,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            new_tokens_per_minute: 600,
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").finish_non_exhaustive()
    }
}

/// Asks what a token stands for.
pub(crate) trait Lookup: Send + Sync + 'static {
    fn look_up<'a>(&'a self, token: &'a str) -> Looking<'a>;
}

pub(crate) type Looking<'a> =
    Pin<Box<dyn Future<Output = Result<Result<Principal, Fault>, Trouble>> + Send + 'a>>;

/// Nothing is known of the token, since its provider did not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// For the operator.
    pub(crate) reason: String,
    /// When the provider wants to be asked again.
    pub(crate) retry_after: Option<Duration>,
    /// Whether this server has asked as often as it may.
    pub(crate) is_limit: bool,
    pub(crate) blame: Blame,
}

/// Against whom a trouble counts. Strangers must not be able to keep others from the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The provider, and so against all who ask; of a token that was never good only against others
    /// that never were, since it may be the token all the same.
    Provider,
    /// Nobody: it may be the token that the provider does not like.
    Nobody,
    /// Whoever has the token: a question that is asked with it is answered by what its user may do,
    /// and has left.
    Caller,
}

impl Trouble {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            retry_after: None,
            is_limit: false,
            blame: Blame::Provider,
        }
    }

    pub(crate) fn blamed_on(self, blame: Blame) -> Self {
        Self { blame, ..self }
    }
}
