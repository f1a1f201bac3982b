use std::{fmt, sync::Arc};

use bartizan_core::{Clock, Principal};
use bartizan_fetch::HttpFetch;
use bartizan_lookup::{Interest, Looking, Lookup};

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
    pub(crate) lookup: AnyLookup,
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

/// Asks what a token stands for, whichever the provider.
pub(crate) struct AnyLookup(Box<dyn Lookup<Question = String, Found = Principal>>);

impl AnyLookup {
    pub(crate) fn new(lookup: impl Lookup<Question = String, Found = Principal>) -> Self {
        Self(Box::new(lookup))
    }
}

impl Lookup for AnyLookup {
    type Question = String;
    type Found = Principal;

    fn look_up<'a>(&'a self, token: &'a String, interest: &'a Interest) -> Looking<'a, Principal> {
        self.0.look_up(token, interest)
    }
}
