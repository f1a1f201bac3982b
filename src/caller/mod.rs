//! Who is calling, for handlers.

#[cfg(feature = "axum")]
mod axum;
mod need;
mod refusal;
#[cfg(feature = "rmcp")]
mod rmcp;

use std::{fmt, ops::Deref};

use http::Extensions;

pub use self::{need::Need, refusal::CallerRejection};
use crate::{Denial, DenialKind, Principal, SecurityContext};

/// Who is calling, as an argument of a handler.
///
/// An axum handler and an rmcp tool or prompt take it alike. Without an identified principal the
/// handler does not run: the request is refused, because a handler that asks for a caller and
/// gets none stands outside authentication.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use bartizan::{Caller, CallerRejection, Need};
///
/// async fn whoami(caller: Caller) -> String {
///     caller.subject().to_owned()
/// }
///
/// async fn deploy(caller: Caller) -> Result<&'static str, CallerRejection> {
///     caller.require(Need::capability("releases:deploy"))?;
///     Ok("deployed")
/// }
/// let app: axum::Router = axum::Router::new()
///     .route("/whoami", axum::routing::get(whoami))
///     .route("/deploy", axum::routing::post(deploy));
/// # }
/// ```
///
/// Roles and capabilities are those of the policy that the authorization layer judged the request
/// by. Without such a layer nobody has any, and [`require`](Self::require) refuses.
#[derive(Clone)]
pub struct Caller {
    principal: Principal,
    context: SecurityContext,
}

impl Caller {
    /// The caller of the request that these extensions belong to.
    ///
    /// # Errors
    ///
    /// The refusal: 403 if no authentication layer ran, 401 with its challenges if one let the
    /// request pass anonymously.
    pub fn find(extensions: &Extensions) -> Result<Self, CallerRejection> {
        let context = SecurityContext::find(extensions)
            .cloned()
            .unwrap_or_default();
        let denial = match context.principal() {
            Some(principal) if !principal.is_anonymous() => {
                let principal = principal.clone();
                return Ok(Self { principal, context });
            }
            Some(_) => Denial::new(
                DenialKind::CredentialsMissing,
                "the handler needs an identified caller",
            )
            .with_challenges(context.challenges().to_vec()),
            None => Denial::new(
                DenialKind::Forbidden,
                "no principal: does the handler stand inside an authentication layer?",
            ),
        };
        Err(CallerRejection::new(denial, context))
    }

    /// Whether the caller has one of these roles, itself or through a role that includes it.
    pub fn check_role<R: AsRef<str>>(&self, roles: impl IntoIterator<Item = R>) -> bool {
        let Some(policy) = self.context.permissions() else {
            return false;
        };
        let mut roles = roles.into_iter();
        roles.any(|role| policy.has_role(&self.principal, role.as_ref()))
    }

    /// Whether one of the caller's roles grants the capability.
    pub fn has_capability(&self, capability: &str) -> bool {
        let policy = self.context.permissions();
        policy.is_some_and(|policy| policy.has_capability(&self.principal, capability))
    }

    /// Goes on only if the caller has what is needed.
    ///
    /// For what only the handler knows. What can be said of the tool as a whole belongs into the
    /// policy, where it is decided before the handler runs and answered with HTTP's 403; a tool's
    /// own refusal is an error inside a 200.
    ///
    /// # Errors
    ///
    /// A refusal that does not say what was missing; the log and the audit record do.
    pub fn require(&self, need: Need<'_>) -> Result<(), CallerRejection> {
        let has = match need {
            Need::Role(role) => self.check_role([role]),
            Need::AnyRole(roles) => self.check_role(roles),
            Need::Capability(capability) => self.has_capability(capability),
        };
        if has {
            return Ok(());
        }
        let reason = match self.context.permissions() {
            Some(_) => format!("the handler needs {need}"),
            None => format!("the handler needs {need}, and no layer says who has it"),
        };
        let denial = Denial::new(DenialKind::Forbidden, reason);
        Err(CallerRejection::new(denial, self.context.clone()))
    }

    /// The principal itself.
    pub fn into_principal(self) -> Principal {
        self.principal
    }
}

impl Deref for Caller {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Caller").field(&self.principal).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Permissions;

    fn of(stamp: impl FnOnce(&SecurityContext)) -> Result<Caller, CallerRejection> {
        let mut extensions = Extensions::new();
        stamp(&SecurityContext::of_extensions(&mut extensions));
        Caller::find(&extensions)
    }

    fn ann() -> Principal {
        Principal::user("https://a.example", "ann")
            .roles(["developer"])
            .build("jwt")
    }

    struct Deploys;

    impl Permissions for Deploys {
        fn has_role(&self, principal: &Principal, role: &str) -> bool {
            principal.roles().any(|own| own == role)
        }

        fn has_capability(&self, _: &Principal, capability: &str) -> bool {
            capability == "releases:deploy"
        }
    }

    #[test]
    fn without_an_authentication_layer_there_is_no_caller() {
        let rejection = Caller::find(&Extensions::new()).unwrap_err();
        assert_eq!(rejection.denial().kind(), DenialKind::Forbidden);
    }

    #[test]
    fn an_anonymous_request_is_challenged_with_what_the_layer_left() {
        let rejection = of(|context| {
            context.set_principal(Principal::anonymous()).unwrap();
            context
                .offer_challenges([http::HeaderValue::from_static("Bearer realm=\"mcp\"")].into());
        })
        .unwrap_err();
        assert_eq!(rejection.denial().kind(), DenialKind::CredentialsMissing);
        assert_eq!(rejection.denial().challenges(), ["Bearer realm=\"mcp\""]);
    }

    #[test]
    fn an_identified_principal_is_the_caller() {
        let caller = of(|context| context.set_principal(ann()).unwrap()).unwrap();
        assert_eq!(caller.subject(), "ann");
    }

    #[test]
    fn the_policy_that_judged_the_request_says_what_the_caller_has() {
        let caller = of(|context| {
            context.set_principal(ann()).unwrap();
            context.set_permissions(Arc::new(Deploys)).unwrap();
        })
        .unwrap();
        assert!(caller.check_role(["admin", "developer"]));
        assert!(!caller.check_role(["admin"]));
        assert!(!caller.check_role([""; 0]));
        assert!(caller.require(Need::role("developer")).is_ok());
        assert!(
            caller
                .require(Need::any_role(&["admin", "developer"]))
                .is_ok()
        );
        assert!(caller.require(Need::any_role(&[])).is_err());
        assert!(caller.require(Need::capability("releases:deploy")).is_ok());
        let refused = caller.require(Need::role("admin")).unwrap_err();
        assert_eq!(refused.denial().kind(), DenialKind::Forbidden);
        assert_eq!(refused.denial().message(), "not permitted");
        assert!(refused.denial().reason().contains("admin"));
        let hostile = format!("notes:{}\n", "x".repeat(1000));
        for need in [
            Need::role(&hostile),
            Need::any_role(&[&hostile]),
            Need::capability(&hostile),
        ] {
            let refused = caller.require(need).unwrap_err();
            assert!(refused.denial().reason().len() < 400);
        }
        let refused = caller.require(Need::role("a\nb")).unwrap_err();
        assert!(refused.denial().reason().contains(r"`a\u{a}b`"));
    }

    #[test]
    fn without_an_authorization_layer_nobody_has_a_role_whatever_the_token_says() {
        let caller = of(|context| context.set_principal(ann()).unwrap()).unwrap();
        assert!(!caller.check_role(["developer"]));
        assert!(!caller.has_capability("releases:deploy"));
        let refused = caller.require(Need::role("developer")).unwrap_err();
        assert!(refused.denial().reason().contains("no layer"));
    }
}
