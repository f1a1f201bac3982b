use crate::{
    Decision, Operation, Policy, RbacConfigError, Rule,
    asker::Asker,
    capabilities::Capability,
    roles::{RoleSet, Roles},
    rule::Target,
};

/// Who may approve what a rule covers, its names looked up.
#[derive(Debug)]
pub(crate) struct NeededApprover {
    role: Option<RoleSet>,
    capability: Option<Capability>,
}

impl NeededApprover {
    /// # Errors
    ///
    /// If the rule speaks of what can't be asked for again, or names what the policy does not know.
    pub(crate) fn new(
        rule: &Rule,
        roles: &Roles,
        granted: &impl Fn(&String) -> Result<Capability, RbacConfigError>,
    ) -> Result<Option<Self>, RbacConfigError> {
        let Some(approver) = &rule.approval else {
            return Ok(None);
        };
        if let Target::Stream | Target::EndSession | Target::Response = rule.target {
            let problem = "needs approval, which only requests can wait for";
            return Err(RbacConfigError::new("rule", &rule.name(), problem));
        }
        let role = approver.role.as_ref().map(|role| {
            let place = roles.place(role);
            place
                .map(|_| roles.only(role))
                .ok_or_else(|| RbacConfigError::new("role", role, "is to approve and not declared"))
        });
        let capability = approver.capability.as_ref().map(granted);
        Ok(Some(Self {
            role: role.transpose()?,
            capability: capability.transpose()?,
        }))
    }

    fn is_met_by(&self, asker: &Asker<'_>) -> bool {
        let has_role = self
            .role
            .as_ref()
            .is_none_or(|role| role.meets(&asker.roles));
        let capability = self.capability.as_ref();
        has_role && capability.is_none_or(|capability| capability.is_held_by(asker))
    }

    fn names_nobody(&self) -> bool {
        self.role.is_none() && self.capability.is_none()
    }
}

impl Policy {
    /// Whether this principal may approve the operation of another: by all rules that need approval for it.
    pub(crate) fn approves(&self, approver: &Asker<'_>, operation: &Operation<'_>) -> bool {
        let (mut is_needed, mut may, mut by_itself) = (false, true, false);
        self.each_with_watched(operation, |operation, rule| {
            // A credential that is good for less approves no more.
            may &= operation.is_within_limits(approver.principal);
            if let Some(needed) = rule.and_then(|rule| rule.needs.approval.as_ref()) {
                is_needed = true;
                may &= needed.is_met_by(approver);
                by_itself |= needed.names_nobody();
            }
        });
        if !is_needed || !may || approver.principal.is_anonymous() {
            return false;
        }
        let decision = || self.decide_by(Some(approver), operation, |_| {});
        !by_itself || matches!(decision(), Decision::Admitted | Decision::ApprovalNeeded)
    }
}
