use std::ops::Deref;

use http::Extensions;

use crate::{Denial, DenialKind, Principal, SecurityContext};

/// Who is calling, as an argument of a handler.
///
/// An axum handler and an rmcp tool or prompt take it alike. Without an identified principal the
/// handler does not run: the request is refused, because a handler that asks for a caller and
/// gets none stands outside authentication.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use bartizan::Caller;
///
/// async fn whoami(caller: Caller) -> String {
///     caller.subject().to_owned()
/// }
/// let app: axum::Router = axum::Router::new().route("/whoami", axum::routing::get(whoami));
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Caller(Principal);

impl Caller {
    /// The caller of the request that these extensions belong to.
    ///
    /// # Errors
    ///
    /// The refusal: 403 if no authentication layer ran, 401 with its challenges if one let the
    /// request pass anonymously.
    pub fn find(extensions: &Extensions) -> Result<Self, Denial> {
        let context = SecurityContext::find(extensions);
        match context.and_then(SecurityContext::principal) {
            Some(principal) if !principal.is_anonymous() => Ok(Self(principal.clone())),
            Some(_) => {
                let challenges = context.map(SecurityContext::challenges).unwrap_or_default();
                let denial = Denial::new(
                    DenialKind::CredentialsMissing,
                    "the handler needs an identified caller",
                );
                Err(denial.with_challenges(challenges.to_vec()))
            }
            None => Err(Denial::new(
                DenialKind::Forbidden,
                "no principal: does the handler stand inside an authentication layer?",
            )),
        }
    }

    /// The principal itself.
    pub fn into_principal(self) -> Principal {
        self.0
    }
}

impl Deref for Caller {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

#[cfg(feature = "axum")]
pub use self::axum::CallerRejection;

#[cfg(feature = "axum")]
mod axum {
    use ::axum::{
        body::Body,
        extract::FromRequestParts,
        response::{IntoResponse, Response},
    };
    use http::request::Parts;

    use super::Caller;
    use crate::{Denial, SecurityContext, refuse};

    /// Why a handler that asks for its [`Caller`] did not run.
    #[derive(Debug)]
    pub struct CallerRejection {
        denial: Denial,
        context: SecurityContext,
    }

    impl CallerRejection {
        /// The refusal.
        pub fn denial(&self) -> &Denial {
            &self.denial
        }
    }

    impl IntoResponse for CallerRejection {
        fn into_response(self) -> Response {
            let response: http::Response<crate::ResponseBody<Body>> =
                refuse!("caller", &self.context, self.denial);
            response.map(Body::new)
        }
    }

    impl<S: Sync> FromRequestParts<S> for Caller {
        type Rejection = CallerRejection;

        async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, CallerRejection> {
            Self::find(&parts.extensions).map_err(|denial| CallerRejection {
                denial,
                context: SecurityContext::of_parts(parts),
            })
        }
    }
}

#[cfg(feature = "rmcp")]
mod rmcp {
    use ::rmcp::{
        ErrorData,
        handler::server::common::{AsRequestContext, FromContextPart},
        model::ErrorCode,
    };
    use http::{Extensions, request::Parts};

    use super::Caller;
    use crate::{SecurityContext, refuse};

    impl<C: AsRequestContext> FromContextPart<C> for Caller {
        fn from_context_part(context: &mut C) -> Result<Self, ErrorData> {
            let none = Extensions::new();
            let extensions = &context.as_request_context().extensions;
            let found = extensions.get::<Parts>().map_or(&none, |p| &p.extensions);
            Self::find(found).map_err(|denial| {
                let error =
                    ErrorData::new(ErrorCode(denial.kind().rpc_code()), denial.message(), None);
                // There is no response to render here, but the refusal is logged and recorded.
                let context = SecurityContext::find(found).cloned().unwrap_or_default();
                let _: http::Response<crate::ResponseBody<()>> =
                    refuse!("caller", &context, denial);
                error
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_authentication_layer_there_is_no_caller() {
        let denial = Caller::find(&Extensions::new()).unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Forbidden);
    }

    #[test]
    fn an_anonymous_request_is_challenged_with_what_the_layer_left() {
        let mut extensions = Extensions::new();
        let context = SecurityContext::of_extensions(&mut extensions);
        context.set_principal(Principal::anonymous()).unwrap();
        context.offer_challenges([http::HeaderValue::from_static("Bearer realm=\"mcp\"")].into());
        let denial = Caller::find(&extensions).unwrap_err();
        assert_eq!(denial.kind(), DenialKind::CredentialsMissing);
        assert_eq!(denial.challenges(), ["Bearer realm=\"mcp\""]);
    }

    #[test]
    fn an_identified_principal_is_the_caller() {
        let mut extensions = Extensions::new();
        let context = SecurityContext::of_extensions(&mut extensions);
        let ann = Principal::user("https://a.example", "ann").build("jwt");
        context.set_principal(ann).unwrap();
        assert_eq!(Caller::find(&extensions).unwrap().subject(), "ann");
    }
}
