use bartizan_core::Principal;

use crate::{
    grants::Grants,
    roles::{RoleSet, Roles},
};

/// Who asks, and what the policy makes of it: looked up once for all that is asked about.
pub(crate) struct Asker<'a> {
    pub(crate) principal: &'a Principal,
    /// Its roles, with all that they include, granted ones too.
    pub(crate) roles: RoleSet,
    /// Those that its credential names, with all that they include.
    pub(crate) own: RoleSet,
    /// Whether a grant counts for it now, be it of roles that it has or of none that are known.
    pub(crate) has_grants: bool,
    /// Whether its credential names roles that the policy does not know.
    pub(crate) has_unknown: bool,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(principal: &'a Principal, roles: &Roles) -> Self {
        let (own, has_unknown) = roles.of(principal);
        Self {
            principal,
            roles: own,
            own,
            has_grants: false,
            has_unknown,
        }
    }

    /// With the roles that it was granted for a time.
    pub(crate) fn with_grants(
        principal: &'a Principal,
        roles: &Roles,
        grants: Option<&Grants>,
    ) -> Self {
        let mut asker = Self::new(principal, roles);
        if let Some(grants) = grants {
            asker.has_grants = grants.each_of(principal, |grant| {
                for role in grant.roles() {
                    asker.roles.union(&roles.closure(role));
                }
            });
        }
        asker
    }

    /// The same as far as its credential goes.
    pub(crate) fn without_grants(&self) -> Self {
        Self {
            principal: self.principal,
            roles: self.own,
            own: self.own,
            has_grants: false,
            has_unknown: self.has_unknown,
        }
    }
}
