use std::any::Any;

use crate::Principal;

/// What principals may do by their roles: the side of an authorization policy that handlers ask.
///
/// The layer that judges by the policy leaves it in the request's context
/// ([`SecurityContext::permissions`](crate::SecurityContext::permissions)), and finds its own there.
pub trait Permissions: Any + Send + Sync {
    /// Whether the principal has the role, itself or through a role that includes it.
    fn has_role(&self, principal: &Principal, role: &str) -> bool;

    /// Whether one of the principal's roles grants the capability, or its credential.
    fn has_capability(&self, principal: &Principal, capability: &str) -> bool;
}
