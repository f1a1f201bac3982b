use bartizan_core::{Principal, PrincipalKind};

use super::{Argument, Test};

/// What a rule needs besides roles, capabilities and scopes, see [`Rule::requires`](crate::Rule::requires):
/// mostly of an argument of the call.
///
/// ```
/// use bartizan_rbac::{Condition, Rule};
/// let own = Rule::tool("edit_note").requires(Condition::argument("owner").is_subject());
/// let small = Rule::tool("pay").requires(Condition::any_of([
///     Condition::argument("amount").between(1..=1000),
///     Condition::role("manager"),
/// ]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Condition(pub(crate) Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Argument(Argument, Test),
    Role(String),
    Capability(String),
    Issuer(String),
    AnyOf(Vec<Condition>),
}

/// What of a principal is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Attribute {
    /// A person's subject. A service of the same name is another party (TV-16).
    Subject,
    /// A service's subject.
    Service,
    /// The OAuth client that somebody acts through, or that a service is.
    Client,
    /// The tenant.
    Tenant,
}

impl Condition {
    /// What a tool or prompt is given by this name. Which condition it is, the methods of [`Argument`] say.
    pub fn argument(name: &str) -> Argument {
        Argument::new(name)
    }

    /// The caller has this role, itself or through one that includes it.
    pub fn role(role: &str) -> Self {
        Self(Kind::Role(role.to_owned()))
    }

    /// One of the caller's roles grants this capability, or its credential.
    pub fn capability(capability: &str) -> Self {
        Self(Kind::Capability(capability.to_owned()))
    }

    /// This issuer vouches for the caller. With several, the same subject or tenant may be another party's
    /// at each of them, so say whose a rule means.
    pub fn issuer(issuer: &str) -> Self {
        Self(Kind::Issuer(issuer.to_owned()))
    }

    /// At least one of these holds. They are not `any_of` themselves.
    pub fn any_of(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self(Kind::AnyOf(conditions.into_iter().collect()))
    }
}

impl Attribute {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Service => "service",
            Self::Client => "client",
            Self::Tenant => "tenant",
        }
    }

    /// The principal's; `None` if it has none, or an empty one, which equals nothing.
    pub(crate) fn of(self, principal: &Principal) -> Option<&str> {
        let text = match (self, principal.kind()) {
            (Self::Subject, PrincipalKind::User) => Some(principal.subject()),
            (Self::Service, PrincipalKind::Service) => Some(principal.subject()),
            (Self::Client, PrincipalKind::User | PrincipalKind::Service) => principal.client_id(),
            (Self::Tenant, PrincipalKind::User | PrincipalKind::Service) => principal.tenant(),
            _ => None,
        };
        text.filter(|text| !text.is_empty())
    }
}
