use std::sync::Arc;

use bartizan_core::{Denial, DenialKind, SecurityContext};
use http::{HeaderMap, HeaderName, Response, StatusCode, header::AUTHORIZATION};

use crate::{asked::Ask, shared::Shared};

/// Watches a request's answer for a failed authentication, and charges it to the address.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    ask: Ask,
    /// Of a request that carries what looks like a credential.
    claimed: Option<SecurityContext>,
}

/// Where credentials usually are. Our authenticators may read others, and say themselves what failed.
const CREDENTIALS: [HeaderName; 2] = [AUTHORIZATION, HeaderName::from_static("x-api-key")];

impl Watch {
    pub(super) fn new(
        shared: &Arc<Shared>,
        ask: Ask,
        headers: &HeaderMap,
        context: &SecurityContext,
    ) -> Self {
        let claims = CREDENTIALS.iter().any(|name| headers.contains_key(name));
        Self {
            shared: Arc::clone(shared),
            ask,
            claimed: claims.then(|| context.clone()),
        }
    }

    pub(super) fn see<B>(self, response: &Response<B>) {
        if self.shows_failure(response) {
            self.shared.charge_anyway(self.ask);
        }
    }

    /// A request without credentials is none: it is a client that asks for the challenge.
    fn shows_failure<B>(&self, response: &Response<B>) -> bool {
        if let Some(denial) = response.extensions().get::<Denial>() {
            return matches!(
                denial.kind(),
                DenialKind::CredentialsInvalid | DenialKind::CredentialsMalformed
            );
        }
        // Authentication from elsewhere. Once somebody is identified, a 401 is about something else.
        let is_nobody = |context: &SecurityContext| {
            context
                .principal()
                .is_none_or(|principal| principal.is_anonymous())
        };
        response.status() == StatusCode::UNAUTHORIZED
            && self.claimed.as_ref().is_some_and(is_nobody)
    }
}
