use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::{
    Authenticator, CredentialPlace, Credentials, Identified, PendingVerification, Revocations,
    Verification,
    credentials::Authorization,
    fields::Survey,
    layer::{Shared, bearer_first},
};
use crate::{Denial, DenialKind, Principal, SecurityContext, admit};

/// What becomes of a request.
pub(super) enum Decision {
    Forward(Admission),
    Refuse(Denial),
    Wait(usize, PendingVerification),
}

/// What a request that goes on leaves for its answer.
#[derive(Default)]
pub(super) struct Admission {
    pub(super) response_headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) watched: Option<Watched>,
}

/// What its authenticator said of the caller, and the list in which it looked. Another layer may have stamped
/// the same party before, without the id by which this credential is revoked.
pub(super) type Watched = (Revocations, Principal);

impl Shared {
    /// `survey` is what hiding the credentials found.
    pub(super) fn decide<B>(
        &self,
        request: &mut Request<B>,
        survey: &Survey,
        context: &SecurityContext,
    ) -> Decision {
        let credentials = match Credentials::read(request) {
            Ok(credentials) => credentials,
            Err(reason) => return Decision::Refuse(self.malformed(reason)),
        };
        let (judge, authenticator) = match self.choose(&credentials) {
            Ok(Some(chosen)) => chosen,
            Ok(None) => {
                let decision = self.without_credential(&credentials, context);
                if matches!(decision, Decision::Forward(_)) {
                    self.remove_credentials(request.headers_mut(), survey);
                }
                return decision;
            }
            Err(reason) => return Decision::Refuse(self.malformed(reason)),
        };
        let result = match authenticator.authenticate(&credentials, context) {
            Verification::Identified(identified) => Ok(identified),
            Verification::Refused(denial) => Err(denial),
            Verification::Pending(pending) => return Decision::Wait(judge, pending),
        };
        match self.conclude(judge, result, request.headers_mut(), survey, context) {
            Ok(admission) => Decision::Forward(admission),
            Err(denial) => Decision::Refuse(denial),
        }
    }

    /// The authenticator for the request's one credential; an error if there are two.
    ///
    /// What a request presents is judged, and what its connection has is not a second credential beside
    /// it: a client does not choose anew for each request whether to show its certificate. Nor does a
    /// request fall back to that if what it presents is worth nothing.
    #[inline]
    fn choose(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<(usize, &Arc<dyn Authenticator>)>, &'static str> {
        let mut chosen: Option<(usize, &Arc<dyn Authenticator>, CredentialPlace)> = None;
        for (index, authenticator) in self.authenticators.iter().enumerate() {
            let Some(place) = authenticator.recognizes(credentials) else {
                continue;
            };
            if place == CredentialPlace::Connection && self.presented(credentials).is_some() {
                continue;
            }
            match &chosen {
                None => chosen = Some((index, authenticator, place)),
                Some((_, _, first)) if *first == place => {}
                Some(_) => return Err("credentials in two places"),
            }
        }
        let Some((index, authenticator, place)) = chosen else {
            return Ok(None);
        };
        // A field that nobody recognizes, or a second one of the same authenticator, is a second
        // credential too; a DPoP proof belongs to its token.
        let elsewhere = if place == CredentialPlace::Authorization {
            self.authenticators
                .iter()
                .flat_map(|a| a.credential_headers())
                .any(|name| *name != DPOP && credentials.headers().contains_key(name))
        } else {
            credentials.authorization().is_some()
        };
        if elsewhere {
            return Err("credentials in two places");
        }
        let has_no_value = credentials
            .authorization()
            .is_some_and(|a| a.value_bytes().is_empty());
        if place == CredentialPlace::Authorization && has_no_value {
            return Err("the authorization field has a scheme and no value");
        }
        if let CredentialPlace::Header(name) = &place
            && credentials.headers().get_all(name).iter().count() > 1
        {
            return Err("a credential field is repeated");
        }
        Ok(Some((index, authenticator)))
    }

    fn without_credential(
        &self,
        credentials: &Credentials<'_>,
        context: &SecurityContext,
    ) -> Decision {
        if context.principal().is_some_and(|p| !p.is_anonymous()) {
            admit!("auth", context, "identified_outside");
            return Decision::Forward(Admission::default());
        }
        let presented = self.presented(credentials);
        if self.allow_anonymous && presented.is_none() {
            let anonymous = Principal::anonymous();
            return match context.identify(anonymous, Some(&self.challenges)) {
                Ok(()) => {
                    admit!("auth", context, "anonymous");
                    Decision::Forward(Admission::default())
                }
                Err(taken) => Decision::Refuse(self.malformed(taken.to_string())),
            };
        }
        let reason = presented.unwrap_or("no credential");
        let denial = Denial::new(DenialKind::CredentialsMissing, reason);
        Decision::Refuse(denial.with_challenges(self.challenges.to_vec()))
    }

    /// What credential of a kind that nobody here recognizes the request presents.
    fn presented(&self, credentials: &Credentials<'_>) -> Option<&'static str> {
        if credentials.authorization().is_some() {
            return Some("an authorization scheme that is not accepted here");
        }
        let elsewhere = self.fields.are_elsewhere(credentials.headers());
        elsewhere.then_some("a credential field that is not accepted here")
    }

    pub(super) fn conclude(
        &self,
        judge: usize,
        result: Result<Identified, Denial>,
        headers: &mut HeaderMap,
        survey: &Survey,
        context: &SecurityContext,
    ) -> Result<Admission, Denial> {
        let Identified {
            principal,
            response_headers,
            revocations,
        } = result.map_err(|denial| {
            if denial.kind() == DenialKind::CredentialsInvalid {
                self.note_refused(judge, headers, context);
            }
            self.challenged(judge, denial)
        })?;
        let watched = revocations.map(|list| (list, principal.clone()));
        context
            .identify(principal, Some(&self.challenges))
            .map_err(|taken| self.malformed(taken.to_string()))?;
        let name = self.authenticators.get(judge).map_or("", |a| a.name());
        admit!("auth", context, "identified", name);
        self.remove_credentials(headers, survey);
        Ok(Admission {
            response_headers,
            watched,
        })
    }

    /// Notes what was presented and refused: who tries many is guessing.
    fn note_refused(&self, judge: usize, headers: &HeaderMap, context: &SecurityContext) {
        if let Ok(Some(authorization)) = Authorization::of(headers) {
            return context.note_refused_credential(authorization.value_bytes());
        }
        let authenticator = self.authenticators.get(judge);
        let mut names = authenticator
            .map_or(&[][..], |a| a.credential_headers())
            .iter();
        if let Some(value) = names.find_map(|name| headers.get(name)) {
            context.note_refused_credential(value.as_bytes());
        }
    }

    fn remove_credentials(&self, headers: &mut HeaderMap, survey: &Survey) {
        if !self.forward_credentials {
            self.fields.remove(headers, survey);
        }
    }

    /// Adds the other authenticators' challenges to a 401, Bearer first (AC-12).
    fn challenged(&self, judge: usize, denial: Denial) -> Denial {
        if denial.status() != http::StatusCode::UNAUTHORIZED {
            return denial;
        }
        let mut challenges = denial.challenges().to_vec();
        let has_own = !challenges.is_empty();
        for (index, authenticator) in self.authenticators.iter().enumerate() {
            if index != judge || !has_own {
                challenges.extend_from_slice(authenticator.challenges());
            }
        }
        denial.with_challenges(bearer_first(challenges))
    }

    fn malformed(&self, reason: impl Into<Cow<'static, str>>) -> Denial {
        let challenges = self
            .authenticators
            .iter()
            .filter_map(|a| a.malformed_challenge().cloned())
            .collect();
        Denial::new(DenialKind::CredentialsMalformed, reason)
            .with_challenges(bearer_first(challenges))
    }
}

static DPOP: HeaderName = HeaderName::from_static("dpop");
