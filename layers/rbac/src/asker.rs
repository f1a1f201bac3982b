use bartizan_core::Principal;

use crate::roles::{RoleSet, Roles};

/// Who asks, and what the policy makes of it: looked up once for all that is asked about.
pub(crate) struct Asker<'a> {
    pub(crate) principal: &'a Principal,
    /// Its roles, with all that they include.
    pub(crate) roles: RoleSet,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(principal: &'a Principal, roles: &Roles) -> Self {
        Self {
            principal,
            roles: roles.of(principal),
        }
    }
}
