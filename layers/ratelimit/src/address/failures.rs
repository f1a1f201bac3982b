use bartizan_core::{Denial, DenialKind, SecurityContext};
use http::{HeaderMap, HeaderName, Response, StatusCode, header::AUTHORIZATION};

use super::AddressLimits;
use crate::table::Cell;

/// Watches a request's answer for a failed authentication, and charges it to the address.
#[derive(Debug)]
pub(super) struct Watch {
    limits: AddressLimits,
    cell: Cell,
    /// Of a request that carries what looks like a credential.
    claimed: Option<SecurityContext>,
}

/// Where credentials usually are. Our authenticators may read others, and say themselves what failed.
const CREDENTIALS: [HeaderName; 2] = [AUTHORIZATION, HeaderName::from_static("x-api-key")];

impl Watch {
    pub(super) fn new(
        limits: &AddressLimits,
        cell: Cell,
        headers: &HeaderMap,
        context: &SecurityContext,
    ) -> Self {
        let claims = CREDENTIALS.iter().any(|name| headers.contains_key(name));
        Self {
            limits: limits.clone(),
            cell,
            claimed: claims.then(|| context.clone()),
        }
    }

    pub(super) fn see<B>(self, response: &Response<B>) {
        if self.shows_failure(response) {
            self.limits.0.limiter.charge_anyway(self.cell);
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
